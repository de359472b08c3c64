"""Grooming a whole sample in one compiled pass.

With Cambridge/Aachen trees a node is visited before its descendants and its state never changes,
so the decisions of a policy that looks at single nodes can be taken all at once and applied in
one scan over the trees (arXiv:1903.09644).
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...datasets.jets.trees import ClusteringTrees

KEEP = 0
REMOVE = 1


def groom(trees: ClusteringTrees, decisions: ArrayLike) -> NDArray[np.float64]:
    """Apply decisions to every node that is reached.

    Parameters
    ----------
    trees
        The jets.
    decisions
        Integer or bool, shape (nodes,): 1 removes the softer branch of a node, 0 keeps both.
        Decisions at nodes inside a removed branch have no effect.

    Returns
    -------
    numpy.ndarray
        float64, shape (jets, 4): groomed four-momenta px, py, pz, E in GeV.

    Raises
    ------
    ValueError
        If there is not one decision, 0 or 1, for each node.
    """
    array = np.asarray(decisions)
    nodes = len(trees.softer_size)
    if array.shape != (nodes,):
        raise ValueError(f"decisions have shape {array.shape}, these jets need ({nodes},)")
    if array.dtype.kind not in "bui" or (
        array.dtype.kind != "b" and ((array != 0) & (array != 1)).any()
    ):
        raise ValueError("decisions must be 0 (keep) or 1 (remove) for each node")
    return _groom(
        trees.node_offsets,
        trees.softer_size,
        trees.softer_momenta,
        trees.jet_momenta,
        array.astype(np.bool_),
    )


@numba.njit(cache=True)
def _groom(node_offsets, softer_size, softer_momenta, jet_momenta, remove):  # type: ignore[no-untyped-def]
    out = jet_momenta.copy()
    for j in range(len(out)):
        i = node_offsets[j]
        end = node_offsets[j + 1]
        while i < end:
            if remove[i]:
                for c in range(4):
                    out[j, c] -= softer_momenta[i, c]
                i += softer_size[i]
            else:
                i += 1
    return out
