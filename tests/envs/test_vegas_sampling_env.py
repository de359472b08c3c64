"""The single environments: contract, rules of the game, bad input."""

from __future__ import annotations

import math
import pickle

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import hepgym  # noqa: F401  (registers the environments)
from hepgym.envs.registration import VEGAS_SAMPLING
from hepgym.envs.vegas_sampling import family
from hepgym.envs.vegas_sampling.actions import grid_action, sampling_action
from hepgym.envs.vegas_sampling.env import VegasSamplingEnv
from hepgym.envs.vegas_sampling.game import STATISTICS
from hepgym.envs.vegas_sampling.grid_env import VegasGridEnv

BUDGET = 20_000
ENVS = [VegasSamplingEnv, VegasGridEnv]
NUMBER = {name: i for i, name in enumerate(STATISTICS)}


def actions(env, seed=0, steps=300):
    random = np.random.default_rng(seed)
    return random.uniform(-1, 1, (steps, *env.action_space.shape)).astype(np.float32)


def play(env, actions, seed=None, options=None):
    """All observations, rewards and infos of one episode."""
    observation, info = env.reset(seed=seed, options=options)
    history = [(observation, None, info)]
    for action in actions:
        observation, reward, terminated, truncated, info = env.step(action)
        assert not truncated
        history.append((observation, reward, info))
        if terminated:
            return history
    raise AssertionError("the episode did not end")


def equal(a, b):
    return a.keys() == b.keys() and all(np.array_equal(a[k], b[k]) for k in a)


@pytest.mark.parametrize("name", list(VEGAS_SAMPLING))
def test_gymnasium_contract(name):
    check_env(gymnasium.make(name, budget=BUDGET, split="test").unwrapped)
    drawn = gymnasium.make(name, budget=BUDGET, render_mode="rgb_array").unwrapped
    check_env(drawn, skip_render_check=True)


@pytest.mark.parametrize("name", list(VEGAS_SAMPLING))
def test_two_copies_agree_and_pickle(name):
    first, second = (gymnasium.make(name, budget=BUDGET).unwrapped for _ in range(2))
    chosen = actions(first)
    a, b = play(first, chosen, seed=5), play(second, chosen, seed=5)
    assert len(a) == len(b)
    for (x, r, i), (y, s, j) in zip(a, b, strict=True):
        assert equal(x, y)
        assert r == s
        assert i == j
    # A copy frozen in the middle of an episode goes on where the original stands.
    first.reset()
    first.step(np.full(first.action_space.shape, -0.5))
    thawed = pickle.loads(pickle.dumps(first))
    for action in chosen[:3]:
        one, other = first.step(action), thawed.step(action)
        assert equal(one[0], other[0])
        assert one[1:] == other[1:]
    c, d = play(first, chosen), play(thawed, chosen)
    assert [i for _, _, i in c] == [i for _, _, i in d]


@pytest.mark.parametrize("make", ENVS)
def test_observations_are_fresh_and_inside_their_space(make):
    env = make(budget=BUDGET)
    for integrand in range(8):
        options = {"integrand": integrand, "stream": 0}
        history = play(env, actions(env, integrand), options=options)
        assert all(env.observation_space.contains(x) for x, _, _ in history)
        kept = [{k: v.copy() for k, v in x.items()} for x, _, _ in history]
        history[0][0]["grid"][:] = 99.0
        again = play(env, actions(env, integrand), options=options)
        assert all(equal(x, y) for (x, _, _), y in zip(again, kept, strict=True))


def plain_refine(edges, weights, alpha):
    """Lepage's rule for one axis, with NumPy's interpolation."""
    padded = np.concatenate([weights[:1], weights, weights[-1:]])
    smooth = (padded[:-2] + 6.0 * padded[1:-1] + padded[2:]) / 8.0
    share = smooth / smooth.sum()
    damped = np.zeros_like(share)
    damped[share > 0] = ((1.0 - share[share > 0]) / -np.log(share[share > 0])) ** alpha
    cumulative = np.append(0.0, np.cumsum(damped))
    moved = np.interp(np.linspace(0.0, cumulative[-1], len(edges)), cumulative, edges)
    moved[0] = edges[0]  # where the first bins have no weight any of their edges would do
    return moved


