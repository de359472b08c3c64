"""Policies of the game of VEGAS: what they do, what they reach, how they are stored."""

from __future__ import annotations

import dataclasses
import itertools
import json

import gymnasium
import numpy as np
import pytest

import hepgym  # noqa: F401  (registers the environments)
from hepgym.agents.vegas_sampling.policies import (
    POLICIES,
    Geometric,
    GymnasiumPolicy,
    LinearPolicy,
    NetworkPolicy,
    Plain,
    Random,
    Vegas,
    VegasOnGrid,
    evaluate_policy,
    make_policy,
    shipped,
)
from hepgym.agents.vegas_sampling.policies.evaluation import play
from hepgym.agents.vegas_sampling.policies.features import NAMES, features
from hepgym.agents.vegas_sampling.policies.limit import find_limit
from hepgym.agents.vegas_sampling.policies.linear import FEATURES
from hepgym.envs.vegas_sampling.actions import physical

BUDGET = 20_000


def batch(observation):
    return {name: values[np.newaxis] for name, values in observation.items()}


def play_single(policy, integrand, stream, split="test"):
    """Infos of one game of the registered environment."""
    env = gymnasium.make(policy.environment, budget=BUDGET, split=split)
    observation, info = env.reset(options={"integrand": integrand, "stream": stream})
    infos, terminated = [info], False
    while not terminated:
        observation, _, terminated, _, info = env.step(policy.act(batch(observation))[0])
        infos.append(info)
    return infos


@pytest.mark.parametrize("name", POLICIES)
def test_the_games_are_those_of_the_environment(name):
    policy = make_policy(name)
    integrands, streams = np.arange(4), np.array([5, 6, 7, 8])
    policy.begin()
    games = play(policy, integrands[:1], streams[:1], budget=BUDGET, split="test")
    policy.begin()
    last = play_single(policy, 0, 5)[-1]
    assert games.score[0] == last["score"]
    assert games.iterations[0] == last["iterations"]
    assert games.true_error[0] == last["true_error"]
    assert games.quoted_error[0] == last["error"] / last["estimate"]
    if "random" not in name:  # a random policy's actions depend on who else plays
        together = play(policy, integrands, streams, budget=BUDGET, split="test")
        assert together.score[0] == games.score[0]


def test_schedules_spend_as_announced():
    calls = np.diff([i["calls"] for i in play_single(Vegas(iterations=7), 1, 0)])
    assert len(calls) == 7
    assert calls.max() - calls.min() <= 2
    calls = np.diff([i["calls"] for i in play_single(Geometric(growth=1.5, iterations=8), 1, 0)])
    assert len(calls) == 8
    np.testing.assert_allclose(calls[1:] / calls[:-1], 1.5, rtol=0.02)
    infos = play_single(Vegas(iterations=5, warm_up=2), 1, 0)
    assert [i["error"] > 0 for i in infos] == [False, False, False, True, True, True]
    assert len(play_single(Plain(), 1, 0)) == 2


def test_damping_of_the_geometric_schedule():
    policy = Geometric(first_alpha=2.0, last_alpha=0.5, iterations=11, warm_up=3)
    env = gymnasium.make("VegasSampling-v0", budget=BUDGET)
    observation, _ = env.reset(seed=0)
    alphas, terminated = [], False
    while not terminated:
        action = policy.act(batch(observation))
        alphas.append(physical(action, (1, 3))[0, 0])
        observation, _, terminated, _, _ = env.step(action[0])
    # The first action refines nothing.
    np.testing.assert_allclose(alphas[1:], np.linspace(2.0, 0.5, 10), atol=1e-6)


def test_adapting_is_better_than_not():
    games = 60
    plain, chance, vegas = (
        evaluate_policy(policy, budget=BUDGET, episodes=games)
        for policy in (Plain(), Random(), Vegas())
    )
    assert vegas.difference(plain).high95 < -0.2
    assert vegas.difference(chance).high95 < -0.1
    assert vegas.difference(vegas).value == 0.0
    assert 0.5 < vegas.coverage() < 0.85
    assert set(vegas.by_kind()) == {"Gaussian mixture", "product peak", "corner peak"}


def test_vegas_on_the_grid_environment_is_vegas():
    one, other = (
        evaluate_policy(policy, budget=BUDGET, episodes=40) for policy in (Vegas(), VegasOnGrid())
    )
    # Observed grids are rounded to float32, and shares of weights to about as much.
    np.testing.assert_allclose(one.games.score, other.games.score, atol=0.05)


