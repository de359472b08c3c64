"""Points in phase space that pass the cuts, and their squared amplitudes, in chunks with seeds."""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from ..errors import DatasetError
from ..integrands.constants import M_TOP, PICOBARN
from ..integrands.multiparton import PT_MIN, R_MIN, TTBAR_ENERGY, cut, ttbar_squared
from ..integrands.phase_space import radiation

__all__ = ["CHUNK", "DIM", "EventChunk", "chunk_sizes", "generate_chunk", "map_events"]

DIM = 8
"""Coordinates of a point."""

CHUNK = 5000
"""Events of a chunk."""

VERSION = 1
"""Part of every seed: another version of the set has other events."""

SPLIT_NUMBERS = {"train": 0, "validation": 1, "test": 2}

_TRIALS = 1000


class EventChunk(NamedTuple):
    """Events one after another.

    Attributes
    ----------
    points : float32, shape (n, 8)
        Coordinates in the unit hypercube; they are exact.
    matrix_elements : float32, shape (n,)
        Squared amplitudes, as `ttbar_squared` has them.
    trials : int
        Number of points that were drawn, those that did not pass the cuts included.
    """

    points: NDArray[np.float32]
    matrix_elements: NDArray[np.float32]
    trials: int


@cache
def _map_kernel() -> Any:
    masses = np.array([0.0, 0.0, M_TOP, M_TOP])

    @numba.njit(cache=True, nogil=True, error_model="numpy")
    def kernel(points, momenta, weights):  # type: ignore[no-untyped-def]
        half = 0.5 * TTBAR_ENERGY
        factor = PICOBARN / (2.0 * TTBAR_ENERGY * TTBAR_ENERGY * 2.0)
        for i in range(len(weights)):
            event = momenta[i]
            event[:2] = 0.0
            event[0, 0], event[0, 3], event[1, 0], event[1, 3] = half, half, half, -half
            weight = radiation(points, 0, i, masses, TTBAR_ENERGY, PT_MIN, event[2:])
            passed = weight > 0.0 and cut(event[2:], 2, PT_MIN, R_MIN)
            weights[i] = factor * weight if passed else 0.0

    return kernel


def map_events(
    points: NDArray[np.floating[Any]],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Momenta and phase-space weights of points of the unit hypercube.

    Parameters
    ----------
    points
        Shape (n, 8).

    Returns
    -------
    momenta : float64, shape (n, 6, 4)
        (E, px, py, pz) in GeV: two incoming gluons, two outgoing ones, top, antitop.
    weights : float64, shape (n,)
        In pb GeV^4, zero where the cuts are not passed: the mean of weight times squared amplitude
        over the hypercube is the cross section in pb.
    """
    columns = np.ascontiguousarray(np.asarray(points, np.float64).T)
    momenta, weights = np.empty((len(points), 6, 4)), np.empty(len(points))
    _map_kernel()(columns, momenta, weights)
    return momenta, weights


def chunk_sizes(size: int) -> list[int]:
    """Events of each chunk of a sample."""
    full, left = divmod(size, CHUNK)
    return [CHUNK] * full + [left] * (left > 0)


def generate_chunk(split: str, seed: int, number: int, size: int) -> EventChunk:
    """Generate one chunk; a smaller one is a prefix of a larger one.

    Parameters
    ----------
    split
        train, validation or test; they share no event.
    seed
        Of the sample.
    number
        Of the chunk.
    size
        Number of events.

    Returns
    -------
    EventChunk

    Raises
    ------
    DatasetError
        If there is no such split, or the seed is negative.
    """
    if split not in SPLIT_NUMBERS:
        raise DatasetError(f"there is no split {split!r}; there are {', '.join(SPLIT_NUMBERS)}")
    if seed < 0:
        raise DatasetError(f"a seed must not be negative: {seed}")
    sequence = np.random.SeedSequence((VERSION, SPLIT_NUMBERS[split], seed, number))
    # Raw bits: NumPy guarantees their sequence. 24 of them make a float32 exactly.
    source = np.random.PCG64(sequence)
    kept: list[NDArray[np.float32]] = []
    found, trials = 0, 0
    while found < size:
        bits = source.random_raw(_TRIALS * DIM).reshape(_TRIALS, DIM) >> np.uint64(40)
        points = (bits / 2.0**24).astype(np.float32)
        passed = np.flatnonzero(map_events(points)[1] > 0.0)[: size - found]
        kept.append(points[passed])
        found += len(passed)
        trials += _TRIALS if found < size else int(passed[-1]) + 1
    points = np.concatenate(kept)
    return EventChunk(points, ttbar_squared(map_events(points)[0]).astype(np.float32), trials)
