"""The vector environments: the same games as the single ones, Gymnasium's autoreset modes."""

from __future__ import annotations

import pickle

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

import hepgym  # noqa: F401  (registers the environments)
from hepgym.envs.vegas_sampling.env import VegasSamplingEnv
from hepgym.envs.vegas_sampling.grid_env import VegasGridEnv, VegasGridVectorEnv
from hepgym.envs.vegas_sampling.vector_env import VegasSamplingVectorEnv

BUDGET = 5_000
PAIRS = {
    "VegasSampling-v0": (VegasSamplingVectorEnv, VegasSamplingEnv),
    "VegasGrid-v0": (VegasGridVectorEnv, VegasGridEnv),
}


def draw(envs, random):
    return random.uniform(-1, 1, envs.action_space.shape).astype(np.float32)


def row(observation, game):
    return {name: values[game] for name, values in observation.items()}


def equal(a, b):
    return a.keys() == b.keys() and all(np.array_equal(a[k], b[k]) for k in a)


def given(info, game):
    """What the vector environment says about one game."""
    return {
        name: info[name][game]
        for name in info
        if not name.startswith(("_", "final")) and info[f"_{name}"][game]
    }


@pytest.mark.parametrize("name", list(PAIRS))
def test_make_vec_gives_the_native_environment(name):
    envs = gymnasium.make_vec(name, num_envs=3, split="validation", budget=BUDGET)
    assert isinstance(envs.unwrapped, PAIRS[name][0])
    assert envs.metadata["autoreset_mode"] == AutoresetMode.NEXT_STEP
    observation, info = envs.reset(seed=0)
    assert envs.observation_space.contains(observation)
    assert observation["weights"].shape == (3, 8, 64)
    assert info["_estimate"].all()
    assert envs.observation_space.contains(envs.step(envs.action_space.sample())[0])


@pytest.mark.parametrize("name", list(PAIRS))
@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_same_trajectories_as_single_environments(name, random, mode):
    """To the last bit: observation, reward, end and info of each game, integrand by integrand."""
    make, make_single = PAIRS[name]
    games = 12
    envs = make(games, mode, budget=BUDGET, split="test")
    singles = [make_single(budget=BUDGET, split="test") for _ in range(games)]
    observation, info = envs.reset(seed=3)
    idle = np.zeros(games, bool)

    def begin(k):
        options = {"integrand": int(info["integrand"][k]), "stream": int(info["stream"][k])}
        expected, about = singles[k].reset(options=options)
        assert equal(row(observation, k), expected)
        assert given(info, k) == about

    for k in range(games):
        begin(k)
    finished = 0
    for _ in range(80):
        actions = draw(envs, random)
        observation, reward, terminated, truncated, info = envs.step(actions)
        assert not truncated.any()
        before = observation, info
        if mode == AutoresetMode.DISABLED and terminated.any():
            observation, info = envs.reset(options={"reset_mask": terminated})
            for k in np.flatnonzero(~terminated):
                assert equal(row(observation, k), row(before[0], k))
                assert given(info, k) == {}
        for k, single in enumerate(singles):
            if not idle[k]:
                expected, gain, ended, _, about = single.step(actions[k])
                assert reward[k] == gain
                assert terminated[k] == ended
                if ended and mode == AutoresetMode.SAME_STEP:
                    assert equal(row(info["final_obs"], k), expected)
                    assert given(info["final_info"], k) == about
                else:
                    assert equal(row(before[0], k), expected)
                    assert given(before[1], k) == about
            else:
                assert reward[k] == 0.0
                assert not terminated[k]
            if idle[k] if mode == AutoresetMode.NEXT_STEP else terminated[k]:
                finished += 1
                begin(k)
        idle = terminated if mode == AutoresetMode.NEXT_STEP else np.zeros(games, bool)
    assert finished > games


@pytest.mark.parametrize("name", list(PAIRS))
def test_seed_decides_everything(name):
    def run(seed):
        envs = PAIRS[name][0](6, budget=BUDGET)
        random = np.random.default_rng(0)
        first = envs.reset(seed=seed)[1]["integrand"]
        return [first] + [envs.step(draw(envs, random))[1] for _ in range(40)]

    for a, b in zip(run(4), run(4), strict=True):
        assert np.array_equal(a, b)
    assert not np.array_equal(run(4)[0], run(5)[0])


