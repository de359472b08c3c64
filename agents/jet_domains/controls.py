"""Controls: what any translation must beat, and the best that it can hope for."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .translator import Images, Translator


class IdentityMap(Translator):
    """Leaves images as they are: how far apart the domains are."""

    name = "identity"
    summary = "Leaves images as they are."

    def a_to_b(self, images: Images) -> Images:
        """Give the images back."""
        return images

    def b_to_a(self, images: Images) -> Images:
        """Give the images back."""
        return images


class QuantileMap(Translator):
    """Maps the distribution of each pixel onto the other domain's, pixel by pixel.

    Marginal distributions come out right by construction; correlations between pixels stay those of
    the source.
    """

    name = "quantile-map"
    summary = "Maps quantiles of each pixel, blind to correlations."

    def fit(self, train: Mapping[str, Images]) -> None:
        """Sort the train images of both domains, pixel by pixel."""
        self._sorted = {
            role: np.sort(train[role].reshape(len(train[role]), -1), axis=0) for role in ("A", "B")
        }

    def a_to_b(self, images: Images) -> Images:
        """Translate images of A."""
        return self._map(images, "A", "B")

    def b_to_a(self, images: Images) -> Images:
        """Translate images of B."""
        return self._map(images, "B", "A")

    def _map(self, images: Images, source: str, target: str) -> Images:
        flat = images.reshape(len(images), -1)
        out = np.empty_like(flat)
        for pixel in range(flat.shape[1]):
            own, other = self._sorted[source][:, pixel], self._sorted[target][:, pixel]
            # Many images share a value: each gets its own place among the ties, in order.
            low = np.searchsorted(own, flat[:, pixel], "left")
            high = np.searchsorted(own, flat[:, pixel], "right")
            spread = ((np.arange(len(flat)) * _GOLDEN) % 1.0).astype(np.float64)
            place = (low + spread * (high - low)) / len(own)
            out[:, pixel] = other[np.minimum((place * len(other)).astype(int), len(other) - 1)]
        return out.reshape(images.shape)


_GOLDEN = 0.6180339887498949  # multiples of it fill an interval evenly


class NoiseFloor(Translator):
    """Ignores its input and gives train images of the other domain: the noise floor.

    An independent sample of the target has the right distribution; what its score differs from
    zero is statistics.
    """

    name = "noise-floor"
    summary = "Gives independent images of the target domain: the noise floor, no translation."

    def fit(self, train: Mapping[str, Images]) -> None:
        """Keep the train images."""
        self._images = dict(train)

    def a_to_b(self, images: Images) -> Images:
        """Give images of B."""
        return self._images["B"][: len(images)]

    def b_to_a(self, images: Images) -> Images:
        """Give images of A."""
        return self._images["A"][: len(images)]
