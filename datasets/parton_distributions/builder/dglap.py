"""Evolution of distributions in the scale, by Mellin transformation, for many scales at once.

The anomalous dimensions are ekore's (arXiv:2202.02338). Between thresholds the next-to-leading
order equation is solved exactly: in closed form where a distribution evolves alone, by small steps
(Magnus expansion of fourth order) where quarks and gluon mix. Four flavours are active below the
bottom quark's mass and five above; at this order the distributions are continuous there. The
result is a matrix from values on the grid at Q0 to values at other points and scales.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..grid import DEGREE, blocks
from ..settings import M_BOTTOM, Q0
from ..strong_coupling import alpha_s, beta

_NODES = 96
_MAX_STEP = 0.02  # of ln a_s

Complex = NDArray[np.complex128]


@dataclass(frozen=True)
class Gammas:
    """Anomalous dimensions at one number of flavours.

    Attributes
    ----------
    plus, minus
        complex128, shape (2, ...): first and second order of the non-singlet ones.
    singlet
        complex128, shape (2, ..., 2, 2).
    """

    plus: Complex
    minus: Complex
    singlet: Complex


class Evolution:
    """Kernels from the grid at Q0 to other points and scales.

    Parameters
    ----------
    x_out
        Where evolved distributions are wanted, float64, shape (points out,), below 1 or 1 itself.
    grid
        The grid at Q0, float64, shape (points,).
    nodes
        Number of points of the inverse Mellin transformation.
    """

    def __init__(
        self, x_out: NDArray[np.float64], grid: NDArray[np.float64], nodes: int = _NODES
    ) -> None:
        self.x_out = np.asarray(x_out, np.float64)
        self.grid = grid
        # Talbot's path around the poles at 1, 0, -1, ...; only its upper half is needed.
        theta, weights = np.polynomial.legendre.leggauss(nodes)
        theta, weights = (theta + 1.0) * np.pi / 2.0, weights * np.pi / 2.0
        radius = 6.4 / (1.0 - np.log(self.x_out))[:, None]
        cotangent = 1.0 / np.tan(theta)
        self._n = (1.0 + radius * (theta * cotangent + 1j * theta)).astype(np.complex128)
        slope = radius * (cotangent - theta * (1.0 + cotangent**2) + 1j)
        measure = weights * slope / np.pi
        transforms = _transforms(self._n, np.log(self.x_out), np.log(grid))
        folded = measure[..., None] * transforms
        # Im(K W) = Re K Im W + Im K Re W, as one real matrix product.
        self._weights = np.concatenate([folded.imag, folded.real], axis=1)

    def kernels(self, scales: Iterable[float]) -> Iterator[NDArray[np.float64]]:
        """Kernels at scales.

        Parameters
        ----------
        scales
            In GeV, rising, the first at least Q0.

        Yields
        ------
        numpy.ndarray
            float64, shape (8, points out, points), in the order of `evolution.SECTORS`: f(x_out)
            from f on the grid. Below the bottom quark's mass T24 is Sigma.

        Raises
        ------
        ValueError
            If the scales do not rise from Q0.
        """
        q = Q0
        flow = _Flow(self._gammas4, 4, _a(Q0))
        for scale in scales:
            if not scale >= q:
                raise ValueError(f"scale {scale:g} GeV is below {q:g} GeV: they must rise from Q0")
            if q < M_BOTTOM <= scale:
                flow.to(_a(M_BOTTOM))
                flow = flow.with_bottom(self._gammas5)
            flow.to(_a(scale))
            q = scale
            yield self._invert(flow.in_moments())

    def _invert(self, moments: Complex) -> NDArray[np.float64]:
        """From (sectors, points out, nodes) to (sectors, points out, points)."""
        both = np.concatenate([moments.real, moments.imag], axis=2).transpose(1, 0, 2)
        out = (both @ self._weights).transpose(1, 0, 2)
        # At x = 1 nothing radiates into the point: the distribution there vanishes.
        ends = self.x_out == 1.0
        out[:, ends] = 0.0
        return out

    @cached_property
    def _gammas4(self) -> Gammas:
        return gammas(self._n, 4)

    @cached_property
    def _gammas5(self) -> Gammas:
        return gammas(self._n, 5)


class _Flow:
    """The evolution operators in moments while the coupling runs."""

    def __init__(self, gammas: Gammas, flavours: int, a: float) -> None:
        shape = gammas.plus.shape[1:]
        self.gammas, self.flavours, self.a = gammas, flavours, a
        self.plus = np.ones(shape, np.complex128)
        self.minus = np.ones(shape, np.complex128)
        self.singlet = np.broadcast_to(np.eye(2, dtype=np.complex128), (*shape, 2, 2)).copy()
        self.bottom: Complex | None = None  # (Sigma, g) to T24

    def with_bottom(self, gammas: Gammas) -> _Flow:
        """Go on with five flavours: T24 parts from Sigma."""
        flow = _Flow(gammas, 5, self.a)
        flow.plus, flow.minus, flow.singlet = self.plus, self.minus, self.singlet
        flow.bottom = self.singlet[..., 0, :].copy()
        return flow

    def to(self, a: float) -> None:
        """Run the coupling from where it is to a."""
        if a == self.a:
            return
        beta0, beta1 = beta(self.flavours)
        b = beta1 / beta0
        log_first = np.log(a * (1.0 + b * self.a) / (self.a * (1.0 + b * a)))
        log_second = np.log((1.0 + b * a) / (1.0 + b * self.a))

        def alone(gamma: Complex) -> Complex:
            return np.exp(gamma[0] / beta0 * log_first + gamma[1] / (beta0 * b) * log_second)

        plus = alone(self.gammas.plus)
        self.plus = plus * self.plus
        self.minus = alone(self.gammas.minus) * self.minus
        if self.bottom is not None:
            self.bottom = plus[..., None] * self.bottom
        span = np.log(a / self.a)
        steps = max(1, int(np.ceil(abs(span) / _MAX_STEP)))
        for number in range(steps):
            middle = self.a * np.exp(span * (number + 0.5) / steps)
            self.singlet = self._step(middle, span / steps) @ self.singlet
        self.a = a

    def _step(self, middle: float, width: float) -> Complex:
        """Fourth-order Magnus step in ln a with two Gauss points."""
        beta0, beta1 = beta(self.flavours)
        offset = width * np.sqrt(3.0) / 6.0
        first, second = (
            (self.gammas.singlet[0] + a * self.gammas.singlet[1]) / (beta0 + beta1 * a)
            for a in (middle * np.exp(-offset), middle * np.exp(offset))
        )
        commutator = second @ first - first @ second
        exponent = width / 2.0 * (first + second) + np.sqrt(3.0) / 12.0 * width**2 * commutator
        return _exponential(exponent)

    def in_moments(self) -> Complex:
        """All sectors, shape (8, points out, nodes)."""
        bottom = self.singlet[..., 0, :] if self.bottom is None else self.bottom
        s = self.singlet
        return np.stack(
            [
                self.plus,
                self.minus,
                s[..., 0, 0],
                s[..., 0, 1],
                s[..., 1, 0],
                s[..., 1, 1],
                bottom[..., 0],
                bottom[..., 1],
            ]
        )


def gammas(n: Complex, flavours: int) -> Gammas:
    """Anomalous dimensions from ekore, such that df / dln mu2 = -(a gamma0 + a^2 gamma1) f.

    Parameters
    ----------
    n
        Moments, complex128, any shape.
    flavours
        Number of active flavours.

    Returns
    -------
    Gammas
    """
    from ekore.anomalous_dimensions.unpolarized.space_like import as1, as2
    from ekore.harmonics import cache

    plus = np.empty((2, n.size), np.complex128)
    minus = np.empty((2, n.size), np.complex128)
    singlet = np.empty((2, n.size, 2, 2), np.complex128)
    for index, moment in enumerate(n.ravel()):
        sums = cache.reset()
        plus[0, index] = minus[0, index] = as1.gamma_ns(moment, sums)
        plus[1, index] = as2.gamma_nsp(moment, flavours, sums)
        minus[1, index] = as2.gamma_nsm(moment, flavours, sums)
        singlet[0, index] = as1.gamma_singlet(moment, sums, flavours)
        singlet[1, index] = as2.gamma_singlet(moment, flavours, sums)
    return Gammas(
        plus.reshape(2, *n.shape),
        minus.reshape(2, *n.shape),
        singlet.reshape(2, *n.shape, 2, 2),
    )


def _a(scale: ArrayLike) -> float:
    return float(alpha_s(scale)) / (4.0 * np.pi)


def _exponential(matrix: Complex) -> Complex:
    """Exponential of 2 x 2 matrices, shape (..., 2, 2)."""
    half_trace = (matrix[..., 0, 0] + matrix[..., 1, 1]) / 2.0
    half_gap = (matrix[..., 0, 0] - matrix[..., 1, 1]) / 2.0
    root = np.sqrt(half_gap**2 + matrix[..., 0, 1] * matrix[..., 1, 0])
    small = np.abs(root) < 1e-8
    sinh_ratio = np.where(small, 1.0, np.sinh(root) / np.where(small, 1.0, root))
    out = matrix * sinh_ratio[..., None, None]
    diagonal = np.cosh(root) - half_trace * sinh_ratio
    out[..., 0, 0] += diagonal
    out[..., 1, 1] += diagonal
    return np.exp(half_trace)[..., None, None] * out


def _transforms(n: Complex, log_x: NDArray[np.float64], log_grid: NDArray[np.float64]) -> Complex:
    """Mellin transforms of the grid's polynomials, times x^-N.

    Only the part of each polynomial above x is transformed: what lies below cannot reach x, and
    its factor would overflow.

    Parameters
    ----------
    n
        Moments, shape (points out, nodes).
    log_x, log_grid
        Logarithms of the points out and of the grid.

    Returns
    -------
    numpy.ndarray
        complex128, shape (points out, nodes, points).
    """
    out = np.zeros((*n.shape, len(log_grid)), np.complex128)
    for interval, first in enumerate(blocks(len(log_grid))):
        low, high = log_grid[interval], log_grid[interval + 1]
        rows = np.flatnonzero(log_x < high - 1e-12)
        if not rows.size:
            continue
        moments = n[rows]
        whole = (log_x[rows] < low - 1e-12)[:, None]
        up = np.exp(moments * (high - log_x[rows, None]))
        down = np.where(whole, np.exp(moments * np.where(whole, low - log_x[rows, None], 0.0)), 0)
        nodes = log_grid[first : first + DEGREE + 1]
        for term in range(DEGREE + 1):
            others = np.delete(nodes, term)
            # The polynomial in ln x and its derivatives at both ends: repeated partial
            # integration of exp(N t) p(t).
            polynomial = np.poly1d(others, r=True) / np.prod(nodes[term] - others)
            value = np.zeros_like(moments)
            for order in range(DEGREE + 1):
                derivative = polynomial.deriv(order) if order else polynomial
                ends = derivative(high) * up - derivative(low) * down
                value += (-1) ** order * ends / moments ** (order + 1)
            out[rows, :, first + term] += value
    return out
