"""Figures of fits: distributions with bands, data against theory, chi2, replicas."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...datasets.parton_distributions import load_evolution
from ...datasets.parton_distributions.bases import EVOLUTION, FITTED, PIDS, to_flavours
from ...datasets.parton_distributions.data import DISData
from ...datasets.parton_distributions.settings import Q0
from ...leaderboards.scores.pdf_fit import arc_lengths, chi2_by_group

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLOURS = ("#0077bb", "#cc3311", "#009988", "#ee7733", "#33bbee", "#ee3377")
_RATIOS = (0.8, 1.2)
"""Ratios that figures of partons show."""

_NAMES = {2: "u", -2: "ubar", 1: "d", -1: "dbar", 3: "s", -3: "sbar", 4: "c", 21: "g"}


def save_bands(
    file: str | os.PathLike[str],
    fits: Mapping[str, NDArray[np.float64]],
    x: NDArray[np.float64],
    *,
    reference: NDArray[np.float64] | None = None,
) -> Path:
    """Draw the eight fitted distributions at Q0 with one standard deviation of the replicas.

    Parameters
    ----------
    file
        Where the figure goes.
    fits
        Label to x f, shape (replicas, 9, grid).
    x
        float64, shape (grid,).
    reference
        x f drawn as a line, shape (9, grid): the law of a closure test, or another set.

    Returns
    -------
    pathlib.Path
    """
    figure = _figure(12, 6)
    for axes, name in zip(figure.subplots(2, 4).flat, FITTED, strict=True):
        row = EVOLUTION.index(name)
        for (label, f), colour in zip(fits.items(), _COLOURS, strict=False):
            _band(axes, x, f[:, row], colour, label)
        if reference is not None:
            axes.plot(x, reference[row], "k--", lw=1, label="reference")
        _scale(axes, x, next(iter(fits.values()))[:, row])
        axes.set_title(f"x {name}")
    figure.axes[0].legend(frameon=False, fontsize="small")
    figure.suptitle(f"Q = {Q0:g} GeV; mean and standard deviation of the replicas")
    return _save(figure, file)


def save_partons(
    file: str | os.PathLike[str],
    fits: Mapping[str, NDArray[np.float64]],
    q: float = 100.0,
) -> Path:
    """Draw single partons at a scale, evolved from Q0, over the mean of the first fit.

    Parameters
    ----------
    file
        Where the figure goes.
    fits
        Label to x f at Q0, shape (replicas, 9, grid).
    q
        Scale in GeV: the nearest of the tables' scales is taken.

    Returns
    -------
    pathlib.Path
    """
    table = load_evolution()
    scale = int(np.abs(np.log(table.q / q)).argmin())
    figure = _figure(12, 6)
    means: dict[int, NDArray[np.float64]] = {}
    axes_of = dict(zip(_NAMES, figure.subplots(2, 4).flat, strict=True))
    for (label, f), colour in zip(fits.items(), _COLOURS, strict=False):
        partons = to_flavours(table.evolve(f, [scale])[:, 0])
        for pid, axes in axes_of.items():
            values = partons[:, PIDS.index(pid), :-1]  # all vanish at x = 1
            mean = means.setdefault(pid, values.mean(axis=0))
            _band(axes, table.x[:-1], values / mean, colour, label)
            axes.set(xscale="log", xlim=(1e-4, 1), ylim=_RATIOS, title=_NAMES[pid])
    figure.axes[0].legend(frameon=False, fontsize="small")
    first = next(iter(fits))
    figure.suptitle(f"Q = {table.q[scale]:.4g} GeV, over the mean of {first}")
    return _save(figure, file)


def save_chi2(
    file: str | os.PathLike[str], dis: DISData, fits: Mapping[str, NDArray[np.float64]]
) -> Path:
    """Draw chi2 per point of every set, with the experimental covariance.

    Parameters
    ----------
    file
        Where the figure goes.
    dis
        The data.
    fits
        Label to x f, shape (replicas, 9, grid).

    Returns
    -------
    pathlib.Path
    """
    figure = _figure(10, 5)
    axes = figure.add_subplot()
    width = 0.8 / len(fits)
    for number, (label, f) in enumerate(fits.items()):
        table = chi2_table(dis, f)
        places = np.arange(len(table)) + number * width
        axes.bar(
            places,
            [chi2 for _, chi2 in table.values()],
            width,
            color=_COLOURS[number % len(_COLOURS)],
            label=label,
        )
    names = list(table)
    axes.set_xticks(np.arange(len(names)) + 0.4 - width / 2, names, rotation=60, ha="right")
    axes.axhline(1.0, color="k", lw=0.8)
    axes.set_ylabel("chi2 per point, experimental")
    axes.legend(frameon=False)
    return _save(figure, file)


def chi2_table(dis: DISData, f: NDArray[np.float64]) -> dict[str, tuple[int, float]]:
    """Points and chi2 per point of every set for the mean of replicas.

    Parameters
    ----------
    dis
        The data.
    f
        Shape (replicas, 9, grid).

    Returns
    -------
    dict
        Name of the set to number of points and chi2 per point.
    """
    return chi2_by_group(dis, dis.predict(f).mean(axis=0), dis.covariance())


def save_data_theory(
    file: str | os.PathLike[str], dis: DISData, f: NDArray[np.float64], label: str = "fit"
) -> Path:
    """Draw (data - theory) / theory of every set over x, with the replicas' band.

    Parameters
    ----------
    file
        Where the figure goes.
    dis
        The data.
    f
        Shape (replicas, 9, grid).
    label
        Name of the fit.

    Returns
    -------
    pathlib.Path
    """
    predictions = dis.predict(f)
    mean, spread = predictions.mean(axis=0), predictions.std(axis=0)
    error = np.sqrt(np.diag(dis.covariance()))
    present = np.unique(dis.set_index)
    columns = min(4, len(present))
    rows = -(-len(present) // columns)
    figure = _figure(3.2 * columns, 2.4 * rows)
    grid = np.atleast_1d(figure.subplots(rows, columns)).ravel()
    for axes, number in zip(grid, present, strict=False):
        own = np.flatnonzero(dis.set_index == number)
        own = own[np.argsort(dis.x[own], kind="stable")]
        ratio = dis.central[own] / mean[own] - 1
        axes.errorbar(
            dis.x[own],
            ratio,
            np.abs(error[own] / mean[own]),
            fmt=".",
            ms=2,
            lw=0.5,
            color="#555555",
        )
        width = np.abs(spread[own] / mean[own])
        axes.fill_between(dis.x[own], -width, width, color=_COLOURS[0], alpha=0.5, step="mid")
        axes.set(xscale="log", ylim=(-0.5, 0.5), title=dis.set_names[number])
        _few_ticks(axes)
    for axes in grid[len(present) :]:
        axes.set_axis_off()
    figure.suptitle(f"data / theory - 1 over x; band: {label}")
    return _save(figure, file)


def save_replicas(
    file: str | os.PathLike[str],
    x: NDArray[np.float64],
    f: NDArray[np.float64],
    chi2: ArrayLike,
) -> Path:
    """Draw how replicas spread: their chi2 to the data and their arc lengths.

    Parameters
    ----------
    file
        Where the figure goes.
    x
        float64, shape (grid,).
    f
        Shape (replicas, 9, grid).
    chi2
        chi2 per point of each replica, shape (replicas,).

    Returns
    -------
    pathlib.Path
    """
    figure = _figure(10, 4)
    left, right = figure.subplots(1, 2)
    left.hist(np.asarray(chi2, np.float64), bins=20, color=_COLOURS[0])
    left.set(xlabel="chi2 per point to the measured values", ylabel="replicas")
    right.boxplot(arc_lengths(f, x), tick_labels=EVOLUTION)
    right.set(ylabel="arc length", yscale="log")
    return _save(figure, file)


def _few_ticks(axes: Any) -> None:
    """Label decades, or a few numbers where there are fewer than two of them."""
    from matplotlib.ticker import FormatStrFormatter, LogLocator, NullFormatter

    low, high = axes.get_xlim()
    if high / low < 100:
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.xaxis.set_major_formatter(FormatStrFormatter("%g"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=100, layout="constrained")


def _save(figure: Figure, file: str | os.PathLike[str]) -> Path:
    path = Path(file)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    return path


def _band(
    axes: Any, x: NDArray[np.float64], values: NDArray[np.float64], colour: str, label: str
) -> None:
    mean, spread = values.mean(axis=0), values.std(axis=0)
    axes.fill_between(x, mean - spread, mean + spread, color=colour, alpha=0.35, lw=0)
    axes.plot(x, mean, color=colour, lw=1.2, label=label)


def _scale(axes: Any, x: NDArray[np.float64], values: NDArray[np.float64]) -> None:
    seen = values[:, x > 1e-4]
    low, high = np.quantile(seen, [0.02, 0.98])
    margin = 0.3 * (high - low)
    axes.set(xscale="log", xlim=(1e-4, 1), ylim=(low - margin, high + margin))
