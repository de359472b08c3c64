"""Pp -> three particles at leading order: three gluons, and a Higgs boson from two W.

Two maps of phase space each. By default partonic energy and rapidity as for two particles, then
`phase_space.rambo` in the partonic centre of mass. The other one (``central``) samples transverse
momenta, rapidities and azimuths in the laboratory, and the momentum fractions follow.
"""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np

from ..lhapdf_interpolation import parton_densities
from .beams import GLUON, density_table, fractions
from .constants import (
    ALPHA_EM,
    BEAM_ENERGY,
    CKM,
    G_SQUARED,
    M_HIGGS,
    M_W,
    PICOBARN,
    SIN2_THETA,
)
from .integrand import Integrand
from .multiparton import AVERAGE, parke_taylor, parke_taylor_orders
from .phase_space import rambo
from .references import REFERENCES

__all__ = ["build", "higgs_squared", "make_kernel", "separated"]

PT_HARDEST, PT_SOFTEST, R_MIN = 100.0, 50.0, 0.7
"""Cuts on three gluons: pT of the hardest and of the softest in GeV, distance of any two."""

device = numba.njit(cache=True, nogil=True, error_model="numpy")


@device
def separated(momenta):  # type: ignore[no-untyped-def]
    """Whether three gluons pass the cuts; momenta of shape (3, 4), in any frame along the beam."""
    hardest = 0.0
    for a in range(3):
        pt2 = momenta[a, 1] ** 2 + momenta[a, 2] ** 2
        if pt2 < PT_SOFTEST * PT_SOFTEST:
            return False
        hardest = max(hardest, pt2)
    if hardest < PT_HARDEST * PT_HARDEST:
        return False
    for a in range(3):
        for b in range(a):
            p, q = momenta[a], momenta[b]
            dy = 0.5 * math.log((p[0] + p[3]) * (q[0] - q[3]) / ((p[0] - p[3]) * (q[0] + q[3])))
            dphi = math.atan2(p[1] * q[2] - p[2] * q[1], p[1] * q[1] + p[2] * q[2])
            if dy * dy + dphi * dphi < R_MIN * R_MIN:
                return False
    return True


@device
def _central(points, first, i, scale, pt_min, masses, momenta):  # type: ignore[no-untyped-def]
    """Fill three momenta in the laboratory from two transverse momenta and three rapidities.

    Parameters
    ----------
    points, first, i
        Coordinates from row ``first`` on: two transverse momenta, three rapidities, the azimuth of
        the second particle from the first, and that of the first if there is a row for it.
    scale : float64
        Transverse momenta are sampled as dpt^2 / (pt^2 + scale^2).
    pt_min : float64
        Smallest transverse momentum of the first two.
    masses : float64, shape (3,)
    momenta : float64, shape (3, 4)

    Returns
    -------
    x1, x2 : float64
    weight : float64
        dx1 dx2 dPhi_3 / (x1 x2), zero if the momentum fractions exceed one.
    """
    weight = 1.0
    px, py = 0.0, 0.0
    floor = pt_min * pt_min + scale * scale
    steps = math.log((0.25 * BEAM_ENERGY * BEAM_ENERGY + scale * scale) / floor)
    azimuth = 0.0
    plus, minus = 0.0, 0.0
    for k in range(3):
        if k < 2:
            value = floor * math.exp(steps * points[first + k, i])
            pt = math.sqrt(max(value - scale * scale, 1e-30))
            weight *= 0.5 * value * steps * 2.0 * math.pi
            # The second azimuth is one from the first, which is zero if there is no row for it.
            if k == 1:
                azimuth += 2.0 * math.pi * points[first + 5, i]
            elif len(points) > first + 6:
                azimuth = 2.0 * math.pi * points[first + 6, i]
            x, y = pt * math.cos(azimuth), pt * math.sin(azimuth)
        else:
            x, y = -px, -py
            pt = math.sqrt(x * x + y * y)
        px += x
        py += y
        transverse = math.sqrt(pt * pt + masses[k] * masses[k])
        edge = math.acosh(max(0.5 * BEAM_ENERGY / transverse, 1.0))
        rapidity = edge * (2.0 * points[first + 2 + k, i] - 1.0)
        weight *= edge
        momenta[k, 0] = transverse * math.cosh(rapidity)
        momenta[k, 1], momenta[k, 2] = x, y
        momenta[k, 3] = transverse * math.sinh(rapidity)
        plus += transverse * math.exp(rapidity)
        minus += transverse * math.exp(-rapidity)
    x1, x2 = plus / BEAM_ENERGY, minus / BEAM_ENERGY
    if x1 >= 1.0 or x2 >= 1.0:
        return 1.0, 1.0, 0.0
    # prod d^3p / ((2 pi)^3 2E) (2 pi)^4 delta^4: two of d^2pt dy / 2, one of dy / 2.
    square = x1 * x2 * BEAM_ENERGY * BEAM_ENERGY
    return x1, x2, weight * 2.0 / square / (2.0 * math.pi) ** 5


