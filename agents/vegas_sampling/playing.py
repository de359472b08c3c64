"""Playing the suite of integrands: every integrand, budget and seed, then frozen samples."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...cluster import client
from ...datasets.integrands.suite import Suite, SuiteMember
from ...leaderboards.scores.vegas_sampling import (
    BUDGETS,
    MIN_POINTS,
    MIN_SEEDS,
    SamplingScore,
    evaluate,
    probe_points,
)
from ..whole_files import whole_file
from . import make_sampler

Arrays = dict[str, NDArray[np.floating[Any]]]

_SAMPLE_SEED = 0
_SECONDS = "seconds"


@dataclass(frozen=True)
class Plan:
    """What is to be played.

    Attributes
    ----------
    sampler, parameters
        Name of the sampler and its parameters, see `make_sampler`.
    budgets
        Which of the suite's cells: integrand to its budgets, in rising order.
    seeds
        How many seeds.
    first_seed
        The first of them; the others follow.
    """

    sampler: str
    parameters: Mapping[str, Any]
    budgets: Mapping[str, tuple[int, ...]]
    seeds: int = MIN_SEEDS
    first_seed: int = 1

    def cells(self) -> list[tuple[str, int]]:
        """Every integrand at each of its budgets."""
        return [(name, budget) for name, chosen in self.budgets.items() for budget in chosen]


def make_plan(
    suite: Suite,
    sampler: str,
    *,
    integrands: Mapping[str, Sequence[int] | int] | Sequence[str] | str | None = None,
    budgets: Sequence[int] | int | None = None,
    seeds: int = MIN_SEEDS,
    first_seed: int = 1,
    **parameters: Any,
) -> Plan:
    """Check what is asked for.

    Parameters
    ----------
    suite
        The integrands.
    sampler
        Name of a sampler.
    integrands
        Names of the suite, or one of them; None for all. A mapping gives each its own budgets.
    budgets
        Some of the board's budgets, or one of them, for all integrands; None for all.
    seeds
        How many seeds, at least 20.
    first_seed
        The first of them; those of a board are 1, 2, and so on.
    **parameters
        Parameters of the sampler.

    Returns
    -------
    Plan

    Raises
    ------
    ValueError
        If the sampler, a parameter, an integrand or a budget is unknown, budgets are given twice,
        or there are too few seeds.
    """
    made = make_sampler(sampler, **parameters)
    if isinstance(integrands, Mapping):
        if budgets is not None:
            raise ValueError("budgets: integrands has them already, one of the two must go")
        chosen = dict(integrands)
    else:
        names = [*suite.members] if integrands is None else _listed(integrands)
        chosen = {str(name): BUDGETS if budgets is None else budgets for name in names}
    if not chosen:
        raise ValueError("integrands: there are none")
    for name in chosen:
        if name not in suite.members:
            raise ValueError(
                f"integrands: {name!r} is not in {suite.id}, which has {', '.join(suite.members)}"
            )
    if type(seeds) is not int or seeds < MIN_SEEDS:
        raise ValueError(f"seeds is {seeds!r} but must be an integer of at least {MIN_SEEDS}")
    return Plan(
        sampler,
        made.parameters,
        {name: _checked_budgets(name, each) for name, each in chosen.items()},
        seeds,
        first_seed,
    )


def _listed(one_or_more: Any) -> list[Any]:
    several = isinstance(one_or_more, Sequence) and not isinstance(one_or_more, str)
    return [*one_or_more] if several else [one_or_more]


def _checked_budgets(name: str, budgets: Any) -> tuple[int, ...]:
    found = _listed(budgets)
    if not found:
        raise ValueError(f"budgets: there are none for {name}")
    for budget in found:
        if budget not in BUDGETS:
            raise ValueError(
                f"budgets: {budget!r} for {name} is none of {', '.join(map(str, BUDGETS))}"
            )
    return tuple(sorted({int(budget) for budget in found}))


def play(
    plan: Plan,
    suite: Suite,
    folder: Path,
    *,
    workers: int = 1,
    scheduler: str | None = None,
    progress: Callable[[int, int, str], None] | None = None,
) -> Arrays:
    """Play a plan; a cell that the folder holds already is not played again.

    Parameters
    ----------
    plan, suite
        What is played.
    folder
        Where each cell is kept as soon as it is done.
    workers, scheduler
        As for ``hepgym.cluster.client``. The estimates do not depend on them.
    progress
        Called with the cells done, all cells, and the last one's name.

    Returns
    -------
    dict
        The predictions of a submission, see ``leaderboards.scores.vegas_sampling``.

    Raises
    ------
    ValueError
        If the sampler cannot integrate something.
    """
    folder.mkdir(parents=True, exist_ok=True)
    cells = plan.cells()
    files = {cell: folder / f"{cell[0]}-{cell[1]}-{_digest(plan)}.npz" for cell in cells}
    waiting = [cell for cell in cells if not files[cell].exists()]
    done = len(cells) - len(waiting)
    if progress:
        progress(done, len(cells), plan.sampler)
    for cell, arrays in _played(plan, suite, waiting, workers, scheduler):
        _save(files[cell], arrays)
        done += 1
        if progress:
            progress(done, len(cells), f"{plan.sampler}: {cell[0]}, {cell[1]} calls")
    predictions: Arrays = {}
    # Budgets rise: the frozen sample is that of the largest.
    for file in files.values():
        predictions |= _load(file)
    predictions.pop(_SECONDS, None)
    return predictions


def seconds_played(plan: Plan, folder: Path) -> float:
    """Add up how long the cells of a plan took, those of earlier runs included.

    Parameters
    ----------
    plan, folder
        What has been played, and where.
    """
    files = [folder / f"{name}-{budget}-{_digest(plan)}.npz" for name, budget in plan.cells()]
    return float(sum(_load(file).get(_SECONDS, np.zeros(1))[0] for file in files))


def score(predictions: Arrays, suite: Suite) -> SamplingScore:
    """Score what was played."""
    return evaluate("estimates", predictions, {"integrands": suite})


def play_cell(plan: Plan, member: SuiteMember, budget: int) -> Arrays:
    """Integrate with every seed, then draw the frozen sample.

    Parameters
    ----------
    plan
        What is played.
    member, budget
        The cell.

    Returns
    -------
    dict
        Arrays of a submission, and the seconds that it took.
    """
    start = time.perf_counter()
    integrand = member.integrand()
    sampler = make_sampler(plan.sampler, **plan.parameters)
    # What is compiled on first use is compiled now: it is no overhead of a call.
    sampler.integrate(integrand, BUDGETS[0], 0)
    rows = []
    for seed in range(plan.first_seed, plan.first_seed + plan.seeds):
        found = sampler.integrate(integrand, budget, seed)
        overhead = found.overhead_seconds / found.calls * 1e6
        rows.append((found.estimate, found.error, float(found.calls), max(0.0, overhead)))
    columns = np.array(rows).T
    arrays: Arrays = {
        f"{name}/{member.name}/{budget}": column
        for name, column in zip(("estimate", "error", "calls", "overhead"), columns, strict=True)
    }
    # After the last seed: what this sampler has learnt from one training.
    points, density = sampler.sample(MIN_POINTS, _SAMPLE_SEED)
    # Rounding to float32 must not carry a point across 1.
    stored = np.minimum(points.astype(np.float32), np.float32(1.0))
    arrays |= {
        f"points/{member.name}": stored,
        f"density/{member.name}": density.astype(np.float32),
        f"probe/{member.name}": sampler.density(probe_points(member)).astype(np.float32),
    }
    arrays[_SECONDS] = np.array([time.perf_counter() - start])
    return arrays


def _played(
    plan: Plan,
    suite: Suite,
    cells: Sequence[tuple[str, int]],
    workers: int,
    scheduler: str | None,
) -> Any:
    """Cells and their arrays, as they become ready."""
    if not cells:
        return
    if workers == 1 and scheduler is None:
        for name, budget in cells:
            yield (name, budget), play_cell(plan, suite.members[name], budget)
        return
    from distributed import as_completed

    with client(workers, scheduler) as dask:
        futures = {
            dask.submit(play_cell, plan, suite.members[name], budget, pure=False): (name, budget)
            for name, budget in cells
        }
        for future in as_completed(futures):
            yield futures[future], future.result()


def _digest(plan: Plan) -> str:
    """Name the files of one sampler, its parameters, model and seeds."""
    content: list[Any] = [plan.sampler, dict(plan.parameters), plan.seeds]
    if plan.first_seed != 1:
        content.append(plan.first_seed)
    if fingerprint := make_sampler(plan.sampler, **plan.parameters).fingerprint:
        content.append(fingerprint)
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]


def _load(file: Path) -> Arrays:
    with np.load(file, allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}


def _save(file: Path, arrays: Arrays) -> None:
    """Write a cell, whole or not at all."""
    with whole_file(file) as part, part.open("wb") as stream:
        np.savez(stream, allow_pickle=False, **arrays)
