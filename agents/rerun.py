"""Runs entries of a board again: what a service is given as its ``workers.runner.Runner``."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from ..leaderboards.manifest import Manifest
from ..leaderboards.tasks import Task

_FAMILIES = {"jet_grooming": "jet_grooming"}
"""Name of the score module to the package of agents whose module ``rerun`` does it."""


def how(task: Task, manifest: Manifest, attachments: Path) -> str | None:
    """Say how an entry can be run; see `Runner.how`."""
    module = _family(task)
    return None if module is None else module.how(task, manifest, attachments)


def run(
    task: Task, manifest: Manifest, attachments: Path, data: Mapping[str, Any]
) -> Mapping[str, NDArray[Any]]:
    """Run an entry's model or agent; see `Runner.run`."""
    module = _family(task)
    if module is None:
        raise ValueError(f"entries of {task.id} cannot be run by the board yet")
    return module.run(task, manifest, attachments, data)


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
    package = _FAMILIES.get(task.score)
    return None if package is None else importlib.import_module(f".{package}.rerun", __package__)
