"""gg -> ttg, ttgg and gggg at fixed energy with full colour, and Parke and Taylor's gluons.

The squared amplitudes come from `berends_giele`. Helicities are summed over, or they are one more
coordinate of the hypercube. Amplitudes are the same if all helicities (and spins) are flipped: only
half of them are computed.
"""

from __future__ import annotations

import math
from functools import cache
from itertools import permutations, product
from typing import Any

import numba
import numpy as np
from numpy.typing import ArrayLike, NDArray

from .berends_giele import GluonProcess, QuarkProcess, gluon_sum, polarisation, quark_sum
from .constants import G_SQUARED, M_TOP, PICOBARN
from .integrand import Integrand
from .phase_space import radiation, rambo, tree
from .references import REFERENCES

__all__ = [
    "RADIATION",
    "RAMBO",
    "TREE",
    "build",
    "cut",
    "make_kernel",
    "parke_taylor",
    "parke_taylor_orders",
    "ttbar_squared",
]

PT_MIN, R_MIN = 30.0, 0.4
"""Cuts on gluons: transverse momentum in GeV, distance from every other outgoing parton."""

TTBAR_ENERGY, GLUON_ENERGY = 1500.0, 1000.0
"""Partonic energies in GeV of gg -> tt + gluons and of gg -> gggg."""

RAMBO, TREE, RADIATION = 0, 1, 2
"""Maps of `phase_space`, by number: a kernel that knows functions could not be cached."""

AVERAGE = 1.0 / (4.0 * 64.0)
"""Of helicities and colours of two incoming gluons."""

device = numba.njit(cache=True, nogil=True, error_model="numpy")


@device
def cut(momenta, gluons, pt_min, r_min):  # type: ignore[no-untyped-def]
    """Whether outgoing gluons pass the cuts.

    Parameters
    ----------
    momenta : float64, shape (n, 4)
        Of the outgoing partons, gluons first.
    gluons : int
        Their number.
    pt_min, r_min : float64
        Smallest transverse momentum of a gluon, and smallest distance in rapidity and azimuth of a
        gluon from any other outgoing parton.

    Returns
    -------
    bool
    """
    for a in range(gluons):
        pa = momenta[a]
        pt2 = pa[1] * pa[1] + pa[2] * pa[2]
        if pt2 < pt_min * pt_min:
            return False
    for a in range(gluons):
        pa = momenta[a]
        ya = 0.5 * math.log((pa[0] + pa[3]) / (pa[0] - pa[3]))
        for b in range(a + 1, len(momenta)):
            pb = momenta[b]
            dy = ya - 0.5 * math.log((pb[0] + pb[3]) / (pb[0] - pb[3]))
            cross = pa[1] * pb[2] - pa[2] * pb[1]
            dphi = math.atan2(cross, pa[1] * pb[1] + pa[2] * pb[2])
            if dy * dy + dphi * dphi < r_min * r_min:
                return False
    return True


@device
def incoming(energy, momenta):  # type: ignore[no-untyped-def]
    """Fill the first two rows with the incoming gluons, reversed."""
    half = 0.5 * energy
    momenta[0, 0], momenta[0, 1], momenta[0, 2], momenta[0, 3] = -half, 0.0, 0.0, -half
    momenta[1, 0], momenta[1, 1], momenta[1, 2], momenta[1, 3] = -half, 0.0, 0.0, half


@device
def _map(method, points, i, masses, energy, momenta):  # type: ignore[no-untyped-def]
    """Fill the outgoing momenta by one of the maps and return the weight."""
    if method == TREE:
        return tree(points, 0, i, masses, energy, momenta)
    if method == RADIATION:
        return radiation(points, 0, i, masses, energy, PT_MIN, momenta)
    return rambo(points, 0, i, masses, energy, momenta)


def gluon_helicities(gluons: int) -> NDArray[np.int64]:
    """Helicities of gg -> gluons that do not vanish, of each pair that parity relates one.

    Parameters
    ----------
    gluons
        Number n of all gluons, incoming ones first.

    Returns
    -------
    int64, shape (configurations, n)
        +1 or -1, of the physical gluons.
    """
    found = []
    for tail in product((1, -1), repeat=gluons - 1):
        helicities = (1, *tail)
        outgoing = -sum(helicities[:2]) + sum(helicities[2:])
        if abs(outgoing) <= gluons - 4:
            found.append(helicities)
    return np.array(found, np.int64)


def quark_helicities(gluons: int) -> NDArray[np.int64]:
    """Helicities of the gluons and code of the quarks' spins, of each pair by parity one.

    Returns
    -------
    int64, shape (configurations, gluons + 1)
    """
    choices = product((1,), *[(1, -1)] * (gluons - 1), range(4))
    return np.array(list(choices), np.int64)


