"""Layers of the CycleGAN against plain ways to compute them."""

import numpy as np
import pytest

from hepgym.agents.jet_domains.layers import (
    Coordinates,
    InstanceNormalization,
    UpsamplingConv2D,
    leaky_relu,
)
from hepgym.backend import keras, tensorflow


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).normal(0.3, 2.0, (3, 6, 5, 4)).astype(np.float32)


def gradients(call, *inputs):
    """Output of a layer, and gradients of a sum of its squares weighted by position."""
    tf = tensorflow()
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        out = call(inputs[0])
        place = tf.reshape(tf.range(1.0, tf.size(out, tf.float32) + 1.0), out.shape)
        loss = tf.reduce_mean(place * out * out)
    return [np.asarray(out), *map(np.asarray, tape.gradient(loss, inputs))]


def test_upsampling_convolution(images):
    """As repeating the pixels and convolving them, gradients included."""
    tf = tensorflow()
    layer = UpsamplingConv2D(7, kernel_initializer=keras().initializers.GlorotUniform(seed=1))
    layer(images)
    layer.bias.assign(np.arange(7.0))

    def plainly(x):
        large = tf.repeat(tf.repeat(x, 2, axis=1), 2, axis=2)
        return tf.nn.bias_add(tf.nn.conv2d(large, layer.kernel.value, 1, "SAME"), layer.bias.value)

    inputs = tf.constant(images), layer.kernel.value, layer.bias.value
    for found, expected in zip(gradients(layer, *inputs), gradients(plainly, *inputs), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    assert layer.compute_output_shape((None, 6, 5, 4)) == (None, 12, 10, 7)


@pytest.mark.parametrize(("over", "axes"), [("image", (1, 2, 3)), ("channel", (1, 2))])
def test_instance_normalisation(images, over, axes):
    """Mean 0, standard deviation 1; gradients as TensorFlow takes them of the definition."""
    tf = tensorflow()
    layer = InstanceNormalization(over)

    def plainly(x):
        mean = tf.reduce_mean(x, axes, keepdims=True)
        return (x - mean) / (tf.math.reduce_std(x, axes, keepdims=True) + 1e-3)

    inputs = (tf.constant(images),)
    for found, expected in zip(gradients(layer, *inputs), gradients(plainly, *inputs), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)
    out = np.asarray(layer(images))
    np.testing.assert_allclose(out.mean(axis=axes), 0, atol=1e-5)
    np.testing.assert_allclose(out.std(axis=axes), 1, atol=1e-2)
    constant = gradients(layer, tf.fill((2, 6, 5, 4), 3.0))
    assert all(np.isfinite(one).all() for one in constant)
    if over == "image":
        layer.gamma.assign([2.0])
        layer.beta.assign([-1.0])
        np.testing.assert_allclose(layer(images), 2 * out - 1, atol=1e-5)


def test_leaky_relu(images):
    tf = tensorflow()
    inputs = (tf.constant(images),)
    expected = gradients(lambda x: tf.nn.leaky_relu(x, 0.2), *inputs)
    for found, one in zip(gradients(leaky_relu, *inputs), expected, strict=True):
        np.testing.assert_allclose(found, one, rtol=1e-6)


def test_coordinates(images):
    out = np.asarray(Coordinates()(images))
    np.testing.assert_array_equal(out[..., :4], images)
    np.testing.assert_allclose(out[1, :, 2, 4], np.linspace(-1, 1, 6), rtol=1e-6)
    np.testing.assert_allclose(out[2, 3, :, 5], np.linspace(-1, 1, 5), rtol=1e-6)
