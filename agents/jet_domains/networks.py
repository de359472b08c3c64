"""U-Net generators and PatchGAN discriminators (arXiv:1703.10593, arXiv:1909.01359)."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...backend import keras
from .settings import CycleGANSettings

PIXELS = 24
"""Edge of the images."""


def build_generator(settings: CycleGANSettings, number: int) -> Any:
    """Build a generator with fresh weights.

    Parameters
    ----------
    settings
        Filters and kind.
    number
        0 or 1: each generator has weights of its own.

    Returns
    -------
    keras.Model
        Maps float32 images (n, 24, 24, 1) to images.
    """
    from .layers import UpsamplingConv2D

    layers = keras().layers
    filters = settings.generator_filters
    seeds = _seeds(settings, number)

    def down(x: Any, channels: int) -> Any:
        return _normalised(_strided(x, channels, seeds), settings.normalisation)

    def up(x: Any, skip: Any, channels: int) -> Any:
        x = UpsamplingConv2D(channels, activation="relu", kernel_initializer=_weights(seeds))(x)
        return layers.Concatenate()([_normalised(x, settings.normalisation), skip])

    image = keras().Input((PIXELS, PIXELS, 1), name="image")
    first = down(_located(image, settings), filters)
    second = down(first, 2 * filters)
    third = down(second, 4 * filters)
    x = up(third, second, 2 * filters)
    x = up(x, first, filters)
    x = UpsamplingConv2D(
        1,
        activation=None if settings.residual else "tanh",
        # What is added to the image is nothing at first: learning starts from the identity.
        kernel_initializer="zeros" if settings.residual else _weights(seeds),
    )(x)
    out = layers.Add()([x, image]) if settings.residual else x
    return keras().Model(image, out, name=f"generator_{number}")


def build_discriminator(settings: CycleGANSettings, number: int) -> Any:
    """Build a discriminator: a verdict for each of 3 x 3 patches; arguments as above."""
    from .layers import KERNEL

    layers = keras().layers
    filters = settings.discriminator_filters
    seeds = _seeds(settings, 2 + number)
    image = keras().Input((PIXELS, PIXELS, 1), name="image")
    x = _located(image, settings)
    for level in range(3):
        x = _strided(x, filters * 2**level, seeds)
        x = _normalised(x, settings.discriminator_normalisation) if level else x
    x = layers.Conv2D(1, KERNEL, padding="same", kernel_initializer=_weights(seeds))(x)
    return keras().Model(image, x, name=f"discriminator_{number}")


def _located(image: Any, settings: CycleGANSettings) -> Any:
    from .layers import Coordinates

    return Coordinates()(image) if settings.coordinates else image


def _strided(x: Any, channels: int, seeds: Any) -> Any:
    from .layers import KERNEL, leaky_relu

    return keras().layers.Conv2D(
        channels,
        KERNEL,
        2,
        padding="same",
        activation=leaky_relu,
        kernel_initializer=_weights(seeds),
    )(x)


def _normalised(x: Any, over: Any) -> Any:
    from .layers import InstanceNormalization

    return x if over == "none" else InstanceNormalization(over)(x)


def _weights(seeds: Any) -> Any:
    return keras().initializers.GlorotUniform(seed=next(seeds))


def _seeds(settings: CycleGANSettings, number: int) -> Any:
    state = np.random.SeedSequence([settings.seed, number]).generate_state(16)
    return iter([int(seed) for seed in state >> 1])
