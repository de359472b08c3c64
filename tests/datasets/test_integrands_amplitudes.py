"""Amplitudes of many partons: gauge invariance, closed forms, and another way to sum colours."""

from __future__ import annotations

import itertools
import math
from functools import cache

import numpy as np
import pytest

from hepgym.datasets.integrands import berends_giele, colour
from hepgym.datasets.integrands.berends_giele import (
    GluonProcess,
    QuarkProcess,
    gluon_sum,
    polarisation,
    quark_sum,
)
from hepgym.datasets.integrands.multiparton import (
    gluon_helicities,
    parke_taylor,
    parke_taylor_orders,
    ttbar_squared,
)
from hepgym.datasets.integrands.phase_space import map_points

MASS, ENERGY = 173.0, 1500.0

gluon_process = cache(GluonProcess.make)
quark_process = cache(QuarkProcess.make)


def event(masses, seed=1):
    """Two incoming massless particles, reversed, and the outgoing ones."""
    points = np.random.default_rng(seed).random((1, 3 * len(masses) - 4))
    outgoing, _ = map_points(points, masses, ENERGY)
    half = ENERGY / 2
    return np.vstack([[[-half, 0, 0, -half], [-half, 0, 0, half]], outgoing[0]])


def vectors(momenta, helicities):
    result = np.zeros((len(momenta), 4), complex)
    for k, helicity in enumerate(helicities):
        polarisation(momenta[k], helicity, result[k])
    return result


def gluons_squared(momenta, polarisations):
    return gluon_sum(*gluon_process(len(momenta)), momenta, polarisations)


def quarks_squared(momenta, polarisations, spin=-1):
    process = quark_process(len(momenta) - 2)
    return quark_sum(*process, momenta, polarisations, MASS, spin)


def all_gluon_helicities(momenta):
    return sum(
        gluons_squared(momenta, vectors(momenta, helicities))
        for helicities in itertools.product((1, -1), repeat=len(momenta))
    )


def dot(p, q):
    return p[0] * q[0] - p[1:] @ q[1:]


def top_event(gluons, seed=1):
    """Gluons first, then top and antitop."""
    return event([0.0] * (gluons - 2) + [MASS, MASS], seed)


# --- colour


def test_generators():
    t = colour.fundamental()
    np.testing.assert_allclose(np.einsum("aij,bji->ab", t, t), np.eye(8), atol=1e-14)
    np.testing.assert_allclose(np.einsum("aij,ajk->ik", t, t), 8 / 3 * np.eye(3), atol=1e-14)
    f = colour.structure_constants()
    commutator = np.einsum("aij,bjk->abik", t, t) - np.einsum("bij,ajk->abik", t, t)
    np.testing.assert_allclose(commutator, 1j * np.einsum("abc,cij->abij", f, t), atol=1e-14)


def test_colour_sums():
    """Two gluons by hand: tr(T T T T) = 64/3 and -8/3 in this normalisation."""
    np.testing.assert_allclose(
        colour.quark_colour(2), [[64 / 3, -8 / 3], [-8 / 3, 64 / 3]], rtol=1e-12
    )
    for matrix in (colour.quark_colour(3), colour.adjoint_colour(5)):
        np.testing.assert_allclose(matrix, matrix.T, atol=1e-10)
        assert np.linalg.eigvalsh(matrix).min() > -1e-9


# --- gauge invariance


@pytest.mark.parametrize("gluons", [4, 5, 6])
def test_ward_identity_of_gluons(gluons):
    momenta = event([0.0] * (gluons - 2))
    good = vectors(momenta, [1, -1, 1, -1, 1, 1][:gluons])
    size = gluons_squared(momenta, good)
    for k in range(gluons):
        longitudinal = good.copy()
        longitudinal[k] = momenta[k] / ENERGY
        assert gluons_squared(momenta, longitudinal) < 1e-20 * size
        shifted = good.copy()
        shifted[k] += (0.3 - 0.7j) * momenta[k] / ENERGY
        assert gluons_squared(momenta, shifted) == pytest.approx(size, rel=1e-9)


@pytest.mark.parametrize("gluons", [2, 3, 4])
def test_ward_identity_with_tops(gluons):
    momenta = top_event(gluons)
    good = vectors(momenta[:gluons], [1, -1, 1, -1][:gluons])
    size = quarks_squared(momenta, good)
    for k in range(gluons):
        longitudinal = good.copy()
        longitudinal[k] = momenta[k] / ENERGY
        assert quarks_squared(momenta, longitudinal) < 1e-20 * size


