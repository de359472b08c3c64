"""Jets as the grooming game plays them: flat arrays in visiting order, and how they are filled."""

from __future__ import annotations

from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from ...datasets.jets.trees import (
    STATE_HIGH,
    STATE_LOW,
    node_children,
    node_momenta,
    node_states,
)
from .observation import fill_contexts
from .reward import shaping
from .visiting import LN_DELTA, plan_visits

_CACHE_LINE = 64  # bytes
_WORD = 64  # bits


class JetTable(NamedTuple):
    """Signal jets followed by background jets, nodes in visiting order.

    ``softer``, ``state``, ``node`` and ``shaping`` are columns of one block of memory in which each
    node fills one cache line: thousands of games that walk through different jets wait for memory
    before anything else.

    Attributes
    ----------
    first
        int64, shape (jets + 1,): jet ``j`` owns the nodes ``first[j]:first[j + 1]``.
    softer
        float64, shape (nodes, 4): four-momentum of each node's softer branch in GeV.
    state
        float32, shape (nodes, 5): node states.
    shaping
        float32, shape (nodes, 2): the reward's part that depends on the action (keep, remove).
    word_first
        int64, shape (jets + 1,): jet ``j`` with n nodes owns ``word_first[j]:word_first[j + 1]``
        of the next column, ceil(n / 64) words for each of its nodes.
    branch
        uint64: the nodes in each node's softer branch as a set of bits, one for each place in the
        jet's visiting order. Padded, so that a longest row can be read at every place.
    node
        int32, shape (nodes,): the node's index in its jet's tree.
    momentum
        float64, shape (jets, 4): four-momentum of the ungroomed jet in GeV.
    mass_parameters
        float64, shape (5,): see `reward.mass_reward`.
    signals
        int64, shape (1,): number of signal jets.
    """

    first: NDArray[np.int64]
    softer: NDArray[np.float64]
    state: NDArray[np.float32]
    node: NDArray[np.int32]
    shaping: NDArray[np.float32]
    word_first: NDArray[np.int64]
    branch: NDArray[np.uint64]
    momentum: NDArray[np.float64]
    mass_parameters: NDArray[np.float64]
    signals: NDArray[np.int64]


class JetSource(NamedTuple):
    """What a jet's rows in the table are made from when the jet is first played.

    Making them all takes longer than reading the jets. They are apart from the table because
    every array beside it slows the playing kernel down.

    Attributes
    ----------
    offsets, constituents, softer_size
        The clustering trees, see `ClusteringTrees`.
    shaping_parameters
        float64, shape (7,): see `reward.shaping`.
    ready
        bool, shape (jets,): whether the jet's rows are filled in.
    origin
        int32, shape (nodes,): how each node of a jet that is ready is reached, see
        `visiting.visit_plan`.
    context
        float32, shape (nodes or 0, components): the observation "context" of each node in visiting
        order; empty where nobody looks at it.
    """

    offsets: NDArray[np.int64]
    constituents: NDArray[np.float64]
    softer_size: NDArray[np.int32]
    shaping_parameters: NDArray[np.float64]
    ready: NDArray[np.bool_]
    origin: NDArray[np.int32]
    context: NDArray[np.float32]


class Episodes(NamedTuple):
    """State of the episodes being played, one row for each environment.

    Attributes
    ----------
    jet
        int64, shape (envs,): the jet, a row of ``JetTable.momentum``.
    first, word_first, visits
        int64, shape (envs,): the jet's first node, its first word in ``JetTable.branch``, and its
        number of nodes.
    place
        int64, shape (envs,): place of the current node in the jet's visiting order.
    momentum
        float64, shape (envs, 4): four-momentum of the jet as groomed so far, in GeV.
    alive
        uint64, shape (envs, words): the places that are not in a removed branch, as bits.
    action
        uint8, shape (envs, longest): what was decided at each node visited so far.
    """

    jet: NDArray[np.int64]
    first: NDArray[np.int64]
    word_first: NDArray[np.int64]
    visits: NDArray[np.int64]
    place: NDArray[np.int64]
    momentum: NDArray[np.float64]
    alive: NDArray[np.uint64]
    action: NDArray[np.uint8]


