"""One replica of a fit: its values, the split for cross-validation, its exponents."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .fit_data import FitData, QuadraticForm
from .preprocessing import Preprocessing


@dataclass(frozen=True, eq=False)
class Replica:
    """What is particular to one replica.

    Attributes
    ----------
    number
        Number of the replica, from 1; 0 is a fit to the measured values themselves.
    values
        float64, shape (n,): measured values with fluctuations.
    training, validation
        int64: rows that are fitted, and rows that tell when to stop.
    preprocessing
        Exponents at small and large x.
    seed
        Seed of everything random in the fit itself: first weights, dropout, mutations.
    """

    number: int
    values: NDArray[np.float64]
    training: NDArray[np.int64]
    validation: NDArray[np.int64]
    preprocessing: Preprocessing
    seed: int

    def forms(self, data: FitData) -> tuple[QuadraticForm, QuadraticForm]:
        """chi2 of training and validation values."""
        return (
            data.quadratic_form(self.training, self.values),
            data.quadratic_form(self.validation, self.values),
        )
