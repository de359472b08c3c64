"""Lund images: the primary Lund plane of each jet as a picture (arXiv:1909.01359, section 2)."""

from __future__ import annotations

import math
from os import PathLike
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from ..errors import DatasetError
from .trees import ClusteringTrees, rapidity

PIXELS = 24
LN_INVERSE_DELTA = (0.0, 7.0)
LN_KT = (-3.0, 7.0)


def lund_images(
    jets: Any,
    *,
    pixels: int = PIXELS,
    x_range: tuple[float, float] = LN_INVERSE_DELTA,
    y_range: tuple[float, float] = LN_KT,
    binary: bool = True,
) -> NDArray[np.float32]:
    """Draw the primary splittings of each jet.

    Parameters
    ----------
    jets
        `ClusteringTrees`, an awkward array as `hepgym.datasets.load` gives it, or a dataset id or
        ROOT file as `hepgym.datasets.load_trees` takes it (its test split).
    pixels
        Number of pixels along each axis.
    x_range, y_range
        Range of ln 1/Delta and of ln kt/GeV. Splittings outside are left out; a pixel does not
        contain its lower edge but its upper one, as in the published images.
    binary
        A pixel hit more than once is 1, as published; otherwise the number of its hits.

    Returns
    -------
    numpy.ndarray
        float32, shape (jets, pixels, pixels): first ln 1/Delta, then ln kt, both rising.

    Raises
    ------
    DatasetError
        If the jets are none of the above.
    ValueError
        If a range is empty or there is no pixel.
    """
    if pixels < 1:
        raise ValueError(f"pixels = {pixels} is less than 1")
    for name, (low, high) in (("x_range", x_range), ("y_range", y_range)):
        if not low < high:
            raise ValueError(f"{name} = ({low}, {high}) is empty")
    trees = _trees(jets)
    images = np.zeros((len(trees), pixels, pixels), np.float32)
    _draw(
        trees.offsets,
        trees.node_offsets,
        trees.constituents,
        trees.softer_size,
        np.array([x_range[0], (x_range[1] - x_range[0]) / pixels]),
        np.array([y_range[0], (y_range[1] - y_range[0]) / pixels]),
        binary,
        images,
    )
    return images


def average_images(
    images: NDArray[np.floating[Any]],
    n: int,
    seed: int,
    *,
    number: int | None = None,
    disjoint: bool = False,
) -> NDArray[np.float32]:
    """Average images over random jets.

    Published networks see averages over 20 (CycleJet) or 32 (gLund) jets, which are smooth where
    the image of one jet is a few bright pixels.

    Parameters
    ----------
    images
        Shape (jets, pixels, pixels).
    n
        Images in each average, drawn at random; 1 gives back the images.
    seed
        Same seed, same averages.
    number
        How many averages; if not given, as many as images, or as disjoint ones can be made.
    disjoint
        Use no image twice, so that the averages are independent.

    Returns
    -------
    numpy.ndarray
        float32, shape (number, pixels, pixels).

    Raises
    ------
    ValueError
        If n is not 1 to the number of images, or there are too few for disjoint averages.
    """
    if not 1 <= n <= len(images):
        raise ValueError(f"n = {n} is not between 1 and the number of images ({len(images)})")
    if n == 1 and number is None:
        return np.asarray(images, np.float32)
    random = np.random.default_rng(seed)
    if disjoint:
        number = len(images) // n if number is None else number
        if number * n > len(images):
            raise ValueError(
                f"{number} disjoint averages of {n} need {number * n} images, there are "
                f"{len(images)}"
            )
        picks = random.permutation(len(images))[: number * n].reshape(number, n)
    else:
        number = len(images) if number is None else number
        picks = random.integers(len(images), size=(number, n))
    out = np.empty((len(picks), *images.shape[1:]), np.float32)
    flat = np.ascontiguousarray(images, np.float32).reshape(len(images), -1)
    _average(flat, picks, out.reshape(len(picks), -1))
    return out


def _trees(jets: Any) -> ClusteringTrees:
    if isinstance(jets, ClusteringTrees):
        return jets
    if isinstance(jets, str | PathLike):
        from .. import load_trees

        return load_trees(jets)
    fields = getattr(jets, "fields", None)
    if fields is None or "constituents" not in fields:
        raise DatasetError(
            f"a {type(jets).__name__} holds no jets: give clustering trees, an awkward array with "
            "the field constituents, a dataset id or a ROOT file"
        )
    import awkward as ak

    from .clustering import cluster

    momenta = jets.constituents
    counts = ak.to_numpy(ak.num(momenta))
    columns = [ak.to_numpy(ak.flatten(momenta[name])) for name in ("px", "py", "pz", "E")]
    return cluster(np.concatenate([[0], np.cumsum(counts)]), np.stack(columns, axis=1))


@numba.njit(cache=True)
def _draw(offsets, node_offsets, constituents, softer_size, x_bins, y_bins, binary, images):  # type: ignore[no-untyped-def]
    pixels = images.shape[1]
    longest = 1
    for jet in range(len(offsets) - 1):
        longest = max(longest, node_offsets[jet + 1] - node_offsets[jet])
    softer = np.empty((longest, 4))
    for jet in range(len(offsets) - 1):
        node = node_offsets[jet]
        end = node_offsets[jet + 1]
        particle = offsets[jet]
        if particle == offsets[jet + 1]:
            continue
        # Down the chain of harder branches: each softer branch is a range of constituents.
        length = 0
        while node < end:
            size = softer_size[node]
            for c in range(4):
                softer[length, c] = 0.0
            for k in range(particle, particle + size):
                for c in range(4):
                    softer[length, c] += constituents[k, c]
            particle += size
            node += size
            length += 1
        # And back up: the harder branch is what the chain has collected from its end.
        px, py, pz, energy = constituents[particle]
        for place in range(length - 1, -1, -1):
            qx, qy, qz, other = softer[place]
            d_phi = abs(math.atan2(py, px) - math.atan2(qy, qx))
            if d_phi > math.pi:
                d_phi = 2.0 * math.pi - d_phi
            d_y = rapidity(px * px + py * py, pz, energy) - rapidity(qx * qx + qy * qy, qz, other)
            delta = math.sqrt(d_y * d_y + d_phi * d_phi)
            kt = math.hypot(qx, qy) * delta
            if kt > 0.0:
                x = math.ceil((-math.log(delta) - x_bins[0]) / x_bins[1] - 1.0)
                y = math.ceil((math.log(kt) - y_bins[0]) / y_bins[1] - 1.0)
                if 0 <= x < pixels and 0 <= y < pixels:
                    images[jet, x, y] = 1.0 if binary else images[jet, x, y] + 1.0
            px += qx
            py += qy
            pz += qz
            energy += other


@numba.njit(cache=True)
def _average(images, picks, out):  # type: ignore[no-untyped-def]
    share = 1.0 / picks.shape[1]
    for row in range(len(picks)):
        out[row] = 0.0
        for k in range(picks.shape[1]):
            pick = picks[row, k]
            for pixel in range(images.shape[1]):
                out[row, pixel] += images[pick, pixel]
        for pixel in range(images.shape[1]):
            out[row, pixel] *= share
