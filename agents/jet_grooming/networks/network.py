"""The network: one value for keeping and one for removing, from what is seen of one node."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ....backend import keras

ACTIONS = 2

Standard = tuple[NDArray[np.float32], NDArray[np.float32]]
"""Mean and variance of each state component."""


class NetworkSettings(Protocol):
    """What decides a network: `DQNSettings`, or those of another agent with such a network."""

    @property
    def architecture(self) -> str:
        """Kind of the hidden layers: dense or lstm."""

    @property
    def layers(self) -> int:
        """Number of hidden layers."""

    @property
    def units(self) -> int:
        """Units in each of them."""

    @property
    def dropout(self) -> float:
        """Fraction of the last hidden layer's units dropped while training."""

    @property
    def dueling(self) -> bool:
        """Whether the last layer is split into value and advantage."""

    @property
    def standardise(self) -> bool:
        """Whether the input is standardised."""

    @property
    def components(self) -> int:
        """Size of the input."""

    @property
    def seed(self) -> int:
        """Seed of the weights."""


def build_network(settings: NetworkSettings, standard: Standard | None = None) -> Any:
    """Build the network with fresh weights, which depend on ``settings.seed`` only.

    It is a functional Keras model of plain layers, so that it can be saved and loaded in safe
    mode.

    Parameters
    ----------
    settings
        Architecture and seed.
    standard
        Mean and variance of each of the components seen, float32; needed if
        ``settings.standardise``.

    Returns
    -------
    keras.Model
        Maps float32 states (n, components) to Q values (n, 2), column 0 for keeping.
    """
    layers = keras().layers
    ops = keras().ops
    seeds = iter(_seeds(settings))

    def weights() -> Any:
        return keras().initializers.GlorotUniform(seed=next(seeds))

    state = keras().Input((settings.components,), name="state")
    x = state
    if settings.standardise:
        if standard is None:
            raise ValueError("standardise needs the mean and variance of each state component")
        mean, variance = standard
        x = layers.Normalization(mean=mean.tolist(), variance=variance.tolist(), name="standard")(x)
    if settings.architecture == "lstm":
        x = layers.Reshape((1, settings.components), name="sequence")(x)
        for i in range(settings.layers):
            x = layers.LSTM(
                settings.units,
                return_sequences=i < settings.layers - 1,
                kernel_initializer=weights(),
                recurrent_initializer=keras().initializers.Orthogonal(seed=next(seeds)),
                unroll=True,
                name=f"hidden_{i + 1}",
            )(x)
    else:
        for i in range(settings.layers):
            x = layers.Dense(
                settings.units,
                activation="relu",
                kernel_initializer=weights(),
                name=f"hidden_{i + 1}",
            )(x)
    if settings.dropout:
        x = layers.Dropout(settings.dropout, seed=next(seeds), name="dropout")(x)
    advantage = layers.Dense(ACTIONS, kernel_initializer=weights(), name="advantage")(x)
    if not settings.dueling:
        return keras().Model(state, advantage, name="q")
    value = layers.Dense(1, kernel_initializer=weights(), name="value")(x)
    mean = ops.mean(advantage, axis=-1, keepdims=True)
    return keras().Model(state, value + (advantage - mean), name="q")


def _seeds(settings: NetworkSettings) -> list[int]:
    """Enough independent seeds for the layers."""
    state = np.random.SeedSequence(settings.seed).generate_state(2 * settings.layers + 3)
    return [int(seed) for seed in state >> 1]
