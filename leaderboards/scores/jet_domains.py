"""Score of a translation between two domains of jets: how alike translated and true images are.

Domain A is translated to B and B to A, unpaired. Images are averages of primary Lund planes over
20 random jets (arXiv:1909.01359). With <X> the average image,

    CycleJet loss = || <A> - <B to A> ||_2 + || <B> - <A to B> ||_2,

on raw images and on scaled and ZCA-whitened ones, and

    gLund loss = |d<N>| / 50 + |dVar N| / 200 + || d<X> ||_2,

N being the number of active pixels. Beside them stand the relative error of the average image,
Wasserstein-1 distances of N and of the projections on ln kt and ln 1/Delta, the area under the
curve of a fixed classifier between translated and true images (0.5: it cannot tell), and the error
after translating there and back. Where both levels of the same jets are known, the error of each
translated image against the true image of those jets.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...datasets.jets.lund_images import average_images, lund_images
from ..bootstrap import Estimate
from ..image_distances import Floats, ImageScore, Resamples, area_under_curve, distances
from .jet_grooming import hashes
from .jet_grooming import load as load_jets

if TYPE_CHECKING:
    from ...datasets.jets.image_transform import ImageTransform

__all__ = [
    "PREDICTION_KINDS",
    "Domains",
    "averages",
    "evaluate",
    "hashes",
    "load",
    "load_images",
    "load_jets",
    "translations",
]

JETS_PER_IMAGE = 20
ACTIVE = 0.5 / JETS_PER_IMAGE
"""Value above which a pixel counts as active: averages are multiples of 1/20."""

TEST_IMAGES = 500
"""Test images of each domain, or as many as its test jets make without using one twice."""

TRAIN_IMAGES = 10_000
OCCUPIED = 0.005
"""Average occupancy of train images above which a pixel is scaled and whitened: the scale of pixels
that are hardly ever hit would blow up what few hits there are."""

PREDICTION_KINDS = {"translations": True, "control": False}
"""What a submission may hold.

