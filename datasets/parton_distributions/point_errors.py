"""Errors of points: those of each point alone, and sources that move many points together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class PointErrors:
    """Covariance as a diagonal and few sources: C = diag(alone) + correlated correlated^T.

    Points are thousands, sources hundreds: what is done with C this way needs neither its memory
    nor its Cholesky factor.

    Attributes
    ----------
    alone
        float64, shape (n,): variance of each point by itself.
    correlated
        float64, shape (n, sources): effect of one standard deviation of each source.

    Raises
    ------
    ValueError
        If a point has no error of its own.
    """

    alone: NDArray[np.float64]
    correlated: NDArray[np.float64]

    def __post_init__(self) -> None:
        if not (self.alone > 0).all():
            raise ValueError(
                f"point {int(np.flatnonzero(~(self.alone > 0))[0])} has no error of its own: a fit "
                "needs a statistical or uncorrelated error above 0 for every point"
            )

    def __len__(self) -> int:
        return len(self.alone)

    def matrix(self) -> NDArray[np.float64]:
        """Covariance matrix, float64, shape (n, n)."""
        return covariance_matrix(self.alone, self.correlated)

    def whitened(
        self, values: NDArray[np.float64], rows: NDArray[Any] | slice = slice(None)
    ) -> NDArray[np.float64]:
        """Multiply with the inverse square root of the covariance of some points.

        With V = correlated / sqrt(alone) it is (1 + V V^T)^(-1/2) / sqrt(alone), and
        (1 + V V^T)^(-1/2) = 1 - V M V^T, where M follows from the eigenvalues t of V^T V:
        1 / (1 + t + sqrt(1 + t)) in their basis.

        Parameters
        ----------
        values
            float64, shape (rows, columns).
        rows
            Which points.

        Returns
        -------
        numpy.ndarray
            float64, shape (rows, columns): the sum of squares of a column is its chi2.
        """
        scale = 1.0 / np.sqrt(self.alone[rows])
        spread = self.correlated[rows] * scale[:, None]
        eigenvalues, basis = np.linalg.eigh(spread.T @ spread)
        one = 1.0 + np.maximum(eigenvalues, 0.0)
        out = values * scale[:, None]
        inner = basis.T @ (spread.T @ out)
        inner /= (one + np.sqrt(one))[:, None]
        out -= spread @ (basis @ inner)
        return out


def covariance_matrix(
    alone: NDArray[np.float64], correlated: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Covariance of the attributes of `PointErrors`, float64, shape (n, n); any may vanish."""
    out = correlated @ correlated.T
    out[np.diag_indices_from(out)] += alone
    return out
