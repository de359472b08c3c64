"""Tree amplitudes of gluons, with and without a pair of massive quarks, by recursion.

Colour-ordered amplitudes from off-shell currents (F. A. Berends and W. T. Giele, Nucl. Phys. B306
(1988) 759), summed over colour with explicit SU(3) matrices (`colour`). All particles are outgoing
inside; incoming ones have their momenta reversed. Ordered Feynman rules as in hep-ph/9601359:

    gluons  J(1..n) = 1/P^2 [ sum [J, J'] / sqrt(2) + sum {J, J', J''} / 2 ],
    quarks  Psi(1..n) = -i (P - m)^-1 ... , vertex i gamma^mu / sqrt(2).

Which currents are made of which is worked out once, in Python, as a list of instructions (a
`Program`) that one compiled function carries out. A current of gluons that is read backwards is the
same up to a sign: half of them are copied.

Spinors are in the chiral representation. The spin of a quark is along z in its rest frame, the
polarisation of a gluon is its helicity.
"""

from __future__ import annotations

import math
from itertools import combinations, permutations
from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from .colour import adjoint_colour, quark_colour

__all__ = ["GluonProcess", "QuarkProcess", "gluon_sum", "polarisation", "quark_sum"]

device = numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})

_BRACKET, _QUARTIC, _PROPAGATE, _REVERSE = 0, 1, 2, 3


class GluonProcess(NamedTuple):
    """What `gluon_sum` needs to know about n gluons.

    Attributes
    ----------
    program : int64, shape (steps, 5)
        Instruction, current that it writes, and up to three currents that it reads.
    masks : int64, shape (currents,)
        Gluons in a current, as bits.
    last : int64, shape (orders,)
        The currents of all gluons but one, in the order of ``colour``.
    colour : float64, shape (orders, orders)
        Colour sums.
    """

    program: NDArray[np.int64]
    masks: NDArray[np.int64]
    last: NDArray[np.int64]
    colour: NDArray[np.float64]

    @classmethod
    def make(cls, gluons: int) -> GluonProcess:
        """Work out the instructions for a number of gluons."""
        middle = gluons - 2
        orders = list(permutations(range(middle)))
        front = [
            (middle, *part)
            for size in range(1, middle + 1)
            for part in permutations(range(middle), size)
        ]
        sequences = [*_sequences(middle), (middle,), *front]
        program = _gluon_program(sequences, middle)
        # What is left for the last gluon is amputated: no propagator.
        steps = [
            row
            for row in program
            if not (row[0] == _PROPAGATE and len(sequences[row[1]]) == gluons - 1)
        ]
        number = {sequence: k for k, sequence in enumerate(sequences)}
        return cls(
            np.array(steps, np.int64).reshape(-1, 5),
            _masks(sequences),
            np.array([number[(middle, *order)] for order in orders], np.int64),
            adjoint_colour(gluons),
        )


class QuarkProcess(NamedTuple):
    """What `quark_sum` needs to know about a quark, an antiquark and n gluons.

    Attributes
    ----------
    program, masks
        As in `GluonProcess`.
    quark_program : int64, shape (steps, 3)
        Spinor that is written, or -1 - order for an amplitude; current and spinor that are read.
        Where the current is -1 the spinor is complete and gets its propagator.
    quark_masks : int64, shape (spinors,)
        Gluons in a spinor, as bits.
    colour : float64, shape (orders, orders)
        Colour sums.
    """

    program: NDArray[np.int64]
    masks: NDArray[np.int64]
    quark_program: NDArray[np.int64]
    quark_masks: NDArray[np.int64]
    colour: NDArray[np.float64]

    @classmethod
    def make(cls, gluons: int) -> QuarkProcess:
        """Work out the instructions for a number of gluons."""
        sequences = _sequences(gluons)
        number = {sequence: k for k, sequence in enumerate(sequences)}
        inner = [()] + [s for s in sequences if len(s) < gluons]
        spinor = {sequence: k for k, sequence in enumerate(inner)}
        steps: list[tuple[int, int, int]] = []
        for sequence in inner[1:]:
            steps += [
                (spinor[sequence], number[sequence[:cut]], spinor[sequence[cut:]])
                for cut in range(1, len(sequence) + 1)
            ]
            steps.append((spinor[sequence], -1, 0))
        for k, order in enumerate(permutations(range(gluons))):
            steps += [
                (-1 - k, number[order[:cut]], spinor[order[cut:]]) for cut in range(1, gluons + 1)
            ]
        return cls(
            np.array(_gluon_program(sequences, gluons), np.int64).reshape(-1, 5),
            _masks(sequences),
            np.array(steps, np.int64),
            _masks(inner),
            quark_colour(gluons),
        )


