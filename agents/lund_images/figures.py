"""Figures of generated images: losses of a training, averages, samples, observables."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...datasets.jets.lund_images import LN_INVERSE_DELTA, LN_KT
from ...leaderboards.figures.style import BACKGROUND, SIGNAL, hep_figure, save
from .generator import Images

_EXTENT = (*LN_INVERSE_DELTA, *LN_KT)
_SAMPLES = 4


def save_losses(log: Path, names: Sequence[str], file: Path) -> Path:
    """Draw the losses of a training's log."""
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    steps = [row["step"] for row in rows]
    with hep_figure(8, 6) as figure:
        upper, lower = figure.subplots(2, 1, sharex=True)
        for name in names:
            upper.plot(steps, [row[name] for row in rows], label=name, lw=1)
        looks = [row for row in rows if "validation_glund" in row]
        for name in ("validation_glund", "validation_image"):
            lower.plot(
                [row["step"] for row in looks], [row[name] for row in looks], "o", label=name
            )
        upper.set(ylabel="loss")
        lower.set(xlabel="step", ylabel="validation", yscale="log")
        for axes in (upper, lower):
            axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
        return save(figure, file)


def save_samples(true: Images, made: Images, file: Path, title: str) -> Path:
    """Draw averages, their ratio, distributions, and single images.

    Parameters
    ----------
    true, made
        True and generated images.
    file
        Where the figure goes.
    title
        What is shown.

    Returns
    -------
    pathlib.Path
        The file.
    """
    with hep_figure(16, 11) as figure:
        figure.suptitle(title, fontsize=13, parse_math=False)
        grid = figure.subplots(3, 4)
        averages = [images.mean(axis=0) for images in (true, made)]
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(averages[0] > 0.01, averages[1] / averages[0], np.nan)
        top = float(averages[0].max())
        pictures = [
            ("average, true", averages[0], "viridis", (0.0, top)),
            ("average, generated", averages[1], "viridis", (0.0, top)),
            ("ratio", ratio, "coolwarm", (0.5, 1.5)),
        ]
        pictures += [("one image", made[k], "Greys", (0.0, 1.0)) for k in range(_SAMPLES)]
        places = [*grid[0, :3], *grid[2]]
        for axes, (name, picture, colours, (low, high)) in zip(places, pictures, strict=True):
            shown = axes.imshow(
                picture.T,
                origin="lower",
                extent=_EXTENT,
                aspect="auto",
                cmap=colours,
                vmin=low,
                vmax=high,
            )
            axes.set_title(name, fontsize=11)
            axes.set(xlabel=r"$\ln(1/\Delta)$", ylabel=r"$\ln(k_t/\mathrm{GeV})$")
            if name != "one image":
                figure.colorbar(shown, ax=axes)
        grid[0, 3].axis("off")
        _draw_observables(grid[1, :3], true, made)
        handles = grid[1, 0].get_legend_handles_labels()
        grid[1, 3].axis("off")
        grid[1, 3].legend(*handles, loc="center left")
        return save(figure, file)


def _draw_observables(row: Sequence[object], true: Images, made: Images) -> None:
    """Draw the number of active pixels and the projections of the average image."""
    pixels = true.shape[1]
    samples = (("true", true, SIGNAL), ("generated", made, BACKGROUND))
    for name, images, colour in samples:
        counts = np.bincount(images.sum(axis=(1, 2)), minlength=40)[:40] / len(images)
        average = images.mean(axis=0)
        lines = (
            (np.arange(41) - 0.5, counts, "active pixels"),
            (np.linspace(*LN_INVERSE_DELTA, pixels + 1), average.sum(axis=1), r"$\ln(1/\Delta)$"),
            (np.linspace(*LN_KT, pixels + 1), average.sum(axis=0), r"$\ln(k_t/\mathrm{GeV})$"),
        )
        for axes, (edges, values, label) in zip(row, lines, strict=True):
            axes.stairs(values, edges, color=colour, label=name)  # type: ignore[attr-defined]
            axes.set(xlabel=label)  # type: ignore[attr-defined]
