"""Training log: one JSON object in each line, and the curve drawn from it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from ....leaderboards.figures.style import BACKGROUND, SIGNAL, hep_figure, save

LOG_FILE = "log.jsonl"
CURVE_FILE = "reward-curve.png"


class TrainingLog:
    """The log of one training.

    Each line holds ``step`` and either ``reward`` (mean return of the episodes that ended since
    the line before), ``loss``, ``exploration`` and ``steps_per_second``, or the scores of a
    validation, whose names start with ``validation_``.

    Parameters
    ----------
    folder
        Folder of the training.
    length
        Bytes of an older log to keep; what was written after a checkpoint is done again.
    """

    def __init__(self, folder: Path, length: int = 0) -> None:
        self.file = folder / LOG_FILE
        self.file.touch()
        os.truncate(self.file, min(length, self.file.stat().st_size))

    @property
    def length(self) -> int:
        """Bytes written so far."""
        return self.file.stat().st_size

    def write(self, **values: Any) -> None:
        """Append a line."""
        with self.file.open("a") as stream:
            stream.write(json.dumps(values) + "\n")


def read_log(folder: Path) -> list[dict[str, Any]]:
    """Lines of the log of a training."""
    return [json.loads(line) for line in (folder / LOG_FILE).read_text().splitlines()]


def draw_curve(folder: Path, suffix: str = "png", steps: str = "Environment steps") -> Path:
    """Draw mean reward of an episode, and validation score, against environment steps.

    Parameters
    ----------
    folder
        Folder of a training.
    suffix
        File format: png, pdf or svg.
    steps
        What the steps are.

    Returns
    -------
    pathlib.Path
        The figure, in the same folder.
    """
    lines = read_log(folder)
    rewards = np.array([(line["step"] / 1e3, line["reward"]) for line in lines if "reward" in line])
    scores = np.array(
        [
            (line["step"] / 1e3, line["validation_loss"])
            for line in lines
            if "validation_loss" in line
        ]
    )
    with hep_figure(6.4, 6.4) as figure:
        upper, lower = figure.subplots(2, sharex=True)
        if len(rewards):
            upper.plot(*rewards.T, color=SIGNAL)
        upper.set_ylabel("Reward per jet")
        if len(scores):
            lower.plot(*scores.T, color=BACKGROUND, marker="o", markersize=3)
            lower.set_yscale("log")
        lower.set_ylabel("Validation $L$ [GeV]")
        lower.set_xlabel(f"{steps} [thousands]")
        return save(figure, (folder / CURVE_FILE).with_suffix(f".{suffix}"))
