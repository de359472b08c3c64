"""Runs generators of a board again, from their name, settings and seeds.

Networks that were handed in are not run: what they would be fed is theirs to decide.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from ...datasets.jets.lund_images import PIXELS
from ...leaderboards.manifest import Manifest
from ...leaderboards.tasks import Task
from ..submitted import REFERENCE
from . import CONTROLS
from .player import make_generator, models
from .settings import SETTINGS


def how(task: Task, manifest: Manifest, attachments: Path) -> str | None:
    """Say how an entry can be run; see `hepgym.leaderboards.service.workers.runner.Runner`."""
    if manifest.agent in CONTROLS or _folder(task, manifest) is not None:
        return REFERENCE
    return None


def run(
    task: Task,
    manifest: Manifest,
    attachments: Path,
    data: Mapping[str, Any],
    seed: int = 0,
) -> dict[str, NDArray[Any]]:
    """Generate an entry's images, as many as it has, with its own seed, the last one it names.

    Raises
    ------
    ValueError
        If the entry is not of a reference agent, or names no seed.
    """
    folder = _folder(task, manifest)
    if folder is None and manifest.agent not in CONTROLS:
        raise ValueError(f"{manifest.agent} is no reference agent with these settings")
    if not manifest.seeds:
        raise ValueError("the entry names no seed: its images cannot be generated again")
    number = manifest.predictions.sizes["images"] // PIXELS**2
    images = make_generator(task, manifest.agent, folder).generate(number, manifest.seeds[-1])
    return {"images": images.reshape(-1)}


def comparable(
    manifest: Manifest, predictions: Mapping[str, NDArray[Any]], data: Mapping[str, Any]
) -> Mapping[str, NDArray[Any]]:
    """Leave images as they are."""
    return predictions


def _folder(task: Task, manifest: Manifest) -> Path | None:
    """Folder of the generator that comes with the package and has an entry's settings."""
    from .trained import read_settings

    if manifest.agent not in SETTINGS:
        return None
    for folder in models(task, manifest.agent):
        written = read_settings(folder).as_dict()
        # A setting that is younger than the model is not in the entry and has its default.
        if manifest.hyperparameters.items() <= written.items():
            return folder
    return None
