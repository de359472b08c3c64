"""Calibration of rounding: each pixel's distribution as the train jets of the target have it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

from ...datasets.jets.lund_images import average_images
from ...leaderboards.scores.jet_domains import JETS_PER_IMAGE
from .translator import Images

_FEWEST_IMAGES = 4000


def calibrated_thresholds(values: Images, occupancy: NDArray[np.floating]) -> Images:
    """Find the thresholds that give each pixel the distribution of averages over 20 jets.

    An average over 20 jets, each with a pixel on or off, is binomial.

    Parameters
    ----------
    values
        Images to be rounded, random lift included, float32 of shape (n, pixels, pixels).
    occupancy
        Share of the jets that have a pixel on, shape (pixels, pixels).

    Returns
    -------
    numpy.ndarray
        float32, shape (20, pixels, pixels), rising along the first axis: the share of values above
        threshold k is the probability of k or more jets, to within half an image. Infinite where
        that is less than half an image: what is rarer than that is left out.
    """
    ordered = np.sort(values, axis=0)
    number = len(values)
    below = np.arange(JETS_PER_IMAGE).reshape(-1, *[1] * occupancy.ndim)
    above = binom.sf(below, JETS_PER_IMAGE, occupancy)
    wanted = np.rint(above * number).astype(int)
    found = np.take_along_axis(ordered, np.maximum(number - 1 - wanted, 0), axis=0)
    found[wanted == number] = -np.inf
    found[wanted == 0] = np.inf
    return found


def lifted(values: Images, lift: NDArray[np.floating]) -> Images:
    """Add random numbers from 0 to 1, in units of 1/20: rounding then is up or down at random."""
    return values + np.asarray(lift.astype(np.float32) / JETS_PER_IMAGE, np.float32)


def rounded(values: Images, thresholds: Images) -> Images:
    """Round to multiples of 1/20: as many twentieths as there are thresholds below a value."""
    out = np.zeros(values.shape, np.float32)
    for threshold in thresholds:
        out += values > threshold
    return np.asarray(out / JETS_PER_IMAGE, np.float32)


def even_averages(jets: Images, seed: int) -> Images:
    """Averages over random jets in which each jet is equally often.

    Their average is that of the jets, but for the up to 19 that fill no image.
    """
    copies = -(-_FEWEST_IMAGES // (len(jets) // JETS_PER_IMAGE))
    return np.concatenate(
        [average_images(jets, JETS_PER_IMAGE, seed + k, disjoint=True) for k in range(copies)]
    )
