"""What an agent sees of a node: the node alone, as published, or the node in its jet.

Everything here is fixed before the first action: with Cambridge/Aachen a node's state never
changes while the jet is groomed, and the same holds for the jet as it was, for parents and
children. The observations of all nodes of a sample can therefore be computed at once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from ...datasets.jets.trees import STATE_FIELDS, STATE_HIGH, STATE_LOW, ClusteringTrees

NODE = "node"
CONTEXT = "context"

_LN_Z, _LN_DELTA, _PSI, _LN_M, _LN_KT = range(len(STATE_FIELDS))

_HARDEST = ("ln_z", "ln_Delta", "ln_m", "ln_kt", "here", "in_harder")

CONTEXT_FIELDS = (
    *STATE_FIELDS,
    *("jet_ln_pt", "jet_ln_m", "jet_ln_n"),
    *(f"parent_{name}" for name in STATE_FIELDS),
    *("in_softer", "ln_depth", "level", "harder_ln_m", "softer_ln_m"),
    *(f"hardest_{name}" for name in _HARDEST),
    *(f"second_{name}" for name in _HARDEST),
    # The hardest splitting has no such flag: what lies in a softer branch is not as hard.
    "second_in_softer",
)
"""Components of the observation "context", see `JetGroomingEnv`."""

# The lightest hadron; also stands for the mass of a branch that is a single constituent.
_LIGHTEST = -2.0
_HARDEST_COLUMNS = (_LN_Z, _LN_DELTA, _LN_M, _LN_KT)


def _context_bounds() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    hardest = list(_HARDEST_COLUMNS)
    low, high = (
        np.concatenate(
            [
                state,
                jet,
                # The root has no parent: zeros.
                state,
                family,
                np.tile(np.concatenate([state[hardest], flag, flag]), 2),
                flag,
            ]
        )
        for state, jet, family, flag in (
            (STATE_LOW, [-10.0, -10.0, 0.0], [0.0, 0.0, 0.0, _LIGHTEST, _LIGHTEST], [0.0]),
            (STATE_HIGH, [12.0, 12.0, 12.0], [1.0, 12.0, 100.0, 12.0, 12.0], [1.0]),
        )
    )
    return low, high


_CONTEXT_LOW, _CONTEXT_HIGH = _context_bounds()


@dataclass(frozen=True, eq=False)
class Observation:
    """A kind of observation.

    Attributes
    ----------
    name
        As in the environments' argument ``observation``.
    fields
        Names of its components.
    low, high
        float64, shape (len(fields),): bounds; values beyond them are set to the bound.
    smallest
        The least number of leading components that can be asked for.
    """

    name: str
    fields: tuple[str, ...]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    smallest: int

    def components(self, state_dim: int | None) -> int:
        """Check how many leading components are asked for; None asks for all.

        Raises
        ------
        ValueError
            If there are not so many.
        """
        if state_dim is None:
            return len(self.fields)
        whole = isinstance(state_dim, (int, np.integer)) and not isinstance(state_dim, bool)
        if not whole or not self.smallest <= state_dim <= len(self.fields):
            raise ValueError(
                f"state_dim = {state_dim!r} but it must be {self.smallest} to {len(self.fields)} "
                f"with the observation {self.name}"
            )
        return int(state_dim)


OBSERVATIONS: dict[str, Observation] = {
    NODE: Observation(NODE, STATE_FIELDS, STATE_LOW, STATE_HIGH, smallest=2),
    # Fewer components of it are those of the node.
    CONTEXT: Observation(
        CONTEXT, CONTEXT_FIELDS, _CONTEXT_LOW, _CONTEXT_HIGH, smallest=len(STATE_FIELDS) + 1
    ),
}
"""All kinds of observations by name."""


def find_observation(name: str) -> Observation:
    """Look up a kind of observation.

    Raises
    ------
    ValueError
        If there is no such kind.
    """
    if name not in OBSERVATIONS:
        raise ValueError(f"observation {name!r} is none of {', '.join(OBSERVATIONS)}")
    return OBSERVATIONS[name]


def observe_trees(trees: ClusteringTrees, observation: str = NODE) -> NDArray[np.float32]:
    """Observations at every node of a sample, as the environments show them.

    Parameters
    ----------
    trees
        The jets.
    observation
        A key of `OBSERVATIONS`.

    Returns
    -------
    numpy.ndarray
        float32, shape (nodes, components), nodes in the order of the trees.

    Raises
    ------
    ValueError
        If there is no such kind of observation.
    """
    if find_observation(observation).name == NODE:
        return trees.states.astype(np.float32)
    out = np.empty((len(trees.softer_size), len(CONTEXT_FIELDS)), np.float32)
    harder, softer = trees.children
    fill_contexts(
        trees.node_offsets, trees.softer_size, trees.node_momenta, trees.states, harder, softer, out
    )
    return out


@numba.njit(cache=True)
def fill_contexts(node_offsets, softer_size, total, states, harder, softer, out):  # type: ignore[no-untyped-def]
    """Fill in the observation "context" of every node.

    Parameters
    ----------
    node_offsets, softer_size, total, states, harder, softer
        See `ClusteringTrees`: ``total`` are the nodes' momenta, ``harder`` and ``softer`` their
        children.
    out
        float32, shape (nodes, components).
    """
    longest = 1
    for j in range(len(node_offsets) - 1):
        longest = max(longest, node_offsets[j + 1] - node_offsets[j])
    size = np.empty(longest, np.int64)
    parent = np.empty(longest, np.int64)
    depth = np.empty(longest, np.int64)
    level = np.empty(longest, np.int64)
    row = np.empty(len(_CONTEXT_LOW))
    for j in range(len(node_offsets) - 1):
        first = node_offsets[j]
        nodes = node_offsets[j + 1] - first
        if nodes == 0:
            continue
        px, py = total[first, 0], total[first, 1]
        pt = math.sqrt(px * px + py * py)
        hardest = _two_hardest(states[first : first + nodes, _LN_KT])
        size[0], parent[0], depth[0], level[0] = nodes + 1, -1, 0, 0
        for i in range(nodes):
            node = first + i
            soft = softer_size[node]
            row[:5] = states[node]
            row[5] = math.log(pt) if pt > 0.0 else _CONTEXT_LOW[5]
            row[6] = states[first, _LN_M]
            row[7] = math.log(nodes + 1.0)
            if parent[i] >= 0:
                row[8:13] = states[first + parent[i]]
                row[13] = 1.0 if i == parent[i] + 1 and softer[first + parent[i]] == i else 0.0
            else:
                row[8:14] = 0.0
            row[14] = math.log(depth[i] + 1.0)
            row[15] = level[i]
            row[16] = states[first + harder[node], _LN_M] if harder[node] >= 0 else _LIGHTEST
            row[17] = states[first + softer[node], _LN_M] if softer[node] >= 0 else _LIGHTEST
            for k in range(2):
                column = 18 + 6 * k
                h = hardest[k]
                if h < 0:
                    row[column : column + 6] = 0.0
                    continue
                row[column] = states[first + h, _LN_Z]
                row[column + 1] = states[first + h, _LN_DELTA]
                row[column + 2] = states[first + h, _LN_M]
                row[column + 3] = states[first + h, _LN_KT]
                row[column + 4] = h == i
                # The softer branch of node i holds the nodes i + 1 to i + soft - 1, the harder one
                # those from i + soft on.
                row[column + 5] = i + soft <= h < i + size[i] - 1
            row[30] = i < hardest[1] < i + soft
            for c in range(len(row)):
                out[node, c] = min(max(row[c], _CONTEXT_LOW[c]), _CONTEXT_HIGH[c])
            child = softer[node]
            if child >= 0:
                size[child], parent[child] = soft, i
                depth[child], level[child] = depth[i] + 1, level[i] + 1
            child = harder[node]
            if child >= 0:
                size[child], parent[child] = size[i] - soft, i
                depth[child], level[child] = depth[i] + 1, level[i]


@numba.njit(cache=True)
def _two_hardest(ln_kt):  # type: ignore[no-untyped-def]
    """Return the places of the largest and the second largest value, -1 where there is none."""
    best, second = -1, -1
    for i in range(len(ln_kt)):
        if best < 0 or ln_kt[i] > ln_kt[best]:
            best, second = i, best
        elif second < 0 or ln_kt[i] > ln_kt[second]:
            second = i
    return best, second