def _sequences(gluons: int) -> list[tuple[int, ...]]:
    """All ordered selections of gluons, short ones first."""
    return [s for size in range(1, gluons + 1) for s in permutations(range(gluons), size)]


def _masks(sequences: list[tuple[int, ...]]) -> NDArray[np.int64]:
    return np.array([sum(1 << k for k in sequence) for sequence in sequences], np.int64)


def _gluon_program(
    sequences: list[tuple[int, ...]], middle: int
) -> list[tuple[int, int, int, int, int]]:
    """Instructions for the currents of gluons."""
    number = {sequence: k for k, sequence in enumerate(sequences)}
    steps = []
    for sequence in sequences:
        size, own = len(sequence), number[sequence]
        if size == 1:
            continue
        mirrored = sequence[::-1]
        if sequence[0] != middle and mirrored < sequence:
            steps.append((_REVERSE, own, number[mirrored], size, 0))
            continue
        steps += [
            (_BRACKET, own, number[sequence[:cut]], number[sequence[cut:]], 0)
            for cut in range(1, size)
        ]
        steps += [
            (_QUARTIC, own, number[sequence[:a]], number[sequence[a:b]], number[sequence[b:]])
            for a, b in combinations(range(1, size), 2)
        ]
        steps.append((_PROPAGATE, own, 0, 0, 0))
    return steps


@device
def _sum_momenta(momenta, sums):  # type: ignore[no-untyped-def]
    """Fill the sums of momenta of all subsets; bit k of the index stands for particle k."""
    sums[0, :] = 0.0
    for mask in range(1, len(sums)):
        k = 0
        while not (mask >> k) & 1:
            k += 1
        for mu in range(4):
            sums[mask, mu] = sums[mask & (mask - 1), mu] + momenta[k, mu]


@device
def _currents(program, masks, sums, J):  # type: ignore[no-untyped-def]
    """Carry out the instructions for gluons; the first currents in J are those of single ones."""
    half, root = 0.5, 1.0 / math.sqrt(2.0)
    for step in range(len(program)):
        kind, own = program[step, 0], program[step, 1]
        if kind == _BRACKET:
            a, b = program[step, 2], program[step, 3]
            p, q = masks[a], masks[b]
            a0, a1, a2, a3 = J[a, 0], J[a, 1], J[a, 2], J[a, 3]
            b0, b1, b2, b3 = J[b, 0], J[b, 1], J[b, 2], J[b, 3]
            p0, p1, p2, p3 = sums[p, 0], sums[p, 1], sums[p, 2], sums[p, 3]
            q0, q1, q2, q3 = sums[q, 0], sums[q, 1], sums[q, 2], sums[q, 3]
            ab = root * (a0 * b0 - a1 * b1 - a2 * b2 - a3 * b3)
            qa = 2.0 * root * (q0 * a0 - q1 * a1 - q2 * a2 - q3 * a3)
            pb = 2.0 * root * (p0 * b0 - p1 * b1 - p2 * b2 - p3 * b3)
            J[own, 0] += qa * b0 - pb * a0 + (p0 - q0) * ab
            J[own, 1] += qa * b1 - pb * a1 + (p1 - q1) * ab
            J[own, 2] += qa * b2 - pb * a2 + (p2 - q2) * ab
            J[own, 3] += qa * b3 - pb * a3 + (p3 - q3) * ab
        elif kind == _QUARTIC:
            a, b, c = program[step, 2], program[step, 3], program[step, 4]
            a0, a1, a2, a3 = J[a, 0], J[a, 1], J[a, 2], J[a, 3]
            b0, b1, b2, b3 = J[b, 0], J[b, 1], J[b, 2], J[b, 3]
            c0, c1, c2, c3 = J[c, 0], J[c, 1], J[c, 2], J[c, 3]
            ac = a0 * c0 - a1 * c1 - a2 * c2 - a3 * c3
            ab = half * (a0 * b0 - a1 * b1 - a2 * b2 - a3 * b3)
            bc = half * (b0 * c0 - b1 * c1 - b2 * c2 - b3 * c3)
            J[own, 0] += ac * b0 - ab * c0 - bc * a0
            J[own, 1] += ac * b1 - ab * c1 - bc * a1
            J[own, 2] += ac * b2 - ab * c2 - bc * a2
            J[own, 3] += ac * b3 - ab * c3 - bc * a3
        elif kind == _PROPAGATE:
            p = masks[own]
            square = sums[p, 0] ** 2 - sums[p, 1] ** 2 - sums[p, 2] ** 2 - sums[p, 3] ** 2
            factor = 1.0 / square
            for mu in range(4):
                J[own, mu] *= factor
        else:
            other, size = program[step, 2], program[step, 3]
            sign = 1.0 if size & 1 else -1.0
            for mu in range(4):
                J[own, mu] = sign * J[other, mu]


