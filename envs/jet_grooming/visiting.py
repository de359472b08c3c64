"""The order in which the game visits the nodes of a jet.

Among the available nodes the one with the largest Delta comes first; children become available
when their parent has been visited. The relative order of the nodes that survive does not depend
on the actions taken, so it is computed once per jet.
"""

from __future__ import annotations

import heapq
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from ...datasets.jets.trees import STATE_FIELDS, ClusteringTrees

LN_DELTA = STATE_FIELDS.index("ln_Delta")


def visit_order(trees: ClusteringTrees) -> NDArray[np.int64]:
    """Nodes of each jet in the order in which the game visits them.

    Parameters
    ----------
    trees
        The jets.

    Returns
    -------
    numpy.ndarray
        int64, shape (nodes,): a permutation of ``arange(nodes)`` within each jet.
    """
    return visit_plan(trees)[0]


def visit_plan(trees: ClusteringTrees) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Visiting order together with the way that leads to each node.

    Parameters
    ----------
    trees
        The jets.

    Returns
    -------
    order : int64, shape (nodes,)
        As `visit_order`.
    origin : int32, shape (nodes,)
        For the node visited at each place: 0 for a jet's first, otherwise the place of its parent
        among the jet's visits, counted from 1, negative if the node lies in the parent's softer
        branch.
    """
    harder, softer = trees.children
    return plan_visits(trees.node_offsets, harder, softer, trees.states[:, LN_DELTA])


@numba.njit(cache=True)
def plan_visits(node_offsets, harder, softer, ln_delta):  # type: ignore[no-untyped-def]
    """Return what `visit_plan` does, from children and ln Delta."""
    order = np.empty(len(ln_delta), np.int64)
    origin = np.empty(len(ln_delta), np.int32)
    for j in range(len(node_offsets) - 1):
        first = node_offsets[j]
        if node_offsets[j + 1] == first:
            continue
        # Equal Delta: the node that comes first in the tree.
        available: list[Any] = [(0.0, np.int64(0), np.int64(0))]
        place = 0
        while len(available) > 0:
            _, node, way = heapq.heappop(available)
            order[first + place] = first + node
            origin[first + place] = way
            place += 1
            child = np.int64(softer[first + node])
            if child >= 0:
                heapq.heappush(available, (-ln_delta[first + child], child, -place))
            child = np.int64(harder[first + node])
            if child >= 0:
                heapq.heappush(available, (-ln_delta[first + child], child, place))
    return order, origin
