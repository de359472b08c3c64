"""Bootstrap errors and intervals that anybody can reproduce to the last digit.

Members of a sample are drawn by their position in it, from a published seed. Two agents scored on
the same events with the same seed therefore see the same resamples, and the error of their
difference follows from the difference of their resampled scores.
Method: B. Efron and R. Tibshirani, An Introduction to the Bootstrap (1993), chapters 6 and 13.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Estimate:
    """A number with its bootstrap error and percentile intervals.

    Attributes
    ----------
    value
        The number computed from the sample itself.
    error
        Standard deviation over the resamples.
    low68, high68
        The 16th and 84th percentiles over the resamples.
    low95, high95
        The 2.5th and 97.5th percentiles over the resamples.
    """

    value: float
    error: float
    low68: float
    high68: float
    low95: float
    high95: float

    def __str__(self) -> str:
        """Value and error with two digits of the error, for example "4.66 ± 0.41"."""
        if self.error <= 0.0:
            return f"{self.value:g}"
        digits = max(0, 1 - math.floor(math.log10(self.error)))
        return f"{self.value:.{digits}f} ± {self.error:.{digits}f}"


def estimate(value: float, resampled: NDArray[np.float64]) -> Estimate:
    """Error and intervals of a number from its resampled values.

    Parameters
    ----------
    value
        The number computed from the sample itself.
    resampled
        float64, shape (resamples,): the same number computed from each resample.

    Returns
    -------
    Estimate
    """
    low95, low68, high68, high95 = np.percentile(resampled, [2.5, 16.0, 84.0, 97.5])
    return Estimate(
        value=float(value),
        error=float(np.std(resampled, ddof=1)),
        low68=float(low68),
        high68=float(high68),
        low95=float(low95),
        high95=float(high95),
    )


def resample_counts(
    sizes: Sequence[int], resamples: int, seed: int
) -> Iterator[tuple[NDArray[np.int64], ...]]:
    """Draw resamples of independent samples, as the number of times each member is drawn.

    Parameters
    ----------
    sizes
        Number of members of each sample.
    resamples
        How many resamples to draw, at least 2.
    seed
        Non-negative integer. Each sample has its own stream, so that its resamples do not depend
        on the other samples.

    Yields
    ------
    tuple of numpy.ndarray
        For each sample int64 counts, shape (size,), summing to its size.

    Raises
    ------
    ValueError
        If there are fewer than 2 resamples, or if the seed is negative.
    """
    if resamples < 2:
        raise ValueError(f"resamples is {resamples}: an error needs at least 2")
    if seed < 0:
        raise ValueError(f"seed is {seed}: it must not be negative")
    children = np.random.SeedSequence(seed).spawn(len(sizes))
    streams = [np.random.PCG64(child) for child in children]
    for _ in range(resamples):
        yield tuple(_counts(stream, size) for stream, size in zip(streams, sizes, strict=True))


def _counts(stream: np.random.PCG64, size: int) -> NDArray[np.int64]:
    # The raw stream of a bit generator is frozen by NumPy's compatibility policy (NEP 19); the
    # methods of Generator are not, and a claimed error must stay reproducible. Multiplying 32
    # random bits by the size is uniform to size / 2^32.
    raw = stream.random_raw(size)
    drawn = ((raw >> np.uint64(32)) * np.uint64(size)) >> np.uint64(32)
    return np.bincount(drawn.astype(np.int64), minlength=size)
