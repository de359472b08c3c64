"""Pictures of a game of VEGAS: the grid, and what the last iteration found in it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .family import KINDS
from .game import Episodes, progress

_DENSITY, _WEIGHTS = "#0077bb", "#ee7733"  # colour-blind safe


@dataclass(frozen=True)
class GridView:
    """What there is to see of one episode.

    Attributes
    ----------
    edges
        float64, shape (dim, bins + 1): the grid that the last iteration used.
    weights
        float64, shape (dim, bins): each bin's share of the squared weights, 0 before the first
        iteration.
    title
        Integrand and result so far.
    """

    edges: NDArray[np.float64]
    weights: NDArray[np.float64]
    title: str


def grid_view(episodes: Episodes, row: int, budget: int) -> GridView:
    """Collect what there is to see of the episode in a row."""
    kind, dim = KINDS[int(episodes.parameters[row, 0])], int(episodes.parameters[row, 1])
    so_far = {name: values[row] for name, values in progress(episodes, budget).items()}
    weights = episodes.weights[row, :dim]
    total = weights.sum(axis=1, keepdims=True)
    result = (
        f"I = {so_far['estimate']:.5g} ± {so_far['error']:.2g}"
        if so_far["error"] > 0.0
        else "nothing counted"
    )
    return GridView(
        edges=episodes.edges[row, :dim].copy(),
        weights=np.divide(weights, total, out=np.zeros_like(weights), where=total > 0.0),
        title=f"{kind}, {dim} dimensions, iteration {so_far['iterations']}, "
        f"{so_far['calls']:,} of {budget:,} calls: {result}",
    )


def draw(view: GridView) -> NDArray[np.uint8]:
    """Draw density and weights of each axis.

    Parameters
    ----------
    view
        The episode.

    Returns
    -------
    numpy.ndarray
        uint8, shape (500, 1000, 3).
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 5), dpi=100, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    dim = len(view.edges)
    rows = 1 if dim <= 4 else 2
    panels = figure.subplots(rows, math.ceil(dim / rows), squeeze=False).flat
    for axis, panel in enumerate(panels):
        if axis >= dim:
            panel.set_axis_off()
            continue
        edges, weights = view.edges[axis], view.weights[axis]
        # Rounding may leave bins without any width.
        width = np.maximum(np.diff(edges), np.finfo(np.float64).eps)
        panel.stairs(1.0 / (len(width) * width), edges, color=_DENSITY, label="grid density")
        panel.set(xlim=(0, 1), ylim=(0.01, 1000), yscale="log", xlabel=f"$x_{axis + 1}$")
        panel.tick_params(axis="y", colors=_DENSITY)
        other = panel.twinx()
        label = "squared weights in a bin / mean over bins"
        other.stairs(len(width) * weights, edges, color=_WEIGHTS, alpha=0.5, fill=True, label=label)
        other.set(ylim=(0, max(4.0, 1.2 * len(width) * weights.max())))
        other.tick_params(colors=_WEIGHTS)
        # The curve is drawn above the filled weights.
        panel.set_zorder(other.get_zorder() + 1)
        panel.set_frame_on(False)
        if axis == 0:
            handles = panel.get_legend_handles_labels()[0] + other.get_legend_handles_labels()[0]
    figure.suptitle(view.title, fontsize="medium")
    figure.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()