@pytest.mark.parametrize("name", ["linear", "ppo"])
def test_shipped_policies_beat_vegas(name):
    """On integrands of the validation split, and with the budget they were trained for."""
    settings = {"episodes": 40, "split": "validation"}
    trained = evaluate_policy(make_policy(name), **settings)
    assert trained.difference(evaluate_policy(Vegas(), **settings)).high95 < 0.0


def test_evaluation_is_reproducible():
    first, second = (evaluate_policy(Random(), budget=1000, episodes=60) for _ in range(2))
    assert np.array_equal(first.games.score, second.games.score)
    assert first.median == second.median
    other = evaluate_policy(Random(), budget=1000, episodes=60, seed=1)
    assert not np.array_equal(first.games.score, other.games.score)
    seen = []
    evaluate_policy(Plain(), budget=1000, episodes=60, progress=lambda n, m: seen.append((n, m)))
    assert seen == [(50, 60), (60, 60)]
    with pytest.raises(ValueError, match="seed is 0 for random and 1 for random"):
        first.difference(other)


def test_features_do_not_depend_on_the_order_of_the_axes(random):
    env = gymnasium.make("VegasSampling-v0", budget=BUDGET, split="test")
    observation, _ = env.reset(options={"integrand": 5, "stream": 0})
    assert np.isfinite(features(batch(observation))).all()
    for _ in range(4):
        observation = env.step(np.array([0.0, 0.1, 1.0]))[0]
    dim = int(observation["axes"].sum())
    order = np.append(random.permutation(dim), np.arange(dim, 8))
    mixed = observation | {k: observation[k][order] for k in ("weights", "grid")}
    seen = features(batch(observation))
    assert seen.shape == (1, len(NAMES))
    np.testing.assert_allclose(seen, features(batch(mixed)), rtol=1e-5, atol=1e-6)
    # They do tell a rough grid from a smooth one.
    assert abs(seen).max() < 5.0


def test_wrapped_policies():
    def always(observation):
        return np.tile(np.float32([0.0, 0.25, 1.0]), (len(observation["axes"]), 1))

    class Library:
        def predict(self, observation, deterministic=False):
            assert deterministic
            assert observation.shape[1:] in ((1048,), (len(NAMES),))
            return np.tile([0.0, 0.25, 1.0], (len(observation), 1)), None

    results = [
        evaluate_policy(policy, budget=BUDGET, episodes=4).games.score
        for policy in (
            GymnasiumPolicy(always),
            GymnasiumPolicy(Library(), view="flat", name="library"),
            GymnasiumPolicy(Library(), view="features"),
        )
    ]
    assert np.array_equal(results[0], results[1])
    assert np.array_equal(results[0], results[2])
    with pytest.raises(ValueError, match="no view 'pixels'; choose one of dict, flat, features"):
        GymnasiumPolicy(always, view="pixels")
    with pytest.raises(ValueError, match="neither callable"):
        GymnasiumPolicy(3)
    with pytest.raises(ValueError, match="'JetGrooming-v0' is no game of VEGAS"):
        GymnasiumPolicy(always, environment="JetGrooming-v0")
    with pytest.raises(gymnasium.error.InvalidAction, match=r"array of shape \(4, 3\)"):
        evaluate_policy(GymnasiumPolicy(lambda o: np.zeros((4, 2))), budget=BUDGET, episodes=4)


def test_flat_view_is_that_of_gymnasium():
    from hepgym.agents.vegas_sampling.policies.wrapper import flat

    env = gymnasium.make("VegasSampling-v0", budget=BUDGET)
    wrapped = gymnasium.wrappers.FlattenObservation(env)
    plain, _ = env.reset(options={"integrand": 0, "stream": 0})
    vector, _ = wrapped.reset(options={"integrand": 0, "stream": 0})
    assert np.array_equal(flat(batch(plain))[0], vector)


def test_linear_policy_on_disk(tmp_path, random):
    policy = LinearPolicy(random.normal(size=(3, 1 + len(FEATURES))), {"seed": 3})
    policy.save(tmp_path / "new" / "policy.json")
    again = make_policy("linear", model=tmp_path / "new" / "policy.json")
    assert np.array_equal(again.weights, policy.weights)
    assert again.parameters == {"seed": 3}
    path = tmp_path / "broken.json"
    content = json.loads((tmp_path / "new" / "policy.json").read_text())
    del content["weights"]["share"]["left"]
    for text, message in (
        (json.dumps(content), "'left' is missing"),
        ("{", "broken.json holds no linear policy"),
        ("[]", "broken.json holds no linear policy"),
        (json.dumps({"weights": {}}), "'origin' is missing|'alpha' is missing"),
    ):
        path.write_text(text)
        with pytest.raises(ValueError, match=message):
            LinearPolicy.load(path)
    with pytest.raises(ValueError, match="finite weights of shape"):
        LinearPolicy(np.full((3, 1 + len(FEATURES)), np.nan))


