"""Sum rules: a proton has momentum 1, two valence u quarks and one valence d quark.

Integrals are those of the polynomials between the grid's points, plus those of a power of x below
the smallest point.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .bases import EVOLUTION
from .grid import DEGREE, blocks

EXPECTED = {"momentum": 1.0, "valence": 3.0, "valence3": 1.0, "valence8": 3.0}
"""What the sum rules must give."""


@dataclass(frozen=True)
class SumRules:
    """Integrals of distributions; float64 arrays of the shape of the given set.

    Attributes
    ----------
    momentum
        Of x (Sigma + g): 1.
    valence
        Of V: 3 quarks.
    valence3
        Of V3: 1, u minus d.
    valence8
        Of V8: 3.
    """

    momentum: NDArray[np.float64]
    valence: NDArray[np.float64]
    valence3: NDArray[np.float64]
    valence8: NDArray[np.float64]

    def largest_violation(self) -> NDArray[np.float64]:
        """Largest relative deviation of the four."""
        deviations = [
            np.abs(getattr(self, name) / expected - 1.0) for name, expected in EXPECTED.items()
        ]
        return np.asarray(np.max(deviations, axis=0))


def sum_rules(xf: ArrayLike, x_grid: NDArray[np.float64]) -> SumRules:
    """Integrate distributions.

    Parameters
    ----------
    xf
        x f, shape (..., at least 5, grid points): the order of `bases.EVOLUTION`,
        `bases.EVOLUTION_NF5` or `bases.FITTED`, which agree in Sigma, g, V, V3 and V8.
    x_grid
        The grid, float64, shape (grid points,).

    Returns
    -------
    SumRules
    """
    values = np.asarray(xf, np.float64)
    momentum, number = _weights(x_grid.tobytes())
    of = {name: values[..., EVOLUTION.index(name), :] for name in ("Sigma", "g", "V", "V3", "V8")}

    def count(name: str) -> NDArray[np.float64]:
        return np.asarray(of[name] @ number + _below(of[name], x_grid, 0))

    carried = of["Sigma"] + of["g"]
    return SumRules(
        momentum=np.asarray(carried @ momentum + _below(carried, x_grid, 1)),
        valence=count("V"),
        valence3=count("V3"),
        valence8=count("V8"),
    )


def _below(
    xf: NDArray[np.float64], x_grid: NDArray[np.float64], moment: int
) -> NDArray[np.float64]:
    """Integral of x^moment f below the grid, where x f goes on like a power of x.

    The power is that of the first two points, but such that the integrand grows at most like
    x^-0.95: a distribution that is not integrable gets a large number, not an infinite one.
    """
    first, second = xf[..., 0], xf[..., 1]
    with np.errstate(divide="ignore", invalid="ignore"):
        power = np.log(second / first) / np.log(x_grid[1] / x_grid[0])
    usable = np.isfinite(power)
    exponent = np.maximum(np.where(usable, power, 1.0) + moment, 0.05)
    return np.where(usable, first * x_grid[0] ** moment / exponent, 0.0)


@lru_cache(maxsize=8)
def _weights(grid_bytes: bytes) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weights of x f on the grid in the integrals of x f and of f over x."""
    grid = np.frombuffer(grid_bytes)
    log_grid = np.log(grid)
    nodes, node_weights = np.polynomial.legendre.leggauss(12)
    momentum, number = np.zeros((2, len(grid)))
    for interval, first in enumerate(blocks(len(grid))):
        low, high = log_grid[interval], log_grid[interval + 1]
        log_x = (low + high) / 2.0 + (high - low) / 2.0 * nodes
        x = np.exp(log_x)
        measure = node_weights * (high - low) / 2.0 * x  # dx = x d ln x
        columns = np.arange(first, first + DEGREE + 1)
        for column in columns:
            others = log_grid[columns[columns != column]]
            polynomial = ((log_x[:, None] - others) / (log_grid[column] - others)).prod(axis=1)
            momentum[column] += (measure * x * polynomial).sum() / grid[column]
            number[column] += (measure * polynomial).sum() / grid[column]
    return momentum, number
