"""Layers of the CycleGAN: instance normalisation, and upsampling joined with a convolution."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ...backend import keras, tensorflow

Over = Literal["image", "channel"]

KERNEL = 4
"""Edge of the kernels of all convolutions."""

_SLOPE = 0.2
_layers = keras().layers
_register = keras().saving.register_keras_serializable(package="hepgym")


@_register
class InstanceNormalization(_layers.Layer):  # type: ignore[misc, name-defined]
    """Subtract the mean of an instance and divide by its standard deviation (arXiv:1607.08022).

    out = gamma (x - mean) / (std + epsilon) + beta

    Parameters
    ----------
    over
        "image": mean and standard deviation of all channels of an image together and numbers gamma
        and beta, as in the published CycleJet networks; "channel": of each channel by itself,
        without gamma and beta.
    epsilon
        Keeps a constant image finite.
    """

    def __init__(self, over: Over = "image", epsilon: float = 1e-3, **options: Any) -> None:
        super().__init__(**options)
        self.over = over
        self.epsilon = epsilon

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Make gamma and beta, see Keras."""
        if self.over == "image":
            self.gamma = self.add_weight(shape=(1,), initializer="ones", name="gamma")
            self.beta = self.add_weight(shape=(1,), initializer="zeros", name="beta")
        super().build(shape)

    def call(self, images: Any) -> Any:
        """Normalise images, shape (n, rows, columns, channels)."""
        tf = tensorflow()
        _, rows, columns, channels = images.shape
        if self.over == "image":
            flat = tf.reshape(images, (-1, rows * columns * channels))
            out = _standardised(flat, self.gamma.value, self.beta.value, self.epsilon)
        else:
            flat = tf.reshape(images, (-1, rows * columns, channels))
            one = tf.ones(1)
            out = _standardised(flat, one, tf.zeros_like(one), self.epsilon)
        return tf.reshape(out, (-1, rows, columns, channels))

    def get_config(self) -> dict[str, Any]:
        """Give the arguments, see Keras."""
        return {**super().get_config(), "over": self.over, "epsilon": self.epsilon}


@_register
def leaky_relu(x: Any) -> Any:
    """Leaky ReLU of slope 0.2, whose gradient looks at its output.

    The sign of the output is that of the input, which then need not be kept: TensorFlow can join
    the activation with the convolution before it.
    """
    tf = tensorflow()

    @tf.custom_gradient
    def activated(x: Any) -> Any:
        out = tf.nn.leaky_relu(x, _SLOPE)

        def gradient(upstream: Any) -> Any:
            return tf.raw_ops.LeakyReluGrad(gradients=upstream, features=out, alpha=_SLOPE)

        return out, gradient

    return activated(x)


@_register
class Coordinates(_layers.Layer):  # type: ignore[misc, name-defined]
    """Add two channels that say where a pixel is, from -1 to 1 (arXiv:1807.03247)."""

    def call(self, images: Any) -> Any:
        """Map (n, rows, columns, channels) to (n, rows, columns, channels + 2)."""
        tf = tensorflow()
        _, rows, columns, _ = images.shape
        places = np.meshgrid(np.linspace(-1, 1, rows), np.linspace(-1, 1, columns), indexing="ij")
        where = tf.constant(np.stack(places, axis=2)[None].astype(np.float32))
        return tf.concat([images, tf.repeat(where, tf.shape(images)[0], axis=0)], axis=3)


