"""Plain Monte Carlo, VEGAS and VEGAS+: unbiased, honest, reproducible, resumable."""

from __future__ import annotations

import dataclasses
import os
import uuid

import numpy as np
import pytest

from hepgym.agents.vegas_sampling import SAMPLERS, Integration, make_sampler
from hepgym.agents.vegas_sampling.base import combine
from hepgym.agents.vegas_sampling.vegas_plus import lattice
from hepgym.agents.vegas_sampling.weights import (
    kish_fraction,
    quantile_weight,
    relative_deviation,
    unweighting_efficiency,
)
from hepgym.datasets.integrands import integrand, register

COMPILED = ("plain", "vegas", "vegas-plus")


def numbers(result: Integration) -> list[float]:
    rows = [value for row in result.iterations for value in dataclasses.astuple(row)]
    return [result.estimate, result.error, result.calls, *rows]


def pulls(name: str, function: str, calls: int, seeds: int, **parameters) -> np.ndarray:
    sampler, target = make_sampler(name, **parameters), integrand(function)
    found = [sampler.integrate(target, calls, seed) for seed in range(seeds)]
    assert all(result.calls == calls for result in found)
    exact = target.reference.value
    return np.array([(result.estimate - exact) / result.error for result in found])


@pytest.mark.parametrize("name", COMPILED)
@pytest.mark.parametrize("function", ["gauss-4d", "camel-4d", "discontinuous-4d", "oscillatory-4d"])
def test_estimates_are_unbiased_and_errors_honest(name, function):
    weighting = {} if name == "plain" else {"combination": "calls"}
    found = pulls(name, function, 30_000, 100, iterations=5, **weighting)
    # Over 100 seeds: mean 0 +- 0.10, standard deviation 1 +- 0.07, coverage 0.68 +- 0.05.
    assert abs(found.mean()) < 0.35
    assert 0.75 < found.std() < 1.25
    assert 0.53 < np.mean(abs(found) < 1.0) < 0.83


def test_stratification_pays_off_on_the_diagonal():
    # A grid on each axis cannot tell the two humps from the two places beside the diagonal.
    target = integrand("camel-4d")
    errors = {name: make_sampler(name).integrate(target, 400_000, 1).error for name in COMPILED}
    assert errors["vegas"] < 0.7 * errors["plain"]
    assert errors["vegas-plus"] < 0.5 * errors["vegas"]


def test_vegas_reaches_the_variance_of_a_perfect_grid():
    # The product peak factorises: the best grid leaves the variance within bins alone.
    target = integrand("product-peak-4d")
    last = make_sampler("vegas").integrate(target, 2_000_000, 1).iterations[-1]
    assert last.error * np.sqrt(last.calls) / last.estimate < 0.15


def test_weighting_by_quoted_error_loses_peaks():
    # Known and documented: with few calls early iterations see one hump and quote small errors.
    found = pulls("vegas", "camel-8d", 100_000, 30, alpha=1.5, combination="error")
    honest = pulls("vegas", "camel-8d", 100_000, 30, alpha=0.5, combination="calls", warmup=2)
    assert found.mean() < -0.5
    assert honest.mean() > found.mean()


@pytest.mark.parametrize("name", COMPILED)
def test_threads_and_form_of_the_integrand_change_nothing(name):
    target = integrand("camel-4d")
    python = register("camel-in-python", target, dim=4)
    one = make_sampler(name).integrate(target, 200_000, 5)
    assert numbers(make_sampler(name).integrate(target, 200_000, 5, threads=3)) == numbers(one)
    assert numbers(make_sampler(name).integrate(python, 200_000, 5)) == numbers(one)
    assert numbers(make_sampler(name).integrate(target, 200_000, 6)) != numbers(one)


@pytest.mark.parametrize("name", COMPILED)
def test_interrupted_run_goes_on_to_the_same_result(name, tmp_path):
    target = integrand("camel-4d")
    whole = make_sampler(name).integrate(target, 100_000, 1)
    file = tmp_path / "state.npz"

    def interrupt(partial: Integration) -> None:
        if len(partial.iterations) == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_sampler(name).integrate(target, 100_000, 1, checkpoint=file, progress=interrupt)
    seen: list[int] = []
    sampler = make_sampler(name)
    resumed = sampler.integrate(
        target,
        100_000,
        1,
        checkpoint=file,
        progress=lambda partial: seen.append(len(partial.iterations)),
    )
    assert seen == [5, 6, 7, 8, 9, 10]
    assert numbers(resumed) == numbers(whole)
    # What the sampler has learnt is there as well, also if nothing is left to be done.
    again = make_sampler(name)
    assert numbers(again.integrate(target, 100_000, 1, checkpoint=file)) == numbers(whole)
    np.testing.assert_array_equal(again.sample(100, 2)[0], sampler.sample(100, 2)[0])


