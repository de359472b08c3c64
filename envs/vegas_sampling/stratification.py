"""One iteration of VEGAS+ as compiled code: adaptive stratified sampling on top of the grid.

The space of uniform numbers is cut into hypercubes, the same number of strata along an axis
everywhere. Each hypercube gets its own number of calls. Source: G. P. Lepage, arXiv:2009.05112.

A chunk is a range of hypercubes; what is said in `iteration` holds here too.
"""

from __future__ import annotations

import numba
import numpy as np
from numba import types

from ...datasets.integrands.integrand import KERNEL_TYPE
from .grid import accumulate, map_block
from .iteration import block_length
from .random import LANES, fill_uniform, seed_state

compiled = numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})


@compiled
def allocate(spread, calls, least, ends):  # type: ignore[no-untyped-def]
    """Share calls out among hypercubes.

    Parameters
    ----------
    spread
        float64, shape (cubes,): not negative; calls beyond the least number are proportional to it.
        Where it vanishes altogether they are shared equally.
    calls
        How many there are, at least ``least`` times the number of cubes. All are used.
    least
        Least number of calls of a hypercube.
    ends
        int64, shape (cubes + 1,), written: hypercube h makes calls ends[h] to ends[h + 1].
    """
    cubes = len(spread)
    total = 0.0
    for h in range(cubes):
        total += spread[h]
    spare = calls - least * cubes
    ends[0] = 0
    running = 0.0
    for h in range(cubes):
        running += spread[h] / total if 0.0 < total < np.inf else 1.0 / cubes
        ends[h + 1] = least * (h + 1) + np.int64(min(running, 1.0) * spare + 0.5)
    # Rounding may leave the last running sum just below 1.
    ends[cubes] = calls


