"""A law that fits can find: a published set with the constraints that fits impose."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...datasets.parton_distributions.bases import (
    EVOLUTION,
    FITTED,
    PIDS,
    from_fitted,
    from_flavours,
    to_flavours,
)
from .constraints import INTEGRABLE, POSITIVE
from .sum_rules import normalisations, sum_rule_weights

ONSET = 1e-6
"""x T3 and x T8 of the law fall like x^2 below this value of x; the data end at 4e-5."""

FLOOR = 3e-4
"""Positive partons of the law are at least this times 1 - x."""

_ROUNDS = 100
_SETTLED = 1e-12


def closure_law(xf: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Bring a set into the space in which fits look for it.

    A closure test assumes that the law is among the distributions that a fit may find
    (arXiv:2109.02653, section 6.1; the law there is a replica of such a fit). NNPDF3.1 is not: its
    momentum lacks the photon's 0.2 percent, some antiquarks and the gluon are negative at large x,
    and x T3 and x T8 do not vanish at small x. A fit that must obey these rules misses such a law
    in the same way in every universe.

    1. x T3 and x T8 are multiplied by (x / (x + 1e-6))^2.
    2. u, ubar, d, dbar, s, sbar and g are raised to 3e-4 (1 - x) where they are lower.
    3. g, V, V3 and V8 are scaled to the sum rules; V15 = V.

    The last two are repeated until nothing moves.

    Parameters
    ----------
    xf
        x f at Q0, float64, shape (9, grid), in the order of ``bases.EVOLUTION``.
    x
        The grid, float64, shape (grid,).

    Returns
    -------
    numpy.ndarray
        float64, shape (9, grid).
    """
    f = np.array(xf, np.float64)
    for name in INTEGRABLE:
        f[EVOLUTION.index(name)] *= (x / (x + ONSET)) ** 2
    weights = sum_rule_weights(x)
    positive = [PIDS.index(pid) for pid in POSITIVE]
    for _ in range(_ROUNDS):
        partons = to_flavours(f)
        partons[positive] = np.maximum(partons[positive], FLOOR * (1.0 - x))
        fitted = from_flavours(partons)[[EVOLUTION.index(name) for name in FITTED]]
        factors, _ = normalisations(fitted, weights)
        f = from_fitted(fitted * factors[:, None])
        if np.abs(factors - 1.0).max() < _SETTLED:
            break
    return f
