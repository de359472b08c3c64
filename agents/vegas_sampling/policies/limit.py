"""What the game can be won by at most: games on the best grid there is, from the first call on.

The best grid follows from the integrand's formula, which no policy sees. Weights with the standard
deviation s, relative to their mean, then give the score log10(s) + log10(1 + z^2) / 2, where z is
the true error in units of the quoted one, a normal random number if the quoted error is honest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ....envs.vegas_sampling.family import KINDS
from ....envs.vegas_sampling.game import BINS, begin_many, new_episodes, play_many
from ....envs.vegas_sampling.optimum import deviation, optimal_grid, squared
from ....envs.vegas_sampling.setup import split_number
from ..base import checked_count
from .evaluation import Evaluation, finished, median, official_games

DRAWS, DRAW_SEED = 1000, 0

Progress = Callable[[int, int], None]
"""Called with the numbers of finished integrands and of all."""


@dataclass(frozen=True, eq=False)
class Limit:
    """The best grids of a split's integrands, and what they are worth.

    Attributes
    ----------
    bins
        Bins of the grids.
    deviation
        float64, shape (integrands,): standard deviation of a weight over its mean.
    kind, dimension
        int64, shape (integrands,): number of the kind in ``family.KINDS``, and dimensions.
    played
        Games on these grids with equal iterations that all count, none adapting, by the number of
        iterations; empty if the game has another number of bins.
    """

    bins: int
    deviation: NDArray[np.float64]
    kind: NDArray[np.int64]
    dimension: NDArray[np.int64]
    played: dict[int, Evaluation]

    def expected(self) -> tuple[float, float]:
        """Median score with honest errors: its mean, and its spread from one evaluation to another.

        No game is needed for it: z is drawn for all integrands, again and again.
        """
        z = np.random.default_rng(DRAW_SEED).normal(size=(DRAWS, len(self.deviation)))
        scores = np.log10(self.deviation) + 0.5 * np.log10(1.0 + z * z)
        medians = np.median(scores, axis=1)
        return float(medians.mean()), float(medians.std())

    def by_kind(self) -> dict[str, float]:
        """Median of log10(deviation) for each kind of integrand."""
        return {
            name: float(np.median(np.log10(self.deviation[self.kind == number])))
            for number, name in enumerate(KINDS)
            if (self.kind == number).any()
        }


def find_limit(
    *,
    budget: int,
    episodes: int,
    split: str = "test",
    seed: int = 0,
    bins: int = BINS,
    iterations: Sequence[int] = (1,),
    progress: Progress | None = None,
) -> Limit:
    """Find the best grids of the official integrands and play on them.

    Parameters
    ----------
    budget, episodes, split, seed
        As in `evaluation.evaluate_policy`; the games have the same random numbers.
    bins
        Bins on each axis. Only grids with those of the game can be played.
    iterations
        Into how many iterations the calls are split; each number is played.
    progress
        Called after each integrand.

    Returns
    -------
    Limit

    Raises
    ------
    ValueError
        If budget, split, episodes, seed, bins or iterations are out of range.
    """
    bins = checked_count("bins", bins)
    iterations = [checked_count("iterations", number) for number in iterations]
    integrands, streams = official_games(budget, episodes, split, seed)
    games = new_episodes(episodes)

    def begin() -> None:
        begin_many(games, np.arange(episodes), budget, split_number(split), integrands, streams)

    begin()
    grids, found = [], np.empty(episodes)
    for game in range(episodes):
        square = squared(games.parameters[game])
        grids.append(optimal_grid(square, bins))
        found[game] = deviation(square, grids[-1], games.exact[game])
        if progress is not None:
            progress(game + 1, episodes)
    kind, dimension = (games.parameters[:, column].astype(np.int64) for column in (0, 1))
    played = {}
    for number in iterations if bins == BINS else ():
        begin()
        for game, edges in enumerate(grids):
            games.edges[game, : len(edges)] = edges
        idle, terminated = np.zeros(episodes, np.bool_), np.zeros(episodes, np.bool_)
        for left in range(number, 0, -1):
            # A damping of 0 leaves the grid as it is.
            action = np.tile([0.0, -np.log2(left), 1.0], (episodes, 1))
            play_many(games, idle, budget, action, np.zeros(episodes), terminated)
            idle |= terminated
        result = finished(games, budget)
        played[number] = Evaluation(
            policy="optimal grid",
            parameters={"iterations": number},
            environment="VegasSampling-v0",
            budget=budget,
            split=split,
            seed=seed,
            games=result,
            median=median(result.score),
        )
    return Limit(bins, found, kind, dimension, played)