@compiled
def _stratify(points, strata, ends, first, start):  # type: ignore[no-untyped-def]
    """Move uniform numbers, calls start to start + n, into their hypercubes, from cube first on."""
    dim, n = points.shape
    cubes = len(ends) - 1
    stride = 1
    for k in range(dim - 1, -1, -1):
        row = points[k]
        size = 1.0 / strata[k]
        # 32 bits divide faster than 64.
        level = np.int64(np.uint32(first) // np.uint32(stride))
        corner = np.int64(np.uint32(level) % np.uint32(strata[k]))
        i = 0
        while i < n:
            # Hypercubes up to the next multiple of the stride share the stratum on this axis.
            level += 1
            stop = min(n, ends[min(level * stride, cubes)] - start)
            low = corner * size
            for j in range(i, stop):
                row[j] = row[j] * size + low
            i = stop
            corner = np.int64(corner + 1 if corner + 1 < strata[k] else 0)
        stride *= strata[k]


@compiled
def _weigh(values, jacobian, ends, first, start, totals, squares, offset):  # type: ignore[no-untyped-def]
    """Add weights to their cubes' sums; leave squared weights over calls. Returns the last cube."""
    n = len(values)
    cube = first
    i = 0
    while i < n:
        stop = min(n, ends[cube + 1] - start)
        share = 1.0 / (ends[cube + 1] - ends[cube])
        total, square = 0.0, 0.0
        for j in range(i, stop):
            weight = values[j] * jacobian[j]
            total += weight
            weight *= weight
            square += weight
            values[j] = weight * share
        totals[cube - offset] += total
        squares[cube - offset] += square
        i = stop
        if start + i == ends[cube + 1]:
            cube += 1
    return cube


_ITERATE = types.void(
    KERNEL_TYPE,
    types.float64[:, ::1],
    types.int64[::1],
    types.int64[::1],
    types.int64[::1],
    types.int64,
    types.int64,
    types.uint64,
    types.uint64,
    types.float64[::1],
    types.float64[::1],
    types.float64[:, :, ::1],
)


@numba.njit(_ITERATE, cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def iterate_strata(  # type: ignore[no-untyped-def]
    kernel, edges, strata, ends, bounds, first, last, seed, stream, totals, squares, histograms
):
    """Sample some chunks of an iteration.

    Parameters
    ----------
    kernel
        The integrand, see `Integrand.kernel`.
    edges
        float64, shape (dim, bins + 1): the grid.
    strata
        int64, shape (dim,): number of strata along each axis; the last axis runs fastest.
    ends
        int64, shape (cubes + 1,): hypercube h makes calls ends[h] to ends[h + 1].
    bounds
        int64, shape (chunks + 1,): chunk c has hypercubes bounds[c] to bounds[c + 1].
    first, last
        The chunks to do, first <= c < last.
    seed, stream
        uint64: chunk c takes its random numbers from stream + c.
    totals, squares
        float64, shape (bounds[last] - bounds[first],), written: for each hypercube the sums of the
        weights and of their squares.
    histograms
        float64, shape (last - first, dim, bins), written: squared weights over calls of the
        hypercube, bin by bin.
    """
    dim = edges.shape[0]
    state = np.empty((4, LANES), np.uint64)
    length = block_length(dim)
    buffer = np.empty(dim * length)
    bin_buffer = np.empty(dim * length, np.int32)
    jacobian_buffer = np.empty(length)
    value_buffer = np.empty(length)
    totals[:] = 0.0
    squares[:] = 0.0
    for c in range(first, last):
        histogram = histograms[c - first]
        histogram[:] = 0.0
        seed_state(state, seed, stream + np.uint64(c))
        cube = bounds[c]
        finish = ends[bounds[c + 1]]
        for start in range(ends[cube], finish, length):
            n = min(length, finish - start)
            fill_uniform(state, buffer)
            points = buffer[: dim * n].reshape(dim, n)
            bins = bin_buffer[: dim * n].reshape(dim, n)
            jacobian, values = jacobian_buffer[:n], value_buffer[:n]
            _stratify(points, strata, ends, cube, start)
            map_block(edges, points, jacobian, bins)
            kernel(points, values)
            cube = _weigh(values, jacobian, ends, cube, start, totals, squares, bounds[first])
            accumulate(bins, values, histogram)


@compiled
def draw_strata(edges, strata, ends, first, last, seed, stream, points, jacobian, bins):  # type: ignore[no-untyped-def]
    """Draw the points of a chunk.

    Parameters
    ----------
    edges, strata, ends
        As in `iterate_strata`.
    first, last
        Hypercubes of the chunk.
    seed, stream
        uint64.
    points
        float64, shape (n, dim), written; n = ends[last] - ends[first].
    jacobian
        float64, shape (n,), written: the inverse of the grid's density at each point.
    bins
        int32, shape (n dim,), written: bins of the coordinates, block by block.
    """
    dim = edges.shape[0]
    state = np.empty((4, LANES), np.uint64)
    seed_state(state, seed, stream)
    length = block_length(dim)
    buffer = np.empty(dim * length)
    cube = first
    for start in range(0, len(points), length):
        n = min(length, len(points) - start)
        fill_uniform(state, buffer)
        block = buffer[: dim * n].reshape(dim, n)
        block_bins = bins[dim * start : dim * (start + n)].reshape(dim, n)
        _stratify(block, strata, ends, cube, ends[first] + start)
        map_block(edges, block, jacobian[start : start + n], block_bins)
        points[start : start + n] = block.T
        while cube < last and ends[cube + 1] <= ends[first] + start + n:
            cube += 1


@compiled
def collect_strata(values, jacobian, bins, ends, first, totals, squares, histogram):  # type: ignore[no-untyped-def]
    """Sum up a chunk whose integrand has been evaluated.

    Parameters
    ----------
    values
        float64, shape (n,): the integrand; changed.
    jacobian, bins
        As `draw_strata` gave them.
    ends, first
        As in `draw_strata`.
    totals, squares
        float64, one for each hypercube of the chunk, added to.
    histogram
        float64, shape (dim, bins), added to.
    """
    dim = histogram.shape[0]
    length = block_length(dim)
    cube = first
    for start in range(0, len(values), length):
        n = min(length, len(values) - start)
        block = values[start : start + n]
        cube = _weigh(
            block,
            jacobian[start : start + n],
            ends,
            cube,
            ends[first] + start,
            totals,
            squares,
            first,
        )
        accumulate(bins[dim * start : dim * (start + n)].reshape(dim, n), block, histogram)


@compiled
def draw_from_cubes(edges, strata, cubes, seed, stream, points, jacobian):  # type: ignore[no-untyped-def]
    """Draw one point in each of some hypercubes.

    Parameters
    ----------
    edges, strata
        As in `iterate_strata`.
    cubes
        int64, shape (n,): numbers of hypercubes.
    seed, stream
        uint64.
    points
        float64, shape (n, dim), written.
    jacobian
        float64, shape (n,), written: the inverse of the grid's density at each point.
    """
    dim = edges.shape[0]
    state = np.empty((4, LANES), np.uint64)
    seed_state(state, seed, stream)
    length = block_length(dim)
    buffer = np.empty(dim * length)
    bins = np.empty((dim, length), np.int32)
    for start in range(0, len(points), length):
        n = min(length, len(points) - start)
        fill_uniform(state, buffer)
        block = buffer[: dim * n].reshape(dim, n)
        stride = 1
        for k in range(dim - 1, -1, -1):
            for i in range(n):
                corner = (cubes[start + i] // stride) % strata[k]
                block[k, i] = (block[k, i] + corner) / strata[k]
            stride *= strata[k]
        map_block(edges, block, jacobian[start : start + n], bins[:, :n])
        points[start : start + n] = block.T


@compiled
def find_cubes(edges, strata, points, cubes):  # type: ignore[no-untyped-def]
    """Find the hypercubes that points lie in.

    Parameters
    ----------
    edges, strata
        As in `iterate_strata`.
    points
        float64, shape (n, dim), in [0, 1].
    cubes
        int64, shape (n,), written.
    """
    count = edges.shape[1] - 1
    for i in range(len(points)):
        cube = 0
        for k in range(points.shape[1]):
            x = points[i, k]
            b = np.searchsorted(edges[k], x, side="right") - 1
            b = min(max(b, 0), count - 1)
            low = edges[k, b]
            uniform = (b + (x - low) / (edges[k, b + 1] - low)) / count
            cube = cube * strata[k] + min(np.int64(uniform * strata[k]), strata[k] - 1)
        cubes[i] = cube


@compiled
def combine_strata(totals, squares, ends, beta, spread):  # type: ignore[no-untyped-def]
    """Integral, its variance and the spread of each hypercube.

    Parameters
    ----------
    totals, squares
        float64, shape (cubes,): sums of the weights and of their squares.
    ends
        int64, shape (cubes + 1,).
    beta
        Damping: calls become proportional to the standard deviation to this power.
    spread
        float64, shape (cubes,), written.

    Returns
    -------
    estimate, variance
        Of the integral.
    """
    cubes = len(totals)
    estimate, variance = 0.0, 0.0
    for h in range(cubes):
        n = ends[h + 1] - ends[h]
        mean = totals[h] / n
        # Rounding can make the variance of equal weights negative.
        within = max(squares[h] / n - mean * mean, 0.0) * (n / (n - 1.0))
        estimate += mean
        variance += within / n
        spread[h] = within ** (0.5 * beta)
    return estimate / cubes, variance / (np.float64(cubes) * cubes)
