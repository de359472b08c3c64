"""Log of a training: one JSON object in each line, and the curve drawn from it."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np


class TrainingLog:
    """A log file.

    Each line holds ``stage`` ("grid", "training" or "result"), ``calls`` (so far), ``estimate`` and
    ``error`` of these points alone, ``rsd`` (standard deviation over mean of their absolute
    weights), ``loss`` (after "training") and ``seconds`` so far.

    Parameters
    ----------
    file
        The file.
    keep
        Number of lines of an older log to keep: those written before a checkpoint.

    Raises
    ------
    OSError
        If it cannot be written.
    """

    def __init__(self, file: Path, keep: int) -> None:
        self._file = file
        file.parent.mkdir(parents=True, exist_ok=True)
        lines = file.read_text().splitlines(keepends=True)[:keep] if keep else []
        file.write_text("".join(lines))

    def write(self, **values: Any) -> None:
        """Append a line; what is not a number is left out."""
        known = {
            name: value
            for name, value in values.items()
            if not (isinstance(value, float) and math.isnan(value))
        }
        with self._file.open("a") as stream:
            stream.write(json.dumps(known) + "\n")


def read_log(file: Path) -> list[dict[str, Any]]:
    """Lines of a log.

    Raises
    ------
    ValueError
        If a line is no JSON object.
    """
    rows = []
    for number, line in enumerate(file.read_text().splitlines(), start=1):
        try:
            rows.append(dict(json.loads(line)))
        except (TypeError, ValueError) as error:
            raise ValueError(f"{file}: line {number} is no line of a log ({error})") from None
    return rows


def draw_log(file: Path, target: Path | None = None) -> Path:
    """Draw spread of the weights and loss against calls of the integrand.

    Parameters
    ----------
    file
        A log.
    target
        The figure: png, pdf or svg; beside the log if not given.

    Returns
    -------
    pathlib.Path
        The figure.
    """
    from ....leaderboards.figures.style import BACKGROUND, SIGNAL, hep_figure, save

    rows = read_log(file)
    with hep_figure(6.4, 6.4) as figure:
        upper, lower = figure.subplots(2, sharex=True)
        for stage, colour in (("grid", "0.5"), ("training", SIGNAL), ("result", BACKGROUND)):
            chosen = np.array([(r["calls"], r["rsd"]) for r in rows if r["stage"] == stage])
            if len(chosen):
                upper.plot(*chosen.T, ".-", color=colour, label=stage, markersize=3)
        upper.set_yscale("log")
        upper.set_ylabel(r"$\sigma(w) / \langle w \rangle$")
        upper.legend()
        losses = np.array([(r["calls"], r["loss"]) for r in rows if "loss" in r])
        if len(losses):
            lower.plot(*losses.T, color=SIGNAL)
        lower.set_ylabel("Loss")
        lower.set_xlabel("Integrand calls")
        return save(figure, target or file.with_suffix(".png"))
