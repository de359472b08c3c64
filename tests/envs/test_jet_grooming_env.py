"""The single environment: contract, physics of the game, bad input."""

from __future__ import annotations

import math
import pickle
from dataclasses import FrozenInstanceError

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import hepgym  # noqa: F401  (registers the environments)
from hepgym.datasets.jets.trees import ClusteringTrees, mass
from hepgym.envs.jet_grooming import TOP_REWARD, W_REWARD, GroomingReward, groom
from hepgym.envs.jet_grooming.env import JetGroomingEnv
from hepgym.envs.jet_grooming.reward import SHAPES, mass_reward, shaping
from hepgym.envs.registration import JET_GROOMING


@pytest.fixture(scope="module")
def env(w_trees, qcd_trees):
    return JetGroomingEnv(signal=w_trees, background=qcd_trees)


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


@pytest.mark.parametrize("name", list(JET_GROOMING))
def test_gymnasium_contract(name):
    # check_env asks for a second render mode to be made from the spec; both are tested below.
    env = gymnasium.make(name, split="test")
    check_env(env.unwrapped, skip_render_check=True)


@pytest.mark.parametrize("name", list(JET_GROOMING))
def test_two_copies_agree_and_pickle(name):
    actions = np.random.default_rng(1).integers(0, 2, 1000)
    first, second = (gymnasium.make(name, split="validation").unwrapped for _ in range(2))
    a = play(first, actions, seed=5)
    b = play(second, actions, seed=5)
    thawed = pickle.loads(pickle.dumps(first))
    assert len(a) == len(b)
    for (x, r, i), (y, s, j) in zip(a, b, strict=True):
        assert np.array_equal(x, y)
        assert r == s
        assert i == j
    # The thawed copy goes on where the original stands: same next random jet.
    c, d = play(first, actions), play(thawed, actions)
    assert [i["jet"] for _, _, i in c] == [i["jet"] for _, _, i in d]
    assert [r for _, r, _ in c] == [r for _, r, _ in d]


def test_published_parameters_are_the_defaults():
    assert gymnasium.make("JetGrooming-v0", split="test").unwrapped.reward == W_REWARD
    top = gymnasium.make("JetGroomingTop-v0", split="test").unwrapped
    assert top.reward == TOP_REWARD
    assert top.p_bkg == 0.2
    assert (
        GroomingReward(
            80.385,
            2.0,
            "cauchy",
            8.0,
            1.804,
            0.1534,
            0.5923,
            0.1811,
            -0.9164,
            0.6501,
            0.3292,
            -3.5272,
        )
        == W_REWARD
    )


def test_same_game_as_plain_object_trees(w_trees, qcd_trees, object_tree, random):
    """State, order, reward, mass and length agree with objects and a priority queue."""
    env = JetGroomingEnv(signal=w_trees, background=qcd_trees)
    plain = object_tree.ObjectTreeEnv()
    for label, trees in ((1, w_trees), (0, qcd_trees)):
        for jet in range(60):
            p_remove = random.random()
            observation, info = env.reset(options={"jet": jet, "label": label})
            rows = slice(trees.offsets[jet], trees.offsets[jet + 1])
            state = plain.reset(trees.constituents[rows].tolist(), signal=bool(label))
            assert info["plain_mass"] == pytest.approx(plain.mass(), abs=1e-9)
            terminated = False
            while not terminated:
                # ln m of nearly massless nodes is all rounding.
                np.testing.assert_allclose(observation[:3], state[:3], rtol=1e-4, atol=2e-5)
                assert observation[4] == pytest.approx(state[4], rel=1e-4, abs=2e-5)
                if state[3] > 0:
                    assert observation[3] == pytest.approx(state[3], rel=1e-4)
                action = int(random.random() < p_remove)
                observation, reward, terminated, _, info = env.step(action)
                state, expected, ended = plain.step(action)
                assert terminated == ended
                assert info["mass"] == pytest.approx(plain.mass(), abs=1e-9)
                assert reward == pytest.approx(expected, abs=1e-6)


