"""Observables of replicas and weights from new data."""

from __future__ import annotations

import numpy as np
import pytest

from hepgym.agents.pdf_fit.observables import observe, weights_from_data
from hepgym.datasets import parton_distributions
from hepgym.datasets.parton_distributions.export import reference_law
from hepgym.datasets.parton_distributions.files import write_data


@pytest.fixture(scope="module")
def data():
    whole = parton_distributions.load()
    return whole.select(whole.in_sets(["HERA-CC-em"]))


@pytest.fixture(scope="module")
def replicas(data):
    spread = np.random.default_rng(0).normal(1, 0.05, (400, 1, 1))
    return reference_law(data.x_grid) * spread


def test_mean_error_and_interval(data, replicas, tmp_path):
    """A user's own table; predictions are linear, so 5 percent stay 5 percent."""
    write_data(tmp_path / "mine.npz", data)
    mine = parton_distributions.load(tmp_path / "mine.npz")
    found = observe(mine, replicas)
    predictions = data.predict(replicas)
    np.testing.assert_allclose(found.mean, predictions.mean(axis=0))
    np.testing.assert_allclose(found.error, predictions.std(axis=0, ddof=1))
    assert found.effective == pytest.approx(400)
    inside = (predictions > found.low68) & (predictions < found.high68)
    assert inside.mean() == pytest.approx(0.68, abs=0.005)


def test_weights_are_repetitions(data, replicas):
    """A replica of weight two counts like two of the same."""
    weights = np.ones(400)
    weights[:100] = 2.0
    found = observe(data, replicas, weights)
    repeated = np.concatenate([replicas, replicas[:100]])
    np.testing.assert_allclose(found.mean, data.predict(repeated).mean(axis=0))
    assert 400 * 0.9 < found.effective < 400


def test_new_data_prefer_replicas_that_describe_them(data, replicas):
    scale = replicas[:, 0, 20] / reference_law(data.x_grid)[0, 20]
    weights = weights_from_data(data, replicas)
    assert weights.sum() == pytest.approx(1)
    before, after = observe(data, replicas), observe(data, replicas, weights)
    assert after.effective < before.effective
    assert (after.error < before.error).all()
    best = np.argmin([np.abs(data.predict(r) / data.central - 1).mean() for r in replicas])
    assert abs(weights @ scale - scale[best]) < abs(scale.mean() - scale[best]) + 0.02


def test_refusals(data, replicas):
    with pytest.raises(ValueError, match="two or more replicas"):
        observe(data, replicas[:1])
    with pytest.raises(ValueError, match="3 weights are given for 400 replicas"):
        observe(data, replicas, [1.0, 1.0, 1.0])