def test_polarisations():
    momenta = event([0.0] * 3)
    for p in momenta:
        plus, minus = vectors([p] * 2, (1, -1))
        for vector in (plus, minus):
            assert abs(dot(vector, p)) < 1e-10
            assert dot(vector, vector.conj()) == pytest.approx(-1)
        assert abs(dot(plus, minus.conj())) < 1e-14
        # Rotations about the momentum turn the phase the right way: e(h) = e_1 + i h e_2.
        outgoing = plus.conj() if p[0] > 0 else plus
        direction = math.copysign(1, p[0]) * p[1:] / abs(p[0])
        np.testing.assert_allclose(
            np.cross(direction, outgoing[1:]), -1j * outgoing[1:], atol=1e-12
        )


# --- symmetries


@pytest.mark.parametrize("gluons", [4, 5, 6])
def test_gluons_are_identical(gluons):
    """Two of them are treated apart by the basis of colour."""
    momenta = event([0.0] * (gluons - 2))
    good = vectors(momenta, [1, -1, 1, -1, 1, 1][:gluons])
    size = gluons_squared(momenta, good)
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(gluons)
        swapped = gluons_squared(momenta[order], good[order])
        assert swapped == pytest.approx(size, rel=1e-10)


def rotation(seed):
    q, r = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    q *= np.sign(np.diag(r))
    matrix = np.eye(4)
    matrix[1:, 1:] = q * np.linalg.det(q)
    return matrix


def boost(velocity):
    gamma = 1 / math.sqrt(1 - velocity @ velocity)
    matrix = np.eye(4)
    matrix[0, 0] = gamma
    matrix[0, 1:] = matrix[1:, 0] = gamma * velocity
    matrix[1:, 1:] += (gamma - 1) * np.outer(velocity, velocity) / (velocity @ velocity)
    return matrix


def summed(momenta, gluons):
    return sum(
        quarks_squared(momenta, vectors(momenta[:gluons], helicities))
        for helicities in itertools.product((1, -1), repeat=gluons)
    )


@pytest.mark.parametrize("gluons", [2, 3])
def test_rotations_and_boosts_with_tops(gluons):
    momenta = top_event(gluons)
    size = summed(momenta, gluons)
    turned = np.ascontiguousarray(momenta @ rotation(1).T)
    assert summed(turned, gluons) == pytest.approx(size, rel=1e-10)
    moving = np.ascontiguousarray(momenta @ boost(np.array([0.1, -0.2, 0.5])).T)
    assert summed(moving, gluons) == pytest.approx(size, rel=1e-9)


def test_rotation_keeps_helicities():
    momenta = event([0.0] * 4)
    helicities = [1, -1, 1, -1, 1, 1]
    size = gluons_squared(momenta, vectors(momenta, helicities))
    turned = np.ascontiguousarray(momenta @ rotation(2).T)
    assert gluons_squared(turned, vectors(turned, helicities)) == pytest.approx(size, rel=1e-10)


def test_parity():
    momenta = top_event(3)
    one = quarks_squared(momenta, vectors(momenta[:3], [1, 1, -1]))
    other = quarks_squared(momenta, vectors(momenta[:3], [-1, -1, 1]))
    assert one == pytest.approx(other, rel=1e-10)
    parts = [quarks_squared(momenta, vectors(momenta[:3], [1, 1, -1]), spin) for spin in range(4)]
    assert sum(parts) == pytest.approx(one, rel=1e-12)


# --- closed forms


def test_gg_gg_is_the_textbook_formula():
    momenta = event([0.0, 0.0])
    s, t, u = (2 * dot(momenta[0], momenta[k]) for k in (1, 2, 3))
    exact = 256 * 9 / 2 * (3 - t * u / s**2 - s * u / t**2 - s * t / u**2)
    assert all_gluon_helicities(momenta) == pytest.approx(exact, rel=1e-12)


def test_gg_tt_is_the_textbook_formula():
    """Combridge 1979, in the form of Ellis, Stirling and Webber."""
    momenta = top_event(2)
    s = ENERGY**2
    tau = [-2 * dot(momenta[0], momenta[k]) / s for k in (2, 3)]
    rho = 4 * MASS**2 / s
    exact = (1 / (6 * tau[0] * tau[1]) - 3 / 8) * (
        tau[0] ** 2 + tau[1] ** 2 + rho - rho**2 / (4 * tau[0] * tau[1])
    )
    assert summed(momenta, 2) / 256 == pytest.approx(exact, rel=1e-12)


