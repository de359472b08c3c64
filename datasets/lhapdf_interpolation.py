"""Interpolation of parton distributions on a grid, compiled.

Two ways, cubic in ln x and in ln Q both. LHAPDF's "log-bicubic" one (arXiv:1412.7420): Hermite
polynomials with derivatives at the knots from the slopes of the neighbouring intervals, their mean
inside, the inner one at the edges. Pythia's: the polynomial through the four nearest knots. A knot
in ln Q that comes twice is a flavour threshold: nothing is interpolated across it. Outside the grid
the value at the edge is taken.
"""

from __future__ import annotations

import numba
import numpy as np

__all__ = ["interpolate", "interpolate_many", "interval", "parton_densities"]


@numba.njit(cache=True, error_model="numpy")
def interval(knots, value):  # type: ignore[no-untyped-def]
    """Index i of the interval with knots[i] <= value < knots[i + 1], inside the grid."""
    low, high = 0, len(knots) - 1
    while high - low > 1:
        middle = (low + high) >> 1
        if knots[middle] <= value:
            low = middle
        else:
            high = middle
    if knots[low] == knots[high]:
        low -= 1
    return low


@numba.njit(cache=True, error_model="numpy")
def _hermite(knots, i, value, weights):  # type: ignore[no-untyped-def]
    """LHAPDF's weights of four knots around the interval i; returns the first of them."""
    width = knots[i + 1] - knots[i]
    t = min(max((value - knots[i]) / width, 0.0), 1.0)
    weights[0] = 0.0
    weights[1] = (1.0 + 2.0 * t) * (1.0 - t) ** 2
    weights[2] = t * t * (3.0 - 2.0 * t)
    weights[3] = 0.0
    # Derivatives at the two ends, in units of 1 / width.
    left = t * (1.0 - t) ** 2
    right = t * t * (t - 1.0)
    if i > 0 and knots[i] > knots[i - 1]:
        before = width / (knots[i] - knots[i - 1])
        weights[0] -= 0.5 * left * before
        weights[1] += 0.5 * left * (before - 1.0)
        weights[2] += 0.5 * left
    else:
        weights[1] -= left
        weights[2] += left
    if i + 2 < len(knots) and knots[i + 2] > knots[i + 1]:
        after = width / (knots[i + 2] - knots[i + 1])
        weights[1] -= 0.5 * right
        weights[2] += 0.5 * right * (1.0 - after)
        weights[3] += 0.5 * right * after
    else:
        weights[1] -= right
        weights[2] += right
    return i - 1


@numba.njit(cache=True, error_model="numpy")
def _lagrange(knots, i, value, weights):  # type: ignore[no-untyped-def]
    """Pythia's weights of four knots around the interval i; returns the first of them."""
    value = min(max(value, knots[i]), knots[i + 1])
    first = i - 1
    if i == 0 or knots[i] == knots[i - 1]:
        first = i
    elif i + 2 == len(knots) or knots[i + 2] == knots[i + 1]:
        first = i - 2
    for a in range(4):
        weights[a] = 1.0
        for b in range(4):
            if b != a:
                weights[a] *= (value - knots[first + b]) / (knots[first + a] - knots[first + b])
    return first


@numba.njit(cache=True, error_model="numpy")
def interpolate(log_x, log_q, values, lagrange, column, x, q):  # type: ignore[no-untyped-def]
    """Interpolate one flavour at one point.

    Parameters
    ----------
    log_x, log_q : float64 arrays
        Knots; those in ln Q may come in equal pairs.
    values : float64, shape (len(log_x), len(log_q), flavours)
        x f at the knots.
    lagrange : bool
        Pythia's polynomials in place of LHAPDF's; they need four knots between thresholds.
    column : int
        Which flavour.
    x, q : float64
        Momentum fraction and scale in GeV.

    Returns
    -------
    float64, x f(x, Q)
    """
    wx = np.empty(4)
    wq = np.empty(4)
    lx, lq = np.log(x), np.log(q)
    i, k = interval(log_x, lx), interval(log_q, lq)
    if lagrange:
        first_x, first_q = _lagrange(log_x, i, lx, wx), _lagrange(log_q, k, lq, wq)
    else:
        first_x, first_q = _hermite(log_x, i, lx, wx), _hermite(log_q, k, lq, wq)
    total = 0.0
    for a in range(4):
        if wx[a] != 0.0:
            for b in range(4):
                if wq[b] != 0.0:
                    total += wx[a] * wq[b] * values[first_x + a, first_q + b, column]
    return total


@numba.njit(cache=True, error_model="numpy")
def interpolate_many(  # type: ignore[no-untyped-def]
    log_x, log_q, values, lagrange, columns, x, q, result
):
    """Interpolate at many points; ``columns``, ``x``, ``q`` and ``result`` have one length."""
    for j in range(len(x)):
        result[j] = interpolate(log_x, log_q, values, lagrange, columns[j], x[j], q[j])


@numba.njit(cache=True, error_model="numpy")
def parton_densities(log_x, table, x, densities):  # type: ignore[no-untyped-def]
    """All flavours at one x and the scale of a table, clamped at zero.

    For use inside other kernels: nothing is allocated.

    Parameters
    ----------
    log_x : float64 array
        Knots.
    table : float64, shape (len(log_x) - 1, flavours, 4)
        From `LHAPDFGrid.at_scale`: coefficients of t^0 to t^3, t from 0 to 1 along an interval.
    x : float64
        Momentum fraction.
    densities : float64, shape (flavours,)
        Filled with max(0, x f(x)).
    """
    lx = np.log(x)
    i = interval(log_x, lx)
    t = min(max((lx - log_x[i]) / (log_x[i + 1] - log_x[i]), 0.0), 1.0)
    for c in range(table.shape[1]):
        value = table[i, c, 3] * t + table[i, c, 2]
        value = (value * t + table[i, c, 1]) * t + table[i, c, 0]
        densities[c] = max(value, 0.0)
