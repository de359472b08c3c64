"""Score of a translation between two domains of jets: how alike translated and true images are.

Domain A is translated to B and B to A, unpaired. Images are averages of primary Lund planes over
20 random jets (arXiv:1909.01359). With <X> the average image,

    CycleJet loss = || <A> - <B to A> ||_2 + || <B> - <A to B> ||_2,

on raw images and on scaled and ZCA-whitened ones, and

    gLund loss = |d<N>| / 50 + |dVar N| / 200 + || d<X> ||_2,

N being the number of active pixels. Beside them stand the relative error of the average image,
Wasserstein-1 distances of N and of the projections on ln kt and ln 1/Delta, the area under the
curve of a fixed classifier between translated and true images (0.5: it cannot tell), and the error
after translating there and back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...datasets.jets.lund_images import LN_INVERSE_DELTA, LN_KT, average_images, lund_images
from ..bootstrap import Estimate, estimate, resample_counts
from .jet_grooming import hashes
from .jet_grooming import load as load_jets

if TYPE_CHECKING:
    from ...datasets.jets.image_transform import ImageTransform

__all__ = [
    "PREDICTION_KINDS",
    "Domains",
    "TranslationScore",
    "evaluate",
    "hashes",
    "load",
    "load_images",
    "load_jets",
    "translations",
]

JETS_PER_IMAGE = 20
TEST_IMAGES = 500
TRAIN_IMAGES = 10_000
POPULATED = 0.05
"""Average occupancy above which a pixel counts in the relative error."""

OCCUPIED = 0.005
"""Average occupancy of train images above which a pixel is scaled and whitened: the scale of pixels
that are hardly ever hit would blow up what few hits there are."""

PREDICTION_KINDS = {"translations": True, "control": False}
"""What a submission may hold.

