"""Lund images: pixels by an independent implementation, averages, preprocessing."""

import math

import numpy as np
import pytest

import hepgym
from hepgym.datasets import DatasetError
from hepgym.datasets.jets.image_transform import ImageTransform
from hepgym.datasets.jets.lund import lund_plane, primary_points
from hepgym.datasets.jets.lund_images import PIXELS, average_images, lund_images


@pytest.fixture(scope="module")
def images(w_trees):
    return lund_images(w_trees)


def test_pixels_of_each_jet(w_trees, images):
    """The same from the node states, one splitting at a time."""
    assert images.shape == (len(w_trees), PIXELS, PIXELS)
    assert images.dtype == np.float32
    points = primary_points(w_trees)
    jet = w_trees.jet_of_node[w_trees.primary]
    expected = np.zeros_like(images)
    for (x, y), j in zip(points, jet, strict=True):
        column, row = math.ceil(x / (7 / 24) - 1), math.ceil((y + 3) / (10 / 24) - 1)
        if 0 <= column < 24 and 0 <= row < 24:
            expected[j, column, row] = 1
    assert (expected != images).sum() <= 2  # a splitting on an edge, by rounding


def test_counts_are_the_lund_plane(w_trees):
    counts = lund_images(w_trees, binary=False).sum(axis=0)
    x, y = np.linspace(0, 7, 25), np.linspace(-3, 7, 25)
    plane = lund_plane(w_trees, x, y)
    area = np.diff(x)[:, None] * np.diff(y)
    np.testing.assert_allclose(counts, plane.density * area * len(w_trees), atol=1.0)


def test_what_jets_may_be(w_trees, images):
    jets = hepgym.datasets.load("jets/W-500GeV-v1", split="test")[:50]
    np.testing.assert_array_equal(lund_images(jets), images[:50])
    with pytest.raises(DatasetError, match="a list holds no jets"):
        lund_images([1, 2])


def test_other_ranges(w_trees):
    wide = lund_images(w_trees, pixels=10, x_range=(-2, 12), y_range=(-15, 9), binary=False)
    assert wide.shape[1:] == (10, 10)
    points = primary_points(w_trees)
    inside = (points > [-2, -15]) & (points <= [12, 9])
    assert inside.mean() > 0.999
    assert wide.sum() == inside.all(axis=1).sum()
    with pytest.raises(ValueError, match=r"x_range = \(1, 1\) is empty"):
        lund_images(w_trees, x_range=(1, 1))
    with pytest.raises(ValueError, match="pixels = 0"):
        lund_images(w_trees, pixels=0)


def test_averages(images):
    averaged = average_images(images, 20, seed=1)
    assert averaged.shape == images.shape
    np.testing.assert_array_equal(averaged, average_images(images, 20, seed=1))
    assert (averaged != average_images(images, 20, seed=2)).any()
    # Values are multiples of 1/20, the mean is that of the images within its error.
    np.testing.assert_allclose(averaged * 20, np.round(averaged * 20), atol=1e-4)
    error = images.std(axis=0) / math.sqrt(20 * len(images))
    assert (np.abs(averaged.mean(axis=0) - images.mean(axis=0)) <= 5 * error + 1e-6).all()
    # Variance falls with the number of jets.
    ratio = averaged.var(axis=0).sum() / images.var(axis=0).sum()
    assert ratio == pytest.approx(1 / 20, rel=0.05)
    assert len(average_images(images, 3, seed=0, number=7)) == 7
    np.testing.assert_array_equal(average_images(images, 1, seed=0), images)
    apart = average_images(images, 20, seed=1, disjoint=True)
    assert len(apart) == len(images) // 20
    np.testing.assert_allclose(apart.mean(axis=0), images.mean(axis=0), atol=1e-6)
    with pytest.raises(ValueError, match="51 disjoint averages of 20 need 1020 images, there are"):
        average_images(images, 20, seed=1, number=51, disjoint=True)
    with pytest.raises(ValueError, match="n = 0 is not between 1 and"):
        average_images(images, 0, seed=0)


@pytest.mark.parametrize("scaling", ["standard", "minmax", "none"])
@pytest.mark.parametrize("zca", [False, True])
def test_transform_and_back(images, tmp_path, scaling, zca):
    averaged = average_images(images, 20, seed=1, number=3000)
    transform = ImageTransform(scaling, zca).fit(averaged)
    there = transform.transform(averaged)
    assert there.shape == averaged.shape
    np.testing.assert_allclose(transform.inverse_transform(there), averaged, atol=2e-3)
    again = ImageTransform.load(transform.save(tmp_path / "transform.npz"))
    np.testing.assert_array_equal(again.transform(averaged), there)
    assert again.get_params() == transform.get_params()


def test_whitening(images):
    averaged = average_images(images, 20, seed=1, number=3000)
    there = ImageTransform().fit_transform(averaged).reshape(len(averaged), -1)
    # Directions without variance stay without, all others have one: a projection.
    covariance = np.cov(there, rowvar=False)
    assert np.abs(covariance @ covariance - covariance).max() < 1e-3
    assert np.trace(covariance) > 200


def test_bad_transforms(images, tmp_path):
    with pytest.raises(ValueError, match="scaling 'log' is none of standard, minmax, none"):
        ImageTransform("log").fit(images)
    with pytest.raises(ValueError, match="at least 2"):
        ImageTransform().fit(images[:1])
    transform = ImageTransform(zca=False).fit(images)
    with pytest.raises(ValueError, match=r"images have shape \(3, 3\)"):
        transform.transform(np.zeros((2, 3, 3)))
    (tmp_path / "other.npz").write_bytes(b"no archive")
    with pytest.raises(ValueError, match=r"other\.npz is no image transform"):
        ImageTransform.load(tmp_path / "other.npz")
    np.savez(tmp_path / "arrays.npz", a=[1])
    with pytest.raises(ValueError, match=r"arrays\.npz is no image transform"):
        ImageTransform.load(tmp_path / "arrays.npz")
