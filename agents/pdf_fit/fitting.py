"""Fits of many replicas, here or on the workers of a Dask cluster."""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...cluster import client
from ...envs.pdf_fit.constraints import POSITIVITY_THRESHOLD, integrability
from ...envs.pdf_fit.problem import FitProblem
from ...leaderboards.scores.pdf_fit import arc_lengths
from .plan import FitPlan
from .results import FitFolder, FittedReplica

if TYPE_CHECKING:
    from ...envs.pdf_fit.neural.engine import NeuralEngine

Progress = Callable[[int, int, str], None]
"""Called with replicas done, replicas in all, and a few words."""


def fit(
    plan: FitPlan,
    folder: str | os.PathLike[str],
    replicas: int | Sequence[int] = 100,
    *,
    workers: int = 1,
    scheduler: str | None = None,
    progress: Progress | None = None,
) -> list[FittedReplica]:
    """Fit replicas; those that the folder holds already are not fitted again.

    Each batch of replicas is one piece of work. What is finished is written at once, so that an
    interruption or a worker that dies costs the pieces in work and nothing else; Dask gives those
    of a dead worker to another one.

    Parameters
    ----------
    plan
        What is fitted and how.
    folder
        Where the replicas go.
    replicas
        Replicas 1 to this number, or their numbers.
    workers, scheduler
        As for ``hepgym.cluster.client``; one worker without a scheduler is this process.
    progress
        Told about every replica that is finished, and now and then in between.

    Returns
    -------
    list of FittedReplica
        In the order of their numbers.

    Raises
    ------
    ValueError
        If an argument is out of range or the folder holds another fit.
    RuntimeError
        If a piece of work has killed several workers.
    """
    numbers = list(range(1, replicas + 1)) if isinstance(replicas, int) else sorted(set(replicas))
    if not numbers or numbers[0] < 0:
        raise ValueError(f"replicas = {replicas!r}: give a positive number or numbers from 0")
    held = FitFolder(folder, plan)
    missing = [number for number in numbers if not held.has(number)]
    pieces = _pieces(plan, missing)
    done = len(numbers) - len(missing)

    def finished(found: Iterable[FittedReplica]) -> None:
        nonlocal done
        for replica in found:
            # A batch may hold replicas that nobody asked for yet: they are kept for later.
            if held.has(replica.number):
                continue
            held.write(replica)
            if replica.number in missing:
                done += 1
                if progress is not None:
                    progress(done, len(numbers), _words(replica))

    if pieces and workers == 1 and scheduler is None:
        for piece in pieces:
            tell = None if progress is None else functools.partial(_tell, progress, done, numbers)
            finished(fit_piece(plan, piece, tell))
    elif pieces:
        from distributed import KilledWorker, as_completed

        with client(workers, scheduler) as dask:
            futures = {dask.submit(fit_piece, plan, p, pure=False): p for p in pieces}
            for future in as_completed(futures):
                try:
                    finished(future.result())
                except KilledWorker as error:
                    raise RuntimeError(
                        f"replicas {futures[future]} killed several workers: {error}"
                    ) from None
    return held.read_all(numbers)


def _tell(progress: Progress, done: int, numbers: Sequence[int], words: str) -> None:
    progress(done, len(numbers), words)


def _words(replica: FittedReplica) -> str:
    return f"replica {replica.number}: chi2 per point {replica.experimental:.3f}"


def _pieces(plan: FitPlan, missing: Sequence[int]) -> list[tuple[int, ...]]:
    """Pieces of work: whole batches of n3fit, single replicas of the others."""
    if plan.agent != "n3fit":
        return [(number,) for number in missing]
    size = plan.batch
    first = sorted({_batch_of(number, size) for number in missing})
    return [tuple(range(b * size + 1, (b + 1) * size + 1)) if b >= 0 else (0,) for b in first]


def _batch_of(number: int, size: int) -> int:
    """Batch of a replica, -1 for the fit to the measured values."""
    return (number - 1) // size if number else -1


