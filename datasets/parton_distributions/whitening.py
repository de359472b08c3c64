"""Data and tables in units of their errors, with all correlations kept.

With C = L L^T and rows multiplied by L^-1 the chi2 is a plain sum of squares. Predictions of most
points are linear in the distributions, so their table can be multiplied once for a whole fit. Those
that are ratios cannot: they come first in the order of the factor L, so that linear points do not
enter their rows, and their columns of L^-1 are kept.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import DatasetError
from .bases import EVOLUTION, all_nine
from .data import DISData


@dataclass(frozen=True, eq=False)
class WhitenedData:
    """Points in the order of the factor, ratios first, in units of their errors.

    The residuals are ``central - ratio_factor @ ratios - (zeros of the ratio rows, linear @ xf)``,
    their sum of squares is the chi2.

    Attributes
    ----------
    order : numpy.ndarray
        int64, shape (points,): position in the data of each row.
    central : numpy.ndarray
        float64, shape (points,): L^-1 times the measured values.
    ratio_factor : numpy.ndarray
        float64, shape (points, ratios): columns of L^-1 that multiply predicted ratios.
    numerator, denominator : numpy.ndarray
        float64, shape (ratios, 9, grid points).
    linear : numpy.ndarray
        float64, shape (points - ratios, 9, grid points): the other rows of L^-1 times the table.
    """

    order: NDArray[np.int64]
    central: NDArray[np.float64]
    ratio_factor: NDArray[np.float64]
    numerator: NDArray[np.float64]
    denominator: NDArray[np.float64]
    linear: NDArray[np.float64]

    def residuals(self, xf: ArrayLike) -> NDArray[np.float64]:
        """Compute (data - prediction) in units of the errors.

        Parameters
        ----------
        xf
            x f at Q0 on the grid, shape (..., 9 or 8, grid points), see `data.DISData.predict`.

        Returns
        -------
        numpy.ndarray
            float64, shape (..., points), uncorrelated with variance 1 if the prediction is right.
        """
        values = all_nine(np.asarray(xf, np.float64))
        flat = values.reshape(*values.shape[:-2], -1)
        ratios = flat @ _rows(self.numerator).T / (flat @ _rows(self.denominator).T)
        out = self.central - ratios @ self.ratio_factor.T
        out[..., ratios.shape[-1] :] -= flat @ _rows(self.linear).T
        return out

    def chi2(self, xf: ArrayLike) -> NDArray[np.float64]:
        """Compute the chi2, not divided by the number of points; shape (...)."""
        return np.asarray((self.residuals(xf) ** 2).sum(axis=-1))


def whiten(data: DISData, covariance: ArrayLike) -> WhitenedData:
    """Express data and tables in units of their errors.

    Parameters
    ----------
    data
        The data.
    covariance
        float64, shape (points, points), symmetric and positive definite.

    Returns
    -------
    WhitenedData

    Raises
    ------
    DatasetError
        If the covariance has another shape or is not positive definite.
    """
    matrix = np.asarray(covariance, np.float64)
    if matrix.shape != (len(data), len(data)):
        raise DatasetError(
            f"the covariance has shape {matrix.shape}, expected {(len(data), len(data))}"
        )
    linear_rows = np.setdiff1d(np.arange(len(data)), data.ratio_rows)
    order = np.concatenate([data.ratio_rows, linear_rows])
    ratios = len(data.ratio_rows)
    try:
        factor = np.linalg.cholesky(matrix[np.ix_(order, order)])
    except np.linalg.LinAlgError:
        raise DatasetError("the covariance is not positive definite") from None
    basis = (len(EVOLUTION), len(data.x_grid))
    # One triangular solve for everything: the values, the ratios' columns, and the table.
    right = np.zeros((len(data), 1 + ratios + basis[0] * basis[1]))
    right[:, 0] = data.central[order]
    right[:ratios, 1 : 1 + ratios] = np.eye(ratios)
    right[ratios:, 1 + ratios :] = _rows(data.table[linear_rows].astype(np.float64))
    solved = solve_lower(factor, right)
    return WhitenedData(
        order=order,
        central=solved[:, 0],
        ratio_factor=solved[:, 1 : 1 + ratios],
        numerator=data.table[data.ratio_rows].astype(np.float64),
        denominator=data.denominator.astype(np.float64),
        linear=solved[ratios:, 1 + ratios :].reshape(-1, *basis),
    )


def solve_lower(
    factor: NDArray[np.float64], right: NDArray[np.float64], block: int = 128
) -> NDArray[np.float64]:
    """Solve L x = b for a lower triangular L, by blocks of rows.

    Parameters
    ----------
    factor
        float64, shape (n, n), lower triangular.
    right
        float64, shape (n, columns).
    block
        Rows of a block.

    Returns
    -------
    numpy.ndarray
        float64, shape (n, columns).
    """
    out = np.array(right, np.float64)
    for start in range(0, len(factor), block):
        rows = slice(start, start + block)
        if start:
            out[rows] -= factor[rows, :start] @ out[:start]
        out[rows] = np.linalg.solve(factor[rows, rows], out[rows])
    return out


def _rows(table: NDArray[np.float64]) -> NDArray[np.float64]:
    return table.reshape(len(table), table.shape[1] * table.shape[2])
