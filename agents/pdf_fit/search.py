"""Any black-box optimiser as a player of the fitting game."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ...envs.pdf_fit.population import STEP_UNIT
from ...envs.pdf_fit.vector_env import PDFFitVectorEnv

POSITIVITY_WEIGHT = 100.0
"""Weight of the positivity penalty beside chi2 per point: what n3fit has in the middle of a fit."""

Progress = Callable[[int, float, float], None]
"""Called with the generation and the best training and validation chi2 per point so far."""


class Searcher(Protocol):
    """An optimiser that asks for the loss of some points and is told.

    Attributes
    ----------
    size
        Number of points it asks for at a time.
    """

    size: int

    def ask(self) -> NDArray[np.float64]:
        """Points whose loss is wanted, shape (size, 296)."""
        ...

    def tell(self, points: NDArray[np.float64], loss: NDArray[np.float64]) -> None:
        """Losses, shape (size,), of the points that were asked for."""
        ...


@dataclass(frozen=True, eq=False)
class Found:
    """What a search has found.

    Attributes
    ----------
    parameters
        float32, shape (296,): where the validation chi2 was lowest among the states that were the
        best in training when they were found.
    generation, generations
        When that was, and how many there were.
    training, validation
        chi2 per point there.
    history
        float64, shape (looks, 3): generation, training and validation chi2 per point.
    """

    parameters: NDArray[np.float32]
    generation: int
    generations: int
    training: float
    validation: float
    history: NDArray[np.float64]


def search(
    envs: PDFFitVectorEnv,
    searcher: Searcher,
    replica: int,
    seed: int,
    generations: int,
    *,
    positivity: float = POSITIVITY_WEIGHT,
    patience: int | None = None,
    look: int = 50,
    progress: Progress | None = None,
) -> Found:
    """Let an optimiser fit a replica by playing one environment per point that it asks for.

    The loss is the training chi2 per point and ``positivity`` times the penalty. The validation
    chi2 serves to look back: the state kept is the one where it was lowest (arXiv:1410.8849,
    section 3.3.2), among those that meet positivity as soon as there is one.

    Parameters
    ----------
    envs
        ``searcher.size`` environments with a budget of ``generations`` or more and no patience of
        their own.
    searcher
        The optimiser.
    replica
        Number of the replica.
    seed
        Seed of the environments' first parameters.
    generations
        The most steps of each environment.
    positivity
        Weight of the positivity penalty.
    patience
        Stop when the lowest validation chi2 is older than this many generations; None: never.
    look
        Generations between two lines of the history.
    progress
        Told whenever a line of the history is written.

    Returns
    -------
    Found

    Raises
    ------
    ValueError
        If the environments do not fit the optimiser.
    """
    if envs.num_envs != searcher.size:
        raise ValueError(
            f"the optimiser asks for {searcher.size} points at a time, there are "
            f"{envs.num_envs} environments"
        )
    if generations < 1:
        raise ValueError(f"generations = {generations} is less than 1")
    _, info = envs.reset(seed=seed, options={"replica": replica})
    lowest_loss = np.inf
    kept: tuple[float, float, int, NDArray[np.float32]] | None = None
    kept_is_positive = False
    now = (np.inf, np.inf)
    history: list[tuple[float, float, float]] = []
    generation = 0
    for generation in range(1, generations + 1):
        points = searcher.ask()
        envs.step(np.asarray((points - info["parameters"]) / STEP_UNIT, np.float32))
        info = envs.population.info()
        loss = info["training"] + positivity * info["positivity_penalty"]
        searcher.tell(points, loss)
        best = int(loss.argmin())
        if loss[best] < lowest_loss:
            lowest_loss = float(loss[best])
            now = (float(info["training"][best]), float(info["validation"][best]))
            positive = bool(info["positivity"][best])
            if (
                kept is None
                or positive > kept_is_positive
                or (positive == kept_is_positive and now[1] < kept[1])
            ):
                kept = (*now, generation, info["parameters"][best])
                kept_is_positive = positive
        if generation % look == 0:
            history.append((generation, *now))
            if progress is not None:
                progress(generation, *now)
        if patience is not None and kept is not None and generation - kept[2] > patience:
            break
    assert kept is not None
    return Found(
        parameters=kept[3],
        generation=kept[2],
        generations=generation,
        training=kept[0],
        validation=kept[1],
        history=np.array(history, np.float64).reshape(-1, 3),
    )


def fit_by(
    policy: Callable[[NDArray[np.float32]], Any],
    envs: PDFFitVectorEnv,
    replica: int,
    seed: int,
    steps: int,
) -> Found:
    """Let a policy, which maps observations to actions, fit a replica.

    Parameters
    ----------
    policy
        Maps observations, float32 of shape (n, length), to actions of shape (n, 296).
    envs
        Environments with a budget of ``steps`` or more and no patience of their own.
    replica, seed, steps
        See `search`.

    Returns
    -------
    Found
    """

    class Follower:
        size = envs.num_envs

        def ask(self) -> NDArray[np.float64]:
            action = np.asarray(policy(envs.population.observation()), np.float64)
            return envs.population.parameters + STEP_UNIT * action

        def tell(self, points: NDArray[np.float64], loss: NDArray[np.float64]) -> None:
            """Do nothing: a policy sees what it has done in the next observation."""

    return search(envs, Follower(), replica, seed, steps)
