"""Runs integrators of a board again, with the seeds of an entry or with fresh ones."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from ...datasets.integrands.suite import Suite
from ...leaderboards.manifest import Manifest
from ...leaderboards.tasks import Task
from ..submitted import REFERENCE, network_file
from . import SAMPLERS
from .playing import Plan, make_plan, play

AGAIN = ("plain", "vegas", "vegas-plus")
"""Samplers that give the same numbers everywhere and play the suite within minutes."""

_FIRST_FRESH_SEED = 1_000_000
_CELL = re.compile(r"estimate/(.+)/(\d+)")


def how(task: Task, manifest: Manifest, attachments: Path) -> str | None:
    """Say how an entry can be run; see `hepgym.leaderboards.service.workers.runner.Runner`."""
    if network_file(attachments) is not None or manifest.agent not in SAMPLERS:
        return None
    return REFERENCE


def run(
    task: Task,
    manifest: Manifest,
    attachments: Path,
    data: Mapping[str, Suite],
    seed: int = 0,
) -> dict[str, NDArray[Any]]:
    """Play an entry's cells again, with its seeds, or with as many fresh ones.

    Raises
    ------
    ValueError
        If the sampler would take too long, or cannot be set up from the entry.
    """
    suite = data["integrands"]
    plan = _plan(manifest, suite, _FIRST_FRESH_SEED + seed if seed else 1)
    with tempfile.TemporaryDirectory() as cells:
        return {**play(plan, suite, Path(cells))}


def comparable(
    manifest: Manifest, predictions: Mapping[str, NDArray[Any]], data: Mapping[str, Suite]
) -> Mapping[str, NDArray[Any]]:
    """Leave the measured times out, which are the machine's."""
    return {name: one for name, one in predictions.items() if not name.startswith("overhead/")}


def _plan(manifest: Manifest, suite: Suite, first_seed: int) -> Plan:
    if manifest.agent not in AGAIN:
        raise ValueError(
            f"{manifest.agent} trains a network or comes from another package: it takes hours, or "
            f"rounds differently on other processors; the board runs {', '.join(AGAIN)} again"
        )
    cells = [_CELL.fullmatch(name) for name in manifest.predictions.shapes]
    found = [(cell[1], int(cell[2])) for cell in cells if cell]
    if manifest.seeds != tuple(range(1, len(manifest.seeds) + 1)):
        raise ValueError("only entries with seeds 1, 2, ... can be played again")
    budgets: dict[str, list[int]] = {}
    for name, budget in found:
        budgets.setdefault(name, []).append(budget)
    return make_plan(
        suite,
        manifest.agent,
        integrands=budgets,
        budgets=None,
        seeds=len(manifest.seeds),
        first_seed=first_seed,
        **manifest.hyperparameters,
    )
