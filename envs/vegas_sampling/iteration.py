"""One iteration of VEGAS as compiled code.

The calls of an iteration are cut into chunks. A chunk has its own random numbers and its own sums,
and sums are added in the order of the chunks: the result does not depend on which thread or
machine did which. Within a chunk points go in blocks that stay in the cache: random numbers, map,
integrand, sums.

An integrand's kernel is an argument of function type: this code is compiled once for all of them.
"""

from __future__ import annotations

import numba
import numpy as np
from numba import types

from ...datasets.integrands.integrand import BLOCK, KERNEL_TYPE
from .grid import accumulate, map_block
from .random import LANES, fill_uniform, seed_state

SUMS = 2
"""Sums of a chunk: of the weights, and of their squares."""

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
        float64, shape (last - first, SUMS), written: sums of weight and of its square.
    histograms
        float64, shape (last - first, dim, bins), written: squared weights, bin by bin.
    """
    dim = edges.shape[0]
    state = np.empty((4, LANES), np.uint64)
    buffer = np.empty(dim * BLOCK)
    bin_buffer = np.empty(dim * BLOCK, np.int32)
    jacobian_buffer = np.empty(BLOCK)
    value_buffer = np.empty(BLOCK)
    for c in range(first, last):
        histogram = histograms[c - first]
        histogram[:] = 0.0
        seed_state(state, seed, stream + np.uint64(c))
        total, square = 0.0, 0.0
        calls = offsets[c + 1] - offsets[c]
        for start in range(0, calls, BLOCK):
            n = min(BLOCK, calls - start)
            fill_uniform(state, buffer)
            points = buffer[: dim * n].reshape(dim, n)
            bins = bin_buffer[: dim * n].reshape(dim, n)
            jacobian, values = jacobian_buffer[:n], value_buffer[:n]
            map_block(edges, points, jacobian, bins)
            kernel(points, values)
            for i in range(n):
                values[i] *= jacobian[i]
            for i in range(n):
                total += values[i]
            for i in range(n):
                values[i] *= values[i]
            for i in range(n):
                square += values[i]
            accumulate(bins, values, histogram)
        sums[c - first, 0], sums[c - first, 1] = total, square
