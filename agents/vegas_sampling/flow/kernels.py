"""Compiled rational-quadratic splines: value, slope, inverse and gradients in one pass each.

A spline maps the unit interval onto itself with K bins. Its 3 K + 1 raw parameters are K logits of
the bin widths, K logits of the bin heights and K + 1 logits of the slopes at the knots
(C. Durkan et al., arXiv:1906.04032; free slopes at both ends as in arXiv:2001.05486). TensorFlow
needs some sixty passes over arrays of (points, axes, bins) for what these loops do in one; the
same formulas in TensorFlow stand in ``spline.py``.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.extending import intrinsic

MIN_SIZE = 1e-4
"""Smallest width and height of a bin."""
MIN_SLOPE = 1e-3
"""Smallest slope at a knot."""

LARGEST_LOGIT = 60.0
"""Raw parameters are held within plus and minus this."""

# Sums over bins may be taken in any order: that lets them use vector instructions.
_inner = numba.njit(error_model="numpy", fastmath={"reassoc", "nsz", "contract", "nnan", "ninf"})
_outer = numba.njit(cache=True, nogil=True, error_model="numpy")


@intrinsic
def _bits_to_float(typing_context: Any, bits: Any) -> Any:
    """Read the bits of an int32 as a float32."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.FloatType())

    return types.float32(types.int32), generate


@_inner
def _exponentials(raw, out):  # type: ignore[no-untyped-def]
    """Exponentials of a row of float32, in a loop that the compiler turns into vector instructions.

    The relative error is below 2e-7. Arguments are held within +-LARGEST_LOGIT.
    """
    for j in range(len(raw)):
        x = min(max(raw[j], np.float32(-LARGEST_LOGIT)), np.float32(LARGEST_LOGIT))
        y = x * np.float32(1.4426950408889634)
        # Nearest integer: truncation of a number that is made positive.
        whole = np.int32(y + np.float32(1024.5)) - np.int32(1024)
        r = (y - np.float32(whole)) * np.float32(0.6931471805599453)
        p = np.float32(1.0 / 720.0)
        p = p * r + np.float32(1.0 / 120.0)
        p = p * r + np.float32(1.0 / 24.0)
        p = p * r + np.float32(1.0 / 6.0)
        p = p * r + np.float32(0.5)
        p = p * r + np.float32(1.0)
        p = p * r + np.float32(1.0)
        power = np.int32((whole + np.int32(127)) << np.int32(23))
        out[j] = p * _bits_to_float(power)  # type: ignore[call-arg]


@_inner
def _scale(shares, bins):  # type: ignore[no-untyped-def]
    """Factor that turns exponentials of logits into sizes above the smallest."""
    total = np.float32(0.0)
    for j in range(bins):
        total += shares[j]
    return (1.0 - bins * MIN_SIZE) / np.float64(total)


@_inner
def _find(shares, scale, value, bins):  # type: ignore[no-untyped-def]
    """Bin that holds a value, and its lower edge."""
    edge = 0.0
    for j in range(bins - 1):
        size = MIN_SIZE + scale * np.float64(shares[j])
        if value < edge + size:
            return j, edge
        edge += size
    return bins - 1, edge


@_inner
def _below(shares, scale, k):  # type: ignore[no-untyped-def]
    """Lower edge of a bin, added up in the order of `_find`."""
    edge = 0.0
    for j in range(k):
        edge += MIN_SIZE + scale * np.float64(shares[j])
    return edge


@_inner
def _size(shares, scale, k, edge, bins):  # type: ignore[no-untyped-def]
    # The last bin ends at one, whatever the rounding of the others.
    return 1.0 - edge if k == bins - 1 else MIN_SIZE + scale * np.float64(shares[k])


@_inner
def _slope(share):  # type: ignore[no-untyped-def]
    """Slope at a knot, the softplus of its logit."""
    return MIN_SLOPE + np.log(1.0 + np.float64(share))


