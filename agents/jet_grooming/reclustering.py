"""Groomers that recluster a jet with another algorithm: trimming and pruning, through FastJet.

They do not play on the Cambridge/Aachen tree, so their result is a set of constituents.
"""

from __future__ import annotations

import abc
import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...datasets.jets.clustering import RECLUSTERING_RADIUS, silence_banner
from ...datasets.jets.trees import ClusteringTrees
from ..parameters import Allowed, parameter
from .base import ClassicalGroomer, GroomedJets
from .soft_drop import Z_CUT

_R_SUB = Allowed("0 < R_sub <= 10", lambda value: 0.0 < value <= 10.0)
_F_CUT = Allowed("0 < f_cut < 1", lambda value: 0.0 < value < 1.0)
_R_CUT_FACTOR = Allowed("0 < R_cut_factor <= 10", lambda value: 0.0 < value <= 10.0)


class _ReclusteringGroomer(ClassicalGroomer):
    """A groomer that hands each jet to one of FastJet's transformers."""

    @abc.abstractmethod
    def _transformer(self) -> Any:
        """FastJet object that maps a jet to the groomed jet."""

    def groom(self, trees: ClusteringTrees) -> GroomedJets:
        """Groom every jet, about 0.3 ms each.

        Parameters
        ----------
        trees
            The jets.

        Returns
        -------
        GroomedJets
        """
        import fastjet
        from fastjet._swig import ClusterSequence

        silence_banner()
        definition = fastjet.JetDefinition(fastjet.cambridge_algorithm, RECLUSTERING_RADIUS)
        transform = self._transformer()
        kept = np.zeros(len(trees.constituents), np.bool_)
        rows = trees.constituents.tolist()
        bounds = trees.offsets.tolist()
        for start, stop in itertools.pairwise(bounds):
            particles = [fastjet.PseudoJet(*row) for row in rows[start:stop]]
            for index, particle in enumerate(particles, start):
                particle.set_user_index(index)
            sequence = ClusterSequence(particles, definition)
            groomed = transform(sequence.exclusive_jets(1)[0])
            kept[[particle.user_index() for particle in groomed.constituents()]] = True
        return GroomedJets(_sum_of_kept(trees, kept), kept=kept)


def _sum_of_kept(trees: ClusteringTrees, kept: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Four-momenta of the kept constituents of each jet, float64 of shape (jets, 4) in GeV."""
    jets = len(trees)
    jet = np.repeat(np.arange(jets), np.diff(trees.offsets))[kept]
    columns = trees.constituents[kept].T
    return np.stack([np.bincount(jet, column, minlength=jets) for column in columns], axis=1)


@dataclass(frozen=True)
class Trimming(_ReclusteringGroomer):
    """Trimming, arXiv:0912.1342: keep the kt subjets that carry enough of the jet's pT.

    Parameters
    ----------
    R_sub
        Radius of the kt subjets. The defaults are those of ATLAS for boosted W bosons in jets of
        radius 1, arXiv:1510.05821.
    f_cut
        Smallest fraction of the jet's pT that a subjet must carry, between 0 and 1.
    """

    name = "trimming"
    symbol = "trimming"

    R_sub: float = parameter(0.2, _R_SUB)
    f_cut: float = parameter(0.05, _F_CUT)

    def _transformer(self) -> Any:
        import fastjet
        from fastjet._swig import Filter, SelectorPtFractionMin

        definition = fastjet.JetDefinition(fastjet.kt_algorithm, self.R_sub)
        return Filter(definition, SelectorPtFractionMin(self.f_cut))


@dataclass(frozen=True)
class Pruning(_ReclusteringGroomer):
    """Pruning, arXiv:0903.5081 and arXiv:0912.0033, with Cambridge/Aachen.

    While the jet is reclustered, the softer of two branches is dropped where they would
    recombine with z < z_cut and Delta > R_cut = R_cut_factor 2 m / pT of the jet.

    Parameters
    ----------
    z_cut
        Cut on z, between 0 and 0.5; the defaults are the authors' for Cambridge/Aachen.
    R_cut_factor
        R_cut in units of 2 m / pT.
    """

    name = "pruning"
    symbol = "pruning"

    z_cut: float = parameter(0.1, Z_CUT)
    R_cut_factor: float = parameter(0.5, _R_CUT_FACTOR)

    def _transformer(self) -> Any:
        import fastjet
        from fastjet._swig import Pruner

        definition = fastjet.JetDefinition(fastjet.cambridge_algorithm, RECLUSTERING_RADIUS)
        return Pruner(definition, self.z_cut, self.R_cut_factor)
