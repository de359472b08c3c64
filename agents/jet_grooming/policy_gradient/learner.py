"""The policy's network with one compiled training step."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....backend import keras, tensorflow
from ..networks.learner import NetworkLearner, compiled, move
from ..networks.network import Standard, build_network
from .settings import PolicyGradientSettings


class Learner(NetworkLearner):
    """Policy gradient ascent with Adam.

    Parameters
    ----------
    settings
        Network and learning rate.
    standard
        See `build_network`.
    """

    def __init__(self, settings: PolicyGradientSettings, standard: Standard) -> None:
        self.settings = settings
        self.online = build_network(settings, standard)
        self.averaged = build_network(settings, standard)
        rate = keras().optimizers.schedules.CosineDecay(
            settings.learning_rate,
            decay_steps=settings.steps,
            alpha=settings.final_learning_rate / settings.learning_rate,
        )
        self._optimiser = keras().optimizers.Adam(rate)
        self._optimiser.build(self.online.trainable_variables)
        self._preferences = compiled(self.online)
        tf = tensorflow()
        # One trace for batches of any size.
        self._ascend = tf.function(
            self._step,
            input_signature=[
                tf.TensorSpec([None, settings.components], tf.float32),
                tf.TensorSpec([None], tf.float32),
            ],
        )

    def removal_probabilities(self, seen: NDArray[np.float32]) -> NDArray[np.float64]:
        """Probability of a removal at each node, shape (n,)."""
        keep, remove = self._preferences(seen).numpy().astype(np.float64).T
        probability: NDArray[np.float64] = 0.5 * (1.0 + np.tanh(0.5 * (remove - keep)))
        return probability

    def ascend(self, seen: NDArray[np.float32], gain: NDArray[np.float64]) -> None:
        """Make one gradient step.

        Parameters
        ----------
        seen
            float32, shape (n, components): observations of nodes that were reached.
        gain
            Shape (n,): by how much the expected reward grows with the node's probability of a
            removal.
        """
        self._ascend(seen, gain.astype(np.float32))

    def _step(self, seen: Any, gain: Any) -> None:
        tf = tensorflow()
        weights = self.online.trainable_variables
        with tf.GradientTape() as tape:
            preferences = self.online(seen, training=True)
            probability = tf.sigmoid(preferences[:, 1] - preferences[:, 0])
            loss = -tf.reduce_sum(probability * gain)
        self._optimiser.apply(tape.gradient(loss, weights), weights)
        move(self.averaged, weights, 1.0 - self.settings.average)

    def _variables(self) -> dict[str, list[Any]]:
        return {
            "online": self.online.variables,
            "averaged": self.averaged.variables,
            "optimiser": self._optimiser.variables,
        }
