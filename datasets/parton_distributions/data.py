"""Measured points with their errors, and the tables that predict them from distributions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import DatasetError
from .bases import EVOLUTION, FITTED, all_nine
from .point_errors import PointErrors, covariance_matrix

CovarianceKind = Literal["experimental", "t0"]


@dataclass(frozen=True)
class SetInfo:
    """A set of data.

    Attributes
    ----------
    name
        For example HERA-NC-ep-920.
    experiment
        Who measured: NMC, SLAC, BCDMS, CHORUS or HERA.
    process
        NC or CC.
    year
        Of publication.
    reference
        arXiv number or journal.
    """

    name: str
    experiment: str
    process: str
    year: int
    reference: str


@dataclass(frozen=True, eq=False)
class DISData:
    """Points of deep-inelastic scattering with everything that a fit needs.

    The prediction of point i is sum_ek table[i, e, k] xf_e(x_k, Q0), divided by the same sum with
    its denominator where the point is a ratio. Arrays are read-only.

    Attributes
    ----------
    sets : tuple of SetInfo
        The sets of data.
    set_index : numpy.ndarray
        int64, shape (points,): to which set each point belongs.
    x, q2, y : numpy.ndarray
        float64, shape (points,): Bjorken x, Q2 in GeV2, inelasticity (0 where it plays no part).
    central, stat : numpy.ndarray
        float64, shape (points,): measured value and its statistical error.
    uncorrelated_additive, uncorrelated_multiplicative : numpy.ndarray
        float64, shape (points,): further errors of single points, the second as a fraction.
    additive_names, multiplicative_names : tuple of str
        Sources of correlated errors. A source shared by sets has one column.
    additive, multiplicative : numpy.ndarray
        float64, shape (points, sources): effect of one standard deviation of each source, the
        second as a fraction of the value.
    table : numpy.ndarray
        float32, shape (points, 9, grid points): evolution basis in the order of
        `bases.EVOLUTION`, grid points as in ``x_grid``.
    ratio_rows : numpy.ndarray
        int64, shape (ratios,): the points that are ratios; ``table`` holds their numerator.
    denominator : numpy.ndarray
        float32, shape (ratios, 9, grid points).
    x_grid : numpy.ndarray
        float64, shape (grid points,).
    """

    sets: tuple[SetInfo, ...]
    set_index: NDArray[np.int64]
    x: NDArray[np.float64]
    q2: NDArray[np.float64]
    y: NDArray[np.float64]
    central: NDArray[np.float64]
    stat: NDArray[np.float64]
    uncorrelated_additive: NDArray[np.float64]
    uncorrelated_multiplicative: NDArray[np.float64]
    additive_names: tuple[str, ...]
    additive: NDArray[np.float64]
    multiplicative_names: tuple[str, ...]
    multiplicative: NDArray[np.float64]
    table: NDArray[np.float32]
    ratio_rows: NDArray[np.int64]
    denominator: NDArray[np.float32]
    x_grid: NDArray[np.float64]

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, np.ndarray):
                value.setflags(write=False)

    def __len__(self) -> int:
        return len(self.central)

    @property
    def set_names(self) -> tuple[str, ...]:
        """Names of the sets."""
        return tuple(info.name for info in self.sets)

    @property
    def experiments(self) -> tuple[str, ...]:
        """Names of the experiments, in order of first appearance."""
        return tuple(dict.fromkeys(info.experiment for info in self.sets))

    @cached_property
    def experiment_index(self) -> NDArray[np.int64]:
        """int64, shape (points,): position in ``experiments`` of each point's experiment."""
        order = {name: number for number, name in enumerate(self.experiments)}
        of_set = np.array([order[info.experiment] for info in self.sets], np.int64)
        return of_set[self.set_index]

    @cached_property
    def _tables(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        flat = (-1, self.table.shape[1] * self.table.shape[2])
        return (
            self.table.reshape(flat).astype(np.float64),
            self.denominator.reshape(flat).astype(np.float64),
        )

    def predict(self, xf: ArrayLike) -> NDArray[np.float64]:
        """Predict all points from distributions at Q0.

        Parameters
        ----------
        xf
            Real numbers, shape (..., 9, grid points) in the order of `bases.EVOLUTION`, or
            (..., 8, grid points) in the order of `bases.FITTED`, where V15 = V: x f(x, Q0) on
            ``x_grid``.

        Returns
        -------
        numpy.ndarray
            float64, shape (..., points).

        Raises
        ------
        DatasetError
            If the shape is another.
        """
        values = all_nine(np.asarray(xf, np.float64))
        expected = (len(EVOLUTION), len(self.x_grid))
        if values.shape[-2:] != expected:
            raise DatasetError(
                f"distributions have shape {np.shape(xf)}: the last two axes must be "
                f"{expected} ({', '.join(EVOLUTION)} on the grid) or (8, {expected[1]}) "
                f"({', '.join(FITTED)})"
            )
        table, denominator = self._tables
        flat = values.reshape(*values.shape[:-2], expected[0] * expected[1])
        out = flat @ table.T
        if self.ratio_rows.size:
            out[..., self.ratio_rows] /= flat @ denominator.T
        return out

    def covariance(
        self, kind: CovarianceKind = "experimental", predictions: ArrayLike | None = None
    ) -> NDArray[np.float64]:
        """Covariance matrix of the points.

        Multiplicative errors are a fraction of something: of the measured values
        ("experimental"), or of the predictions of a fixed earlier fit ("t0", arXiv:0912.2276),
        which a fit must use because the first biases it towards low values.

        Parameters
        ----------
        kind
            "experimental" or "t0".
        predictions
            float64, shape (points,), for "t0": what the fixed fit predicts.

        Returns
        -------
        numpy.ndarray
            float64, shape (points, points), symmetric and positive definite.

        Raises
        ------
        DatasetError
            If the kind is unknown, or predictions are missing, left over or of the wrong shape.
        """
        return covariance_matrix(*self._errors(kind, predictions))

    def errors(
        self, kind: CovarianceKind = "experimental", predictions: ArrayLike | None = None
    ) -> PointErrors:
        """As `covariance`, without the matrix.

        Raises
        ------
        DatasetError
            As `covariance`.
        ValueError
            If a point has no error of its own.
        """
        return PointErrors(*self._errors(kind, predictions))

    def _errors(
        self, kind: CovarianceKind, predictions: ArrayLike | None
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        if kind not in ("experimental", "t0"):
            raise DatasetError(f"kind is {kind!r}: it must be 'experimental' or 't0'")
        if kind == "experimental":
            if predictions is not None:
                raise DatasetError("predictions are given, but only kind 't0' uses them")
            reference = self.central
        else:
            if predictions is None or np.shape(predictions) != self.central.shape:
                given = "no" if predictions is None else f"shape {np.shape(predictions)}"
                raise DatasetError(
                    f"kind 't0' needs predictions of shape {self.central.shape}, {given} given"
                )
            reference = np.asarray(predictions, np.float64)
        correlated = np.concatenate(
            [self.additive, self.multiplicative * reference[:, None]], axis=1
        )
        alone = (
            self.stat**2
            + self.uncorrelated_additive**2
            + (self.uncorrelated_multiplicative * reference) ** 2
        )
        return alone, correlated

    def select(self, which: ArrayLike) -> DISData:
        """Take some of the points, with all sets and sources of error kept in place.

        Parameters
        ----------
        which
            bool mask of shape (points,), or integer positions.

        Returns
        -------
        DISData

        Raises
        ------
        DatasetError
            If it is neither, or a position is outside or repeated.
        """
        chosen = np.asarray(which)
        if chosen.dtype == np.bool_ and chosen.shape == self.central.shape:
            rows = np.flatnonzero(chosen)
        elif chosen.ndim == 1 and (chosen.dtype.kind in "iu" or chosen.size == 0):
            rows = chosen.astype(np.int64)
            inside = (rows >= 0) & (rows < len(self))
            if not inside.all() or len(np.unique(rows)) < len(rows):
                raise DatasetError(f"positions must be different numbers from 0 to {len(self) - 1}")
        else:
            raise DatasetError(
                f"which has type {chosen.dtype} and shape {chosen.shape}: a mask of shape "
                f"{self.central.shape} or positions are needed"
            )
        place = np.full(len(self), -1)
        place[self.ratio_rows] = np.arange(len(self.ratio_rows))
        ratio = place[rows]
        per_point = {
            field.name: getattr(self, field.name)[rows]
            for field in fields(self)
            if field.name
            in (
                "set_index",
                "x",
                "q2",
                "y",
                "central",
                "stat",
                "uncorrelated_additive",
                "uncorrelated_multiplicative",
                "additive",
                "multiplicative",
                "table",
            )
        }
        return replace(
            self,
            **per_point,
            ratio_rows=np.flatnonzero(ratio >= 0),
            denominator=self.denominator[ratio[ratio >= 0]],
        )

    def in_sets(self, names: Sequence[str]) -> NDArray[np.bool_]:
        """Mask of the points of some sets or experiments.

        Parameters
        ----------
        names
            Names of sets, of experiments or both.

        Returns
        -------
        numpy.ndarray
            bool, shape (points,).

        Raises
        ------
        DatasetError
            If a name is unknown.
        """
        for name in names:
            if name not in self.set_names and name not in self.experiments:
                raise DatasetError(
                    f"there is no set or experiment {name!r}; there are "
                    f"{', '.join((*self.set_names, *self.experiments))}"
                )
        wanted = [info.name in names or info.experiment in names for info in self.sets]
        return np.array(wanted, np.bool_)[self.set_index]

    def with_central(self, central: ArrayLike) -> DISData:
        """Give the same points other measured values, for pseudodata.

        Multiplicative errors stay the same fractions.

        Parameters
        ----------
        central
            Finite real numbers, shape (points,).

        Returns
        -------
        DISData

        Raises
        ------
        DatasetError
            If the shape is wrong or a value is not finite.
        """
        values = np.array(central, np.float64)
        if values.shape != self.central.shape or not np.isfinite(values).all():
            raise DatasetError(f"central must be {len(self)} finite numbers")
        return replace(self, central=values)
