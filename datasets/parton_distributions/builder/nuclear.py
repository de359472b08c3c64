"""Errors of nuclear effects with fewer sources.

NNPDF4.0 gives the uncertainty of nuclear effects (arXiv:1812.09074, arXiv:2011.00009) as the spread
of 100 fits for the deuteron and of 1000 for lead: one source per fit. Far fewer have the same
covariance, because the effects are smooth in x and Q2. They are found by a Cholesky factorisation
with pivoting, which stops when what is left is a millionth of a point's own variance.
"""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

FAMILIES = ("DEUTERON", "NUCLEAR")
"""Names of sources, before their number, that are the spread of fits."""

TOLERANCE = 1e-6


def reduce_families(
    names: tuple[str, ...], effects: NDArray[np.float64], alone: NDArray[np.float64]
) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    """Replace the sources of each family by fewer.

    Parameters
    ----------
    names
        Names of all sources.
    effects
        float64, shape (points, sources).
    alone
        Errors of single points, float64, shape (points,).

    Returns
    -------
    names : tuple of str
        The other sources as they were, then the new ones: DEUTERON:0, ...
    effects : numpy.ndarray
        float64, shape (points, sources). The new columns are rounded to single precision.
    """
    family_of = [_family(name) for name in names]
    keep = [number for number, family in enumerate(family_of) if family is None]
    kept_names = [names[number] for number in keep]
    kept_effects = [effects[:, keep]]
    for family in FAMILIES:
        columns = [number for number, found in enumerate(family_of) if found == family]
        if columns:
            fewer = pivoted_factor(effects[:, columns], TOLERANCE * alone**2)
            kept_names += [f"{family}:{number}" for number in range(fewer.shape[1])]
            kept_effects.append(fewer.astype(np.float32).astype(np.float64))
    return tuple(kept_names), np.concatenate(kept_effects, axis=1)


def pivoted_factor(
    effects: NDArray[np.float64], allowed: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Factorise the covariance of sources with as few columns as allowed.

    Parameters
    ----------
    effects
        float64, shape (points, sources).
    allowed
        Variance of each point that may be left out, float64, shape (points,).

    Returns
    -------
    numpy.ndarray
        float64, shape (points, columns): F with F F^T = effects effects^T up to ``allowed``.
    """
    left = (effects**2).sum(axis=1)
    factor = np.empty((len(effects), 0))
    while (left > allowed).any():
        pivot = int(np.argmax(left / allowed))
        column = effects @ effects[pivot] - factor @ factor[pivot]
        column /= np.sqrt(left[pivot])
        factor = np.concatenate([factor, column[:, None]], axis=1)
        left = np.maximum(left - column**2, 0.0)
        left[pivot] = 0.0
    return factor


def _family(name: str) -> str | None:
    found = re.fullmatch(r"([A-Z]+)\d+", name)
    return found[1] if found and found[1] in FAMILIES else None
