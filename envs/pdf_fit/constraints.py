"""What distributions must satisfy beside the data: positivity and integrability."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...datasets.parton_distributions.bases import EVOLUTION, PIDS, to_flavours
from ...datasets.parton_distributions.evolution import EvolutionTable

INTEGRABLE = ("T3", "T8")
SMALL_X_POINTS = 3
"""At this many of the grid's smallest points x T3 and x T8 must be close to zero."""

POSITIVITY_THRESHOLD = 1e-6
"""Positivity holds where its penalty, without multiplier, is below."""

INTEGRABILITY_THRESHOLD = 0.5
"""The sum of |x T3| + |x T8| over those points must be below."""

POSITIVITY_SLOPE = 1e-7
"""Slope at zero of the penalty of positive values."""

CHI2_LIMIT = 1e6
"""chi2 per point is not reported above; also where a sum rule cannot be imposed."""

POSITIVE = (2, -2, 1, -1, 3, -3, 21)
"""Partons that must not be negative."""

POSITIVITY_Q = 5.0**0.5
"""Scale in GeV at which partons must not be negative."""

POSITIVITY_X = np.concatenate([np.geomspace(5e-7, 0.1, 10), np.linspace(0.1, 0.9, 11)[1:]])
"""Where: the twenty points of NNPDF4.0, ten up to 0.1, even in ln x, and ten above, even in x."""


def positivity_rows(table: EvolutionTable, q: float = POSITIVITY_Q) -> NDArray[np.float64]:
    """Rows that give x f of single partons at a scale.

    Parameters
    ----------
    table
        The evolution.
    q
        One of its scales, in GeV.

    Returns
    -------
    numpy.ndarray
        float64, shape (7 * 20, 9 * grid): u, ubar, d, dbar, s, sbar, g at twenty points in x.
    """
    evolved = table.operator(q, POSITIVITY_X)
    n, grid = len(POSITIVITY_X), len(table.x_grid)
    flat = evolved.reshape(len(evolved), -1)
    partons = to_flavours(flat)[[PIDS.index(pid) for pid in POSITIVE]]
    return partons.reshape(len(POSITIVE) * n, len(EVOLUTION) * grid)


def positivity_at_q0(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rows that give x f of single partons at the fit's own scale.

    Parameters
    ----------
    x
        float64, shape (grid,): the grid; its last point, x = 1, is left out.

    Returns
    -------
    numpy.ndarray
        float64, shape (7 * (grid - 1), 9 * grid): u, ubar, d, dbar, s, sbar, g at every point.
    """
    partons = to_flavours(np.eye(len(EVOLUTION)))[[PIDS.index(pid) for pid in POSITIVE]]
    points = np.eye(len(x))[:-1]
    return np.einsum("pe,kx->pkex", partons, points).reshape(
        len(POSITIVE) * (len(x) - 1), len(EVOLUTION) * len(x)
    )


@dataclass(frozen=True, eq=False)
class Constraints:
    """Positivity of some linear functions of the distributions.

    Attributes
    ----------
    positivity
        float64, shape (m, 9 * grid): rows whose products with x f must not be negative.
    """

    positivity: NDArray[np.float64]

    def positivity_penalty(self, f: NDArray[np.floating[Any]]) -> NDArray[Any]:
        """Sum of elu(-O) with slope 1e-7 over the rows.

        Parameters
        ----------
        f
            Shape (..., 9 * grid).

        Returns
        -------
        numpy.ndarray
            Shape (...): below `POSITIVITY_THRESHOLD` where positivity holds.
        """
        minus = -(f @ self.positivity.T.astype(f.dtype))
        return np.where(minus > 0, minus, POSITIVITY_SLOPE * np.expm1(np.minimum(minus, 0))).sum(
            axis=-1
        )


def integrability(f: NDArray[np.floating[Any]]) -> NDArray[Any]:
    """Sum of |x T3| + |x T8| over the grid's smallest points.

    Parameters
    ----------
    f
        Shape (..., 9, grid): x f in the order of `bases.EVOLUTION`.

    Returns
    -------
    numpy.ndarray
        Shape (...): below `INTEGRABILITY_THRESHOLD` where both are integrable.
    """
    rows = [EVOLUTION.index(name) for name in INTEGRABLE]
    return np.abs(f[..., rows, :SMALL_X_POINTS]).sum(axis=(-2, -1))
