"""Policies that know their plan beforehand: plain Monte Carlo, VEGAS, growing iterations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ....envs.vegas_sampling.actions import CELLS, grid_action, sampling_action
from ....envs.vegas_sampling.game import BINS, MAX_ALPHA
from ....envs.vegas_sampling.grid import refine
from ....envs.vegas_sampling.setup import Observation
from ...parameters import Allowed, parameter
from .base import Policy, iterations_played

_ALPHA = Allowed(f"0 <= alpha <= {MAX_ALPHA:g}", lambda a: 0.0 <= a <= MAX_ALPHA)
_ITERATIONS = Allowed("1 to 256", lambda n: 1 <= n <= 256, whole=True)
_WARM_UP = Allowed("0 to 255", lambda n: 0 <= n <= 255, whole=True)


@dataclass(frozen=True)
class Plain(Policy):
    """Plain Monte Carlo: all calls in one iteration on the uniform grid."""

    name = "plain"

    def act(self, observation: Observation) -> NDArray[np.float32]:
        """Spend everything."""
        return sampling_action(np.zeros(len(observation["axes"])), 1.0)


@dataclass(eq=False)
class Random(Policy):
    """Actions uniform in the whole action space.

    Parameters
    ----------
    seed
        Non-negative integer.
    """

    name = "random"
    size = 3
    seed: int = parameter(0, Allowed("seed >= 0", lambda n: n >= 0, whole=True))

    def __post_init__(self) -> None:
        super().__post_init__()
        self.begin()

    def begin(self) -> None:
        """Start the random numbers."""
        self._random = np.random.default_rng(self.seed)

    def act(self, observation: Observation) -> NDArray[np.float32]:
        """Draw."""
        shape = (len(observation["axes"]), self.size)
        return self._random.uniform(-1.0, 1.0, shape).astype(np.float32)


@dataclass(eq=False)
class RandomGrid(Random):
    """Random grids in `VegasGrid-v0`; parameters as in `Random`."""

    name = "random-grid"
    environment = "VegasGrid-v0"
    size = CELLS + 2


@dataclass(frozen=True)
class Vegas(Policy):
    """VEGAS as it is mostly used: equal iterations and constant damping.

    Parameters
    ----------
    alpha
        Damping.
    iterations
        Number of iterations.
    warm_up
        How many of them do not count.
    """

    name = "vegas"
    alpha: float = parameter(1.5, _ALPHA)
    iterations: int = parameter(10, _ITERATIONS)
    warm_up: int = parameter(0, _WARM_UP)

    def act(self, observation: Observation) -> NDArray[np.float32]:
        """Spend the same number of calls as before."""
        share, keep = _equal(observation, self.iterations, self.warm_up)
        return sampling_action(self.alpha, share, keep)


def _equal(
    observation: Observation, iterations: int, warm_up: int
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Share of the remaining calls and keep, for iterations of one size."""
    played = iterations_played(observation)
    return 1.0 / np.maximum(iterations - played, 1), played >= warm_up


@dataclass(frozen=True)
class Geometric(Policy):
    """Iterations that grow by a factor, with damping that falls from first to last.

    Parameters
    ----------
    first_alpha, last_alpha
        Damping of the first and of the last refinement; linear in between.
    growth
        Calls of an iteration / calls of the iteration before.
    iterations
        Number of iterations.
    warm_up
        How many of them do not count.
    """

    name = "geometric"
    first_alpha: float = parameter(1.5, _ALPHA)
    last_alpha: float = parameter(0.5, _ALPHA)
    growth: float = parameter(1.2, Allowed("1 <= growth <= 10", lambda g: 1.0 <= g <= 10.0))
    iterations: int = parameter(20, _ITERATIONS)
    warm_up: int = parameter(5, _WARM_UP)

    def act(self, observation: Observation) -> NDArray[np.float32]:
        """Follow the schedule."""
        played = np.minimum(iterations_played(observation), self.iterations - 1)
        # With r iterations to go this one takes 1 part of 1 + g + ... + g^(r-1).
        parts = np.cumsum(self.growth ** np.arange(self.iterations, dtype=np.float64))
        share = 1.0 / parts[self.iterations - 1 - played]
        # The first refinement comes with the second iteration.
        past = (played - 1) / max(self.iterations - 2, 1)
        alpha = self.first_alpha + (self.last_alpha - self.first_alpha) * np.clip(past, 0.0, 1.0)
        return sampling_action(alpha, share, played >= self.warm_up)


@dataclass(frozen=True)
class VegasOnGrid(Policy):
    """VEGAS in `VegasGrid-v0`: it refines the observed grid itself and hands it in.

    Parameters
    ----------
    alpha, iterations, warm_up
        As in `Vegas`.
    """

    name = "vegas-on-grid"
    environment = "VegasGrid-v0"
    alpha: float = parameter(1.5, _ALPHA)
    iterations: int = parameter(10, _ITERATIONS)
    warm_up: int = parameter(0, _WARM_UP)

    def act(self, observation: Observation) -> NDArray[np.float32]:
        """Refine as VEGAS does."""
        width = np.exp(-observation["grid"].astype(np.float64)) / BINS
        edges = np.concatenate([np.zeros((*width.shape[:2], 1)), np.cumsum(width, axis=2)], axis=2)
        weights = np.exp(observation["weights"].astype(np.float64))
        for game in np.flatnonzero(iterations_played(observation)):
            refine(edges[game], weights[game], self.alpha)
        smallest = np.finfo(np.float64).eps
        logits = np.log(np.maximum(np.diff(edges, axis=2), smallest))
        share, keep = _equal(observation, self.iterations, self.warm_up)
        return grid_action(logits, share, keep)
