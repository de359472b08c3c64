"""Points from flow and grid together, with their exact density."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .grid import Grid
from .learner import Learner


class Drawn(NamedTuple):
    """Points that were drawn.

    Attributes
    ----------
    inner
        float64, shape (n, dim): points of the flow's cube.
    log_inner
        float64, shape (n,): logarithm of their density there.
    points
        float64, shape (n, dim): points of the integrand's cube.
    density
        float64, shape (n,): their density there.
    """

    inner: NDArray[np.float64]
    log_inner: NDArray[np.float64]
    points: NDArray[np.float64]
    density: NDArray[np.float64]


class Proposal:
    """The distribution that points are drawn from.

    A point comes from the flow or, with a small probability, uniformly into the flow's cube; the
    grid then maps it to the integrand's cube.

    Parameters
    ----------
    learner
        The flow.
    grid
        The grid.
    uniform_share
        Probability of a uniform point.
    """

    def __init__(self, learner: Learner, grid: Grid, uniform_share: float) -> None:
        self.learner = learner
        self.grid = grid
        self.uniform_share = uniform_share

    def draw(self, random: np.random.Generator, n: int) -> Drawn:
        """Draw independent points.

        Parameters
        ----------
        random
            Where the randomness comes from.
        n
            Number of points.

        Returns
        -------
        Drawn
        """
        inner = random.random((n, self.grid.dim))
        uniform = random.random(n) < self.uniform_share
        log_flow = np.empty(n)
        flow = ~uniform
        inner[flow], log_flow[flow] = self.learner.sample(inner[flow])
        if uniform.any():
            log_flow[uniform] = self.learner.log_density(inner[uniform])
        log_inner = self._mixed(log_flow)
        points, jacobian = self.grid.to_points(inner)
        return Drawn(inner, log_inner, points, np.exp(log_inner) / jacobian)

    def density(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Density at given points of the integrand's cube.

        Parameters
        ----------
        points
            float64, shape (n, dim), in [0, 1].

        Returns
        -------
        numpy.ndarray
            float64, shape (n,).
        """
        inner = self.grid.to_uniform(points)
        log_inner = self._mixed(self.learner.log_density(inner))
        density: NDArray[np.float64] = np.exp(log_inner) / self.grid.to_points(inner)[1]
        return density

    def _mixed(self, log_flow: NDArray[np.float64]) -> NDArray[np.float64]:
        share = self.uniform_share
        if not share:
            return log_flow
        return np.logaddexp(np.log1p(-share) + log_flow, np.log(share))
