"""The functions of `analytic` for TensorFlow: float64 tensors (n, dim) in, (n,) out."""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf  # type: ignore[import-untyped]

from .analytic import (
    CENTRE_X,
    CENTRE_Y,
    CORNER_SLOPE,
    INNER,
    OUTER,
    PEAK_SHARPNESS,
    RADIUS,
    SHARPNESS,
    STEP_1,
    STEP_2,
    STEP_SLOPE,
    WAVE_PHASE,
    WAVE_SUM,
    WIDTH,
)


def _gaussian(points: Any, centre: float, width: Any) -> Any:
    norm = (width * math.sqrt(math.pi)) ** -points.shape[1]
    return norm * tf.exp(-tf.reduce_sum(tf.square(points - centre), axis=1) / width**2)


def gauss(points: Any, width: Any = WIDTH) -> Any:
    """Gaussian at the centre; ``width`` may be a variable to differentiate by."""
    return _gaussian(points, 0.5, width)


def camel(points: Any, width: Any = WIDTH) -> Any:
    """Two Gaussians on the diagonal; ``width`` may be a variable to differentiate by."""
    return 0.5 * (_gaussian(points, 1.0 / 3.0, width) + _gaussian(points, 2.0 / 3.0, width))


def product_peak(points: Any) -> Any:
    """Genz's product peak."""
    dim = points.shape[1]
    centres = tf.constant([k / (dim + 1.0) for k in range(1, dim + 1)], tf.float64)
    return 1.0 / tf.reduce_prod(1.0 + tf.square(PEAK_SHARPNESS * (points - centres)), axis=1)


def corner_peak(points: Any) -> Any:
    """Genz's corner peak."""
    return (1.0 + CORNER_SLOPE * tf.reduce_sum(points, axis=1)) ** -(points.shape[1] + 1)


def discontinuous(points: Any) -> Any:
    """Genz's discontinuous function."""
    inside = (points[:, 0] < STEP_1) & (points[:, 1] < STEP_2)
    value = tf.exp(STEP_SLOPE * tf.reduce_sum(points, axis=1))
    return tf.where(inside, value, tf.zeros_like(value))


def oscillatory(points: Any) -> Any:
    """Genz's oscillatory function."""
    slope = WAVE_SUM / points.shape[1]
    return tf.cos(2.0 * math.pi * WAVE_PHASE + slope * tf.reduce_sum(points, axis=1))


def entangled_circles(points: Any) -> Any:
    """Two thin circles that cross."""
    x, y = points[:, 0], points[:, 1]
    first = tf.abs((x - CENTRE_X) ** 2 + (y - CENTRE_Y) ** 2 - RADIUS**2)
    second = tf.abs((1.0 - x - CENTRE_X) ** 2 + (1.0 - y - CENTRE_Y) ** 2 - RADIUS**2)
    return y**3 * tf.exp(-SHARPNESS * first) + (1.0 - y) ** 3 * tf.exp(-SHARPNESS * second)


def annulus(points: Any) -> Any:
    """1 between two circles, else 0."""
    square = tf.reduce_sum(tf.square(points - 0.5), axis=1)
    return tf.cast((square >= INNER**2) & (square <= OUTER**2), tf.float64)


def polynomial(points: Any) -> Any:
    """Sum over axes of x (1 - x)."""
    return tf.reduce_sum(points * (1.0 - points), axis=1)
