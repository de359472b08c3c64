"""Phase space: maps from the unit hypercube to momenta, with their weights.

A map fills the momenta of n outgoing particles, rows (E, px, py, pz) in GeV in the centre of mass
frame, and returns the density dPhi_n / dr, where

    dPhi_n = (2 pi)^4 delta^4(Q - sum p) prod d^3p / ((2 pi)^3 2 E),

so that the mean of the weight over the 3 n - 4 dimensional hypercube is the volume of phase space.

- `rambo`: RAMBO on diet (arXiv:1308.2922). For massless particles the weight is constant; for
  massive ones it varies.
- `tree`: nested two-body decays, Q -> (12) 3 or Q -> (12)(34), with the masses of pairs sampled
  towards small ones and the first decay towards the beam axis. An independent map, and the better
  one for QCD.
- `radiation`: particles beside a pair are sampled in transverse momentum (logarithmically, above a
  cut), rapidity and azimuth; the pair takes what is left. Closest to QCD.
- `decay`: the two-body decay that all are made of.
"""

from __future__ import annotations

import math
from typing import Literal

import numba
import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "breit_wigner",
    "decay",
    "map_points",
    "radiation",
    "rambo",
    "tree",
    "two_body_volume",
    "volume",
]

device = numba.njit(cache=True, nogil=True, error_model="numpy")


@device
def two_body_momentum(mass, first, second):  # type: ignore[no-untyped-def]
    """Momentum of the products of a two-body decay in its rest frame."""
    plus, minus = first + second, first - second
    square = (mass - plus) * (mass + plus) * (mass - minus) * (mass + minus)
    return math.sqrt(max(square, 0.0)) / (2.0 * mass)


@device
def two_body_volume(mass, first, second):  # type: ignore[no-untyped-def]
    """Volume of two-body phase space, p / (4 pi M)."""
    return two_body_momentum(mass, first, second) / (4.0 * math.pi * mass)


@device
def decay(mother, mass, first, second, cosine, azimuth, out_first, out_second):  # type: ignore[no-untyped-def]
    """Decay a particle into two.

    Parameters
    ----------
    mother : float64, shape (4,)
        Its momentum.
    mass, first, second : float64
        Its mass and those of its products.
    cosine, azimuth : float64
        Direction of the first product in the rest frame, whose axes are those of the frame that
        ``mother`` is given in.
    out_first, out_second : float64, shape (4,)
        Filled with the momenta of the products; ``out_second`` may be ``mother``.
    """
    p = two_body_momentum(mass, first, second)
    sine = math.sqrt(max(0.0, (1.0 - cosine) * (1.0 + cosine)))
    px, py, pz = p * sine * math.cos(azimuth), p * sine * math.sin(azimuth), p * cosine
    energy = math.sqrt(p * p + first * first)
    total, qx, qy, qz = mother[0], mother[1], mother[2], mother[3]
    along = px * qx + py * qy + pz * qz
    boosted = (total * energy + along) / mass
    scale = (energy + boosted) / (total + mass)
    out_first[0] = boosted
    out_first[1] = px + scale * qx
    out_first[2] = py + scale * qy
    out_first[3] = pz + scale * qz
    out_second[0] = total - boosted
    out_second[1] = qx - out_first[1]
    out_second[2] = qy - out_first[2]
    out_second[3] = qz - out_first[3]


@device
def _inverse(power, r):  # type: ignore[no-untyped-def]
    """Solve (m + 1) v^m - m v^(m + 1) = r for v in [0, 1]."""
    if power == 1:
        return r / (1.0 + math.sqrt(1.0 - r))
    if power == 2 and r > 0.01:
        return 0.5 - math.sin(math.asin(1.0 - 2.0 * r) / 3.0)
    # From above the polynomial's root Newton's method would overshoot; bisection is safe near 1.
    low, high = 0.0, 1.0
    v = (r / (power + 1.0)) ** (1.0 / power)
    for _ in range(100):
        value = v**power * (power + 1.0 - power * v) - r
        if value > 0.0:
            high = v
        else:
            low = v
        slope = power * (power + 1.0) * v ** (power - 1) * (1.0 - v)
        step = v - value / slope if slope > 0.0 else 0.5 * (low + high)
        if not low < step < high:
            step = 0.5 * (low + high)
        if abs(step - v) <= 1e-15 * v:
            return step
        v = step
    return v


