"""Statistics across seeds and tasks, against closed forms and an independent implementation."""

import numpy as np
import pytest
from scipy import stats

from hepgym.leaderboards.statistics import (
    interquartile_mean,
    normalised,
    performance_profile,
    probability_of_improvement,
    stratified_bootstrap,
)


def test_normalised_scores_of_the_two_agents_are_0_and_1():
    assert normalised([60.0, 5.0, 4.0], random=60.0, reference=5.0) == pytest.approx(
        [0.0, 1.0, 56 / 55]
    )
    assert normalised([0.1, 0.9], random=0.1, reference=0.5) == pytest.approx([0.0, 2.0])


@pytest.mark.parametrize("bad", [(1.0, 1.0), (np.nan, 1.0), (0.0, np.inf)])
def test_a_scale_without_length_is_refused(bad):
    with pytest.raises(ValueError, match=r"both have|finite"):
        normalised([1.0], *bad)


def test_interquartile_mean_is_a_trimmed_mean(random):
    for sizes in ((8, 8), (5, 9, 3), (4,), (1,)):
        scores = [random.normal(size=size) for size in sizes]
        expected = stats.trim_mean(np.concatenate(scores), 0.25)
        assert interquartile_mean(scores) == pytest.approx(expected)


def test_outliers_do_not_move_it():
    runs = [np.arange(8.0)]
    assert interquartile_mean(runs) == interquartile_mean([np.array([*range(7), 1e9])]) == 3.5


def test_the_bootstrap_of_a_mean_has_the_known_error(random):
    scores = [random.normal(size=200), random.normal(5.0, 2.0, size=300)]

    def mean_of_means(runs):
        return float(np.mean([one.mean() for one in runs]))

    found = stratified_bootstrap(scores, mean_of_means)
    expected = 0.5 * np.sqrt(sum(one.var() / len(one) for one in scores))
    assert found.value == pytest.approx(mean_of_means(scores))
    # The error of an error from 2000 resamples is 1.6 %.
    assert found.error == pytest.approx(expected, rel=0.06)
    assert found.low95 < found.low68 < found.value < found.high68 < found.high95


def test_the_bootstrap_is_stratified():
    """Tasks are resampled separately: with one run each nothing varies."""
    scores = [np.array([0.0]), np.array([100.0])]
    assert stratified_bootstrap(scores, interquartile_mean).error == 0.0


def test_the_bootstrap_is_reproducible(random):
    scores = [random.normal(size=10)]
    first = stratified_bootstrap(scores, interquartile_mean, seed=3)
    assert first == stratified_bootstrap(scores, interquartile_mean, seed=3)
    assert first != stratified_bootstrap(scores, interquartile_mean, seed=4)


def test_performance_profile_of_a_uniform_agent():
    scores = [np.linspace(0, 1, 1001), np.linspace(0, 1, 11)]
    share, low, high = performance_profile(scores, [-1.0, 0.5, 2.0], resamples=200)
    assert share == pytest.approx([1.0, 0.5, 0.0], abs=0.03)
    assert (low <= share).all()
    assert (share <= high).all()
    assert high[1] - low[1] > 0.1


def test_tasks_count_the_same_in_a_profile():
    scores = [np.ones(100), np.zeros(1)]
    share, _, _ = performance_profile(scores, [0.5], resamples=10)
    assert share == pytest.approx([0.5])


def test_probability_of_improvement_is_the_u_statistic(random):
    one, other = random.integers(0, 6, 30), random.integers(0, 6, 20)
    found = probability_of_improvement([one], [other])
    u = stats.mannwhitneyu(one, other).statistic
    assert found.value == pytest.approx(u / 600)
    back = probability_of_improvement([other], [one])
    assert found.value + back.value == pytest.approx(1.0)


def test_a_better_agent_always_wins():
    assert probability_of_improvement([np.arange(5) + 10.0], [np.arange(5.0)]).value == 1.0
    assert probability_of_improvement([np.arange(5.0)], [np.arange(5.0)]).value == 0.5


@pytest.mark.parametrize("bad", [[], [np.array([])], [np.array([np.nan])], [np.eye(2)]])
def test_bad_scores_are_refused(bad):
    with pytest.raises(ValueError, match=r"no tasks|at least one finite number"):
        interquartile_mean(bad)


def test_different_tasks_cannot_be_compared():
    with pytest.raises(ValueError, match="cannot be compared"):
        probability_of_improvement([np.ones(2)], [np.ones(2), np.ones(2)])
