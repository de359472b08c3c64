"""Unweighted events have the distributions of the weighted ones, whatever the surrogate."""

from __future__ import annotations

import numpy as np
import pytest

from hepgym.agents.unweighting import closure, maximum, observables, unweight
from hepgym.agents.unweighting.features import FEATURES, features
from hepgym.agents.unweighting.player import unweight_events
from hepgym.datasets.unweighting import load_events


@pytest.fixture(scope="module")
def events():
    return load_events("test")


@pytest.fixture(scope="module")
def weighted():
    sample = load_events("train")
    return observables(sample.momenta), sample.weights


def surrogate_weights(events, spread):
    """A bad surrogate: its error depends on the kinematics."""
    random = np.random.default_rng(1)
    tilt = (observables(events.momenta)["mass_gluons"] / 300.0) ** 0.5
    return events.weights * tilt * np.exp(spread * random.normal(size=len(events)))


def test_maximum():
    values = np.array([3.0, 1.0, 10.0, 2.0])
    carried = np.array([3.0, 1.0, 10.0, 2.0])
    assert maximum(values, carried, 0.0) == 10.0
    assert maximum(values, carried, 0.62) == 10.0
    assert maximum(values, carried, 0.63) == 3.0
    with pytest.raises(ValueError, match=r"share is 1\.0"):
        maximum(values, carried, 1.0)


@pytest.mark.parametrize(("spread", "share"), [(0.1, 0.02), (0.8, 0.3)])
def test_unweighting_is_unbiased(events, weighted, spread, share):
    accepted = unweight_events(events, surrogate_weights(events, spread), share, seed=2)
    assert (accepted.weights > 1.0).any()
    assert len(accepted.accepted) < accepted.evaluated < len(events)
    own = observables(events.momenta[accepted.accepted])
    found = closure(*weighted, own, accepted.weights)
    assert len(found) == 7
    # Seven observables, which depend on each other: the smallest of seven p values.
    assert min(one.p_value for one in found) > 1e-3


def test_closure_finds_a_bias(events, weighted):
    """Accepting by the surrogate alone gives other distributions."""
    surrogate = surrogate_weights(events, 0.1)
    accepted = unweight(surrogate, None, 1.0, maximum(surrogate, surrogate, 0.02), seed=2)
    own = observables(events.momenta[accepted.accepted])
    found = closure(*weighted, own, accepted.weights)
    assert min(one.p_value for one in found) < 1e-6


def test_overweights_are_needed(events, weighted):
    """Events far above the maximum: without their weights the distributions are wrong."""
    accepted = unweight_events(events, None, 0.3, seed=3)
    own = observables(events.momenta[accepted.accepted])
    with pytest.raises(ValueError, match="40 accepted events are too few"):
        closure(*weighted, {name: one[:40] for name, one in own.items()}, accepted.weights[:40])
    right = closure(*weighted, own, accepted.weights)
    wrong = closure(*weighted, own, np.ones(len(accepted.weights)))
    assert min(one.p_value for one in right) > 1e-3
    assert min(one.p_value for one in wrong) < 1e-6


def test_p_values_are_uniform():
    """Between independent samples of one distribution, with weights."""
    found = []
    for seed in range(150):
        random = np.random.default_rng(seed)
        x, y = random.exponential(size=4_000), random.exponential(size=1_000)
        weights = random.exponential(size=4_000)
        (one,) = closure({"x": x}, weights, {"x": y}, np.ones(1_000), bins=8)
        found.append(one.p_value)
    # A Kolmogorov-Smirnov distance of 150 values is below this with probability 1 - 1e-3.
    distance = np.abs(np.sort(found) - (np.arange(150) + 0.5) / 150).max()
    assert distance < 1.95 / np.sqrt(150)


def test_features_know_the_symmetries(events):
    momenta = events.momenta[:500]
    own = features(momenta)
    assert own.shape == (500, FEATURES)
    for exchanged in ([0, 1, 3, 2, 4, 5], [0, 1, 2, 3, 5, 4], [1, 0, 2, 3, 4, 5]):
        np.testing.assert_allclose(features(momenta[:, exchanged]), own, atol=1e-5)
    angle = 0.7
    turned = momenta.copy()
    turned[..., 1] = np.cos(angle) * momenta[..., 1] - np.sin(angle) * momenta[..., 2]
    turned[..., 2] = np.sin(angle) * momenta[..., 1] + np.cos(angle) * momenta[..., 2]
    np.testing.assert_allclose(features(turned), own, atol=1e-4)
    assert np.abs(features(momenta[::-1].copy()) - own).max() > 1.0