@_register
class UpsamplingConv2D(_layers.Layer):  # type: ignore[misc, name-defined]
    """Repeat each pixel twice along both axes, then convolve with a 4 x 4 kernel.

    Computed on the small image: a convolution of repeated pixels is, for each of the four places
    in a repeated pixel, a convolution with sums of kernel entries, three along each axis. That
    takes 36 products where the plain way takes 64, and no single-channel convolution of a large
    image, which oneDNN is slow at.

    Parameters
    ----------
    filters
        Channels of the output.
    activation
        Name of the activation, None for none.
    kernel_initializer
        See Keras.
    """

    def __init__(
        self,
        filters: int,
        activation: str | None = None,
        kernel_initializer: Any = "glorot_uniform",
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.filters = filters
        self.activation = keras().activations.get(activation)
        self.kernel_initializer = keras().initializers.get(kernel_initializer)
        self._sums = _tap_sums()

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Make kernel and bias, see Keras."""
        self.kernel = self.add_weight(
            shape=(KERNEL, KERNEL, shape[-1], self.filters),
            initializer=self.kernel_initializer,
            name="kernel",
        )
        self.bias = self.add_weight(shape=(self.filters,), initializer="zeros", name="bias")
        super().build(shape)

    def call(self, images: Any) -> Any:
        """Map (n, rows, columns, channels) to (n, 2 rows, 2 columns, filters)."""
        tf = tensorflow()
        inputs = images.shape[-1]
        small = tf.matmul(self._sums, tf.reshape(self.kernel, (KERNEL**2, inputs * self.filters)))
        small = tf.reshape(small, (3, 3, 4, inputs, self.filters))
        small = tf.reshape(tf.transpose(small, (0, 1, 3, 2, 4)), (3, 3, inputs, -1))
        out = tf.nn.depth_to_space(tf.nn.conv2d(images, small, 1, "SAME"), 2)
        return self.activation(tf.nn.bias_add(out, self.bias))

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Give the shape of the output, see Keras."""
        batch, rows, columns, _ = shape
        return (batch, rows and 2 * rows, columns and 2 * columns, self.filters)

    def get_config(self) -> dict[str, Any]:
        """Give the arguments, see Keras."""
        return {
            **super().get_config(),
            "filters": self.filters,
            "activation": keras().activations.serialize(self.activation),
            "kernel_initializer": keras().initializers.serialize(self.kernel_initializer),
        }


def _tap_sums() -> NDArray[np.float32]:
    """Which entries of a kernel meet which small pixel, shape (3 * 3 * 2 * 2, KERNEL**2).

    Rows are small pixels along both axes, then places in the repeated pixel along both. With "same"
    padding, entry k of the kernel at place p of small pixel i meets the large pixel
    2 i + p + k - 1, which repeats the small pixel i + (p + k - 1) // 2.
    """
    sums = np.zeros((3, 2, KERNEL), np.float32)
    for place in range(2):
        for entry in range(KERNEL):
            sums[1 + (place + entry - 1) // 2, place, entry] = 1.0
    both = np.einsum("apk,bql->abpqkl", sums, sums)
    return both.reshape(-1, KERNEL**2)


def _standardised(rows: Any, gamma: Any, beta: Any, epsilon: float) -> Any:
    """Mean ``beta`` and standard deviation ``gamma`` along axis 1.

    The gradient is written out: taken automatically it needs twice the passes over memory, and it
    is not finite where all values are equal. With the standardised y = (x - mean) share, each of
    the sums over y and the upstream gradient serves x and gamma or beta.
    """
    tf = tensorflow()

    @tf.custom_gradient
    def standardised(x: Any, gamma: Any, beta: Any) -> Any:
        number = tf.cast(tf.shape(x)[1], x.dtype)

        def sum_(y: Any) -> Any:
            return tf.reduce_sum(y, axis=1, keepdims=True)

        centre = sum_(x) / number
        std = tf.sqrt(tf.maximum(sum_(x * x) / number - centre * centre, 0.0))
        share = 1.0 / (std + epsilon)
        slope = gamma * share

        def gradient(upstream: Any) -> Any:
            total = sum_(upstream)
            along = (sum_(upstream * x) - total * centre) * share
            tilt = slope * share * along * (std + epsilon) / (tf.maximum(std, 1e-12) * number)
            level = slope * total / number - centre * tilt
            ways = tf.reshape(tf.reduce_sum(along), (1,)), tf.reshape(tf.reduce_sum(total), (1,))
            return upstream * slope - (x * tilt + level), *ways

        return x * slope + (beta - centre * slope), gradient

    return standardised(rows, gamma, beta)
