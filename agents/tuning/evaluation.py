"""Evaluating trials, here or on the workers of a Dask cluster."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...cluster import client
from ...leaderboards.tasks import Task
from .objectives import Objective
from .space import Coordinate, Value, nested
from .trial import Trial


@dataclass(frozen=True)
class Job:
    """A trial that is still to be evaluated.

    Attributes
    ----------
    number, point, settings, seed
        See `Trial`.
    folder
        Folder of the trial's agent; on a cluster the workers must see it too.
    """

    number: int
    point: dict[str, Coordinate]
    settings: dict[str, Value]
    seed: int
    folder: Path

    def finished(self, seconds: float, **outcome: Any) -> Trial:
        """Make the trial from what came out."""
        return Trial(
            number=self.number,
            point=self.point,
            settings=self.settings,
            seed=self.seed,
            seconds=round(seconds, 3),
            **outcome,
        )


Evaluator = Callable[[Sequence[Job]], Iterator[Trial]]
"""Function of jobs that gives their trials in the order in which they finish."""


def evaluate(objective: Objective, task: Task, job: Job) -> Trial:
    """Evaluate one trial; an error of the agent becomes a failed trial.

    Parameters
    ----------
    objective, task
        What is evaluated.
    job
        Where.

    Returns
    -------
    Trial
    """
    start = time.monotonic()
    try:
        found = objective(task, nested(job.settings), job.seed, job.folder)
        if not math.isfinite(found.loss):
            raise ValueError(f"the loss is {found.loss}")
        outcome = {
            "loss": float(found.loss),
            "details": dict(found.details),
            "command": found.command,
        }
        return job.finished(time.monotonic() - start, **outcome)
    except Exception as error:  # whatever an agent may raise
        return _failed(job, error, time.monotonic() - start)


def _failed(job: Job, error: BaseException, seconds: float) -> Trial:
    return job.finished(seconds, loss=None, error=f"{type(error).__name__}: {error}")


@contextmanager
def evaluator(
    objective: Objective, task: Task, workers: int, scheduler: str | None
) -> Iterator[Evaluator]:
    """Give a function that evaluates trials.

    Parameters
    ----------
    objective, task
        What is evaluated.
    workers, scheduler
        As for ``hepgym.cluster.client``; one worker without a scheduler is this process.

    Yields
    ------
    Evaluator
    """
    if workers == 1 and scheduler is None:

        def here(jobs: Sequence[Job]) -> Iterator[Trial]:
            return (evaluate(objective, task, job) for job in jobs)

        yield here
        return

    from distributed import KilledWorker, as_completed

    with client(workers, scheduler) as dask:

        def there(jobs: Sequence[Job]) -> Iterator[Trial]:
            start = time.monotonic()
            # Dask gives the work of a worker that dies to another one; each result comes once.
            futures = {dask.submit(evaluate, objective, task, job, pure=False): job for job in jobs}
            for future in as_completed(futures):
                try:
                    yield future.result()
                except KilledWorker as error:  # several workers died of this very trial
                    yield _failed(futures[future], error, time.monotonic() - start)

        yield there
