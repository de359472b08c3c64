"""How good a policy is: many games on integrands that nobody trained on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....envs.vegas_sampling.actions import CELLS, physical
from ....envs.vegas_sampling.family import KINDS
from ....envs.vegas_sampling.game import (
    Episodes,
    begin_many,
    new_episodes,
    observe_many,
    play_many,
    play_many_grids,
    progress,
    verdict,
)
from ....envs.vegas_sampling.setup import (
    NUMBERS,
    checked_budget,
    empty_observation,
    split_number,
)
from ....leaderboards.bootstrap import Estimate, estimate, resample_counts
from ...parameters import Parameters
from .base import Policy

EPISODES, BUDGET = 300, 200_000
RESAMPLES, BOOTSTRAP_SEED = 1000, 20_201_208
GAMES_AT_A_TIME = 50

Progress = Callable[[int, int], None]
"""Called with the numbers of finished games and of all."""


@dataclass(frozen=True, eq=False)
class Games:
    """Games that have been played to the end, all arrays of shape (games,).

    Attributes
    ----------
    score
        float64: log10(sqrt(B) sqrt(true^2 + quoted^2)); lower is better.
    true_error, quoted_error
        float64: relative errors; the true one has a sign.
    iterations
        int64.
    dimension
        int64.
    kind
        int64: number of the kind of integrand in ``family.KINDS``.
    """

    score: NDArray[np.float64]
    true_error: NDArray[np.float64]
    quoted_error: NDArray[np.float64]
    iterations: NDArray[np.int64]
    dimension: NDArray[np.int64]
    kind: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Evaluation:
    """A policy's games and its score.

    Attributes
    ----------
    policy, parameters
        Name and parameters.
    environment, budget, split, seed
        What was played.
    games
        The games: integrands 0, 1, 2, ... of the split.
    median
        Median score with bootstrap intervals.
    """

    policy: str
    parameters: Parameters
    environment: str
    budget: int
    split: str
    seed: int
    games: Games
    median: Estimate

    def by_kind(self) -> dict[str, float]:
        """Median score of each kind of integrand."""
        return {
            kind: float(np.median(self.games.score[self.games.kind == number]))
            for number, kind in enumerate(KINDS)
            if (self.games.kind == number).any()
        }

    def coverage(self) -> float:
        """Share of games whose true error is within the quoted one; 0.68 if errors are honest."""
        return float(np.mean(np.abs(self.games.true_error) <= self.games.quoted_error))

    def difference(self, other: Evaluation) -> Estimate:
        """Median of the game-by-game difference to another policy's scores, with intervals.

        Parameters
        ----------
        other
            The same games played by another policy.

        Returns
        -------
        Estimate
            Negative where this policy is better.

        Raises
        ------
        ValueError
            If the games are not the same.
        """
        for name in ("budget", "split", "seed"):
            if getattr(self, name) != getattr(other, name):
                raise ValueError(
                    f"cannot compare game by game: {name} is {getattr(self, name)!r} for "
                    f"{self.policy} and {getattr(other, name)!r} for {other.policy}"
                )
        if len(self.games.score) != len(other.games.score):
            raise ValueError("cannot compare game by game: the numbers of games differ")
        return median(self.games.score - other.games.score)


def play(
    policy: Policy,
    integrands: NDArray[np.int64],
    streams: NDArray[np.int64],
    *,
    budget: int = BUDGET,
    split: str = "train",
) -> Games:
    """Play games to their end, all side by side.

    They are those of the environment: the same compiled rules, integrands and random numbers.

    Parameters
    ----------
    policy
        The policy.
    integrands, streams
        int64, shape (games,): numbers as in the environment's reset options.
    budget
        Calls of the integrand in a game.
    split
        Split of the integrands.

    Returns
    -------
    Games
    """
    games = len(integrands)
    grids = policy.environment == "VegasGrid-v0"
    size = CELLS + 2 if grids else 3
    episodes = new_episodes(games)
    begin_many(episodes, np.arange(games), budget, split_number(split), integrands, streams)
    idle = np.zeros(games, np.bool_)
    actions = np.zeros((games, size))
    reward, terminated = np.zeros(games), np.zeros(games, np.bool_)
    while not idle.all():
        playing = np.flatnonzero(~idle)
        observation = empty_observation(games)
        observe_many(episodes, *observation.values())
        chosen = np.asarray(policy.act({name: o[playing] for name, o in observation.items()}))
        actions[playing] = physical(chosen, (len(playing), size))
        (play_many_grids if grids else play_many)(
            episodes, idle, budget, actions, reward, terminated
        )
        idle |= terminated
    return finished(episodes, budget)


def finished(episodes: Episodes, budget: int) -> Games:
    """Read the result of games that have ended.

    Parameters
    ----------
    episodes
        The games.
    budget
        Calls of the integrand in a game.
    """
    so_far = progress(episodes, budget)
    worth = verdict(episodes, so_far["estimate"])
    estimate, error = so_far["estimate"], so_far["error"]
    return Games(
        score=worth["score"],
        true_error=worth["true_error"],
        quoted_error=np.divide(error, estimate, out=np.zeros(len(error)), where=estimate > 0.0),
        iterations=so_far["iterations"],
        dimension=episodes.parameters[:, 1].astype(np.int64),
        kind=episodes.parameters[:, 0].astype(np.int64),
    )


def evaluate_policy(
    policy: Policy,
    *,
    budget: int = BUDGET,
    episodes: int = EPISODES,
    split: str = "test",
    seed: int = 0,
    progress: Progress | None = None,
) -> Evaluation:
    """Play the first integrands of a split and score them.

    Parameters
    ----------
    policy
        The policy.
    budget
        Calls of the integrand in a game.
    episodes
        Number of games: integrands 0 to ``episodes`` - 1.
    split
        Split of the integrands.
    seed
        Non-negative integer that fixes the random numbers of the games.
    progress
        Called now and then.

    Returns
    -------
    Evaluation

    Raises
    ------
    ValueError
        If budget, split, episodes or seed are out of range.
    """
    integrands, streams = official_games(budget, episodes, split, seed)
    budget = checked_budget(budget)
    policy.begin()
    parts = []
    for first in range(0, episodes, GAMES_AT_A_TIME):
        some = slice(first, first + GAMES_AT_A_TIME)
        parts.append(play(policy, integrands[some], streams[some], budget=budget, split=split))
        if progress is not None:
            progress(min(first + GAMES_AT_A_TIME, episodes), episodes)
    columns: dict[str, Any] = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in Games.__dataclass_fields__
    }
    games = Games(**columns)
    return Evaluation(
        policy=policy.name,
        parameters=policy.parameters,
        environment=policy.environment,
        budget=budget,
        split=split,
        seed=seed,
        games=games,
        median=median(games.score),
    )


def official_games(
    budget: int, episodes: int, split: str, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give numbers and streams of the integrands on which policies are scored.

    Parameters
    ----------
    budget, episodes, split, seed
        As in `evaluate_policy`.

    Returns
    -------
    integrands, streams
        int64, shape (episodes,).

    Raises
    ------
    ValueError
        If one of the parameters is out of range.
    """
    checked_budget(budget)
    split_number(split)
    if episodes < 2:
        raise ValueError(f"episodes = {episodes} is less than 2")
    if seed < 0:
        raise ValueError(f"seed = {seed} is negative")
    streams = np.random.default_rng(seed).integers(NUMBERS, size=episodes)
    return np.arange(episodes), streams


LARGEST_DIFFERENCE = 0.5


def mean_difference(games: Games, others: Games) -> float:
    """Mean difference of the scores of the same games, as learning uses it.

    Parameters
    ----------
    games, others
        The same games played by two policies.

    Returns
    -------
    float
        Differences are cut at 0.5, so that a few lost games do not rule.
    """
    difference = games.score - others.score
    return float(np.clip(difference, -LARGEST_DIFFERENCE, LARGEST_DIFFERENCE).mean())


def median(values: NDArray[np.float64]) -> Estimate:
    """Median with bootstrap intervals over games."""
    resampled = [
        float(np.median(np.repeat(values, counts)))
        for (counts,) in resample_counts([len(values)], RESAMPLES, BOOTSTRAP_SEED)
    ]
    return estimate(float(np.median(values)), np.array(resampled))
