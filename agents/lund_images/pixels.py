"""What networks see of images: the pixels that are ever on, as they are or whitened."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...datasets.jets.image_transform import ImageTransform

Vectors = NDArray[np.float32]
"""float32, shape (n, pixels that are ever on)."""


class Pixels:
    """Chooses pixels, and whitens them if asked to.

    Parameters
    ----------
    active
        bool, shape (24, 24): the pixels that are ever on.
    transform
        Scaling and whitening of these pixels, or None.
    """

    def __init__(self, active: NDArray[np.bool_], transform: ImageTransform | None) -> None:
        self.active = active
        self.transform = transform

    @property
    def number(self) -> int:
        """How many pixels there are."""
        return int(self.active.sum())

    def select(self, images: NDArray[Any]) -> Vectors:
        """Pixels of images of shape (n, 24, 24)."""
        return np.ascontiguousarray(images[:, self.active], np.float32)

    def whiten(self, vectors: Vectors) -> Vectors:
        """Preprocess, where that is asked for."""
        return vectors if self.transform is None else self.transform.transform(vectors)

    def probabilities(self, vectors: Vectors) -> Vectors:
        """Undo `whiten`; what comes out are probabilities of pixels."""
        if self.transform is not None:
            vectors = self.transform.inverse_transform(vectors)
        return np.clip(vectors, 0.0, 1.0)

    def images(self, vectors: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Put pixels back into images, shape (n, 24, 24)."""
        out = np.zeros((len(vectors), *self.active.shape), np.bool_)
        out[:, self.active] = vectors
        return out

    def save(self, folder: Path) -> None:
        """Write everything into a folder."""
        np.save(folder / _ACTIVE_FILE, self.active)
        if self.transform is not None:
            self.transform.save(folder / _TRANSFORM_FILE)

    @classmethod
    def load(cls, folder: Path) -> Pixels:
        """Read what `save` wrote.

        Raises
        ------
        ValueError
            If it is not there.
        """
        try:
            active = np.load(folder / _ACTIVE_FILE, allow_pickle=False)
        except (OSError, ValueError) as error:
            raise ValueError(f"{folder / _ACTIVE_FILE} cannot be used: {error}") from None
        file = folder / _TRANSFORM_FILE
        return cls(active, ImageTransform.load(file) if file.exists() else None)


_ACTIVE_FILE = "pixels.npy"
_TRANSFORM_FILE = "transform.npz"
