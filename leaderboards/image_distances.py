"""How far two samples of Lund images are apart, for the samples themselves and for resamples.

Every function takes weights of the images, one row for each resample, and gives one number a row.
Definitions: arXiv:1909.01359.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..datasets.jets.lund_images import LN_INVERSE_DELTA, LN_KT
from .bootstrap import Estimate, estimate, resample_counts

Floats = NDArray[np.float64]

POPULATED = 0.05
"""Average occupancy above which a pixel counts in the relative error."""


@dataclass(frozen=True)
class ImageScore:
    """Score of images; the score's module says what the quantities are.

    Attributes
    ----------
    quantities
        Name to estimate.
    """

    quantities: Mapping[str, Estimate]

    def metrics(self) -> dict[str, Estimate]:
        """Every quantity by name."""
        return dict(self.quantities)


class Resamples:
    """Resamples of samples of images, as weights of the images; the first row is the sample itself.

    Parameters
    ----------
    sizes
        Images in each sample; samples are drawn independently.
    resamples, seed
        See `bootstrap.resample_counts`.

    Attributes
    ----------
    weights
        For each sample float64, shape (1 + resamples, size), rows summing to 1.
    """

    def __init__(self, sizes: tuple[int, ...], resamples: int, seed: int) -> None:
        counts = zip(*resample_counts(sizes, resamples, seed), strict=True)
        self.weights = [
            np.concatenate([np.full((1, size), 1.0 / size), np.stack(column) / size])
            for size, column in zip(sizes, counts, strict=True)
        ]

    @staticmethod
    def estimate(rows: Floats) -> Estimate:
        """Turn a number for the sample and each resample into an estimate."""
        # Resampling adds a distance of its own: the spread is right, the centre is not.
        return estimate(float(rows[0]), rows[1:] - (rows[1:].mean() - rows[0]))


def distances(
    true: NDArray[Any],
    fake: NDArray[Any],
    weights: Floats,
    others: Floats,
    *,
    active: float,
) -> dict[str, Floats]:
    """Compare two samples of images.

    Parameters
    ----------
    true, fake
        Shape (n, pixels, pixels) and (m, pixels, pixels): first ln 1/Delta, then ln kt.
    weights, others
        Weights of the true and of the fake images, shape (rows, n) and (rows, m).
    active
        Value above which a pixel is active.

    Returns
    -------
    dict
        Name to float64, shape (rows,): "image", the norm of the difference of the average images;
        "glund", that and |d<N>| / 50 and |dVar N| / 200 for the number N of active pixels;
        "error_mean" and "error_max", relative errors of the average image over populated pixels;
        "w1_active", "w1_ln_kt" and "w1_ln_delta", Wasserstein-1 distances of N and of the
        projections. "mean_true" and "mean_fake" are the average images, shape (rows, pixels^2).
    """
    flat_true = true.reshape(len(true), -1).astype(np.float64)
    flat_fake = fake.reshape(len(fake), -1).astype(np.float64)
    mean_true, mean_fake = weights @ flat_true, others @ flat_fake
    shape = (-1, *true.shape[1:])
    image = np.linalg.norm(mean_true - mean_fake, axis=1)
    populated = mean_true[0] > POPULATED
    relative = np.abs(mean_fake[:, populated] / mean_true[:, populated] - 1.0)
    numbers = [(flat > active).sum(axis=1) for flat in (flat_true, flat_fake)]
    moments = [
        (rows @ number, rows @ number**2 - (rows @ number) ** 2)
        for rows, number in zip((weights, others), numbers, strict=True)
    ]
    glund = (
        np.abs(moments[0][0] - moments[1][0]) / 50
        + np.abs(moments[0][1] - moments[1][1]) / 200
        + image
    )
    pixels = true.shape[1]
    widths = [(high - low) / pixels for low, high in (LN_INVERSE_DELTA, LN_KT)]
    projections = {
        name: wasserstein(
            mean_true.reshape(shape).sum(axis=axis), mean_fake.reshape(shape).sum(axis=axis)
        )
        * width
        for name, axis, width in (("w1_ln_delta", 2, widths[0]), ("w1_ln_kt", 1, widths[1]))
    }
    counts = [
        rows @ (number[:, None] == np.arange(pixels**2 + 1))
        for rows, number in zip((weights, others), numbers, strict=True)
    ]
    return {
        "image": image,
        "glund": glund,
        "error_mean": relative.mean(axis=1),
        "error_max": relative.max(axis=1),
        "w1_active": wasserstein(*counts),
        **projections,
        "mean_true": mean_true,
        "mean_fake": mean_fake,
    }


def wasserstein(one: Floats, two: Floats) -> Floats:
    """Wasserstein-1 distance of histograms, row by row, in units of the bin width."""
    shares = [rows / np.maximum(rows.sum(axis=1, keepdims=True), 1e-300) for rows in (one, two)]
    return np.asarray(np.abs(np.cumsum(shares[0] - shares[1], axis=1)).sum(axis=1))


def area_under_curve(true: Floats, fake: Floats, weights: Floats, others: Floats) -> Floats:
    """Probability that a fake image has a higher verdict than a true one; equal ones count half.

    Parameters
    ----------
    true, fake
        Verdicts of a classifier, shape (n,) and (m,); higher for fake images.
    weights, others
        Weights of the true and of the fake images, shape (rows, n) and (rows, m).

    Returns
    -------
    numpy.ndarray
        float64, shape (rows,).
    """
    levels, place = np.unique(np.concatenate([true, fake]), return_inverse=True)
    rows = len(weights)
    sums = []
    for own, where in ((weights, place[: len(true)]), (others, place[len(true) :])):
        total = np.zeros((rows, len(levels)))
        order = np.argsort(where, kind="stable")
        starts = np.searchsorted(where[order], np.arange(len(levels)))
        filled = np.diff(np.append(starts, len(where))) > 0
        total[:, filled] = np.add.reduceat(own[:, order], starts[filled], axis=1)
        sums.append(total)
    below = np.cumsum(sums[0], axis=1) - 0.5 * sums[0]
    return np.asarray((below * sums[1]).sum(axis=1) / (weights.sum(axis=1) * others.sum(axis=1)))
