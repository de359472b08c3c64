"""Score of a surrogate for event weights: how much faster it makes unweighted events.

Two-stage unweighting (K. Danziger et al., arXiv:2109.11964): a trial event is accepted with
probability p1 = min(1, s / s_max) by its surrogate weight s, and then, after the exact weight w has
been computed, with p2 = min(1, x / x_max), x = w / s. An accepted event has the weight
max(1, s / s_max) max(1, x / x_max), so that p1 p2 times it is w / (s_max x_max): events above a
maximum ("overweights") are kept and whatever the surrogate is, the events follow w.

The effective gain against one stage with the exact weight alone, at equal statistical power, is

    f_eff = K / [ (t_s / t_f) eps_full / (eps_1 eps_2) + eps_full / eps_2 ],

with the accepted shares eps_1 of the first stage, eps_2 of the second and eps_full of the single
stage, the times t_s and t_f of the surrogate and of the exact weight for one event, and Kish's
K = (sum v)^2 / (n sum v^2) of the n accepted events' weights v. The ratio of the times is a
parameter of the task, so that the score does not measure the computer. Each maximum is set such
that events above it carry at most the share q of the total weight. With q = 1e-3 and the tens of
thousands of test events of a board a maximum is the weight of a single event and its error large:
boards are ordered by a larger q, and f_eff for the smaller one stands beside it.

Accepted shares and K are expectations over the random numbers of the unweighting, computed from
the test events: no random number enters the score.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numba
import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...datasets.errors import DatasetError
from ...datasets.unweighting import ID, EventSample, load_events
from ...datasets.unweighting.events import BUNDLED
from ..bootstrap import Estimate, estimate, resample_counts

PREDICTION_KINDS = {"surrogate": True, "single-stage": True}
"""What a submission may hold.

"surrogate": array ``weight``, the surrogate weight of each test event, more than 0, in any unit.
"single-stage": no surrogate; array ``weight`` of ones. Two stages are compared with this.
"""


@dataclass(frozen=True)
class UnweightingScore:
    """Score of a surrogate.

    Attributes
    ----------
    f_eff
        Effective gain; higher is better.
    eps_1, eps_2
        Accepted shares of the first and of the second stage.
    eps_full
        Accepted share of a single stage with the exact weight.
    kish
        Kish's effective over true number of accepted events.
    x_max
        Maximum of the second stage relative to the mean of x over the events that reach it.
    f_eff_strict
        Effective gain with the smaller share of overweights.
    """

    f_eff: Estimate
    eps_1: Estimate
    eps_2: Estimate
    eps_full: Estimate
    kish: Estimate
    x_max: Estimate
    f_eff_strict: Estimate

    def metrics(self) -> dict[str, Estimate]:
        """All quantities by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def unweighting_score(
    weights: ArrayLike,
    surrogate: ArrayLike | None,
    *,
    time_ratio: float,
    share: float,
    strict_share: float,
    resamples: int = 1000,
    seed: int = 0,
) -> UnweightingScore:
    """Score surrogate weights.

    Parameters
    ----------
    weights
        Exact weights, shape (events,), at least 0.
    surrogate
        Surrogate weights, shape (events,), more than 0; None for a single stage.
    time_ratio
        t_s / t_f.
    share, strict_share
        q, and the smaller one for ``f_eff_strict``.
    resamples, seed
        Settings of the bootstrap; events are resampled.

    Returns
    -------
    UnweightingScore

    Raises
    ------
    ValueError
        If a weight or a parameter is out of range.
    """
    exact = _checked("weights", weights, zero=True)
    single = surrogate is None
    other = np.ones(len(exact)) if surrogate is None else _checked("surrogate", surrogate)
    if exact.shape != other.shape:
        raise ValueError(f"{len(other)} surrogate weights for {len(exact)} events")
    if not exact.any():
        raise ValueError("all exact weights are 0")
    if not 0.0 <= time_ratio < np.inf:
        raise ValueError(f"time_ratio is {time_ratio} but must be a number of at least 0")
    for name, value in (("share", share), ("strict_share", strict_share)):
        if not 0.0 <= value < 1.0:
            raise ValueError(f"{name} is {value} but must be at least 0 and less than 1")
    events = _Events(exact, other, (share, strict_share), 0.0 if single else time_ratio)
    values = events.quantities(np.ones(len(exact), np.int64))
    resampled = np.array(
        [events.quantities(counts) for (counts,) in resample_counts((len(exact),), resamples, seed)]
    )
    return UnweightingScore(
        *(estimate(value, column) for value, column in zip(values, resampled.T, strict=True))
    )


class _Events:
    """Weights in the orders in which maxima are looked for."""

    def __init__(
        self,
        exact: NDArray[np.float64],
        surrogate: NDArray[np.float64],
        shares: tuple[float, float],
        time_ratio: float,
    ) -> None:
        self._shares, self._time_ratio = np.array(shares), time_ratio
        # Units do not matter; numbers near one do not overflow.
        exact, surrogate = exact / exact.mean(), surrogate / surrogate.mean()
        self._weights = np.stack([exact, surrogate, exact / surrogate])
        self._orders = np.argsort(-self._weights, kind="stable", axis=1)

    def quantities(self, counts: NDArray[np.int64]) -> list[float]:
        """Fields of `UnweightingScore`, with each event counted so many times."""
        exact, surrogate, _ = self._weights
        maxima = np.stack(
            [
                _maxima(counts, order, values, carried, self._shares)
                for order, values, carried in zip(
                    self._orders, self._weights, (exact, surrogate, exact), strict=True
                )
            ]
        )
        usual, strict = (self._gain(counts, *column) for column in maxima.T)
        return [*usual, strict[0]]

    def _gain(
        self, counts: NDArray[np.int64], exact_max: float, surrogate_max: float, ratio_max: float
    ) -> list[float]:
        exact, surrogate, ratio = self._weights
        full, first, both, weight, square, reached = _accepted(
            counts, exact, surrogate, ratio, exact_max, surrogate_max, ratio_max
        )
        events = counts.sum()
        eps_full, eps_1, eps_2 = full / events, first / events, both / first
        kish = weight**2 / (both * square)
        seconds = self._time_ratio * eps_full / (eps_1 * eps_2) + eps_full / eps_2
        return [kish / seconds, eps_1, eps_2, eps_full, kish, ratio_max * first / reached]


