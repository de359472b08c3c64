"""Learning curves."""

from __future__ import annotations

import json
from os import PathLike
from pathlib import Path

import numpy as np

_COLOURS = ("#0077bb", "#cc3311")  # colour-blind safe


def learning_curve(folder: str | PathLike[str], path: str | PathLike[str]) -> None:
    """Draw the log of a search or of a training.

    Parameters
    ----------
    folder
        Folder of the search or training.
    path
        Picture to write, for example a PNG file.

    Raises
    ------
    ValueError
        If the folder holds no log of a search or training.
    OSError
        If the log cannot be read or the picture not be written.
    """
    log = Path(folder) / "log.jsonl"
    lines = log.read_text().splitlines()
    try:
        entries = [json.loads(line) for line in lines]
        searching = "generation" in entries[0]
        axis = "generation" if searching else "steps"
        curves = (
            {"elite_difference": "elite", "mean_difference": "all candidates"}
            if searching
            else {"score": "training games", "validation_difference": "validation"}
        )
        found = {
            label: np.array([(e[axis], e[key]) for e in entries if key in e])
            for key, label in curves.items()
        }
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise ValueError(f"{log} is not the log of a search or training: {error!r}") from None
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    panel = figure.subplots()
    panels = [panel, panel if searching else panel.twinx()]
    handles = []
    for (label, points), where, colour in zip(found.items(), panels, _COLOURS, strict=True):
        if len(points):
            handles += where.plot(*points.T, ".-", color=colour, label=label)
    panel.set_xlabel("generation" if searching else "environment steps")
    if searching:
        panel.set_ylabel("mean difference of scores to VEGAS")
    else:
        panel.set_ylabel("mean final score, with exploration", color=_COLOURS[0])
        panels[1].set_ylabel("validation: mean difference to VEGAS", color=_COLOURS[1])
    panel.legend(handles=handles, frameon=False)
    figure.savefig(path)
