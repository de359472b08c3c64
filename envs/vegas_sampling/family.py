"""The family of integrands that the game draws from, each with its exact integral.

All live on the unit hypercube. An integrand is a row of numbers, so that one compiled kernel serves
every episode.

- *Gaussian mixture*: one to three normal densities, cut off at the walls of the hypercube.
- *Product peak* (Genz): prod_i 1 / (a_i^-2 + (x_i - u_i)^2).
- *Corner peak* (Genz): (1 + sum_i a_i y_i)^-(d+1), where y_i is x_i or 1 - x_i, so that the peak
  may sit in any corner.

Genz's functions are those of A. Genz, "Testing multidimensional integration routines" (1984).
"""

from __future__ import annotations

import math

import numba

from ...datasets.integrands.vector_math import exp

MIN_DIM, MAX_DIM = 2, 8
MIXTURE, PRODUCT_PEAK, CORNER_PEAK = range(3)
KINDS = ("Gaussian mixture", "product peak", "corner peak")
MAX_COMPONENTS = 3

# A row of parameters: kind, dimension, components, then per component its logarithm of the
# amplitude and per axis two numbers (centre and scale; for the corner peak direction and slope).
HEADER = 3
BLOCK = 1 + 2 * MAX_DIM
PARAMETERS = HEADER + MAX_COMPONENTS * BLOCK
# Uniform random numbers that `draw` wants: the generator makes them 32 at a time.
UNIFORMS = 64

# Ranges of the parameters: uniform for centres and for the components' shares of the integral,
# uniform in the logarithm for the rest. A component's width is stretched axis by axis.
CENTRE = (0.15, 0.85)
SHARE = (0.2, 1.0)
WIDTH = (0.05, 0.5)
STRETCH = 1.4
PEAK_SLOPE = (3.0, 100.0)
CORNER_SLOPE = (0.3, 3.0)


@numba.njit(inline="always")
def _between(low, high, u):  # type: ignore[no-untyped-def]
    return low + (high - low) * u


@numba.njit(inline="always")
def _log_between(low, high, u):  # type: ignore[no-untyped-def]
    return low * (high / low) ** u


@numba.njit(cache=True)
def draw(u, parameters):  # type: ignore[no-untyped-def]
    """Turn uniform random numbers into an integrand.

    Parameters
    ----------
    u
        float64, shape (UNIFORMS,), each in [0, 1).
    parameters
        float64, shape (PARAMETERS,); overwritten.
    """
    parameters[:] = 0.0
    dim = MIN_DIM + int(u[0] * (MAX_DIM - MIN_DIM + 1))
    kind = int(3.0 * u[1])
    components = 1 + int(u[2] * MAX_COMPONENTS) if kind == MIXTURE else 1
    parameters[0], parameters[1], parameters[2] = kind, dim, components
    for k in range(components):
        own = u[3 + k * (2 + 2 * MAX_DIM) :]
        block = parameters[HEADER + k * BLOCK :]
        width = _log_between(WIDTH[0], WIDTH[1], own[0])
        if kind == MIXTURE:
            block[0] = math.log(_between(SHARE[0], SHARE[1], own[1]))
        for i in range(dim):
            first, second = own[2 + 2 * i], own[3 + 2 * i]
            if kind == MIXTURE:
                sigma = width * _log_between(1.0 / STRETCH, STRETCH, second)
                block[1 + 2 * i] = _between(CENTRE[0], CENTRE[1], first)
                block[2 + 2 * i] = 1.0 / (math.sqrt(2.0) * sigma)
                block[0] -= math.log(math.sqrt(2.0 * math.pi) * sigma)
            elif kind == PRODUCT_PEAK:
                block[1 + 2 * i] = _between(CENTRE[0], CENTRE[1], first)
                block[2 + 2 * i] = _log_between(PEAK_SLOPE[0], PEAK_SLOPE[1], second)
            else:
                block[1 + 2 * i] = 1.0 if first < 0.5 else 0.0
                block[2 + 2 * i] = _log_between(CORNER_SLOPE[0], CORNER_SLOPE[1], second)


@numba.njit(cache=True)
def exact(parameters):  # type: ignore[no-untyped-def]
    """Exact integral over the unit hypercube.

    Parameters
    ----------
    parameters
        float64, shape (PARAMETERS,).

    Returns
    -------
    float
    """
    kind, dim, components = int(parameters[0]), int(parameters[1]), int(parameters[2])
    total = 0.0
    if kind == CORNER_PEAK:
        # Integrating axis by axis leaves an alternating sum over the corners.
        for corner in range(1 << dim):
            height, sign = 1.0, 1.0
            for i in range(dim):
                if corner >> i & 1:
                    height += parameters[HEADER + 2 + 2 * i]
                    sign = -sign
            total += sign / height
        for i in range(dim):
            total /= (i + 1) * parameters[HEADER + 2 + 2 * i]
        return total
    for k in range(components):
        block = parameters[HEADER + k * BLOCK :]
        product = math.exp(block[0])
        for i in range(dim):
            centre, scale = block[1 + 2 * i], block[2 + 2 * i]
            if kind == MIXTURE:
                product *= math.sqrt(math.pi) / (2.0 * scale)
                product *= math.erf(scale * (1.0 - centre)) + math.erf(scale * centre)
            else:
                product *= scale * (math.atan(scale * (1.0 - centre)) + math.atan(scale * centre))
        total += product
    return total


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def evaluate(parameters, points, work, values):  # type: ignore[no-untyped-def]
    """Evaluate an integrand at many points.

    Parameters
    ----------
    parameters
        float64, shape (PARAMETERS,).
    points
        float64, shape (dim, n) or more rows: coordinates in [0, 1].
    work
        float64, shape (n,); overwritten.
    values
        float64, shape (n,); overwritten by the integrand.
    """
    kind, dim, components = int(parameters[0]), int(parameters[1]), int(parameters[2])
    n = len(values)
    if kind == MIXTURE:
        for k in range(components):
            block = parameters[HEADER + k * BLOCK :]
            work[:] = block[0]
            for i in range(dim):
                centre, scale = block[1 + 2 * i], block[2 + 2 * i]
                x = points[i]
                for j in range(n):
                    t = (x[j] - centre) * scale
                    work[j] -= t * t
            if k == 0:
                for j in range(n):
                    values[j] = exp(work[j])
            else:
                for j in range(n):
                    values[j] += exp(work[j])
        return
    block = parameters[HEADER:]
    work[:] = 1.0
    if kind == PRODUCT_PEAK:
        for i in range(dim):
            centre, scale = block[1 + 2 * i], block[2 + 2 * i]
            width = 1.0 / (scale * scale)
            x = points[i]
            for j in range(n):
                t = x[j] - centre
                work[j] *= width + t * t
        for j in range(n):
            values[j] = 1.0 / work[j]
    else:
        for i in range(dim):
            flipped, slope = block[1 + 2 * i], block[2 + 2 * i]
            x = points[i]
            for j in range(n):
                work[j] += slope * abs(flipped - x[j])
        values[:] = 1.0
        for _ in range(dim + 1):
            for j in range(n):
                values[j] *= work[j]
        for j in range(n):
            values[j] = 1.0 / values[j]