def test_keeping_everything_keeps_the_jet(env, w_trees):
    history = play(env, [0] * 1000, options={"jet": 3})
    nodes = np.diff(w_trees.node_offsets)[3]
    assert len(history) == nodes + 1
    assert all(info["mass"] == info["plain_mass"] for _, _, info in history)
    assert sorted(info["node"] for _, _, info in history[:-1]) == list(range(nodes))
    assert history[-1][2]["node"] == -1
    assert not history[-1][0].any()


def test_removing_everything_leaves_one_constituent(env, w_trees):
    """Only the chain of harder branches is walked; its last constituent remains."""
    history = play(env, [1] * 1000, options={"jet": 3})
    nodes = slice(w_trees.node_offsets[3], w_trees.node_offsets[4])
    assert len(history) == w_trees.primary[nodes].sum() + 1
    masses = mass(w_trees.constituents[w_trees.offsets[3] : w_trees.offsets[4]])
    assert np.abs(masses - history[-1][2]["mass"]).min() < 1e-9


def test_order_is_decreasing_delta_among_available_nodes(env, w_trees):
    harder, softer = w_trees.children
    first = w_trees.node_offsets[7]
    ln_delta = w_trees.states[first:, 1]
    history = play(env, [0] * 1000, options={"jet": 7})
    available = {0}
    for _, _, info in history[:-1]:
        node = info["node"]
        assert ln_delta[node] == max(ln_delta[n] for n in available)
        available.remove(node)
        available |= {int(c[first + node]) for c in (harder, softer) if c[first + node] >= 0}


def test_mass_equals_batched_pass(env, w_trees, random):
    decisions = random.integers(0, 2, len(w_trees.softer_size))
    groomed = mass(groom(w_trees, decisions))
    for jet in range(50):
        mine = decisions[w_trees.node_offsets[jet] : w_trees.node_offsets[jet + 1]]
        _, info = env.reset(options={"jet": jet})
        terminated = False
        while not terminated:
            _, _, terminated, _, info = env.step(int(mine[info["node"]]))
        assert info["mass"] == groomed[jet]


def test_reward_formulas():
    m = 85.0
    x = (m - 80.385) / 2.0
    formulas = {
        "cauchy": 2.0**2 / (math.pi * ((m - 80.385) ** 2 + 2.0**2)),
        "gaussian": math.exp(-x * x / 2),
        "exponential": math.exp(-x),
        "inverse": min(1.0, 1.0 / (x + 0.5)),
    }
    assert set(formulas) == set(SHAPES)
    for shape, expected in formulas.items():
        parameters = GroomingReward(shape=shape).mass_parameters()
        assert mass_reward(m, True, parameters) == pytest.approx(expected, rel=1e-12)
        assert mass_reward(m, False, parameters) == pytest.approx(
            1.804 * (m / 8) * math.exp(-m / 8), rel=1e-12
        )
    assert mass_reward(-0.1, False, GroomingReward().mass_parameters()) == 0.0
    states = np.array([[-5.0, -0.1], [-0.7, -3.0]])
    keep, remove = shaping(states, GroomingReward().shaping_parameters()).T / 0.1534
    assert remove[0] == 1.0  # a soft wide-angle branch should go
    assert remove[1] == pytest.approx(math.exp(0.5923 * -3 + 0.1811 * (-0.9164 + 0.7)))
    assert keep[0] == 0.0
    assert keep[1] == pytest.approx(1 - math.exp(0.6501 * -3 + 0.3292 * (-3.5272 + 0.7)))


def test_fraction_of_background(w_trees, qcd_trees):
    env = JetGroomingEnv(signal=w_trees, background=qcd_trees, p_bkg=0.3)
    env.reset(seed=11)
    labels = np.array([env.reset()[1]["label"] for _ in range(4000)])
    assert abs((1 - labels).mean() - 0.3) < 4 * math.sqrt(0.3 * 0.7 / 4000)


