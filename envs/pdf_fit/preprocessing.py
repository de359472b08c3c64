"""Behaviour of the distributions at small and at large x: x^(1 - alpha) (1 - x)^beta.

The exponents are drawn once for every replica, so that their ranges become part of the
uncertainty (arXiv:1410.8849, section 3.2.2).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...datasets.parton_distributions.bases import FITTED

SMALL_X = {
    "Sigma": (1.089, 1.119),
    "g": (0.7504, 1.098),
    "V": (0.479, 0.7384),
    "V3": (0.1073, 0.4397),
    "V8": (0.5507, 0.7837),
    "T3": (-0.4506, 0.9305),
    "T8": (0.5877, 0.8687),
    "T15": (1.089, 1.141),
}
"""Ranges of alpha, from NNPDF's run card for NNPDF4.0 without feature scaling."""

LARGE_X = {
    "Sigma": (1.475, 3.119),
    "g": (2.814, 5.669),
    "V": (1.549, 3.532),
    "V3": (1.733, 3.458),
    "V8": (1.516, 3.356),
    "T3": (1.745, 3.424),
    "T8": (1.522, 3.515),
    "T15": (1.492, 3.222),
}
"""Ranges of beta."""


@dataclass(frozen=True, eq=False)
class Preprocessing:
    """Exponents of one replica.

    Attributes
    ----------
    alpha, beta
        float64, shape (8,), in the order of `bases.FITTED`.
    """

    alpha: NDArray[np.float64]
    beta: NDArray[np.float64]

    def factor(self, x: ArrayLike) -> NDArray[np.float64]:
        """x^(1 - alpha) (1 - x)^beta.

        Parameters
        ----------
        x
            Values above 0 and up to 1, shape (n,).

        Returns
        -------
        numpy.ndarray
            float64, shape (8, n).
        """
        points = np.asarray(x, np.float64)
        return points ** (1.0 - self.alpha[:, None]) * (1.0 - points) ** self.beta[:, None]


def draw(random: np.random.Generator) -> Preprocessing:
    """Draw the exponents of a replica uniformly from their ranges."""
    alpha, beta = (
        np.array([random.uniform(*ranges[name]) for name in FITTED])
        for ranges in (SMALL_X, LARGE_X)
    )
    return Preprocessing(alpha, beta)