@_outer
def forward(x, raw, bins):  # type: ignore[no-untyped-def]
    """Splines and their slopes.

    Parameters
    ----------
    x
        float64, shape (n, axes), in [0, 1].
    raw
        float32, shape (n, axes * (3 bins + 1)): raw parameters.
    bins
        Number of bins.

    Returns
    -------
    y : float64, shape (n, axes)
        Values.
    log_slope : float64, shape (n,)
        Sum over the axes of ln dy/dx.
    exponentials : float32, shape of raw
        Exponentials of the raw parameters, which `gradient` needs.
    """
    n, axes = x.shape
    parameters = 3 * bins + 1
    y = np.empty((n, axes))
    log_slope = np.empty(n)
    exponentials = np.empty(raw.shape, np.float32)
    for i in range(n):
        _exponentials(raw[i], exponentials[i])
        slope = 1.0
        for a in range(axes):
            own = exponentials[i, a * parameters : (a + 1) * parameters]
            widths, heights = own[:bins], own[bins : 2 * bins]
            wide, high = _scale(widths, bins), _scale(heights, bins)
            value = min(max(x[i, a], 0.0), 1.0)
            k, x0 = _find(widths, wide, value, bins)
            y0 = _below(heights, high, k)
            w, h = _size(widths, wide, k, x0, bins), _size(heights, high, k, y0, bins)
            d0, d1 = _slope(own[2 * bins + k]), _slope(own[2 * bins + k + 1])
            t = min(max((value - x0) / w, 0.0), 1.0)
            s = h / w
            u = t * (1.0 - t)
            below = s + (d0 + d1 - 2.0 * s) * u
            y[i, a] = min(y0 + h * (s * t * t + d0 * u) / below, 1.0)
            middle = d1 * t * t + 2.0 * s * u + d0 * (1.0 - t) * (1.0 - t)
            slope *= s * s * middle / (below * below)
        log_slope[i] = np.log(slope)
    return y, log_slope, exponentials


@_outer
def inverse(y, raw, bins):  # type: ignore[no-untyped-def]
    """Inverse of splines.

    Parameters
    ----------
    y
        float64, shape (n, axes), in [0, 1].
    raw, bins
        As for `forward`.

    Returns
    -------
    x : float64, shape (n, axes)
        With ``forward(x) = y``.
    log_slope : float64, shape (n,)
        Sum over the axes of ln dy/dx (of `forward`, not of the inverse).
    """
    n, axes = y.shape
    parameters = 3 * bins + 1
    x = np.empty((n, axes))
    log_slope = np.empty(n)
    exponentials = np.empty(raw.shape[1], np.float32)
    for i in range(n):
        _exponentials(raw[i], exponentials)
        slope = 1.0
        for a in range(axes):
            own = exponentials[a * parameters : (a + 1) * parameters]
            widths, heights = own[:bins], own[bins : 2 * bins]
            wide, high = _scale(widths, bins), _scale(heights, bins)
            value = min(max(y[i, a], 0.0), 1.0)
            k, y0 = _find(heights, high, value, bins)
            x0 = _below(widths, wide, k)
            w, h = _size(widths, wide, k, x0, bins), _size(heights, high, k, y0, bins)
            d0, d1 = _slope(own[2 * bins + k]), _slope(own[2 * bins + k + 1])
            s = h / w
            v = min(max((value - y0) / h, 0.0), 1.0)
            e = d0 + d1 - 2.0 * s
            # v (s + e u) = s t^2 + d0 u with u = t (1 - t), as a t^2 + b t + c = 0
            qa = s - d0 + v * e
            qb = d0 - v * e
            qc = -v * s
            root = np.sqrt(max(qb * qb - 4.0 * qa * qc, 0.0))
            t = min(max(-2.0 * qc / (qb + root), 0.0), 1.0)
            u = t * (1.0 - t)
            below = s + e * u
            middle = d1 * t * t + 2.0 * s * u + d0 * (1.0 - t) * (1.0 - t)
            x[i, a] = min(x0 + w * t, 1.0)
            slope *= s * s * middle / (below * below)
        log_slope[i] = np.log(slope)
    return x, log_slope


