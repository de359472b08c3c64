"""The flow with its optimiser: compiled sampling, density and gradient step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....backend import keras, tensorflow
from .settings import FlowSettings

CHUNK = 8192
"""Points that go through the flow at once: more would leave the cache."""

GRADIENT_NORM = 5.0
"""Longer gradients are cut: a single point can carry most of a batch's weight."""


class Learner:
    """A flow on the unit hypercube and what it takes to train it.

    Parameters
    ----------
    settings
        Loss and learning rates.
    flow
        The flow, a `network.Flow`.
    """

    def __init__(self, settings: FlowSettings, flow: Any) -> None:
        self._settings = settings
        self.flow = flow
        self._optimiser = keras().optimizers.Adam(
            settings.learning_rate, global_clipnorm=GRADIENT_NORM
        )
        self._optimiser.build(self.flow.trainable_variables)
        self._rate: float = settings.learning_rate
        tf = tensorflow()
        points = tf.TensorSpec((None, flow.dim), tf.float64)
        row = tf.TensorSpec((None,), tf.float64)
        self._sample = tf.function(self.flow.inverse, input_signature=[points], autograph=False)
        self._density = tf.function(self.flow.call, input_signature=[points], autograph=False)
        self._step = tf.function(
            self._gradient_step, input_signature=[points, row, row], autograph=False
        )

    def reset(self, seed: int) -> None:
        """Take fresh weights, which depend on the seed only, and an optimiser without memory."""
        self.flow.set_weights(make_flow(self._settings, self.flow.dim, seed).get_weights())
        for variable in self._optimiser.variables:
            if variable is not self._optimiser.learning_rate:
                variable.assign(np.zeros(variable.shape, variable.dtype))

    def sample(
        self, latent: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Points that belong to uniform ones, and the logarithm of the density there.

        Parameters
        ----------
        latent
            float64, shape (n, dim), in [0, 1].

        Returns
        -------
        points : float64, shape (n, dim)
        log_density : float64, shape (n,)
        """
        return self._in_chunks(self._sample, latent)

    def log_density(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Logarithm of the density at points, shape (n,)."""
        return self._in_chunks(self._density, points)[1]

    def step(
        self,
        points: NDArray[np.float64],
        ratio: NDArray[np.float64],
        log_drawn: NDArray[np.float64],
        rate: float,
    ) -> float:
        """One gradient step.

        Parameters
        ----------
        points
            float64, shape (n, dim).
        ratio
            float64, shape (n,): integrand at the points over its integral and over the density
            that they were drawn from.
        log_drawn
            float64, shape (n,): logarithm of that density.
        rate
            Learning rate.

        Returns
        -------
        float
            The loss before the step.
        """
        if rate != self._rate:
            self._optimiser.learning_rate = self._rate = rate
        return float(self._step(points, ratio, log_drawn))

    def _gradient_step(self, points: Any, ratio: Any, log_drawn: Any) -> Any:
        tf = tensorflow()
        variables = self.flow.trainable_variables
        with tf.GradientTape() as tape:
            log_density = self.flow(points)[1]
            loss = self._loss(ratio, log_drawn, log_density)
        self._optimiser.apply(tape.gradient(loss, variables), variables)
        return loss

    def _loss(self, ratio: Any, log_drawn: Any, log_density: Any) -> Any:
        tf = tensorflow()
        loss: Any = 0.0
        if self._settings.loss != "variance":
            # Up to a constant: the expectation of ln(p / q) under p, from points of q_drawn.
            loss -= tf.reduce_mean(ratio * (log_density - log_drawn))
        if self._settings.loss != "kl":
            half = 0.5 if self._settings.loss == "kl+variance" else 1.0
            drawn_over_density = tf.exp(tf.clip_by_value(log_drawn - log_density, -30.0, 30.0))
            loss += half * tf.reduce_mean(ratio**2 * drawn_over_density)
        return loss

    def _in_chunks(
        self, function: Any, points: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        moved, logarithm = np.empty(points.shape), np.empty(len(points))
        for first in range(0, len(points), CHUNK):
            here = slice(first, first + CHUNK)
            moved[here], logarithm[here] = function(points[here])
        return moved, logarithm

    def as_arrays(self) -> dict[str, NDArray[np.generic]]:
        """Weights and state of the optimiser."""
        variables = [*self.flow.variables, *self._optimiser.variables]
        return {f"{i}": np.array(variable.numpy()) for i, variable in enumerate(variables)}

    def restore(self, arrays: dict[str, NDArray[np.generic]]) -> None:
        """Take up what `as_arrays` gave."""
        for i, variable in enumerate([*self.flow.variables, *self._optimiser.variables]):
            variable.assign(arrays[f"{i}"])
        self._rate = float(self._optimiser.learning_rate)


def make_flow(settings: FlowSettings, dim: int, seed: int) -> Any:
    """Make a flow with fresh weights.

    Parameters
    ----------
    settings
        Architecture.
    dim
        Number of axes.
    seed
        Seed of the weights.

    Returns
    -------
    network.Flow
    """
    from .network import Flow

    return Flow(dim, settings.bins, settings.hidden, settings.units, settings.repeats, seed)


def load_flow(file: Path, dim: int) -> Any:
    """Read a flow, without running any code found in the file.

    Parameters
    ----------
    file
        A ``.keras`` file.
    dim
        Number of axes that it must have.

    Returns
    -------
    network.Flow

    Raises
    ------
    ValueError
        If the file holds something else.
    """
    from .network import Flow

    try:
        flow = keras().saving.load_model(file, compile=False, safe_mode=True)
    except (KeyError, TypeError, ValueError, OSError) as error:
        raise ValueError(f"{file} cannot be read as a flow: {error}") from None
    if not isinstance(flow, Flow):
        raise ValueError(f"{file} holds a {type(flow).__name__}, not a flow")
    if flow.dim != dim:
        raise ValueError(f"{file} has {flow.dim} axes, but the grid beside it has {dim}")
    return flow
