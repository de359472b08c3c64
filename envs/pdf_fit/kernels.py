"""What the game computes for each parameter vector besides networks and matrix product, compiled.

This module imports numba, which takes memory that fits by gradient descent do not spend: it is
imported where a population is evaluated.
"""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from ...datasets.parton_distributions.bases import FITTED
from .constraints import CHI2_LIMIT, POSITIVITY_SLOPE
from .sum_rules import LEAST_POWER, VALENCE

_SIGMA, _GLUON = (FITTED.index(name) for name in ("Sigma", "g"))
_VALENCE = np.array([FITTED.index(name) for name in VALENCE])
_RULES = np.array(list(VALENCE.values()))

_compiled = numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})


@_compiled
def normalise(
    values: NDArray[Any],
    weight: NDArray[np.float64],
    log_step: float,
    below: NDArray[np.float64],
    moment: NDArray[np.float64],
    factors: NDArray[Any],
    deviation: NDArray[Any],
) -> None:
    """Find the factors of ``sum_rules.normalisations`` in double precision.

    Parameters
    ----------
    values
        Shape (vectors, 8, grid).
    weight, log_step, below, moment
        Of `SumRuleWeights`.
    factors, deviation
        Shapes (vectors, 8) and (vectors,): filled in; factors must be 1 before.
    """
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


@_compiled
def judge(
    product: NDArray[np.float32],
    target: NDArray[np.float32],
    first: NDArray[np.int64],
    constant: NDArray[np.float64],
    values: NDArray[np.float64],
    deviation: NDArray[np.float32],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Turn products of `ReplicaTables.matrix` into chi2 and penalties, in one pass.

    Where a sum rule cannot be imposed nothing is finite: all is `CHI2_LIMIT` there.

    Returns
    -------
    chi2
        float64, shape (vectors, forms): per point.
    positivity, sum_rules
        float64, shape (vectors,): see `Evaluation`.
    """
    vectors, forms = product.shape[1], len(values)
    chi2, total = np.empty((vectors, forms)), np.empty(vectors)
    for form in range(forms):
        total[:] = constant[form]
        for row in range(first[form], first[form + 1]):
            wanted = np.float64(target[row])
            for vector in range(vectors):
                residual = np.float64(product[row, vector]) - wanted
                total[vector] += residual * residual
        for vector in range(vectors):
            found = total[vector] / values[form]
            chi2[vector, form] = found if found < CHI2_LIMIT else CHI2_LIMIT
    positivity, sum_rules = np.zeros(vectors), np.empty(vectors)
    for row in range(first[forms], len(product)):
        for vector in range(vectors):
            minus = -np.float64(product[row, vector])
            positivity[vector] += minus if minus > 0.0 else POSITIVITY_SLOPE * math.expm1(minus)
    for vector in range(vectors):
        if not math.isfinite(positivity[vector]):
            positivity[vector] = CHI2_LIMIT
        found = np.float64(deviation[vector])
        sum_rules[vector] = found if math.isfinite(found) else CHI2_LIMIT
    return chi2, positivity, sum_rules
