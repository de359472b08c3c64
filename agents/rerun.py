"""Runs entries of a board again: what a service is given as its ``workers.runner.Runner``."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from ..leaderboards.manifest import Manifest
from ..leaderboards.tasks import Task
from .players import package


def how(task: Task, manifest: Manifest, attachments: Path) -> str | None:
    """Say how an entry can be run; see `Runner.how`."""
    module = _family(task)
    way: str | None = None if module is None else module.how(task, manifest, attachments)
    return way


def run(
    task: Task,
    manifest: Manifest,
    attachments: Path,
    data: Mapping[str, Any],
    seed: int = 0,
) -> Mapping[str, NDArray[Any]]:
    """Run an entry's model or agent; see `Runner.run`."""
    module = _family(task)
    if module is None:
        raise ValueError(f"entries of {task.id} cannot be run by the board yet")
    made: Mapping[str, NDArray[Any]] = module.run(task, manifest, attachments, data, seed)
    return made


def comparable(
    task: Task,
    manifest: Manifest,
    predictions: Mapping[str, NDArray[Any]],
    data: Mapping[str, Any],
) -> Mapping[str, NDArray[Any]]:
    """Bring predictions into a form that can be compared; see `Runner.comparable`."""
    module = _family(task)
    return predictions if module is None else module.comparable(manifest, predictions, data)


def _family(task: Task) -> Any:
    """Import the module ``rerun`` of the task's agents, which has these functions, if it is there.

    It is for one family of tasks: ``comparable`` does without the task.
    """
    name = f".{package(task)}.rerun"
    found = importlib.util.find_spec(name, __package__)
    return None if found is None else importlib.import_module(name, __package__)
