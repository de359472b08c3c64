"""Measures of a weighted sample: how far its weights are from all being equal."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def relative_deviation(weights: NDArray[np.float64]) -> float:
    """Give the standard deviation of the weights over their mean.

    Parameters
    ----------
    weights
        float64, shape (n,).
    """
    return float(weights.std() / weights.mean())


def kish_fraction(weights: NDArray[np.float64]) -> float:
    """(sum w)^2 / (n sum w^2): the share of equally weighted points worth as much.

    Parameters
    ----------
    weights
        float64, shape (n,).
    """
    return float(weights.sum() ** 2 / (len(weights) * (weights @ weights)))


def quantile_weight(weights: NDArray[np.float64], share: float) -> float:
    """Smallest weight such that larger ones carry at most a share of the sum.

    Parameters
    ----------
    weights
        float64, shape (n,), not negative and not all zero.
    share
        From 0 (the largest weight) to 1.

    Raises
    ------
    ValueError
        If the share is out of range.
    """
    if not 0.0 <= share < 1.0:
        raise ValueError(f"share = {share} must be at least 0 and less than 1")
    ordered = np.sort(weights)
    # Summed from above: with share = 0 the sum above the largest weight is exactly 0.
    above = np.append(np.cumsum(ordered[::-1])[::-1][1:], 0.0)
    return float(ordered[int(np.argmax(above <= share * ordered.sum()))])


def unweighting_efficiency(weights: NDArray[np.float64], share: float = 1e-3) -> float:
    """Mean weight over `quantile_weight`.

    Parameters
    ----------
    weights
        float64, shape (n,), not negative and not all zero.
    share
        Share of the sum above the maximum.
    """
    return float(weights.mean() / quantile_weight(weights, share))