@pytest.mark.parametrize("gluons", [4, 5])
def test_parke_taylor_is_all_there_is_for_up_to_five_gluons(gluons):
    momenta = event([0.0] * (gluons - 2))
    orders = parke_taylor_orders(gluons)
    found = parke_taylor(orders, momenta, np.empty((gluons, gluons)))
    assert found == pytest.approx(all_gluon_helicities(momenta), rel=1e-11)


def test_parke_taylor_for_six_gluons():
    """Equal helicities at leading colour; what is missing is of order 1/9 and the other ones."""
    momenta = event([0.0] * 4)
    found = parke_taylor(parke_taylor_orders(6), momenta, np.empty((6, 6)))
    by_order = 0.0
    process = gluon_process(6)
    amplitudes = np.empty(len(process.last), complex)
    alternating = 0.0
    for helicities in itertools.product((1, -1), repeat=6):
        outgoing = -sum(helicities[:2]) + sum(helicities[2:])
        value = gluons_squared(momenta, vectors(momenta, helicities))
        if abs(outgoing) > 2:
            assert value < 1e-18 * found
        elif abs(outgoing) == 2:
            by_order += value
        else:
            alternating += value
    assert alternating > 0.1 * found
    assert by_order == pytest.approx(found, rel=0.15)
    # One ordered amplitude to the last digit: <ij>^4 / (<12><23>...<61>).
    polarisations = vectors(momenta, [1, 1, 1, 1, 1, 1])
    berends_giele.gluon_amplitudes(
        process.program, process.masks, process.last, momenta, polarisations, amplitudes
    )
    chain = [4, 0, 1, 2, 3, 5]
    product = math.prod(2 * dot(momenta[chain[k]], momenta[chain[(k + 1) % 6]]) for k in range(6))
    # Incoming 0 and 1 are negative once they are outgoing.
    exact = (2 * dot(momenta[0], momenta[1])) ** 4 / abs(product)
    assert abs(amplitudes[0]) ** 2 == pytest.approx(exact, rel=1e-10)


def test_helicity_lists():
    """Half of 2^n, less the vanishing ones."""
    assert len(gluon_helicities(5)) == 10
    assert len(gluon_helicities(6)) == 25
    momenta = event([0.0] * 3)
    half = sum(gluons_squared(momenta, vectors(momenta, h)) for h in gluon_helicities(5))
    assert 2 * half == pytest.approx(all_gluon_helicities(momenta), rel=1e-11)


def test_soft_gluon():
    """With a soft gluon of energy E |M|^2 goes as 1 / E^2."""
    values = []
    for scale in (1e-3, 1e-4):
        k = scale * np.array([1.0, 0.6, 0.0, 0.8]) * ENERGY
        rest = np.array([ENERGY, 0, 0, 0]) - k
        mass = math.sqrt(dot(rest, rest))
        p = math.sqrt(mass**2 / 4 - MASS**2)
        pair = np.array([[mass / 2, 0, p, 0], [mass / 2, 0, -p, 0]])
        tops = pair @ boost(rest[1:] / rest[0]).T
        half = ENERGY / 2
        incoming = [[half, 0, 0, half], [half, 0, 0, -half]]
        values.append(ttbar_squared([np.vstack([incoming, k, tops])])[0] * scale**2)
    assert values[0] == pytest.approx(values[1], rel=0.01)


# --- colour summed another way


METRIC = np.diag([1.0, -1.0, -1.0, -1.0])


