"""Figures of a training: losses, and sheets of sample images."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ...leaderboards.figures.style import hep_figure, save
from .translator import Images

_EXTENT = (0.0, 7.0, -3.0, 7.0)


def save_losses(log: Path, file: Path) -> Path:
    """Draw the losses of a training's log."""
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    steps = [row["step"] for row in rows]
    with hep_figure(8, 4.5) as figure:
        axes = figure.subplots()
        for name in ("discriminator", "adversarial", "cycle", "identity"):
            axes.plot(steps, [row[name] for row in rows], label=name, lw=1)
        epochs = [row for row in rows if "validation_error_A" in row]
        for role in ("A", "B"):
            values = [row[f"validation_error_{role}"] for row in epochs]
            label = f"relative error of <{role}>"
            axes.plot([row["step"] for row in epochs], values, "o", label=label)
        axes.set(xlabel="step", ylabel="loss", yscale="log")
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
        return save(figure, file)


def save_samples(
    true: Mapping[str, Images], made: Mapping[str, Images], file: Path, title: str
) -> Path:
    """Draw for each domain the average image, true and translated, their ratio, and one sample.

    Parameters
    ----------
    true, made
        "A" and "B" to images of the domain and to images translated to it.
    file
        Where the figure goes.
    title
        What is shown.

    Returns
    -------
    pathlib.Path
        The file.
    """
    with hep_figure(14, 7) as figure:
        figure.suptitle(title, fontsize=13, parse_math=False)
        grid = figure.subplots(2, 4, sharex=True, sharey=True)
        for row, role in zip(grid, ("A", "B"), strict=True):
            averages = true[role].mean(axis=0), made[role].mean(axis=0)
            with np.errstate(divide="ignore", invalid="ignore"):
                ratio = np.where(averages[0] > 0.01, averages[1] / averages[0], np.nan)
            pictures = (
                (f"<{role}>", averages[0], "viridis", (0.0, averages[0].max())),
                (f"translated to {role}", averages[1], "viridis", (0.0, averages[0].max())),
                ("ratio", ratio, "coolwarm", (0.5, 1.5)),
                ("one image", made[role][0], "viridis", (0.0, 0.6)),
            )
            for axes, (name, picture, colours, (low, high)) in zip(row, pictures, strict=True):
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
                figure.colorbar(shown, ax=axes)
        for axes in grid[1]:
            axes.set_xlabel(r"$\ln(1/\Delta)$")
        for axes in grid[:, 0]:
            axes.set_ylabel(r"$\ln(k_t/\mathrm{GeV})$")
        return save(figure, file)
