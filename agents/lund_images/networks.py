"""Dense networks of the generators; images come as vectors of the pixels that are ever on."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from ...backend import keras

_FREQUENCIES = 4


def dense(name: str, inputs: int, hidden: tuple[int, ...], outputs: int, *, seed: int) -> Any:
    """Build a network with leaky ReLU between its layers.

    Parameters
    ----------
    name
        Of the model.
    inputs, hidden, outputs
        Numbers of units.
    seed
        Of the initial weights.

    Returns
    -------
    keras.Model
        Maps float32 (n, inputs) to (n, outputs).
    """
    layers = keras().layers
    seeds = _seeds(seed)
    x = entrance = keras().Input((inputs,))
    for units in hidden:
        x = layers.Dense(units, kernel_initializer=_weights(seeds))(x)
        x = layers.LeakyReLU(negative_slope=0.2)(x)
    x = layers.Dense(outputs, kernel_initializer=_weights(seeds))(x)
    return keras().Model(entrance, x, name=name)


def denoiser(pixels: int, units: int, blocks: int, *, seed: int) -> Any:
    """Build the network of flow matching.

    Parameters
    ----------
    pixels, units, blocks
        Size: pixels, width, and number of residual blocks.
    seed
        Of the initial weights.

    Returns
    -------
    keras.Model
        Maps [image, mask, time features], float32 of shape (n, pixels), (n, pixels) and
        (n, 8), to logits (n, pixels).
    """
    layers = keras().layers
    seeds = _seeds(seed)
    image = keras().Input((pixels,), name="image")
    mask = keras().Input((pixels,), name="mask")
    time = keras().Input((2 * _FREQUENCIES,), name="time")
    x = layers.Dense(units, kernel_initializer=_weights(seeds))(
        layers.Concatenate()([image, mask, time])
    )
    for _ in range(blocks):
        y = layers.LayerNormalization()(x)
        y = layers.Dense(units, activation="silu", kernel_initializer=_weights(seeds))(y)
        y = layers.Dense(units, kernel_initializer=_weights(seeds))(y)
        x = layers.Add()([x, y])
    x = layers.LayerNormalization()(x)
    x = layers.Dense(pixels, kernel_initializer=_weights(seeds))(x)
    return keras().Model([image, mask, time], x, name="denoiser")


def time_features(time: Any) -> Any:
    """Waves of the time, shape (n, 1) to (n, 8)."""
    from ...backend import tensorflow

    tf = tensorflow()
    angles = time * tf.constant([[math.pi * 2.0**k for k in range(_FREQUENCIES)]], tf.float32)
    return tf.concat([tf.sin(angles), tf.cos(angles)], axis=1)


def _weights(seeds: Iterator[int]) -> Any:
    return keras().initializers.GlorotUniform(seed=next(seeds))


def _seeds(seed: int) -> Iterator[int]:
    state = np.random.SeedSequence(seed).generate_state(64)
    return iter([int(one) for one in state >> 1])
