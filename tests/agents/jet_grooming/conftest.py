"""Declustering with FastJet's own parents, one Python object per branch: slow and independent."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hepgym.datasets.jets.trees import ClusteringTrees


@dataclass(frozen=True)
class Branch:
    """A branch of a jet; one with parents is a splitting."""

    momentum: NDArray[np.float64]
    pt: float
    constituents: frozenset[int]
    harder: Branch | None = None
    softer: Branch | None = None
    z: float = 0.0
    delta: float = 0.0


def _branch(jet: Any) -> Branch:
    import fastjet

    momentum = np.array([jet.px(), jet.py(), jet.pz(), jet.E()])
    a, b = fastjet.PseudoJet(), fastjet.PseudoJet()
    if not jet.has_parents(a, b):
        return Branch(momentum, jet.pt(), frozenset([jet.user_index()]))
    if a.pt() < b.pt():
        a, b = b, a
    harder, softer = _branch(a), _branch(b)
    return Branch(
        momentum,
        jet.pt(),
        harder.constituents | softer.constituents,
        harder,
        softer,
        b.pt() / (a.pt() + b.pt()),
        math.sqrt(a.squared_distance(b)),
    )


@pytest.fixture(scope="session")
def decluster() -> Callable[[ClusteringTrees, int], Branch]:
    """Function of (trees, jet) that declusters one jet's constituents with FastJet."""
    import fastjet
    from fastjet._swig import ClusterSequence

    definition = fastjet.JetDefinition(fastjet.cambridge_algorithm, 1000.0)
    ClusterSequence.set_fastjet_banner_stream(None)

    def function(trees: ClusteringTrees, jet: int) -> Branch:
        rows = trees.constituents[trees.offsets[jet] : trees.offsets[jet + 1]].tolist()
        particles = [fastjet.PseudoJet(*row) for row in rows]
        for index, particle in enumerate(particles):
            particle.set_user_index(index)
        sequence = ClusterSequence(particles, definition)
        return _branch(sequence.exclusive_jets(1)[0])

    return function
