"""U-Net generators and PatchGAN discriminators (arXiv:1703.10593, arXiv:1909.01359)."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...backend import keras
from .settings import CycleGANSettings

PIXELS = 24


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
    layers = keras().layers
    filters = settings.generator_filters
    seeds = _seeds(settings, number)

    def down(x: Any, channels: int) -> Any:
        x = layers.Conv2D(channels, 4, 2, padding="same", kernel_initializer=_weights(seeds))(x)
        return _normalised(layers.LeakyReLU(negative_slope=0.2)(x))

    def up(x: Any, skip: Any, channels: int) -> Any:
        x = layers.UpSampling2D(2)(x)
        x = layers.Conv2D(
            channels, 4, padding="same", activation="relu", kernel_initializer=_weights(seeds)
        )(x)
        return layers.Concatenate()([_normalised(x), skip])

    image = keras().Input((PIXELS, PIXELS, 1), name="image")
    first = down(image, filters)
    second = down(first, 2 * filters)
    third = down(second, 4 * filters)
    x = up(third, second, 2 * filters)
    x = up(x, first, filters)
    x = layers.UpSampling2D(2)(x)
    x = layers.Conv2D(
        1,
        4,
        padding="same",
        activation=None if settings.residual else "tanh",
        kernel_initializer=_weights(seeds),
    )(x)
    out = layers.Add()([x, image]) if settings.residual else x
    return keras().Model(image, out, name=f"generator_{number}")


def build_discriminator(settings: CycleGANSettings, number: int) -> Any:
    """Build a discriminator: a verdict for each of 3 x 3 patches; arguments as above."""
    layers = keras().layers
    filters = settings.discriminator_filters
    seeds = _seeds(settings, 2 + number)
    image = keras().Input((PIXELS, PIXELS, 1), name="image")
    x = image
    for level in range(3):
        x = layers.Conv2D(
            filters * 2**level, 4, 2, padding="same", kernel_initializer=_weights(seeds)
        )(x)
        x = layers.LeakyReLU(negative_slope=0.2)(x)
        x = _normalised(x) if level else x
    x = layers.Conv2D(1, 4, padding="same", kernel_initializer=_weights(seeds))(x)
    return keras().Model(image, x, name=f"discriminator_{number}")


def _normalised(x: Any) -> Any:
    """Instance normalisation: each channel of each image by itself (arXiv:1607.08022)."""
    return keras().layers.GroupNormalization(groups=-1, center=False, scale=False)(x)


def _weights(seeds: Any) -> Any:
    return keras().initializers.GlorotUniform(seed=next(seeds))


def _seeds(settings: CycleGANSettings, number: int) -> Any:
    state = np.random.SeedSequence([settings.seed, number]).generate_state(16)
    return iter([int(seed) for seed in state >> 1])
