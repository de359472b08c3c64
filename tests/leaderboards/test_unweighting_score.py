"""Score of surrogates for event weights: limits, and against unweighting itself."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from hepgym.agents.unweighting import maximum, unweight
from hepgym.datasets import DatasetError
from hepgym.leaderboards.scores import unweighting
from hepgym.leaderboards.scores.unweighting import evaluate, unweighting_score

SETTINGS = {"time_ratio": 0.01, "share": 0.01, "strict_share": 0.001}


@dataclasses.dataclass
class Events:
    weights: np.ndarray


@pytest.fixture(scope="module")
def weights():
    return np.exp(np.random.default_rng(0).normal(size=20_000))


def values(weights, surrogate, **changes):
    score = unweighting_score(weights, surrogate, **{**SETTINGS, **changes}, resamples=20)
    return {name: one.value for name, one in score.metrics().items()}


def test_perfect_surrogate(weights):
    found = values(weights, 3.0 * weights)
    assert found["eps_2"] == pytest.approx(1.0)
    assert found["eps_1"] == pytest.approx(found["eps_full"])
    assert found["x_max"] == pytest.approx(1.0)
    # All that is left is the time of the surrogate, and of one exact weight for each event.
    expected = found["kish"] / (0.01 + found["eps_full"])
    assert found["f_eff"] == pytest.approx(expected)


def test_constant_surrogate_loses_its_own_time(weights):
    found = values(weights, np.full(len(weights), 7.0))
    assert found["eps_1"] == pytest.approx(1.0)
    assert found["eps_2"] == pytest.approx(found["eps_full"])
    assert found["f_eff"] == pytest.approx(found["kish"] / 1.01)


def test_single_stage(weights):
    found = values(weights, None)
    assert found["f_eff"] == pytest.approx(found["kish"])
    assert 0.99 < found["kish"] < 1.0
    # Without overweights nothing is lost.
    assert values(weights, None, share=0.0)["f_eff"] == 1.0


def test_units_do_not_matter(weights):
    surrogate = weights * np.exp(0.2 * np.random.default_rng(1).normal(size=len(weights)))
    one, other = values(weights, surrogate), values(1e-9 * weights, 1e7 * surrogate)
    assert one == pytest.approx(other)


def test_worse_surrogates_gain_less(weights):
    noise = np.random.default_rng(2).normal(size=len(weights))
    gains = [values(weights, weights * np.exp(s * noise))["f_eff"] for s in (0.05, 0.3, 1.0)]
    assert gains == sorted(gains, reverse=True)


def test_expectations_agree_with_unweighting(weights):
    """Accept and reject with random numbers, many times, with code that shares nothing."""
    surrogate = weights * np.exp(0.4 * np.random.default_rng(3).normal(size=len(weights)))
    found = values(weights, surrogate, share=0.03)
    surrogate_max = maximum(surrogate, surrogate, 0.03)
    ratio_max = maximum(weights / surrogate, weights, 0.03)
    runs = [unweight(weights, surrogate, surrogate_max, ratio_max, seed) for seed in range(40)]
    evaluated = np.array([run.evaluated for run in runs])
    accepted = np.array([len(run.accepted) for run in runs])
    trials = 40 * len(weights)
    eps_1, eps_2 = evaluated.sum() / trials, accepted.sum() / evaluated.sum()
    assert eps_1 == pytest.approx(found["eps_1"], abs=4 * np.sqrt(eps_1 / trials))
    assert eps_2 == pytest.approx(found["eps_2"], abs=4 * 0.5 / np.sqrt(evaluated.sum()))
    own = np.concatenate([run.weights for run in runs])
    kish = own.sum() ** 2 / (len(own) * (own @ own))
    assert kish < 0.999
    assert kish == pytest.approx(found["kish"], abs=0.003)
    full = [unweight(weights, None, 1.0, maximum(weights, weights, 0.03), s) for s in range(40)]
    eps_full = sum(len(run.accepted) for run in full) / trials
    assert eps_full == pytest.approx(found["eps_full"], abs=4 * np.sqrt(eps_full / trials))


def test_bootstrap_error_is_the_spread_of_samples():
    found, errors = [], []
    for seed in range(30):
        random = np.random.default_rng(seed)
        weights = np.exp(0.7 * random.normal(size=3_000))
        surrogate = weights * np.exp(0.3 * random.normal(size=3_000))
        score = unweighting_score(weights, surrogate, **SETTINGS, resamples=60)
        found.append(score.f_eff.value)
        errors.append(score.f_eff.error)
    assert 0.5 < np.mean(errors) / np.std(found) < 1.8


def test_predictions_are_checked(weights):
    data = {"events": Events(weights)}
    good = {"weight": weights.astype(np.float32)}
    assert evaluate("surrogate", good, data, **SETTINGS, resamples=10).f_eff.value > 10.0
    ones = {"weight": np.ones(len(weights), np.float32)}
    assert evaluate("single-stage", ones, data, **SETTINGS, resamples=10).eps_1.value == 1.0
    bad = weights.copy()
    bad[5] = 0.0
    for kind, predictions, message in (
        ("decisions", good, "predictions of kind 'decisions' are unknown"),
        ("surrogate", {}, "array 'weight' is missing"),
        ("surrogate", {**good, "extra": weights}, "array 'extra' is unknown"),
        ("surrogate", {"weight": weights[:-1]}, "there are 20000 test events"),
        ("surrogate", {"weight": bad}, r"weight\[5\] is 0.0 but must be finite and more than 0"),
        ("single-stage", good, "must hold ones"),
    ):
        with pytest.raises(ValueError, match=message):
            evaluate(kind, predictions, data, **SETTINGS, resamples=10)
    for name, value in (("share", 1.0), ("strict_share", -0.1), ("time_ratio", -1.0)):
        with pytest.raises(ValueError, match=f"{name} is {value}"):
            unweighting_score(weights, None, **{**SETTINGS, name: value})
    with pytest.raises(ValueError, match="all exact weights are 0"):
        unweighting_score(np.zeros(5), None, **SETTINGS)


def test_official_events():
    datasets = {"events": "events/gg-ttgg-1500GeV-v1"}
    events = unweighting.load(datasets, "test")["events"]
    assert events.sha256() == unweighting.hashes(datasets, "test")["events"]
    assert (events.weights > 0.0).all()
    with pytest.raises(DatasetError, match="there is no event set"):
        unweighting.load({"events": "events/gg-ttggg-v1"}, "test")
