"""Score of generated Lund images: how alike generated and true images of jets are.

An image is the primary Lund plane of one jet, pixels that are on or off (arXiv:1909.01359). With
<X> the average image and N the number of active pixels,

    gLund loss = |d<N>| / 50 + |dVar N| / 200 + || d<X> ||_2

against test jets, and, as it was published, against the train jets themselves. Beside it stand the
relative error of the average image, Wasserstein-1 distances of N and of the projections on ln kt
and ln 1/Delta, and the area under the curve of a fixed classifier between generated and true
images (0.5: it cannot tell).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...datasets.jets.lund_images import PIXELS, lund_images
from ..image_distances import Floats, ImageScore, Resamples, area_under_curve, distances
from .jet_grooming import hashes
from .jet_grooming import load as load_jets

__all__ = [
    "PREDICTION_KINDS",
    "Samples",
    "evaluate",
    "hashes",
    "load",
    "load_images",
    "load_jets",
]

FEWEST, MOST = 10_000, 50_000
"""Numbers of images that a submission may hold."""

PREDICTION_KINDS = {"images": True, "control": False}
"""What a submission may hold.

"images": the array ``images``, bool of shape (n x 24 x 24,), which is n generated images of shape
(24, 24), first ln 1/Delta, then ln kt, in any order. "control": images that are no model's.
"""

_BLOCK = 3
_RIDGE = 1e-2

Images = NDArray[np.bool_]
"""Images, bool of shape (n, 24, 24)."""


@dataclass(frozen=True)
class Samples:
    """Official images.

    Attributes
    ----------
    test, train
        bool, shape (n, 24, 24): one for each jet.
    """

    test: Images
    train: Images


def load_images(datasets: Mapping[str, str], split: str) -> Images:
    """Images of the jets of a split.

    Parameters
    ----------
    datasets
        "jets" to dataset id.
    split
        train, validation or test; the jets are checked against the catalogue.

    Returns
    -------
    numpy.ndarray
        bool, shape (jets, 24, 24).
    """
    return lund_images(load_jets(datasets, split)["jets"]) > 0.0


def load(datasets: Mapping[str, str], split: str) -> dict[str, Samples]:
    """Official images; arguments as for ``hashes``.

    Raises
    ------
    DatasetError
        If the jets are not those of the catalogue.
    """
    return {"samples": Samples(load_images(datasets, split), load_images(datasets, "train"))}


def evaluate(
    kind: str,
    predictions: Mapping[str, NDArray[Any]],
    data: Mapping[str, Samples],
    *,
    resamples: float = 200,
    seed: float = 0,
) -> ImageScore:
    """Score generated images.

    Parameters
    ----------
    kind
        "images" or "control", see ``PREDICTION_KINDS``.
    predictions
        "images" to bool, shape (n x 24 x 24,).
    data
        "samples" to the official images.
    resamples, seed
        Settings of the bootstrap over images; those of the test (or train) jets and the generated
        ones are drawn independently.

    Returns
    -------
    ImageScore

    Raises
    ------
    ValueError
        If arrays are missing, left over or of the wrong shape.
    """
    if kind not in PREDICTION_KINDS:
        known = ", ".join(PREDICTION_KINDS)
        raise ValueError(f"predictions of kind {kind!r} are unknown, known: {known}")
    samples = data["samples"]
    fake = _images(predictions)
    draws = Resamples((len(samples.test), len(fake)), int(resamples), int(seed))
    found = distances(samples.test, fake, *draws.weights, active=0.5)
    out = {
        name: draws.estimate(found[name])
        for name in (
            "glund",
            "image",
            "error_mean",
            "error_max",
            "w1_active",
            "w1_ln_kt",
            "w1_ln_delta",
        )
    }
    out["auc"] = draws.estimate(_auc(samples.test, fake, *draws.weights))
    draws = Resamples((len(samples.train), len(fake)), int(resamples), int(seed))
    found = distances(samples.train, fake, *draws.weights, active=0.5)
    out["glund_train"] = draws.estimate(found["glund"])
    return ImageScore(out)


def _images(predictions: Mapping[str, NDArray[Any]]) -> Images:
    for name in predictions:
        if name != "images":
            raise ValueError(f"array {name!r} is unknown, expected is images")
    if "images" not in predictions:
        raise ValueError("array 'images' is missing")
    flat = predictions["images"]
    number, rest = divmod(flat.size, PIXELS**2)
    if rest or not FEWEST <= number <= MOST:
        raise ValueError(
            f"array 'images' has {flat.size} pixels, which is not from {FEWEST} to {MOST} images "
            f"of {PIXELS} x {PIXELS}"
        )
    return flat.astype(bool).reshape(number, PIXELS, PIXELS)


def _auc(true: Images, fake: Images, weights: Floats, others: Floats) -> Floats:
    """Area under the curve of a quadratic discriminant; trained on even images, used on odd ones.

    It sees the numbers of active pixels in 8 x 8 blocks and their correlations, and has a closed
    form: everybody finds the same one.
    """
    blocks = PIXELS // _BLOCK
    features = [
        images.reshape(-1, blocks, _BLOCK, blocks, _BLOCK)
        .sum(axis=(2, 4))
        .reshape(-1, blocks**2)
        .astype(np.float64)
        for images in (true, fake)
    ]
    verdicts = [np.zeros(len(one[1::2])) for one in features]
    for sign, sample in zip((-1.0, 1.0), features, strict=True):
        centre, spread = sample[::2].mean(axis=0), np.cov(sample[::2], rowvar=False)
        spread[np.diag_indices_from(spread)] += _RIDGE
        root = np.linalg.inv(np.linalg.cholesky(spread))
        constant = np.log(np.diag(root)).sum()
        for verdict, one in zip(verdicts, features, strict=True):
            distance = ((one[1::2] - centre) @ root.T) ** 2
            verdict += sign * (constant - 0.5 * distance.sum(axis=1))
    return area_under_curve(verdicts[0], verdicts[1], weights[:, 1::2], others[:, 1::2])
