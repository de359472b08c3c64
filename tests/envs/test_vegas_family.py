"""The family of integrands: values against plain formulas, integrals against quadrature."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hepgym.envs.vegas_sampling import family
from hepgym.envs.vegas_sampling.game import begin, new_episodes

BLOCK, HEADER = family.BLOCK, family.HEADER


def integrand(number: int, split: int = 2) -> np.ndarray:
    episodes = new_episodes(1)
    begin(episodes, 0, 1000, split, number, 0)
    return episodes.parameters[0]


def integrands(kind: int, dims: range, count: int) -> list[np.ndarray]:
    drawn = (integrand(number) for number in range(10_000))
    wanted = (p for p in drawn if p[0] == kind and int(p[1]) in dims)
    return [next(wanted) for _ in range(count)]


def evaluate(parameters: np.ndarray, points: np.ndarray) -> np.ndarray:
    values = np.empty(points.shape[1])
    family.evaluate(parameters, np.ascontiguousarray(points), np.empty_like(values), values)
    return values


def plain(parameters: np.ndarray, points: np.ndarray) -> np.ndarray:
    """The formulas of the module's documentation."""
    kind, dim, components = (int(p) for p in parameters[:HEADER])
    total = np.zeros(points.shape[1])
    for k in range(components):
        block = parameters[HEADER + k * BLOCK :]
        first, second = block[1 : 1 + 2 * dim : 2, None], block[2 : 2 + 2 * dim : 2, None]
        if kind == family.MIXTURE:
            sigma = 1.0 / (math.sqrt(2.0) * second)
            normal = np.exp(-0.5 * ((points - first) / sigma) ** 2) / sigma
            share = math.exp(block[0]) * np.prod(math.sqrt(2 * math.pi) * sigma)
            assert 0.2 <= share <= 1.0
            total += share * np.prod(normal / math.sqrt(2 * math.pi), axis=0)
        elif kind == family.PRODUCT_PEAK:
            total += np.prod(1.0 / (second**-2 + (points - first) ** 2), axis=0)
        else:
            distance = np.where(first > 0.5, 1.0 - points, points)
            total += (1.0 + (second * distance).sum(axis=0)) ** -(dim + 1.0)
    return total


@pytest.mark.parametrize("kind", range(3))
def test_values(kind, random):
    for parameters in integrands(kind, range(2, 9), 10):
        points = random.random((int(parameters[1]), 500))
        np.testing.assert_allclose(
            evaluate(parameters, points), plain(parameters, points), rtol=1e-12, atol=1e-250
        )


def quadrature(panels: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights of Gauss-Legendre quadrature on equal panels of the unit interval."""
    nodes, weights = np.polynomial.legendre.leggauss(6)
    x = ((nodes + 1.0) / 2.0 + np.arange(panels)[:, None]).ravel() / panels
    return x, np.tile(weights, panels) / (2.0 * panels)


@pytest.mark.parametrize("kind", range(3))
def test_exact_integral_in_two_dimensions(kind):
    x, w = quadrature(80)
    points = np.stack([g.ravel() for g in np.meshgrid(x, x)])
    for parameters in integrands(kind, range(2, 3), 6):
        integral = np.outer(w, w).ravel() @ evaluate(parameters, points)
        assert integral == pytest.approx(family.exact(parameters), rel=1e-7)


@pytest.mark.parametrize("kind", [family.MIXTURE, family.PRODUCT_PEAK])
def test_exact_integral_of_products(kind):
    """In any dimension a product of integrals over one axis, component by component."""
    x, w = quadrature(400)
    for parameters in integrands(kind, range(3, 9), 20):
        total = 0.0
        for k in range(int(parameters[2])):
            block = parameters[HEADER + k * BLOCK :]
            product = math.exp(block[0]) if kind == family.MIXTURE else 1.0
            for centre, scale in block[1 : 1 + 2 * int(parameters[1])].reshape(-1, 2):
                if kind == family.MIXTURE:
                    product *= w @ np.exp(-(((x - centre) * scale) ** 2))
                else:
                    product *= w @ (1.0 / (scale**-2 + (x - centre) ** 2))
            total += product
        assert total == pytest.approx(family.exact(parameters), rel=1e-9)


def test_exact_integral_of_corner_peaks(random):
    """Plain Monte Carlo agrees within its error, which it can judge: the peak is broad."""
    pulls = []
    for parameters in integrands(family.CORNER_PEAK, range(3, 9), 40):
        values = evaluate(parameters, random.random((int(parameters[1]), 20_000)))
        error = values.std() / math.sqrt(len(values))
        if error < 0.02 * values.mean():
            pulls.append((values.mean() - family.exact(parameters)) / error)
    assert len(pulls) > 15
    assert abs(np.mean(pulls)) < 4.0 / math.sqrt(len(pulls))
    assert 0.5 < np.std(pulls) < 1.6


def test_corner_peak_with_equal_slopes():
    """Genz's alternating sum is then 1 / prod (1 + k c)."""
    for dim in range(2, 9):
        parameters = np.zeros(family.PARAMETERS)
        parameters[:HEADER] = family.CORNER_PEAK, dim, 1
        parameters[HEADER + 2 : HEADER + 2 + 2 * dim : 2] = 2.0
        expected = 1.0 / math.prod(1.0 + 2.0 * k for k in range(1, dim + 1))
        assert family.exact(parameters) == pytest.approx(expected, rel=1e-9)


def test_everything_is_drawn():
    drawn = np.array([integrand(number, split=0)[:HEADER] for number in range(3000)])
    for column, values in ((0, range(3)), (1, range(2, 9))):
        counts = np.bincount(drawn[:, column].astype(int))[values.start :]
        expected = 3000 / len(values)
        assert np.abs(counts - expected).max() < 5 * math.sqrt(expected)
    components = np.bincount(drawn[drawn[:, 0] == family.MIXTURE, 2].astype(int))[1:]
    assert len(components) == 3
    assert components.min() > 200


def test_splits_hold_different_integrands():
    rows = np.array([integrand(number, split) for split in range(3) for number in range(300)])
    assert len(np.unique(rows, axis=0)) == 900
    assert np.array_equal(integrand(7, 1), rows[307])