def test_same_game_as_a_plain_implementation():
    """Grid, weights, estimate, error, statistics and reward, from the rules in plain NumPy.

    Only the integrand and the points are the game's own: it is played with one block of points
    drawn by the compiled generator.
    """
    from hepgym.envs.vegas_sampling.random import LANES, fill_uniform, seed_state

    env = VegasSamplingEnv(budget=2000, split="test")
    random = np.random.default_rng(3)
    for integrand in range(6):
        observation, _ = env.reset(options={"integrand": integrand, "stream": 11})
        dim = round(8 * observation["statistics"][0])
        parameters = env.episodes.parameters[0]
        exact = family.exact(parameters)
        edges = np.tile(np.linspace(0.0, 1.0, 65), (dim, 1))
        weights = np.zeros((dim, 64))
        left, iteration, kept, score = 2000, 0, [], math.log10(math.sqrt(2000))
        terminated = False
        while not terminated:
            action = random.uniform([-1.0, 0.0, -1.0], [0.2, 0.2, 1.0]).astype(np.float32)
            alpha, share = 1.5 * (1.0 + float(action[0])), 2.0 ** (4.0 * (float(action[1]) - 1.0))
            keep = action[2] >= 0.0
            observation, reward, terminated, _, info = env.step(action)
            calls = max(int(left * share + 0.5), 8)
            if left - calls < 8:
                calls = left
            left -= calls
            if iteration:
                edges = np.stack(
                    [plain_refine(e, w, alpha) for e, w in zip(edges, weights, strict=True)]
                )
            np.testing.assert_allclose(edges, env.episodes.edges[0, :dim], rtol=0, atol=1e-13)
            # With so few calls grids are wild and blow up rounding: go on from the same edges.
            edges = env.episodes.edges[0, :dim].copy()
            state = np.empty((4, LANES), np.uint64)
            seed_state(state, np.uint64(11), np.uint64(iteration))
            assert calls <= 256
            block = np.empty(dim * 256)
            fill_uniform(state, block)
            u = 64 * block[: dim * calls].reshape(dim, calls)
            bins = u.astype(int)
            width = np.diff(edges, axis=1)
            rows = np.arange(dim)[:, None]
            x = edges[rows, bins] + (u - bins) * width[rows, bins]
            values = np.empty(calls)
            family.evaluate(parameters, x, np.empty(calls), values)
            w = values * np.prod(64 * width[rows, bins], axis=0)
            weights = np.stack([np.bincount(b, w * w, minlength=64) for b in bins])
            iteration += 1
            mean, variance = w.mean(), w.var(ddof=1) / calls
            if keep or terminated:
                kept.append((mean, variance))
                inverse = np.array([1.0 / v for _, v in kept])
                estimate = inverse @ [m for m, _ in kept] / inverse.sum()
                error = 1.0 / math.sqrt(inverse.sum())
                now = 0.5 * math.log10(
                    2000 * ((estimate / exact - 1.0) ** 2 + (error / estimate) ** 2)
                )
                assert info["estimate"] == pytest.approx(estimate, rel=1e-7)
                assert info["error"] == pytest.approx(error, rel=1e-6)
                assert reward == pytest.approx(score - now, abs=1e-5)
                score = now
            else:
                assert reward == 0.0
            assert info["calls"] == 2000 - left
            assert info["iterations"] == iteration
            np.testing.assert_allclose(
                observation["grid"][:dim], -np.log(64 * np.diff(edges, axis=1)), atol=1e-4
            )
            total = weights.sum(axis=1, keepdims=True)
            with np.errstate(divide="ignore"):
                log = np.clip(np.log(64 * weights / total), -20.0, None)
            np.testing.assert_allclose(observation["weights"][:dim], log, atol=1e-4)
            assert not observation["weights"][dim:].any()
            assert observation["axes"].tolist() == [1.0] * dim + [0.0] * (8 - dim)
            seen = observation["statistics"]
            assert seen[NUMBER["last_deviation"]] == pytest.approx(
                math.log10(math.sqrt(variance * calls) / mean), abs=1e-5
            )
            assert seen[NUMBER["last_peak"]] == pytest.approx(math.log10(w.max() / mean), abs=1e-5)
            assert seen[NUMBER["last_share"]] == pytest.approx(calls / 2000)
            assert seen[NUMBER["left"]] == pytest.approx(left / 2000)
            assert seen[NUMBER["last_counted"]] == (keep or terminated)
            if len(kept) > 1:
                chi2 = sum((m - estimate) ** 2 / v for m, v in kept) / (len(kept) - 1)
                assert seen[NUMBER["chi2"]] == pytest.approx(math.log10(1.0 + chi2), abs=1e-4)
        assert info["score"] == pytest.approx(score, abs=1e-5)
        assert info["exact"] == exact