def words(nodes: Any) -> Any:
    """Words of 64 bits that hold a bit for each of ``nodes`` nodes, elementwise."""
    return (nodes + _WORD - 1) // _WORD


def interleaved(
    nodes: int,
) -> tuple[NDArray[np.float64], NDArray[np.float32], NDArray[np.int32], NDArray[np.float32]]:
    """Columns ``softer``, ``state``, ``node`` and ``shaping``, one cache line for each node."""
    # empty, not zeros: only then does NumPy ask for huge pages, which spare address lookups.
    memory = np.empty((nodes + 1) * _CACHE_LINE, np.uint8)
    start = -memory.ctypes.data % _CACHE_LINE
    lines = memory[start : start + nodes * _CACHE_LINE].reshape(nodes, _CACHE_LINE)
    return (
        lines.view(np.float64)[:, :4],
        lines.view(np.float32)[:, 8:13],
        lines.view(np.int32)[:, 13],
        lines.view(np.float32)[:, 14:16],
    )


@numba.njit(cache=True)
def fill_in(table, source, jet):  # type: ignore[no-untyped-def]
    """Fill in a jet's rows of the table."""
    constituents = source.constituents[source.offsets[jet] : source.offsets[jet + 1]]
    first = table.first[jet]
    nodes = table.first[jet + 1] - first
    softer_size = source.softer_size[first : first + nodes]
    offsets = np.array([0, nodes + 1])
    node_offsets = np.array([0, nodes])
    total, softer = node_momenta(offsets, node_offsets, constituents, softer_size)
    state = node_states(total, softer, STATE_LOW, STATE_HIGH)
    gain = shaping(state, source.shaping_parameters)
    harder_child, softer_child = node_children(offsets, node_offsets, softer_size)
    order, origin = plan_visits(node_offsets, harder_child, softer_child, state[:, LN_DELTA])
    for place in range(nodes):
        row = first + place
        node = order[place]
        for c in range(4):
            table.softer[row, c] = softer[node, c]
        for c in range(state.shape[1]):
            table.state[row, c] = state[node, c]
        table.shaping[row, 0] = gain[node, 0]
        table.shaping[row, 1] = gain[node, 1]
        table.node[row] = node
        source.origin[row] = origin[place]
    if len(source.context) > 0:
        context = np.empty((nodes, source.context.shape[1]), np.float32)
        fill_contexts(node_offsets, softer_size, total, state, harder_child, softer_child, context)
        for place in range(nodes):
            source.context[first + place] = context[order[place]]
    branch = softer_branches(node_offsets, softer_size, order)
    table.branch[table.word_first[jet] : table.word_first[jet + 1]] = branch
    source.ready[jet] = True


@numba.njit(cache=True)
def softer_branches(node_offsets, softer_size, order):  # type: ignore[no-untyped-def]
    """Nodes in each softer branch as bits, see ``JetTable.branch``."""
    total = 0
    longest = 1
    for j in range(len(node_offsets) - 1):
        n = node_offsets[j + 1] - node_offsets[j]
        total += n * ((n + 63) // 64)
        longest = max(longest, n)
    out = np.zeros(total, np.uint64)
    place_of = np.empty(longest, np.int64)
    row = 0
    for j in range(len(node_offsets) - 1):
        first = node_offsets[j]
        n = node_offsets[j + 1] - first
        width = (n + 63) // 64
        for place in range(n):
            place_of[order[first + place] - first] = place
        for place in range(n):
            node = order[first + place]
            # The nodes of the softer branch follow directly, one less than its constituents.
            for inside in range(node + 1, node + softer_size[node]):
                gone = place_of[inside - first]
                out[row + gone // 64] |= np.uint64(1) << np.uint64(gone % 64)
            row += width
    return out
