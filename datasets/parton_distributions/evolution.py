"""Distributions at other scales, from values on the grid at Q0, by tables.

The tables are made once by the builder (`builder.dglap`): matrices from values at Q0 to values at
a set of scales, on a grid twice as fine. Evolving a set of replicas is then a matrix product.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import DatasetError
from .bases import EVOLUTION, EVOLUTION_NF5, FITTED, all_nine
from .grid import interpolation

_FROM_SIGMA = {"Sigma": ("qq", "qg"), "g": ("gq", "gg"), "T24": ("24q", "24g")}
_ALONE = {"V": "ns-", "V3": "ns-", "V8": "ns-", "V15": "ns-", "V24": "ns-"} | {
    "T3": "ns+",
    "T8": "ns+",
    "T15": "ns+",
}
SECTORS = ("ns+", "ns-", "qq", "qg", "gq", "gg", "24q", "24g")
"""The matrices at each scale: of T and of V, from (Sigma, g) to (Sigma, g), and to T24."""


@dataclass(frozen=True, eq=False)
class EvolutionTable:
    """Evolution from Q0 to a set of scales.

    Attributes
    ----------
    q : numpy.ndarray
        float64, shape (scales,): in GeV, rising, the first is Q0.
    x : numpy.ndarray
        float64, shape (points out,): where evolved distributions are given.
    x_grid : numpy.ndarray
        float64, shape (points,): where they are given at Q0.
    kernels : numpy.ndarray
        float32, shape (scales, 8 sectors, points out, points), acting on x f.
    """

    q: NDArray[np.float64]
    x: NDArray[np.float64]
    x_grid: NDArray[np.float64]
    kernels: NDArray[np.float32]

    def __post_init__(self) -> None:
        for array in (self.q, self.x, self.x_grid, self.kernels):
            array.setflags(write=False)

    def evolve(self, xf: ArrayLike, scales: ArrayLike | None = None) -> NDArray[np.float64]:
        """Evolve distributions.

        Parameters
        ----------
        xf
            x f at Q0 on ``x_grid``: shape (..., 9, points) in the order of `bases.EVOLUTION` or
            (..., 8, points) in the order of `bases.FITTED`.
        scales
            Which of the table's scales, as positions; all unless given.

        Returns
        -------
        numpy.ndarray
            float64, shape (..., scales, 11, points out), x f in the order of
            `bases.EVOLUTION_NF5`. Below the bottom quark's mass T24 = Sigma and V24 = V.

        Raises
        ------
        DatasetError
            If the shape is another.
        """
        values = all_nine(np.asarray(xf, np.float64))
        if values.shape[-2:] != (len(EVOLUTION), len(self.x_grid)):
            raise DatasetError(
                f"distributions have shape {np.shape(xf)}: the last two axes must be "
                f"({len(EVOLUTION)} or {len(FITTED)}, {len(self.x_grid)})"
            )
        chosen = np.arange(len(self.q)) if scales is None else np.asarray(scales)
        out = np.empty((*values.shape[:-2], len(chosen), len(EVOLUTION_NF5), len(self.x)))
        start = {name: values[..., number, :] for number, name in enumerate(EVOLUTION)}
        start["V24"] = start["V"]
        for place, scale in enumerate(chosen):
            kernel = dict(zip(SECTORS, self.kernels[scale].astype(np.float64), strict=True))
            for number, name in enumerate(EVOLUTION_NF5):
                if name in _FROM_SIGMA:
                    from_sigma, from_gluon = _FROM_SIGMA[name]
                    evolved = (
                        start["Sigma"] @ kernel[from_sigma].T + start["g"] @ kernel[from_gluon].T
                    )
                else:
                    evolved = start[name] @ kernel[_ALONE[name]].T
                out[..., place, number, :] = evolved
        return out

    def position(self, q: float) -> int:
        """Position of a scale in ``q``.

        Raises
        ------
        DatasetError
            If the table does not hold this scale.
        """
        found = np.flatnonzero(np.abs(self.q / q - 1.0) < 1e-9)
        if not found.size:
            held = ", ".join(f"{scale:.4g}" for scale in self.q)
            raise DatasetError(f"there is no table for {q:g} GeV, only for {held} GeV")
        return int(found[0])

    def operator(self, q: float, x: ArrayLike) -> NDArray[np.float64]:
        """Linear map from distributions at Q0 to those at a scale.

        Parameters
        ----------
        q
            One of the table's scales, in GeV.
        x
            Where the evolved distributions are wanted, shape (n,), on the grid's range.

        Returns
        -------
        numpy.ndarray
            float64, shape (11, n, 9, points): x f(x, q) in the order of `bases.EVOLUTION_NF5` per
            x f(x_k, Q0).

        Raises
        ------
        DatasetError
            If the table does not hold this scale.
        """
        wanted = np.atleast_1d(np.asarray(x, np.float64))
        # The polynomials go through f, the kernels act on x f.
        between = wanted[:, None] * interpolation(wanted, self.x) / self.x
        points = len(self.x_grid)
        unit = np.eye(len(EVOLUTION) * points).reshape(-1, len(EVOLUTION), points)
        evolved = self.evolve(unit, [self.position(q)])[:, 0]
        out = evolved @ between.T  # (9 * points, 11, n)
        return out.transpose(1, 2, 0).reshape(len(EVOLUTION_NF5), len(wanted), len(EVOLUTION), -1)

    @cached_property
    def flavour_thresholds(self) -> tuple[float, ...]:
        """Scales of the table, in GeV, at which the number of active flavours changes."""
        from .settings import M_BOTTOM

        return tuple(float(q) for q in self.q if abs(q / M_BOTTOM - 1.0) < 1e-9)


def to_arrays(table: EvolutionTable) -> dict[str, NDArray[Any]]:
    """Give what a file of evolution tables holds."""
    return {"q": table.q, "x": table.x, "x_grid": table.x_grid, "kernels": table.kernels}


def from_arrays(arrays: dict[str, NDArray[Any]], where: str) -> EvolutionTable:
    """Tables from named arrays.

    Raises
    ------
    DatasetError
        If an array is missing or has the wrong shape.
    """
    try:
        q, x, x_grid, kernels = (arrays[name] for name in ("q", "x", "x_grid", "kernels"))
    except KeyError as error:
        raise DatasetError(f"{where}: the array {error} is missing") from None
    expected = (len(q), len(SECTORS), len(x), len(x_grid))
    if kernels.shape != expected:
        raise DatasetError(f"{where}: kernels has shape {kernels.shape}, expected {expected}")
    return EvolutionTable(q, x, x_grid, kernels)