@device
def _invariant_frame(x1, x2, momenta):  # type: ignore[no-untyped-def]
    """Fill the first two rows with the incoming partons in the laboratory, reversed."""
    half = 0.5 * BEAM_ENERGY
    momenta[:2] = 0.0
    momenta[0, 0], momenta[0, 3] = -x1 * half, -x1 * half
    momenta[1, 0], momenta[1, 3] = -x2 * half, x2 * half


@device
def _centre_of_mass(energy, momenta):  # type: ignore[no-untyped-def]
    """Fill the first two rows with the incoming partons in their centre of mass, reversed."""
    half = 0.5 * energy
    momenta[:2] = 0.0
    momenta[0, 0], momenta[0, 3] = -half, -half
    momenta[1, 0], momenta[1, 3] = -half, half


def _three_gluons(central: bool) -> Any:
    log_x, table = density_table()
    orders = parke_taylor_orders(5)
    masses = np.zeros(3)
    coupling = PICOBARN * AVERAGE * G_SQUARED**3 / 6.0

    @device
    def kernel(points, values):  # type: ignore[no-untyped-def]
        one, two = np.empty(11), np.empty(11)
        momenta, products = np.empty((5, 4)), np.empty((5, 5))
        for i in range(len(values)):
            if central:
                x1, x2, weight = _central(points, 0, i, 0.0, PT_SOFTEST, masses, momenta[2:])
                s = x1 * x2 * BEAM_ENERGY * BEAM_ENERGY
                _invariant_frame(x1, x2, momenta)
            else:
                x1, x2, s, weight = fractions(points[0, i], points[1, i], 2.0 * PT_HARDEST)
                energy = math.sqrt(s)
                weight *= rambo(points, 2, i, masses, energy, momenta[2:])
                _centre_of_mass(energy, momenta)
            values[i] = 0.0
            if weight > 0.0 and separated(momenta[2:]):
                parton_densities(log_x, table, x1, one)
                parton_densities(log_x, table, x2, two)
                luminosity = one[GLUON] * two[GLUON]
                square = parke_taylor(orders, momenta, products)
                values[i] = coupling * weight * luminosity * square / (2.0 * s)

    return kernel


@device
def _dot(p, q):  # type: ignore[no-untyped-def]
    return p[0] * q[0] - p[1] * q[1] - p[2] * q[2] - p[3] * q[3]


@device
def higgs_squared(momenta):  # type: ignore[no-untyped-def]
    """Average |M|^2 of q q' -> q q' H through two W, and of q qbar' -> q qbar' H, for V = 1.

    Parameters
    ----------
    momenta : float64, shape (5, 4)
        Incoming partons, reversed; what becomes of the first and of the second; Higgs boson.

    Returns
    -------
    same, opposite : float64
        In GeV^-2: for two quarks (or two antiquarks), and for a quark and an antiquark.
    """
    weak = 4.0 * math.pi * ALPHA_EM / SIN2_THETA
    first = 2.0 * _dot(momenta[0], momenta[2]) - M_W * M_W
    second = 2.0 * _dot(momenta[1], momenta[3]) - M_W * M_W
    norm = weak**3 * M_W * M_W / (first * first * second * second)
    same = _dot(momenta[0], momenta[1]) * _dot(momenta[2], momenta[3])
    opposite = _dot(momenta[0], momenta[3]) * _dot(momenta[1], momenta[2])
    return norm * same, norm * opposite


