"""VEGAS+, compiled: adaptive stratified sampling on top of the adaptive grid."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...datasets.integrands import Integrand
from ...envs.vegas_sampling import grid
from ...envs.vegas_sampling.random import checked_seed
from ...envs.vegas_sampling.stratification import (
    allocate,
    collect_strata,
    combine_strata,
    draw_from_cubes,
    draw_strata,
    find_cubes,
    iterate_strata,
)
from ..parameters import Allowed, parameter
from .adaptive import SAMPLING_STREAM
from .base import checked_count, checked_points
from .pieces import Workplace, chunk_count, even_cuts
from .vegas import Vegas

LEAST_CALLS = 4
"""Calls of a hypercube: with fewer the errors that it is given are too uncertain."""

MAX_CUBES = 1_000_000


@dataclass(eq=False)
class VegasPlus(Vegas):
    """VEGAS+ (arXiv:2009.05112): the hypercubes of a lattice share the calls by their spread.

    Half of an iteration's calls may go evenly to hypercubes, at least four each; the rest, and what
    the lattice leaves over, in proportion to the standard deviation to the power ``beta``.

    Attributes
    ----------
    beta
        Damping of the allocation: 0 shares the calls evenly, 1 by standard deviation.
    """

    beta: float = parameter(0.75, Allowed("0 <= beta <= 1", lambda b: 0 <= b <= 1))

    name = "vegas-plus"
    summary = "VEGAS+: adaptive grid and adaptive stratified sampling, compiled"

    def _least_calls(self) -> int:
        return 2 * LEAST_CALLS

    def _begin(self, dim: int, schedule: list[int]) -> dict[str, NDArray[Any]]:
        strata = lattice(dim, min(min(schedule) // (2 * LEAST_CALLS), MAX_CUBES))
        return super()._begin(dim, schedule) | {
            "strata": strata,
            "spread": np.zeros(int(strata.prod())),
        }

    def _iterate(
        self,
        workplace: Workplace,
        integrand: Integrand,
        calls: int,
        seed: np.uint64,
        stream: np.uint64,
    ) -> tuple[float, float, float]:
        edges, strata, spread = (self._state[key] for key in ("edges", "strata", "spread"))
        ends = np.empty(len(spread) + 1, np.int64)
        allocate(spread, calls, LEAST_CALLS, ends)
        # Chunks of hypercubes with about the same number of calls.
        chunks = min(chunk_count(calls), len(spread))
        bounds = np.searchsorted(ends, even_cuts(calls, chunks)).astype(np.int64)

        def arguments(first: int, last: int) -> tuple[Any, ...]:
            return integrand, edges, strata, ends, bounds, first, last, seed, stream

        results = workplace.run(sample_cubes, chunks, arguments)
        totals = np.concatenate([part[0] for part in results])
        squares = np.concatenate([part[1] for part in results])
        histogram = np.concatenate([part[2] for part in results]).sum(axis=0)
        estimate, variance = combine_strata(totals, squares, ends, self.beta, spread)
        grid.refine(edges, histogram, self.alpha)
        return estimate, variance, sum(part[3] for part in results) / workplace.workers

    def sample(self, n: int, seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Draw independent points, hypercubes as often as they would get calls.

        See `Sampler.sample`.
        """
        state = self._trained()
        edges, strata, spread = state["edges"], state["strata"], state["spread"]
        n = checked_count("n", n, least=0)
        probability = self._probability()
        uniform = np.random.default_rng([int(checked_seed(seed)), 1]).random(n)
        cumulative = np.cumsum(probability)
        cubes = np.searchsorted(cumulative, uniform * cumulative[-1], side="right")
        cubes = np.minimum(cubes, len(spread) - 1).astype(np.int64)
        points, jacobian = np.empty((n, len(edges))), np.empty(n)
        draw_from_cubes(
            edges, strata, cubes, checked_seed(seed), np.uint64(SAMPLING_STREAM), points, jacobian
        )
        return points, self.density(points)

    def density(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Give the density of grid and hypercubes, see `Sampler.density`."""
        of_grid = super().density(points)
        array = checked_points(points, len(self._state["edges"]))
        cubes = np.empty(len(array), np.int64)
        find_cubes(self._state["edges"], self._state["strata"], array, cubes)
        probability = self._probability()
        return of_grid * probability[cubes] * len(probability)

    def _probability(self) -> NDArray[np.float64]:
        """Share of the calls of each hypercube: half evenly, half by the spread."""
        spread = self._state["spread"]
        total = spread.sum()
        share = spread / total if 0.0 < total < np.inf else np.full(len(spread), 1 / len(spread))
        return 0.5 / len(spread) + 0.5 * share


def lattice(dim: int, cubes: int) -> NDArray[np.int64]:
    """Numbers of strata along the axes, equal within one, with at most so many hypercubes.

    Parameters
    ----------
    dim
        Number of axes.
    cubes
        Largest number of hypercubes, at least 1.

    Returns
    -------
    numpy.ndarray
        int64, shape (dim,).
    """
    strata = np.full(dim, max(1, int(cubes ** (1.0 / dim))), np.int64)
    # The root may be rounded down from an integer.
    if (strata[0] + 1) ** dim <= cubes:
        strata += 1
    for axis in range(dim):
        more = strata.copy()
        more[axis] += 1
        if np.prod(more, dtype=np.float64) > cubes:
            break
        strata = more
    return strata


def sample_cubes(
    integrand: Integrand,
    edges: NDArray[np.float64],
    strata: NDArray[np.int64],
    ends: NDArray[np.int64],
    bounds: NDArray[np.int64],
    first: int,
    last: int,
    seed: np.uint64,
    stream: np.uint64,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], float]:
    """Do some chunks of an iteration of VEGAS+, see `stratification.iterate_strata`.

    Returns
    -------
    totals, squares
        float64, one for each hypercube: sums of weights and of their squares.
    histograms
        float64, shape (chunks, dim, bins).
    seconds
        Time spent in a Python integrand; 0 for a compiled one, which is not timed.
    """
    dim, bins = edges.shape[0], edges.shape[1] - 1
    begin = bounds[first]
    totals, squares = np.zeros((2, bounds[last] - begin))
    histograms = np.zeros((last - first, dim, bins))
    spent = 0.0
    if integrand.kernel is not None:
        iterate_strata(
            integrand.kernel,
            edges,
            strata,
            ends,
            bounds,
            first,
            last,
            seed,
            stream,
            totals,
            squares,
            histograms,
        )
        return totals, squares, histograms, spent
    for chunk in range(first, last):
        low, high = bounds[chunk], bounds[chunk + 1]
        n = int(ends[high] - ends[low])
        points, jacobian, bin_of = np.empty((n, dim)), np.empty(n), np.empty(n * dim, np.int32)
        draw_strata(
            edges,
            strata,
            ends,
            low,
            high,
            seed,
            stream + np.uint64(chunk),
            points,
            jacobian,
            bin_of,
        )
        start = time.perf_counter()
        values = integrand.evaluate(points).copy()
        spent += time.perf_counter() - start
        collect_strata(
            values,
            jacobian,
            bin_of,
            ends,
            low,
            totals[low - begin : high - begin],
            squares[low - begin : high - begin],
            histograms[chunk - first],
        )
    return totals, squares, histograms, spent
