"""The score of a groomer against definitions, known limits and independent statistics."""

import dataclasses
import math
import statistics
import time

import numpy as np
import pytest

from hepgym.datasets.jets.clustering import cluster
from hepgym.datasets.jets.trees import mass
from hepgym.leaderboards.bootstrap import resample_counts
from hepgym.leaderboards.scores.jet_grooming import (
    evaluate,
    groomed_masses,
    grooming_score,
    resampled_quantities,
)

TARGET = 80.385


def slow_quantities(signal, background, target):
    """The definitions, word by word."""
    out = {}
    for prefix in ("", "narrowest_"):
        ordered = sorted(signal)
        if prefix == "":
            low, high = np.percentile(signal, 20), np.percentile(signal, 80)
        else:
            held = math.ceil(0.6 * len(signal) - 1e-9)
            starts = range(len(signal) - held + 1)
            first = min(starts, key=lambda i: ordered[i + held - 1] - ordered[i])
            low, high = ordered[first], ordered[first + held - 1]
        median = statistics.median(m for m in signal if low <= m <= high)
        f_bkg = sum(low <= m <= high for m in background) / len(background)
        out[prefix + "loss"] = abs(high - low) / 5 + abs(target - median) + 20 * f_bkg
        out[prefix + "w_min"] = low
        out[prefix + "w_max"] = high
        out[prefix + "window"] = high - low
        out[prefix + "median"] = median
        out[prefix + "f_bkg"] = f_bkg
    return out


def toy_masses(seed, signal_jets=400, background_jets=300):
    rng = np.random.default_rng(seed)
    signal = np.where(
        rng.random(signal_jets) < 0.8,
        rng.normal(82, 6, signal_jets),
        rng.exponential(50, signal_jets),
    )
    return signal, rng.exponential(60, background_jets)


@pytest.mark.parametrize("signal_jets", [3, 4, 5, 6, 11, 101, 400])
@pytest.mark.parametrize("background_jets", [1, 37, 300])
def test_agrees_with_the_definitions(signal_jets, background_jets):
    signal, background = toy_masses(signal_jets, signal_jets, background_jets)
    slow = slow_quantities(signal, background, TARGET)
    metrics = grooming_score(signal, background, TARGET, resamples=2).metrics()
    assert list(metrics) == list(slow)
    for name, value in slow.items():
        assert metrics[name].value == pytest.approx(value, rel=1e-12, abs=1e-12), name


def test_every_resample_agrees_with_the_definitions():
    signal, background = toy_masses(1, 61, 40)
    fast = resampled_quantities(signal, background, TARGET, resamples=30, seed=4)
    for k, (in_signal, in_background) in enumerate(resample_counts((61, 40), 30, seed=4)):
        slow = slow_quantities(
            np.repeat(signal, in_signal), np.repeat(background, in_background), TARGET
        )
        for name, value in slow.items():
            assert fast[name][k] == pytest.approx(value, rel=1e-12, abs=1e-12), name


def test_errors_and_intervals_are_those_of_the_resamples():
    signal, background = toy_masses(2)
    score = grooming_score(signal, background, TARGET, resamples=100, seed=6)
    resampled = resampled_quantities(signal, background, TARGET, resamples=100, seed=6)
    assert score.metrics().keys() == resampled.keys()
    for name, estimate in score.metrics().items():
        assert estimate.error == pytest.approx(np.std(resampled[name], ddof=1))
        assert estimate.low68 == pytest.approx(np.percentile(resampled[name], 16))
        assert estimate.high95 == pytest.approx(np.percentile(resampled[name], 97.5))
    assert (score.signal_jets, score.background_jets) == (400, 300)
    assert (score.resamples, score.seed, score.mass_target) == (100, 6, TARGET)


def test_all_masses_equal():
    """A perfect groomer: no width, on target, and no background at exactly that mass."""
    score = grooming_score(np.full(500, TARGET), np.linspace(0, 200, 500), TARGET, resamples=50)
    for definition in (score, score.narrowest):
        assert (definition.w_min.value, definition.w_max.value) == (TARGET, TARGET)
        assert definition.loss.value == 0.0
        assert definition.loss.error == 0.0
    everything_inside = grooming_score(np.full(10, 90.0), np.full(7, 90.0), 80.0, resamples=5)
    assert everything_inside.loss.value == 10.0 + 20.0
    assert everything_inside.f_bkg.error == 0.0


def test_uniform_masses():
    """Both windows are 60 % wide and hold 60 % of a background of the same shape."""
    masses = np.linspace(0, 100, 10_001)
    score = grooming_score(masses, masses, 50.0, resamples=5)
    assert (score.w_min.value, score.w_max.value) == pytest.approx((20.0, 80.0))
    assert score.median.value == pytest.approx(50.0)
    assert score.f_bkg.value == pytest.approx(0.6, abs=2e-4)
    assert score.loss.value == pytest.approx(60 / 5 + 20 * 0.6, abs=5e-3)
    assert score.narrowest.window.value == pytest.approx(60.0, abs=0.02)


