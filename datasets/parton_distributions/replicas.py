"""Pseudodata: replicas of the measured values that fluctuate as their errors say.

D_i^(r) = (D_i + sum of additive effects) * prod (1 + multiplicative effects), each source with its
own normal random number, one for all points and sets that it touches (arXiv:1410.8849, section 2).
Replicas with a negative cross section are drawn again.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import DatasetError
from .data import DISData

MAX_DRAWS = 1000

_PURPOSE = 0x7265  # keeps the streams of replicas apart from those of masks


class ReplicaGenerator:
    """Generator of replicas of some data.

    Replica r depends on the data, the seed and r only: not on which replicas were drawn before,
    nor on where.

    Parameters
    ----------
    data
        The data.
    seed
        Non-negative integer.
    centre
        What the replicas fluctuate around, float64, shape (points,): the measured values unless
        given. Multiplicative effects are fractions of it.

    Raises
    ------
    DatasetError
        If the seed is negative, or the centre has the wrong shape or is not finite.
    """

    def __init__(self, data: DISData, seed: int, centre: ArrayLike | None = None) -> None:
        if seed < 0:
            raise DatasetError(f"seed is {seed}: it must not be negative")
        self.data = data
        self.seed = int(seed)
        self.centre = np.array(data.central if centre is None else centre, np.float64)
        if self.centre.shape != data.central.shape or not np.isfinite(self.centre).all():
            raise DatasetError(f"centre must be {len(data)} finite numbers")
        self._alone = np.hypot(data.stat, data.uncorrelated_additive)
        self._blocks = _blocks(data)
        # Values that are negative already, such as a law's noise, do not ask for new draws.
        self._must_be_positive = self.centre > 0.0

    def replica(self, number: int) -> NDArray[np.float64]:
        """Draw a replica.

        Parameters
        ----------
        number
            Which one, from 0.

        Returns
        -------
        numpy.ndarray
            float64, shape (points,).

        Raises
        ------
        DatasetError
            If the number is negative, or if a thousand draws all have a negative value.
        """
        if number < 0:
            raise DatasetError(f"replica {number} does not exist: numbers start at 0")
        stream = np.random.Generator(
            np.random.PCG64(np.random.SeedSequence((self.seed, number, _PURPOSE)))
        )
        for _ in range(MAX_DRAWS):
            values = self._draw(stream)
            if (values[self._must_be_positive] > 0.0).all():
                return values
        raise DatasetError(
            f"{MAX_DRAWS} draws of replica {number} all have a negative value: the errors are "
            "too large for pseudodata"
        )

    def replicas(self, count: int, start: int = 0) -> NDArray[np.float64]:
        """Draw replicas ``start`` to ``start + count - 1``; float64, shape (count, points)."""
        out = np.empty((count, len(self.data)))
        for row in range(count):
            out[row] = self.replica(start + row)
        return out

    def _draw(self, stream: np.random.Generator) -> NDArray[np.float64]:
        data = self.data
        points = len(data)
        values = self.centre + self._alone * stream.standard_normal(points)
        values += data.additive @ stream.standard_normal(data.additive.shape[1])
        values *= 1.0 + data.uncorrelated_multiplicative * stream.standard_normal(points)
        shared = stream.standard_normal((data.multiplicative.shape[1],))
        for rows, columns, effects in self._blocks:
            values[rows] *= (1.0 + effects * shared[columns]).prod(axis=1)
        return values


def _blocks(
    data: DISData,
) -> list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]]:
    """Points of each experiment, the multiplicative sources that touch them, and their effects."""
    found = []
    for number in range(len(data.experiments)):
        rows = np.flatnonzero(data.experiment_index == number)
        columns = np.flatnonzero((data.multiplicative[rows] != 0.0).any(axis=0))
        if rows.size and columns.size:
            found.append((rows, columns, data.multiplicative[np.ix_(rows, columns)]))
    return found
