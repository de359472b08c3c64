"""Pictures of a fit: its distributions beside those of the reference."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...datasets.parton_distributions.bases import EVOLUTION, FITTED
from .population import Population


def draw(population: Population, fit: int) -> NDArray[np.uint8]:
    """Draw the distributions of a fit at Q0 with the reference set, the truth in closure tests.

    Parameters
    ----------
    population
        The fits.
    fit
        Which one.

    Returns
    -------
    numpy.ndarray
        uint8, shape (500, 900, 3).
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    problem = population.game.problem
    f = population.game.distributions(int(population.replica[fit]), population.parameters[fit])
    figure = Figure(figsize=(9, 5), dpi=100, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    for axes, name in zip(figure.subplots(2, 4).flat, FITTED, strict=True):
        row = EVOLUTION.index(name)
        reference = problem.reference[row]
        axes.plot(problem.data.x, reference, color="#333333", label="reference")
        axes.plot(problem.data.x, f[row], color="#cc3311", label="fit")
        size = np.abs(reference[problem.data.x > 1e-4]).max()
        axes.set(xscale="log", title=f"x {name}", xlim=(1e-5, 1), ylim=(-0.7 * size, 1.7 * size))
    figure.axes[0].legend(frameon=False, fontsize="small")
    figure.suptitle(write(population, fit))
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def write(population: Population, fit: int) -> str:
    """Write a line about a fit."""
    now = population.now
    return (
        f"replica {population.replica[fit]}, step {population.steps[fit]} of "
        f"{population.rules.budget}: chi2 per point {now.training[fit]:.3f} training, "
        f"{now.validation[fit]:.3f} validation"
    )
