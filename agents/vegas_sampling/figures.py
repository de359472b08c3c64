"""Figures of a trained sampler: its weights, its density beside the integrand, its grid."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...datasets.integrands import Integrand
from ...leaderboards.figures.style import BACKGROUND, PLAIN, SIGNAL, hep_figure, save
from .base import Sampler
from .vegas import Vegas
from .weights import kish_fraction, unweighting_efficiency

BINS = 50


def plot_weights(
    sampler: Sampler, integrand: Integrand, file: Path, *, n: int = 100_000, seed: int = 0
) -> Path:
    """Draw the distribution of weights, integrand over density in units of their mean.

    Parameters
    ----------
    sampler
        A sampler after `Sampler.integrate`.
    integrand
        What it has integrated.
    file
        Where the figure goes; the suffix decides the format.
    n, seed
        Points that are drawn, and their seed.

    Returns
    -------
    pathlib.Path
        The file.
    """
    points, density = sampler.sample(n, seed)
    weights = np.abs(integrand(points) / density)
    weights /= weights.mean()
    with hep_figure(6.0, 4.5) as figure:
        axes = figure.subplots()
        floor = max(float(weights[weights > 0.0].min()), 1e-6)
        edges = np.geomspace(floor, float(weights.max()) * 1.01, BINS + 1)
        axes.hist(weights, edges.tolist(), histtype="step", color=SIGNAL, linewidth=1.5)
        axes.set(xscale="log", yscale="log", xlabel="weight / mean weight", ylabel="points")
        efficiency, kish = unweighting_efficiency(weights), kish_fraction(weights)
        axes.set_title(
            f"{sampler.name}, {integrand.name}: eps = {efficiency:.3g}, Kish = {kish:.3g}",
            fontsize=12,
        )
        return save(figure, file)


def plot_marginals(
    sampler: Sampler, integrand: Integrand, file: Path, *, n: int = 200_000, seed: int = 0
) -> Path:
    """Draw the density on each axis, the others integrated out, beside that of the integrand.

    Parameters and result as in `plot_weights`. The integrand's marginal densities are those of the
    weighted points, so that only places that the sampler visits can be seen.
    """
    points, density = sampler.sample(n, seed)
    weights = np.abs(integrand(points) / density)
    columns = min(integrand.dim, 4)
    rows = -(-integrand.dim // columns)
    edges = np.linspace(0.0, 1.0, BINS + 1)
    with hep_figure(3.2 * columns, 2.8 * rows) as figure:
        panels = figure.subplots(rows, columns, squeeze=False).ravel()
        for axis, panel in enumerate(panels):
            if axis >= integrand.dim:
                panel.set_axis_off()
                continue
            learnt = np.histogram(points[:, axis], edges, density=True)[0]
            wanted = np.histogram(points[:, axis], edges, weights=weights, density=True)[0]
            panel.stairs(wanted, edges, color=PLAIN, fill=True, alpha=0.4, label="integrand")
            panel.stairs(learnt, edges, color=SIGNAL, linewidth=1.5, label=sampler.name)
            panel.set_xlabel(f"$x_{{{axis + 1}}}$")
        panels[0].legend(fontsize=9)
        return save(figure, file)


def plot_grid(sampler: Vegas, file: Path, *, axes: tuple[int, int] = (0, 1)) -> Path:
    """Draw the grid of VEGAS on two axes, thinned out to about 64 lines each.

    Parameters
    ----------
    sampler
        A sampler with a grid, after `Sampler.integrate`.
    file
        Where the figure goes; the suffix decides the format.
    axes
        The two axes.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    ValueError
        If the integrand has no such axes.
    """
    edges = sampler.grid_edges
    if not all(0 <= axis < len(edges) for axis in axes):
        raise ValueError(f"axes {axes} are not among the {len(edges)} axes of the grid")
    step = max(1, sampler.bins // 64)
    with hep_figure(5.0, 5.0) as figure:
        panel = figure.subplots()
        for cut in edges[axes[0]][::step]:
            panel.axvline(cut, color=SIGNAL, linewidth=0.5)
        for cut in edges[axes[1]][::step]:
            panel.axhline(cut, color=BACKGROUND, linewidth=0.5)
        panel.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
        panel.set_xlabel(f"$x_{{{axes[0] + 1}}}$")
        panel.set_ylabel(f"$x_{{{axes[1] + 1}}}$")
        return save(figure, file)