def test_foreign_checkpoints_are_refused(tmp_path):
    target = integrand("gauss-4d")
    file = tmp_path / "state.npz"
    make_sampler("vegas").integrate(target, 10_000, 1, checkpoint=file)
    with pytest.raises(ValueError, match="there seed is 1, here 2"):
        make_sampler("vegas").integrate(target, 10_000, 2, checkpoint=file)
    with pytest.raises(ValueError, match=r"there alpha is .*, here 0\.7"):
        make_sampler("vegas", alpha=0.7).integrate(target, 10_000, 1, checkpoint=file)
    file.write_text("nothing")
    with pytest.raises(ValueError, match="is not a checkpoint"):
        make_sampler("vegas").integrate(target, 10_000, 1, checkpoint=file)


@pytest.mark.parametrize("name", COMPILED)
@pytest.mark.parametrize("function", ["camel-4d", "camel-8d"])
def test_sampled_density_integrates_to_one(name, function):
    target = integrand(function)
    sampler = make_sampler(name)
    sampler.integrate(target, 200_000, 1)
    points, density = sampler.sample(100_000, 7)
    np.testing.assert_array_equal(density, sampler.density(points))
    # Twice the integral of 1, and by parts: from its own points and from uniform ones.
    uniform = np.random.default_rng(1).random((100_000, target.dim))
    for values in (
        1.0 / density,
        sampler.density(uniform),
        2.0 * (points[:, 0] < 0.5) / density,
        target(points) / density / target.reference.value,
    ):
        assert abs(values.mean() - 1.0) < 4.0 * values.std() / np.sqrt(len(values)) + 1e-12


@pytest.mark.parametrize("name", COMPILED)
def test_events_follow_the_integrand(name):
    target = integrand("camel-4d")
    sampler = make_sampler(name)
    sampler.integrate(target, 100_000, 1)
    events = sampler.unweight(target, 4000, 3, pilot=20_000)
    assert len(events.points) == len(events.weights) == 4000
    assert events.weights.min() >= 1.0
    assert 0.0 < events.efficiency < 1.0
    mean = np.average(events.points, axis=0, weights=events.weights)
    assert abs(mean - 0.5).max() < 5 * 0.22 / np.sqrt(4000)
    # Both humps are there: off the diagonal there is little.
    lower = (events.points < 0.5).sum(axis=1)
    assert np.average(lower == 2, weights=events.weights) < 0.15
    again = sampler.unweight(target, 4000, 3, pilot=20_000)
    np.testing.assert_array_equal(again.points, events.points)


def test_events_of_an_integrand_of_both_signs():
    target = integrand("oscillatory-4d")
    sampler = make_sampler("vegas")
    sampler.integrate(target, 20_000, 1)
    events = sampler.unweight(target, 20_000, 1)
    points = np.random.default_rng(0).random((200_000, 4))
    values = target(points)
    expected = values.sum() / abs(values).sum()
    assert events.weights.sum() / abs(events.weights).sum() == pytest.approx(expected, abs=0.02)


def test_unweighting_gives_up():
    target = integrand("camel-8d")
    sampler = make_sampler("plain")
    sampler.integrate(target, 1000, 1)
    with pytest.raises(ValueError, match=r"0 of 100000 events .* efficiency"):
        sampler.unweight(target, 100_000, pilot=10_000, max_calls=20_000)


def test_measures_of_weights():
    weights = np.array([1.0, 1.0, 1.0, 1.0, 6.0])
    assert quantile_weight(weights, 0.0) == 6.0
    assert quantile_weight(weights, 0.6) == 1.0
    assert unweighting_efficiency(weights, 0.0) == pytest.approx(2.0 / 6.0)
    assert kish_fraction(weights) == pytest.approx(100.0 / (5 * 40.0))
    assert relative_deviation(weights) == pytest.approx(1.0)
    assert kish_fraction(weights) == pytest.approx(1 / (1 + relative_deviation(weights) ** 2))
    with pytest.raises(ValueError, match="share = 1"):
        quantile_weight(weights, 1.0)


def test_combination():
    rows = [(100, 1.0, 0.1), (300, 2.0, 0.2)]
    estimate, error, chi2 = combine(rows, "error")
    assert estimate == pytest.approx(1.2)
    assert error == pytest.approx(1 / np.sqrt(125))
    assert chi2 == pytest.approx(4.0 + 16.0)
    estimate, error, _ = combine(rows, "calls")
    assert estimate == pytest.approx(1.75)
    assert error == pytest.approx(np.hypot(0.025, 0.15))
    assert combine([(10, 3.0, 0.0), (10, 3.0, 0.0)], "error") == (3.0, 0.0, 0.0)


