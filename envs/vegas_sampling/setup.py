"""What the four environments have in common before the first step."""

from __future__ import annotations

import math
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from .family import MAX_DIM
from .game import (
    BINS,
    HIGHEST_LOG_DENSITY,
    HIGHEST_LOG_WEIGHT,
    LOWEST_LOG_DENSITY,
    LOWEST_LOG_WEIGHT,
    STATISTICS_HIGH,
    STATISTICS_LOW,
)

SPLITS = ("train", "validation", "test")
NUMBERS = 2**31
"""Integrands in a split, and streams of random numbers for each: 0 to 2^31 - 1."""

FEWEST_CALLS, MOST_CALLS = 1_000, 1_000_000_000

Observation = dict[str, NDArray[np.float32]]


def observation_space() -> gymnasium.spaces.Dict:
    """Space of the observation, see `VegasSamplingEnv`."""
    shape = (MAX_DIM, BINS)
    return gymnasium.spaces.Dict(
        {
            "weights": _box(np.full(shape, LOWEST_LOG_WEIGHT), np.full(shape, HIGHEST_LOG_WEIGHT)),
            "grid": _box(np.full(shape, LOWEST_LOG_DENSITY), np.full(shape, HIGHEST_LOG_DENSITY)),
            "axes": _box(np.zeros(MAX_DIM), np.ones(MAX_DIM)),
            "statistics": _box(STATISTICS_LOW, STATISTICS_HIGH),
        }
    )


def empty_observation(rows: int) -> Observation:
    """Make room for the observations of some rows."""
    return {
        "weights": np.zeros((rows, MAX_DIM, BINS), np.float32),
        "grid": np.zeros((rows, MAX_DIM, BINS), np.float32),
        "axes": np.zeros((rows, MAX_DIM), np.float32),
        "statistics": np.zeros((rows, len(STATISTICS_LOW)), np.float32),
    }


def _box(low: NDArray[np.float64], high: NDArray[np.float64]) -> gymnasium.spaces.Box:
    return gymnasium.spaces.Box(low.astype(np.float32), high.astype(np.float32))


def checked_budget(budget: float) -> int:
    """Check the budget.

    Raises
    ------
    ValueError
        If it is not an integer from a thousand to a billion.
    """
    if not (
        isinstance(budget, int | float | np.number)
        and math.isfinite(budget)
        and int(budget) == budget
        and FEWEST_CALLS <= budget <= MOST_CALLS
    ):
        raise ValueError(
            f"budget = {budget!r} is not an integer from {FEWEST_CALLS} to {MOST_CALLS} calls"
        )
    return int(budget)


def split_number(split: str) -> int:
    """Return the number of a split.

    Raises
    ------
    ValueError
        If there is no such split.
    """
    if split not in SPLITS:
        raise ValueError(f"there is no split {split!r}; choose one of {', '.join(SPLITS)}")
    return SPLITS.index(split)


def numbers(
    options: dict[str, Any], games: int, random: np.random.Generator, known: tuple[str, ...]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Integrands and streams of new episodes: from the reset options, or drawn.

    Parameters
    ----------
    options
        May hold ``integrand`` and ``stream``, each an integer or one integer a game.
    games
        Number of episodes.
    random
        Draws what the options do not name.
    known
        Names of all options that the environment has.

    Returns
    -------
    tuple of numpy.ndarray
        int64, shape (games,) each.

    Raises
    ------
    ValueError
        If an option is unknown, or is not such integers.
    """
    unknown = [name for name in options if name not in known]
    if unknown:
        raise ValueError(f"reset has no option {unknown[0]!r}; it has {', '.join(known)}")
    named = []
    for name in ("integrand", "stream"):
        if name in options:
            array = np.asarray(options[name])
            if array.dtype.kind not in "iu" or array.shape not in ((), (games,)):
                wanted = "an integer" if games == 1 else f"an integer or {games} integers"
                raise ValueError(f"the reset option {name} must be {wanted}")
            if (array < 0).any() or (array >= NUMBERS).any():
                raise ValueError(f"the reset option {name} must be from 0 to {NUMBERS - 1}")
            named.append(np.broadcast_to(array, (games,)).astype(np.int64))
        else:
            named.append(random.integers(NUMBERS, size=games))
    return named[0], named[1]
