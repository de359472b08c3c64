"""Controls: the best that a generator can hope for, and generators blind to what is hard."""

from __future__ import annotations

import numpy as np

from .generator import Images, LundGenerator


class NoiseFloor(LundGenerator):
    """Gives train images: an independent sample of the truth.

    What its score against test images differs from zero is statistics.
    """

    name = "noise-floor"
    summary = "Gives train images: the noise floor, no generator."

    def fit(self, train: Images) -> None:
        """Keep the images."""
        self._images = train

    def generate(self, number: int, seed: int) -> Images:
        """Give the first images, at most as many as there are."""
        return self._images[:number]


class IndependentPixels(LundGenerator):
    """Switches each pixel on with its frequency, blind to all others."""

    name = "independent-pixels"
    summary = "Draws each pixel with its frequency, blind to all others (Bernoulli)."

    def fit(self, train: Images) -> None:
        """Count."""
        self._frequency = train.mean(axis=0)

    def generate(self, number: int, seed: int) -> Images:
        """Draw images."""
        random = np.random.default_rng(seed)
        shape = (number, *self._frequency.shape)
        return random.random(shape, np.float32) < self._frequency


class GaussianCopula(LundGenerator):
    """Switches pixels on where correlated normal variables are above a threshold of each pixel.

    Frequencies come out right by construction. The normal variables have the correlations of the
    pixels, which makes those of the result weaker than they should be.
    """

    name = "gaussian"
    summary = "Correlated normal variables, on above a threshold of each pixel."

    def fit(self, train: Images) -> None:
        """Learn frequencies and correlations."""
        from scipy.special import ndtri

        flat = train.reshape(len(train), -1).astype(np.float64)
        self._shape = train.shape[1:]
        self._active = flat.any(axis=0)
        active = flat[:, self._active]
        self._threshold = -ndtri(active.mean(axis=0))
        values, vectors = np.linalg.eigh(np.corrcoef(active, rowvar=False))
        self._root = vectors * np.sqrt(np.maximum(values, 0.0))

    def generate(self, number: int, seed: int) -> Images:
        """Draw images."""
        random = np.random.default_rng(seed)
        out = np.zeros((number, self._active.size), np.bool_)
        normal = random.standard_normal((number, self._root.shape[1])) @ self._root.T
        out[:, self._active] = normal > self._threshold
        return out.reshape(number, *self._shape)