def test_narrowest_window_leaves_the_tail_out():
    """60 % of an exponential: narrowest from 0 to -ln 0.4, the percentiles lie further right."""
    rng = np.random.default_rng(0)
    score = grooming_score(rng.exponential(1.0, 40_000), [0.5], 1.0, resamples=2)
    assert score.w_min.value == pytest.approx(-math.log(0.8), abs=0.02)
    assert score.w_max.value == pytest.approx(-math.log(0.2), abs=0.04)
    assert score.narrowest.w_min.value == pytest.approx(0.0, abs=0.02)
    assert score.narrowest.w_max.value == pytest.approx(-math.log(0.4), abs=0.04)


def test_natural_width_of_the_w():
    """Breit-Wigner masses alone give a window of 2.87 GeV."""
    quantiles = (np.arange(100_000) + 0.5) / 100_000
    masses = TARGET + 0.5 * 2.085 * np.tan(np.pi * (quantiles - 0.5))
    score = grooming_score(masses, [0.0], TARGET, resamples=2)
    assert score.window.value == pytest.approx(2.87, abs=0.01)
    assert score.median.value == pytest.approx(TARGET, abs=1e-6)


@pytest.mark.parametrize("factor", [0.5, 3.0])
def test_scaling_and_shifting_masses(factor):
    signal, background = toy_masses(3)
    base = grooming_score(signal, background, TARGET, resamples=20)
    scaled = grooming_score(signal * factor, background * factor, TARGET * factor, resamples=20)
    moved = grooming_score(signal + 7.0, background + 7.0, TARGET + 7.0, resamples=20)
    for name in ("window", "median", "w_min", "w_max"):
        value, error = getattr(base, name).value, getattr(base, name).error
        assert getattr(scaled, name).value == pytest.approx(factor * value)
        assert getattr(scaled, name).error == pytest.approx(factor * error)
    assert scaled.f_bkg == base.f_bkg
    assert moved.loss.value == pytest.approx(base.loss.value)


def test_order_of_jets_does_not_change_the_values():
    signal, background = toy_masses(4)
    forwards = grooming_score(signal, background, TARGET, resamples=10).metrics()
    backwards = grooming_score(signal[::-1], background[::-1], TARGET, resamples=10).metrics()
    assert [e.value for e in forwards.values()] == [e.value for e in backwards.values()]


def test_deterministic():
    signal, background = toy_masses(5)
    first = grooming_score(signal, background, TARGET, resamples=50)
    assert grooming_score(signal, background, TARGET, resamples=50) == first
    assert grooming_score(signal, background, TARGET, resamples=50, seed=1) != first
    with pytest.raises(dataclasses.FrozenInstanceError):
        first.seed = 2


def test_groomers_of_the_same_jets_are_resampled_alike():
    """A shift of every mass is a shift in every resample: the difference has no error."""
    signal, background = toy_masses(6)
    near = resampled_quantities(signal, background, TARGET, resamples=40)
    # A nonlinear, monotonous change keeps the ranks but not the values.
    far = resampled_quantities(signal + 5.0, -background, TARGET, resamples=40)
    np.testing.assert_allclose(far["median"] - near["median"], 5.0)
    assert np.std(near["median"]) > 0.1


def test_error_agrees_with_theory():
    """Normal signal, uniform background: errors from the densities at the quantiles."""
    jets = 20_000
    rng = np.random.default_rng(7)
    sigma = 10.0
    score = grooming_score(
        rng.normal(80.0, sigma, jets), rng.uniform(0, 200, jets), 100.0, resamples=300
    )
    normal = statistics.NormalDist(0, sigma)
    high = normal.inv_cdf(0.8)
    density = normal.pdf(high)
    # Standard error of a quantile: sqrt(p (1 - p) / n) / density. The ends are correlated:
    # covariance p_low (1 - p_high) / (n density^2).
    end = math.sqrt(0.2 * 0.8 / jets) / density
    width = math.sqrt(2 * (0.2 * 0.8 - 0.2 * 0.2) / jets) / density
    assert score.w_min.error == pytest.approx(end, rel=0.15)
    assert score.w_max.error == pytest.approx(end, rel=0.15)
    assert score.window.error == pytest.approx(width, rel=0.15)
    assert score.median.error == pytest.approx(math.sqrt(0.25 / jets) / normal.pdf(0.0), rel=0.2)
    fraction = 2 * high / 200
    f_bkg = math.hypot(math.sqrt(fraction * (1 - fraction) / jets), width / 200)
    assert score.f_bkg.error == pytest.approx(f_bkg, rel=0.15)
    assert abs(score.w_min.value - (80.0 - high)) < 4 * end


def test_interval_covers_the_truth():
    """68 % and 95 % of the intervals of 300 experiments hold the true loss."""
    experiments, jets = 300, 300
    rng = np.random.default_rng(8)
    high = statistics.NormalDist(0, 8).inv_cdf(0.8)
    truth = 2 * high / 5 + 10.0 + 20 * (2 * high / 150)
    covered68 = covered95 = 0
    for experiment in range(experiments):
        loss = grooming_score(
            rng.normal(80, 8, jets),
            rng.uniform(0, 150, jets),
            90.0,
            resamples=150,
            seed=experiment,
        ).loss
        covered68 += loss.low68 <= truth <= loss.high68
        covered95 += loss.low95 <= truth <= loss.high95
    # three standard deviations of a binomial, and 150 resamples blur the ends a little
    assert covered68 / experiments == pytest.approx(0.68, abs=0.09)
    assert covered95 / experiments == pytest.approx(0.95, abs=0.05)


