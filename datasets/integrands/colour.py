"""Colour of tree amplitudes, from the explicit matrices of SU(3).

Normalisation: tr(T^a T^b) = delta^ab, so that T^a is the Gell-Mann matrix over sqrt(2).
"""

from __future__ import annotations

import math
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

__all__ = ["adjoint_colour", "fundamental", "quark_colour", "structure_constants"]

GLUONS = 8


def fundamental() -> NDArray[np.complex128]:
    """Give the generators T^a of the quarks' representation.

    Returns
    -------
    complex128, shape (8, 3, 3)
    """
    matrices = np.zeros((GLUONS, 3, 3), np.complex128)
    for a, (i, j) in zip((0, 3, 5), ((0, 1), (0, 2), (1, 2)), strict=True):
        matrices[a, i, j] = matrices[a, j, i] = 1.0
        matrices[a + 1, i, j], matrices[a + 1, j, i] = -1.0j, 1.0j
    matrices[2] = np.diag([1.0, -1.0, 0.0])
    matrices[7] = np.diag([1.0, 1.0, -2.0]) / math.sqrt(3.0)
    # Gell-Mann's order: 1 2 | 3 | 4 5 | 6 7 | 8.
    return matrices / math.sqrt(2.0)


def structure_constants() -> NDArray[np.float64]:
    """Give F^abc = -i tr([T^a, T^b] T^c), which is sqrt(2) times the usual f^abc.

    Returns
    -------
    float64, shape (8, 8, 8)
    """
    t = fundamental()
    products = np.einsum("aij,bjk,cki->abc", t, t, t)
    return np.ascontiguousarray((-1j * (products - products.transpose(1, 0, 2))).real)


def quark_colour(gluons: int) -> NDArray[np.float64]:
    """Colour sums of q qbar and gluons in the basis T^a1 ... T^an.

    Parameters
    ----------
    gluons
        Their number n.

    Returns
    -------
    float64, shape (n!, n!)
        Sum over colours of one string of generators times the conjugate of another, the orders of
        the gluons being the permutations in lexical order.
    """
    t = fundamental()
    string: NDArray[np.complex128] = np.eye(3, dtype=np.complex128)
    for _ in range(gluons):
        string = np.einsum("...ij,ajk->...aik", string, t)
    return _sums(string, gluons)


def adjoint_colour(gluons: int) -> NDArray[np.float64]:
    """Colour sums of gluons in the basis of chains of structure constants (hep-ph/9910563).

    Parameters
    ----------
    gluons
        Number n of all gluons, the two at the ends of the chain included.

    Returns
    -------
    float64, shape ((n - 2)!, (n - 2)!)
        As `quark_colour`, with the permutations of the gluons between the ends.
    """
    f = structure_constants()
    chain: NDArray[np.float64] = np.eye(GLUONS)
    for _ in range(gluons - 2):
        chain = np.einsum("...ij,jak->...aik", chain, f)
    return _sums(chain, gluons - 2)


def _sums(tensor: NDArray[np.complex128] | NDArray[np.float64], legs: int) -> NDArray[np.float64]:
    """Products of a tensor with itself for all orders of its first axes."""
    orders = list(permutations(range(legs)))
    number = {order: k for k, order in enumerate(orders)}
    # tensor[a_0, ..., a_n] belongs to the string in which place k has gluon k. In the string of
    # another order place k has gluon order[k], so that axis order[k] of it is axis k of the first.
    first = np.array(
        [np.vdot(np.transpose(tensor, (*np.argsort(order), *range(legs, tensor.ndim))), tensor).real
         for order in orders]
    )  # fmt: skip
    matrix = np.empty((len(orders), len(orders)))
    for row, one in enumerate(orders):
        inverse = np.argsort(one)
        for column, other in enumerate(orders):
            matrix[row, column] = first[number[tuple(int(inverse[k]) for k in other)]]
    return matrix
