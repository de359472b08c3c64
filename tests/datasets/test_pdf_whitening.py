"""Whitened data give the chi2 of the covariance, ratios included."""

from __future__ import annotations

import numpy as np
import pytest

from hepgym.datasets import DatasetError, parton_distributions
from hepgym.datasets.parton_distributions.point_errors import PointErrors
from hepgym.datasets.parton_distributions.whitening import solve_lower, whiten


@pytest.fixture(scope="module")
def data():
    return parton_distributions.load().select(np.arange(0, 2950, 4))


def test_chi2_is_that_of_the_covariance(data, random):
    covariance = data.covariance()
    white = whiten(data, covariance)
    for xf in (random.uniform(0.1, 1.0, (9, 50)), random.uniform(0.1, 1.0, (8, 50))):
        residuals = data.central - data.predict(xf)
        expected = residuals @ np.linalg.solve(covariance, residuals)
        assert white.chi2(xf) == pytest.approx(expected, rel=1e-8)
    many = random.uniform(0.1, 1.0, (2, 3, 9, 50))
    assert white.residuals(many).shape == (2, 3, len(data))


def test_ratios_come_first_and_only_they_fill_their_rows(data):
    white = whiten(data, data.covariance())
    ratios = len(data.ratio_rows)
    assert ratios > 20
    np.testing.assert_array_equal(white.order[:ratios], data.ratio_rows)
    assert sorted(white.order) == list(range(len(data)))
    assert len(white.linear) == len(data) - ratios
    # The correlation of the ratios with other sets of deuterons is kept.
    assert np.abs(white.ratio_factor[ratios:]).max() > 0.0


def test_true_law_gives_unit_residuals(data, random):
    xf = random.uniform(0.1, 1.0, (9, 50))
    covariance = data.covariance()
    noise = np.linalg.cholesky(covariance) @ random.normal(size=(len(data), 1))
    fake = data.with_central(data.predict(xf) + noise[:, 0])
    assert np.std(whiten(fake, covariance).residuals(xf)) == pytest.approx(1.0, abs=0.1)


def test_triangular_solve(random):
    factor = np.tril(random.normal(size=(300, 300))) + 30 * np.eye(300)
    right = random.normal(size=(300, 4))
    np.testing.assert_allclose(factor @ solve_lower(factor, right), right, rtol=1e-9, atol=1e-12)


def test_bad_covariances(data):
    with pytest.raises(DatasetError, match="expected"):
        whiten(data, np.eye(3))
    with pytest.raises(DatasetError, match="not positive definite"):
        whiten(data, -np.eye(len(data)))


def test_whitening_without_a_matrix(data, random):
    """Diagonal and sources give the chi2 of the whole matrix, also of some points and of one."""
    values = random.normal(size=(len(data), 3)) * data.stat[:, None]
    for kind, predictions in (("experimental", None), ("t0", data.central * 1.1)):
        errors = data.errors(kind, predictions)
        matrix = errors.matrix()
        assert np.array_equal(matrix, data.covariance(kind, predictions))
        for rows in (np.arange(0, len(data), 3), np.array([7])):
            block = matrix[np.ix_(rows, rows)]
            exact = np.einsum("ij,ij->j", values[rows], np.linalg.solve(block, values[rows]))
            white = errors.whitened(values[rows], rows)
            assert (white**2).sum(axis=0) == pytest.approx(exact, rel=1e-9)


def test_points_without_an_error_of_their_own():
    with pytest.raises(ValueError, match="point 1 has no error of its own"):
        PointErrors(np.array([1.0, 0.0, 2.0]), np.ones((3, 1)))
