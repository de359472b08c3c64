"""Pp -> two particles at leading order: top pairs, gluon pairs, single top.

Three dimensions: partonic energy, rapidity, polar angle.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numba
import numpy as np

from ..lhapdf_interpolation import parton_densities
from .beams import GLUON, density_table, fractions
from .constants import ALPHA_EM, CKM, G_SQUARED, M_TOP, M_W, PICOBARN, SIN2_THETA
from .integrand import Integrand
from .references import REFERENCES

__all__ = ["build", "gg_gg", "gg_tt", "qq_tt", "single_top"]

GLUON_PT_MIN = 100.0
"""Smallest transverse momentum in gg -> gg, in GeV."""

device = numba.njit(cache=True, nogil=True, error_model="numpy")


@device
def gg_tt(s, tau1, tau2):  # type: ignore[no-untyped-def]
    """Average |M|^2 / g^4 of gg -> t tbar.

    Parameters
    ----------
    s, tau1, tau2 : float64
        Energy squared in GeV^2; 2 p.k / s of one gluon with top and antitop.
    """
    rho = 4.0 * M_TOP * M_TOP / s
    product = tau1 * tau2
    angles = tau1 * tau1 + tau2 * tau2 + rho - rho * rho / (4.0 * product)
    return (1.0 / (6.0 * product) - 0.375) * angles


@device
def qq_tt(s, tau1, tau2):  # type: ignore[no-untyped-def]
    """Average |M|^2 / g^4 of q qbar -> t tbar; arguments as for `gg_tt`."""
    return 4.0 / 9.0 * (tau1 * tau1 + tau2 * tau2 + 2.0 * M_TOP * M_TOP / s)


@device
def gg_gg(s, t, u):  # type: ignore[no-untyped-def]
    """Average |M|^2 / g^4 of gg -> gg, without the factor for identical gluons."""
    return 4.5 * (3.0 - t * u / (s * s) - s * u / (t * t) - s * t / (u * u))


@device
def single_top(s, t, first, second):  # type: ignore[no-untyped-def]
    """Differential cross section d sigma / dt of q b -> q' t through a W, in GeV^-4, V = 1.

    Parameters
    ----------
    s, t : float64
        In GeV^2.
    first, second : float64
        s and s - m_t^2; with an incoming antiquark u and u - m_t^2.
    """
    weak = math.pi * ALPHA_EM * ALPHA_EM / (4.0 * SIN2_THETA * SIN2_THETA)
    propagator = t - M_W * M_W
    return weak * first * second / (s * s * propagator * propagator)


def _top_pairs(quarks: bool) -> Any:
    log_x, table = density_table()

    @device
    def kernel(points, values):  # type: ignore[no-untyped-def]
        one, two = np.empty(11), np.empty(11)
        for i in range(len(values)):
            x1, x2, s, weight = fractions(points[0, i], points[1, i], 2.0 * M_TOP)
            beta = math.sqrt(max(0.0, 1.0 - 4.0 * M_TOP * M_TOP / s))
            along = beta * (2.0 * points[2, i] - 1.0)
            tau1, tau2 = 0.5 * (1.0 - along), 0.5 * (1.0 + along)
            parton_densities(log_x, table, x1, one)
            parton_densities(log_x, table, x2, two)
            if quarks:
                luminosity = 0.0
                for q in range(1, 6):
                    luminosity += one[GLUON + q] * two[GLUON - q] + one[GLUON - q] * two[GLUON + q]
                square = luminosity * qq_tt(s, tau1, tau2)
            else:
                square = one[GLUON] * two[GLUON] * gg_tt(s, tau1, tau2)
            volume = beta / (8.0 * math.pi)
            values[i] = PICOBARN * weight * G_SQUARED * G_SQUARED * square * volume / (2.0 * s)

    return kernel


def _gluon_pairs() -> Any:
    log_x, table = density_table()

    @device
    def kernel(points, values):  # type: ignore[no-untyped-def]
        one, two = np.empty(11), np.empty(11)
        for i in range(len(values)):
            x1, x2, s, weight = fractions(points[0, i], points[1, i], 2.0 * GLUON_PT_MIN)
            most = math.sqrt(max(0.0, 1.0 - 4.0 * GLUON_PT_MIN * GLUON_PT_MIN / s))
            cosine = most * (2.0 * points[2, i] - 1.0)
            t, u = -0.5 * s * (1.0 - cosine), -0.5 * s * (1.0 + cosine)
            parton_densities(log_x, table, x1, one)
            parton_densities(log_x, table, x2, two)
            square = one[GLUON] * two[GLUON] * gg_gg(s, t, u)
            volume = 0.5 * most / (8.0 * math.pi)
            values[i] = PICOBARN * weight * G_SQUARED * G_SQUARED * square * volume / (2.0 * s)

    return kernel


def _top_luminosity() -> Any:
    """Make the function of the densities that single top production needs."""
    squares = np.array(CKM) ** 2
    # What turns into a top, and what becomes of the light quark, by quark code 1 to 5.
    to_top = np.array([0.0, squares[2, 0], 0.0, squares[2, 1], 0.0, squares[2, 2]])
    light = np.zeros(6)
    for column, code in enumerate((1, 3, 5)):
        light[code] = squares[:2, column].sum()
    for row, code in enumerate((2, 4)):
        light[code] = squares[row].sum()
    return to_top, light


def _single_top() -> Any:
    log_x, table = density_table()
    to_top, light = _top_luminosity()

    @device
    def kernel(points, values):  # type: ignore[no-untyped-def]
        one, two = np.empty(11), np.empty(11)
        mass2 = M_TOP * M_TOP
        for i in range(len(values)):
            x1, x2, s, weight = fractions(points[0, i], points[1, i], M_TOP)
            parton_densities(log_x, table, x1, one)
            parton_densities(log_x, table, x2, two)
            same, opposite = 0.0, 0.0
            for side in range(2):
                heavy, other = (one, two) if side == 0 else (two, one)
                for sign in (-1, 1):
                    for q in (1, 3, 5):
                        f = to_top[q] * heavy[GLUON + sign * q]
                        for k in (2, 4):
                            same += f * light[k] * other[GLUON + sign * k]
                        for k in (1, 3, 5):
                            if q != 5 or k != 5:
                                opposite += f * light[k] * other[GLUON - sign * k]
            # The W takes t from the parton that becomes the top: uniform in the top's polar angle.
            range_t = s - mass2
            t = (points[2, i] - 1.0) * range_t
            u = mass2 - s - t
            found = same * single_top(s, t, s, s - mass2)
            found += opposite * single_top(s, t, u, u - mass2)
            values[i] = PICOBARN * weight * range_t * found

    return kernel


_INTEGRANDS: dict[str, tuple[Callable[[], Any], str, str]] = {
    "gg-tt": (
        lambda: _top_pairs(False),
        "pp -> t tbar through gluons, pb",
        "Phys. Lett. B70 (1977) 448",
    ),
    "qq-tt": (
        lambda: _top_pairs(True),
        "pp -> t tbar through quarks, pb",
        "Phys. Lett. B70 (1977) 448",
    ),
    "gg-gg": (
        _gluon_pairs,
        "pp -> gg through gluons, pT > 100 GeV, pb",
        "Phys. Lett. B70 (1977) 234",
    ),
    "single-top": (
        _single_top,
        "pp -> t or tbar and a quark through a W in the t-channel, pb",
        "Phys. Rev. D34 (1986) 155",
    ),
}


def build(name: str) -> Integrand:
    """Make an integrand of this module.

    Parameters
    ----------
    name
        gg-tt, qq-tt, gg-gg or single-top.

    Returns
    -------
    Integrand
    """
    make, description, source = _INTEGRANDS[name]
    tensorflow = None
    if name == "gg-tt":

        def tensorflow(points: Any) -> Any:
            from . import hadronic_tensorflow

            return hadronic_tensorflow.gg_tt(points)

    return Integrand(
        name,
        3,
        REFERENCES.get(name),
        0.2,
        description,
        source,
        kernel=make(),
        tensorflow=tensorflow,
    )