"translations": ``A_to_B`` and ``B_to_A``, the test images of both domains translated, and
``A_cycle`` and ``B_cycle``, translated there and back; float32 of the shape of the test images, in
order. Tasks with paired images have ``paired_A_to_B`` and ``paired_B_to_A`` too.
"control": the same arrays of something that translates nothing.
"""

_SEEDS = {"A": 1, "B": 2}
_PAIRED_SEED = 3
_RIDGE = 1e-2

Images = NDArray[np.float32]


@dataclass(frozen=True)
class Domains:
    """Official test images.

    Attributes
    ----------
    images
        "A" and "B" to float32, shape (n, 24, 24): independent, no jet is in two of them.
    transform
        Scaling and whitening, learnt from train images of both domains.
    occupied
        bool, shape (24, 24): the pixels that it is for.
    paired
        "A" and "B" to float32, shape (m, 24, 24): images of the same jets at two levels; None if
        the task has none. No other image holds one of these jets.
    """

    images: Mapping[str, Images]
    transform: ImageTransform
    occupied: NDArray[np.bool_]
    paired: Mapping[str, Images] | None = None


def load_images(
    datasets: Mapping[str, str],
    split: str,
    number: int | None,
    seed: int = 0,
    *,
    disjoint: bool = False,
) -> dict[str, Images]:
    """Average images of both domains over 20 jets.

    Parameters
    ----------
    datasets
        "A" and "B" to dataset id; other roles are left alone.
    split
        Of the datasets; its jets are checked against the catalogue.
    number
        Images in each domain; None for as many as there are jets, or disjoint images.
    seed
        Other seeds draw other jets.
    disjoint
        Whether no jet is in two images.

    Returns
    -------
    dict
        Role to float32, shape (number, 24, 24).
    """
    jets = load_jets(_domains(datasets), split)
    images = {role: lund_images(one) for role, one in jets.items()}
    return averages(images, number, seed, disjoint=disjoint)


def averages(
    jets: Mapping[str, Images], number: int | None, seed: int = 0, *, disjoint: bool = False
) -> dict[str, Images]:
    """Average images of single jets of "A" and "B"; other arguments as for `load_images`."""
    return {
        role: average_images(
            one, JETS_PER_IMAGE, seed=2 * seed + _SEEDS[role], number=number, disjoint=disjoint
        )
        for role, one in jets.items()
    }


def _domains(datasets: Mapping[str, str]) -> dict[str, str]:
    """Leave out the paired set, which exists for scoring only."""
    return {role: datasets[role] for role in ("A", "B")}


def _load_paired(datasets: Mapping[str, str], split: str) -> dict[str, Images] | None:
    """Images of the same jets at both levels: each averages the same jets as its partner."""
    roles = {"A": "paired_A", "B": "paired_B"}
    if not set(roles.values()) <= set(datasets):
        return None
    jets = load_jets({role: datasets[name] for role, name in roles.items()}, split)
    return {
        role: average_images(lund_images(one), JETS_PER_IMAGE, seed=_PAIRED_SEED, disjoint=True)
        for role, one in jets.items()
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
    images = load_images(datasets, split, None, disjoint=True)
    number = min(TEST_IMAGES, *map(len, images.values()))
    images = {role: one[:number] for role, one in images.items()}
    return {"domains": Domains(images, transform, occupied, _load_paired(datasets, split))}


def evaluate(
    kind: str,
    predictions: Mapping[str, NDArray[np.floating[Any]]],
    data: Mapping[str, Domains],
    *,
    resamples: float = 1000,
    seed: float = 0,
) -> ImageScore:
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
    ImageScore

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
    _check(predictions, domains)
    draws = Resamples((len(true["A"]),) * 2, int(resamples), int(seed))
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
        out[f"cycle_{role}"] = draws.estimate(draws.weights[0] @ (errors / size))
    if domains.paired is not None:
        out |= _paired(domains.paired, predictions, int(resamples), int(seed))
    return ImageScore(out)


def _compare(true: Images, fake: Images, domains: Domains, draws: Resamples) -> dict[str, Floats]:
    """Quantities of one direction, each for the sample and its resamples."""
    weights, others = draws.weights
    found = distances(true, fake, weights, others, active=ACTIVE)
    shape = (-1, *true.shape[1:])
    # Preprocessing is linear: that of the average is the average of that of the images.
    white_true, white_fake = (
        domains.transform.transform(mean.reshape(shape) * domains.occupied).reshape(mean.shape)
        for mean in (found.pop("mean_true"), found.pop("mean_fake"))
    )
    return {
        **found,
        "white": np.linalg.norm(white_true - white_fake, axis=1),
        "auc": _auc(true, fake, weights, others),
    }


def _auc(true: Images, fake: Images, weights: Floats, others: Floats) -> Floats:
    """Area under the curve of Fisher's discriminant, trained on the even images, on the odd ones.

    A linear discriminant has a closed form: everybody finds the same one.
    """
    flat_true, flat_fake = (
        images.reshape(len(images), -1).astype(np.float64) for images in (true, fake)
    )
    train_true, train_fake = flat_true[::2], flat_fake[::2]
    within = np.cov(train_true, rowvar=False) + np.cov(train_fake, rowvar=False)
    within[np.diag_indices_from(within)] += _RIDGE
    direction = np.linalg.solve(within, train_fake.mean(axis=0) - train_true.mean(axis=0))
    verdicts = flat_true[1::2] @ direction, flat_fake[1::2] @ direction
    return area_under_curve(*verdicts, weights[:, 1::2], others[:, 1::2])


def _paired(
    paired: Mapping[str, Images],
    predictions: Mapping[str, NDArray[np.floating[Any]]],
    resamples: int,
    seed: int,
) -> dict[str, Estimate]:
    """Errors of translations of the same jets: the share of each image that is wrong."""
    draws = Resamples((len(paired["A"]),), resamples, seed)
    out = {}
    for name, target in (("A_to_B", "B"), ("B_to_A", "A")):
        made = predictions[f"paired_{name}"].astype(np.float64)
        errors = np.abs(made - paired[target]).sum(axis=(1, 2))
        size = float(paired[target].sum(axis=(1, 2)).mean())
        out[f"paired_{name}"] = draws.estimate(draws.weights[0] @ (errors / size))
    return out


def _check(predictions: Mapping[str, NDArray[Any]], domains: Domains) -> None:
    shape = domains.images["A"].shape
    expected = dict.fromkeys(("A_to_B", "B_to_A", "A_cycle", "B_cycle"), shape)
    if domains.paired is not None:
        pairs = domains.paired["A"].shape
        expected |= dict.fromkeys(("paired_A_to_B", "paired_B_to_A"), pairs)
    for name, one in expected.items():
        if name not in predictions:
            raise ValueError(f"array {name!r} is missing")
        if predictions[name].shape != one:
            raise ValueError(f"array {name!r} has shape {predictions[name].shape} instead of {one}")
    for name in predictions:
        if name not in expected:
            raise ValueError(f"array {name!r} is unknown, expected are {', '.join(expected)}")


Translation = Callable[[Images], Images]
"""A map of images from one domain to the other."""


def translations(
    images: Mapping[str, Images],
    a_to_b: Translation,
    b_to_a: Translation,
    paired: Mapping[str, Images] | None = None,
) -> dict[str, Images]:
    """Make the arrays of a submission with two maps.

    Parameters
    ----------
    images
        "A" and "B" to test images.
    a_to_b, b_to_a
        The maps.
    paired
        "A" and "B" to images of the same jets, if the task has them; each map sees its own.

    Returns
    -------
    dict
        The predictions.
    """
    there = a_to_b(images["A"]), b_to_a(images["B"])
    back = b_to_a(there[0]), a_to_b(there[1])
    names = ("A_to_B", "B_to_A", "A_cycle", "B_cycle")
    made = dict(zip(names, (*there, *back), strict=True))
    if paired is not None:
        made |= {"paired_A_to_B": a_to_b(paired["A"]), "paired_B_to_A": b_to_a(paired["B"])}
    return {name: np.asarray(array, np.float32) for name, array in made.items()}
