"""What a sampler is and what it returns: integration, sampling, unweighting."""

from __future__ import annotations

import abc
import math
import operator
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numba
import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...datasets.integrands import Integrand
from ...datasets.integrands.integrand import KERNEL_TYPE
from ...envs.vegas_sampling.random import checked_seed
from ..parameters import Parameterised
from .weights import quantile_weight, unweighting_efficiency


@dataclass(frozen=True)
class Iteration:
    """One iteration of an integration, a line of its table.

    Attributes
    ----------
    calls
        Evaluations of the integrand.
    estimate, error
        Integral and its standard error from this iteration alone.
    counted
        Whether the iteration enters the result, or only trains.
    combined_estimate, combined_error
        Result of all counted iterations so far; not-a-number before the first.
    chi2
        Of the counted iterations so far about the combined estimate.
    """

    calls: int
    estimate: float
    error: float
    counted: bool
    combined_estimate: float
    combined_error: float
    chi2: float


@dataclass(frozen=True)
class Integration:
    """Result of an integration.

    Attributes
    ----------
    estimate, error
        The integral and its quoted standard error. The error is an estimate from the same points:
        a sampler that has missed a peak quotes a small one.
    calls
        Evaluations of the integrand, training included.
    seconds
        Wall time.
    overhead_seconds
        Wall time besides the evaluation of the integrand.
    iterations
        The table of iterations.
    """

    estimate: float
    error: float
    calls: int
    seconds: float
    overhead_seconds: float
    iterations: tuple[Iteration, ...] = ()

    @property
    def chi2(self) -> float:
        """chi^2 of the counted iterations about their combination; 0 if there is one or none."""
        return self.iterations[-1].chi2 if self.iterations else 0.0

    @property
    def dof(self) -> int:
        """Degrees of freedom of `chi2`."""
        return max(0, sum(iteration.counted for iteration in self.iterations) - 1)

    def table(self) -> str:
        """Format the iterations as text, one line each."""
        lines = [f"{'':>4} {'calls':>10} {'estimate':>24} {'combined':>24} {'chi2/dof':>9}"]
        counted = 0
        for number, row in enumerate(self.iterations, start=1):
            counted += row.counted
            alone = f"{row.estimate:.6g} +- {row.error:.2g}"
            combined = f"{row.combined_estimate:.6g} +- {row.combined_error:.2g}"
            ratio = f"{row.chi2 / (counted - 1):.2f}" if counted > 1 else ""
            lines.append(
                f"{number:>4} {row.calls:>10} {alone:>24} "
                f"{combined if counted else 'training':>24} {ratio:>9}"
            )
        return "\n".join(lines)


Progress = Callable[[Integration], None]
"""Called after each iteration, or step of training, with the integration so far."""


@dataclass(frozen=True, eq=False)
class Events:
    """Unweighted events.

    Attributes
    ----------
    points
        float64, shape (n, dim).
    weights
        float64, shape (n,): 1, more where a weight exceeded the maximum (kept, so that the events
        are unbiased), and negative where the integrand is.
    efficiency
        Mean weight over the weight that was taken as the maximum.
    calls
        Evaluations of the integrand.
    """

    points: NDArray[np.float64]
    weights: NDArray[np.float64]
    efficiency: float
    calls: int