def test_pickled_copy_goes_on_identically(random):
    envs = VegasSamplingVectorEnv(6, budget=BUDGET)
    envs.reset(seed=1)
    for _ in range(10):
        envs.step(draw(envs, random))
    copy = pickle.loads(pickle.dumps(envs))
    for _ in range(40):
        actions = draw(envs, random)
        a, b = envs.step(actions), copy.step(actions)
        assert equal(a[0], b[0])
        assert all(np.array_equal(x, y) for x, y in zip(a[1:4], b[1:4], strict=True))


def test_returned_arrays_are_fresh(random):
    envs = VegasSamplingVectorEnv(4, budget=BUDGET)
    results = [envs.reset(seed=0)] + [envs.step(draw(envs, random)) for _ in range(3)]
    kept = pickle.dumps(results)
    for _ in range(30):
        envs.step(draw(envs, random))
    for result, before in zip(results, pickle.loads(kept), strict=True):
        assert equal(result[0], before[0])
        assert equal(result[-1], before[-1])


def test_named_integrands_and_masks():
    envs = VegasSamplingVectorEnv(5, budget=BUDGET)
    _, info = envs.reset(options={"integrand": np.array([4, 3, 2, 1, 0]), "stream": 7})
    assert info["integrand"].tolist() == [4, 3, 2, 1, 0]
    assert info["stream"].tolist() == [7] * 5
    mask = np.array([True, False, False, True, False])
    _, info = envs.reset(options={"reset_mask": mask, "integrand": np.array([7, 8])})
    assert info["integrand"].tolist() == [7, 3, 2, 8, 0]
    assert info["_integrand"].tolist() == mask.tolist()
    assert info["stream"][1:3].tolist() == [7, 7]


BAD_OPTIONS = [
    ({"integrand": np.arange(3)}, "must be an integer or 5 integers"),
    ({"stream": 1.5}, "must be an integer or 5 integers"),
    ({"integrand": -1}, "from 0 to"),
    ({"reset_mask": np.zeros(5, bool)}, "at least one true"),
    ({"reset_mask": np.ones(4, bool)}, "5 booleans"),
    ({"mask": 1}, "no option 'mask'; it has integrand, stream, reset_mask"),
]


@pytest.mark.parametrize(("options", "message"), BAD_OPTIONS)
def test_bad_options_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        VegasSamplingVectorEnv(5, budget=BUDGET).reset(options=options)


def test_misuse_of_the_api():
    envs = VegasSamplingVectorEnv(3, AutoresetMode.DISABLED, budget=BUDGET)
    with pytest.raises(gymnasium.error.ResetNeeded):
        envs.step(np.zeros((3, 3)))
    with pytest.raises(gymnasium.error.ResetNeeded):
        VegasSamplingVectorEnv(1, render_mode="rgb_array").render()
    envs.reset(seed=0)
    for actions in (np.zeros((2, 3)), np.full((3, 3), np.nan), np.full((3, 3), None)):
        with pytest.raises(gymnasium.error.InvalidAction, match=r"array of shape \(3, 3\)"):
            envs.step(actions)
    assert envs.step(np.ones((3, 3)))[2].all()
    with pytest.raises(gymnasium.error.ResetNeeded, match="reset_mask"):
        envs.step(np.ones((3, 3)))
    with pytest.raises(ValueError, match="num_envs = 0"):
        VegasSamplingVectorEnv(0)
    with pytest.raises(ValueError, match="one integer seed"):
        envs.reset(seed=[1, 2, 3])


def test_rendering():
    envs = VegasSamplingVectorEnv(2, budget=BUDGET, render_mode="rgb_array")
    envs.reset(seed=0)
    frames = envs.render()
    assert len(frames) == 2
    assert frames[0].shape == (500, 1000, 3)
    assert (frames[0] != frames[1]).any()
