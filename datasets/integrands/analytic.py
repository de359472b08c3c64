"""Integrands with exact integrals: i-flow's test functions and Genz's families.

i-flow's (arXiv:2001.05486): Gaussian, camel, entangled circles, annulus, polynomial. Genz's
(A. Genz, SIAM 1984): product peak, corner peak, discontinuous, oscillatory, with fixed parameters
given below. Each family has one kernel for all dimensions.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numba
import numpy as np

from .integrand import Integrand, Reference
from .vector_math import exp

WIDTH = 0.2
"""Width alpha of Gaussian and camel: exp(-(x - c)^2 / alpha^2)."""

RADIUS, CENTRE_X, CENTRE_Y, SHARPNESS = 0.25, 0.4, 0.6, 1.0 / 0.004
"""Entangled circles."""

INNER, OUTER = 0.2, 0.45
"""Radii of the annulus."""

PEAK_SHARPNESS = 10.0
"""c of the product peak, product over axes of 1 / (1 + c^2 (x - w)^2), w_k = k / (d + 1)."""

CORNER_SLOPE = 2.0
"""c of the corner peak (1 + c sum x)^-(d + 1)."""

STEP_SLOPE, STEP_1, STEP_2 = 2.0, 1.0 / math.sqrt(3.0), 1.0 / math.sqrt(2.0)
"""c and w of the discontinuous family: exp(c sum x) where x_1 < w_1 and x_2 < w_2, else 0."""

WAVE_SUM, WAVE_PHASE = 9.0, 0.3
"""Oscillatory: cos(2 pi w + sum c x) with c = 9 / d on each axis and w = 0.3."""

kernel = numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})


@kernel
def _squares(points, centre, out):  # type: ignore[no-untyped-def]
    """Sum over axes of (x - centre)^2."""
    out[:] = 0.0
    for k in range(points.shape[0]):
        row = points[k]
        for i in range(len(row)):
            out[i] += (row[i] - centre) * (row[i] - centre)


@kernel
def gauss(points, values):  # type: ignore[no-untyped-def]
    """Fill in the normal density about the centre with variance alpha^2 / 2 on each axis."""
    norm = 1.0 / (WIDTH * math.sqrt(math.pi)) ** points.shape[0]
    _squares(points, 0.5, values)
    for i in range(len(values)):
        values[i] = norm * exp(values[i] * (-1.0 / WIDTH**2))


@kernel
def camel(points, values):  # type: ignore[no-untyped-def]
    """Mean of two normal densities at 1/3 and 2/3 of the diagonal."""
    dim = points.shape[0]
    norm = 0.5 / (WIDTH * math.sqrt(math.pi)) ** dim
    # With u = x - 1/2 the two exponents are -(sum u^2 + d/36 +- sum u / 3) / alpha^2.
    square = np.zeros(len(values))
    values[:] = 0.0
    for k in range(dim):
        row = points[k]
        for i in range(len(values)):
            u = row[i] - 0.5
            square[i] += u * u
            values[i] += u
    for i in range(len(values)):
        even = (square[i] + dim / 36.0) * (-1.0 / WIDTH**2)
        odd = values[i] * (1.0 / (3.0 * WIDTH**2))
        values[i] = norm * (exp(even + odd) + exp(even - odd))


@kernel
def product_peak(points, values):  # type: ignore[no-untyped-def]
    """Genz's product peak."""
    dim = points.shape[0]
    values[:] = 1.0
    for k in range(dim):
        row = points[k]
        centre = (k + 1.0) / (dim + 1.0)
        for i in range(len(row)):
            u = PEAK_SHARPNESS * (row[i] - centre)
            values[i] *= 1.0 + u * u
    for i in range(len(values)):
        values[i] = 1.0 / values[i]


@kernel
def corner_peak(points, values):  # type: ignore[no-untyped-def]
    """Genz's corner peak."""
    dim = points.shape[0]
    values[:] = 1.0
    for k in range(dim):
        row = points[k]
        for i in range(len(row)):
            values[i] += CORNER_SLOPE * row[i]
    for i in range(len(values)):
        base = values[i]
        power = base
        for _ in range(dim):
            power *= base
        values[i] = 1.0 / power


@kernel
def discontinuous(points, values):  # type: ignore[no-untyped-def]
    """Genz's discontinuous function."""
    values[:] = 0.0
    for k in range(points.shape[0]):
        row = points[k]
        for i in range(len(row)):
            values[i] += STEP_SLOPE * row[i]
    first, second = points[0], points[1]
    for i in range(len(values)):
        value = exp(values[i])
        inside = (first[i] < STEP_1) & (second[i] < STEP_2)
        values[i] = value if inside else 0.0


@kernel
def oscillatory(points, values):  # type: ignore[no-untyped-def]
    """Genz's oscillatory function; it takes both signs."""
    dim = points.shape[0]
    values[:] = 2.0 * math.pi * WAVE_PHASE
    for k in range(dim):
        row = points[k]
        for i in range(len(row)):
            values[i] += (WAVE_SUM / dim) * row[i]
    for i in range(len(values)):
        values[i] = math.cos(values[i])


