"""Online and target network with one compiled training step."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....backend import keras, tensorflow
from ..networks.learner import NetworkLearner, compiled, move
from ..networks.network import ACTIONS, Standard, build_network
from .replay import Transitions
from .settings import DQNSettings


class Learner(NetworkLearner):
    """Deep Q-learning with a target network (arXiv:1312.5602, 1509.06461, 1511.06581).

    Parameters
    ----------
    settings
        Network, optimiser and update rule.
    standard
        See `build_network`.
    """

    def __init__(self, settings: DQNSettings, standard: Standard | None = None) -> None:
        self.settings = settings
        self.online = build_network(settings, standard)
        self.target = build_network(settings, standard)
        self.averaged = build_network(settings, standard) if settings.average else self.online
        self._optimiser = _optimiser(settings)
        self._optimiser.build(self.online.trainable_variables)
        # Not compiled by XLA: on processors its loops do without the fast matrix products and
        # take two to four times as long (measured with TensorFlow 2.21).
        self._train = tensorflow().function(self._update_many)
        self._train_and_value = tensorflow().function(self._update_many_and_value)
        self._values = compiled(self.online)

    def values(self, states: NDArray[np.float32]) -> NDArray[np.float32]:
        """Q values of the online network, shape (n, 2)."""
        values: NDArray[np.float32] = self._values(states).numpy()
        return values

    def update(self, batches: Transitions) -> float:
        """Make one gradient step for each batch.

        Parameters
        ----------
        batches
            Arrays whose shapes start with (gradient steps, batch size).

        Returns
        -------
        float
            Mean of half the squared temporal-difference error.
        """
        follows = (self.settings.gamma * ~batches.terminal).astype(np.float32)
        return float(
            self._train(batches.state, batches.action, batches.reward, batches.next_state, follows)
        )

    def update_and_value(
        self, batches: Transitions, states: NDArray[np.float32]
    ) -> tuple[float, NDArray[np.float32]]:
        """Do what `update` and then `values` do, in one call of TensorFlow.

        With one environment, a call of its own for the values costs half as much as the update.

        Parameters
        ----------
        batches
            As for `update`.
        states
            As for `values`.

        Returns
        -------
        loss : float
        values : numpy.ndarray
            float32, shape (n, 2).
        """
        follows = (self.settings.gamma * ~batches.terminal).astype(np.float32)
        loss, values = self._train_and_value(
            batches.state, batches.action, batches.reward, batches.next_state, follows, states
        )
        return float(loss), values.numpy()

    def _update_many_and_value(
        self, state: Any, action: Any, reward: Any, next_state: Any, follows: Any, seen: Any
    ) -> Any:
        loss = self._update_many(state, action, reward, next_state, follows)
        return loss, self.online(seen, training=False)

    def _update_many(
        self, state: Any, action: Any, reward: Any, next_state: Any, follows: Any
    ) -> Any:
        tf = tensorflow()
        total = tf.constant(0.0)
        # AutoGraph makes this a loop inside the graph.
        for k in tf.range(tf.shape(action)[0]):
            total += self._update(state[k], action[k], reward[k], next_state[k], follows[k])
        return total / tf.cast(tf.shape(action)[0], tf.float32)

    def _update(self, state: Any, action: Any, reward: Any, next_state: Any, follows: Any) -> Any:
        tf = tensorflow()
        settings = self.settings
        next_values = self.target(next_state, training=False)
        if settings.double:
            best = tf.argmax(self.online(next_state, training=False), axis=-1)
            next_value = tf.reduce_sum(next_values * tf.one_hot(best, ACTIONS), axis=-1)
        else:
            next_value = tf.reduce_max(next_values, axis=-1)
        goal = reward + follows * next_value
        weights = self.online.trainable_variables
        with tf.GradientTape() as tape:
            values = self.online(state, training=True)
            value = tf.reduce_sum(values * tf.one_hot(action, ACTIONS), axis=-1)
            loss = 0.5 * tf.reduce_mean(tf.square(goal - value))
        self._optimiser.apply(tape.gradient(loss, weights), weights)
        move(self.target, weights, settings.target_update)
        if settings.average:
            move(self.averaged, weights, 1.0 - settings.average)
        return loss

    def _variables(self) -> dict[str, list[Any]]:
        return {
            # All variables, not only weights: the random state of dropout is one of them.
            "online": self.online.variables,
            "target": self.target.variables,
            "averaged": self.averaged.variables if self.settings.average else [],
            "optimiser": self._optimiser.variables,
        }


def _optimiser(settings: DQNSettings) -> Any:
    rate: Any = settings.learning_rate
    if settings.final_learning_rate is not None:
        rate = keras().optimizers.schedules.CosineDecay(
            settings.learning_rate,
            decay_steps=max(1, (settings.steps - settings.warmup) // settings.steps_per_update),
            alpha=settings.final_learning_rate / settings.learning_rate,
        )
    return keras().optimizers.get(
        {"class_name": settings.optimiser, "config": {"learning_rate": rate}}
    )
