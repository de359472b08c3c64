"""Tables that predict data from distributions at Q0: coefficients folded with evolution."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ..bases import EVOLUTION, EVOLUTION_NF5, evolution_to_flavours
from ..bases import PIDS as BASIS_PIDS
from ..evolution import SECTORS, EvolutionTable
from ..grid import POINTS, lambert_grid
from ..settings import M_BOTTOM, Q0
from ..strong_coupling import alpha_s
from .coefficients import ORDERS, PIDS
from .dglap import Evolution

_POSITIVITY_Q = np.sqrt(5.0)
_FIGURE_Q = 100.0

SCALES = tuple(
    float(q)
    for q in (
        *(Q0, 1.9, _POSITIVITY_Q, 2.7, 3.3, 4.0),
        *(M_BOTTOM, 6.0, 7.5, 9.5, 12.5, 17.0, 24.0, 34.0, 48.0, 68.0, _FIGURE_Q),
        *(150.0, 230.0, 370.0, 600.0, 1000.0, 1700.0, 3000.0, 5500.0, 1e4, 2e4, 4e4, 1e5),
    )
)
"""Scales in GeV: Q0, where positivity is asked for, the threshold of bottom, and up to 100 TeV, at
distances that keep cubic interpolation in ln Q below 1e-4."""


def fold(
    coefficients: NDArray[np.float64],
    q2: NDArray[np.float64],
    evolution: Evolution,
    advance: Callable[[int], None],
) -> NDArray[np.float64]:
    """Fold coefficient functions with the evolution from Q0.

    Parameters
    ----------
    coefficients
        float64, shape (points, orders, 14, grid points), see `coefficients.coefficients`.
    q2
        float64, shape (points,), in GeV2.
    evolution
        Evolution from the grid to the grid.
    advance
        Called with the number of points that are finished.

    Returns
    -------
    numpy.ndarray
        float64, shape (points, 9, grid points): prediction per x f(x_k, Q0) in the evolution
        basis.
    """
    out = np.empty((len(q2), len(EVOLUTION), len(evolution.grid)))
    scales, where = np.unique(q2, return_inverse=True)
    rotation = _from_pids()
    for number, (scale, kernels) in enumerate(
        zip(scales, evolution.kernels(np.sqrt(scales)), strict=True)
    ):
        rows = np.flatnonzero(where == number)
        powers = (float(alpha_s(np.sqrt(scale))) / (4.0 * np.pi)) ** np.arange(ORDERS)
        at_q = np.einsum("o,iopj,pa->iaj", powers, coefficients[rows], rotation)
        out[rows] = _to_start(at_q, kernels)
        advance(len(rows))
    return out / evolution.grid  # the kernels act on f, distributions are given as x f


def identity_evolution() -> Evolution:
    """Evolution from the grid to itself."""
    grid = lambert_grid()
    return Evolution(grid, grid)


def evolution_table(advance: Callable[[int], None]) -> EvolutionTable:
    """Evolution from the grid at Q0 to the scales and points of an LHAPDF set.

    Parameters
    ----------
    advance
        Called with the number of scales that are finished.

    Returns
    -------
    EvolutionTable
        On a grid twice as fine.
    """
    grid = lambert_grid()
    fine = lambert_grid(2 * POINTS - 1)
    evolution = Evolution(fine, grid)
    kernels = []
    for found in evolution.kernels(SCALES):
        kernels.append((found * fine[:, None] / grid).astype(np.float32))
        advance(1)
    return EvolutionTable(np.array(SCALES), fine, grid, np.stack(kernels))


def _from_pids() -> NDArray[np.float64]:
    """From the columns of coefficients to the evolution basis with five flavours."""
    matrix = evolution_to_flavours()
    rotation = np.zeros((len(PIDS), len(EVOLUTION_NF5)))
    for row, pid in enumerate(PIDS):
        if pid in BASIS_PIDS:
            rotation[row] = matrix[BASIS_PIDS.index(pid)]
    return rotation


def _to_start(at_q: NDArray[np.float64], kernels: NDArray[np.float64]) -> NDArray[np.float64]:
    """From weights of the eleven distributions at Q to weights of the nine at Q0."""
    kernel = dict(zip(SECTORS, kernels, strict=True))
    at = {name: at_q[:, number] for number, name in enumerate(EVOLUTION_NF5)}
    out = np.empty((len(at_q), len(EVOLUTION), kernels.shape[-1]))
    start = {name: out[:, number] for number, name in enumerate(EVOLUTION)}
    for source, name in (("q", "Sigma"), ("g", "g")):
        start[name][:] = (
            at["Sigma"] @ kernel[f"q{source}"]
            + at["g"] @ kernel[f"g{source}"]
            + at["T24"] @ kernel[f"24{source}"]
        )
    start["V"][:] = (at["V"] + at["V24"]) @ kernel["ns-"]
    for name in ("V3", "V8", "V15"):
        start[name][:] = at[name] @ kernel["ns-"]
    for name in ("T3", "T8", "T15"):
        start[name][:] = at[name] @ kernel["ns+"]
    return out