@device
def rambo(points, first, i, masses, energy, momenta):  # type: ignore[no-untyped-def]
    """Fill momenta by RAMBO on diet.

    Parameters
    ----------
    points : float64, shape (dim, number)
        Coordinates; the 3 n - 4 from row ``first`` on are used.
    first, i : int
        First row, and the column of the point.
    masses : float64, shape (n,)
        Of the particles, n from 2 on; their sum is less than ``energy``.
    energy : float64
        In the centre of mass frame.
    momenta : float64, shape (n, 4)
        Filled.

    Returns
    -------
    float64, the weight
    """
    n = len(masses)
    rest = 0.0
    for k in range(n):
        rest += masses[k]
    kinetic = energy - rest
    # Volume of massless phase space at the kinetic energy, then one factor for each decay.
    weight = 1.0 / (8.0 * math.pi)
    for k in range(2, n):
        weight *= kinetic * kinetic / (16.0 * math.pi * math.pi * k * (k - 1))
    mother = np.empty(4)
    mother[0], mother[1], mother[2], mother[3] = energy, 0.0, 0.0, 0.0
    mass = energy
    for k in range(n - 1):
        rest -= masses[k]
        if k == n - 2:
            next_kinetic = 0.0
            next_mass = masses[n - 1]
        else:
            # At the edge of the cube nothing would be left to share: keep a billionth.
            share = math.sqrt(_inverse(n - 2 - k, points[first + k, i]))
            next_kinetic = kinetic * max(share, 1e-9)
            next_mass = next_kinetic + rest
            weight *= next_mass / next_kinetic
        massless = (kinetic - next_kinetic) * (kinetic + next_kinetic) / (kinetic * kinetic)
        if massless > 0.0:
            weight *= 2.0 * two_body_momentum(mass, masses[k], next_mass) / (mass * massless)
        angle = first + n - 2 + 2 * k
        decay(
            mother,
            mass,
            masses[k],
            next_mass,
            2.0 * points[angle, i] - 1.0,
            2.0 * math.pi * points[angle + 1, i],
            momenta[k],
            mother,
        )
        mass, kinetic = next_mass, next_kinetic
    momenta[n - 1, :] = mother
    return weight


@device
def _pair_mass(r, low, high):  # type: ignore[no-untyped-def]
    """Sample the mass of a pair: density in M^2 proportional to 1 / (M^2 + (high / 20)^2).

    Returns
    -------
    mass : float64
    weight : float64, dM^2 / dr
    """
    soft = (0.05 * high) ** 2
    ratio = (high * high + soft) / (low * low + soft)
    square = (low * low + soft) * ratio**r - soft
    square = max(square, low * low, 1e-18 * high * high)
    return math.sqrt(square), (square + soft) * math.log(ratio)


@device
def _forward(r):  # type: ignore[no-untyped-def]
    """Sample a cosine: density proportional to 1 / (1 + e - c) + 1 / (1 + e + c).

    Returns
    -------
    cosine : float64
    weight : float64, dc / dr, divided by 2
    """
    wide = 1.1
    edge = math.log((wide + 1.0) / (wide - 1.0))
    c = wide * math.tanh(0.5 * edge * (2.0 * r - 1.0))
    return c, 0.5 * edge * (wide * wide - c * c) / wide


@device
def tree(points, first, i, masses, energy, momenta):  # type: ignore[no-untyped-def]
    """Fill momenta by nested decays; arguments and result as for `rambo`, n = 2, 3 or 4."""
    n = len(masses)
    mother = np.zeros(4)
    mother[0] = energy
    cosine, weight = _forward(points[first, i])
    azimuth = 2.0 * math.pi * points[first + 1, i]
    if n == 2:
        decay(mother, energy, masses[0], masses[1], cosine, azimuth, momenta[0], momenta[1])
        return weight * two_body_volume(energy, masses[0], masses[1])
    pair = np.empty(4)
    low = masses[0] + masses[1]
    rest = masses[2] if n == 3 else masses[2] + masses[3]
    mass, density = _pair_mass(points[first + 2, i], low, energy - rest)
    weight *= density / (2.0 * math.pi)
    if n == 3:
        decay(mother, energy, mass, masses[2], cosine, azimuth, pair, momenta[2])
        weight *= two_body_volume(energy, mass, masses[2])
    else:
        # A billionth where the other pair has taken all: no mass may be zero.
        left = max(energy - mass, rest + 1e-9 * energy)
        other, density = _pair_mass(points[first + 5, i], rest, left)
        weight *= density / (2.0 * math.pi)
        decay(mother, energy, mass, other, cosine, azimuth, pair, mother)
        weight *= two_body_volume(energy, mass, other)
        cosine = 2.0 * points[first + 6, i] - 1.0
        azimuth = 2.0 * math.pi * points[first + 7, i]
        decay(mother, other, masses[2], masses[3], cosine, azimuth, momenta[2], momenta[3])
        weight *= two_body_volume(other, masses[2], masses[3])
    cosine = 2.0 * points[first + 3, i] - 1.0
    azimuth = 2.0 * math.pi * points[first + 4, i]
    decay(pair, mass, masses[0], masses[1], cosine, azimuth, momenta[0], momenta[1])
    return weight * two_body_volume(mass, masses[0], masses[1])


