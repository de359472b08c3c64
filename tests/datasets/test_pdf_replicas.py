"""Replicas: their mean, their covariance, and that each depends on its number only."""

from __future__ import annotations

import dataclasses
import pickle

import numpy as np
import pytest

from hepgym.datasets import DatasetError, parton_distributions
from hepgym.datasets.parton_distributions.replicas import ReplicaGenerator

COUNT = 10_000


@pytest.fixture(scope="module")
def data():
    return parton_distributions.load()


def product_covariance(data):
    """Exact covariance of (D + additive) prod (1 + multiplicative), without redrawing."""
    factor = np.ones((len(data), len(data)))
    for column in data.multiplicative.T:
        factor *= 1.0 + np.outer(column, column)
    diagonal = np.diag_indices(len(data))
    additive = data.additive @ data.additive.T
    additive[diagonal] += data.stat**2 + data.uncorrelated_additive**2
    factor[diagonal] *= 1.0 + data.uncorrelated_multiplicative**2
    outer = np.outer(data.central, data.central)
    return (outer + additive) * factor - outer


def check(data):
    # Points that are often negative are cut off by the redrawing; they are left to the next test.
    errors = np.sqrt(np.diag(data.covariance()))
    data = data.select(data.central > 5.5 * errors)
    errors = np.sqrt(np.diag(data.covariance()))
    replicas = ReplicaGenerator(data, seed=11).replicas(COUNT)
    pull = (replicas.mean(axis=0) - data.central) / errors * np.sqrt(COUNT)
    assert np.abs(pull).max() < 5.0
    expected = product_covariance(data)
    # The matrix of errors is that of the fits up to products of two multiplicative errors.
    scale = np.sqrt(np.outer(np.diag(expected), np.diag(expected)))
    assert np.abs(expected - data.covariance()).max() < 0.03 * scale.max()
    found = np.cov(replicas, rowvar=False)
    correlation = expected / scale
    error = np.sqrt((1.0 + correlation**2) / COUNT)  # of a sample covariance, in units of scale
    deviation = (found - expected) / scale / error
    assert np.abs(deviation).max() < 6.5  # of up to 4 million numbers, not quite normal
    assert np.std(deviation) == pytest.approx(1.0, abs=0.1)
    return len(data)


def test_mean_and_covariance(data):
    assert check(data.select(np.arange(0, len(data), 6))) > 400


@pytest.mark.slow
def test_mean_and_covariance_of_all_points(data):
    """Slow: 10,000 replicas of all points."""
    assert check(data) > 2600  # the others are within 5.5 errors of zero


def test_multiplicative_and_additive_sources_are_shared(data):
    """With one source each, all points move together as the formula says."""
    rows = data.in_sets(["BCDMS"])
    part = data.select(rows)
    column = part.multiplicative_names.index("BCDMSNORM1")
    only = np.zeros_like(part.multiplicative)
    only[:, column] = part.multiplicative[:, column]
    part = dataclasses.replace(
        part,
        stat=np.full(len(part), 1e-12),
        additive=np.zeros_like(part.additive),
        multiplicative=only,
        uncorrelated_additive=np.zeros(len(part)),
        uncorrelated_multiplicative=np.zeros(len(part)),
    )
    replica = ReplicaGenerator(part, seed=0).replica(0)
    steps = (replica / part.central - 1.0) / only[:, column]
    np.testing.assert_allclose(steps, steps[0], atol=1e-5)


def test_replicas_are_positive_where_the_data_are(data):
    low = data.select(np.argsort(data.central / np.sqrt(np.diag(data.covariance())))[:30])
    replicas = ReplicaGenerator(low, seed=5).replicas(300)
    assert (replicas > 0.0).all()


def test_replica_depends_on_its_number_only(data):
    generator = ReplicaGenerator(data, seed=7)
    fifth = generator.replica(5)
    np.testing.assert_array_equal(ReplicaGenerator(data, seed=7).replicas(3, start=4)[1], fifth)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(generator)).replica(5), fifth)
    assert (ReplicaGenerator(data, seed=8).replica(5) != fifth).all()
    assert (generator.replica(6) != fifth).all()


def test_replicas_around_a_law(data):
    data = data.select(np.arange(0, len(data), 10))
    law = data.central * 1.1
    replicas = ReplicaGenerator(data, seed=1, centre=law).replicas(200)
    errors = np.sqrt(np.diag(data.covariance()))
    pull = (replicas.mean(axis=0) - law) / errors
    assert abs(np.median(pull)) < 0.2


def test_bad_requests(data):
    with pytest.raises(DatasetError, match="must not be negative"):
        ReplicaGenerator(data, seed=-1)
    with pytest.raises(DatasetError, match="finite numbers"):
        ReplicaGenerator(data, seed=0, centre=[1.0])
    with pytest.raises(DatasetError, match="numbers start at 0"):
        ReplicaGenerator(data, seed=0).replica(-1)
    hopeless = data.select(np.arange(20))
    hopeless = dataclasses.replace(hopeless, stat=hopeless.central * 100)
    with pytest.raises(DatasetError, match="too large for pseudodata"):
        ReplicaGenerator(hopeless, seed=0).replica(0)
