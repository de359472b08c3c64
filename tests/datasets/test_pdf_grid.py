"""The grid, its polynomials, and the bases of distributions."""

from __future__ import annotations

import numpy as np
import pytest

from hepgym.datasets.parton_distributions import bases
from hepgym.datasets.parton_distributions.grid import blocks, interpolation, lambert_grid
from hepgym.datasets.parton_distributions.strong_coupling import alpha_s, beta


def test_grid_is_even_in_y():
    grid = lambert_grid()
    assert grid[0] == 2e-7
    assert grid[-1] == 1.0
    y = 5.0 * (1.0 - grid) - np.log(grid)
    np.testing.assert_allclose(np.diff(y), np.diff(y)[0], rtol=1e-10)


def test_interpolation_is_exact_for_quartics_in_ln_x():
    grid = lambert_grid()
    x = np.geomspace(grid[0], 1.0, 333)

    def quartic(x):
        return np.polyval([0.1, -0.3, 0.2, 1.0, 2.0], np.log(x))

    np.testing.assert_allclose(interpolation(x, grid) @ quartic(grid), quartic(x), rtol=1e-9)
    np.testing.assert_allclose(interpolation(grid, grid), np.eye(len(grid)), atol=1e-12)


def test_blocks_stay_on_the_grid():
    first = blocks(50)
    assert first[0] == 0
    assert first[-1] == 45
    assert (first[2:40] == np.arange(1, 39)).all()


def test_interpolation_refuses_points_outside():
    with pytest.raises(ValueError, match="must lie between 2e-07 and 1"):
        interpolation([1e-8], lambert_grid())


def named(names, xf):
    return dict(zip(names, np.moveaxis(xf, -2, 0), strict=True))


def test_flavours_of_a_proton_made_of_known_quarks(random):
    partons = random.normal(size=(3, 11, 5))
    evolution = named(bases.EVOLUTION_NF5, bases.from_flavours(partons))
    quark = named(bases.PIDS, partons)
    plus = {pid: quark[pid] + quark[-pid] for pid in range(1, 6)}
    minus = {pid: quark[pid] - quark[-pid] for pid in range(1, 6)}
    np.testing.assert_allclose(evolution["Sigma"], sum(plus.values()))
    np.testing.assert_allclose(evolution["T3"], plus[2] - plus[1])
    np.testing.assert_allclose(evolution["V8"], minus[2] + minus[1] - 2 * minus[3])
    np.testing.assert_allclose(
        evolution["T24"], plus[1] + plus[2] + plus[3] + plus[4] - 4 * plus[5]
    )
    np.testing.assert_allclose(bases.to_flavours(bases.from_flavours(partons)), partons)


def test_four_flavours_have_no_bottom(random):
    flavours = bases.to_flavours(random.normal(size=(9, 4)))
    for pid in (-5, 5):
        np.testing.assert_allclose(flavours[bases.PIDS.index(pid)], 0.0, atol=1e-14)


def test_fitted_distributions_have_equal_charm_and_anticharm(random):
    nine = bases.from_fitted(random.normal(size=(8, 4)))
    flavours = named(bases.PIDS, bases.to_flavours(nine))
    np.testing.assert_allclose(flavours[4], flavours[-4])
    np.testing.assert_array_equal(
        nine[bases.EVOLUTION.index("V15")], nine[bases.EVOLUTION.index("V")]
    )


def test_coupling_solves_its_equation():
    """Against a Runge-Kutta integration, both ways from M_Z and through bottom's threshold."""
    assert alpha_s(91.2) == pytest.approx(0.118, rel=1e-12)
    for start, stop, flavours in ((91.2, 4.92, 5), (91.2, 2000.0, 5), (4.92, 1.65, 4)):
        beta0, beta1 = beta(flavours)

        def slope(a, beta0=beta0, beta1=beta1):
            return -2.0 * a * a * (beta0 + beta1 * a)

        a = float(alpha_s(start)) / (4 * np.pi)
        step = np.log(stop / start) / 2000
        for _ in range(2000):
            k1 = slope(a)
            k2 = slope(a + step / 2 * k1)
            k3 = slope(a + step / 2 * k2)
            a += step / 6 * (k1 + 2 * k2 + 2 * k3 + slope(a + step * k3))
        assert float(alpha_s(stop)) == pytest.approx(4 * np.pi * a, rel=1e-10)


def test_coupling_refuses_low_scales():
    with pytest.raises(ValueError, match="at least 1 GeV"):
        alpha_s(0.5)
