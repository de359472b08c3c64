"""What integrators that adapt from iteration to iteration share: schedule, table, checkpoints."""

from __future__ import annotations

import abc
import math
import time
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...datasets.integrands import Integrand
from ...datasets.integrands.integrand import BLOCK
from ...envs.vegas_sampling.random import checked_seed
from ..parameters import Allowed, Choice, parameter
from .base import (
    Integration,
    Iteration,
    Progress,
    Sampler,
    checked_calls,
    checked_count,
    combine,
    evaluation_seconds,
)
from .checkpoint import Checkpoint
from .pieces import Workplace

if TYPE_CHECKING:
    from distributed import Client

SAMPLING_STREAM = 1 << 63
"""Random streams of `sample` lie above those of all iterations."""


@dataclass(eq=False)
class AdaptiveSampler(Sampler):
    """An integrator that works in iterations and adapts after each.

    Attributes
    ----------
    iterations
        How many there are.
    growth
        Each iteration has this many times the calls of the one before.
    warmup
        Iterations at the beginning that only train.
    combination
        "calls" weighs iterations by their calls, "error" by the inverse square of their quoted
        errors; see `base.combine`.
    """

    iterations: int = parameter(10, Allowed("iterations >= 1", lambda n: n >= 1, whole=True))
    growth: float = parameter(1.0, Allowed("0.1 <= growth <= 10", lambda g: 0.1 <= g <= 10))
    warmup: int = parameter(0, Allowed("warmup >= 0", lambda n: n >= 0, whole=True))
    combination: str = parameter("error", Choice(("error", "calls")))
    _state: dict[str, NDArray[Any]] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.warmup >= self.iterations:
            raise ValueError(
                f"{self.name}: warmup is {self.warmup} but must be less than iterations, "
                f"{self.iterations}"
            )

    def integrate(
        self,
        integrand: Integrand,
        calls: int,
        seed: int = 0,
        *,
        progress: Progress | None = None,
        threads: int = 1,
        client: Client | None = None,
        checkpoint: str | PathLike[str] | None = None,
    ) -> Integration:
        """Integrate, and adapt to the integrand.

        Parameters
        ----------
        integrand
            What to integrate.
        calls
            Evaluations of the integrand, training included; all are made.
        seed
            Integer from 0 to 2^64 - 1. It fixes the result, whatever the number of workers.
        progress
            Called after each iteration with the integration so far.
        threads
            Threads of this process.
        client
            A Dask client, see `hepgym.cluster.client`; its workers then do the work.
        checkpoint
            File that holds the state after each iteration. If it is there, the integration goes on
            from it, with the same result as if it had not been interrupted.

        Returns
        -------
        Integration

        Raises
        ------
        ValueError
            If there are too few calls, the seed is out of range, the integrand is not finite
            somewhere, or the checkpoint belongs to another integration.
        OSError
            If the checkpoint cannot be written.
        """
        schedule = self.schedule(checked_calls(integrand, calls))
        start_value = checked_seed(seed)
        workplace = Workplace(checked_count("threads", threads), client)
        store = None
        if checkpoint is not None:
            store = Checkpoint(
                Path(checkpoint),
                {
                    "sampler": self.name,
                    **self.parameters,
                    "integrand": integrand.name,
                    "dim": integrand.dim,
                    "calls": calls,
                    "seed": int(seed),
                },
            )
        self._state = self._begin(integrand.dim, schedule)
        rows: list[Iteration] = []
        seconds = evaluating = 0.0
        if store is not None and store.exists():
            self._state, rows, seconds, evaluating = store.read()
        for number in range(len(rows), len(schedule)):
            before = time.perf_counter()
            estimate, variance, spent = self._iterate(
                workplace, integrand, schedule[number], start_value, np.uint64(number << 32)
            )
            if not (math.isfinite(estimate) and math.isfinite(variance)):
                raise ValueError(
                    f"integrand {integrand.name} is not finite at some of its points, or its square"
                    f" overflows: iteration {number + 1} gave {estimate} with variance {variance}"
                )
            rows.append(self._row(rows, schedule[number], estimate, math.sqrt(variance)))
            seconds += time.perf_counter() - before
            evaluating += spent
            if store is not None:
                store.write(self._state, rows, seconds, evaluating)
            if progress is not None:
                progress(self._integration(rows, seconds, 0.0))
        evaluating = self._evaluating(integrand, calls, int(seed), workplace.workers, evaluating)
        return self._integration(rows, seconds, max(0.0, seconds - evaluating))

    def schedule(self, calls: int) -> list[int]:
        """Share the calls out among the iterations.

        Parameters
        ----------
        calls
            Their sum.

        Raises
        ------
        ValueError
            If there are too few.
        """
        sizes = self.growth ** np.arange(self.iterations)
        ends = np.floor(calls * np.cumsum(sizes) / sizes.sum() + 0.5).astype(np.int64)
        ends[-1] = calls
        schedule: list[int] = np.diff(ends, prepend=0).tolist()
        if min(schedule) < self._least_calls():
            raise ValueError(
                f"{self.name}: calls = {calls} are too few for {self.iterations} iterations of at "
                f"least {self._least_calls()} calls"
            )
        return schedule

    def _least_calls(self) -> int:
        return 2

    @abc.abstractmethod
    def _begin(self, dim: int, schedule: list[int]) -> dict[str, NDArray[Any]]:
        """State before the first iteration."""

    @abc.abstractmethod
    def _iterate(
        self,
        workplace: Workplace,
        integrand: Integrand,
        calls: int,
        seed: np.uint64,
        stream: np.uint64,
    ) -> tuple[float, float, float]:
        """Do an iteration and adapt: estimate, its variance, seconds in a Python integrand."""

    def _evaluating(
        self, integrand: Integrand, calls: int, seed: int, workers: int, measured: float
    ) -> float:
        """Wall time of all evaluations: measured, or for a compiled integrand extrapolated."""
        if integrand.kernel is None:
            return measured
        points, _ = self.sample(BLOCK, seed)
        return calls * evaluation_seconds(integrand, points) / workers

    def _trained(self) -> dict[str, NDArray[Any]]:
        if not self._state:
            raise ValueError(f"{self.name} has not integrated anything yet: call integrate first")
        return self._state

    def _row(self, rows: list[Iteration], calls: int, estimate: float, error: float) -> Iteration:
        counted = len(rows) >= self.warmup
        known = [(row.calls, row.estimate, row.error) for row in rows if row.counted]
        combined = combine([*known, (calls, estimate, error)] if counted else [], self.combination)
        return Iteration(calls, estimate, error, counted, *combined)

    def _integration(self, rows: list[Iteration], seconds: float, overhead: float) -> Integration:
        return Integration(
            estimate=rows[-1].combined_estimate,
            error=rows[-1].combined_error,
            calls=sum(row.calls for row in rows),
            seconds=seconds,
            overhead_seconds=overhead,
            iterations=tuple(rows),
        )
