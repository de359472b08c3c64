"""Events that nobody has seen: the task's datasets generated anew from a secret seed."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

from ....datasets import load_trees, spec
from ...tasks import Task


def draw_seed() -> int:
    """Draw a seed at random, one that no split of a public dataset uses."""
    from ....datasets.jets.settings import MAX_SEED

    # Seed 0 makes the public samples.
    return 1 + secrets.randbelow(MAX_SEED)


def check_can_generate(task: Task) -> None:
    """Check that fresh events can be made for a task.

    Raises
    ------
    ValueError
        If its data cannot be generated.
    """
    for dataset_id in task.datasets.values():
        if not dataset_id.startswith("jets/"):
            raise ValueError(
                f"{task.id} cannot be refreshed: {dataset_id} is not made by an event generator "
                "that the board can run"
            )


def generate(task: Task, seed: int, size: int, folder: Path) -> None:
    """Generate a task's datasets into a folder, one ROOT file for each role.

    Parameters
    ----------
    task
        The task.
    seed
        Seed of the samples; they belong to the task's split, as those that are public.
    size
        Number of jets of each.
    folder
        Folder to fill. Files that are there already stay.
    """
    from ....datasets.jets.production import Sample, produce

    check_can_generate(task)
    for role, dataset_id in task.datasets.items():
        file = folder / f"{role}.root"
        if not file.exists():
            sample = Sample(dataset_id, spec(dataset_id).settings, task.split, size, seed)
            produce(sample, file)


def load(task: Task, folder: Path) -> dict[str, Any]:
    """Role to the events that `generate` made."""
    return {role: load_trees(folder / f"{role}.root") for role in task.datasets}
