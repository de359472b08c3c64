"""Runs entries of a board again: what a service is given as its ``workers.runner.Runner``."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from ..leaderboards.manifest import Manifest
from ..leaderboards.tasks import Task
from .players import package


def how(task: Task, manifest: Manifest, attachments: Path) -> str | None:
    """Say how an entry can be run; see `Runner.how`."""
    way: str | None = _family(task).how(task, manifest, attachments)
    return way


def run(
    task: Task,
    manifest: Manifest,
    attachments: Path,
    data: Mapping[str, Any],
    seed: int = 0,
) -> Mapping[str, NDArray[Any]]:
    """Run an entry's model or agent; see `Runner.run`."""
    made: Mapping[str, NDArray[Any]] = _family(task).run(task, manifest, attachments, data, seed)
    return made


def comparable(
    task: Task,
    manifest: Manifest,
    predictions: Mapping[str, NDArray[Any]],
    data: Mapping[str, Any],
) -> Mapping[str, NDArray[Any]]:
    """Bring predictions into a form that can be compared; see `Runner.comparable`."""
    form: Mapping[str, NDArray[Any]] = _family(task).comparable(manifest, predictions, data)
    return form


def _family(task: Task) -> Any:
    """Import the module of the task's agents that has these functions."""
    return importlib.import_module(f".{package(task)}.rerun", __package__)
