"""Analytic integrands: exact integrals, all forms of a function agree, bad input."""

from __future__ import annotations

import itertools
import math
import pickle

import numpy as np
import pytest

from hepgym.datasets.integrands import Integrand, Reference, analytic, integrand, names, register
from hepgym.datasets.integrands.registry import FAMILIES
from hepgym.datasets.integrands.vector_math import exp

NODES, WEIGHTS = np.polynomial.legendre.leggauss(16)


def quadrature(function: Integrand, cuts: list[np.ndarray]) -> float:
    """Gauss-Legendre in the cells between cuts on each axis."""
    xs, ws = [], []
    for edges in cuts:
        low, high = edges[:-1, None], edges[1:, None]
        xs.append((low + (high - low) * (NODES + 1) / 2).ravel())
        ws.append(((high - low) * WEIGHTS / 2).ravel())
    points = np.stack([axis.ravel() for axis in np.meshgrid(*xs, indexing="ij")], axis=1)
    weights = math.prod(w for w in np.meshgrid(*ws, indexing="ij")).ravel()
    return float(function(points) @ weights)


@pytest.mark.parametrize("dim", [2, 3])
@pytest.mark.parametrize(
    "family",
    ["gauss", "camel", "product-peak", "corner-peak", "discontinuous", "oscillatory"],
)
def test_exact_integral_is_that_of_quadrature(family, dim):
    function = integrand(f"{family}-{dim}d")
    steps = [analytic.STEP_1, analytic.STEP_2, 0.5]
    cuts = [np.array([0.0, 0.5 * s, s, 0.5 + 0.5 * s, 1.0]) for s in steps[:dim]]
    assert function.reference.error == 0.0
    assert quadrature(function, cuts) == pytest.approx(function.reference.value, rel=1e-7)


def test_corner_peak_agrees_with_the_alternating_sum():
    # Genz's own formula, for equal slopes.
    c, dim = analytic.CORNER_SLOPE, 5
    terms = [
        (-1) ** sum(corner) / (1 + c * sum(corner))
        for corner in itertools.product((0, 1), repeat=dim)
    ]
    expected = sum(terms) / (math.factorial(dim) * c**dim)
    assert integrand("corner-peak-5d").reference.value == pytest.approx(expected, rel=1e-10)


def test_annulus_and_polynomial():
    grid = (np.arange(1500) + 0.5) / 1500
    points = np.stack([axis.ravel() for axis in np.meshgrid(grid, grid)], axis=1)
    found = integrand("annulus")(points).mean()
    assert found == pytest.approx(math.pi * (0.45**2 - 0.2**2), rel=1e-4)
    assert integrand("polynomial-54d").reference.value == 9.0
    assert integrand("polynomial-18d")(np.full((1, 18), 0.5)) == pytest.approx(18 / 4)


def test_circles_agree_with_a_fine_lattice():
    # Kinks of width 1/250 across a lattice of spacing 1/4000: good to about 1e-5.
    grid = (np.arange(4000) + 0.5) / 4000
    function = integrand("entangled-circles")
    points = np.empty((4000, 2))
    points[:, 0] = grid
    total = 0.0
    for y in grid:
        points[:, 1] = y
        total += function(points).sum()
    reference = function.reference
    assert total / 4000**2 == pytest.approx(reference.value, rel=2e-5)
    assert reference.error == 1e-7


@pytest.mark.parametrize("name", [f"{family}-{dims[-1]}d" for family, dims in FAMILIES.items()])
def test_large_dimensions_are_finite(name):
    function = integrand(name)
    values = function(np.random.default_rng(0).random((1000, function.dim)))
    assert np.isfinite(values).all()
    assert function.reference.value > 0.0


def test_tensorflow_forms_agree():
    tf = pytest.importorskip("tensorflow")
    chosen = [name for name in names() if integrand_is_small(name)]
    assert len(chosen) == 9
    for name in chosen:
        function = integrand(name)
        points = np.random.default_rng(1).random((500, function.dim))
        found = function.tensorflow(tf.constant(points)).numpy()
        np.testing.assert_allclose(found, function(points), rtol=1e-10, atol=1e-300, err_msg=name)


def integrand_is_small(name: str) -> bool:
    return name.endswith(("-4d", "-18d")) or name in ("annulus", "entangled-circles")


def test_exponential():
    x = np.concatenate([np.linspace(-708.0, 709.0, 20_001), np.linspace(-1e-3, 1e-3, 1001)])
    found = np.array([exp(value) for value in x])
    np.testing.assert_allclose(found, np.exp(x), rtol=4e-16)
    assert exp(-709.0) == 0.0
    assert exp(710.0) == np.inf
    assert np.isnan(exp(np.nan))


def test_three_lines_register_a_function():
    own = register("own-sum", lambda x: x.sum(axis=1), dim=3, exact=1.5)
    assert integrand("own-sum") is own
    assert own.reference == Reference(1.5, 0.0, "given by user")
    assert "own-sum" in names()
    np.testing.assert_allclose(own([[0.1, 0.2, 0.3]]), [0.6])


def test_built_in_integrands_travel_by_name():
    function = integrand("gauss-4d")
    assert pickle.loads(pickle.dumps(function)) is function


@pytest.mark.parametrize(
    ("points", "message"),
    [
        (np.zeros((3, 5)), r"needs points of shape \(n, 4\)"),
        (np.zeros(4), r"needs points of shape \(n, 4\)"),
        (np.full((1, 4), 1.5), r"coordinate 1\.5"),
        (np.full((1, 4), np.nan), "coordinate nan"),
    ],
)
def test_bad_points(points, message):
    with pytest.raises(ValueError, match=message):
        integrand("gauss-4d")(points)


def test_bad_names_and_functions():
    with pytest.raises(ValueError, match=r"no integrand 'gauss-17d'; .*gauss-\{d\}d"):
        integrand("gauss-17d")
    with pytest.raises(ValueError, match="belongs to a shipped integrand"):
        register("annulus", lambda x: x[:, 0], dim=2)
    with pytest.raises(ValueError, match="cannot name an integrand"):
        register("my integrand", lambda x: x[:, 0], dim=2)
    with pytest.raises(ValueError, match="neither a kernel nor a function"):
        register("nothing", dim=2)
    with pytest.raises(ValueError, match="dim = 0"):
        register("flat", lambda x: x[:, 0], dim=0)
    wrong = register("wrong-shape", lambda x: x, dim=2)
    with pytest.raises(ValueError, match=r"returned shape \(4, 2\) for 4 points"):
        wrong(np.zeros((4, 2)))
