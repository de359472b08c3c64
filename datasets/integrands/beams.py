"""Protons: momentum fractions from the unit square, and parton densities at the fixed scale."""

from __future__ import annotations

import math
from functools import cache

import numba
import numpy as np
from numpy.typing import NDArray

from ..lhapdf_grid import pythia_grid
from .constants import BEAM_ENERGY, PDF, SCALE

__all__ = ["FLAVOURS", "GLUON", "density_table", "fractions"]

FLAVOURS = (-5, -4, -3, -2, -1, 21, 1, 2, 3, 4, 5)
"""Order of the densities: a quark of code f is at GLUON + f."""

GLUON = 5
"""Position of the gluon."""

device = numba.njit(cache=True, nogil=True, error_model="numpy")


@cache
def density_table() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Table of x f(x) for `hepgym.datasets.lhapdf_interpolation.parton_densities`.

    Returns
    -------
    log_x, table
        See `hepgym.datasets.lhapdf_grid.LHAPDFGrid.at_scale`.
    """
    grid = pythia_grid(PDF)
    assert grid.flavours == FLAVOURS
    return grid.at_scale(SCALE, interpolation="pythia")


@device
def fractions(r_tau, r_y, mass_min):  # type: ignore[no-untyped-def]
    """Momentum fractions, logarithmic in their product and uniform in rapidity.

    Parameters
    ----------
    r_tau, r_y : float64
        In [0, 1].
    mass_min : float64
        Smallest partonic energy in GeV.

    Returns
    -------
    x1, x2 : float64
    square : float64
        Partonic energy squared, in GeV^2.
    weight : float64
        dx1 dx2 / (x1 x2) over dr dr: for densities x f(x).
    """
    least = (mass_min / BEAM_ENERGY) ** 2
    range_tau = -math.log(least)
    # Written so that r = 1 gives exactly the whole energy.
    log_tau = (r_tau - 1.0) * range_tau
    tau = math.exp(log_tau)
    y = (0.5 - r_y) * log_tau
    root = math.exp(0.5 * log_tau)
    x1 = min(root * math.exp(y), 1.0)
    x2 = min(root * math.exp(-y), 1.0)
    return x1, x2, tau * BEAM_ENERGY * BEAM_ENERGY, range_tau * -log_tau
