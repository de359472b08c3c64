"""Distances of samples of images against direct computation."""

import numpy as np
import pytest
from scipy.stats import wasserstein_distance
from sklearn.metrics import roc_auc_score

from hepgym.leaderboards.image_distances import (
    Resamples,
    area_under_curve,
    distances,
    wasserstein,
)


@pytest.fixture(scope="module")
def samples():
    random = np.random.default_rng(0)
    chance = random.uniform(0, 0.4, (24, 24))
    return random.random((300, 24, 24)) < chance, random.random((400, 24, 24)) < 0.9 * chance


@pytest.fixture(scope="module")
def draws():
    return Resamples((300, 400), 20, 1)


def test_first_row_is_the_sample(draws):
    for weights, size in zip(draws.weights, (300, 400), strict=True):
        assert weights.shape == (21, size)
        np.testing.assert_allclose(weights[0], 1 / size)
        np.testing.assert_allclose(weights.sum(axis=1), 1)


def test_distances(samples, draws):
    """Each quantity as its definition says."""
    true, fake = samples
    found = distances(true, fake, *draws.weights, active=0.5)
    means = [one.mean(axis=0) for one in samples]
    image = np.linalg.norm(means[0] - means[1])
    numbers = [one.sum(axis=(1, 2)) for one in samples]
    glund = (
        abs(numbers[0].mean() - numbers[1].mean()) / 50
        + abs(numbers[0].var() - numbers[1].var()) / 200
        + image
    )
    assert found["image"][0] == pytest.approx(image)
    assert found["glund"][0] == pytest.approx(glund)
    populated = means[0] > 0.05
    relative = np.abs(means[1][populated] / means[0][populated] - 1)
    assert found["error_mean"][0] == pytest.approx(relative.mean())
    assert found["error_max"][0] == pytest.approx(relative.max())
    assert found["w1_active"][0] == pytest.approx(wasserstein_distance(*numbers))
    for name, axis, width in (("w1_ln_delta", 1, 7 / 24), ("w1_ln_kt", 0, 10 / 24)):
        projections = [mean.sum(axis=axis) for mean in means]
        expected = wasserstein_distance(np.arange(24), np.arange(24), *projections)
        assert found[name][0] == pytest.approx(expected * width)
    # Any row is the sample that its weights stand for.
    counts = [np.rint(one[3] * len(one[3])).astype(int) for one in draws.weights]
    drawn = [np.repeat(one, count, axis=0) for one, count in zip(samples, counts, strict=True)]
    again = distances(*drawn, *Resamples((300, 400), 2, 0).weights, active=0.5)
    for name in ("glund", "error_mean", "w1_active", "w1_ln_kt"):
        if name != "error_mean":  # populated pixels are those of the sample itself
            assert found[name][3] == pytest.approx(again[name][0])


def test_area_under_curve():
    random = np.random.default_rng(2)
    true, fake = np.round(random.normal(0, 1, 50), 1), np.round(random.normal(1, 1, 70), 1)
    weights, others = Resamples((50, 70), 5, 0).weights
    found = area_under_curve(true, fake, weights, others)
    labels = np.repeat([0, 1], [50, 70])
    for k in (0, 4):
        shares = np.concatenate([weights[k], others[k]])
        # The reference drops samples of weight zero and normalises each class by itself.
        expected = roc_auc_score(labels, np.concatenate([true, fake]), sample_weight=shares)
        assert found[k] == pytest.approx(expected)
    assert area_under_curve(true, true, weights, weights)[0] == pytest.approx(0.5)


def test_wasserstein_is_a_distance():
    one, two = np.array([[0, 3, 0, 0.0]]), np.array([[0, 0, 0, 2.0]])
    assert wasserstein(one, two)[0] == pytest.approx(2)
    assert wasserstein(one, one)[0] == 0
