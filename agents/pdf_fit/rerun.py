"""Says why fits of parton distributions are not run again by a board."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from ...leaderboards.manifest import Manifest
from ...leaderboards.tasks import Task
from ..submitted import REFERENCE, network_file
from .plan import AGENTS


def how(task: Task, manifest: Manifest, attachments: Path) -> str | None:
    """Say how an entry could be run; see `hepgym.leaderboards.service.workers.runner.Runner`."""
    if network_file(attachments) is not None or manifest.agent not in AGENTS:
        return None
    return REFERENCE


def run(
    task: Task,
    manifest: Manifest,
    attachments: Path,
    data: Mapping[str, Any],
    seed: int = 0,
) -> Mapping[str, NDArray[Any]]:
    """Refuse.

    Raises
    ------
    ValueError
        Always, with the reason.
    """
    raise ValueError(
        "fits are not run again: they take minutes to hours, and rounding on another processor "
        "sends a fit to another minimum within its uncertainty, so that no board could tell the "
        "same agent from another one; everything else is recomputed from the distributions"
    )


def comparable(
    manifest: Manifest, predictions: Mapping[str, NDArray[Any]], data: Mapping[str, Any]
) -> Mapping[str, NDArray[Any]]:
    """Leave the distributions as they are."""
    return predictions
