"""Statistics across seeds and tasks, as recommended for few runs (arXiv:2108.13264).

The scores of an agent are given as one array per task, with one number per run, and tasks may have
different numbers of runs. Scores of different tasks are made comparable by normalising them:
a random agent has 0 and the task's reference agent 1. All intervals come from a bootstrap that
resamples the runs of each task separately (stratified), with a published seed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .bootstrap import Estimate, estimate, resample_counts

RESAMPLES = 2000
SEED = 0
"""The published seed of all intervals."""

Runs = Sequence[NDArray[np.float64]]
"""For each task the scores of its runs, float64 of shape (runs,)."""


def normalised(scores: ArrayLike, random: float, reference: float) -> NDArray[np.float64]:
    """Scores on the scale on which a random agent has 0 and the reference agent 1.

    Parameters
    ----------
    scores
        Real numbers of any shape; low or high may be better.
    random, reference
        Scores of the two agents.

    Returns
    -------
    numpy.ndarray
        float64, higher is better.

    Raises
    ------
    ValueError
        If the two agents have the same score, or a number is not finite.
    """
    values = np.asarray(scores, np.float64)
    if not (np.isfinite(values).all() and np.isfinite(random) and np.isfinite(reference)):
        raise ValueError("scores must be finite numbers")
    if random == reference:
        raise ValueError(f"random and reference agent both have {random}: nothing can be compared")
    return (values - random) / (reference - random)


def interquartile_mean(scores: Runs) -> float:
    """Mean of the middle half of all runs of all tasks.

    A quarter of the runs, rounded down, is left out at either end. It is as robust as a median
    and needs fewer runs.

    Parameters
    ----------
    scores
        Normalised scores.

    Returns
    -------
    float
    """
    pooled = np.sort(np.concatenate(_checked(scores)))
    cut = len(pooled) // 4
    return float(pooled[cut : len(pooled) - cut].mean())


def stratified_bootstrap(
    scores: Runs,
    statistic: Callable[[Runs], float],
    *,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> Estimate:
    """Error and intervals of a statistic.

    Parameters
    ----------
    scores
        Scores by task.
    statistic
        Function of such scores, for example `interquartile_mean`.
    resamples, seed
        Settings of the bootstrap.

    Returns
    -------
    Estimate
    """
    values = _checked(scores)
    resampled = [statistic(drawn) for drawn in _resampled(values, resamples, seed)]
    return estimate(statistic(values), np.array(resampled))


def performance_profile(
    scores: Runs,
    thresholds: ArrayLike,
    *,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Share of the runs that score above each threshold.

    Tasks count the same, whatever their number of runs.

    Parameters
    ----------
    scores
        Normalised scores.
    thresholds
        Real numbers, shape (n,).
    resamples, seed
        Settings of the bootstrap.

    Returns
    -------
    share, low95, high95 : numpy.ndarray
        float64, shape (n,): the share and its 95 % band.
    """
    values = _checked(scores)
    taus = np.asarray(thresholds, np.float64)

    def share(runs: Runs) -> NDArray[np.float64]:
        above = [(one[:, None] > taus).mean(axis=0) for one in runs]
        return np.asarray(np.mean(above, axis=0), np.float64)

    resampled = np.array([share(drawn) for drawn in _resampled(values, resamples, seed)])
    low, high = np.percentile(resampled, [2.5, 97.5], axis=0)
    return share(values), low, high


def probability_of_improvement(
    one: Runs,
    other: Runs,
    *,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> Estimate:
    """Probability that a run of one agent beats a run of another, averaged over tasks.

    This is the Mann-Whitney U statistic divided by the number of pairs; a draw counts half.

    Parameters
    ----------
    one, other
        Scores of both agents on the same tasks, higher is better.
    resamples, seed
        Settings of the bootstrap; both agents are resampled independently.

    Returns
    -------
    Estimate

    Raises
    ------
    ValueError
        If the numbers of tasks differ.
    """
    first, second = _checked(one), _checked(other)
    if len(first) != len(second):
        raise ValueError(f"{len(first)} tasks cannot be compared with {len(second)}")

    def probability(runs: Runs) -> float:
        return float(
            np.mean(
                [
                    (x[:, None] > y).mean() + 0.5 * (x[:, None] == y).mean()
                    for x, y in zip(runs[: len(first)], runs[len(first) :], strict=True)
                ]
            )
        )

    return stratified_bootstrap([*first, *second], probability, resamples=resamples, seed=seed)


def _checked(scores: Runs) -> list[NDArray[np.float64]]:
    values = [np.asarray(one, np.float64) for one in scores]
    if not values:
        raise ValueError("there are no tasks to score")
    for number, one in enumerate(values):
        if one.ndim != 1 or not len(one) or not np.isfinite(one).all():
            raise ValueError(
                f"scores of task {number} have shape {one.shape}: a row of at least one finite "
                "number is needed"
            )
    return values


def _resampled(
    values: list[NDArray[np.float64]], resamples: int, seed: int
) -> Iterator[list[NDArray[np.float64]]]:
    sizes = [len(one) for one in values]
    for counts in resample_counts(sizes, resamples, seed):
        yield [np.repeat(one, drawn) for one, drawn in zip(values, counts, strict=True)]
