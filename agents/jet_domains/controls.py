"""Controls: what any translation must beat, and the best that it can hope for."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .settings import TrainJets
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

    Parameters
    ----------
    source
        Which jets it learns from; the bundled ones if not given.
    """

    name = "quantile-map"
    summary = "Maps quantiles of each pixel, blind to correlations; --set train_jets=N for more."

    def __init__(self, source: TrainJets | None = None) -> None:
        self.source = source or TrainJets()

    @property
    def parameters(self) -> dict[str, float | int | str | bool | None]:
        """Which jets it has learnt from, if not from the bundled ones."""
        return {} if self.source.bundled else self.source.as_dict()

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
            # Many images share a value: each gets its own place among the ties, in each pixel
            # another one. The same place in all pixels would make whole images full or empty.
            low = np.searchsorted(own, flat[:, pixel], "left")
            high = np.searchsorted(own, flat[:, pixel], "right")
            spread = np.random.default_rng([_TIES, pixel]).random(len(flat))
            place = (low + spread * (high - low)) / len(own)
            out[:, pixel] = other[np.minimum((place * len(other)).astype(int), len(other) - 1)]
        return out.reshape(images.shape)


_TIES = 1  # seed


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
