"""The x-grid on which distributions are given, and how they are interpolated between its points.

The points lie evenly in y = 5 (1 - x) - ln x: logarithmic at small x, linear at large x
(arXiv:2008.12789, equation 2.11). Between them a distribution is a polynomial of degree 4 in ln x
through five neighbouring points, as in EKO and yadism (arXiv:2202.02338), so that a coefficient
function folded with the polynomials is a row of a table.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

POINTS = 50
X_MIN = 2e-7
DEGREE = 4


def lambert_grid(points: int = POINTS, x_min: float = X_MIN) -> NDArray[np.float64]:
    """Points that lie evenly in y = 5 (1 - x) - ln x.

    Parameters
    ----------
    points
        Number of points, at least 2.
    x_min
        The smallest; the largest is 1.

    Returns
    -------
    numpy.ndarray
        float64, shape (points,), rising.
    """
    y = np.linspace(5.0 * (1.0 - x_min) - np.log(x_min), 0.0, points)
    # Newton's method in ln x, where the function is convex: it converges from the left.
    log_x = np.minimum(5.0 - y, 0.0)
    for _ in range(60):
        x = np.exp(log_x)
        log_x -= (5.0 * (1.0 - x) - log_x - y) / (-5.0 * x - 1.0)
    grid = np.exp(log_x)
    grid[0], grid[-1] = x_min, 1.0
    return grid


def blocks(points: int, degree: int = DEGREE) -> NDArray[np.int64]:
    """First of the neighbouring points through which each interval's polynomial goes.

    Parameters
    ----------
    points
        Number of points of the grid.
    degree
        Degree of the polynomials.

    Returns
    -------
    numpy.ndarray
        int64, shape (points - 1,).
    """
    before = degree // 2 - (degree % 2 == 0)
    return np.clip(np.arange(points - 1) - before, 0, points - 1 - degree)


def interpolation(
    x: ArrayLike, grid: NDArray[np.float64], degree: int = DEGREE
) -> NDArray[np.float64]:
    """Weights of the grid's points in the values in between.

    The polynomials go through values of f, not of x f: f(x) = sum_k w_k f(x_k).

    Parameters
    ----------
    x
        Real numbers between the first and the last point, shape (n,).
    grid
        Rising points, shape (points,).
    degree
        Degree of the polynomials.

    Returns
    -------
    numpy.ndarray
        float64, shape (n, points).

    Raises
    ------
    ValueError
        If x lies outside the grid.
    """
    wanted = np.atleast_1d(np.asarray(x, np.float64))
    if wanted.size and not (wanted.min() >= grid[0] and wanted.max() <= grid[-1]):
        raise ValueError(f"x must lie between {grid[0]:g} and {grid[-1]:g}")
    interval = np.clip(np.searchsorted(grid, wanted, side="left") - 1, 0, len(grid) - 2)
    first = blocks(len(grid), degree)[interval]
    columns = first[:, None] + np.arange(degree + 1)
    log_grid, log_x = np.log(grid), np.log(wanted)
    nodes = log_grid[columns]
    weights = np.zeros((len(wanted), len(grid)))
    for term in range(degree + 1):
        others = np.delete(nodes, term, axis=1)
        factors = (log_x[:, None] - others) / (nodes[:, [term]] - others)
        weights[np.arange(len(wanted)), columns[:, term]] = factors.prod(axis=1)
    return weights
