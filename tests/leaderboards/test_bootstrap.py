import math

import numpy as np
import pytest

from hepgym.leaderboards.bootstrap import Estimate, estimate, resample_counts


def test_counts_are_resamples():
    for first, second in resample_counts((7, 300), 20, seed=3):
        assert (len(first), len(second)) == (7, 300)
        assert (first.sum(), second.sum()) == (7, 300)
        assert first.min() >= 0


def test_members_are_drawn_like_a_multinomial():
    counts = np.array([first for (first,) in resample_counts((50,), 4000, seed=1)])
    # mean 1 and variance 1 - 1/n of each member, correlation -1/(n - 1) between two
    np.testing.assert_allclose(counts.mean(axis=0), 1.0, atol=5 / math.sqrt(4000))
    assert counts.var() == pytest.approx(1 - 1 / 50, rel=0.02)
    assert np.corrcoef(counts[:, 3], counts[:, 4])[0, 1] == pytest.approx(-1 / 49, abs=0.06)


def test_stream_is_frozen():
    """Published errors depend on these numbers: a change makes every board entry wrong."""
    (first,), (second,) = resample_counts((10,), 2, seed=0)
    assert first.tolist() == [1, 1, 1, 1, 1, 0, 2, 1, 1, 1]
    assert second.tolist() == [2, 1, 0, 0, 2, 1, 1, 0, 1, 2]


def test_a_sample_is_resampled_alike_whatever_stands_beside_it():
    alone = [first.tolist() for first, _ in resample_counts((20, 5), 10, seed=9)]
    other = [first.tolist() for first, _ in resample_counts((20, 5000), 10, seed=9)]
    longer = [first.tolist() for first, _ in resample_counts((20, 5), 30, seed=9)]
    assert alone == other == longer[:10]
    assert alone != [first.tolist() for first, _ in resample_counts((20, 5), 10, seed=10)]


def test_samples_are_independent():
    pairs = [(a[0], b[0]) for a, b in resample_counts((30, 30), 3000, seed=2)]
    assert abs(np.corrcoef(np.transpose(pairs))[0, 1]) < 4 / math.sqrt(3000)


@pytest.mark.parametrize(("resamples", "seed"), [(1, 0), (10, -1)])
def test_bad_settings(resamples, seed):
    with pytest.raises(ValueError, match=r"at least 2|negative"):
        list(resample_counts((4,), resamples, seed))


def test_estimate_of_known_distribution():
    resampled = np.random.default_rng(5).normal(3.0, 0.5, 200_000)
    result = estimate(3.1, resampled)
    assert result.value == 3.1
    assert result.error == pytest.approx(0.5, rel=0.01)
    assert (result.low68, result.high68) == pytest.approx((2.503, 3.497), abs=0.01)
    assert (result.low95, result.high95) == pytest.approx((2.020, 3.980), abs=0.02)


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (4.6612, 0.4123, "4.66 ± 0.41"),
        (104.93, 12.0, "105 ± 12"),
        (0.068, 0.0068, "0.0680 ± 0.0068"),
        (2.5, 0.0, "2.5"),
    ],
)
def test_text(value, error, text):
    assert str(Estimate(value, error, 0, 0, 0, 0)) == text
