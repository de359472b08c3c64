"""The shipped entries of the grooming boards: which agents, and how they are made anew."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection
from pathlib import Path

from ...leaderboards.board import Board, Entry
from ...leaderboards.tasks import TASKS, load_test_data
from . import GROOMERS, Groomer, make_groomer
from .playing import play_test_set, write_play

_TUNED: dict[str, tuple[Groomer, ...]] = {
    "JetGrooming-v0": (
        make_groomer("recursive-soft-drop", z_cut=0.1115, beta=1.674),
        make_groomer("soft-drop", z_cut=0.2293, beta=2.695),
        make_groomer("mmdt", z_cut=0.04898),
        make_groomer("dynamical", a=0.5248),
    ),
    "JetGroomingTop-v0": (
        make_groomer("recursive-soft-drop", z_cut=0.03197, beta=0.3542, N=8),
        make_groomer("soft-drop", z_cut=0.03538, beta=0.1724),
        make_groomer("mmdt", z_cut=0.03416),
        make_groomer("dynamical", a=3.922),
    ),
}
"""Groomers with parameters tuned on the validation split, by task, to four digits.

Found by ``hepgym tune TASK --agent NAME --evals 200 --seed 1``.
"""


def baselines(task_id: str) -> list[Groomer]:
    """Every classical groomer with its default parameters, and the tuned ones of a task."""
    return [*(make_groomer(name) for name in GROOMERS), *_TUNED.get(task_id, ())]


def trained_agents(task_id: str) -> list[Groomer]:
    """Every trained model that comes with the package for a task."""
    from .trained import TRAINED, load_groomer, reference_models

    return [
        load_groomer(agent, folder)
        for agent in TRAINED
        for folder in reference_models(task_id, agent)
    ]


def rebuild(
    folder: Path,
    progress: Callable[[int, int], None] | None = None,
    task_ids: Collection[str] | None = None,
) -> list[Entry]:
    """Play every grooming task with its baselines and trained agents and put them on boards.

    Parameters
    ----------
    folder
        Folder of boards. Entries that are there already stay as they are.
    progress
        Called with the number of entries done and in all.
    task_ids
        Only these tasks.

    Returns
    -------
    list of Entry
    """
    jobs = [
        (task, groomer)
        for task in TASKS.values()
        if task.score == "jet_grooming" and (task_ids is None or task.id in task_ids)
        for groomer in (*baselines(task.id), *trained_agents(task.id))
    ]
    entries = []
    for done, (task, groomer) in enumerate(jobs):
        if progress:
            progress(done, len(jobs))
        data = load_test_data(task)
        with tempfile.TemporaryDirectory() as scratch:
            submission = write_play(
                task, play_test_set(task, groomer, data), Path(scratch) / "submission"
            )
        entries.append(Board(task.id, folder, shipped=None).add(submission, data))
    if progress:
        progress(len(jobs), len(jobs))
    return entries
