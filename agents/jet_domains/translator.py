"""What a translator is: two maps of images."""

from __future__ import annotations

import abc
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Images = NDArray[np.float32]
"""Images, float32 of shape (n, pixels, pixels), values 0 to 1."""


class Translator(abc.ABC):
    """Translates averaged Lund images between domain A and domain B.

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
        """What it takes, together with the name, to make this translator again."""
        return {}

    def fit(self, train: Mapping[str, Images]) -> None:
        """Learn what takes only a moment from train images of "A" and "B"; by default nothing."""
        del train

    @abc.abstractmethod
    def a_to_b(self, images: Images) -> Images:
        """Translate images of A."""

    @abc.abstractmethod
    def b_to_a(self, images: Images) -> Images:
        """Translate images of B."""
