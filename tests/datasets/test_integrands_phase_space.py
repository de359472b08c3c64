"""Phase space maps: volumes, conservation of momentum, masses."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hepgym.datasets.integrands.phase_space import breit_wigner, map_points, volume

ENERGY = 1000.0
MASSES = {
    2: [173.0, 20.0],
    3: [173.0, 173.0, 0.0],
    4: [173.0, 173.0, 0.0, 91.0],
    5: [0.0, 1.0, 2.0, 300.0, 400.0],
}


def points(n, number, seed=1):
    return np.random.default_rng(seed).random((number, 3 * n - 4))


def methods(n):
    return ["rambo", "tree"] if n < 5 else ["rambo"]


CASES = [(n, method) for n in MASSES for method in methods(n)]


@pytest.mark.parametrize(("n", "method"), CASES)
@pytest.mark.parametrize("massive", [False, True])
def test_momentum_and_masses(n, method, massive):
    masses = np.array(MASSES[n]) * massive
    momenta, weights = map_points(points(n, 2000), masses, ENERGY, method)
    total = momenta.sum(axis=1)
    np.testing.assert_allclose(total, np.broadcast_to([ENERGY, 0, 0, 0], total.shape), atol=1e-9)
    squares = momenta[..., 0] ** 2 - (momenta[..., 1:] ** 2).sum(axis=-1)
    np.testing.assert_allclose(squares, np.broadcast_to(masses**2, squares.shape), atol=2e-7 * 1e6)
    assert np.all(momenta[..., 0] >= masses * (1 - 1e-12))
    assert np.all(weights >= 0)


@pytest.mark.parametrize("n", [2, 3, 4, 5])
def test_rambo_is_exact_for_massless_particles(n):
    _, weights = map_points(points(n, 100), np.zeros(n), ENERGY)
    np.testing.assert_allclose(weights, volume(n, ENERGY), rtol=1e-9)


@pytest.mark.parametrize("n", [2, 3, 4])
def test_tree_has_the_massless_volume(n):
    _, weights = map_points(points(n, 200_000), np.zeros(n), ENERGY, "tree")
    error = weights.std() / math.sqrt(len(weights))
    assert error < 0.01 * volume(n, ENERGY)
    assert abs(weights.mean() - volume(n, ENERGY)) < 4 * error


def three_body_volume(masses, energy):
    """Integrate over the mass of a pair."""
    x, w = np.polynomial.legendre.leggauss(400)
    a, b, c = masses
    low, high = a + b, energy - c
    # The edges are square roots: angles make them smooth.
    m = 0.5 * (low + high) + 0.5 * (high - low) * np.sin(0.5 * np.pi * x)
    dm = 0.5 * (high - low) * 0.5 * np.pi * np.cos(0.5 * np.pi * x)

    def momentum(q, i, j):
        return np.sqrt(np.maximum((q**2 - (i + j) ** 2) * (q**2 - (i - j) ** 2), 0)) / (2 * q)

    inner = momentum(m, a, b) / (4 * np.pi * m) * momentum(energy, m, c) / (4 * np.pi * energy)
    return (w * dm * 2 * m / (2 * np.pi) * inner).sum()


@pytest.mark.parametrize("method", ["rambo", "tree"])
def test_massive_volume(method):
    exact = three_body_volume(MASSES[3], ENERGY)
    _, weights = map_points(points(3, 200_000), MASSES[3], ENERGY, method)
    error = weights.std() / math.sqrt(len(weights))
    assert error < 0.01 * exact
    assert abs(weights.mean() - exact) < 4 * error


@pytest.mark.parametrize("massive", [False, True])
def test_maps_agree_on_a_mean(massive):
    """Not only on the volume: the mean of a function that peaks somewhere."""
    masses = np.array(MASSES[4]) * massive
    found = []
    for seed, method in enumerate(["rambo", "tree"]):
        momenta, weights = map_points(points(4, 200_000, seed), masses, ENERGY, method)
        pair = momenta[:, 1] + momenta[:, 2]
        function = weights * momenta[:, 3, 0] ** 2 * np.abs(momenta[:, 0, 3]) / pair[:, 0]
        found.append((function.mean(), function.std() / math.sqrt(len(function))))
    (a, da), (b, db) = found
    assert math.hypot(da, db) < 0.02 * a
    assert abs(a - b) < 4 * math.hypot(da, db)


def test_rambo_is_isotropic_and_symmetric():
    momenta, _ = map_points(points(4, 100_000), np.zeros(4), ENERGY)
    directions = momenta[..., 1:] / momenta[..., :1]
    np.testing.assert_allclose((directions**2).mean(axis=0), 1 / 3, atol=0.005)
    np.testing.assert_allclose(momenta[..., 0].mean(axis=0), ENERGY / 4, rtol=0.005)
    # The energy x E / 2 of one of four is distributed as 6 x (1 - x): the mean of x^3 is 1/5.
    np.testing.assert_allclose((momenta[..., 0] ** 3).mean(axis=0), 0.2 * 500.0**3, rtol=0.02)


def test_edges_of_the_cube():
    corners = np.array(np.meshgrid(*[[0.0, 1.0]] * 8)).reshape(8, -1).T
    for masses in (np.zeros(4), MASSES[4]):
        for method in ("rambo", "tree"):
            momenta, weights = map_points(corners, masses, ENERGY, method)
            assert np.all(np.isfinite(momenta))
            assert np.all(np.isfinite(weights))


def test_breit_wigner():
    """The weight is the inverse of the density, and the density is the resonance's."""
    r = (np.arange(2000) + 0.5) / 2000
    low, high, mass, width = 10.0, 1e4, 91.0, 2.5
    squares, weights = np.array([breit_wigner(x, low, high, mass, width) for x in r]).T
    shape = 1 / ((squares - mass**2) ** 2 + (mass * width) ** 2)
    np.testing.assert_allclose(weights * shape, (weights * shape)[0], rtol=1e-9)
    assert weights.mean() == pytest.approx(high - low, rel=0.01)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.zeros((1, 5)), [0, 0], ENERGY), "need points"),
        ((np.zeros((1, 5)), [600, 600, 0], ENERGY), "not enough"),
        ((np.zeros((1, 5)), [-1, 0, 0], ENERGY), "not enough"),
        ((np.zeros((1, 11)), [0] * 5, ENERGY, "tree"), "cannot make"),
        ((np.zeros((1, 5)), [0] * 3, ENERGY, "kinoshita"), "rambo or tree"),
    ],
)
def test_bad_requests(arguments, message):
    with pytest.raises(ValueError, match=message):
        map_points(*arguments)