def test_time_of_the_board_settings():
    """2 x 10,000 jets and 1000 resamples must stay usable between two keystrokes."""
    signal, background = toy_masses(9, 10_000, 10_000)
    start = time.process_time()
    grooming_score(signal, background, TARGET)
    assert time.process_time() - start < 3.0


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("name", ["signal_masses", "background_masses"])
def test_masses_must_be_finite(name, bad):
    masses = {"signal_masses": np.full(20, 80.0), "background_masses": np.full(30, 50.0)}
    masses[name][17] = bad
    with pytest.raises(ValueError, match=rf"^{name}\[17\] is .*finite"):
        grooming_score(**masses, mass_target=TARGET)


@pytest.mark.parametrize(
    ("signal", "background", "target", "message"),
    [
        ([], [1.0], 80.0, "signal_masses has 0 entries"),
        ([80.0, 81.0], [1.0], 80.0, "signal_masses has 2 entries"),
        ([80.0] * 5, [], 80.0, "background_masses has 0 entries"),
        ([[80.0] * 5], [1.0], 80.0, "signal_masses has shape"),
        (["80"] * 5, [1.0], 80.0, "signal_masses has .* real numbers"),
        ([80.0] * 5, [1j], 80.0, "background_masses has .* real numbers"),
        ([80.0] * 5, [1.0], math.nan, "mass_target is nan"),
    ],
)
def test_bad_input(signal, background, target, message):
    with pytest.raises(ValueError, match=message):
        grooming_score(signal, background, target)


# Predictions to masses


@pytest.fixture(scope="module")
def trees():
    """Toy jets of 1 to 12 particles of a few GeV around one axis."""
    rng = np.random.default_rng(11)
    counts = np.concatenate([[1, 2], rng.integers(3, 13, 58)])
    offsets = np.concatenate([[0], np.cumsum(counts)])
    pt = rng.exponential(40, offsets[-1]) + 1.0
    eta, phi = rng.normal(0, 0.4, (2, offsets[-1]))
    momenta = np.stack(
        [pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta), pt * np.cosh(eta)], axis=1
    )
    return cluster(offsets, momenta)


def test_keeping_everything_is_the_plain_mass(trees):
    plain = mass(trees.jet_momenta)
    none_removed = np.zeros(len(trees.softer_size), bool)
    all_kept = np.ones(len(trees.constituents), bool)
    np.testing.assert_allclose(groomed_masses("decisions", none_removed, trees), plain)
    np.testing.assert_allclose(groomed_masses("kept", all_kept, trees), plain, atol=1e-4)
    np.testing.assert_array_equal(groomed_masses("kept", ~all_kept, trees), 0.0)


def test_decisions_and_kept_constituents_agree(trees):
    """Removing the first node's softer branch keeps what stands behind its constituents."""
    removed = np.zeros(len(trees.softer_size), bool)
    kept = np.ones(len(trees.constituents), bool)
    for jet in range(len(trees)):
        if trees.offsets[jet + 1] - trees.offsets[jet] > 1:
            node = trees.node_offsets[jet]
            removed[node] = True
            kept[trees.offsets[jet] : trees.offsets[jet] + trees.softer_size[node]] = False
    by_decision = groomed_masses("decisions", removed, trees)
    np.testing.assert_allclose(by_decision, groomed_masses("kept", kept, trees), atol=1e-4)
    assert (by_decision[1:] < mass(trees.jet_momenta)[1:] - 1.0).any()


@pytest.mark.parametrize("kind", ["decisions", "kept"])
def test_one_value_each_is_needed(trees, kind):
    with pytest.raises(ValueError, match="5 values, but these jets have"):
        groomed_masses(kind, np.zeros(5, bool), trees)


def test_unknown_kind(trees):
    with pytest.raises(ValueError, match=r"'weights' are unknown, known: decisions, kept"):
        groomed_masses("weights", np.zeros(5, bool), trees)


def test_evaluate_names_the_array(trees):
    data = {"signal": trees, "background": trees}
    right = np.zeros(len(trees.softer_size), bool)
    score = evaluate("decisions", {"signal": right, "background": right}, data, mass_target=60.0)
    assert (score.resamples, score.seed) == (1000, 0)
    plain = mass(trees.jet_momenta)
    assert score == grooming_score(plain, plain, 60.0)
    for predictions, message in (
        ({"signal": right}, "'background' is missing"),
        ({"signal": right, "background": right[1:]}, "'background': .* one each"),
        ({"signal": right, "background": right, "other": right}, "'other' is unknown"),
    ):
        with pytest.raises(ValueError, match=message):
            evaluate("decisions", predictions, data, mass_target=60.0)
