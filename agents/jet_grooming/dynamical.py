"""Dynamical Grooming: keep everything from the hardest splitting on.

Sources: arXiv:1911.00375 (definition), arXiv:2005.07584 (W and top jets).
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np

from ...datasets.jets.trees import STATE_FIELDS, ClusteringTrees
from ..parameters import Allowed, parameter
from .base import (
    ClassicalGroomer,
    GroomedJets,
    apply_decisions,
    remove_until,
)

_LN_Z = STATE_FIELDS.index("ln_z")
_LN_DELTA = STATE_FIELDS.index("ln_Delta")

_A = Allowed("0 < a <= 10", lambda value: 0.0 < value <= 10.0)


@dataclass(frozen=True)
class DynamicalGrooming(ClassicalGroomer):
    """Dynamical Grooming, arXiv:1911.00375.

    Along the chain of harder branches the splitting with the largest
    kappa = z (1 - z) pT (Delta / R)^a / pT_jet is the hardest, pT being that of the node that
    splits. The softer branches of all splittings before it are removed; it and everything after
    it is kept. R and pT_jet are the same for all splittings of a jet and drop out.

    Parameters
    ----------
    a
        Power of Delta: 0.1 finds the most symmetric splitting, 1 the one with the largest kt,
        2 the one with the shortest formation time.
    """

    name = "dynamical"
    symbol = "DyG"

    a: float = parameter(1.0, _A)

    def groom(self, trees: ClusteringTrees) -> GroomedJets:
        """Groom every jet.

        Parameters
        ----------
        trees
            The jets.

        Returns
        -------
        GroomedJets
        """
        ln_z = trees.states[:, _LN_Z]
        momenta = trees.node_momenta
        # Logarithms, so that tiny z or Delta cannot underflow.
        with np.errstate(divide="ignore"):
            ln_pt = np.log(np.hypot(momenta[:, 0], momenta[:, 1]))
        ln_kappa = ln_z + np.log1p(-np.exp(ln_z)) + ln_pt + self.a * trees.states[:, _LN_DELTA]
        hardest = _largest_on_chain(trees.node_offsets, trees.softer_size, ln_kappa)
        return apply_decisions(trees, remove_until(trees, hardest))


@numba.njit(cache=True)
def _largest_on_chain(node_offsets, softer_size, value):  # type: ignore[no-untyped-def]
    """Mark the node of each jet's chain of harder branches that has the largest value."""
    out = np.zeros(len(value), np.bool_)
    for j in range(len(node_offsets) - 1):
        i = node_offsets[j]
        if i == node_offsets[j + 1]:
            continue
        best = i
        while i < node_offsets[j + 1]:
            if value[i] > value[best]:
                best = i
            i += softer_size[i]
        out[best] = True
    return out
