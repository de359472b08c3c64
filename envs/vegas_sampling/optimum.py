"""The best grid for an integrand of the game, which nobody who plays knows: the limit of the game.

The square of every integrand of `family` is a sum of products of functions of one coordinate,

    f(x)^2 = sum_t c_t prod_i h_ti(x_i),

exactly for Gaussian mixtures and product peaks, as a rapidly converging quadrature of
1/s^n = int t^(n-1) exp(-s t) dt / (n-1)! for corner peaks. On a grid whose bins are equally
probable the mean square of the weights is then

    sum_t c_t prod_i ( bins sum_b width_b int_b h_ti ),

without any random number. `optimal_grid` minimises it, axis by axis and again, with Newton's
method for the edges of an axis. Among all densities that are products over the axes the mean square
is a convex function (1 / prod_i q_i is), so that going round the axes leads to the one minimum.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, solve_banded
from scipy.special import erf, gammaln

from .family import BLOCK, CORNER_PEAK, HEADER, MIXTURE
from .game import BINS

Array = NDArray[np.float64]

_NODES = 64
_LOWEST_T, _HIGHEST_T = 1e-3, 60.0
"""Nodes of the quadrature, evenly in ln t; what lies outside is below 1e-8 of the whole."""

_START_POINTS = 4001
_ROUNDS, _STEPS, _TRIES = 40, 50, 30


@dataclass(frozen=True)
class SquaredIntegrand:
    """The square of an integrand as a sum of products.

    Attributes
    ----------
    coefficients
        float64, shape (terms,): c_t / exp(log_scale).
    log_scale
        Common logarithm of the coefficients' size.
    first, second
        float64, shape (dim, terms): parameters of h_ti.
    kind
        Kind of the integrand.
    """

    coefficients: Array
    log_scale: float
    first: Array
    second: Array
    kind: int

    @property
    def dim(self) -> int:
        """Number of axes."""
        return len(self.first)

    def density(self, axis: int, x: Array) -> Array:
        """h_ti at some places, float64, shape (terms, n)."""
        a, b = self.first[axis][:, None], self.second[axis][:, None]
        if self.kind == MIXTURE:
            return np.asarray(np.exp(-(((x - a) * b) ** 2)))
        if self.kind == CORNER_PEAK:
            return np.asarray(np.exp(-b * np.abs(a - x)))
        return np.asarray(b**4 / (1.0 + (b * (x - a)) ** 2) ** 2)

    def cumulative(self, axis: int, x: Array) -> Array:
        """Integral of h_ti up to some places, but for a constant, float64, shape (terms, n)."""
        a, b = self.first[axis][:, None], self.second[axis][:, None]
        if self.kind == MIXTURE:
            return np.asarray(0.5 * math.sqrt(math.pi) / b * erf((x - a) * b))
        if self.kind == CORNER_PEAK:
            from_corner = -np.expm1(-b * np.abs(a - x)) / b
            return np.asarray(np.where(a == 0.0, from_corner, -from_corner))
        u = b * (x - a)
        return np.asarray(0.5 * b**3 * (np.arctan(u) + u / (1.0 + u * u)))


def squared(parameters: Array) -> SquaredIntegrand:
    """Write the square of an integrand as a sum of products.

    Parameters
    ----------
    parameters
        float64, shape (family.PARAMETERS,): a row of `family.draw`.

    Returns
    -------
    SquaredIntegrand
    """
    kind, dim, components = (int(number) for number in parameters[:3])
    blocks = [parameters[HEADER + k * BLOCK :][:BLOCK] for k in range(components)]
    # Per axis two numbers: centre and scale, or direction and slope.
    one, two = (
        np.array([block[1 + offset : 1 + 2 * dim : 2] for block in blocks]) for offset in (0, 1)
    )
    if kind == MIXTURE:
        # The product of two normal densities is a normal density.
        k, m = (index.ravel() for index in np.indices((components, components)))
        scale = np.hypot(two[k], two[m])
        centre = (one[k] * two[k] ** 2 + one[m] * two[m] ** 2) / scale**2
        apart = two[k] * two[m] / scale * (one[k] - one[m])
        amplitudes = np.array([block[0] for block in blocks])
        logs = amplitudes[k] + amplitudes[m] - (apart**2).sum(axis=1)
        return SquaredIntegrand(
            np.exp(logs - logs.max()), float(logs.max()), centre.T.copy(), scale.T.copy(), kind
        )
    if kind == CORNER_PEAK:
        power = 2 * (dim + 1)
        log_t = np.linspace(math.log(_LOWEST_T), math.log(_HIGHEST_T), _NODES)
        t = np.exp(log_t)
        coefficients = (log_t[1] - log_t[0]) * np.exp(power * log_t - t - gammaln(power))
        corner = np.repeat(one.T, _NODES, axis=1)
        return SquaredIntegrand(coefficients, 0.0, corner, two.T * t, kind)
    return SquaredIntegrand(np.ones(1), 0.0, one.T.copy(), two.T.copy(), kind)


def bin_moments(square: SquaredIntegrand, edges: Array) -> Array:
    """Mean square of the weights, bin by bin: what squared weights add up to without noise.

    Parameters
    ----------
    square
        The squared integrand.
    edges
        float64, shape (dim, bins + 1).

    Returns
    -------
    numpy.ndarray
        float64, shape (dim, bins): contributions of the bins of each axis; those of one axis add
        up to the mean of the squared weights.
    """
    bins = edges.shape[1] - 1
    shares = np.stack(
        [
            bins * np.diff(edges[axis]) * np.diff(square.cumulative(axis, edges[axis]))
            for axis in range(square.dim)
        ]
    )
    totals = shares.sum(axis=2)
    moments = np.empty((square.dim, bins))
    for axis in range(square.dim):
        moments[axis] = _others(square, totals, axis) @ shares[axis]
    return np.asarray(moments * math.exp(square.log_scale))


def deviation(square: SquaredIntegrand, edges: Array, exact: float) -> float:
    """Give the standard deviation of a weight over its mean, on a grid.

    Parameters
    ----------
    square, edges
        As in `bin_moments`.
    exact
        Integral of the integrand.

    Returns
    -------
    float
    """
    return math.sqrt(max(float(bin_moments(square, edges)[0].sum()) / exact**2 - 1.0, 0.0))


def optimal_grid(square: SquaredIntegrand, bins: int = BINS) -> Array:
    """Find the grid on which weights vary least.

    Parameters
    ----------
    square
        The squared integrand.
    bins
        Bins on each axis.

    Returns
    -------
    numpy.ndarray
        float64, shape (dim, bins + 1): edges from 0 to 1.
    """
    fine = np.linspace(0.0, 1.0, _START_POINTS)
    on_fine = [square.density(axis, fine) for axis in range(square.dim)]
    ends = np.array([0.0, 1.0])
    totals = np.stack([np.diff(square.cumulative(axis, ends))[:, 0] for axis in range(square.dim)])
    edges = np.zeros((square.dim, bins + 1))
    last = math.inf
    for turn in range(_ROUNDS):
        for axis in range(square.dim):
            factors = _others(square, totals, axis)
            factors = factors / factors.max()
            if turn == 0:
                # With many bins their widths go with the inverse root of the marginal square.
                edges[axis] = _quantiles(fine, np.sqrt(factors @ on_fine[axis]), bins)
            edges[axis] = _minimise(square, axis, factors, edges[axis])
            widths, cumulative = np.diff(edges[axis]), square.cumulative(axis, edges[axis])
            totals[axis] = bins * np.diff(cumulative) @ widths
        mean_square = float(square.coefficients @ totals.prod(axis=0))
        if last - mean_square < 1e-9 * mean_square:
            break
        last = mean_square
    return edges


def _others(square: SquaredIntegrand, totals: Array, axis: int) -> Array:
    """Coefficients with all axes but one integrated over."""
    rest = np.delete(totals, axis, axis=0).prod(axis=0)
    return np.asarray(square.coefficients * rest)


def _quantiles(x: Array, density: Array, bins: int) -> Array:
    """Edges of bins with equal shares of a density that is linear between places."""
    below = np.concatenate([[0.0], np.cumsum(0.5 * (density[1:] + density[:-1]) * np.diff(x))])
    edges = np.interp(np.linspace(0.0, below[-1], bins + 1), below, x)
    edges[0], edges[-1] = 0.0, 1.0
    return np.asarray(edges)


def _minimise(square: SquaredIntegrand, axis: int, factors: Array, edges: Array) -> Array:
    """Minimise sum_b width_b G_b, with the integral G_b of an axis's marginal square in a bin."""

    def cumulative(x: Array) -> Array:
        return np.asarray(factors @ square.cumulative(axis, x))

    def density(x: Array) -> Array:
        return np.asarray(factors @ square.density(axis, x))

    def value(x: Array) -> float:
        return float(np.diff(x) @ np.diff(cumulative(x)))

    least = value(edges)
    for _ in range(_STEPS):
        below, here = cumulative(edges), density(edges)
        inner = here[1:-1]
        lopsided = 2.0 * edges[1:-1] - edges[:-2] - edges[2:]
        gradient = 2.0 * below[1:-1] - below[:-2] - below[2:] + inner * lopsided
        step = 1e-6
        slope = (density(edges[1:-1] + step) - density(edges[1:-1] - step)) / (2.0 * step)
        # A curvature that is not positive would lead uphill.
        curvature = np.maximum(4.0 * inner + slope * lopsided, 4e-3 * inner)
        bands = np.zeros((3, len(inner)))
        bands[0, 1:] = bands[2, :-1] = -(inner[:-1] + inner[1:])
        damping = 0.0
        for _ in range(_TRIES):
            bands[1] = curvature + damping * 4.0 * inner
            try:
                moved = edges.copy()
                moved[1:-1] -= solve_banded((1, 1), bands, gradient)
            except (LinAlgError, ValueError):
                moved = np.zeros_like(edges)
            if (np.diff(moved) > 0.0).all() and (found := value(moved)) <= least:
                break
            damping = max(3.0 * damping, 1e-3)
        else:
            return edges
        done = least - found < 1e-12 * least
        edges, least = moved, found
        if done:
            break
    return edges