@device
def polarisation(momentum, helicity, vector):  # type: ignore[no-untyped-def]
    """Fill the polarisation vector of an outgoing gluon, conjugate for positive energies.

    Parameters
    ----------
    momentum : float64, shape (4,)
        Massless. A negative energy stands for an incoming gluon.
    helicity : int
        +1 or -1, of the physical gluon.
    vector : complex128, shape (4,)
        Filled; no component in time.
    """
    sign = 1.0 if momentum[0] > 0.0 else -1.0
    x, y, z = sign * momentum[1], sign * momentum[2], sign * momentum[3]
    flat = x * x + y * y
    length = math.sqrt(flat + z * z)
    transverse = math.sqrt(flat)
    cosine, sine = z / length, transverse / length
    if transverse > 1e-12 * length:
        cx, cy = x / transverse, y / transverse
    else:
        cx, cy = 1.0, 0.0
    root = 1.0 / math.sqrt(2.0)
    # e(h) = (-h e_theta - i e_phi) / sqrt(2); an outgoing gluon has its conjugate.
    turn = 1.0j * sign
    vector[0] = 0.0
    vector[1] = root * (-helicity * cosine * cx - turn * cy)
    vector[2] = root * (-helicity * cosine * cy + turn * cx)
    vector[3] = root * helicity * sine


@device
def _square(colour, amplitudes):  # type: ignore[no-untyped-def]
    """Sum over colours of the squared amplitude."""
    total = 0.0
    for a in range(len(amplitudes)):
        real, imaginary = 0.0, 0.0
        for b in range(a):
            real += colour[a, b] * amplitudes[b].real
            imaginary += colour[a, b] * amplitudes[b].imag
        real = 2.0 * real + colour[a, a] * amplitudes[a].real
        imaginary = 2.0 * imaginary + colour[a, a] * amplitudes[a].imag
        total += amplitudes[a].real * real + amplitudes[a].imag * imaginary
    return total


@device
def gluon_amplitudes(program, masks, last, momenta, vectors, amplitudes):  # type: ignore[no-untyped-def]
    """Fill the ordered amplitudes of n gluons.

    Parameters
    ----------
    program, masks, last
        See `GluonProcess`.
    momenta : float64, shape (n, 4)
        All outgoing. The next to last gluon is at the front of the chain and the last at its end.
    vectors : complex128, shape (n, 4)
        Polarisations.
    amplitudes : complex128, shape (orders,)
        Filled.
    """
    n = len(momenta)
    sums = np.empty((1 << (n - 1), 4))
    _sum_momenta(momenta, sums)
    J = np.zeros((len(masks), 4), np.complex128)
    for k in range(len(masks)):
        if masks[k] == 1 << (n - 2):
            J[k] = vectors[n - 2]
    for k in range(n - 2):
        J[k] = vectors[k]
    _currents(program, masks, sums, J)
    end = vectors[n - 1]
    for k in range(len(last)):
        own = J[last[k]]
        amplitudes[k] = own[0] * end[0] - own[1] * end[1] - own[2] * end[2] - own[3] * end[3]


@device
def gluon_sum(program, masks, last, colour, momenta, vectors):  # type: ignore[no-untyped-def]
    """Sum over colours of |M|^2 of n gluons with given polarisations, without coupling g^(n - 2).

    Parameters
    ----------
    program, masks, last, colour
        See `GluonProcess`.
    momenta : float64, shape (n, 4)
        All outgoing.
    vectors : complex128, shape (n, 4)
        Polarisations.

    Returns
    -------
    float64, in GeV^(8 - 2 n)
    """
    amplitudes = np.empty(len(last), np.complex128)
    gluon_amplitudes(program, masks, last, momenta, vectors, amplitudes)
    return _square(colour, amplitudes)


@device
def _sigma(p0, p1, p2, p3, a, b):  # type: ignore[no-untyped-def]
    """(p0 + p.sigma) applied to the two-spinor (a, b)."""
    minus = p1 - 1.0j * p2
    plus = p1 + 1.0j * p2
    return (p0 + p3) * a + minus * b, plus * a + (p0 - p3) * b


