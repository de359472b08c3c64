"""Momentum and valence sum rules, imposed by normalisation.

The integrals over x of x (Sigma + g), V, V3, V8 are 1, 3, 1, 3. A model's g, V, V3 and V8 are each
multiplied by one number so that they hold (arXiv:2109.02653, section 3.1.2); V15 is V. Integrals
are those of the polynomials through the grid's points, with which the tables were made too, and of
a power of x below the smallest point: what is imposed here is exactly what
``hepgym.datasets.parton_distributions.sum_rules`` checks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

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


def sums(values: NDArray[np.floating[Any]], weights: SumRuleWeights) -> NDArray[Any]:
    """Integrals of distributions above the grid's smallest point.

    Parameters
    ----------
    values
        Shape (..., 5, grid): x f in the order of `INTEGRATED`.
    weights
        See `sum_rule_weights`.

    Returns
    -------
    numpy.ndarray
        Shape (..., 5).
    """
    return np.einsum("...ik,ik->...i", values, weights.weight.astype(values.dtype))


def below(
    first: NDArray[np.floating[Any]],
    second: NDArray[np.floating[Any]],
    weights: SumRuleWeights,
    column: int,
) -> NDArray[Any]:
    """Integral below the grid's smallest point, where x f goes on like a power of x.

    Parameters
    ----------
    first, second
        x f at the two smallest points.
    weights
        See `sum_rule_weights`.
    column
        Position in `INTEGRATED`.

    Returns
    -------
    numpy.ndarray
        Of the shape of ``first``; zero where the two differ in sign.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        power = np.log(second / first) / first.dtype.type(weights.log_step)
    usable = np.isfinite(power)
    exponent = np.maximum(
        np.where(usable, power, 1) + first.dtype.type(weights.moment[column]),
        first.dtype.type(LEAST_POWER),
    )
    return np.where(usable, first * first.dtype.type(weights.below[column]) / exponent, 0)


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
    chosen = values[..., COLUMNS, :]
    above = sums(chosen, weights)
    factors = np.ones(values.shape[:-1], values.dtype)
    worst = np.zeros(values.shape[:-2], values.dtype)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        for column, (name, rule) in enumerate(VALENCE.items(), start=2):
            first, second = chosen[..., column, 0], chosen[..., column, 1]
            integral = above[..., column] + below(first, second, weights, column)
            factor = rule / integral
            factors[..., FITTED.index(name)] = factor
            worst = np.fmax(worst, np.abs(integral * factor - rule))
        factor = _gluon_factor(chosen, above, weights)
        factors[..., FITTED.index("g")] = factor
        momentum = _momentum(chosen, above, factor, weights)
        worst = np.fmax(worst, np.abs(momentum - 1))
    return factors, worst


def _momentum(
    chosen: NDArray[Any], above: NDArray[Any], factor: NDArray[Any], weights: SumRuleWeights
) -> NDArray[Any]:
    first, second = (chosen[..., 0, k] + factor * chosen[..., 1, k] for k in (0, 1))
    return np.asarray(above[..., 0] + factor * above[..., 1] + below(first, second, weights, 0))


def _gluon_factor(
    chosen: NDArray[Any], above: NDArray[Any], weights: SumRuleWeights
) -> NDArray[Any]:
    """Normalise the gluon so that the momentum is 1.

    The momentum below the grid, 1e-6 of the whole, is not linear in the factor: the second of two
    steps settles it.
    """
    factor = (1 - above[..., 0]) / above[..., 1]
    for _ in range(2):
        rest = _momentum(chosen, above, factor, weights) - 1
        factor = factor - rest / above[..., 1]
    return np.asarray(factor)