"translations": ``A_to_B`` and ``B_to_A``, the test images of both domains translated, and
``A_cycle`` and ``B_cycle``, translated there and back; float32 of shape (500, 24, 24), in order.
"control": the same arrays of something that translates nothing.
"""

_SEEDS = {"A": 1, "B": 2}
_RIDGE = 1e-2

Images = NDArray[np.float32]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Domains:
    """Official test images.

    Attributes
    ----------
    images
        "A" and "B" to float32, shape (500, 24, 24): independent, no jet is in two of them.
    transform
        Scaling and whitening, learnt from train images of both domains.
    occupied
        bool, shape (24, 24): the pixels that it is for.
    """

    images: Mapping[str, Images]
    transform: ImageTransform
    occupied: NDArray[np.bool_]


@dataclass(frozen=True)
class TranslationScore:
    """Score of a translation; see the module for the quantities.

    Attributes
    ----------
    quantities
        Name to estimate.
    """

    quantities: Mapping[str, Estimate]

    def metrics(self) -> dict[str, Estimate]:
        """Every quantity by name."""
        return dict(self.quantities)


def load_images(
    datasets: Mapping[str, str], split: str, number: int, seed: int = 0, *, disjoint: bool = False
) -> dict[str, Images]:
    """Average images of both domains over 20 jets.

    Parameters
    ----------
    datasets
        "A" and "B" to dataset id.
    split
        Of the datasets; its jets are checked against the catalogue.
    number
        Images in each domain.
    seed
        Other seeds draw other jets.
    disjoint
        Whether no jet is in two images.

    Returns
    -------
    dict
        Role to float32, shape (number, 24, 24).
    """
    return {
        role: average_images(
            lund_images(jets),
            JETS_PER_IMAGE,
            seed=2 * seed + _SEEDS[role],
            number=number,
            disjoint=disjoint,
        )
        for role, jets in load_jets(datasets, split).items()
    }


def load(datasets: Mapping[str, str], split: str) -> dict[str, Domains]:
    """Official test images; arguments as for ``hashes``.

    Raises
    ------
    DatasetError
        If the jets are not those of the catalogue.
    """
    from ...datasets.jets.image_transform import ImageTransform

    train = load_images(datasets, "train", TRAIN_IMAGES)
    both = np.concatenate([train["A"], train["B"]])
    occupied = both.mean(axis=0) > OCCUPIED
    transform = ImageTransform().fit(both * occupied)
    images = load_images(datasets, split, TEST_IMAGES, disjoint=True)
    return {"domains": Domains(images, transform, occupied)}


def evaluate(
    kind: str,
    predictions: Mapping[str, NDArray[np.floating[Any]]],
    data: Mapping[str, Domains],
    *,
    resamples: float = 1000,
    seed: float = 0,
) -> TranslationScore:
    """Score translated test images.

    Parameters
    ----------
    kind
        "translations" or "control", see ``PREDICTION_KINDS``.
    predictions
        Array name to images.
    data
        "domains" to the official images.
    resamples, seed
        Settings of the bootstrap over images.

    Returns
    -------
    TranslationScore

    Raises
    ------
    ValueError
        If arrays are missing, left over or of the wrong shape.
    """
    if kind not in PREDICTION_KINDS:
        known = ", ".join(PREDICTION_KINDS)
        raise ValueError(f"predictions of kind {kind!r} are unknown, known: {known}")
    domains = data["domains"]
    true = domains.images
    _check(predictions, true)
    draws = _Draws(int(resamples), int(seed))
    out: dict[str, Estimate] = {}
    raw, white = [], []
    directions = (("A_to_B", "B"), ("B_to_A", "A"))
    for name, target in directions:
        fake = predictions[name].astype(np.float32)
        found = _compare(true[target], fake, domains, draws)
        raw.append(found.pop("image"))
        white.append(found.pop("white"))
        out |= {f"{quantity}_{name}": draws.estimate(rows) for quantity, rows in found.items()}
    sums = {"cyclejet": white[0] + white[1], "cyclejet_raw": raw[0] + raw[1]}
    out = {name: draws.estimate(rows) for name, rows in sums.items()} | out
    for role in ("A", "B"):
        there_and_back = predictions[f"{role}_cycle"].astype(np.float64)
        errors = np.abs(there_and_back - true[role]).sum(axis=(1, 2))
        size = float(true[role].sum(axis=(1, 2)).mean())
        out[f"cycle_{role}"] = draws.estimate(draws.weights @ (errors / size))
    return TranslationScore(out)


class _Draws:
    """Resamples as weights of images; the first row is the sample itself.

    Real and translated images are drawn independently.
    """

    def __init__(self, resamples: int, seed: int) -> None:
        counts = [*resample_counts((TEST_IMAGES, TEST_IMAGES), resamples, seed)]
        first = np.full((1, TEST_IMAGES), 1.0 / TEST_IMAGES)
        self.weights, self.others = (
            np.concatenate([first, np.stack(column) / TEST_IMAGES])
            for column in zip(*counts, strict=True)
        )

    def estimate(self, rows: Floats) -> Estimate:
        # Resampling adds a distance of its own: the spread is right, the centre is not.
        return estimate(float(rows[0]), rows[1:] - (rows[1:].mean() - rows[0]))


def _compare(true: Images, fake: Images, domains: Domains, draws: _Draws) -> dict[str, Floats]:
    """Quantities of one direction, each for the sample and its resamples."""
    flat_true = true.reshape(len(true), -1).astype(np.float64)
    flat_fake = fake.reshape(len(fake), -1).astype(np.float64)
    mean_true, mean_fake = draws.weights @ flat_true, draws.others @ flat_fake
    shape = (-1, *true.shape[1:])
    # Preprocessing is linear: that of the average is the average of that of the images.
    white_true, white_fake = (
        domains.transform.transform(mean.reshape(shape) * domains.occupied).reshape(mean.shape)
        for mean in (mean_true, mean_fake)
    )
    image = np.linalg.norm(mean_true - mean_fake, axis=1)
    populated = mean_true[0] > POPULATED
    relative = np.abs(mean_fake / np.where(populated, mean_true, 1.0) - 1.0)[:, populated]
    # Values of averages are multiples of 1/20: half of one is where a pixel counts as active.
    limit = 0.5 / JETS_PER_IMAGE
    active_true, active_fake = ((flat > limit).sum(axis=1) for flat in (flat_true, flat_fake))
    moments = [
        (weights @ active, weights @ active**2 - (weights @ active) ** 2)
        for weights, active in ((draws.weights, active_true), (draws.others, active_fake))
    ]
    glund = (
        np.abs(moments[0][0] - moments[1][0]) / 50
        + np.abs(moments[0][1] - moments[1][1]) / 200
        + image
    )
    pixels = true.shape[1]
    widths = [(high - low) / pixels for low, high in (LN_INVERSE_DELTA, LN_KT)]
    projections = {
        name: _wasserstein(
            mean_true.reshape(shape).sum(axis=axis), mean_fake.reshape(shape).sum(axis=axis)
        )
        * width
        for name, axis, width in (("w1_ln_delta", 2, widths[0]), ("w1_ln_kt", 1, widths[1]))
    }
    counts = [
        weights @ (active[:, None] == np.arange(pixels**2 + 1))
        for weights, active in ((draws.weights, active_true), (draws.others, active_fake))
    ]
    return {
        "image": image,
        "white": np.linalg.norm(white_true - white_fake, axis=1),
        "glund": glund,
        "error_mean": relative.mean(axis=1),
        "error_max": relative.max(axis=1),
        "w1_active": _wasserstein(*counts),
        **projections,
        "auc": _auc(flat_true, flat_fake, draws),
    }


def _wasserstein(one: Floats, two: Floats) -> Floats:
    """Wasserstein-1 distance of histograms, row by row, in units of the bin width."""
    shares = [rows / np.maximum(rows.sum(axis=1, keepdims=True), 1e-300) for rows in (one, two)]
    return np.asarray(np.abs(np.cumsum(shares[0] - shares[1], axis=1)).sum(axis=1))


def _auc(true: Floats, fake: Floats, draws: _Draws) -> Floats:
    """Area under the curve of Fisher's discriminant, trained on the even images, on the odd ones.

    A linear discriminant has a closed form: everybody finds the same one.
    """
    train_true, train_fake = true[::2], fake[::2]
    within = np.cov(train_true, rowvar=False) + np.cov(train_fake, rowvar=False)
    within[np.diag_indices_from(within)] += _RIDGE
    direction = np.linalg.solve(within, train_fake.mean(axis=0) - train_true.mean(axis=0))
    scores = np.concatenate([true[1::2] @ direction, fake[1::2] @ direction])
    order = np.argsort(scores, kind="stable")
    size = len(true[1::2])
    weights = np.concatenate(
        [draws.weights[:, 1::2], np.zeros((len(draws.weights), size))], axis=1
    )[:, order]
    others = np.concatenate([np.zeros((len(draws.others), size)), draws.others[:, 1::2]], axis=1)[
        :, order
    ]
    below = np.cumsum(weights, axis=1)
    pairs = weights.sum(axis=1) * others.sum(axis=1)
    return np.asarray((below * others).sum(axis=1) / pairs)


def _check(predictions: Mapping[str, NDArray[Any]], true: Mapping[str, Images]) -> None:
    image = true["A"].shape[1:]
    expected = {
        "A_to_B": (TEST_IMAGES, *image),
        "B_to_A": (TEST_IMAGES, *image),
        "A_cycle": (TEST_IMAGES, *image),
        "B_cycle": (TEST_IMAGES, *image),
    }
    for name, shape in expected.items():
        if name not in predictions:
            raise ValueError(f"array {name!r} is missing")
        if predictions[name].shape != shape:
            raise ValueError(
                f"array {name!r} has shape {predictions[name].shape} instead of {shape}"
            )
    for name in predictions:
        if name not in expected:
            raise ValueError(f"array {name!r} is unknown, expected are {', '.join(expected)}")


Translation = Callable[[Images], Images]
"""A map of images from one domain to the other."""


def translations(
    images: Mapping[str, Images], a_to_b: Translation, b_to_a: Translation
) -> dict[str, Images]:
    """Make the arrays of a submission with two maps.

    Parameters
    ----------
    images
        "A" and "B" to test images.
    a_to_b, b_to_a
        The maps.

    Returns
    -------
    dict
        The predictions.
    """
    there = a_to_b(images["A"]), b_to_a(images["B"])
    back = b_to_a(there[0]), a_to_b(there[1])
    names = ("A_to_B", "B_to_A", "A_cycle", "B_cycle")
    return {
        name: np.asarray(array, np.float32)
        for name, array in zip(names, (*there, *back), strict=True)
    }
