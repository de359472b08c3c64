"""Two-stage unweighting itself: random acceptance, overweights kept (arXiv:2109.11964)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Unweighted:
    """Events that were accepted.

    Attributes
    ----------
    accepted
        int64, shape (accepted,): their numbers among the trial events.
    weights
        float64, shape (accepted,): 1, and more for overweights.
    evaluated
        Number of trial events whose exact weight had to be computed.
    """

    accepted: NDArray[np.int64]
    weights: NDArray[np.float64]
    evaluated: int


def maximum(values: NDArray[np.float64], carried: NDArray[np.float64], share: float) -> float:
    """Smallest value such that events with larger ones carry at most a share of the total.

    Parameters
    ----------
    values
        float64, shape (n,): the quantity that gets a maximum.
    carried
        float64, shape (n,): weight of each event, at least 0 and not all 0.
    share
        The share.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If the share is out of range.
    """
    if not 0.0 <= share < 1.0:
        raise ValueError(f"share is {share} but must be at least 0 and less than 1")
    order = np.argsort(-values, kind="stable")
    above = np.cumsum(carried[order])
    first = int(np.searchsorted(above, share * above[-1], "right"))
    return float(values[order[min(first, len(order) - 1)]])


def unweight(
    exact: NDArray[np.float64],
    surrogate: NDArray[np.float64] | None,
    surrogate_max: float,
    ratio_max: float,
    seed: int,
) -> Unweighted:
    """Accept and reject trial events, in two stages or in one.

    Parameters
    ----------
    exact
        float64, shape (n,): exact weights. Only those of events that pass the first stage are used.
    surrogate
        float64, shape (n,): surrogate weights, more than 0; None for a single stage.
    surrogate_max, ratio_max
        Maxima of surrogate weight, and of exact over surrogate weight. For a single stage the
        second is that of the exact weight and the first is not used.
    seed
        Seed of the acceptance.

    Returns
    -------
    Unweighted
    """
    random = np.random.default_rng(seed)
    if surrogate is None:
        first = np.arange(len(exact))
        over, ratio = np.ones(len(exact)), exact
    else:
        relative = surrogate / surrogate_max
        first = np.flatnonzero(random.random(len(exact)) < relative)
        over = np.maximum(1.0, relative[first])
        ratio = exact[first] / surrogate[first]
    relative = ratio / ratio_max
    second = random.random(len(first)) < relative
    weights = over[second] * np.maximum(1.0, relative[second])
    return Unweighted(first[second], weights, len(first))
