"""Score of generated images: what it sees, and what it refuses."""

import numpy as np
import pytest

from hepgym.leaderboards.scores.lund_images import FEWEST, Samples, evaluate


@pytest.fixture(scope="module")
def data():
    """Images with pairs of pixels that are on together."""
    return {"samples": Samples(draw(3000, 0), draw(3000, 1))}


def draw(number, seed, *, together=True):
    random = np.random.default_rng(seed)
    images = random.random((number, 24, 24)) < 0.03
    images[:, 3:6, 6:9] = random.random((number, 3, 3)) < 0.3
    other = images[:, 3:6, 6:9] if together else random.random((number, 3, 3)) < 0.3
    images[:, 12:15, 6:9] = other
    return images


def score(images, data, kind="images"):
    found = evaluate(kind, {"images": images.reshape(-1)}, data, resamples=10)
    return {name: one.value for name, one in found.metrics().items()}


@pytest.fixture(scope="module")
def scores(data):
    right = score(draw(FEWEST, 2), data)
    independent = score(draw(FEWEST, 2, together=False), data)
    return right, independent


def test_the_truth_scores_well(scores):
    right, _ = scores
    assert right["auc"] == pytest.approx(0.5, abs=0.02)
    assert right["error_mean"] < 0.05
    assert right["w1_active"] < 0.2
    # Noise alone: sum of p (1 - p) over all pixels and both samples.
    assert right["image"] == pytest.approx(np.sqrt(20 * (1 / 3000 + 1 / FEWEST)), rel=0.2)


def test_correlations_are_seen(scores):
    """The same averages without the correlations: number of active pixels and classifier know."""
    right, independent = scores
    assert independent["image"] == pytest.approx(right["image"], rel=0.1)
    assert independent["auc"] > 0.7
    assert independent["w1_active"] > 2 * right["w1_active"]
    assert independent["glund"] > right["glund"]


@pytest.mark.parametrize(
    ("kind", "predictions", "message"),
    [
        ("pictures", {}, "kind 'pictures' are unknown, known: images, control"),
        ("images", {}, "array 'images' is missing"),
        ("images", {"a": np.zeros(3)}, "array 'a' is unknown, expected is images"),
        ("images", {"images": np.zeros(576 * 3, bool)}, "not from 10000 to 50000 images of 24"),
        ("control", {"images": np.zeros(576 * FEWEST + 1, bool)}, "has 5760001 pixels"),
    ],
)
def test_refusals(kind, predictions, message, data):
    with pytest.raises(ValueError, match=message):
        evaluate(kind, predictions, data)
