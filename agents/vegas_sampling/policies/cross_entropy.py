"""Search for a linear policy by the cross-entropy method.

A normal distribution over the weights is narrowed step by step to the best of its samples.
Source: R. Y. Rubinstein, Methodol. Comput. Appl. Probab. 1 (1999) 127; the search is noisy, so the
spread is kept from collapsing as in I. Szita and A. Lorincz, Neural Comput. 18 (2006) 2936.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....envs.vegas_sampling.setup import NUMBERS, checked_budget
from ...whole_files import write_whole
from .base import Policy
from .evaluation import Games, mean_difference, play
from .imitation import demonstrations
from .linear import COLUMNS, LinearPolicy
from .schedules import Vegas

Progress = Callable[[int, dict[str, float]], None]
"""Called after each generation with its number and what the log says about it."""


@dataclass(frozen=True)
class SearchSettings:
    """Settings of a search.

    Attributes
    ----------
    budget
        Calls of the integrand in a game.
    generations, population, elite
        Steps, candidates in a step, and how many of them shape the next.
    games
        Games that each candidate plays in a step, the same for all.
    smoothing
        Share of the elite's mean and spread in the new ones.
    least_spread
        Standard deviation that is added to all weights, falling linearly to zero.
    seed
        Non-negative integer.
    """

    budget: int = 200_000
    generations: int = 16
    population: int = 24
    elite: int = 5
    games: int = 20
    smoothing: float = 0.7
    least_spread: float = 0.02
    seed: int = 1

    def __post_init__(self) -> None:
        checked_budget(self.budget)
        if not 1 <= self.elite < self.population:
            raise ValueError(
                f"elite = {self.elite} is not between 1 and population - 1 = {self.population - 1}"
            )
        if self.generations < 1 or self.games < 1 or self.seed < 0:
            raise ValueError("generations and games must be positive, the seed not negative")
        if not 0.0 < self.smoothing <= 1.0 or self.least_spread < 0.0:
            raise ValueError("smoothing must be in (0, 1] and least_spread not negative")


BUDGET, STRAYING = 20_000, 0.3
SPREAD, SPREAD_OF_CONSTANTS = 0.05, 0.15
"""Games of imitation, and standard deviations of the weights at the start."""


def start(seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and spread of the weights to start with: a linear fit to a good schedule's actions."""
    inputs, actions = demonstrations(seed, BUDGET, STRAYING)
    columns = inputs[:, COLUMNS].astype(np.float64)
    design = np.column_stack([np.ones(len(columns)), columns])
    mean = np.linalg.lstsq(design, actions.astype(np.float64), rcond=None)[0].T
    spread = np.full_like(mean, SPREAD)
    spread[:, 0] = SPREAD_OF_CONSTANTS
    return mean, spread


def search(
    settings: SearchSettings, folder: str | PathLike[str], *, progress: Progress | None = None
) -> LinearPolicy:
    """Search, or go on with a search that was interrupted.

    Parameters
    ----------
    settings
        Settings of the search.
    folder
        Gets ``search.json`` (state after each generation), ``log.jsonl`` and ``linear.json``. A
        search with the same settings that it holds is continued; the result is the same.
    progress
        Called after each generation.

    Returns
    -------
    LinearPolicy
        With the mean of the last distribution.

    Raises
    ------
    ValueError
        If the folder holds a search with other settings.
    """
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    first, mean, spread = _state(target / "search.json", settings)
    for generation in range(first, settings.generations):
        random = np.random.default_rng([settings.seed, generation])
        integrands, streams = random.integers(NUMBERS, size=(2, settings.games))

        def games(policy: Policy, i: Any = integrands, j: Any = streams) -> Games:
            return play(policy, i, j, budget=settings.budget, split="train")

        usual = games(Vegas())
        candidates = random.normal(mean, spread, (settings.population, *mean.shape))
        gain = np.array([mean_difference(games(LinearPolicy(c)), usual) for c in candidates])
        best = np.argsort(gain, kind="stable")[: settings.elite]
        extra = settings.least_spread * (1.0 - generation / settings.generations)
        mean = _mix(mean, candidates[best].mean(axis=0), settings.smoothing)
        spread = _mix(spread, candidates[best].std(axis=0) + extra, settings.smoothing)
        numbers = {
            "generation": generation + 1,
            "calls": (generation + 1) * (settings.population + 1) * settings.games
            * settings.budget,
            "elite_difference": float(gain[best].mean()),
            "mean_difference": float(gain.mean()),
            "spread": float(spread.mean()),
        }  # fmt: skip
        with (target / "log.jsonl").open("a") as log:
            log.write(json.dumps(numbers) + "\n")
        write_whole(
            target / "search.json",
            json.dumps(
                {
                    "settings": dataclasses.asdict(settings),
                    "generation": generation + 1,
                    "mean": mean.tolist(),
                    "spread": spread.tolist(),
                }
            ),
        )
        if progress is not None:
            progress(generation + 1, numbers)
    policy = LinearPolicy(mean, {"method": "cross-entropy", **dataclasses.asdict(settings)})
    policy.save(target / "linear.json")
    return policy


def _mix(old: NDArray[np.float64], new: NDArray[np.float64], share: float) -> NDArray[np.float64]:
    return (1.0 - share) * old + share * new


def _state(
    path: Path, settings: SearchSettings
) -> tuple[int, NDArray[np.float64], NDArray[np.float64]]:
    """Where the search stands."""
    if not path.exists():
        return 0, *start(settings.seed)
    try:
        state = json.loads(path.read_text())
        stored = SearchSettings(**state["settings"])
        mean, spread = np.array(state["mean"], float), np.array(state["spread"], float)
        generation = int(state["generation"])
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{path} is not the state of a search: {error}") from None
    if stored != settings:
        raise ValueError(
            f"{path} is the state of a search with other settings: choose another folder"
        )
    return generation, mean, spread
