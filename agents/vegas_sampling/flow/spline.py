"""Rational-quadratic splines as TensorFlow operations: portable, and with compiled loops inside.

``rational_quadratic`` is made of TensorFlow operations alone and runs on any device. On a CPU
``compiled_forward`` and ``compiled_inverse`` do the same with the loops of ``kernels.py``.
"""

from __future__ import annotations

from typing import Any

from ....backend import tensorflow
from . import kernels
from .kernels import MIN_SIZE, MIN_SLOPE


def rational_quadratic(values: Any, raw: Any, bins: int, inverse: bool = False) -> tuple[Any, Any]:
    """Splines, or their inverse, with TensorFlow operations.

    Parameters
    ----------
    values
        Tensor of shape (n, axes), in [0, 1]; its type is that of the computation.
    raw
        Tensor of shape (n, axes * (3 bins + 1)): raw parameters.
    bins
        Number of bins.
    inverse
        Whether to go from values of the spline back to its arguments.

    Returns
    -------
    result : tensor, shape (n, axes)
    log_slope : tensor, shape (n,)
        Sum over the axes of the logarithm of the slope of the spline (also for its inverse).
    """
    tf = tensorflow()
    values = tf.clip_by_value(values, 0.0, 1.0)
    raw = tf.cast(tf.reshape(raw, (-1, values.shape[1], 3 * bins + 1)), values.dtype)
    widths, heights, slopes = tf.split(raw, [bins, bins, bins + 1], axis=-1)
    free = 1.0 - bins * MIN_SIZE
    widths = MIN_SIZE + free * tf.nn.softmax(widths)
    heights = MIN_SIZE + free * tf.nn.softmax(heights)
    slopes = MIN_SLOPE + tf.nn.softplus(slopes)
    edges = tf.cumsum(heights if inverse else widths, axis=-1)
    # One where the knot lies below the value: the bins left of the one that holds it.
    left = tf.cast(values[..., None] >= edges[..., :-1], values.dtype)
    left = tf.pad(left, [[0, 0], [0, 0], [1, 1]])
    below = left[..., 1:]
    here = tf.concat([tf.ones_like(left[..., :1]), left[..., 1:-1]], -1) - below

    def pick(array: Any) -> Any:
        return tf.reduce_sum(array, axis=-1)

    w, h = pick(here * widths), pick(here * heights)
    x0, y0 = pick(below * widths), pick(below * heights)
    d0, d1 = pick(here * slopes[..., :-1]), pick(here * slopes[..., 1:])
    s = h / w
    e = d0 + d1 - 2.0 * s
    if inverse:
        v = tf.clip_by_value((values - y0) / h, 0.0, 1.0)
        a, b, c = s - d0 + v * e, d0 - v * e, -v * s
        root = tf.sqrt(tf.maximum(b * b - 4.0 * a * c, 0.0))
        t = tf.clip_by_value(-2.0 * c / (b + root), 0.0, 1.0)
        result = x0 + w * t
    else:
        t = tf.clip_by_value((values - x0) / w, 0.0, 1.0)
        result = y0 + h * (s * t * t + d0 * t * (1.0 - t)) / (s + e * t * (1.0 - t))
    u = t * (1.0 - t)
    middle = d1 * t * t + 2.0 * s * u + d0 * (1.0 - t) ** 2
    log_slope = tf.math.log(s * s * middle / (s + e * u) ** 2)
    return tf.clip_by_value(result, 0.0, 1.0), tf.reduce_sum(log_slope, axis=-1)


def compiled_forward(values: Any, raw: Any, bins: int) -> tuple[Any, Any]:
    """Splines with the compiled loops, differentiable once; see `rational_quadratic`.

    Parameters
    ----------
    values
        float64 tensor of shape (n, axes), in [0, 1].
    raw
        float32 tensor of shape (n, axes * (3 bins + 1)).
    bins
        Number of bins.

    Returns
    -------
    result : float64 tensor, shape (n, axes)
    log_slope : float64 tensor, shape (n,)
    """
    tf = tensorflow()

    @tf.custom_gradient
    def spline(x: Any, parameters: Any) -> Any:
        result, log_slope, exponentials = tf.numpy_function(
            lambda x, parameters: kernels.forward(x, parameters, bins),
            [x, parameters],
            [tf.float64, tf.float64, tf.float32],
            stateful=False,
        )
        result.set_shape(x.shape)
        log_slope.set_shape(x.shape[:1])

        def chain(by_result: Any, by_log_slope: Any) -> tuple[Any, Any]:
            by_x, by_raw = tf.numpy_function(
                lambda *arrays: kernels.gradient(arrays[0], arrays[1], arrays[2], arrays[3], bins),
                [x, exponentials, by_result, by_log_slope],
                [tf.float64, tf.float32],
                stateful=False,
            )
            by_x.set_shape(x.shape)
            by_raw.set_shape(parameters.shape)
            return by_x, by_raw

        return (result, log_slope), chain

    return spline(tf.convert_to_tensor(values), tf.convert_to_tensor(raw))


def compiled_inverse(values: Any, raw: Any, bins: int) -> tuple[Any, Any]:
    """Inverse splines with the compiled loops, without gradient; see `rational_quadratic`.

    Parameters
    ----------
    values, raw, bins
        As for `compiled_forward`.

    Returns
    -------
    result : float64 tensor, shape (n, axes)
    log_slope : float64 tensor, shape (n,)
        Of the spline, not of its inverse.
    """
    tf = tensorflow()
    result, log_slope = tf.numpy_function(
        lambda y, parameters: kernels.inverse(y, parameters, bins),
        [values, raw],
        [tf.float64, tf.float64],
        stateful=False,
    )
    result.set_shape(values.shape)
    log_slope.set_shape(values.shape[:1])
    return result, log_slope
