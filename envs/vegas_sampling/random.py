"""Uniform random numbers from many interleaved xoshiro256++ generators.

One generator is a chain of dependent operations; `LANES` of them side by side are arithmetic that
the compiler vectorises. A state is fixed by two integers, a seed and a stream, so that any piece
of work can make its own numbers wherever and whenever it is done.

Source: Blackman and Vigna, arXiv:1805.01407; seeding by splitmix64 as they recommend.
"""

from __future__ import annotations

import operator

import numba
import numpy as np
from numpy.typing import NDArray

from ...datasets.integrands.vector_math import bits_float

LANES = 32
"""Generators side by side; numbers are made in multiples of it."""

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
MIX_1, MIX_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
EXPONENT_OF_ONE = np.uint64(0x3FF0000000000000)
S12, S17, S19, S23 = np.uint64(12), np.uint64(17), np.uint64(19), np.uint64(23)
S27, S30, S31, S41, S45 = (np.uint64(s) for s in (27, 30, 31, 41, 45))


def new_state(seed: int, stream: int = 0) -> NDArray[np.uint64]:
    """State of the generators.

    Parameters
    ----------
    seed, stream
        Integers from 0 to 2^64 - 1. Different pairs give independent numbers.

    Returns
    -------
    numpy.ndarray
        uint64, shape (4, LANES).

    Raises
    ------
    ValueError
        If one of the two is not such an integer.
    """
    state = np.empty((4, LANES), np.uint64)
    seed_state(state, checked_seed(seed), checked_seed(stream))
    return state


def checked_seed(seed: int) -> np.uint64:
    """Seed as the compiled code takes it.

    Parameters
    ----------
    seed
        Integer from 0 to 2^64 - 1.

    Returns
    -------
    numpy.uint64

    Raises
    ------
    ValueError
        If it is not such an integer.
    """
    try:
        number = operator.index(seed)
    except TypeError:
        raise ValueError(f"seed {seed!r} is not an integer") from None
    if not 0 <= number < 2**64:
        raise ValueError(f"seed {number} is not between 0 and 2^64 - 1")
    return np.uint64(number)


@numba.njit(cache=True, nogil=True)
def _mix(z):  # type: ignore[no-untyped-def]
    z = (z ^ (z >> S30)) * MIX_1
    z = (z ^ (z >> S27)) * MIX_2
    return z ^ (z >> S31)


@numba.njit(cache=True, nogil=True)
def seed_state(state, seed, stream):  # type: ignore[no-untyped-def]
    """Start the generators.

    Parameters
    ----------
    state
        uint64, shape (4, LANES), written.
    seed, stream
        uint64.
    """
    z = _mix(_mix(seed + GOLDEN) + stream * GOLDEN)
    for word in range(4):
        for lane in range(LANES):
            z += GOLDEN
            state[word, lane] = _mix(z)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def fill_uniform(state, out):  # type: ignore[no-untyped-def]
    """Fill an array with numbers in [0, 1), multiples of 2^-52.

    Parameters
    ----------
    state
        uint64, shape (4, LANES), changed.
    out
        float64, one-dimensional, its length a multiple of LANES.
    """
    s0, s1, s2, s3 = state[0], state[1], state[2], state[3]
    for start in range(0, len(out), LANES):
        row = out[start : start + LANES]
        for lane in range(LANES):
            a, b, c, d = s0[lane], s1[lane], s2[lane], s3[lane]
            total = a + d
            number = ((total << S23) | (total >> S41)) + a
            shifted = b << S17
            c ^= a
            d ^= b
            b ^= c
            a ^= d
            c ^= shifted
            d = (d << S45) | (d >> S19)
            s0[lane], s1[lane], s2[lane], s3[lane] = a, b, c, d
            row[lane] = bits_float((number >> S12) | EXPONENT_OF_ONE) - 1.0
