"""VEGAS steered by policies of the game, on integrands that are not the game's."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from hepgym.agents.players import Order, player
from hepgym.agents.vegas_sampling import make_sampler
from hepgym.agents.vegas_sampling.playing import make_plan, play
from hepgym.agents.vegas_sampling.policies import GymnasiumPolicy, LinearPolicy, Vegas
from hepgym.agents.vegas_sampling.policies.learning import LEARNERS, learn
from hepgym.agents.vegas_sampling.steered import Steered
from hepgym.datasets.integrands import Integrand, integrand
from hepgym.leaderboards.tasks import load_test_data, task

TASK = task("VegasSampling-v0")
CALLS = 100_000


@pytest.mark.parametrize("word", ["vegas", "vegas-on-grid"])
def test_a_policy_that_is_vegas_is_vegas(word):
    target = integrand("camel-4d")
    steered = make_sampler("policy", policy=word)
    found = steered.integrate(target, CALLS, seed=1)
    usual = make_sampler("vegas", bins=64)
    other = usual.integrate(target, CALLS, seed=1)
    # Other random numbers, the same method.
    assert len(found.iterations) == len(other.iterations) == 10
    assert found.calls == CALLS
    assert found.error == pytest.approx(other.error, rel=0.15)
    assert abs(found.estimate - other.estimate) < 4 * np.hypot(found.error, other.error)
    assert abs(found.estimate - target.reference.value) < 4 * found.error
    np.testing.assert_allclose(steered.grid_edges, usual.grid_edges, atol=0.02)
    points, density = steered.sample(20_000, seed=2)
    weights = target(points) / density
    assert weights.mean() == pytest.approx(target.reference.value, rel=0.1)
    assert np.array_equal(density, steered.density(points))


@pytest.mark.parametrize("word", ["linear", "ppo", "geometric:iterations=8", "grid-network"])
def test_trained_policies_integrate_what_they_have_never_seen(word):
    target = integrand("product-peak-4d")
    sampler = make_sampler("policy", policy=word)
    seen = []
    found = sampler.integrate(target, CALLS, seed=3, progress=seen.append)
    assert seen[-1].estimate == found.estimate
    assert [row.calls for row in seen[-1].iterations] == [row.calls for row in found.iterations]
    assert found.calls == CALLS
    assert abs(found.estimate - target.reference.value) < 5 * found.error
    again = make_sampler("policy", policy=word).integrate(target, CALLS, seed=3)
    assert again.estimate == found.estimate
    plain = make_sampler("plain").integrate(target, CALLS, seed=3)
    assert found.error < 0.5 * plain.error


def test_many_axes_signs_and_functions_of_python():
    wave = integrand("oscillatory-4d")
    found = make_sampler("policy").integrate(wave, CALLS, seed=1)
    assert abs(found.estimate - wave.reference.value) < 4 * found.error
    many = integrand("polynomial-18d")
    found = make_sampler("policy", policy="ppo").integrate(many, CALLS, seed=1)
    assert abs(found.estimate - 3.0) < 4 * found.error
    for word in ("vegas-on-grid", "grid-network"):
        with pytest.raises(ValueError, match="at most 8 axes, but polynomial-18d has 18"):
            make_sampler("policy", policy=word).integrate(many, CALLS)
    own = Integrand("own", 2, None, 1.0, function=lambda x: x[:, 0] + x[:, 1])
    found = Steered(steering=GymnasiumPolicy(Vegas().act, name="mine")).integrate(own, CALLS)
    assert abs(found.estimate - 1.0) < 4 * found.error
    bad = dataclasses.replace(own, function=lambda x: np.full(len(x), np.inf))
    with pytest.raises(ValueError, match="own is not finite at some of its points"):
        make_sampler("policy").integrate(bad, CALLS)


def test_bad_requests_are_named():
    for words, message in (
        ({"policy": "vega"}, "no policy 'vega'; choose one of plain"),
        ({"policy": "vegas:alpha=9"}, "alpha is 9"),
        ({"policy": 3}, "policy is 3 but must be 'plain' or"),
    ):
        with pytest.raises(ValueError, match=message):
            make_sampler("policy", **words)
    with pytest.raises(ValueError, match="calls = 10"):
        make_sampler("policy").integrate(integrand("gauss-2d"), 10)
    with pytest.raises(ValueError, match="call integrate first"):
        make_sampler("policy").sample(3)


def test_policies_on_the_board(tmp_path, random):
    """Trained by a command, played by another; what was played is not mixed up."""
    changes = {"budget": 1000, "generations": 1, "population": 3, "elite": 1, "games": 2}
    folder = tmp_path / "trained"
    player(TASK).train(TASK, "linear", folder, changes, preset=None, resume=True)
    settings = {"integrands": "gauss-4d", "budgets": 200_000}
    order = Order("linear", settings, folder, tmp_path / "run")
    outcome = player(TASK).run(TASK, order, lambda *_: None)
    manifest = outcome.submission.manifest
    assert manifest.agent == "policy"
    assert manifest.hyperparameters["policy"] == str(folder / "linear.json")
    suite = load_test_data(TASK)["integrands"]
    plan = make_plan(suite, "policy", policy=str(folder / "linear.json"), **settings)
    name = "estimate/gauss-4d/200000"
    assert np.array_equal(play(plan, suite, order.folder / "cells")[name],
                          outcome.submission.predictions[name])  # fmt: skip
    # The same file with another policy in it is another sampler.
    LinearPolicy(random.normal(size=(3, 11))).save(folder / "linear.json")
    other = play(plan, suite, order.folder / "cells")[name]
    assert not np.array_equal(other, outcome.submission.predictions[name])


def test_trainings_are_checked(tmp_path):
    train = player(TASK).train
    for agent, changes, preset, message in (
        ("vegas", {}, None, "vegas learns while it integrates.* linear, ppo, grid-network"),
        ("ppo", {}, "published", "ppo has no presets"),
        ("ppo", {"learning": 1}, None, "ppo has no setting 'learning'; it has budget, steps"),
        ("linear", {"games": 1.5}, None, "linear: games is 1.5 but must be an integer"),
    ):
        with pytest.raises(ValueError, match=message):
            train(TASK, agent, tmp_path, changes, preset=preset, resume=True)
    few = {"budget": 1000, "generations": 1, "population": 3, "elite": 1, "games": 2}
    learn("linear", tmp_path, few)
    with pytest.raises(ValueError, match="other settings"):
        learn("linear", tmp_path, few | {"seed": 5})
    learn("linear", tmp_path, few | {"seed": 5}, resume=False)
    assert set(LEARNERS["linear"].files) == {file.name for file in tmp_path.iterdir()}
    with pytest.raises(ValueError, match="--model is for agents that were trained before"):
        player(TASK).run(TASK, Order("vegas", {}, tmp_path, tmp_path / "x"), lambda *_: None)
