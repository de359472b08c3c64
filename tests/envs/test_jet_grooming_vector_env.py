"""The vector environment: the same games as the single one, Gymnasium's autoreset modes."""

from __future__ import annotations

import pickle

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

import hepgym  # noqa: F401  (registers the environments)
from hepgym.datasets.jets.trees import mass
from hepgym.envs.jet_grooming import groom
from hepgym.envs.jet_grooming.env import JetGroomingEnv
from hepgym.envs.jet_grooming.vector_env import JetGroomingVectorEnv
from hepgym.envs.registration import JET_GROOMING


@pytest.fixture
def make(w_trees, qcd_trees):
    def make(num_envs, mode=AutoresetMode.NEXT_STEP, **arguments):
        return JetGroomingVectorEnv(
            num_envs, mode, signal=w_trees, background=qcd_trees, **arguments
        )

    return make


@pytest.mark.parametrize("name", list(JET_GROOMING))
def test_make_vec_gives_the_native_environment(name):
    envs = gymnasium.make_vec(name, num_envs=3, split="validation")
    assert isinstance(envs.unwrapped, JetGroomingVectorEnv)
    assert envs.metadata["autoreset_mode"] == AutoresetMode.NEXT_STEP
    observation, info = envs.reset(seed=0)
    assert envs.observation_space.contains(observation)
    assert observation.shape == (3, 5)
    assert info["_mass"].all()


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_same_trajectories_as_single_environments(make, w_trees, qcd_trees, random, mode):
    """Action by action: observation, reward, end and info of each game, jet after jet."""
    envs = make(40, mode)
    singles = [JetGroomingEnv(signal=w_trees, background=qcd_trees) for _ in range(40)]
    observation, info = envs.reset(seed=3)
    idle = np.zeros(40, bool)
    for k, single in enumerate(singles):
        expected, _ = single.reset(
            options={"jet": int(info["jet"][k]), "label": int(info["label"][k])}
        )
        assert np.array_equal(observation[k], expected)
    finished = 0
    for _ in range(150):
        actions = random.integers(0, 2, 40)
        observation, reward, terminated, truncated, info = envs.step(actions)
        assert not truncated.any()
        if mode == AutoresetMode.DISABLED and terminated.any():
            before = observation.copy(), {k: v.copy() for k, v in info.items()}
            observation, info = envs.reset(options={"reset_mask": terminated})
            assert np.array_equal(observation[~terminated], before[0][~terminated])
        for k, single in enumerate(singles):
            if not idle[k]:
                expected, gain, ended, _, about = single.step(int(actions[k]))
                assert reward[k] == gain
                assert terminated[k] == ended
                if ended and mode == AutoresetMode.SAME_STEP:
                    assert np.array_equal(info["final_obs"][k], expected)
                    last = info["final_info"]
                    assert {n: last[n][k] for n in about} == about
                elif ended and mode == AutoresetMode.DISABLED:
                    assert {n: before[1][n][k] for n in about} == about
                else:
                    assert {n: info[n][k] for n in about} == about
                    assert np.array_equal(observation[k], expected)
            else:
                assert reward[k] == 0.0
                assert not terminated[k]
            begins = idle[k] if mode == AutoresetMode.NEXT_STEP else terminated[k]
            if begins:
                finished += 1
                expected, about = single.reset(
                    options={"jet": int(info["jet"][k]), "label": int(info["label"][k])}
                )
                assert np.array_equal(observation[k], expected)
                assert {n: info[n][k] for n in about} == about
        idle = terminated if mode == AutoresetMode.NEXT_STEP else np.zeros(40, bool)
    assert finished > 40


def test_seed_decides_everything(make):
    actions = np.random.default_rng(0).integers(0, 2, (60, 16))

    def run(seed):
        envs = make(16)
        return [envs.reset(seed=seed)[0]] + [envs.step(a)[1] for a in actions]

    for a, b in zip(run(4), run(4), strict=True):
        assert np.array_equal(a, b)
    assert not np.array_equal(run(4)[0], run(5)[0])


def test_pickled_copy_goes_on_identically(make, random):
    envs = make(8)
    envs.reset(seed=1)
    for _ in range(20):
        envs.step(random.integers(0, 2, 8))
    copy = pickle.loads(pickle.dumps(envs))
    for _ in range(60):
        actions = random.integers(0, 2, 8)
        for a, b in zip(envs.step(actions)[:3], copy.step(actions)[:3], strict=True):
            assert np.array_equal(a, b)