class Sampler(Parameterised, abc.ABC):
    """Something that integrates over the unit hypercube and can then sample it.

    Subclasses are dataclasses whose fields made by `parameter` are their parameters.

    Attributes
    ----------
    name
        Identifier in lower case with hyphens, as in submissions.
    summary
        One line on what it does.
    """

    summary: str

    @property
    def fingerprint(self) -> str:
        """What a result depends on besides the parameters, in a few characters; mostly nothing."""
        return ""

    @abc.abstractmethod
    def integrate(
        self, integrand: Integrand, calls: int, seed: int = 0, *, progress: Progress | None = None
    ) -> Integration:
        """Integrate, and adapt to the integrand.

        Parameters
        ----------
        integrand
            What to integrate.
        calls
            Evaluations of the integrand that may be spent, training included.
        seed
            Same seed, same result.
        progress
            Called again and again with the integration so far.

        Returns
        -------
        Integration

        Raises
        ------
        ValueError
            If there are too few calls, the seed is no integer from 0 to 2^64 - 1, or the integrand
            is not finite somewhere.
        """

    @abc.abstractmethod
    def sample(self, n: int, seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Draw independent points as the last `integrate` has learnt to.

        Parameters
        ----------
        n
            Number of points.
        seed
            Same seed, same points.

        Returns
        -------
        points
            float64, shape (n, dim).
        density
            float64, shape (n,): probability density at the points; its integral is one.

        Raises
        ------
        ValueError
            If `integrate` has not been called.
        """

    @abc.abstractmethod
    def density(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Give the density that `sample` follows at any points.

        Parameters
        ----------
        points
            float64, shape (n, dim), in [0, 1].

        Returns
        -------
        numpy.ndarray
            float64, shape (n,).

        Raises
        ------
        ValueError
            If `integrate` has not been called, or the points have another shape or lie outside the
            unit hypercube.
        """

    def unweight(
        self,
        integrand: Integrand,
        n: int,
        seed: int = 0,
        *,
        share: float = 1e-3,
        pilot: int = 100_000,
        max_calls: int = 100_000_000,
    ) -> Events:
        """Draw events that follow the integrand, by accepting and rejecting sampled points.

        The maximum weight is fixed with a first sample such that larger weights carry a given share
        of the sum. Points with larger weights are kept with the ratio as their weight.

        Parameters
        ----------
        integrand
            The integrand.
        n
            Number of events.
        seed
            Same seed, same events.
        share
            Share of the total weight above the maximum.
        pilot
            Points of the first sample.
        max_calls
            Give up when so many points have been drawn.

        Returns
        -------
        Events

        Raises
        ------
        ValueError
            If `integrate` has not been called, or ``max_calls`` do not suffice.
        """
        n = checked_count("n", n)
        seeds = iter(_child_seeds(seed))
        weights = self._weights(integrand, checked_count("pilot", pilot), next(seeds))[1]
        size = np.abs(weights)
        if not size.any():
            raise ValueError(f"{integrand.name} vanished at all {pilot} points of the first sample")
        maximum = quantile_weight(size, share)
        efficiency = unweighting_efficiency(size, share)
        kept_points: list[NDArray[np.float64]] = []
        kept_weights: list[NDArray[np.float64]] = []
        accepted, calls = 0, pilot
        while accepted < n:
            batch = int(np.clip(1.1 * (n - accepted) / efficiency, 1_000, 1_000_000))
            if calls + batch > max_calls:
                raise ValueError(
                    f"{accepted} of {n} events of {integrand.name} were accepted in {calls} calls, "
                    f"and no more than max_calls = {max_calls} are allowed; the efficiency is "
                    f"{efficiency:.2g}"
                )
            points, weights = self._weights(integrand, batch, next(seeds))
            calls += batch
            ratio = np.abs(weights) / maximum
            keep = np.random.default_rng(next(seeds)).random(batch) < ratio
            kept_points.append(points[keep])
            kept_weights.append(np.sign(weights[keep]) * np.maximum(ratio[keep], 1.0))
            accepted += int(keep.sum())
        return Events(
            np.concatenate(kept_points)[:n],
            np.concatenate(kept_weights)[:n],
            efficiency,
            calls,
        )

    def _weights(
        self, integrand: Integrand, n: int, seed: int
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        points, density = self.sample(n, seed)
        return points, integrand(points) / density


def combine(rows: Sequence[tuple[int, float, float]], weighting: str) -> tuple[float, float, float]:
    """Combine independent estimates.

    Parameters
    ----------
    rows
        (calls, estimate, error) of each.
    weighting
        "error": weights 1 / error^2, the smallest quoted error, but biased where an estimate and
        its error depend on each other, as they do when peaks are found late. "calls": weights
        proportional to calls, unbiased.

    Returns
    -------
    estimate, error, chi2
        Not-a-number, not-a-number and 0 if there is no row.
    """
    if not rows:
        return math.nan, math.nan, 0.0
    # Plain numbers: arrays of so few are slower, and this is done after every iteration.
    by_error = weighting == "error" and all(error > 0.0 for _, _, error in rows)
    weights = [error**-2 if by_error else float(calls) for calls, _, error in rows]
    whole = math.fsum(weights)
    estimate = math.fsum(w * row[1] for w, row in zip(weights, rows, strict=True)) / whole
    error = math.sqrt(math.fsum((w * row[2]) ** 2 for w, row in zip(weights, rows, strict=True)))
    chi2 = 0.0
    for _, one, own_error in rows:
        if one != estimate:
            chi2 += ((one - estimate) / own_error) ** 2 if own_error else math.inf
    return estimate, error / whole, chi2


def checked_calls(integrand: Integrand, calls: int, least: int = 1) -> int:
    """Check what is to be integrated with how many calls.

    Parameters
    ----------
    integrand
        The integrand.
    calls
        The number of calls.
    least
        The smallest allowed.

    Returns
    -------
    int
        The number of calls.

    Raises
    ------
    ValueError
        If the integrand is something else, or the calls are no integer or too few.
    """
    if not isinstance(integrand, Integrand):
        raise ValueError(
            f"integrand is {integrand!r} but must be an Integrand, as "
            "hepgym.datasets.integrands.integrand(name) gives it and register(name, ...) makes it"
        )
    return checked_count("calls", calls, least)


def checked_points(points: ArrayLike, dim: int) -> NDArray[np.float64]:
    """Check points and make them contiguous.

    Parameters
    ----------
    points
        Shape (n, dim), in [0, 1].
    dim
        Number of axes.

    Returns
    -------
    numpy.ndarray
        float64, shape (n, dim).

    Raises
    ------
    ValueError
        If they have another shape or lie outside the unit hypercube.
    """
    array = np.ascontiguousarray(points, dtype=np.float64)
    if array.ndim != 2 or array.shape[1] != dim:
        raise ValueError(f"points have shape {array.shape}, but (n, {dim}) is needed")
    if not ((array >= 0.0) & (array <= 1.0)).all():
        raise ValueError("points have a coordinate outside [0, 1]")
    return array


def checked_count(what: str, value: int, least: int = 1) -> int:
    """Check a number of things and make it a Python integer.

    Parameters
    ----------
    what
        Its name, for the message.
    value
        The number.
    least
        The smallest allowed.

    Returns
    -------
    int

    Raises
    ------
    ValueError
        If it is no integer or too small.
    """
    try:
        number = operator.index(value)
    except TypeError:
        raise ValueError(f"{what} = {value!r} is not an integer") from None
    if number < least:
        raise ValueError(f"{what} = {number} is less than {least}")
    return number


def evaluation_seconds(integrand: Integrand, points: NDArray[np.float64]) -> float:
    """Time of one evaluation of an integrand, in seconds.

    Parameters
    ----------
    integrand
        The integrand; it is timed once for all.
    points
        float64, shape (n, dim), n up to ``BLOCK``: typical points. They are evaluated again and
        again for about two milliseconds.

    Returns
    -------
    float
    """
    if integrand in _seconds:
        return _seconds[integrand]
    block, values = np.ascontiguousarray(points.T), np.empty(len(points))
    best, total, repeats = np.inf, 0.0, 1
    # The least of some tries: other work on the machine only ever adds to the time.
    while total < 2e-3:
        start = time.perf_counter()
        if integrand.kernel is not None:
            _repeat(integrand.kernel, block, values, repeats)
        else:
            for _ in range(repeats):
                integrand.evaluate(points)
        seconds = time.perf_counter() - start
        total += seconds
        best = min(best, seconds / (repeats * len(points)))
        if seconds < 2e-4:
            repeats *= 4
    _seconds[integrand] = best
    return best


_seconds: WeakKeyDictionary[Integrand, float] = WeakKeyDictionary()


@numba.njit(
    numba.void(KERNEL_TYPE, numba.float64[:, ::1], numba.float64[::1], numba.int64), cache=True
)
def _repeat(kernel, points, values, times):  # type: ignore[no-untyped-def]
    for _ in range(times):
        kernel(points, values)


def _child_seeds(seed: int) -> Iterator[int]:
    """Endless seeds made from one."""
    sequence = np.random.SeedSequence(int(checked_seed(seed)))
    while True:
        yield int(sequence.spawn(1)[0].generate_state(1, np.uint64)[0])