@kernel
def entangled_circles(points, values):  # type: ignore[no-untyped-def]
    """Two thin circles that cross, each fading along y."""
    xs, ys = points[0], points[1]
    for i in range(len(values)):
        x, y = xs[i], ys[i]
        u, v = 1.0 - x, 1.0 - y
        dx, dy = x - CENTRE_X, y - CENTRE_Y
        du, dv = u - CENTRE_X, v - CENTRE_Y
        first = abs(dx * dx + dy * dy - RADIUS**2)
        second = abs(du * du + dv * dv - RADIUS**2)
        values[i] = y * y * y * exp(-SHARPNESS * first) + v * v * v * exp(-SHARPNESS * second)


@kernel
def annulus(points, values):  # type: ignore[no-untyped-def]
    """1 between two circles about the centre, else 0."""
    _squares(points, 0.5, values)
    for i in range(len(values)):
        inside = (values[i] >= INNER**2) & (values[i] <= OUTER**2)
        values[i] = 1.0 if inside else 0.0


@kernel
def polynomial(points, values):  # type: ignore[no-untyped-def]
    """Sum over axes of x (1 - x)."""
    values[:] = 0.0
    for k in range(points.shape[0]):
        row = points[k]
        for i in range(len(row)):
            values[i] += row[i] * (1.0 - row[i])


def gauss_exact(dim: int) -> float:
    """Integral of the Gaussian."""
    return math.erf(0.5 / WIDTH) ** dim


def camel_exact(dim: int) -> float:
    """Integral of the camel: both humps contribute the same."""
    return (0.5 * (math.erf(1.0 / (3.0 * WIDTH)) + math.erf(2.0 / (3.0 * WIDTH)))) ** dim


def product_peak_exact(dim: int) -> float:
    """Integral of the product peak."""
    c = PEAK_SHARPNESS
    centres = [k / (dim + 1.0) for k in range(1, dim + 1)]
    return math.prod((math.atan(c * (1.0 - w)) + math.atan(c * w)) / c for w in centres)


def corner_peak_exact(dim: int) -> float:
    """Integral of the corner peak: with equal slopes Genz's alternating sum is a product."""
    return 1.0 / math.prod(1.0 + k * CORNER_SLOPE for k in range(1, dim + 1))


def discontinuous_exact(dim: int) -> float:
    """Integral of the discontinuous function."""
    ends = [STEP_1, STEP_2] + [1.0] * (dim - 2)
    return math.prod(math.expm1(STEP_SLOPE * end) / STEP_SLOPE for end in ends)


def oscillatory_exact(dim: int) -> float:
    """Integral of the oscillatory function."""
    half = 0.5 * WAVE_SUM / dim
    return math.cos(2.0 * math.pi * WAVE_PHASE + 0.5 * WAVE_SUM) * (math.sin(half) / half) ** dim


def polynomial_exact(dim: int) -> float:
    """Integral of the polynomial."""
    return dim / 6.0


IFLOW, GENZ = "arXiv:2001.05486", "A. Genz, Testing multidimensional integration routines (1984)"

# Kernel, exact integral, microseconds per point and axis, description, source.
FAMILIES: dict[str, tuple[Any, Callable[[int], float], float, str, str]] = {
    "gauss": (gauss, gauss_exact, 0.001, "Gaussian of width 0.2 at the centre", IFLOW),
    "camel": (camel, camel_exact, 0.001, "two Gaussians of width 0.2 on the diagonal", IFLOW),
    "product-peak": (product_peak, product_peak_exact, 0.001, "product of Breit-Wigners", GENZ),
    "corner-peak": (corner_peak, corner_peak_exact, 0.001, "peak in one corner", GENZ),
    "discontinuous": (discontinuous, discontinuous_exact, 0.001, "exponential with a cut", GENZ),
    "oscillatory": (oscillatory, oscillatory_exact, 0.004, "plane wave", GENZ),
    "polynomial": (polynomial, polynomial_exact, 0.001, "sum of x (1 - x)", IFLOW),
}

# The integral of the circles is given by i-flow with this error; no closed form is known.
CIRCLES = Reference(0.0136848, 1e-7, "arXiv:2001.05486")
ANNULUS = Reference(math.pi * (OUTER**2 - INNER**2))


def build(name: str) -> Integrand:
    """Make an integrand of this module.

    Parameters
    ----------
    name
        For example ``gauss-8d`` or ``annulus``.

    Returns
    -------
    Integrand
    """
    if name == "annulus":
        return Integrand(
            name,
            2,
            ANNULUS,
            0.002,
            "1 between two circles, else 0",
            IFLOW,
            kernel=annulus,
            tensorflow=_tensorflow("annulus"),
        )
    if name == "entangled-circles":
        return Integrand(
            name,
            2,
            CIRCLES,
            0.006,
            "two thin circles that cross",
            IFLOW,
            kernel=entangled_circles,
            tensorflow=_tensorflow("entangled_circles"),
        )
    family, _, dimension = name.rpartition("-")
    dim = int(dimension.removesuffix("d"))
    compiled, exact, cost, description, source = FAMILIES[family]
    return Integrand(
        name,
        dim,
        Reference(exact(dim)),
        cost * dim,
        f"{description}, {dim} dimensions",
        source,
        kernel=compiled,
        tensorflow=_tensorflow(family.replace("-", "_")),
    )


def _tensorflow(family: str) -> Callable[[Any], Any]:
    """Wrap a function of `analytic_tensorflow` so that TensorFlow is imported at the first call."""

    def evaluate(points: Any) -> Any:
        from . import analytic_tensorflow

        return getattr(analytic_tensorflow, family)(points)

    return evaluate