@pytest.mark.parametrize("make", ENVS)
def test_rewards_add_up_to_the_score(make):
    env = make(budget=BUDGET)
    history = play(env, actions(env, 4), seed=9)
    info = history[-1][2]
    assert sum(r for _, r, _ in history[1:]) == pytest.approx(
        0.5 * math.log10(BUDGET) - info["score"], abs=1e-9
    )
    assert info["calls"] == BUDGET
    relative = info["error"] / info["estimate"]
    assert info["true_error"] == pytest.approx(info["estimate"] / info["exact"] - 1.0)
    assert info["score"] == pytest.approx(
        math.log10(math.sqrt(BUDGET) * math.hypot(info["true_error"], relative))
    )
    assert all("score" not in i and "exact" not in i for _, _, i in history[:-1])


def test_the_observation_does_not_know_the_truth():
    honest, deceived = (VegasSamplingEnv(budget=BUDGET) for _ in range(2))
    for env in (honest, deceived):
        env.reset(options={"integrand": 5, "stream": 1})
    deceived.episodes.exact[0] *= 1.5
    for action in actions(honest):
        one, other = honest.step(action), deceived.step(action)
        assert equal(one[0], other[0])
        assert one[4]["estimate"] == other[4]["estimate"]
        if one[2]:
            break
    assert one[4]["score"] != other[4]["score"]


def test_budget_is_spent_exactly():
    env = VegasSamplingEnv(budget=1000)
    # The smallest share: 1/256 of 1000 rounds up to 4 calls.
    history = play(env, [np.array([0.0, -1.0, 1.0])] * 256, seed=0)
    assert len(history) == 1 + 250
    assert history[-1][2]["calls"] == 1000
    # All at once, and the iteration counts although it should not.
    history = play(env, [np.array([0.0, 1.0, -1.0])], seed=0)
    assert len(history) == 2
    assert history[-1][2]["error"] > 0.0


def test_discarded_iterations_change_nothing_but_the_grid():
    env = VegasSamplingEnv(budget=BUDGET)
    env.reset(options={"integrand": 3, "stream": 0})
    observation, reward, _, _, info = env.step(sampling_action(1.5, 0.1, keep=False))
    assert reward == info["estimate"] == info["error"] == 0.0
    assert observation["weights"].any()
    assert observation["statistics"][NUMBER["counted"]] == 0.0
    observation, reward, _, _, info = env.step(sampling_action(1.5, 0.1))
    assert reward > 0.0
    assert info["error"] > 0.0
    assert observation["statistics"][NUMBER["movement"]] > 0.0


def test_no_damping_leaves_the_grid():
    env = VegasSamplingEnv(budget=BUDGET)
    env.reset(seed=2)
    for _ in range(3):
        observation = env.step(sampling_action(0.0, 0.1))[0]
        np.testing.assert_allclose(observation["grid"], 0.0, atol=1e-6)


def test_vegas_adapts():
    """Iteration by iteration the spread of the weights falls to that of a good grid."""
    env = VegasSamplingEnv(budget=200_000, split="test")
    start, end = [], []
    for integrand in range(20):
        env.reset(options={"integrand": integrand, "stream": 0})
        seen = [env.step(sampling_action(1.5, 1.0 / (10 - k)))[0]["statistics"] for k in range(10)]
        start.append(seen[0][NUMBER["last_deviation"]])
        end.append(seen[-1][NUMBER["last_deviation"]])
    assert np.median(start) - np.median(end) > 0.8


