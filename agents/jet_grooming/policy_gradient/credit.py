"""What every single decision does to a jet's final mass, all other decisions being the same.

Removing a branch only subtracts its four-momentum, so the mass that a jet would end with if one
decision were the other one follows from what is removed below each node: one pass up the tree and
one down, for all nodes of a jet together.
"""

from __future__ import annotations

import math

import numba
import numpy as np
from numpy.typing import NDArray

from ....datasets.jets.trees import ClusteringTrees


def counterfactual_masses(
    trees: ClusteringTrees, jets: NDArray[np.int64], decisions: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Groomed mass of a node's jet if the node kept, or removed, its softer branch.

    Parameters
    ----------
    trees
        The sample.
    jets
        int64, shape (jets,): some of its jets.
    decisions
        bool, shape (nodes of these jets,): what is decided at each node, jet after jet; True
        removes the softer branch.

    Returns
    -------
    masses : float64, shape (nodes of these jets, 2)
        In GeV, negative where m^2 is: with the softer branch of the node kept, and removed.
    reached : bool, shape (nodes of these jets,)
        Whether the decisions leave the node in the jet, so that its decision matters.
    """
    masses = np.empty((len(decisions), 2))
    reached = np.empty(len(decisions), np.bool_)
    _counterfactual_masses(
        trees.node_offsets,
        trees.softer_size,
        trees.softer_momenta,
        trees.jet_momenta,
        jets,
        decisions,
        masses,
        reached,
    )
    return masses, reached


@numba.njit(cache=True, error_model="numpy")
def _counterfactual_masses(  # type: ignore[no-untyped-def]
    node_offsets, softer_size, softer, total, jets, decisions, masses, reached
):
    longest = 1
    for j in jets:
        longest = max(longest, node_offsets[j + 1] - node_offsets[j])
    size = np.empty(longest, np.int64)
    # Momentum removed in a node if its softer branch is kept, if it is removed, and as decided.
    keep, remove, own = np.empty((longest, 4)), np.empty((longest, 4)), np.empty((longest, 4))
    row = 0
    for j in jets:
        first = node_offsets[j]
        nodes = node_offsets[j + 1] - first
        size[0] = nodes + 1
        for i in range(nodes):
            soft = softer_size[first + i]
            if soft > 1:
                size[i + 1] = soft
            if size[i] - soft > 1:
                size[i + soft] = size[i] - soft
        for i in range(nodes - 1, -1, -1):
            soft = softer_size[first + i]
            for c in range(4):
                in_harder = own[i + soft, c] if size[i] - soft > 1 else 0.0
                keep[i, c] = in_harder + (own[i + 1, c] if soft > 1 else 0.0)
                remove[i, c] = in_harder + softer[first + i, c]
                own[i, c] = remove[i, c] if decisions[row + i] else keep[i, c]
        for i in range(nodes):
            reached[row + i] = False
            masses[row + i, 0] = _mass_without(total[j], own[0], own[i], keep[i])
            masses[row + i, 1] = _mass_without(total[j], own[0], own[i], remove[i])
        i = 0
        while i < nodes:
            reached[row + i] = True
            i += softer_size[first + i] if decisions[row + i] else 1
        row += nodes


@numba.njit(cache=True, error_model="numpy", inline="always")
def _mass_without(jet, removed, there, instead):  # type: ignore[no-untyped-def]
    """Mass of a jet from which ``removed`` is taken, but for one node ``instead`` of ``there``."""
    px = jet[0] - removed[0] + there[0] - instead[0]
    py = jet[1] - removed[1] + there[1] - instead[1]
    pz = jet[2] - removed[2] + there[2] - instead[2]
    energy = jet[3] - removed[3] + there[3] - instead[3]
    m2 = (energy + pz) * (energy - pz) - px * px - py * py
    return math.copysign(math.sqrt(abs(m2)), m2)
