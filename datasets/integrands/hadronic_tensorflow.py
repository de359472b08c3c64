"""gg -> t tbar in proton collisions for TensorFlow: a float64 tensor (n, 3) in, (n,) out."""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf  # type: ignore[import-untyped]

from .beams import GLUON, density_table
from .constants import BEAM_ENERGY, G_SQUARED, M_TOP, PICOBARN


def _gluons(x: Any) -> Any:
    """Density x g(x) at the fixed scale, clamped at zero."""
    log_x, table = density_table()
    knots = tf.constant(log_x, tf.float64)
    cubics = tf.constant(table[:, GLUON], tf.float64)
    lx = tf.math.log(x)
    # The table is a constant: gradients go through the place inside the interval.
    interval = tf.searchsorted(knots, tf.stop_gradient(lx), side="right") - 1
    interval = tf.clip_by_value(interval, 0, len(log_x) - 2)
    left = tf.gather(knots, interval)
    t = (lx - left) / (tf.gather(knots, interval + 1) - left)
    c = tf.gather(cubics, interval)
    value = ((c[:, 3] * t + c[:, 2]) * t + c[:, 1]) * t + c[:, 0]
    return tf.maximum(value, tf.zeros_like(value))


def gg_tt(points: Any) -> Any:
    """Evaluate ``gg-tt`` as its kernel does."""
    range_tau = -2.0 * math.log(2.0 * M_TOP / BEAM_ENERGY)
    log_tau = (points[:, 0] - 1.0) * range_tau
    y = (0.5 - points[:, 1]) * log_tau
    s = tf.exp(log_tau) * BEAM_ENERGY**2
    one, two = (
        tf.minimum(tf.exp(0.5 * log_tau + sign * y), tf.ones_like(y)) for sign in (1.0, -1.0)
    )
    rho = 4.0 * M_TOP**2 / s
    beta = tf.sqrt(tf.maximum(1.0 - rho, tf.zeros_like(rho)))
    along = beta * (2.0 * points[:, 2] - 1.0)
    # tau_1 tau_2 and tau_1^2 + tau_2^2
    product = 0.25 * (1.0 - along**2)
    square = (1.0 / (6.0 * product) - 0.375) * (
        0.5 * (1.0 + along**2) + rho - rho**2 / (4.0 * product)
    )
    weight = range_tau * -log_tau * beta / (16.0 * math.pi * s)
    return PICOBARN * G_SQUARED**2 * weight * _gluons(one) * _gluons(two) * square