@numba.njit(cache=True)
def _maxima(counts, order, values, carried, shares):  # type: ignore[no-untyped-def]
    """Smallest values such that events with larger ones carry at most the shares, of the counted.

    ``order`` sorts ``values`` from the largest to the smallest.
    """
    total = 0.0
    for i in range(len(counts)):
        total += counts[i] * carried[i]
    found = np.empty(len(shares))
    for s in range(len(shares)):
        above, place = 0.0, 0
        for i in order:
            place = i
            above += counts[i] * carried[i]
            if above > shares[s] * total:
                break
        found[s] = values[place]
    return found


@numba.njit(cache=True)
def _accepted(counts, exact, surrogate, ratio, exact_max, surrogate_max, ratio_max):  # type: ignore[no-untyped-def]
    """Add up what is expected to be accepted.

    Returns
    -------
    full, first, both : float
        Events accepted by a single stage, by the first of two, and by both.
    weight, square : float
        Sums of the weights of those accepted by both, and of their squares.
    reached : float
        Sum of exact over surrogate weight of those that reach the second stage.
    """
    full = first = both = weight = square = reached = 0.0
    for i in range(len(counts)):
        one, two = surrogate[i] / surrogate_max, ratio[i] / ratio_max
        p1 = counts[i] * min(1.0, one)
        p12 = p1 * min(1.0, two)
        final = max(1.0, one) * max(1.0, two)
        full += counts[i] * min(1.0, exact[i] / exact_max)
        first += p1
        both += p12
        weight += p12 * final
        square += p12 * final * final
        reached += p1 * ratio[i]
    return full, first, both, weight, square, reached


def hashes(datasets: Mapping[str, str], split: str) -> dict[str, str]:
    """Role to SHA-256 of the content of the official events."""
    return dict.fromkeys(datasets, BUNDLED[split])


def load(datasets: Mapping[str, str], split: str) -> dict[str, EventSample]:
    """Role to the official events.

    Raises
    ------
    DatasetError
        If there is no such event set, or its content is not that of `BUNDLED`.
    """
    events = {}
    for role, one in datasets.items():
        if one != ID:
            raise DatasetError(f"there is no event set {one!r}; there is {ID}")
        events[role] = load_events(split)
        if events[role].sha256() != BUNDLED[split]:
            raise DatasetError(
                f"the {split} split of {one} is not the official one: its content hash differs, "
                "install hepgym again"
            )
    return events


def evaluate(
    kind: str,
    predictions: Mapping[str, NDArray[np.floating]],
    data: Mapping[str, EventSample],
    *,
    time_ratio: float,
    share: float,
    strict_share: float,
    resamples: float = 1000,
    seed: float = 0,
) -> UnweightingScore:
    """Score surrogate weights of the test events.

    Parameters
    ----------
    kind
        "surrogate" or "single-stage", see ``PREDICTION_KINDS``.
    predictions
        "weight" to numbers, shape (events,).
    data
        "events" to the test events.
    time_ratio, share, strict_share
        t_s / t_f, q, and the smaller q for ``f_eff_strict``.
    resamples, seed
        Settings of the bootstrap.

    Returns
    -------
    UnweightingScore

    Raises
    ------
    ValueError
        If an array is missing, left over, of the wrong shape or out of range.
    """
    weights = data["events"].weights
    if kind not in PREDICTION_KINDS:
        known = ", ".join(PREDICTION_KINDS)
        raise ValueError(f"predictions of kind {kind!r} are unknown, known: {known}")
    if "weight" not in predictions:
        raise ValueError("array 'weight' is missing")
    for name in predictions:
        if name != "weight":
            raise ValueError(f"array {name!r} is unknown, expected is 'weight'")
    given = predictions["weight"]
    if given.shape != (len(weights),):
        raise ValueError(
            f"array 'weight' has shape {given.shape}, but there are {len(weights)} test events"
        )
    try:
        surrogate = _checked("weight", given)
    except ValueError as error:
        raise ValueError(f"array 'weight': {error}") from None
    if kind == "single-stage" and (surrogate != 1.0).any():
        raise ValueError("array 'weight' must hold ones for predictions of kind 'single-stage'")
    return unweighting_score(
        weights,
        None if kind == "single-stage" else surrogate,
        time_ratio=time_ratio,
        share=share,
        strict_share=strict_share,
        resamples=int(resamples),
        seed=int(seed),
    )


def _checked(name: str, values: ArrayLike, zero: bool = False) -> NDArray[np.float64]:
    array = np.asarray(values, np.float64)
    if array.ndim != 1 or len(array) < 2:
        raise ValueError(f"{name} has shape {array.shape}: one number for each event is needed")
    good = np.isfinite(array) & ((array >= 0.0) if zero else (array > 0.0))
    if not good.all():
        entry = int(np.argmin(good))
        words = "at least 0" if zero else "more than 0"
        raise ValueError(f"{name}[{entry}] is {array[entry]} but must be finite and {words}")
    return array
