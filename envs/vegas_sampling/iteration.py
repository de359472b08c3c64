"""One iteration of VEGAS as compiled code.

The calls of an iteration are cut into chunks. A chunk has its own random numbers and its own sums,
and sums are added in the order of the chunks: the result does not depend on which thread or
machine did which. Within a chunk points go in blocks that stay in the cache: random numbers, map,
integrand, sums.

An integrand's kernel is an argument of function type: this code is compiled once for all of them.
A Python integrand is served in three steps, `draw`, the call, and `collect`, to the same result.
"""

from __future__ import annotations

import numba
import numpy as np
from numba import types

from ...datasets.integrands.integrand import BLOCK, KERNEL_TYPE
from .grid import accumulate, map_block
from .random import LANES, fill_uniform, seed_state

compiled = numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})


@compiled
def block_length(dim):  # type: ignore[no-untyped-def]
    """Give the length of a block: its numbers and bins, grid and sums share the L1 cache.

    Parameters
    ----------
    dim
        Number of axes.
    """
    return max(LANES, min(BLOCK, BLOCK * 4 // dim // LANES * LANES))


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "reassoc"})
def weigh(values, jacobian):  # type: ignore[no-untyped-def]
    """Turn values into squared weights, in place.

    Parameters
    ----------
    values
        float64, shape (n,): integrand on entry, (integrand times Jacobian)^2 afterwards.
    jacobian
        float64, shape (n,).

    Returns
    -------
    total, square
        Sums of the weights and of their squares.
    """
    total, square = 0.0, 0.0
    for i in range(len(values)):
        weight = values[i] * jacobian[i]
        total += weight
        weight *= weight
        square += weight
        values[i] = weight
    return total, square


_ITERATE = types.void(
    KERNEL_TYPE,
    types.float64[:, ::1],
    types.int64[::1],
    types.int64,
    types.int64,
    types.uint64,
    types.uint64,
    types.float64[:, ::1],
    types.float64[:, :, ::1],
)


@numba.njit(_ITERATE, cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def iterate(kernel, edges, offsets, first, last, seed, stream, sums, histograms):  # type: ignore[no-untyped-def]
    """Sample some chunks of an iteration.

    Parameters
    ----------
    kernel
        The integrand, see `Integrand.kernel`.
    edges
        float64, shape (dim, bins + 1): the grid.
    offsets
        int64, shape (chunks + 1,): chunk c makes calls offsets[c] to offsets[c + 1].
    first, last
        The chunks to do, first <= c < last.
    seed, stream
        uint64: chunk c takes its random numbers from stream + c.
    sums
        float64, shape (last - first, 2), written: sums of the weights and of their squares.
    histograms
        float64, shape (last - first, dim, bins), written: squared weights, bin by bin.
    """
    dim = edges.shape[0]
    state = np.empty((4, LANES), np.uint64)
    length = block_length(dim)
    buffer = np.empty(dim * length)
    bin_buffer = np.empty(dim * length, np.int32)
    jacobian_buffer = np.empty(length)
    value_buffer = np.empty(length)
    for c in range(first, last):
        histogram = histograms[c - first]
        histogram[:] = 0.0
        seed_state(state, seed, stream + np.uint64(c))
        total, square = 0.0, 0.0
        calls = offsets[c + 1] - offsets[c]
        for start in range(0, calls, length):
            n = min(length, calls - start)
            fill_uniform(state, buffer)
            points = buffer[: dim * n].reshape(dim, n)
            bins = bin_buffer[: dim * n].reshape(dim, n)
            jacobian, values = jacobian_buffer[:n], value_buffer[:n]
            map_block(edges, points, jacobian, bins)
            kernel(points, values)
            block_total, block_square = weigh(values, jacobian)
            total += block_total
            square += block_square
            accumulate(bins, values, histogram)
        sums[c - first, 0], sums[c - first, 1] = total, square


@compiled
def draw(edges, seed, stream, points, jacobian, bins):  # type: ignore[no-untyped-def]
    """Draw the points of a chunk.

    Parameters
    ----------
    edges
        float64, shape (dim, bins + 1): the grid.
    seed, stream
        uint64.
    points
        float64, shape (n, dim), written.
    jacobian
        float64, shape (n,), written: the inverse of the density of each point.
    bins
        int32, shape (n dim,), written: bins of the coordinates, block by block.
    """
    dim = edges.shape[0]
    state = np.empty((4, LANES), np.uint64)
    seed_state(state, seed, stream)
    length = block_length(dim)
    buffer = np.empty(dim * length)
    for start in range(0, len(points), length):
        n = min(length, len(points) - start)
        fill_uniform(state, buffer)
        block = buffer[: dim * n].reshape(dim, n)
        block_bins = bins[dim * start : dim * (start + n)].reshape(dim, n)
        map_block(edges, block, jacobian[start : start + n], block_bins)
        points[start : start + n] = block.T


@compiled
def collect(values, jacobian, bins, histogram):  # type: ignore[no-untyped-def]
    """Sum up a chunk whose integrand has been evaluated.

    Parameters
    ----------
    values
        float64, shape (n,): the integrand; squared weights afterwards.
    jacobian, bins
        As `draw` gave them.
    histogram
        float64, shape (dim, bins), added to: squared weights, bin by bin.

    Returns
    -------
    total, square
        Sums of the weights and of their squares.
    """
    dim = histogram.shape[0]
    length = block_length(dim)
    total, square = 0.0, 0.0
    for start in range(0, len(values), length):
        n = min(length, len(values) - start)
        block = values[start : start + n]
        block_total, block_square = weigh(block, jacobian[start : start + n])
        total += block_total
        square += block_square
        accumulate(bins[dim * start : dim * (start + n)].reshape(dim, n), block, histogram)
    return total, square