@_outer
def gradient(x, exponentials, by_y, by_log_slope, bins):  # type: ignore[no-untyped-def]
    """Chain rule through `forward`.

    Parameters
    ----------
    x, bins
        As for `forward`.
    exponentials
        What `forward` gave.
    by_y
        float64, shape (n, axes): derivative of the loss by each value.
    by_log_slope
        float64, shape (n,): derivative of the loss by each ``log_slope``.

    Returns
    -------
    by_x : float64, shape (n, axes)
        Derivative of the loss by the points.
    by_raw : float32, shape of the raw parameters
        Derivative of the loss by the raw parameters.
    """
    n, axes = x.shape
    parameters = 3 * bins + 1
    by_x = np.empty((n, axes))
    by_raw = np.zeros(exponentials.shape, np.float32)
    for i in range(n):
        gl = by_log_slope[i]
        for a in range(axes):
            first = a * parameters
            own = exponentials[i, first : first + parameters]
            out = by_raw[i, first : first + parameters]
            widths, heights = own[:bins], own[bins : 2 * bins]
            wide, high = _scale(widths, bins), _scale(heights, bins)
            value = min(max(x[i, a], 0.0), 1.0)
            k, x0 = _find(widths, wide, value, bins)
            y0 = _below(heights, high, k)
            w, h = _size(widths, wide, k, x0, bins), _size(heights, high, k, y0, bins)
            share0, share1 = np.float64(own[2 * bins + k]), np.float64(own[2 * bins + k + 1])
            d0, d1 = _slope(share0), _slope(share1)
            t = min(max((value - x0) / w, 0.0), 1.0)
            s = h / w
            u = t * (1.0 - t)
            e = d0 + d1 - 2.0 * s
            below = s + e * u
            ratio = (s * t * t + d0 * u) / below
            middle = d1 * t * t + 2.0 * s * u + d0 * (1.0 - t) * (1.0 - t)
            gz = by_y[i, a]
            by_t = gz * h * s * middle / (below * below) + gl * (
                (2.0 * d1 * t + 2.0 * s * (1.0 - 2.0 * t) - 2.0 * d0 * (1.0 - t)) / middle
                - 2.0 * e * (1.0 - 2.0 * t) / below
            )
            by_s = gz * h * (t * t - ratio * (1.0 - 2.0 * u)) / below + gl * (
                2.0 / s + 2.0 * u / middle - 2.0 * (1.0 - 2.0 * u) / below
            )
            by_d0 = gz * h * u * (1.0 - ratio) / below + gl * (
                (1.0 - t) * (1.0 - t) / middle - 2.0 * u / below
            )
            by_d1 = -gz * h * u * ratio / below + gl * (t * t / middle - 2.0 * u / below)
            by_x[i, a] = by_t / w
            # Bin k itself and every bin below it move the spline; the softmax ties all of them.
            width_below, width_here = -by_t / w, -(by_s * s + by_t * t) / w
            height_below, height_here = gz, gz * ratio + by_s / w
            _through_softmax(widths, wide, k, width_below, width_here, out[:bins], bins)
            _through_softmax(heights, high, k, height_below, height_here, out[bins:], bins)
            out[2 * bins + k] = by_d0 * share0 / (1.0 + share0)
            out[2 * bins + k + 1] = by_d1 * share1 / (1.0 + share1)
    return by_x, by_raw


@_inner
def _through_softmax(shares, scale, k, below, here, out, bins):  # type: ignore[no-untyped-def]
    mean = here * np.float64(shares[k])
    for j in range(k):
        mean += below * np.float64(shares[j])
    mean *= scale / (1.0 - bins * MIN_SIZE)
    factor, shift = np.float32(scale), np.float32(-scale * mean)
    # Bins above k first: the loop over all of them has no branch.
    for j in range(bins):
        out[j] = shift * shares[j]
    rise = np.float32(scale * below)
    for j in range(k):
        out[j] += rise * shares[j]
    out[k] += factor * np.float32(here) * shares[k]