def ttbar_kernel(gluons: int, sampled: bool, method: int = RAMBO) -> Any:
    """Make the kernel of gg -> tt and gluons.

    Parameters
    ----------
    gluons
        Outgoing ones, 1 or 2.
    sampled
        Whether the last coordinate chooses the helicities; otherwise they are summed over.
    method
        Map of phase space, `RAMBO`, `TREE` or `RADIATION`.
    """
    legs = gluons + 2
    program, masks, quark_program, quark_masks, colour = QuarkProcess.make(legs)
    helicities = quark_helicities(legs)
    masses = np.array([0.0] * gluons + [M_TOP, M_TOP])
    energy = TTBAR_ENERGY
    dim = 3 * len(masses) - 4
    factor = (
        PICOBARN
        * AVERAGE
        * 2.0
        * G_SQUARED**legs
        / (2.0 * energy * energy * math.factorial(gluons))
    )

    @device
    def kernel(points, values):  # type: ignore[no-untyped-def]
        momenta = np.empty((legs + 2, 4))
        vectors = np.empty((legs, 4), np.complex128)
        incoming(energy, momenta)
        number = len(helicities)
        for i in range(len(values)):
            weight = _map(method, points, i, masses, energy, momenta[2:])
            total = 0.0
            if weight > 0.0 and cut(momenta[2:], gluons, PT_MIN, R_MIN):
                if sampled:
                    chosen = min(int(points[dim, i] * number), number - 1)
                    for k in range(legs):
                        polarisation(momenta[k], helicities[chosen, k], vectors[k])
                    total = number * quark_sum(
                        program, masks, quark_program, quark_masks, colour,
                        momenta, vectors, M_TOP, helicities[chosen, legs],
                    )  # fmt: skip
                else:
                    for chosen in range(0, number, 4):
                        for k in range(legs):
                            polarisation(momenta[k], helicities[chosen, k], vectors[k])
                        total += quark_sum(
                            program, masks, quark_program, quark_masks, colour,
                            momenta, vectors, M_TOP, -1,
                        )  # fmt: skip
            values[i] = factor * weight * total

    return kernel


@cache
def _ttbar_squared(gluons: int) -> Any:
    """Make the kernel of `ttbar_squared`."""
    legs = gluons + 2
    program, masks, quark_program, quark_masks, colour = QuarkProcess.make(legs)
    helicities = quark_helicities(legs)
    factor = AVERAGE * 2.0 * G_SQUARED**legs

    @device
    def kernel(events, values):  # type: ignore[no-untyped-def]
        momenta = np.empty((legs + 2, 4))
        vectors = np.empty((legs, 4), np.complex128)
        for i in range(len(values)):
            momenta[:2] = -events[i, :2]
            momenta[2:] = events[i, 2:]
            total = 0.0
            for chosen in range(0, len(helicities), 4):
                for k in range(legs):
                    polarisation(momenta[k], helicities[chosen, k], vectors[k])
                total += quark_sum(
                    program, masks, quark_program, quark_masks, colour,
                    momenta, vectors, M_TOP, -1,
                )  # fmt: skip
            values[i] = factor * total

    return kernel


def ttbar_squared(momenta: ArrayLike) -> NDArray[np.float64]:
    """Squared amplitude of gg -> gluons and t tbar at leading order in QCD.

    Summed over helicities and colours of all partons, averaged over those of the incoming ones;
    alpha_s = 0.118 and m_t = 173 GeV, no factor for identical gluons.

    Parameters
    ----------
    momenta
        Shape (n, gluons + 4, 4): (E, px, py, pz) in GeV of the two incoming gluons, of the outgoing
        gluons (none, one or two), of the top and of the antitop, on their mass shells.

    Returns
    -------
    float64, shape (n,), in GeV^(-2 gluons)

    Raises
    ------
    ValueError
        If the shape does not fit.
    """
    events = np.ascontiguousarray(momenta, dtype=np.float64)
    if events.ndim != 3 or events.shape[1] not in (4, 5, 6) or events.shape[2] != 4:
        raise ValueError(f"momenta must have shape (n, 4 to 6, 4), not {events.shape}")
    values = np.empty(len(events))
    _ttbar_squared(events.shape[1] - 4)(events, values)
    return values


def gluon_kernel(method: int = RAMBO) -> Any:
    """Make the kernel of gg -> gggg with full colour, helicities by the last coordinate.

    Parameters
    ----------
    method
        Map of phase space, `RAMBO`, `TREE` or `RADIATION`.
    """
    program, masks, last, colour = GluonProcess.make(6)
    helicities = gluon_helicities(6)
    masses = np.zeros(4)
    energy = GLUON_ENERGY
    factor = PICOBARN * AVERAGE * 2.0 * G_SQUARED**4 / (2.0 * energy * energy * 24.0)

    @device
    def kernel(points, values):  # type: ignore[no-untyped-def]
        momenta = np.empty((6, 4))
        vectors = np.empty((6, 4), np.complex128)
        incoming(energy, momenta)
        number = len(helicities)
        for i in range(len(values)):
            weight = _map(method, points, i, masses, energy, momenta[2:])
            total = 0.0
            if weight > 0.0 and cut(momenta[2:], 4, PT_MIN, R_MIN):
                chosen = min(int(points[8, i] * number), number - 1)
                for k in range(6):
                    polarisation(momenta[k], helicities[chosen, k], vectors[k])
                total = number * gluon_sum(program, masks, last, colour, momenta, vectors)
            values[i] = factor * weight * total

    return kernel


