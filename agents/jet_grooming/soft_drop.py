"""Soft Drop and its relatives, from the modified mass-drop tagger to Recursive Soft Drop.

A splitting passes if z > z_cut (Delta / R_0)^beta with R_0 = 1. Sources: mMDT arXiv:1307.0007,
Soft Drop arXiv:1402.2657, Recursive Soft Drop arXiv:1804.03657.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from ...datasets.jets.trees import STATE_FIELDS, ClusteringTrees
from ...envs.jet_grooming.grooming import REMOVE
from ...envs.jet_grooming.visiting import visit_order
from ..parameters import Allowed, parameter
from .base import (
    ClassicalGroomer,
    GroomedJets,
    NodeGroomer,
    apply_decisions,
    node_decisions,
    remove_until,
)

_LN_Z = STATE_FIELDS.index("ln_z")
_LN_DELTA = STATE_FIELDS.index("ln_Delta")

Z_CUT = Allowed("0 < z_cut < 0.5", lambda value: 0.0 < value < 0.5)
_BETA = Allowed("-10 <= beta <= 10", lambda value: -10.0 <= value <= 10.0)
_PASSES = Allowed("N >= 1", lambda value: value >= 1, whole=True, optional=True)


def soft_drop_fails(states: NDArray[np.float32], z_cut: float, beta: float) -> NDArray[np.bool_]:
    """Whether splittings fail the Soft Drop condition.

    Parameters
    ----------
    states
        float32, shape (n, 5): node states.
    z_cut, beta
        Parameters of the condition.

    Returns
    -------
    numpy.ndarray
        bool, shape (n,): True where z <= z_cut Delta^beta, computed in float32.
    """
    states = np.asarray(states, np.float32)
    ln_cut = np.float32(math.log(z_cut)) + np.float32(beta) * states[:, _LN_DELTA]
    return ~(states[:, _LN_Z] > ln_cut)


@dataclass(frozen=True)
class RecursiveSoftDrop(ClassicalGroomer, NodeGroomer):
    """Recursive Soft Drop, arXiv:1804.03657.

    Splittings are visited in order of decreasing Delta among the available ones. One that fails
    the Soft Drop condition loses its softer branch; after ``N`` that pass the rest is kept. A jet
    in which nothing passes is stripped down to a single constituent, as in Soft Drop's grooming
    mode.

    Parameters
    ----------
    z_cut
        Cut on z at Delta = 1, between 0 and 0.5. The defaults of z_cut and beta are the baseline
        of arXiv:1903.09644.
    beta
        Power of Delta in the cut.
    N
        How many splittings must pass, 1 or more; None for infinity.
    """

    name = "recursive-soft-drop"
    symbol = "RSD"

    z_cut: float = parameter(0.05, Z_CUT)
    beta: float = parameter(1.0, _BETA)
    N: int | None = parameter(None, _PASSES)

    def decide(self, states: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Decide at many nodes as if ``N`` were infinite.

        Parameters
        ----------
        states
            float32, shape (n, 5): node states.

        Returns
        -------
        numpy.ndarray
            uint8, shape (n,): 1 where the condition fails.
        """
        return soft_drop_fails(states, self.z_cut, self.beta).astype(np.uint8)

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
        decisions = node_decisions(trees, self)
        if self.N is not None:
            order = visit_order(trees)
            decisions = _keep_after(trees.node_offsets, trees.softer_size, order, decisions, self.N)
        return apply_decisions(trees, decisions)


@numba.njit(cache=True)
def _keep_after(node_offsets, softer_size, order, decisions, passes):  # type: ignore[no-untyped-def]
    """Decisions of each jet until a number of nodes have been kept; the rest is kept too."""
    out = np.zeros(len(decisions), np.uint8)
    gone = np.zeros(len(decisions), np.bool_)
    for j in range(len(node_offsets) - 1):
        left = passes
        for k in range(node_offsets[j], node_offsets[j + 1]):
            if left == 0:
                break
            i = order[k]
            if gone[i]:
                continue
            if decisions[i] == REMOVE:
                out[i] = REMOVE
                gone[i + 1 : i + softer_size[i]] = True
            else:
                left -= 1
    return out


@dataclass(frozen=True)
class SoftDrop(ClassicalGroomer):
    """Soft Drop, arXiv:1402.2657: soft branches are removed until the first splitting that passes.

    Parameters
    ----------
    z_cut
        Cut on z at Delta = 1, between 0 and 0.5.
    beta
        Power of Delta in the cut.
    """

    name = "soft-drop"
    symbol = "SD"

    z_cut: float = parameter(0.1, Z_CUT)
    beta: float = parameter(1.0, _BETA)

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
        return _groom_to_first_pass(trees, self.z_cut, self.beta)


@dataclass(frozen=True)
class ModifiedMassDrop(ClassicalGroomer):
    """Modified mass-drop tagger, arXiv:1307.0007: Soft Drop with beta = 0.

    Its mass-drop condition is left out, as its authors recommend.

    Parameters
    ----------
    z_cut
        Cut on z, between 0 and 0.5.
    """

    name = "mmdt"
    symbol = "mMDT"

    z_cut: float = parameter(0.1, Z_CUT)

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
        return _groom_to_first_pass(trees, self.z_cut, 0.0)


def _groom_to_first_pass(trees: ClusteringTrees, z_cut: float, beta: float) -> GroomedJets:
    states = trees.states.astype(np.float32)
    passed = ~soft_drop_fails(states, z_cut, beta)
    return apply_decisions(trees, remove_until(trees, passed))