@pytest.mark.parametrize("state_dim", [2, 3, 4, 5])
def test_observations_are_fresh_and_inside_their_space(w_trees, qcd_trees, state_dim):
    env = JetGroomingEnv(signal=w_trees, background=qcd_trees, state_dim=state_dim)
    history = play(env, [0, 1] * 500, seed=2)
    assert all(env.observation_space.contains(x) for x, _, _ in history)
    history[0][0][:] = 99.0
    again = play(env, [0, 1] * 500, seed=2)
    assert not (again[0][0] == 99.0).any()


def test_jets_without_splittings_are_never_drawn():
    """A parton-level jet can be a single parton."""
    trees = ClusteringTrees(
        np.array([0, 1, 3]),
        np.array([[500.0, 0, 0, 500], [300, 0, 0, 300], [300, 30, 9, 302]]),
        np.array([1], np.int32),
    )
    env = JetGroomingEnv(signal=trees, background=trees)
    env.reset(seed=0)
    assert {env.reset()[1]["jet"] for _ in range(50)} == {1}
    with pytest.raises(ValueError, match="jet 0 has a single constituent"):
        env.reset(options={"jet": 0})


def test_rendering(w_trees, qcd_trees):
    env = JetGroomingEnv(signal=w_trees, background=qcd_trees, render_mode="rgb_array")
    with pytest.raises(gymnasium.error.ResetNeeded):
        env.render()
    env.reset(options={"jet": 0})
    before = env.render()
    env.step(1)
    after = env.render()
    assert before.shape == after.shape == (500, 600, 3)
    assert before.dtype == np.uint8
    assert (before != after).any()
    text = JetGroomingEnv(signal=w_trees, background=qcd_trees, render_mode="ansi")
    text.reset(options={"jet": 0})
    text.step(1)
    lines = text.render().splitlines()
    assert len(lines) == np.diff(w_trees.node_offsets)[0] + 1
    assert "softer branch removed" in lines[1]
    assert sum("<- decide here" in line for line in lines) == 1


BAD_ARGUMENTS = [
    ({"p_bkg": 1.5}, "p_bkg = 1.5"),
    ({"p_bkg": float("nan")}, "p_bkg = nan"),
    ({"state_dim": 6}, "state_dim = 6"),
    ({"render_mode": "human"}, "render_mode 'human'"),
    ({"reward": {"Gamma": 2.0}}, "no parameter 'Gamma'"),
    ({"reward": {"shape": "box"}}, "reward shape 'box'"),
    ({"reward": {"mass_width": 0.0}}, "mass_width = 0.0 GeV is not positive"),
    ({"reward": {"alpha1": float("inf")}}, "alpha1 = inf is not a finite"),
    ({"signal": "jets/Z-500GeV-v1"}, "no dataset 'jets/Z-500GeV-v1'"),
    ({"signal": "jets/W-500GeV-v1", "split": "tests"}, "no split 'tests'"),
    ({"signal": "nowhere.root"}, "nowhere.root"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD_ARGUMENTS)
def test_bad_arguments_are_named(w_trees, qcd_trees, arguments, message):
    with pytest.raises(ValueError, match=message):
        JetGroomingEnv(**({"signal": w_trees, "background": qcd_trees} | arguments))


def test_misuse_of_the_api(w_trees, qcd_trees):
    env = JetGroomingEnv(signal=w_trees, background=qcd_trees)
    with pytest.raises(gymnasium.error.ResetNeeded):
        env.step(0)
    env.reset(options={"jet": 0})
    for action in (2, -1, 0.5, "remove"):
        with pytest.raises(gymnasium.error.InvalidAction, match="neither 0"):
            env.step(action)
    play(env, [1] * 1000, options={"jet": 0})
    with pytest.raises(gymnasium.error.ResetNeeded):
        env.step(0)
    with pytest.raises(ValueError, match="no signal jet 1000: the sample has jets 0 to 999"):
        env.reset(options={"jet": 1000})
    with pytest.raises(ValueError, match="label 2"):
        env.reset(options={"jet": 0, "label": 2})
    with pytest.raises(ValueError, match="no option 'jets'"):
        env.reset(options={"jets": 0})


def test_reward_is_frozen():
    with pytest.raises(FrozenInstanceError):
        W_REWARD.mass_target = 91.2
