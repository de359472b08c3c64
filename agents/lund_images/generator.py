"""What a generator of Lund images is."""

from __future__ import annotations

import abc

import numpy as np
from numpy.typing import NDArray

Images = NDArray[np.bool_]
"""Images of single jets, bool of shape (n, 24, 24): first ln 1/Delta, then ln kt."""


class LundGenerator(abc.ABC):
    """Makes Lund images of jets.

    Attributes
    ----------
    name
        Identifier in lower case with hyphens, as in submissions.
    summary
        One line on what it does.
    """

    name: str
    summary: str

    @property
    def parameters(self) -> dict[str, float | int | str | bool | None]:
        """What it takes, together with the name, to make this generator again."""
        return {}

    def fit(self, train: Images) -> None:
        """Learn what takes only a moment from train images; by default nothing."""
        del train

    @abc.abstractmethod
    def generate(self, number: int, seed: int) -> Images:
        """Make images.

        Parameters
        ----------
        number
            How many.
        seed
            Same seed, same images.

        Returns
        -------
        numpy.ndarray
            bool, shape (number, 24, 24).
        """
