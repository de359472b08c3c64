"""Score of integrators: definitions, gates, and frozen samples that do not match their density."""

import math

import numpy as np
import pytest

from hepgym.datasets.integrands import integrand
from hepgym.datasets.integrands.suite import Suite, SuiteMember
from hepgym.leaderboards.scores import vegas_sampling
from hepgym.leaderboards.scores.vegas_sampling import BUDGETS, check_density, evaluate, probe_points

POINTS = 5000


def member(name, plain_rsd):
    found = integrand(name)
    return SuiteMember(name, found.dim, found.reference.value, 0.0, plain_rsd, found.cost)


MEMBERS = {one.name: one for one in (member("gauss-2d", 2.0), member("corner-peak-3d", 1.5))}
DATA = {"integrands": Suite("integrands/test-v1", MEMBERS)}


def cell(name, budget, rng, seeds=40, width=1.0, quoted=1.0):
    """Estimates with standard deviation ``width`` / sqrt(budget) that quote ``quoted`` times it."""
    value = MEMBERS[name].value
    sigma = width / math.sqrt(budget)
    return {
        f"estimate/{name}/{budget}": value * (1 + sigma * rng.normal(size=seeds)),
        f"error/{name}/{budget}": np.full(seeds, abs(value) * sigma * quoted),
        f"calls/{name}/{budget}": np.full(seeds, float(budget)),
        f"overhead/{name}/{budget}": np.full(seeds, 0.05),
    }


def sample(name, rng, power=1.0):
    """Points of the density prod_k power x_k^(power - 1)."""
    dim = MEMBERS[name].dim

    def density(x):
        return np.prod(power * x ** (power - 1), axis=1)

    points = rng.random((POINTS, dim)) ** (1 / power)
    return {
        f"points/{name}": points.astype(np.float32),
        f"density/{name}": density(points),
        f"probe/{name}": density(probe_points(MEMBERS[name])),
    }


@pytest.fixture
def complete(random):
    out = {}
    for name in MEMBERS:
        out |= sample(name, random)
        for budget in BUDGETS:
            out |= cell(name, budget, random)
    return out


def test_definition(complete):
    score = evaluate("estimates", complete, DATA)
    name, budget = "gauss-2d", BUDGETS[1]
    deviation = complete[f"estimate/{name}/{budget}"] / MEMBERS[name].value - 1
    by_hand = math.log10(math.sqrt(budget) * math.sqrt(np.mean(deviation**2)))
    found = score.cells[name, budget]
    assert found.S.value == pytest.approx(by_hand, rel=1e-12)
    # 40 seeds fix a standard deviation to 11 %.
    assert found.S.value == pytest.approx(0.0, abs=4 * found.S.error)
    assert 0.03 < found.S.error < 0.08
    assert found.passed
    assert found.coverage.value == pytest.approx(0.68, abs=0.17)
    assert (score.failing, score.missing) == (0, 0)
    metrics = score.metrics()
    values = [metrics[f"S/{n}/{b}"].value for n in MEMBERS for b in BUDGETS]
    assert metrics["S"].value == pytest.approx(np.mean(values))
    assert next(iter(metrics)) == "S"


def test_repeats_to_the_last_digit(complete):
    assert evaluate("estimates", complete, DATA) == evaluate("estimates", complete, DATA)


def test_what_is_missing_counts_as_plain_monte_carlo(complete):
    name, budget = "gauss-2d", BUDGETS[2]
    part = {k: v for k, v in complete.items() if not k.endswith(f"{name}/{budget}")}
    score = evaluate("estimates", part, DATA)
    assert score.missing == 1
    whole = evaluate("estimates", complete, DATA)
    lost = math.log10(MEMBERS[name].plain_rsd) - whole.cells[name, budget].S.value
    assert score.means["S"].value == pytest.approx(whole.means["S"].value + lost / 6)


@pytest.mark.parametrize("quoted", [0.1, 10.0])
def test_wrong_quoted_errors_fail_the_gate(complete, random, quoted):
    name, budget = "gauss-2d", BUDGETS[0]
    cheat = cell(name, budget, random, width=0.01, quoted=quoted)
    score = evaluate("estimates", complete | cheat, DATA)
    found = score.cells[name, budget]
    assert not found.passed
    assert score.failing == 1
    assert found.S.value < -1.5
    assert found.counted.value == pytest.approx(math.log10(MEMBERS[name].plain_rsd))


def test_far_pulls_fail_the_gate(complete):
    name, budget = "gauss-2d", BUDGETS[0]
    key = f"estimate/{name}/{budget}"
    values = complete[key].copy()
    values[:3] = MEMBERS[name].value * 0.5
    found = evaluate("estimates", complete | {key: values}, DATA).cells[name, budget]
    assert found.far.value == pytest.approx(3 / 40)
    assert not found.passed
    assert found.counted.value == found.S.value  # worse than plain Monte Carlo by itself


def test_an_exact_estimate_is_no_infinity(complete):
    name, budget = "gauss-2d", BUDGETS[0]
    perfect = {f"estimate/{name}/{budget}": np.full(40, MEMBERS[name].value)}
    assert math.isfinite(evaluate("estimates", complete | perfect, DATA).means["S"].value)


def test_time_to_one_per_mille(complete):
    """Standard deviation 1 per point needs 1e6 calls for 1e-3."""
    score = evaluate("estimates", complete, DATA)
    for cost in (0.01, 1.0, 100.0):
        seconds = score.times["gauss-2d", cost]
        expected = 1e6 * (cost + 0.05) * 1e-6
        assert seconds.value == pytest.approx(expected, abs=4 * seconds.error)