def test_schedule_and_table():
    sampler = make_sampler("vegas", iterations=4, growth=2.0, warmup=1)
    assert sampler.schedule(15_001) == [1000, 2000, 4000, 8001]
    result = sampler.integrate(integrand("gauss-4d"), 15_000, 1)
    assert [row.counted for row in result.iterations] == [False, True, True, True]
    assert result.dof == 2
    table = result.table()
    assert len(table.splitlines()) == 5
    assert "training" in table


def test_lattice_is_as_fine_as_allowed():
    assert lattice(3, 1).tolist() == [1, 1, 1]
    assert lattice(3, 27).tolist() == [3, 3, 3]
    assert lattice(3, 17).tolist() == [3, 2, 2]
    assert lattice(2, 12).tolist() == [4, 3]
    assert lattice(8, 125_000).prod() <= 125_000


def test_constant_integrand_has_no_error():
    flat = register("flat-two", lambda x: np.full(len(x), 2.0), dim=2)
    result = make_sampler("plain").integrate(flat, 1000, 1)
    assert (result.estimate, result.error, result.chi2) == (2.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("nothing", {}, "no sampler 'nothing'; choose one of plain"),
        ("vegas", {"beta": 1.0}, "no parameter 'beta'; its parameters are iterations"),
        ("vegas", {"iterations": 0}, "iterations is 0 but must be an integer"),
        ("vegas", {"alpha": float("nan")}, "alpha is nan"),
        ("vegas", {"combination": "best"}, "combination is 'best' but must be 'error' or 'calls'"),
        ("vegas", {"warmup": 10}, "warmup is 10 but must be less than iterations"),
        ("vegas-plus", {"beta": 2}, "beta is 2"),
    ],
)
def test_bad_parameters(name, parameters, message):
    with pytest.raises(ValueError, match=message):
        make_sampler(name, **parameters)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 1), "calls = 0"),
        ((10, 1), "too few"),
        ((1e4, 1), "not an integer"),
        ((1000, -1), "seed -1"),
        ((1000, 0.5), "seed 0.5"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        make_sampler("vegas").integrate(integrand("gauss-4d"), *arguments)


@pytest.mark.parametrize("name", ["vegas", "vegas-plus", "flow", "policy"])
def test_the_name_of_an_integrand_is_not_the_integrand(name):
    with pytest.raises(ValueError, match="integrand is 'gauss-4d' but must be an Integrand"):
        make_sampler(name).integrate("gauss-4d", 10_000)


def test_order_of_calls_and_bad_integrands():
    sampler = make_sampler("vegas-plus")
    with pytest.raises(ValueError, match="call integrate first"):
        sampler.sample(10)
    with pytest.raises(ValueError, match="call integrate first"):
        sampler.density(np.zeros((1, 4)))
    pole = register("pole", lambda x: np.where(x[:, 0] < 0.01, np.inf, 1.0), dim=2)
    with pytest.raises(ValueError, match="pole is not finite"):
        sampler.integrate(pole, 10_000)
    broken = register("broken", lambda x: x @ np.ones(3), dim=2)
    with pytest.raises(ValueError, match="broken failed"):
        sampler.integrate(broken, 10_000)
    sampler.integrate(integrand("gauss-4d"), 10_000)
    with pytest.raises(ValueError, match=r"shape \(1, 3\)"):
        sampler.density(np.zeros((1, 3)))


def test_parameters_make_the_sampler_again():
    for name in COMPILED:
        sampler = make_sampler(name)
        assert make_sampler(name, **sampler.parameters).parameters == sampler.parameters
        assert SAMPLERS[name].summary


def test_dask_and_a_killed_worker_change_nothing(tmp_path):
    from hepgym.cluster import client

    target = integrand("camel-4d")
    markers, death = tmp_path / "markers", tmp_path / "death"
    markers.mkdir()

    def deadly(points: np.ndarray) -> np.ndarray:
        # One worker dies, once, when some of the work is done.
        (markers / str(uuid.uuid4())).touch()
        if len(os.listdir(markers)) > 2:
            try:
                death.touch(exist_ok=False)
            except FileExistsError:
                return target(points)
            os._exit(1)
        return target(points)

    deadly_target = register("deadly", deadly, dim=4)
    sampler = make_sampler("vegas-plus", iterations=2)
    local = numbers(sampler.integrate(target, 200_000, 1))
    with client(2) as dask:
        assert numbers(sampler.integrate(target, 200_000, 1, client=dask)) == local
        before = set(dask.run(os.getpid).values())
        assert numbers(sampler.integrate(deadly_target, 200_000, 1, client=dask)) == local
        # Each chunk was done, one of them twice or more, and a worker is another process now.
        assert len(os.listdir(markers)) > 2 * 7
        assert death.exists()
        assert set(dask.run(os.getpid).values()) != before
