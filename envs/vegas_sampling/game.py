"""The rules of the game: one iteration of VEGAS, what is seen of it, and what it is worth.

Many episodes are played side by side; each is one row of the arrays in `Episodes`. The single
environment plays row 0 of one.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...datasets.integrands.integrand import BLOCK
from . import family
from .family import MAX_DIM, PARAMETERS, UNIFORMS
from .grid import accumulate, kernel, map_block, refine
from .random import LANES, fill_uniform, seed_state

BINS = 64
"""Bins of the grid along each axis."""

MAX_ALPHA = 3.0
MIN_LOG2_SHARE = -8.0
"""An iteration takes at least this share of the whole budget, 2^-8."""

MAX_LOGIT = 10.0
"""Largest absolute value of a logit of `VegasGrid-v0`."""

STATISTICS: dict[str, tuple[float, float, str]] = {
    "dimension": (0.0, 1.0, "dimension / 8"),
    "budget": (0.0, 12.0, "log10 of the budget"),
    "left": (0.0, 1.0, "share of the budget that is left"),
    "iterations": (0.0, 9.0, "log2(1 + number of iterations)"),
    "last_share": (0.0, 1.0, "share of the budget that the last iteration took"),
    "last_counted": (0.0, 1.0, "1 if the last iteration counts"),
    "last_alpha": (0.0, 3.0, "damping of the last refinement"),
    "last_deviation": (-6.0, 6.0, "log10(standard deviation / mean of one weight), last iteration"),
    "last_change": (-6.0, 6.0, "last_deviation minus that of the iteration before"),
    "last_peak": (0.0, 9.0, "log10 of the largest weight / mean weight in the last iteration"),
    "movement": (0.0, 36.0, "mean change of ln(grid density) in the last refinement"),
    "counted": (0.0, 1.0, "share of the budget in the iterations that count"),
    "counted_iterations": (0.0, 9.0, "log2(1 + number of iterations that count)"),
    "quoted_score": (-6.0, 9.0, "log10(sqrt(budget) x quoted relative error)"),
    "chi2": (0.0, 9.0, "log10(1 + chi^2 per degree of freedom) of the iterations that count"),
    "pull": (-10.0, 10.0, "(last estimate - combined estimate) / last error"),
}
"""Iteration statistics in the observation: lowest value, highest value, meaning."""

(
    _DIMENSION,
    _BUDGET,
    _LEFT,
    _ITERATIONS,
    _LAST_SHARE,
    _LAST_COUNTED,
    _LAST_ALPHA,
    _LAST_DEVIATION,
    _LAST_CHANGE,
    _LAST_PEAK,
    _MOVEMENT,
    _COUNTED,
    _COUNTED_ITERATIONS,
    _QUOTED_SCORE,
    _CHI2,
    _PULL,
) = range(len(STATISTICS))
STATISTICS_LOW = np.array([low for low, _, _ in STATISTICS.values()])
STATISTICS_HIGH = np.array([high for _, high, _ in STATISTICS.values()])

LOWEST_LOG_WEIGHT = -20.0
HIGHEST_LOG_WEIGHT = math.log(BINS)
# Rounding may leave bins without any width.
SMALLEST_WIDTH = 2.0**-52
LOWEST_LOG_DENSITY, HIGHEST_LOG_DENSITY = -math.log(BINS), 32.0


class Episodes(NamedTuple):
    """State of many episodes, one a row.

    Attributes
    ----------
    parameters
        float64, shape (rows, family.PARAMETERS): the integrands.
    exact
        float64, shape (rows,): their integrals.
    stream
        int64, shape (rows,): which random numbers the episode uses.
    edges
        float64, shape (rows, 8, 65): the grids.
    weights
        float64, shape (rows, 8, 64): sums of squared weights of the last iteration.
    left
        int64, shape (rows,): calls that are left.
    iterations
        int64, shape (rows,): iterations played.
    sums
        float64, shape (rows, 5): of the iterations that count the sums of 1/s^2, I/s^2 and
        I^2/s^2, their number and their calls.
    statistics
        float64, shape (rows, 16): what `STATISTICS` lists.
    score
        float64, shape (rows,): log10(sqrt(budget) sqrt(true^2 + quoted^2)).
    """

    parameters: NDArray[np.float64]
    exact: NDArray[np.float64]
    stream: NDArray[np.int64]
    edges: NDArray[np.float64]
    weights: NDArray[np.float64]
    left: NDArray[np.int64]
    iterations: NDArray[np.int64]
    sums: NDArray[np.float64]
    statistics: NDArray[np.float64]
    score: NDArray[np.float64]


def new_episodes(rows: int) -> Episodes:
    """Make room for episodes."""
    return Episodes(
        parameters=np.zeros((rows, PARAMETERS)),
        exact=np.ones(rows),
        stream=np.zeros(rows, np.int64),
        edges=np.zeros((rows, MAX_DIM, BINS + 1)),
        weights=np.zeros((rows, MAX_DIM, BINS)),
        left=np.zeros(rows, np.int64),
        iterations=np.zeros(rows, np.int64),
        sums=np.zeros((rows, 5)),
        statistics=np.zeros((rows, len(STATISTICS))),
        score=np.zeros(rows),
    )


@kernel
def begin(episodes, row, budget, split, integrand, stream):  # type: ignore[no-untyped-def]
    """Start an episode.

    Parameters
    ----------
    episodes
        `Episodes`.
    row
        The episode.
    budget
        Calls of the integrand that it may spend.
    split
        Number of the split that the integrand is from.
    integrand
        Number of the integrand in its split.
    stream
        Which random numbers the episode uses.
    """
    uniforms = np.empty(UNIFORMS)
    state = np.empty((4, LANES), np.uint64)
    seed_state(state, np.uint64(integrand), np.uint64(split))
    fill_uniform(state, uniforms)
    family.draw(uniforms, episodes.parameters[row])
    episodes.exact[row] = family.exact(episodes.parameters[row])
    episodes.stream[row] = stream
    open_episode(episodes, row, budget)


@kernel
def open_episode(episodes, row, budget):  # type: ignore[no-untyped-def]
    """Start an episode whose integrand is known: uniform grid, nothing spent.

    Parameters
    ----------
    episodes
        `Episodes`.
    row
        The episode.
    budget
        Calls of the integrand that it may spend.
    """
    for i in range(MAX_DIM):
        for b in range(BINS + 1):
            episodes.edges[row, i, b] = b / BINS
    episodes.weights[row] = 0.0
    episodes.left[row] = budget
    episodes.iterations[row] = 0
    episodes.sums[row] = 0.0
    # Before anything counts the estimate is zero, with no error quoted: 100 % off.
    episodes.score[row] = 0.5 * math.log10(budget)
    statistics = episodes.statistics[row]
    statistics[:] = 0.0
    statistics[_DIMENSION] = episodes.parameters[row, 1] / MAX_DIM
    statistics[_BUDGET] = math.log10(budget)
    statistics[_LEFT] = 1.0


@kernel
def iteration_calls(left, budget, log2_share):  # type: ignore[no-untyped-def]
    """Count the calls of an iteration; a remainder too small for one more is taken along.

    Parameters
    ----------
    left
        Calls that are left.
    budget
        Calls of the integrand that an episode may spend.
    log2_share
        Logarithm to base 2 of the share of the remaining calls to spend.
    """
    fewest = max(2, math.ceil(budget * 2.0**MIN_LOG2_SHARE))
    calls = max(int(left * 2.0**log2_share + 0.5), fewest)
    return left if left - calls < fewest else calls


@kernel
def play(episodes, row, budget, log2_share, keep):  # type: ignore[no-untyped-def]
    """Throw the points of one iteration and reckon up.

    Parameters
    ----------
    episodes
        `Episodes`.
    row
        The episode.
    budget
        Calls of the integrand that an episode may spend.
    log2_share
        Logarithm to base 2 of the share of the remaining calls to spend.
    keep
        Whether the iteration counts. The one that spends the budget always does.

    Returns
    -------
    tuple of float and bool
        The decrease of the score, and whether the budget is spent.
    """
    calls = iteration_calls(episodes.left[row], budget, log2_share)
    total, squares, largest = _throw(episodes, row, calls)
    return reckon(episodes, row, budget, calls, total, squares, largest, keep)


@kernel
def reckon(episodes, row, budget, calls, total, squares, largest, keep):  # type: ignore[no-untyped-def]
    """Reckon up an iteration whose points have been thrown.

    Parameters
    ----------
    episodes
        `Episodes`.
    row
        The episode.
    budget
        Calls of the integrand that an episode may spend.
    calls
        Those of the iteration.
    total, squares, largest
        Sum of its weights, of their squares, and the largest weight.
    keep
        Whether the iteration counts. The one that spends the budget always does.

    Returns
    -------
    tuple of float and bool
        The decrease of the score, and whether the budget is spent.
    """
    episodes.left[row] -= calls
    terminated = episodes.left[row] == 0
    episodes.iterations[row] += 1
    mean = total / calls
    # Variance of the mean; rounding of equal weights must not make it vanish.
    variance = max((squares / calls - mean * mean) / (calls - 1.0), (1e-14 * mean) ** 2, 1e-300)
    sums = episodes.sums[row]
    # An iteration that sees nothing at all says nothing, not even how wrong it is.
    counts = (keep or terminated) and mean > 0.0
    if counts:
        sums[0] += 1.0 / variance
        sums[1] += mean / variance
        sums[2] += mean * mean / variance
        sums[3] += 1.0
        sums[4] += calls
    _describe(episodes.statistics[row], sums, budget, calls, mean, variance, largest, counts)
    episodes.statistics[row, _LEFT] = episodes.left[row] / budget
    episodes.statistics[row, _ITERATIONS] = math.log2(1.0 + episodes.iterations[row])
    before = episodes.score[row]
    if counts:
        estimate, error = sums[1] / sums[0], 1.0 / math.sqrt(sums[0])
        quoted = error / estimate
        true = estimate / episodes.exact[row] - 1.0
        episodes.score[row] = 0.5 * math.log10(budget * (true * true + quoted * quoted))
    return before - episodes.score[row], terminated


@kernel
def _throw(episodes, row, calls):  # type: ignore[no-untyped-def]
    """Sum weights and squared weights of one iteration, and find the largest weight."""
    dim = int(episodes.parameters[row, 1])
    edges = episodes.edges[row, :dim]
    weights = episodes.weights[row]
    weights[:] = 0.0
    x = np.empty(dim * BLOCK)
    places = np.empty(dim * BLOCK, np.int32)
    jacobian, values, work = np.empty(BLOCK), np.empty(BLOCK), np.empty(BLOCK)
    state = np.empty((4, LANES), np.uint64)
    seed_state(state, np.uint64(episodes.stream[row]), np.uint64(episodes.iterations[row]))
    total, squares, largest = 0.0, 0.0, 0.0
    for start in range(0, calls, BLOCK):
        n = min(BLOCK, calls - start)
        points = x[: dim * n].reshape(dim, n)
        bins = places[: dim * n].reshape(dim, n)
        fill_uniform(state, x)
        map_block(edges, points, jacobian[:n], bins)
        family.evaluate(episodes.parameters[row], points, work[:n], values[:n])
        for j in range(n):
            w = values[j] * jacobian[j]
            total += w
            largest = max(largest, w)
            values[j] = w * w
            squares += values[j]
        accumulate(bins, values[:n], weights)
    return total, squares, largest


@kernel
def _describe(statistics, sums, budget, calls, mean, variance, largest, counts):  # type: ignore[no-untyped-def]
    """Write what the observation says about an iteration and about those that count."""
    before = statistics[_LAST_DEVIATION]
    first = statistics[_ITERATIONS] == 0.0
    deviation = math.log10(math.sqrt(variance * calls) / mean) if mean > 0.0 else 6.0
    statistics[_LAST_SHARE] = calls / budget
    statistics[_LAST_COUNTED] = 1.0 if counts else 0.0
    statistics[_LAST_DEVIATION] = deviation
    statistics[_LAST_CHANGE] = 0.0 if first else deviation - before
    statistics[_LAST_PEAK] = math.log10(largest / mean) if mean > 0.0 else 0.0
    if sums[3] > 0.0:
        estimate, error = sums[1] / sums[0], 1.0 / math.sqrt(sums[0])
        statistics[_COUNTED] = sums[4] / budget
        statistics[_COUNTED_ITERATIONS] = math.log2(1.0 + sums[3])
        statistics[_QUOTED_SCORE] = math.log10(math.sqrt(budget) * error / estimate)
        if sums[3] > 1.0:
            chi2 = max(sums[2] - sums[1] * estimate, 0.0) / (sums[3] - 1.0)
            statistics[_CHI2] = math.log10(1.0 + chi2)
        statistics[_PULL] = (mean - estimate) / math.sqrt(variance)


@kernel
def adapt(episodes, row, alpha):  # type: ignore[no-untyped-def]
    """Refine the grid with the weights of the last iteration, as VEGAS does.

    Parameters
    ----------
    episodes
        `Episodes`.
    row
        The episode.
    alpha
        Damping.
    """
    note_refinement(episodes, row, alpha, 0.0)
    if episodes.iterations[row] == 0 or alpha == 0.0:
        return
    dim = int(episodes.parameters[row, 1])
    edges = episodes.edges[row, :dim]
    before = edges.copy()
    refine(edges, episodes.weights[row, :dim], alpha)
    note_refinement(episodes, row, alpha, distance(before, edges))


@kernel
def set_grid(episodes, row, logits):  # type: ignore[no-untyped-def]
    """Give every bin of an axis a width proportional to exp(logit).

    Parameters
    ----------
    episodes
        `Episodes`.
    row
        The episode.
    logits
        float64, shape (8, 64).
    """
    dim = int(episodes.parameters[row, 1])
    edges = episodes.edges[row, :dim]
    before = edges.copy()
    widths_from_logits(logits, edges)
    note_refinement(episodes, row, 0.0, distance(before, edges))


@kernel
def note_refinement(episodes, row, alpha, movement):  # type: ignore[no-untyped-def]
    """Write what the observation says about a change of the grid.

    Parameters
    ----------
    episodes
        `Episodes`.
    row
        The episode.
    alpha
        Damping; 0 if there is none.
    movement
        Mean absolute change of the logarithm of the bin widths.
    """
    episodes.statistics[row, _LAST_ALPHA] = alpha
    episodes.statistics[row, _MOVEMENT] = movement


@kernel
def widths_from_logits(logits, edges):  # type: ignore[no-untyped-def]
    """Write the edges of bins whose widths are the softmax of logits.

    Parameters
    ----------
    logits
        float64, shape (dim or more, 64).
    edges
        float64, shape (dim, 65), written.
    """
    for i in range(len(edges)):
        highest = logits[i].max()
        total = 0.0
        for b in range(BINS):
            total += math.exp(logits[i, b] - highest)
            edges[i, b + 1] = total
        for b in range(1, BINS):
            edges[i, b] /= total
        edges[i, BINS] = 1.0


@kernel
def distance(before, after):  # type: ignore[no-untyped-def]
    """Give the mean absolute change of the logarithm of the bin widths.

    Parameters
    ----------
    before, after
        float64, shape (dim, bins + 1): edges.
    """
    dim = len(before)
    total = 0.0
    for i in range(dim):
        for b in range(BINS):
            old = max(before[i, b + 1] - before[i, b], SMALLEST_WIDTH)
            new = max(after[i, b + 1] - after[i, b], SMALLEST_WIDTH)
            total += abs(math.log(new / old))
    return total / (dim * BINS)


@kernel
def observe(episodes, row, weights, grid, axes, statistics):  # type: ignore[no-untyped-def]
    """Write the observation of an episode; the arrays are zero where nothing is written.

    Parameters
    ----------
    episodes
        `Episodes`.
    row
        The episode.
    weights, grid
        float32, shape (8, 64).
    axes
        float32, shape (8,).
    statistics
        float32, shape (16,).
    """
    dim = int(episodes.parameters[row, 1])
    for i in range(dim):
        axes[i] = 1.0
        total = 0.0
        for b in range(BINS):
            width = episodes.edges[row, i, b + 1] - episodes.edges[row, i, b]
            density = -math.log(BINS * max(width, SMALLEST_WIDTH))
            grid[i, b] = min(max(density, LOWEST_LOG_DENSITY), HIGHEST_LOG_DENSITY)
            total += episodes.weights[row, i, b]
        if total > 0.0:
            for b in range(BINS):
                ratio = BINS * episodes.weights[row, i, b] / total
                log = math.log(ratio) if ratio > 0.0 else LOWEST_LOG_WEIGHT
                weights[i, b] = min(max(log, LOWEST_LOG_WEIGHT), HIGHEST_LOG_WEIGHT)
    for s in range(len(statistics)):
        value = episodes.statistics[row, s]
        statistics[s] = min(max(value, STATISTICS_LOW[s]), STATISTICS_HIGH[s])


@kernel
def play_many(episodes, idle, budget, actions, reward, terminated):  # type: ignore[no-untyped-def]
    """Play one step of `VegasSampling-v0` in every row that is not idle.

    Parameters
    ----------
    episodes
        `Episodes`.
    idle
        bool, shape (rows,).
    budget
        Calls of the integrand that an episode may spend.
    actions
        float64, shape (rows, 3): damping, log2 of the share, keep.
    reward, terminated
        float64 and bool, shape (rows,); written in the rows that are not idle.
    """
    for row in range(len(idle)):
        if not idle[row]:
            adapt(episodes, row, actions[row, 0])
            reward[row], terminated[row] = play(
                episodes, row, budget, actions[row, 1], actions[row, 2] >= 0.0
            )


@kernel
def play_many_grids(episodes, idle, budget, actions, reward, terminated):  # type: ignore[no-untyped-def]
    """Play one step of `VegasGrid-v0`, see `play_many`; actions have shape (rows, 514)."""
    cells = MAX_DIM * BINS
    for row in range(len(idle)):
        if not idle[row]:
            set_grid(episodes, row, actions[row, :cells].reshape(MAX_DIM, BINS))
            reward[row], terminated[row] = play(
                episodes, row, budget, actions[row, cells], actions[row, cells + 1] >= 0.0
            )


@kernel
def begin_many(episodes, rows, budget, split, integrands, streams):  # type: ignore[no-untyped-def]
    """Start episodes in some rows, see `begin`."""
    for k in range(len(rows)):
        begin(episodes, rows[k], budget, split, integrands[k], streams[k])


@kernel
def observe_many(episodes, weights, grid, axes, statistics):  # type: ignore[no-untyped-def]
    """Write the observations of all rows, see `observe`."""
    for row in range(len(episodes.left)):
        observe(episodes, row, weights[row], grid[row], axes[row], statistics[row])


def progress(episodes: Episodes, budget: int) -> dict[str, NDArray[Any]]:
    """Return what has been estimated in each row, and at what expense.

    Parameters
    ----------
    episodes
        The episodes.
    budget
        Calls that each may spend.

    Returns
    -------
    dict
        ``estimate`` and ``error``, float64 (both 0 before an iteration counts), ``calls`` and
        ``iterations``, int64.
    """
    precision, weighted = episodes.sums[:, 0], episodes.sums[:, 1]
    counts = precision > 0.0
    safe = np.where(counts, precision, 1.0)
    return {
        "estimate": np.where(counts, weighted / safe, 0.0),
        "error": np.where(counts, 1.0 / np.sqrt(safe), 0.0),
        "calls": budget - episodes.left,
        "iterations": episodes.iterations.copy(),
    }


def verdict(episodes: Episodes, estimate: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Return what each row's estimate is worth, which needs the exact integral.

    Parameters
    ----------
    episodes
        The episodes.
    estimate
        float64, shape (rows,).

    Returns
    -------
    dict
        ``score``, ``exact`` and ``true_error`` (relative, with its sign), float64.
    """
    return {
        "score": episodes.score.copy(),
        "exact": episodes.exact.copy(),
        "true_error": estimate / episodes.exact - 1.0,
    }