def fit_piece(
    plan: FitPlan, numbers: Sequence[int], tell: Callable[[str], None] | None = None
) -> list[FittedReplica]:
    """Fit the replicas of a piece of work.

    Parameters
    ----------
    plan
        What is fitted and how.
    numbers
        The replicas.
    tell
        Told a few words now and then.

    Returns
    -------
    list of FittedReplica
    """
    if plan.agent == "n3fit":
        return _fit_networks(plan, numbers, tell)
    return [_fit_by_search(plan, number, tell) for number in numbers]


_engines: list[NeuralEngine] = []
"""The engine used last: compiling it takes longer than some fits."""


def _engine(plan: FitPlan) -> NeuralEngine:
    """Compile, unless the last graph has the same shape: another law, another seed."""
    from ...envs.pdf_fit.neural.engine import NeuralEngine

    problem = plan.problem()
    settings = plan.agent_settings()
    if not (_engines and _engines[0].takes(problem.data, settings, plan.batch)):
        # A short batch is filled up: all graphs have one shape, and each replica the same bits.
        _engines[:] = [NeuralEngine(problem.data, problem.constraints, settings, plan.batch)]
    _engines[0].data = problem.data
    _engines[0].constraints = problem.constraints
    return _engines[0]


def _fit_networks(
    plan: FitPlan, numbers: Sequence[int], tell: Callable[[str], None] | None
) -> list[FittedReplica]:
    start = time.perf_counter()
    problem = plan.problem()
    engine = _engine(plan)

    def report(epoch: int, training: NDArray[np.float64], validation: NDArray[np.float64]) -> None:
        if tell is not None:
            tell(
                f"replicas {numbers[0]} to {numbers[-1]}, epoch {epoch}: "
                f"{training.mean():.3f} training, {validation.mean():.3f} validation"
            )

    fits = engine.fit([problem.replica(number) for number in numbers], report)
    seconds = (time.perf_counter() - start) / len(numbers)
    chi2 = _to_measured(problem, np.array([one.f for one in fits]))
    return [
        _fitted(
            problem,
            one.f,
            experimental=float(value),
            number=one.number,
            parameters=np.concatenate([w.ravel() for w in one.weights]),
            history=one.history,
            epochs=one.epochs,
            best_epoch=one.best_epoch,
            training=one.training,
            validation=one.validation,
            seconds=seconds,
        )
        for one, value in zip(fits, chi2, strict=True)
    ]


def _fit_by_search(plan: FitPlan, number: int, tell: Callable[[str], None] | None) -> FittedReplica:
    from ...envs.pdf_fit.vector_env import PDFFitVectorEnv
    from .search import search
    from .searchers import make_searcher

    start = time.perf_counter()
    problem = plan.problem()
    settings = plan.agent_settings()
    replica = problem.replica(number)
    searcher = make_searcher(plan.agent, settings, replica.seed)
    envs = PDFFitVectorEnv(
        searcher.size,
        "Disabled",
        data=problem,
        budget=settings.generations + 1,
        patience=None,
    )

    def report(generation: int, training: float, validation: float) -> None:
        if tell is not None and generation % 500 == 0:
            tell(
                f"replica {number}, generation {generation}: {training:.3f} training, "
                f"{validation:.3f} validation"
            )

    found = search(envs, searcher, number, replica.seed, settings.generations, progress=report)
    f = envs.population.game.distributions(number, found.parameters).astype(np.float64)
    return _fitted(
        problem,
        f,
        experimental=float(_to_measured(problem, f[None])[0]),
        number=number,
        parameters=found.parameters,
        history=found.history,
        epochs=found.generations,
        best_epoch=found.generation,
        training=found.training,
        validation=found.validation,
        seconds=time.perf_counter() - start,
    )


def _to_measured(problem: FitProblem, f: NDArray[np.float64]) -> NDArray[np.float64]:
    """chi2 per point to the central values with the experimental covariance, for each replica."""
    chi2 = problem.data.chi2(f.reshape(len(f), -1), errors=problem.experimental)
    return chi2 / len(problem.data)


def _fitted(problem: FitProblem, f: NDArray[np.float64], **known: Any) -> FittedReplica:
    flat = f.reshape(1, -1)
    penalty = problem.constraints.positivity_penalty(flat)[0]
    return FittedReplica(
        f=f,
        positivity=bool(penalty < POSITIVITY_THRESHOLD),
        integrability=float(integrability(f)),
        arc_length=arc_lengths(f, problem.data.x),
        **known,
    )
