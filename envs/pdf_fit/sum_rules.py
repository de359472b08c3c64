"""Momentum and valence sum rules, imposed by normalisation.

The integrals over x of x (Sigma + g), V, V3, V8 are 1, 3, 1, 3. A model's g, V, V3 and V8 are each
multiplied by one number so that they hold (arXiv:2109.02653, section 3.1.2); V15 is V. Integrals
are those of the polynomials through the grid's points, with which the tables were made too, and of
a power of x below the smallest point: what is imposed here is exactly what
``hepgym.datasets.parton_distributions.sum_rules`` checks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from ...datasets.parton_distributions.bases import FITTED
from ...datasets.parton_distributions.grid import interpolation

INTEGRATED = ("Sigma", "g", "V", "V3", "V8")
"""Distributions that enter a sum rule."""

COLUMNS = [FITTED.index(name) for name in INTEGRATED]
"""Their positions among the fitted ones."""

VALENCE = {"V": 3.0, "V3": 1.0, "V8": 3.0}
"""The valence sum rules."""

LEAST_POWER = 0.05
"""Below the grid x^n f is taken to grow with at least this power of x."""

_NODES = 12


@dataclass(frozen=True, eq=False)
class SumRuleWeights:
    """Weights of the grid's points in the integrals.

    Attributes
    ----------
    weight
        float64, shape (5, grid), in the order of `INTEGRATED`: of x f in the integral of x f
        (Sigma, g) or f (the others) above the smallest point.
    log_step
        ln x_1 - ln x_0 of the grid.
    below
        float64, shape (5,): x_0 (Sigma, g) or 1.
    moment
        float64, shape (5,): 1 (Sigma, g) or 0.
    """

    weight: NDArray[np.float64]
    log_step: float
    below: NDArray[np.float64]
    moment: NDArray[np.float64]


def sum_rule_weights(grid: NDArray[np.float64]) -> SumRuleWeights:
    """Integrate the polynomials between the points of a grid.

    Parameters
    ----------
    grid
        float64, shape (grid,): rising, the last is 1.

    Returns
    -------
    SumRuleWeights
    """
    node, weight = np.polynomial.legendre.leggauss(_NODES)
    log_grid = np.log(grid)
    half = np.diff(log_grid)[:, None] / 2
    x = np.exp(log_grid[:-1, None] + half * (node + 1))
    measure = half * weight * x
    polynomials = interpolation(x.ravel(), grid) / grid
    number = measure.ravel() @ polynomials
    momentum = (measure * x).ravel() @ polynomials
    carries = np.array([name in ("Sigma", "g") for name in INTEGRATED])
    return SumRuleWeights(
        weight=np.where(carries[:, None], momentum, number),
        log_step=float(log_grid[1] - log_grid[0]),
        below=np.where(carries, grid[0], 1.0),
        moment=carries.astype(np.float64),
    )


def normalisations(
    values: NDArray[np.floating[Any]], weights: SumRuleWeights
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Find the factors that make the sum rules hold.

    Parameters
    ----------
    values
        Shape (..., 8, grid): x f before normalisation, in the order of ``bases.FITTED``.
    weights
        See `sum_rule_weights`.

    Returns
    -------
    factors
        Shape (..., 8); not finite where an integral is zero.
    deviation
        Shape (...): largest difference of a normalised integral from the sum rule's value.
    """
    factors = np.ones(values.shape[:-1], values.dtype)
    deviation = np.empty(values.shape[:-2], values.dtype)
    _normalise(
        values.reshape(-1, *values.shape[-2:]),
        weights.weight,
        weights.log_step,
        weights.below,
        weights.moment,
        factors.reshape(-1, values.shape[-2]),
        deviation.reshape(-1),
    )
    return factors, deviation


_SIGMA, _GLUON = (FITTED.index(name) for name in ("Sigma", "g"))
_VALENCE = np.array([FITTED.index(name) for name in VALENCE])
_RULES = np.array(list(VALENCE.values()))

_compiled = numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})


@_compiled
def _normalise(
    values: NDArray[Any],
    weight: NDArray[np.float64],
    log_step: float,
    below: NDArray[np.float64],
    moment: NDArray[np.float64],
    factors: NDArray[Any],
    deviation: NDArray[Any],
) -> None:
    """Fill in `normalisations` of shapes (vectors, 8) and (vectors,), in double precision."""
    for vector in range(len(values)):
        f = values[vector]
        worst = 0.0
        for number in range(len(_RULES)):
            column, own = _VALENCE[number], number + 2
            first, second = np.float64(f[column, 0]), np.float64(f[column, 1])
            integral = _above(f[column], weight[own])
            integral += _below(first, second, log_step, below[own], moment[own])
            factors[vector, column] = _RULES[number] / integral
            found = abs(integral * factors[vector, column] - _RULES[number])
            worst = max(worst, found) if found == found else worst
        sigma, gluon = _above(f[_SIGMA], weight[0]), _above(f[_GLUON], weight[1])
        factor = (1.0 - sigma) / gluon
        # The momentum below the grid, 1e-6 of the whole, is not linear in the factor: the second
        # of two steps settles it. What is left is that of the factor as it is stored.
        rest = 0.0
        for _ in range(3):
            factor -= rest / gluon
            factors[vector, _GLUON] = factor
            stored = np.float64(factors[vector, _GLUON])
            first = f[_SIGMA, 0] + stored * f[_GLUON, 0]
            second = f[_SIGMA, 1] + stored * f[_GLUON, 1]
            rest = sigma + stored * gluon - 1.0
            rest += _below(first, second, log_step, below[0], moment[0])
        deviation[vector] = max(worst, abs(rest)) if rest == rest else worst


@_compiled
def _above(values: NDArray[Any], weight: NDArray[np.float64]) -> float:
    """Integral above the grid's smallest point."""
    total = 0.0
    for k in range(len(values)):
        total += values[k] * weight[k]
    return total


@_compiled
def _below(first: float, second: float, log_step: float, below: float, moment: float) -> float:
    """Integral below the grid's smallest point, where x f goes on like a power of x.

    Zero where x f at the two smallest points differs in sign.
    """
    ratio = second / first
    if not 0.0 < ratio < math.inf:
        return 0.0
    return first * below / max(math.log(ratio) / log_step + moment, LEAST_POWER)