@device
def radiation(points, first, i, masses, energy, pt_min, momenta):  # type: ignore[no-untyped-def]
    """Fill momenta of massless particles with transverse momenta above a cut, and of a pair.

    Parameters
    ----------
    points, first, i, energy, momenta
        As for `rambo`.
    masses : float64, shape (n,)
        Those of the last two are used, the others are massless.
    pt_min : float64
        The cut in GeV, which the pair does not have to pass.

    Returns
    -------
    float64, the weight: zero where the particles take more energy than there is; then the momenta
    of the pair are not filled.
    """
    n = len(masses)
    rest = masses[n - 2] + masses[n - 1]
    most = (energy - rest) * (energy + rest) / (2.0 * energy)
    steps = math.log(most / pt_min)
    mother = np.zeros(4)
    mother[0] = energy
    weight = 1.0
    row = first
    for k in range(n - 2):
        pt = pt_min * math.exp(steps * points[row, i])
        edge = math.acosh(max(most / pt, 1.0))
        rapidity = edge * (2.0 * points[row + 1, i] - 1.0)
        azimuth = 2.0 * math.pi * points[row + 2, i]
        momenta[k, 0] = pt * math.cosh(rapidity)
        momenta[k, 1] = pt * math.cos(azimuth)
        momenta[k, 2] = pt * math.sin(azimuth)
        momenta[k, 3] = pt * math.sinh(rapidity)
        # d^3p / 2E = pt dpt dy dphi / 2
        weight *= 0.5 * pt * pt * steps * 2.0 * edge / (4.0 * math.pi * math.pi)
        for mu in range(4):
            mother[mu] -= momenta[k, mu]
        row += 3
    square = mother[0] ** 2 - mother[1] ** 2 - mother[2] ** 2 - mother[3] ** 2
    if mother[0] <= 0.0 or square <= rest * rest:
        return 0.0
    mass = math.sqrt(square)
    cosine, density = _forward(points[row, i])
    azimuth = 2.0 * math.pi * points[row + 1, i]
    a, b = masses[n - 2], masses[n - 1]
    decay(mother, mass, a, b, cosine, azimuth, momenta[n - 2], momenta[n - 1])
    return weight * density * two_body_volume(mass, a, b)


@device
def breit_wigner(r, low, high, mass, width):  # type: ignore[no-untyped-def]
    """Sample a squared mass between two as a resonance has it.

    Returns
    -------
    square : float64
        Between ``low`` and ``high``, distributed as 1 / ((s - M^2)^2 + M^2 Gamma^2).
    weight : float64
        ds / dr.
    """
    scale = mass * width
    start = math.atan((low - mass * mass) / scale)
    end = math.atan((high - mass * mass) / scale)
    tangent = math.tan(start + r * (end - start))
    square = min(max(mass * mass + scale * tangent, low), high)
    return square, (end - start) * scale * (1.0 + tangent * tangent)


@device
def _map_rambo(points, masses, energy, momenta, weights):  # type: ignore[no-untyped-def]
    for i in range(len(weights)):
        weights[i] = rambo(points, 0, i, masses, energy, momenta[i])


@device
def _map_tree(points, masses, energy, momenta, weights):  # type: ignore[no-untyped-def]
    for i in range(len(weights)):
        weights[i] = tree(points, 0, i, masses, energy, momenta[i])


def map_points(
    points: ArrayLike,
    masses: ArrayLike,
    energy: float,
    method: Literal["rambo", "tree"] = "rambo",
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Map points of the unit hypercube to momenta.

    Parameters
    ----------
    points
        Shape (number, 3 n - 4), in [0, 1].
    masses
        Of the n outgoing particles, in GeV.
    energy
        In the centre of mass frame, in GeV.
    method
        rambo, or tree (n up to 4).

    Returns
    -------
    momenta : float64, shape (number, n, 4)
        (E, px, py, pz) in GeV.
    weights : float64, shape (number,)
        Their mean is the volume of phase space, in GeV^(2 n - 4).

    Raises
    ------
    ValueError
        If the shape of the points or the number of particles does not fit, a mass is negative,
        or the energy is too low.
    """
    mass = np.ascontiguousarray(masses, dtype=np.float64)
    array = np.asarray(points, dtype=np.float64)
    n = len(mass)
    kernels = {"rambo": _map_rambo, "tree": _map_tree}
    if method not in kernels:
        raise ValueError(f"method must be rambo or tree, not {method!r}")
    if n < 2 or (method == "tree" and n > 4):
        raise ValueError(f"{method} cannot make {n} particles")
    if array.ndim != 2 or array.shape[1] != 3 * n - 4:
        raise ValueError(f"{n} particles need points of shape (number, {3 * n - 4})")
    if np.any(mass < 0) or not energy > mass.sum():
        raise ValueError(f"{energy} GeV are not enough for masses {mass.tolist()}")
    momenta, weights = np.empty((len(array), n, 4)), np.empty(len(array))
    kernels[method](np.ascontiguousarray(array.T), mass, float(energy), momenta, weights)
    return momenta, weights


def volume(n: int, energy: float) -> float:
    """Volume of the phase space of n massless particles, in closed form."""
    gamma = math.factorial(n - 1) * math.factorial(n - 2)
    ratio = (energy / (4.0 * math.pi)) ** (2 * n - 4)
    return ratio / (8.0 * math.pi * gamma)
