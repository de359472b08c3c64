"""Preprocessing of images: scaling of each pixel and ZCA whitening, invertible and saveable."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.preprocessing import MinMaxScaler, StandardScaler

Scaling = Literal["standard", "minmax", "none"]

_FORMAT = 1


class ImageTransform(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Scale each pixel, then decorrelate them (arXiv:1909.01359, section 3).

    A scikit-learn transformer on images: ``fit``, ``transform`` and ``inverse_transform``.

    Parameters
    ----------
    scaling
        "standard" (mean 0, variance 1), "minmax" (0 to 1) or "none".
    zca
        Whether to whiten with W = C^(-1/2), C being the covariance of the scaled pixels. Of all
        whitening transforms it changes the images least.
    regularization
        Added to the eigenvalues of C: pixels that are never hit stay where they are.

    Attributes
    ----------
    shape_
        Shape of one image.
    active_
        bool, one for each pixel: whether it is ever different from zero. The others are set to
        zero by ``inverse_transform``.
    """

    def __init__(
        self, scaling: Scaling = "standard", zca: bool = True, regularization: float = 1e-6
    ) -> None:
        self.scaling = scaling
        self.zca = zca
        self.regularization = regularization

    def fit(self, images: NDArray[np.floating[Any]], y: object = None) -> ImageTransform:
        """Learn mean, spread and correlations of pixels.

        Parameters
        ----------
        images
            Shape (n, ...), n at least 2.
        y
            Ignored.

        Returns
        -------
        ImageTransform
            Itself.

        Raises
        ------
        ValueError
            If the scaling is unknown or there are fewer than two images.
        """
        if self.scaling not in get_args(Scaling):
            raise ValueError(f"scaling {self.scaling!r} is none of {', '.join(get_args(Scaling))}")
        if len(images) < 2:
            raise ValueError(f"{len(images)} image(s): at least 2 are needed")
        self.shape_ = images.shape[1:]
        flat = np.asarray(images, np.float64).reshape(len(images), -1)
        self.active_ = (flat != 0.0).any(axis=0)
        self.offset_, self.scale_ = self._learn_scaling(flat)
        if self.zca:
            scaled = (flat - self.offset_) / self.scale_
            self.mean_ = scaled.mean(axis=0)
            values, vectors = np.linalg.eigh(np.cov(scaled, rowvar=False))
            root = np.sqrt(np.maximum(values, 0.0) + self.regularization)
            self.whiten_ = (vectors / root) @ vectors.T
            self.dewhiten_ = (vectors * root) @ vectors.T
        return self

    def transform(self, images: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        """Preprocess images; shape and ``ValueError`` as for `fit`."""
        flat = (self._flat(images) - self.offset_) / self.scale_
        if self.zca:
            flat = (flat - self.mean_) @ self.whiten_
        return flat.reshape(images.shape).astype(np.float32)

    def inverse_transform(self, images: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        """Undo `transform`; pixels that no image of `fit` had are zero."""
        flat = self._flat(images)
        if self.zca:
            flat = flat @ self.dewhiten_ + self.mean_
        flat = (flat * self.scale_ + self.offset_) * self.active_
        return flat.reshape(images.shape).astype(np.float32)

    def save(self, file: Path) -> Path:
        """Write everything as compressed NPZ, without pickled objects.

        Returns
        -------
        pathlib.Path
            The file.
        """
        settings = {"format": _FORMAT, **self.get_params(), "shape": list(self.shape_)}
        arrays = {name: getattr(self, f"{name}_") for name in self._arrays()}
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("wb") as stream:
            np.savez_compressed(
                stream, allow_pickle=False, settings=np.array(json.dumps(settings)), **arrays
            )
        return file

    @classmethod
    def load(cls, file: Path) -> ImageTransform:
        """Read what `save` wrote; nothing is unpickled.

        Raises
        ------
        ValueError
            If the file is no such transform.
        """
        try:
            with np.load(file, allow_pickle=False) as stored:
                settings = json.loads(str(stored["settings"]))
                if settings.pop("format") != _FORMAT:
                    raise ValueError("unknown format")
                shape = tuple(settings.pop("shape"))
                found = cls(**settings)
                found.shape_ = shape
                for name in found._arrays():
                    setattr(found, f"{name}_", stored[name])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{file} is no image transform: {error}") from None
        return found

    def _arrays(self) -> tuple[str, ...]:
        return ("active", "offset", "scale") + (("mean", "whiten", "dewhiten") if self.zca else ())

    def _learn_scaling(
        self, flat: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Offset and scale of each pixel; constant pixels keep their unit."""
        if self.scaling == "standard":
            standard = StandardScaler().fit(flat)
            return standard.mean_, standard.scale_
        if self.scaling == "minmax":
            minmax = MinMaxScaler().fit(flat)
            return minmax.data_min_, 1.0 / minmax.scale_
        return np.zeros(flat.shape[1]), np.ones(flat.shape[1])

    def _flat(self, images: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        if images.shape[1:] != self.shape_:
            raise ValueError(f"images have shape {images.shape[1:]}, not {self.shape_}")
        return np.asarray(images, np.float64).reshape(len(images), -1)