def test_returned_arrays_are_fresh(make):
    envs = make(4)
    first = envs.reset(seed=0)
    kept = [first[0].copy(), first[1]["mass"].copy()]
    second = envs.step(np.ones(4, int))
    held = [x.copy() for x in second[:3]]
    for _ in range(30):
        envs.step(np.ones(4, int))
    assert np.array_equal(first[0], kept[0])
    assert np.array_equal(first[1]["mass"], kept[1])
    assert all(np.array_equal(a, b) for a, b in zip(second[:3], held, strict=True))


def test_groomed_masses_equal_the_batched_pass(make, w_trees, random):
    jets = 200
    decisions = random.integers(0, 2, len(w_trees.softer_size))
    envs = make(jets, AutoresetMode.DISABLED)
    _, info = envs.reset(options={"jet": np.arange(jets)})
    first = w_trees.node_offsets[:jets]
    result = np.full(jets, np.nan)
    playing = np.arange(jets)
    node = info["node"]
    while len(playing):
        actions = np.zeros(jets, int)
        actions[playing] = decisions[first[playing] + node[playing]]
        _, _, terminated, _, info = envs.step(actions)
        node = info["node"]
        ended = terminated & np.isnan(result)
        result[ended] = info["mass"][ended]
        playing = np.flatnonzero(np.isnan(result))
        if terminated.any() and len(playing):
            # Finished games restart with any jet; their result is already noted.
            _, info = envs.reset(options={"reset_mask": terminated})
            node = info["node"]
    assert np.array_equal(result, mass(groom(w_trees, decisions))[:jets])


def test_named_jets_and_masks(make):
    envs = make(5)
    _, info = envs.reset(options={"jet": np.array([4, 3, 2, 1, 0]), "label": 0})
    assert info["jet"].tolist() == [4, 3, 2, 1, 0]
    assert not info["label"].any()
    mask = np.array([True, False, False, True, False])
    _, info = envs.reset(options={"reset_mask": mask, "jet": np.array([7, 8])})
    assert info["jet"].tolist() == [7, 3, 2, 8, 0]
    assert info["label"].tolist() == [1, 0, 0, 1, 0]
    assert info["_jet"].tolist() == mask.tolist()


BAD_OPTIONS = [
    ({"jet": np.arange(3)}, "must be an integer or 5 integers"),
    ({"jet": 1.5}, "must be an integer or 5 integers"),
    ({"jet": 1000}, "no signal jet 1000"),
    ({"label": 0}, "needs the option jet"),
    ({"reset_mask": np.zeros(5, bool)}, "at least one true"),
    ({"reset_mask": np.ones(4, bool)}, "5 booleans"),
    ({"mask": 1}, "no option 'mask'"),
]


@pytest.mark.parametrize(("options", "message"), BAD_OPTIONS)
def test_bad_options_are_named(make, options, message):
    with pytest.raises(ValueError, match=message):
        make(5).reset(options=options)


def test_misuse_of_the_api(make):
    envs = make(3, AutoresetMode.DISABLED)
    with pytest.raises(gymnasium.error.ResetNeeded):
        envs.step(np.zeros(3, int))
    envs.reset(seed=0)
    for actions in (np.zeros(2, int), np.full(3, 2), np.full(3, -1), np.zeros(3)):
        with pytest.raises(gymnasium.error.InvalidAction, match="3 integers"):
            envs.step(actions)
    terminated = np.zeros(3, bool)
    while not terminated.any():
        _, _, terminated, _, _ = envs.step(np.ones(3, int))
    with pytest.raises(gymnasium.error.ResetNeeded, match="reset_mask"):
        envs.step(np.ones(3, int))
    with pytest.raises(ValueError, match="num_envs = 0"):
        make(0)
    with pytest.raises(ValueError, match="one integer seed"):
        envs.reset(seed=[1, 2, 3])


def test_rendering(w_trees, qcd_trees):
    envs = JetGroomingVectorEnv(2, signal=w_trees, background=qcd_trees, render_mode="ansi")
    envs.reset(options={"jet": np.array([0, 1])})
    frames = envs.render()
    assert len(frames) == 2
    assert frames[0].startswith("signal jet 0:")
    assert frames[1].startswith("signal jet 1:")