def _higgs(central: bool, crossed: bool = True) -> Any:
    log_x, table = density_table()
    squares = np.array(CKM) ** 2
    # Sum over what a quark of code 1 to 5 may become, top excluded.
    into = np.zeros(6)
    for column, code in enumerate((1, 3, 5)):
        into[code] = squares[:2, column].sum()
    for row, code in enumerate((2, 4)):
        into[code] = squares[row].sum()
    masses = np.array([0.0, 0.0, M_HIGGS])

    @device
    def kernel(points, values):  # type: ignore[no-untyped-def]
        one, two = np.empty(11), np.empty(11)
        momenta = np.empty((5, 4))
        partial = np.zeros((5, 1))
        for i in range(len(values)):
            if central:
                x1, x2, weight = _central(points, 0, i, M_W, 0.0, masses, momenta[2:])
                s = x1 * x2 * BEAM_ENERGY * BEAM_ENERGY
                _invariant_frame(x1, x2, momenta)
            else:
                x1, x2, s, weight = fractions(points[0, i], points[1, i], M_HIGGS)
                # Everything may be turned about the beam: the first azimuth stays zero.
                partial[0, 0], partial[1, 0] = points[2, i], points[3, i]
                partial[3, 0], partial[4, 0] = points[4, i], points[5, i]
                energy = math.sqrt(s)
                if energy <= M_HIGGS:
                    energy = M_HIGGS * (1.0 + 1e-12)
                weight *= rambo(partial, 0, 0, masses, energy, momenta[2:])
                _centre_of_mass(energy, momenta)
            values[i] = 0.0
            if weight > 0.0:
                parton_densities(log_x, table, x1, one)
                parton_densities(log_x, table, x2, two)
                # A W+ from one and a W- from the other: charges summed by sign.
                up1, down1, up2, down2 = 0.0, 0.0, 0.0, 0.0
                anti_up1, anti_down1, anti_up2, anti_down2 = 0.0, 0.0, 0.0, 0.0
                for q in (2, 4):
                    up1 += into[q] * one[GLUON + q]
                    up2 += into[q] * two[GLUON + q]
                    anti_up1 += into[q] * one[GLUON - q]
                    anti_up2 += into[q] * two[GLUON - q]
                for q in (1, 3, 5):
                    down1 += into[q] * one[GLUON + q]
                    down2 += into[q] * two[GLUON + q]
                    anti_down1 += into[q] * one[GLUON - q]
                    anti_down2 += into[q] * two[GLUON - q]
                same = up1 * down2 + down1 * up2 + anti_up1 * anti_down2 + anti_down1 * anti_up2
                mixed = up1 * anti_up2 + anti_up1 * up2 + down1 * anti_down2 + anti_down1 * down2
                equal, opposite = higgs_squared(momenta)
                if not crossed:
                    opposite = equal
                square = same * equal + mixed * opposite
                values[i] = PICOBARN * weight * square / (2.0 * s)

    return kernel


def make_kernel(name: str, central: bool = False) -> Any:
    """Make the kernel of an integrand of this module.

    Parameters
    ----------
    name
        gg-ggg, vbf-h, or vbf-h-uncrossed: the last with the formula of two quarks for a quark and
        an antiquark too, as Pythia 8.3 has it; only for comparison.
    central
        The other map of phase space. The integral does not depend on it.
    """
    if name == "gg-ggg":
        return _three_gluons(central)
    return _higgs(central, crossed=name == "vbf-h")


def build(name: str) -> Integrand:
    """Make an integrand of this module.

    Parameters
    ----------
    name
        gg-ggg or vbf-h.

    Returns
    -------
    Integrand
    """
    dim, description, source = {
        "gg-ggg": (
            7,
            "pp -> ggg through gluons, pT1 > 100 GeV, pT3 > 50 GeV, R > 0.7, pb",
            "Phys. Rev. Lett. 56 (1986) 2459",
        ),
        "vbf-h": (
            6,
            "pp -> H and two quarks through W W, m_H = 125 GeV, pb",
            "Phys. Lett. B148 (1984) 367",
        ),
    }[name]
    return Integrand(
        name, dim, REFERENCES.get(name), 1.0, description, source, kernel=make_kernel(name)
    )
