"""Fits in progress: what the single and the vector environment have in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from ...datasets.parton_distributions.data import DISData
from .constraints import CHI2_LIMIT, POSITIVITY_THRESHOLD
from .game import PARAMETER_LIMIT, Evaluation, FitGame, first_parameters, summary
from .lecture_model import PARAMETERS
from .problem import Covariance, FitProblem, fit_problem

Source = str | PathLike[str] | DISData | FitProblem

STEP_UNIT = 2 * PARAMETER_LIMIT
"""What an action of 1 adds to a parameter."""

_LEAST = 1e-3
"""chi2 per point below which the observation does not look."""

_LOG_LOW, _LOG_HIGH = float(np.log10(_LEAST)), float(np.log10(CHI2_LIMIT))


@dataclass(frozen=True)
class Rules:
    """How long a fit may take.

    Attributes
    ----------
    budget
        Steps after which an episode is truncated.
    patience
        Steps without a new minimum of the validation chi2 after which it terminates; None: never.
    replicas
        Replicas 1 to this are drawn.
    """

    budget: int = 30_000
    patience: int | None = 3_000
    replicas: int = 100

    def __post_init__(self) -> None:
        for name in ("budget", "replicas"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} = {getattr(self, name)!r} is less than 1")
        if self.patience is not None and self.patience < 1:
            raise ValueError(f"patience = {self.patience!r} is less than 1")


def problem(
    source: Source, covariance: Covariance, training_fraction: float, seed: int
) -> FitProblem:
    """Make the problem that is played, unless it is given."""
    if isinstance(source, FitProblem):
        return source
    return fit_problem(
        source, covariance=covariance, training_fraction=training_fraction, seed=seed
    )


def action_space() -> gymnasium.spaces.Box:
    """Allow steps that lead from anywhere to anywhere, in units of `STEP_UNIT`."""
    return gymnasium.spaces.Box(-1.0, 1.0, (PARAMETERS,), np.float32)


def observation_space(experiments: int) -> gymnasium.spaces.Box:
    """See `PDFFitEnv`."""
    looks = experiments + 1
    change = _LOG_HIGH - _LOG_LOW
    low = [_LOG_LOW] * looks + [-change] * looks + [0.0]
    high = [_LOG_HIGH] * looks + [change] * looks + [1.0]
    low += [-PARAMETER_LIMIT] * 8 + [0.0] * 8
    high += [PARAMETER_LIMIT] * 16
    return gymnasium.spaces.Box(np.array(low, np.float32), np.array(high, np.float32))


class Population:
    """Many fits in progress.

    Parameters
    ----------
    game
        Replicas that are fitted.
    rules
        How long a fit may take.
    size
        Number of fits.
    """

    def __init__(self, game: FitGame, rules: Rules, size: int) -> None:
        self.game = game
        self.rules = rules
        self.size = size
        self.replica = np.zeros(size, np.int64)
        self.parameters = np.zeros((size, PARAMETERS), np.float32)
        self.steps = np.zeros(size, np.int64)
        self.lowest = np.full(size, np.inf)
        self.since = np.zeros(size, np.int64)
        experiments = len(game.problem.data.experiments)
        self.now = Evaluation(np.zeros((size, experiments)), *(np.zeros(size) for _ in range(4)))
        self._log = np.zeros((size, experiments + 1), np.float32)
        self._change = np.zeros((size, experiments + 1), np.float32)

    def begin(
        self,
        chosen: NDArray[np.int64],
        random: np.random.Generator,
        options: Mapping[str, Any],
    ) -> None:
        """Start new fits.

        Parameters
        ----------
        chosen
            int64: which ones.
        random
            Where replicas and first parameters come from.
        options
            ``replica`` and ``parameters``, see `PDFFitEnv`.

        Raises
        ------
        ValueError
            If an option is not what it should be.
        """
        unknown = [name for name in options if name not in ("replica", "parameters")]
        if unknown:
            raise ValueError(f"reset has no option {unknown[0]!r}; it has replica and parameters")
        if "replica" in options:
            replica = np.asarray(options["replica"])
            if replica.dtype.kind not in "iu" or replica.shape not in ((), (len(chosen),)):
                raise ValueError("the reset option replica must be an integer, one for each fit")
            if replica.min() < 0:
                raise ValueError("the reset option replica must not be negative")
        else:
            replica = random.integers(1, self.rules.replicas + 1, len(chosen))
        if "parameters" in options:
            start = np.asarray(options["parameters"])
            if start.dtype.kind not in "fiu" or start.shape not in (
                (PARAMETERS,),
                (len(chosen), PARAMETERS),
            ):
                raise ValueError(
                    f"the reset option parameters must be {PARAMETERS} numbers for each fit"
                )
            if not np.isfinite(start).all():
                raise ValueError("the reset option parameters must be finite")
            start = np.clip(start, -PARAMETER_LIMIT, PARAMETER_LIMIT)
        else:
            start = first_parameters(random, len(chosen))
        self.replica[chosen] = replica
        self.parameters[chosen] = start
        self.steps[chosen] = 0
        self.since[chosen] = 0
        self._look(chosen)
        self._change[chosen] = 0.0
        self.lowest[chosen] = self.now.validation[chosen]

    def step(
        self, actions: NDArray[np.floating[Any]], moving: NDArray[np.int64]
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_]]:
        """Move some fits in parameter space.

        Parameters
        ----------
        actions
            Shape (size, 296): steps in units of `STEP_UNIT`.
        moving
            int64: the fits that move.

        Returns
        -------
        reward, terminated, truncated
            Shape (size,); zero and False for the others.
        """
        before, log = self.now.training.copy(), self._log.copy()
        rows = self._rows(moving)
        moved = np.float32(STEP_UNIT) * actions[rows].astype(np.float32, copy=False)
        moved += self.parameters[rows]
        self.parameters[rows] = np.clip(moved, -PARAMETER_LIMIT, PARAMETER_LIMIT, out=moved)
        self._look(moving)
        self._change[moving] = self._log[moving] - log[moving]
        self.steps[moving] += 1
        lower = self.now.validation[moving] < self.lowest[moving]
        self.lowest[moving] = np.where(lower, self.now.validation[moving], self.lowest[moving])
        self.since[moving] = np.where(lower, 0, self.since[moving] + 1)
        reward = np.zeros(self.size)
        terminated, truncated = np.zeros((2, self.size), np.bool_)
        reward[moving] = (before - self.now.training)[moving]
        if self.rules.patience is not None:
            terminated[moving] = self.since[moving] >= self.rules.patience
        truncated[moving] = (self.steps[moving] >= self.rules.budget) & ~terminated[moving]
        return reward, terminated, truncated

    def observation(self) -> NDArray[np.float32]:
        """See `PDFFitEnv`; float32, shape (size, length)."""
        left = (1.0 - self.steps / self.rules.budget).astype(np.float32)
        return np.concatenate(
            [self._log, self._change, left[:, None], summary(self.parameters)], axis=1
        )

    def info(self) -> dict[str, NDArray[Any]]:
        """See `PDFFitEnv`; each of length ``size``."""
        return {
            "training": self.now.training.copy(),
            "validation": self.now.validation.copy(),
            "positivity": self.now.positivity < POSITIVITY_THRESHOLD,
            "positivity_penalty": self.now.positivity.copy(),
            "sum_rules": self.now.sum_rules.copy(),
            "replica": self.replica.copy(),
            "parameters": self.parameters.copy(),
        }

    def _look(self, chosen: NDArray[np.int64]) -> None:
        rows = self._rows(chosen)
        found = self.game.evaluate(self.parameters[rows], self.replica[rows])
        for name in ("experiments", "training", "validation", "positivity", "sum_rules"):
            getattr(self.now, name)[rows] = getattr(found, name)
        both = np.column_stack([found.experiments, found.training])
        self._log[rows] = np.log10(np.maximum(both, _LEAST))

    def _rows(self, chosen: NDArray[np.int64]) -> NDArray[np.int64] | slice:
        """All rows as a slice, which copies nothing."""
        return slice(None) if len(chosen) == self.size else chosen