def test_network_policy_on_disk(tmp_path, random):
    sizes = (len(NAMES), 5, 3)
    layers = [
        (random.normal(size=(a, b)).astype(np.float32), random.normal(size=b).astype(np.float32))
        for a, b in itertools.pairwise(sizes)
    ]
    policy = NetworkPolicy(layers, {"seed": 4})
    policy.save(tmp_path / "policy.npz")
    again = make_policy("ppo", model=tmp_path / "policy.npz")
    assert again.parameters == {"seed": 4}
    scores = [evaluate_policy(p, budget=1000, episodes=3).games.score for p in (policy, again)]
    assert np.array_equal(*scores)
    for bad in (layers[:1], layers[1:], [*layers, layers[1]], []):
        with pytest.raises(ValueError, match="layer"):
            NetworkPolicy(bad)
    (tmp_path / "broken.npz").write_bytes(b"PK")
    with pytest.raises(ValueError, match="holds no network policy"):
        NetworkPolicy.load(tmp_path / "broken.npz")
    # A file that would run code when read is refused.
    np.savez(tmp_path / "evil.npz", origin=np.array([object()], dtype=object))
    with pytest.raises(ValueError, match=r"evil.npz holds no network policy"):
        NetworkPolicy.load(tmp_path / "evil.npz")
    with pytest.raises(OSError, match="nowhere"):
        NetworkPolicy.load(tmp_path / "nowhere.npz")


BAD = [
    (("vega", {}), "no policy 'vega'; choose one of plain, random, vegas"),
    (("vegas", {"beta": 1.0}), "no parameter 'beta'; its parameters are alpha, iterations"),
    (("plain", {"alpha": 1.0}), "no parameter 'alpha'; it has none"),
    (("vegas", {"alpha": 3.5}), "alpha is 3.5"),
    (("vegas", {"iterations": 0}), "iterations is 0"),
    (("geometric", {"growth": 0.5}), "growth is 0.5"),
    (("linear", {"alpha": 1.0}), "linear is trained"),
]


@pytest.mark.parametrize(("request_", "message"), BAD)
def test_bad_requests_are_named(request_, message):
    name, parameters = request_
    with pytest.raises(ValueError, match=message):
        make_policy(name, **parameters)


def test_bad_evaluations_are_named():
    for arguments, message in (
        ({"budget": 10}, "budget = 10"),
        ({"episodes": 1}, "episodes = 1"),
        ({"seed": -1}, "seed = -1"),
        ({"split": "all"}, "no split 'all'"),
    ):
        with pytest.raises(ValueError, match=message):
            evaluate_policy(Plain(), **arguments)


def test_files_that_are_shipped():
    for name in ("linear", "ppo"):
        assert shipped(name).stat().st_size < 100_000
    assert str(Vegas()) == "vegas(alpha=1.5, iterations=10, warm_up=0)"
    assert [f.name for f in dataclasses.fields(Vegas)] == ["alpha", "iterations", "warm_up"]


def test_nothing_beats_the_best_grid():
    settings = {"budget": BUDGET, "episodes": 40}
    limit = find_limit(**settings, iterations=(1, 5))
    expected, spread = limit.expected()
    assert expected == pytest.approx(np.median(np.log10(limit.deviation)) + 0.1, abs=0.1)
    for iterations, evaluation in limit.played.items():
        assert (evaluation.games.iterations == iterations).all()
        assert evaluation.median.value == pytest.approx(expected, abs=4 * spread)
        vegas = evaluate_policy(Vegas(), **settings)
        assert evaluation.difference(vegas).high95 < 0.0
    assert set(limit.by_kind()) == {"Gaussian mixture", "product peak", "corner peak"}
    assert not find_limit(**settings | {"episodes": 2}, bins=32).played


@pytest.mark.parametrize("wrong", [{"bins": 0}, {"iterations": (1, 0)}])
def test_a_limit_of_nothing_is_refused(wrong):
    (name,) = wrong
    with pytest.raises(ValueError, match=f"{name} = 0 is less than 1"):
        find_limit(budget=20_000, episodes=2, **wrong)
