"""Physics integrands: closed forms, crossing, other maps, and their references."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import dblquad

from hepgym.datasets.integrands import constants, integrand, leptonic, names
from hepgym.datasets.integrands import hadronic_three as three
from hepgym.datasets.integrands import hadronic_two as two
from hepgym.datasets.integrands.beams import FLAVOURS, density_table, fractions
from hepgym.datasets.integrands.multiparton import RADIATION, TREE, cut, make_kernel
from hepgym.datasets.integrands.phase_space import map_points
from hepgym.datasets.integrands.references import REFERENCES
from hepgym.datasets.lhapdf_grid import pythia_grid
from hepgym.datasets.lhapdf_interpolation import parton_densities

LIGHT = ["ee-mumu", "gg-tt", "qq-tt", "gg-gg", "ee-qqg", "single-top", "h-4l", "h-4l-mapped"]
MANY = ["vbf-h", "gg-ggg", "gg-ttg-helicity", "gg-gggg-mhv"]
SLOW = ["gg-ttg", "gg-ttgg", "gg-gggg"]


def values(kernel, points):
    result = np.empty(len(points))
    kernel(np.ascontiguousarray(points.T), result)
    return result


def plain(kernel, dim, number, seed=1):
    found = values(kernel, np.random.default_rng(seed).random((number, dim)))
    assert np.all(found >= 0)
    return found.mean(), found.std() / math.sqrt(number)


def test_every_integrand_has_a_reference():
    assert set(LIGHT + MANY + SLOW) == set(REFERENCES) <= set(names())


@pytest.mark.parametrize("name", LIGHT + MANY)
def test_reference(name):
    """Plain Monte Carlo with few points: catches factors, not per mille."""
    function = integrand(name)
    value, error = plain(function.kernel, function.dim, 100_000)
    assert function.reference.error < 2e-3 * function.reference.value
    assert abs(value - function.reference.value) < 4 * error
    # Flat phase space misses the peaks of many partons.
    assert error < (0.25 if name in MANY else 0.02) * value


@pytest.mark.slow
@pytest.mark.parametrize("name", SLOW)
def test_reference_of_slow_ones(name):
    """With the map that follows the peaks."""
    function = integrand(name)
    value, error = plain(make_kernel(name, RADIATION), function.dim, 200_000)
    assert abs(value - function.reference.value) < 4 * error
    assert error < 0.05 * value


@pytest.mark.parametrize("name", LIGHT + MANY + SLOW)
def test_edges_of_the_cube_are_finite(name):
    function = integrand(name)
    corners = np.array(np.meshgrid(*[[0.0, 1.0]] * function.dim)).reshape(function.dim, -1).T
    assert np.all(np.isfinite(function(corners)))


# --- e+e-


def test_muon_pairs_through_a_photon_alone(monkeypatch):
    """Far below the Z: 4 pi alpha^2 / (3 s) and no asymmetry."""
    even, odd = leptonic.muon_couplings(1.0)
    exact = 4 * math.pi * constants.ALPHA_EM**2 / 3 * constants.PICOBARN
    assert 8 / 3 * even == pytest.approx(exact, rel=1e-3)
    assert abs(odd) < 1e-3 * even


def test_muon_pairs_at_the_pole():
    """Peak of the Z: 12 pi / M^2 times the two branching fractions, from the partial widths."""
    even, _ = leptonic.muon_couplings(constants.M_Z)
    couplings = leptonic.G_LEFT**2 + leptonic.G_RIGHT**2
    sin2 = constants.SIN2_THETA
    partial = constants.ALPHA_EM * constants.M_Z * couplings / (6 * sin2 * (1 - sin2))
    peak = 12 * math.pi / constants.M_Z**2 * (partial / constants.WIDTH_Z) ** 2
    assert 8 / 3 * even == pytest.approx(peak * constants.PICOBARN, rel=0.01)


def test_three_jets():
    """Averaged over directions the squared amplitude is that of the energies."""
    momenta, _ = map_points(np.random.default_rng(2).random((1, 5)), [0, 0, 0], 1.0)
    x = 2 * momenta[0, :, 0]
    exact = (x[0] ** 2 + x[1] ** 2) / ((1 - x[0]) * (1 - x[1]))
    rng = np.random.default_rng(3)
    found = []
    for _ in range(4000):
        q, r = np.linalg.qr(rng.normal(size=(3, 3)))
        turned = momenta[0].copy()
        turned[:, 1:] = turned[:, 1:] @ (q * np.sign(np.diag(r))).T
        found.append(leptonic.three_jet_squared(turned))
    assert np.mean(found) == pytest.approx(exact, abs=4 * np.std(found) / math.sqrt(4000))
    y = leptonic.Y_MIN
    area, _ = dblquad(
        lambda b, a: (a**2 + b**2) / ((1 - a) * (1 - b)),
        2 * y,
        1 - y,
        lambda a: 1 + y - a,
        1 - y,
    )
    assert REFERENCES["ee-qqg"].value == pytest.approx(area, rel=1e-6)


# --- H -> 4 leptons


def test_four_leptons_in_two_maps_at_the_same_momenta():
    """A symmetric amplitude: pairs and charges may be exchanged together."""
    momenta, _ = map_points(np.random.default_rng(4).random((1, 8)), [0] * 4, 125.0)
    value = leptonic.four_lepton_squared(momenta[0])
    assert leptonic.four_lepton_squared(momenta[0][[2, 3, 0, 1]]) == pytest.approx(value)
    assert leptonic.four_lepton_squared(momenta[0][[1, 0, 3, 2]]) == pytest.approx(value)
    assert leptonic.four_lepton_squared(momenta[0][[1, 0, 2, 3]]) != pytest.approx(value)


def test_four_leptons_from_traces():
    """Contract the lepton tensors number by number."""
    momenta, _ = map_points(np.random.default_rng(5).random((1, 8)), [0] * 4, 125.0)
    metric = np.diag([1.0, -1, -1, -1])
    epsilon = np.zeros((4, 4, 4, 4))
    for order in np.array(np.meshgrid(*[range(4)] * 4)).reshape(4, -1).T:
        if len(set(order)) == 4:
            epsilon[tuple(order)] = np.linalg.det(np.eye(4)[order])

    def tensor(p, q):
        """Sum over chiralities of the squared current, upper indices."""
        low_p, low_q = metric @ p, metric @ q
        symmetric = np.outer(p, q) + np.outer(q, p) - metric * (p @ metric @ q)
        odd = 1j * np.einsum("mnab,a,b->mn", epsilon, low_p, low_q)
        left, right = leptonic.G_LEFT**2, leptonic.G_RIGHT**2
        return 2 * ((left + right) * symmetric + (left - right) * odd)

    one, other = tensor(*momenta[0, :2]), tensor(*momenta[0, 2:])
    contracted = np.einsum("mn,ma,nb,ab->", one, metric, metric, other).real
    m, width = constants.M_Z, constants.WIDTH_Z
    poles = 1.0
    for pair in (momenta[0, 0] + momenta[0, 1], momenta[0, 2] + momenta[0, 3]):
        poles *= (pair @ metric @ pair - m * m) ** 2 + (m * width) ** 2
    sin2 = constants.SIN2_THETA
    coupling = 4 * math.pi * constants.ALPHA_EM / (sin2 * (1 - sin2))
    expected = coupling**3 * m * m * contracted / poles
    assert leptonic.four_lepton_squared(momenta[0]) == pytest.approx(expected, rel=1e-10)


# --- protons


def test_momentum_fractions():
    """The weight is the Jacobian; all of the square above the smallest energy is covered."""
    r = (np.arange(120) + 0.5) / 120
    least = 346.0
    found = 0.0
    for a in r:
        for b in r:
            x1, x2, s, weight = fractions(a, b, least)
            assert 0 < x1 <= 1
            assert 0 < x2 <= 1
            assert s == pytest.approx(x1 * x2 * 13000.0**2)
            found += weight * x1 * x2
    tau = (least / 13000) ** 2
    # Area of x1 x2 > tau in the unit square.
    assert found / 120**2 == pytest.approx(1 - tau + tau * math.log(tau), rel=1e-3)


def test_densities_are_pythias_grid():
    log_x, table = density_table()
    found = np.empty(11)
    parton_densities(log_x, table, 0.03, found)
    grid = pythia_grid(constants.PDF)
    expected = grid.xfxq(FLAVOURS, 0.03, constants.SCALE, clamp=True, interpolation="pythia")
    np.testing.assert_allclose(found, expected, rtol=1e-10)


def test_top_pairs_agree_with_massless_limits():
    """At high energy qq -> tt is qq -> q'q', and gg -> tt is gg -> q qbar."""
    s, tau = 1e12, 0.3
    t, u = -tau, -(1 - tau)
    assert two.qq_tt(s, tau, 1 - tau) == pytest.approx(4 / 9 * (t * t + u * u), rel=1e-6)
    massless = (t * t + u * u) * (1 / (6 * t * u) - 3 / 8)
    assert two.gg_tt(s, tau, 1 - tau) == pytest.approx(massless, rel=1e-6)


def test_single_top_is_crossing_symmetric():
    """Exchanging the light quark's two ends exchanges s and u."""
    s, t = 400.0**2, -(100.0**2)
    u = constants.M_TOP**2 - s - t
    one = two.single_top(s, t, s, s - constants.M_TOP**2)
    other = two.single_top(s, t, u, u - constants.M_TOP**2)
    assert one / other == pytest.approx(s * (s - 173**2) / (u * (u - 173**2)))


