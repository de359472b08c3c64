"""Weights of the keras-rl2 agent in one NPZ file, the only thing that its process hands back.

The file holds ``<layer>/kernel``, shape (inputs, units), and ``<layer>/bias``, shape (units,), as
float32 for the layers ``hidden_1`` to ``hidden_<n>`` (ReLU), ``advantage`` (2 units) and, if
dueling, ``value`` (1 unit): Q = value + advantage - mean(advantage).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...checkpoint import read_checkpoint
from ..dqn.settings import DQNSettings
from ..networks.network import build_network

WEIGHTS_FILE = "weights.npz"


def layer_names(settings: DQNSettings) -> list[str]:
    """Names of the layers that have weights."""
    hidden = [f"hidden_{i + 1}" for i in range(settings.layers)]
    return [*hidden, "advantage", *(["value"] if settings.dueling else [])]


def read_network(folder: Path, settings: DQNSettings) -> tuple[Any, dict[str, Any]]:
    """Build the Keras 3 network with the weights of a training.

    Parameters
    ----------
    folder
        Folder of the training.
    settings
        Its settings.

    Returns
    -------
    network : keras.Model
        Maps float32 states (n, state_dim) to Q values (n, 2).
    values : dict
        What else the training said: its steps and its time.

    Raises
    ------
    ValueError
        If the file does not hold weights, or those of another network.
    """
    file = folder / WEIGHTS_FILE
    layers, values = read_checkpoint(file)
    network = build_network(settings)
    if sorted(layers) != sorted(layer_names(settings)):
        raise ValueError(f"{file} holds the layers {', '.join(layers)}: another network's")
    for name, arrays in layers.items():
        network.get_layer(name).set_weights([arrays["kernel"], arrays["bias"]])
    return network, values
