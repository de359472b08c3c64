"""The VEGAS grid that a flow starts from: it maps the flow's cube to the integrand's."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ....envs.vegas_sampling.grid import accumulate, map_block, refine, uniform_edges


class Grid:
    """A grid with equally probable bins on each axis.

    Parameters
    ----------
    edges
        float64, shape (dim, bins + 1).
    """

    def __init__(self, edges: NDArray[np.float64]) -> None:
        self.edges = edges

    @property
    def dim(self) -> int:
        """Number of axes."""
        return len(self.edges)

    def to_points(
        self, uniform: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Map points of the flow's cube to points of the integrand's.

        Parameters
        ----------
        uniform
            float64, shape (n, dim), in [0, 1].

        Returns
        -------
        points : float64, shape (n, dim)
        jacobian : float64, shape (n,)
            Inverse of the grid's density.
        """
        points, jacobian, _ = self._map(uniform)
        return np.ascontiguousarray(points.T), jacobian

    def to_uniform(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Inverse of `to_points`, without the Jacobian."""
        count = self.edges.shape[1] - 1
        out = np.empty(points.shape)
        for axis, cuts in enumerate(self.edges):
            bins = np.clip(np.searchsorted(cuts, points[:, axis], "right") - 1, 0, count - 1)
            inside = (points[:, axis] - cuts[bins]) / (cuts[bins + 1] - cuts[bins])
            out[:, axis] = (bins + inside) / count
        return np.clip(out, 0.0, 1.0)

    def learn(
        self,
        weigh: Callable[[NDArray[np.float64]], NDArray[np.float64]],
        calls: int,
        alpha: float,
        random: np.random.Generator,
    ) -> NDArray[np.float64]:
        """One iteration of VEGAS.

        Parameters
        ----------
        weigh
            The integrand.
        calls
            Points to spend.
        alpha
            Damping.
        random
            Where the randomness comes from.

        Returns
        -------
        numpy.ndarray
            float64, shape (calls,): weights of the points.
        """
        points, jacobian, bins = self._map(random.random((calls, self.dim)))
        weights = weigh(np.ascontiguousarray(points.T)) * jacobian
        histogram = np.zeros((self.dim, self.edges.shape[1] - 1))
        accumulate(bins, weights**2, histogram)
        refine(self.edges, histogram, alpha)
        return weights

    def _map(
        self, uniform: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int32]]:
        # The compiled map wants numbers below one.
        points = np.ascontiguousarray(np.minimum(uniform, np.nextafter(1.0, 0.0)).T)
        jacobian = np.empty(len(uniform))
        bins = np.empty(points.shape, np.int32)
        map_block(self.edges, points, jacobian, bins)
        return points, jacobian, bins


def uniform_grid(dim: int, bins: int = 1) -> Grid:
    """Make a grid that maps every point to itself."""
    return Grid(uniform_edges(dim, bins))