def test_uniform_points_have_the_weights_of_plain_monte_carlo(complete):
    found = evaluate("estimates", complete, DATA).samples["gauss-2d"]
    points = complete["points/gauss-2d"].astype(float)
    weights = integrand("gauss-2d")(points)
    assert found.rsd.value == pytest.approx(weights.std() / weights.mean())
    assert found.kish.value == pytest.approx(weights.sum() ** 2 / (weights**2).sum() / POINTS)
    limit = weights.mean() / found.eps.value
    above, from_there = weights[weights > 1.0001 * limit], weights[weights > 0.9999 * limit]
    assert above.sum() <= 1e-3 * weights.sum() < from_there.sum()
    assert found.integral.value == pytest.approx(1, abs=5 * found.integral.error)


# Samples that are not what they say


def scaled(arrays, name):
    return {f"density/{name}": arrays[f"density/{name}"] * 1.15} | {
        f"probe/{name}": arrays[f"probe/{name}"] * 1.15
    }


def other_points(arrays, name):
    return {f"points/{name}": arrays[f"points/{name}"][:, ::-1] ** 2}


def perfect_weights(arrays, name):
    """The density that would make all weights equal."""
    f, value = integrand(name), MEMBERS[name].value
    points = arrays[f"points/{name}"].astype(float)
    return {
        f"density/{name}": f(points) / value,
        f"probe/{name}": f(probe_points(MEMBERS[name])) / value,
    }


def shuffled(arrays, name):
    return {f"density/{name}": np.random.default_rng(0).permutation(arrays[f"density/{name}"])}


@pytest.mark.parametrize("cheat", [scaled, other_points, perfect_weights, shuffled])
def test_a_density_that_does_not_match_is_refused(complete, random, cheat):
    name = "corner-peak-3d"
    honest = complete | sample(name, random, power=1.5)
    evaluate("estimates", honest, DATA)
    with pytest.raises(ValueError, match=f"density/{name} does not match points/{name}"):
        evaluate("estimates", honest | cheat(honest, name), DATA)


def test_honest_densities_are_not_refused():
    """False alarms: 200 samples, four tests each, at five standard errors."""
    one = MEMBERS["corner-peak-3d"]
    for seed in range(200):
        arrays = sample(one.name, np.random.default_rng(seed), power=3.0)
        check_density(
            one.name,
            arrays[f"points/{one.name}"].astype(float),
            arrays[f"density/{one.name}"],
            probe_points(one),
            arrays[f"probe/{one.name}"],
        )


def test_a_sampler_that_misses_a_region_is_shown_not_refused(complete, random):
    """All points in one half, where they follow their density: 2."""
    name = "gauss-2d"
    points = random.random((POINTS, 2)) * [0.5, 1.0]
    half = {
        f"points/{name}": points,
        f"density/{name}": np.full(POINTS, 2.0),
        f"probe/{name}": np.where(probe_points(MEMBERS[name])[:, 0] < 0.5, 2.0, 0.0),
    }
    found = evaluate("estimates", complete | half, DATA).samples[name]
    assert found.integral.value == pytest.approx(0.5, abs=0.05)


# Bad input


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"estimate/gauss-2d/200000": np.zeros(19)}, "at least 20 seeds"),
        ({"estimate/gauss-2d/200000": np.zeros((40, 1))}, "at least 20 seeds"),
        ({"error/gauss-2d/200000": np.zeros(39)}, "but there are 40 seeds"),
        ({"error/gauss-2d/200000": np.full(40, -1.0)}, "error/gauss-2d/200000 has a negative"),
        ({"calls/gauss-2d/200000": np.full(40, 2e5 + 1)}, "training included, must be 1 to 200000"),
        ({"overhead/gauss-2d/200000": None}, "array 'overhead/gauss-2d/200000' is missing"),
        ({"probe/gauss-2d": None}, "array 'probe/gauss-2d' is missing"),
        ({"estimate/gauss-9d/200000": np.zeros(40)}, "'estimate/gauss-9d/200000' is unknown"),
        ({"estimate/gauss-2d/300000": np.zeros(40)}, "'estimate/gauss-2d/300000' is unknown"),
        ({"points/gauss-2d": np.full((POINTS, 2), 1.5)}, "a coordinate outside"),
        ({"points/gauss-2d": np.zeros((POINTS, 3))}, r"shape \(5000, 3\)"),
        ({"points/gauss-2d": np.zeros((100, 2))}, "at least 4096 points"),
        ({"density/gauss-2d": np.ones(10)}, r"density/gauss-2d has shape \(10,\)"),
        ({"density/gauss-2d": np.zeros(POINTS)}, "not positive"),
        ({"probe/gauss-2d": np.ones(10)}, r"probe/gauss-2d has shape \(10,\)"),
    ],
)
def test_bad_input(complete, change, message):
    arrays = {k: v for k, v in (complete | change).items() if v is not None}
    with pytest.raises(ValueError, match=message):
        evaluate("estimates", arrays, DATA)


def test_nothing_at_all():
    with pytest.raises(ValueError, match="no array estimate/INTEGRAND/BUDGET at all"):
        evaluate("estimates", {}, DATA)


def test_unknown_kind(complete):
    with pytest.raises(ValueError, match="kind 'decisions' are unknown"):
        evaluate("decisions", complete, DATA)


def test_probes_are_frozen():
    """A change would make every submission's density wrong."""
    points = probe_points(MEMBERS["gauss-2d"])
    assert points.shape == (vegas_sampling.MIN_POINTS, 2)
    assert points[0].tolist() == [0.22244697479830633, 0.3718613679487477]
    assert abs(points.mean() - 0.5) < 5 * math.sqrt(1 / 12 / points.size)
