"""Data and theory in the form in which fits use them."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...datasets.parton_distributions.bases import EVOLUTION, FITTED, onto_fitted
from ...datasets.parton_distributions.point_errors import PointErrors

TOLERANCE = 1e-4
"""Singular values of a quadratic form below which directions are left out."""


@dataclass(frozen=True, eq=False)
class FitData:
    """Measured values, their covariance, and the tables that predict them.

    Attributes
    ----------
    x
        float64, shape (points of the grid,): where tables want the distributions.
    table
        float64, shape (n, 9 * grid): predictions are ``table @ f`` with f of shape (9, grid), in
        the order of `bases.EVOLUTION`, flattened. For ratios the numerators.
    ratio
        int64: rows that are ratios.
    denominator
        float64, shape (ratios, 9 * grid).
    central
        float64, shape (n,): measured values.
    errors
        Of the values: what a fit minimises chi2 with.
    experiment
        int64, shape (n,): number of the experiment that measured each value.
    experiments
        Names of the experiments.
    measured_x
        float64, shape (n,): x of each measured value; None if it is not known.
    """

    x: NDArray[np.float64]
    table: NDArray[np.float64]
    ratio: NDArray[np.int64]
    denominator: NDArray[np.float64]
    central: NDArray[np.float64]
    errors: PointErrors
    experiment: NDArray[np.int64]
    experiments: tuple[str, ...]
    measured_x: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        n, columns = len(self.central), len(EVOLUTION) * len(self.x)
        shapes: dict[str, tuple[int, ...]] = {
            "table": (n, columns),
            "denominator": (len(self.ratio), columns),
            "experiment": (n,),
        }
        if len(self.errors) != n:
            raise ValueError(f"errors are those of {len(self.errors)} values, there are {n}")
        for name, shape in shapes.items():
            if getattr(self, name).shape != shape:
                raise ValueError(
                    f"{name} has the shape {getattr(self, name).shape}, it must be {shape}"
                )

    def __len__(self) -> int:
        return len(self.central)

    def predictions(self, f: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """Predicted values.

        Parameters
        ----------
        f
            Shape (..., 9 * grid): x f on the grid.

        Returns
        -------
        numpy.ndarray
            float64, shape (..., n).
        """
        out = np.asarray(f, np.float64) @ self.table.T
        if len(self.ratio):
            out[..., self.ratio] /= np.asarray(f, np.float64) @ self.denominator.T
        return out

    def ratios(self, f: NDArray[np.floating[Any]]) -> NDArray[Any]:
        """Predicted ratios, shape (..., ratios), in the precision of ``f``.

        ``f`` has the shape (..., 9 * grid), or (..., 8 * grid) in the order of `bases.FITTED`.
        """
        tables = self.ratio_tables
        if f.shape[-1] < len(tables):
            tables = self._fitted_ratio_tables
        both = f @ tables.astype(f.dtype, copy=False)
        half = both.shape[-1] // 2
        return both[..., :half] / both[..., half:]

    @functools.cached_property
    def ratio_tables(self) -> NDArray[np.float32]:
        """float32, shape (9 * grid, 2 * ratios): tables of numerators, then of denominators."""
        both = np.concatenate([self.table[self.ratio], self.denominator])
        return np.ascontiguousarray(both.T.astype(np.float32))

    @functools.cached_property
    def _fitted_ratio_tables(self) -> NDArray[np.float32]:
        return np.ascontiguousarray(onto_fitted_columns(self.ratio_tables.T, len(self.x)).T)

    def chi2(
        self,
        f: NDArray[np.floating[Any]],
        rows: NDArray[Any] | slice = slice(None),
        values: NDArray[np.float64] | None = None,
        errors: PointErrors | None = None,
    ) -> NDArray[np.float64]:
        """chi2 in double precision, without any precomputation.

        Parameters
        ----------
        f
            Shape (..., 9 * grid).
        rows
            Which values; the rest is ignored, correlations among them are kept.
        values
            Values instead of the measured ones, shape (n,).
        errors
            Errors instead of those of the fit.

        Returns
        -------
        numpy.ndarray
            float64, shape (...): chi2, not divided by the number of values.
        """
        residual = (self.predictions(f) - (self.central if values is None else values))[..., rows]
        flat = residual.reshape(-1, residual.shape[-1]).T
        white = (errors or self.errors).whitened(flat, rows)
        return np.einsum("ij,ij->j", white, white).reshape(residual.shape[:-1])

    @functools.cached_property
    def rank(self) -> int:
        """Rows that the quadratic form of any part of the values can have, at the most.

        Leaving values out never makes a direction of z better constrained.
        """
        everything = np.arange(len(self))
        return len(quadratic_form(self, everything, self.central, TOLERANCE).target)

    def quadratic_form(
        self, rows: NDArray[np.int64], values: NDArray[np.float64], tolerance: float = TOLERANCE
    ) -> QuadraticForm:
        """chi2 of some values as a sum of few squares, see `QuadraticForm`.

        Parameters
        ----------
        rows
            int64: which values.
        values
            float64, shape (n,): measured values or those of a replica.
        tolerance
            Directions in which a unit of x f changes no residual by more are left out.

        Returns
        -------
        QuadraticForm
        """
        return quadratic_form(self, rows, values, tolerance)


@dataclass(frozen=True, eq=False)
class QuadraticForm:
    """chi2 = |matrix z - target|^2 + constant, with z = (x f on the grid, predicted ratios).

    Every prediction is linear in z, so the square root of the inverse covariance and the tables
    are multiplied once and for all. All correlations are kept, also those between ratios and
    other values. The matrix has as many rows as the data constrain directions of z: a few
    hundred, however many values there are.

    Attributes
    ----------
    matrix
        float64, shape (rows, 9 * grid + ratios).
    target
        float64, shape (rows,).
    constant
        The part of chi2 that no distribution can change.
    values
        Number of values.
    """

    matrix: NDArray[np.float64]
    target: NDArray[np.float64]
    constant: float
    values: int

    def per_point(self, z: NDArray[np.float64]) -> float:
        """chi2 per value of one set of distributions; 0 if there are no values.

        Parameters
        ----------
        z
            float64, shape (9 * grid + ratios,).

        Returns
        -------
        float
        """
        residual = self.matrix @ z - self.target
        return float(residual @ residual + self.constant) / max(self.values, 1)


def onto_fitted_columns(matrix: NDArray[np.floating[Any]], grid: int) -> NDArray[Any]:
    """Columns that multiply the eight fitted distributions from those of the nine.

    Parameters
    ----------
    matrix
        Shape (rows, 9 * grid + others).
    grid
        Points of the grid.

    Returns
    -------
    numpy.ndarray
        Shape (rows, 8 * grid + others), see `bases.onto_fitted`.
    """
    nine = len(EVOLUTION) * grid
    folded = onto_fitted(matrix[:, :nine].reshape(len(matrix), len(EVOLUTION), grid))
    return np.concatenate([folded.reshape(len(matrix), len(FITTED) * grid), matrix[:, nine:]], 1)


def quadratic_form(
    data: FitData, rows: NDArray[np.int64], values: NDArray[np.float64], tolerance: float
) -> QuadraticForm:
    """See `FitData.quadratic_form`."""
    columns = data.table.shape[1]
    ratios = len(data.ratio)
    system = np.zeros((len(rows), columns + ratios + 1))
    system[:, :columns] = data.table[rows]
    where = {int(row): number for number, row in enumerate(data.ratio)}
    for position, row in enumerate(rows.tolist()):
        if row in where:
            system[position, :columns] = 0.0
            system[position, columns + where[row]] = 1.0
    system[:, -1] = values[rows]
    # Columns may be zero (points of x that no value sees): that does QR no harm.
    decompose: Any = np.linalg.qr  # NumPy's types know only one of its results
    triangle: NDArray[np.float64] = decompose(data.errors.whitened(system, rows), mode="r")
    left, strength, right = np.linalg.svd(triangle[:, :-1], full_matrices=False)
    kept = strength > tolerance
    target = left.T @ triangle[:, -1]
    constant = float(triangle[:, -1] @ triangle[:, -1] - target[kept] @ target[kept])
    return QuadraticForm(
        strength[kept, None] * right[kept],
        target[kept],
        max(constant, 0.0),
        len(rows),
    )