def test_higgs_is_crossing_symmetric():
    """An antiquark that comes in is a quark that goes out: exchange the ends of the second line."""
    outgoing, _ = map_points(np.random.default_rng(6).random((1, 5)), [0, 0, 125.0], 600.0)
    momenta = np.vstack([[[-300, 0, 0, -300], [-300, 0, 0, 300]], outgoing[0]]).astype(float)
    same, opposite = three.higgs_squared(momenta)
    crossed = three.higgs_squared(np.ascontiguousarray(momenta[[0, 3, 2, 1, 4]]))
    assert crossed == pytest.approx((opposite, same))
    assert opposite < same


@pytest.mark.parametrize("name", ["vbf-h", "gg-ggg"])
def test_maps_of_three_particles_agree(name):
    dim = integrand(name).dim
    value, error = plain(three.make_kernel(name, central=True), dim, 100_000)
    assert error < 0.1 * value
    assert abs(value - REFERENCES[name].value) < 4 * error


@pytest.mark.parametrize(
    ("name", "method"),
    [("gg-ttg-helicity", TREE), ("gg-ttg-helicity", RADIATION), ("gg-gggg-mhv", RADIATION)],
)
def test_maps_of_many_partons_agree(name, method):
    value, error = plain(make_kernel(name, method), integrand(name).dim, 100_000)
    assert error < 0.07 * value
    assert abs(value - REFERENCES[name].value) < 4 * error