def with_colour_indices(momenta, polarisations, bar, psi):
    """Sum |M|^2 over colours with every colour index written out.

    Feynman rules for whole vertices with f^abc and t^a, not for ordered ones: nothing in common
    with the package but the external wave functions. One axis for the colour of each gluon.
    """
    n = len(polarisations)
    t = colour.fundamental() / math.sqrt(2)
    f = colour.structure_constants() / math.sqrt(2)
    ff = np.einsum("abe,cde->abcd", f, f)
    sigma = np.array([[[1, 0], [0, 1]], [[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]])
    gamma = np.zeros((4, 4, 4), complex)
    gamma[:, :2, 2:] = sigma
    gamma[:, 2:, :2] = np.einsum("m,mij->mij", np.diag(METRIC), sigma)

    currents = {}
    sums = {}

    def arrange(labels, value):
        """Bring the axes of external colours into increasing order of the gluons."""
        axes = list(np.argsort(labels))
        return np.transpose(value, [*axes, *range(len(labels), value.ndim)])

    def split(labels, parts):
        """Unordered partitions of gluons into parts that are not empty."""
        for choice in itertools.product(range(parts), repeat=len(labels)):
            groups = [
                tuple(a for a, c in zip(labels, choice, strict=True) if c == k)
                for k in range(parts)
            ]
            if all(groups) and groups == sorted(groups):
                yield groups

    def flat(label):
        value = currents[label]
        return value.reshape(-1, 8, 4)

    for k in range(n):
        currents[k,] = np.einsum("ab,m->abm", np.eye(8), polarisations[k])
        sums[k,] = momenta[k]
    for size in range(2, n + 1):
        for labels in itertools.combinations(range(n), size):
            total = momenta[list(labels)].sum(axis=0)
            sums[labels] = total
            value = 0
            for one, two in split(labels, 2):
                a, b = flat(one), flat(two)
                k, p, q = -sums[one], -sums[two], total
                ab = np.einsum("xam,mn,ybn->xayb", a, METRIC, b)
                first = np.einsum("abc,xayb,m->xycm", f, ab, k - p)
                second = np.einsum("abc,xa,ybm->xycm", f, a @ METRIC @ (p - q), b)
                third = np.einsum("abc,yb,xam->xycm", f, b @ METRIC @ (q - k), a)
                found = (first + second + third).reshape([8] * (size + 1) + [4])
                value = value + arrange(one + two, found)
            for one, two, three in split(labels, 3):
                a, b, c = flat(one), flat(two), flat(three)
                # legs (a mu) (b nu) (c rho) (d sigma), the last one open
                ab = np.einsum("xam,mn,ybn->xayb", a, METRIC, b)
                ac = np.einsum("xam,mn,zcn->xazc", a, METRIC, c)
                bc = np.einsum("ybm,mn,zcn->ybzc", b, METRIC, c)
                found = np.einsum("abcd,xazc,ybm->xyzdm", ff, ac, b, optimize=True)
                found -= np.einsum("abcd,ybzc,xam->xyzdm", ff, bc, a, optimize=True)
                found += np.einsum("acbd,xayb,zcm->xyzdm", ff, ab, c, optimize=True)
                found -= np.einsum("acbd,ybzc,xam->xyzdm", ff, bc, a, optimize=True)
                found += np.einsum("adbc,xayb,zcm->xyzdm", ff, ab, c, optimize=True)
                found -= np.einsum("adbc,xazc,ybm->xyzdm", ff, ac, b, optimize=True)
                found = (-1j * found).reshape([8] * (size + 1) + [4])
                value = value + arrange(one + two + three, found)
            currents[labels] = -1j / dot(total, total) * value

    antiquark = momenta[-1]
    spinors = {(): np.einsum("ij,s->ijs", np.eye(3), psi)}
    for size in range(1, n + 1):
        for labels in itertools.combinations(range(n), size):
            value = 0
            for number in range(1, size + 1):
                for one in itertools.combinations(labels, number):
                    two = tuple(k for k in labels if k not in one)
                    slash = np.einsum("xam,mn,nst->xast", flat(one), METRIC, gamma)
                    rest = spinors[two].reshape(-1, 3, 3, 4)
                    found = np.einsum("xast,aij,yjkt->xyiks", 1j * slash, t, rest, optimize=True)
                    value = value + arrange(one + two, found.reshape([8] * size + [3, 3, 4]))
            if size < n:
                p = antiquark + sums[labels]
                slash = np.einsum("m,mn,nst->st", p, METRIC, gamma)
                propagator = 1j * (MASS * np.eye(4) - slash) / (dot(p, p) - MASS**2)
                value = np.einsum("st,...t->...s", propagator, value)
            spinors[labels] = value
    amplitude = spinors[tuple(range(n))] @ bar
    return (np.abs(amplitude) ** 2).sum()


@pytest.mark.parametrize("gluons", [2, 3, pytest.param(4, marks=pytest.mark.slow)])
def test_colours_written_out(gluons):
    momenta = top_event(gluons, seed=5)
    polarisations = vectors(momenta[:gluons], [1, -1, 1, 1][:gluons])
    for spin in (0, 2):
        bar, psi = np.empty(4, complex), np.empty(4, complex)
        berends_giele._outer_spinors(
            momenta[gluons], momenta[gluons + 1], MASS, spin & 1, spin >> 1, bar, psi
        )
        expected = with_colour_indices(momenta, polarisations, bar, psi)
        assert quarks_squared(momenta, polarisations, spin) == pytest.approx(expected, rel=1e-9)


def test_bad_shapes():
    with pytest.raises(ValueError, match="shape"):
        ttbar_squared(np.zeros((2, 7, 4)))
