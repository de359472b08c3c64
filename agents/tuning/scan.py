"""A scan: suggest, evaluate, store, until there are enough trials; stop and go on at any time."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from ...leaderboards.tasks import Task, dataset_hashes
from .evaluation import Evaluator, Job, evaluator
from .objectives import objective
from .results import write_results
from .space import Space
from .suggestion import Suggester, seeds
from .trial import Trial, TrialFolder, best_trial

BATCH = 4
"""Trials that are suggested together unless said otherwise."""

Progress = Callable[[int, Trial | None], None]
"""Function of the number of finished trials and the best of them."""


@dataclass(frozen=True)
class Scan:
    """A finished scan.

    Attributes
    ----------
    trials
        All trials in order.
    best
        The trial with the lowest loss; None if all failed.
    files
        ``best.yaml`` and the figures.
    """

    trials: tuple[Trial, ...]
    best: Trial | None
    files: tuple[Path, ...]


def tune(
    task: Task,
    space: Space,
    folder: Path,
    *,
    evals: int,
    seed: int = 0,
    batch: int = BATCH,
    workers: int = 1,
    scheduler: str | None = None,
    progress: Progress | None = None,
) -> Scan:
    """Search for the settings of an agent with the lowest loss on a task's validation data.

    Trials are suggested in generations of ``batch``: a generation learns from all trials of the
    generations before it. The sequence of trials is therefore the same for any number of workers
    and however often the scan is interrupted. Every trial is stored as soon as it is finished,
    and the same call goes on with what the folder holds; more ``evals`` extend a scan.

    Parameters
    ----------
    task
        The task.
    space
        The search space.
    folder
        Folder of this scan. It receives ``scan.json``, ``trials/*.json``, ``best.yaml``, figures
        of the loss against each parameter and, if the agent writes files, ``agents/NUMBER``.
    evals
        Number of trials in all, failed ones included.
    seed
        Seed of the scan: suggestions and agents.
    batch
        Trials in a generation: the larger, the more can be evaluated at once and the less each of
        them learns from the others.
    workers, scheduler
        As for ``hepgym.cluster.client``; one worker without a scheduler is this process.
    progress
        Called at the start and after each trial.

    Returns
    -------
    Scan

    Raises
    ------
    ValueError
        If the arguments do not fit each other, the agent cannot be tuned or the folder holds
        another scan.
    """
    if evals < 1 or batch < 1 or seed < 0:
        raise ValueError(
            f"evals = {evals}, batch = {batch}, seed = {seed}: evals and batch must be at least 1, "
            "the seed at least 0"
        )
    if workers > batch:
        raise ValueError(
            f"batch = {batch} trials at a time cannot occupy {workers} workers: "
            f"choose a batch of {workers} or more"
        )
    if space.task is not None and space.task != task.id:
        raise ValueError(f"the search space is made for the task {space.task}, not {task.id}")
    goal = objective(space.agent, [*space.fixed, *space.parameters])
    store = TrialFolder(
        folder.resolve(),
        {
            "task": task.id,
            "space": space.model_dump(mode="json"),
            "seed": seed,
            "batch": batch,
            "data": dataset_hashes(task.model_copy(update={"split": "validation"})),
        },
    )
    trials = {number: trial for number, trial in store.read().items() if number < evals}

    def report() -> None:
        if progress:
            progress(len(trials), best_trial(list(trials.values())))

    report()
    with ExitStack() as cluster:
        evaluate: Evaluator | None = None
        suggester: Suggester | None = None
        for start in range(0, evals, batch):
            generation = range(start, min(start + batch, evals))
            missing = [number for number in generation if number not in trials]
            if not missing:
                continue
            # Neither is needed to look at a finished scan.
            suggester = suggester or Suggester(space, seed)
            evaluate = evaluate or cluster.enter_context(evaluator(goal, task, workers, scheduler))
            points = suggester.suggest(missing, [trials[number] for number in range(start)])
            jobs = [
                Job(
                    number,
                    point,
                    space.settings(point),
                    seeds(seed, number)[1],
                    store.agent_folder(number),
                )
                for number, point in zip(missing, points, strict=True)
            ]
            for trial in evaluate(jobs):
                store.write(trial)
                trials[trial.number] = trial
                report()
    ordered = tuple(trials[number] for number in sorted(trials))
    return Scan(
        ordered, best_trial(ordered), tuple(write_results(store.path, task, space, ordered))
    )