@device
def _outer_spinors(quark, antiquark, mass, spin, antispin, bar, psi):  # type: ignore[no-untyped-def]
    """Fill ubar(quark) and v(antiquark) with spins along z in the rest frames.

    sqrt(p.sigma) = (p.sigma + m) / sqrt(2 (E + m)).
    """
    norm = 1.0 / math.sqrt(2.0 * (quark[0] + mass))
    up = 1.0 + 0.0j if spin > 0 else 0.0j
    down = 1.0 - up
    e = quark[0] + mass
    left = _sigma(e, -quark[1], -quark[2], -quark[3], up, down)
    right = _sigma(e, quark[1], quark[2], quark[3], up, down)
    # ubar = u^dagger gamma^0 has right and left exchanged.
    bar[0], bar[1] = norm * right[0].conjugate(), norm * right[1].conjugate()
    bar[2], bar[3] = norm * left[0].conjugate(), norm * left[1].conjugate()
    norm = 1.0 / math.sqrt(2.0 * (antiquark[0] + mass))
    up = 1.0 + 0.0j if antispin > 0 else 0.0j
    down = 1.0 - up
    e = antiquark[0] + mass
    left = _sigma(e, -antiquark[1], -antiquark[2], -antiquark[3], up, down)
    right = _sigma(e, antiquark[1], antiquark[2], antiquark[3], up, down)
    psi[0], psi[1] = norm * left[0], norm * left[1]
    psi[2], psi[3] = -norm * right[0], -norm * right[1]


@device
def _quark_line(  # type: ignore[no-untyped-def]
    quark_program, quark_masks, sums, antiquark, mass, J, bar, psi, amplitudes
):
    """Carry out the instructions for the quark line; psi[0] is the antiquark's spinor."""
    psi[1:] = 0.0
    amplitudes[:] = 0.0
    root = 1.0j / math.sqrt(2.0)
    for step in range(len(quark_program)):
        own, a, b = quark_program[step, 0], quark_program[step, 1], quark_program[step, 2]
        if a < 0:
            # i (-P + m) / (P^2 - m^2), P the momentum that leaves.
            p = quark_masks[own]
            p0, p1 = sums[p, 0] + antiquark[0], sums[p, 1] + antiquark[1]
            p2, p3 = sums[p, 2] + antiquark[2], sums[p, 3] + antiquark[3]
            factor = 1.0j / (p0 * p0 - p1 * p1 - p2 * p2 - p3 * p3 - mass * mass)
            l0, l1, r0, r1 = psi[own, 0], psi[own, 1], psi[own, 2], psi[own, 3]
            x0, x1 = _sigma(p0, -p1, -p2, -p3, r0, r1)
            y0, y1 = _sigma(p0, p1, p2, p3, l0, l1)
            psi[own, 0] = factor * (mass * l0 - x0)
            psi[own, 1] = factor * (mass * l1 - x1)
            psi[own, 2] = factor * (mass * r0 - y0)
            psi[own, 3] = factor * (mass * r1 - y1)
        else:
            j0, j1, j2, j3 = root * J[a, 0], root * J[a, 1], root * J[a, 2], root * J[a, 3]
            x0, x1 = _sigma(j0, -j1, -j2, -j3, psi[b, 2], psi[b, 3])
            y0, y1 = _sigma(j0, j1, j2, j3, psi[b, 0], psi[b, 1])
            if own < 0:
                amplitudes[-1 - own] += bar[0] * x0 + bar[1] * x1 + bar[2] * y0 + bar[3] * y1
            else:
                psi[own, 0] += x0
                psi[own, 1] += x1
                psi[own, 2] += y0
                psi[own, 3] += y1


@device
def quark_sum(  # type: ignore[no-untyped-def]
    program, masks, quark_program, quark_masks, colour, momenta, vectors, mass, spin
):
    """Sum over colours of |M|^2 of a quark pair and n gluons, without coupling g^n.

    Parameters
    ----------
    program, masks, quark_program, quark_masks, colour
        See `QuarkProcess`.
    momenta : float64, shape (n + 2, 4)
        All outgoing: gluons, quark, antiquark.
    vectors : complex128, shape (n, 4)
        Polarisations of the gluons.
    mass : float64
        Of the quark.
    spin : int
        0 to 3 for one choice of the two spins, -1 for their sum.

    Returns
    -------
    float64, in GeV^(4 - 2 n)
    """
    n = len(momenta) - 2
    sums = np.empty((1 << n, 4))
    _sum_momenta(momenta, sums)
    J = np.zeros((len(masks), 4), np.complex128)
    for k in range(n):
        J[k] = vectors[k]
    _currents(program, masks, sums, J)
    bar = np.empty(4, np.complex128)
    psi = np.empty((len(quark_masks), 4), np.complex128)
    amplitudes = np.empty(len(colour), np.complex128)
    total = 0.0
    for choice in range(4):
        if spin in (-1, choice):
            _outer_spinors(momenta[n], momenta[n + 1], mass, choice & 1, choice >> 1, bar, psi[0])
            _quark_line(
                quark_program, quark_masks, sums, momenta[n + 1], mass, J, bar, psi, amplitudes
            )
            total += _square(colour, amplitudes)
    return total