def parke_taylor_orders(gluons: int) -> NDArray[np.int64]:
    """Orders of gluons on a circle, reflections left out.

    Returns
    -------
    int64, shape ((gluons - 1)! / 2, gluons)
    """
    orders = [(0, *rest) for rest in permutations(range(1, gluons)) if rest[0] < rest[-1]]
    return np.array(orders, np.int64)


@device
def parke_taylor(orders, momenta, products):  # type: ignore[no-untyped-def]
    """Parke and Taylor's |M|^2, summed over colours and helicities, without coupling g^(2 n - 4).

    The maximally helicity violating amplitudes at leading colour: all there is for four and five
    gluons (Phys. Rev. Lett. 56 (1986) 2459).

    Parameters
    ----------
    orders : int64
        From `parke_taylor_orders`.
    momenta : float64, shape (n, 4)
        All outgoing.
    products : float64, shape (n, n)
        Scratch.

    Returns
    -------
    float64, in GeV^(8 - 2 n)
    """
    n = len(momenta)
    numerator = 0.0
    for a in range(n):
        for b in range(a):
            s = momenta[a, 0] * momenta[b, 0]
            for mu in range(1, 4):
                s -= momenta[a, mu] * momenta[b, mu]
            s *= 2.0
            products[a, b] = products[b, a] = 1.0 / s
            numerator += s * s * s * s
    total = 0.0
    for k in range(len(orders)):
        term = products[orders[k, n - 1], orders[k, 0]]
        for j in range(1, n):
            term *= products[orders[k, j - 1], orders[k, j]]
        total += term
    # Twice for reflected orders, and twice for the mirrored helicities: four gluons have no others.
    copies = 2.0 if n == 4 else 4.0
    return copies * 8.0 * 3.0 ** (n - 2) * numerator * total


def mhv_kernel(method: int = RAMBO) -> Any:
    """Make the kernel of gg -> gggg in Parke and Taylor's form.

    Parameters
    ----------
    method
        Map of phase space, `RAMBO`, `TREE` or `RADIATION`.
    """
    orders = parke_taylor_orders(6)
    masses = np.zeros(4)
    energy = GLUON_ENERGY
    factor = PICOBARN * AVERAGE * G_SQUARED**4 / (2.0 * energy * energy * 24.0)

    @device
    def kernel(points, values):  # type: ignore[no-untyped-def]
        momenta = np.empty((6, 4))
        products = np.empty((6, 6))
        incoming(energy, momenta)
        for i in range(len(values)):
            weight = _map(method, points, i, masses, energy, momenta[2:])
            values[i] = 0.0
            if weight > 0.0 and cut(momenta[2:], 4, PT_MIN, R_MIN):
                values[i] = factor * weight * parke_taylor(orders, momenta, products)

    return kernel


# Dimensions, microseconds per point, description.
_INTEGRANDS = {
    "gg-ttg": (5, 20.0, "gg -> t tbar g at 1.5 TeV, summed over helicities, pb"),
    "gg-ttg-helicity": (6, 2.5, "gg -> t tbar g at 1.5 TeV, helicities as a coordinate, pb"),
    "gg-ttgg": (9, 12.0, "gg -> t tbar g g at 1.5 TeV, helicities as a coordinate, pb"),
    "gg-gggg-mhv": (8, 1.0, "gg -> gggg at 1 TeV, Parke and Taylor's amplitudes, pb"),
    "gg-gggg": (9, 14.0, "gg -> gggg at 1 TeV, full colour, helicities as a coordinate, pb"),
}

_SOURCE = "Nucl. Phys. B306 (1988) 759; arXiv:1308.2922"


def make_kernel(name: str, method: int = RAMBO) -> Any:
    """Make the kernel of an integrand of this module.

    Parameters
    ----------
    name
        For example ``gg-ttgg``.
    method
        Map of phase space: `RAMBO`, which the integrand has, `TREE` or `RADIATION`. The integral
        does not depend on it.
    """
    if name == "gg-gggg":
        return gluon_kernel(method)
    if name == "gg-gggg-mhv":
        return mhv_kernel(method)
    return ttbar_kernel(2 if name == "gg-ttgg" else 1, sampled=name != "gg-ttg", method=method)


def build(name: str) -> Integrand:
    """Make an integrand of this module.

    Parameters
    ----------
    name
        For example ``gg-ttgg``.

    Returns
    -------
    Integrand
    """
    dim, cost, description = _INTEGRANDS[name]
    return Integrand(
        name,
        dim,
        REFERENCES.get(name),
        cost,
        description,
        _SOURCE,
        kernel=make_kernel(name),
    )