def test_cuts():
    """By hand: transverse momenta, and distances over the end of the circle."""

    def massless(pt, y, phi):
        return [pt * math.cosh(y), pt * math.cos(phi), pt * math.sin(phi), pt * math.sinh(y)]

    def passes(*partons):
        return cut(np.array(partons), 2, 30.0, 0.4)

    top = massless(200, -2, 1.5)
    assert passes(massless(31, 0, 0), massless(31, 0, 0.41), top)
    assert not passes(massless(31, 0, 0), massless(29, 0, 0.41), top)
    assert not passes(massless(31, 0, 0), massless(31, 0.2, 0.3), top)
    assert passes(massless(31, 0, 0), massless(31, 0.3, 0.3), top)
    assert not passes(massless(31, 0, 3.1), massless(31, 0.1, -3.1), top)
    assert not passes(massless(31, 0, 0), massless(31, -2, 1.6), top)


# --- forms for TensorFlow


@pytest.mark.parametrize("name", ["ee-mumu", "gg-tt"])
def test_tensorflow_form(name):
    import tensorflow

    function = integrand(name)
    points = np.random.default_rng(7).random((2000, function.dim))
    found = function.tensorflow(tensorflow.constant(points)).numpy()
    np.testing.assert_allclose(found, function(points), rtol=1e-9, atol=1e-12)
