"""Dynamical Grooming against its definition on FastJet's declustering."""

from __future__ import annotations

import numpy as np
import pytest

from hepgym.agents.jet_grooming import DynamicalGrooming


def groomed_by_hand(jet, a):
    """Follow the harder branches and return the branch with the largest kappa."""
    best, node, largest = jet, jet, -1.0
    while node.harder is not None:
        kappa = node.z * (1.0 - node.z) * node.pt / jet.pt * node.delta**a
        if kappa > largest:
            best, largest = node, kappa
        node = node.harder
    return best


@pytest.mark.parametrize("kind", ["w_trees", "qcd_trees", "top_trees"])
@pytest.mark.parametrize("a", [0.1, 1.0, 2.0])
def test_agrees_with_the_definition(kind, a, request, decluster):
    sample = request.getfixturevalue(kind).select(slice(0, 100))
    groomed = DynamicalGrooming(a).groom(sample)
    expected = np.array(
        [groomed_by_hand(decluster(sample, j), a).momentum for j in range(len(sample))]
    )
    np.testing.assert_allclose(groomed.momenta, expected, rtol=1e-11, atol=1e-9)
    assert groomed.decisions.any()


def test_large_a_keeps_larger_angles(qcd_trees):
    """The larger a, the more angle counts: less is removed before the hardest splitting."""
    removed = [DynamicalGrooming(a).groom(qcd_trees).decisions.sum() for a in (0.1, 1.0, 2.0)]
    assert removed[0] > removed[1] > removed[2]


def test_finds_the_w(w_trees):
    """Both quarks of a W are on the hardest splitting in kt: the median mass is the W's."""
    assert np.median(DynamicalGrooming(1.0).groom(w_trees).mass) == pytest.approx(80.4, abs=3.0)
