"""VEGAS, compiled: importance sampling with a grid that adapts, and plain Monte Carlo beside it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...datasets.integrands import Integrand
from ...envs.vegas_sampling import grid
from ...envs.vegas_sampling.iteration import collect, draw, iterate
from ...envs.vegas_sampling.random import checked_seed
from ..parameters import Allowed, parameter
from .adaptive import SAMPLING_STREAM, AdaptiveSampler
from .base import checked_count, checked_points
from .pieces import Workplace, chunk_count, even_cuts


@dataclass(eq=False)
class Vegas(AdaptiveSampler):
    """VEGAS (G. P. Lepage, 1978): a grid on each axis, refined after every iteration.

    Attributes
    ----------
    bins
        Bins of the grid on each axis.
    alpha
        Damping of the refinement: 0 leaves the grid as it is.
    """

    bins: int = parameter(256, Allowed("1 <= bins <= 65536", lambda n: 1 <= n <= 65536, whole=True))
    alpha: float = parameter(1.5, Allowed("0 <= alpha <= 10", lambda a: 0 <= a <= 10))

    name = "vegas"
    summary = "VEGAS: an adaptive grid on each axis, compiled"

    def _begin(self, dim: int, schedule: list[int]) -> dict[str, NDArray[Any]]:
        return {"edges": grid.uniform_edges(dim, self.bins)}

    def _iterate(
        self,
        workplace: Workplace,
        integrand: Integrand,
        calls: int,
        seed: np.uint64,
        stream: np.uint64,
    ) -> tuple[float, float, float]:
        edges = self._state["edges"]
        offsets = even_cuts(calls, chunk_count(calls))

        def arguments(first: int, last: int) -> tuple[Any, ...]:
            return integrand, edges, offsets, first, last, seed, stream

        results = workplace.run(sample_chunks, len(offsets) - 1, arguments)
        total, square = np.concatenate([sums for sums, _, _ in results]).sum(axis=0)
        histogram = np.concatenate([histograms for _, histograms, _ in results]).sum(axis=0)
        grid.refine(edges, histogram, self.alpha)
        mean = float(total) / calls
        # Rounding can make the variance of equal weights negative.
        variance = max(float(square) / calls - mean * mean, 0.0) / (calls - 1)
        return mean, variance, sum(spent for _, _, spent in results) / workplace.workers

    def sample(self, n: int, seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Draw independent points from the grid, see `Sampler.sample`."""
        edges = self._trained()["edges"]
        n = checked_count("n", n, least=0)
        points, jacobian, bins = _space(n, len(edges))
        draw(edges, checked_seed(seed), np.uint64(SAMPLING_STREAM), points, jacobian, bins)
        return points, self.density(points)

    @property
    def grid_edges(self) -> NDArray[np.float64]:
        """Edges of the grid, float64, shape (dim, bins + 1)."""
        edges: NDArray[np.float64] = self._trained()["edges"]
        return edges

    def density(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Give the density of the grid, see `Sampler.density`."""
        edges = self._trained()["edges"]
        array = checked_points(points, len(edges))
        out = np.empty(len(array))
        grid.density(edges, array, out)
        return out


@dataclass(eq=False)
class Plain(Vegas):
    """Plain Monte Carlo: points are uniform; iterations only serve the table."""

    bins: int = 1
    alpha: float = 0.0
    combination: str = "calls"

    name = "plain"
    summary = "plain Monte Carlo: uniform points"


def sample_chunks(
    integrand: Integrand,
    edges: NDArray[np.float64],
    offsets: NDArray[np.int64],
    first: int,
    last: int,
    seed: np.uint64,
    stream: np.uint64,
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Do some chunks of an iteration of VEGAS, see `iteration.iterate`.

    Returns
    -------
    sums
        float64, shape (chunks, 2): sums of weights and of their squares.
    histograms
        float64, shape (chunks, dim, bins): squared weights.
    seconds
        Time spent in a Python integrand; 0 for a compiled one, which is not timed.
    """
    dim, bins = edges.shape[0], edges.shape[1] - 1
    sums = np.empty((last - first, 2))
    histograms = np.zeros((last - first, dim, bins))
    spent = 0.0
    if integrand.kernel is not None:
        iterate(integrand.kernel, edges, offsets, first, last, seed, stream, sums, histograms)
        return sums, histograms, spent
    for chunk in range(first, last):
        points, jacobian, bin_of = _space(int(offsets[chunk + 1] - offsets[chunk]), dim)
        draw(edges, seed, stream + np.uint64(chunk), points, jacobian, bin_of)
        start = time.perf_counter()
        values = integrand.evaluate(points).copy()
        spent += time.perf_counter() - start
        sums[chunk - first] = collect(values, jacobian, bin_of, histograms[chunk - first])
    return sums, histograms, spent


def _space(n: int, dim: int) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int32]]:
    """Arrays for the points of a chunk, their Jacobians and bins."""
    return np.empty((n, dim)), np.empty(n), np.empty(n * dim, np.int32)