def test_grid_environment_takes_grids(random):
    env = VegasGridEnv(budget=BUDGET, split="test")
    observation, _ = env.reset(options={"integrand": 0, "stream": 0})
    dim = int(observation["axes"].sum())
    logits = random.uniform(-3, 3, (8, 64))
    observation = env.step(grid_action(logits, 0.1))[0]
    width = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(observation["grid"][:dim], -np.log(64 * width)[:dim], atol=1e-4)
    assert not observation["grid"][dim:].any()
    again = env.step(grid_action(-observation["grid"], 0.1))[0]
    np.testing.assert_allclose(again["grid"], observation["grid"], atol=1e-4)
    assert again["statistics"][NUMBER["movement"]] == pytest.approx(0.0, abs=1e-4)


def test_translated_actions():
    action = sampling_action(np.array([0.0, 1.5, 3.0]), np.array([1.0, 1 / 16, 1e-9]), [1, 0, 1])
    np.testing.assert_allclose(action, [[-1, 1, 1], [0, 0, -1], [1, -1, 1]], atol=1e-7)
    assert action.dtype == np.float32
    for bad in ((-0.1, 0.5), (3.1, 0.5), (float("nan"), 0.5)):
        with pytest.raises(ValueError, match="alpha must be between 0 and 3"):
            sampling_action(*bad)
    for share in (0.0, 1.1, float("nan")):
        with pytest.raises(ValueError, match="share must be above 0"):
            sampling_action(1.5, share)
    with pytest.raises(ValueError, match="logits must have shape"):
        grid_action(np.zeros((8, 63)), 0.5)


@pytest.mark.parametrize("make", ENVS)
def test_rendering(make):
    env = make(budget=BUDGET, render_mode="rgb_array")
    with pytest.raises(gymnasium.error.ResetNeeded):
        env.render()
    env.reset(seed=1)
    before = env.render()
    env.step(env.action_space.sample())
    after = env.render()
    assert before.shape == after.shape == (500, 1000, 3)
    assert before.dtype == np.uint8
    assert (before != after).any()


BAD_ARGUMENTS = [
    ({"budget": 999}, "budget = 999"),
    ({"budget": 2.5e4 + 0.5}, "budget = 25000.5"),
    ({"budget": float("nan")}, "budget = nan"),
    ({"budget": "many"}, "budget = 'many'"),
    ({"split": "tests"}, "no split 'tests'; choose one of train, validation, test"),
    ({"render_mode": "human"}, "render_mode 'human'"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD_ARGUMENTS)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        VegasSamplingEnv(**arguments)


BAD_OPTIONS = [
    ({"integrand": -1}, "integrand must be from 0 to"),
    ({"integrand": 2**31}, "integrand must be from 0 to"),
    ({"stream": 0.5}, "stream must be an integer"),
    ({"integrands": 0}, "no option 'integrands'"),
]


@pytest.mark.parametrize(("options", "message"), BAD_OPTIONS)
def test_bad_options_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        VegasSamplingEnv(budget=BUDGET).reset(options=options)


@pytest.mark.parametrize("make", ENVS)
def test_misuse_of_the_api(make):
    env = make(budget=BUDGET)
    shape = env.action_space.shape
    with pytest.raises(gymnasium.error.ResetNeeded):
        env.step(np.zeros(shape))
    env.reset(seed=0)
    for action in (np.zeros(2), np.full(shape, np.nan), np.full(shape, np.inf), "refine"):
        with pytest.raises(gymnasium.error.InvalidAction, match="finite numbers"):
            env.step(action)
    far = np.full(shape, 7.0)
    assert env.step(far)[2]
    with pytest.raises(gymnasium.error.ResetNeeded):
        env.step(far)


def test_an_iteration_that_sees_nothing_counts_nothing():
    env = VegasSamplingEnv(budget=BUDGET)
    integrand = 0
    while True:
        env.reset(options={"integrand": integrand, "stream": 0})
        if env.episodes.parameters[0, 0] == family.MIXTURE:
            break
        integrand += 1
    env.episodes.parameters[0, family.HEADER :: family.BLOCK] = -1e6  # exp underflows to zero
    history = [env.step(sampling_action(1.5, share)) for share in (0.3, 0.5, 1.0)]
    assert history[-1][2]
    for observation, reward, _, _, info in history:
        assert reward == info["estimate"] == info["error"] == 0.0
        assert env.observation_space.contains(observation)
        assert observation["statistics"][NUMBER["last_counted"]] == 0.0
    assert history[-1][4]["score"] == pytest.approx(0.5 * math.log10(BUDGET))
    assert history[-1][4]["true_error"] == -1.0
