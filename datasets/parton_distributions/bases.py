"""The evolution basis and the flavour basis of parton distributions.

With q+ = q + qbar and q- = q - qbar the evolution basis is Sigma = sum q+, T3 = u+ - d+,
T8 = u+ + d+ - 2 s+, T15 = u+ + d+ + s+ - 3 c+, T24 = u+ + d+ + s+ + c+ - 4 b+ and the same with q-:
V, V3, V8, V15, V24. Sigma mixes with the gluon when the scale changes, the others evolve alone.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

EVOLUTION = ("Sigma", "g", "V", "V3", "V8", "V15", "T3", "T8", "T15")
"""Order of the nine distributions with four active flavours, as tables and fits use it."""

EVOLUTION_NF5 = (*EVOLUTION, "V24", "T24")
"""The eleven with five active flavours."""

FITTED = ("Sigma", "g", "V", "V3", "V8", "T3", "T8", "T15")
"""The eight that are fitted when charm and anticharm are equal, so that V15 = V."""

PIDS = (-5, -4, -3, -2, -1, 21, 1, 2, 3, 4, 5)
"""Particle numbers of the flavour basis, in the order of LHAPDF files."""

_QUARK_PIDS = (2, 1, 3, 4, 5)  # u, d, s, c, b: the order in which T and V bring them in


@cache
def evolution_to_flavours() -> NDArray[np.float64]:
    """Matrix from ``EVOLUTION_NF5`` to ``PIDS``.

    Returns
    -------
    numpy.ndarray
        float64, shape (11, 11), read-only. With four flavours set T24 = Sigma and V24 = V: bottom
        is then zero.
    """
    sums = np.zeros((5, 5))
    sums[0] = 1.0
    for rank in range(1, 5):
        sums[rank, :rank] = 1.0
        sums[rank, rank] = -rank
    quarks = np.linalg.inv(sums)  # from (Sigma, T3, T8, T15, T24) to (u+, d+, s+, c+, b+)
    plus = [EVOLUTION_NF5.index(name) for name in ("Sigma", "T3", "T8", "T15", "T24")]
    minus = [EVOLUTION_NF5.index(name) for name in ("V", "V3", "V8", "V15", "V24")]
    matrix = np.zeros((len(PIDS), len(EVOLUTION_NF5)))
    matrix[PIDS.index(21), EVOLUTION_NF5.index("g")] = 1.0
    for row, pid in enumerate(_QUARK_PIDS):
        for sign in (1, -1):
            matrix[PIDS.index(sign * pid), plus] += quarks[row] / 2.0
            matrix[PIDS.index(sign * pid), minus] += sign * quarks[row] / 2.0
    matrix.setflags(write=False)
    return matrix


@cache
def flavours_to_evolution() -> NDArray[np.float64]:
    """Matrix from ``PIDS`` to ``EVOLUTION_NF5``, the inverse of the other; read-only."""
    # All entries are small integers.
    matrix = np.rint(np.linalg.inv(evolution_to_flavours())).astype(np.float64)
    matrix.setflags(write=False)
    return matrix


def from_fitted(xf: NDArray[np.floating[Any]]) -> NDArray[Any]:
    """Nine distributions from the eight that are fitted: V15 = V.

    Parameters
    ----------
    xf
        float, shape (..., 8, grid points), in the order of ``FITTED``.

    Returns
    -------
    numpy.ndarray
        Shape (..., 9, grid points), in the order of ``EVOLUTION``.
    """
    source = [FITTED.index("V" if name == "V15" else name) for name in EVOLUTION]
    return xf[..., source, :]


def all_nine(xf: NDArray[np.floating[Any]]) -> NDArray[Any]:
    """Nine distributions, given the nine or the eight that are fitted.

    Parameters
    ----------
    xf
        float, shape (..., 9 or 8, grid points). Other shapes are given back as they are.

    Returns
    -------
    numpy.ndarray
        Shape (..., 9, grid points), in the order of ``EVOLUTION``.
    """
    return from_fitted(xf) if xf.ndim >= 2 and xf.shape[-2] == len(FITTED) else xf


def onto_fitted(coefficients: NDArray[np.floating[Any]]) -> NDArray[Any]:
    """Coefficients of the eight fitted distributions from those of the nine: V has V15's too.

    Parameters
    ----------
    coefficients
        float, shape (..., 9, grid points), in the order of ``EVOLUTION``.

    Returns
    -------
    numpy.ndarray
        Shape (..., 8, grid points), in the order of ``FITTED``: its product with x f of the eight
        is that of ``coefficients`` with ``from_fitted`` of them.
    """
    out = coefficients[..., [EVOLUTION.index(name) for name in FITTED], :]
    out[..., FITTED.index("V"), :] += coefficients[..., EVOLUTION.index("V15"), :]
    return out


def to_flavours(xf: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distributions of partons from the evolution basis.

    Parameters
    ----------
    xf
        float, shape (..., 9 or 11, grid points), in the order of ``EVOLUTION`` (four flavours) or
        ``EVOLUTION_NF5``.

    Returns
    -------
    numpy.ndarray
        float64, shape (..., 11, grid points), in the order of ``PIDS``.
    """
    matrix = evolution_to_flavours()
    if xf.shape[-2] == len(EVOLUTION):
        folded = matrix[:, : len(EVOLUTION)].copy()
        folded[:, EVOLUTION.index("V")] += matrix[:, EVOLUTION_NF5.index("V24")]
        folded[:, EVOLUTION.index("Sigma")] += matrix[:, EVOLUTION_NF5.index("T24")]
        matrix = folded
    return np.einsum("pe,...ek->...pk", matrix, xf)


def from_flavours(xf: NDArray[np.float64]) -> NDArray[np.float64]:
    """Evolution basis from distributions of partons.

    Parameters
    ----------
    xf
        float, shape (..., 11, grid points), in the order of ``PIDS``.

    Returns
    -------
    numpy.ndarray
        float64, shape (..., 11, grid points), in the order of ``EVOLUTION_NF5``; the first nine
        are ``EVOLUTION``.
    """
    return np.einsum("ep,...pk->...ek", flavours_to_evolution(), xf)
