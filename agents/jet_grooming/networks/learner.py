"""A network that learns: state for checkpoints, inference."""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....backend import tensorflow

BATCH = 8192
"""Nodes in one call of the network; more no longer fit the processor's caches."""


class NetworkLearner(ABC):
    """Networks and optimiser of a training.

    Attributes
    ----------
    averaged
        The network that is validated and kept.
    """

    averaged: Any

    @abstractmethod
    def _variables(self) -> dict[str, list[Any]]:
        """All variables that change while learning, of each part."""

    def as_arrays(self) -> dict[str, NDArray[np.generic]]:
        """Everything that changes while learning; `restore` reads it."""
        return {
            f"{name}.{i}": variable.numpy()
            for name, variables in self._variables().items()
            for i, variable in enumerate(variables)
        }

    def restore(self, arrays: dict[str, NDArray[np.generic]]) -> None:
        """Take back what `as_arrays` gave."""
        for name, variables in self._variables().items():
            for i, variable in enumerate(variables):
                variable.assign(arrays[f"{name}.{i}"])


def compiled(network: Any) -> Any:
    """Compile a network for inference on any number of states."""
    tf = tensorflow()
    signature = [tf.TensorSpec([None, network.input_shape[-1]], tf.float32)]
    return tf.function(functools.partial(network, training=False), input_signature=signature)


def move(network: Any, goal: list[Any], part: float) -> None:
    """Move a network's weights part of the way towards others."""
    for variable, value in zip(network.trainable_variables, goal, strict=True):
        variable.assign_add(part * (value - variable))
