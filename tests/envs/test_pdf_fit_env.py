"""Fitting environments: contract, agreement with plain double precision, bad input."""

from __future__ import annotations

import pickle

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import hepgym  # noqa: F401  (registers the environments)
from hepgym.datasets.parton_distributions import load
from hepgym.envs.pdf_fit.env import PDFFitEnv
from hepgym.envs.pdf_fit.problem import fit_problem
from hepgym.envs.pdf_fit.vector_env import PDFFitVectorEnv


@pytest.fixture(scope="module")
def problem():
    """Data of two small experiments and of the ratios, some hundred points."""
    return fit_problem(sets=["NMC-dp", "SLAC-p", "HERA-CC-em", "HERA-CC-ep"])


@pytest.fixture
def env(problem):
    return PDFFitEnv(problem, budget=20)


def steps(number, seed=0):
    return np.random.default_rng(seed).normal(0, 0.3 / 200, (number, 296)).astype(np.float32)


def test_contract(env):
    check_env(env, skip_render_check=True)


def test_registered():
    spec = gymnasium.spec("PDFFit-v0")
    assert spec.vector_entry_point == "hepgym.envs.pdf_fit.vector_env:PDFFitVectorEnv"


def test_reward_is_the_decrease_of_chi2(env):
    _, info = env.reset(seed=1)
    for action in steps(5):
        before = info["training"]
        observation, reward, _, _, info = env.step(action)
        assert reward == pytest.approx(before - info["training"])
        experiments = len(env.population.game.problem.data.experiments)
        assert observation[experiments] == pytest.approx(np.log10(info["training"]), abs=1e-5)
        assert "validation" in info


def test_chi2_is_that_of_double_precision(env):
    """The few squares of float32 against the covariance of all points, ratios included."""
    problem = env.population.game.problem
    for seed in range(4):
        _, info = env.reset(seed=seed)
        replica = problem.replica(info["replica"])
        f = env.population.game.distributions(info["replica"], info["parameters"])
        for name, rows in (("training", replica.training), ("validation", replica.validation)):
            exact = problem.data.chi2(f.reshape(1, -1), rows, replica.values)[0] / len(rows)
            if exact < 1e4:
                assert info[name] == pytest.approx(exact, rel=2e-4)


def test_determinism_and_pickling(env):
    first, _ = env.reset(seed=3)
    again = pickle.loads(pickle.dumps(env))
    for action in steps(4):
        one, other = env.step(action), again.step(action)
        assert np.array_equal(one[0], other[0])
        assert one[1] == other[1]
    repeated, _ = env.reset(seed=3)
    assert np.array_equal(first, repeated)


def test_truncated_at_budget_and_terminated_by_patience(problem):
    env = PDFFitEnv(problem, budget=3, patience=None)
    env.reset(seed=0)
    assert [env.step(action)[2:4] for action in steps(3)] == [(False, False)] * 2 + [(False, True)]
    with pytest.raises(gymnasium.error.ResetNeeded):
        env.step(steps(1)[0])
    env = PDFFitEnv(problem, budget=50, patience=2)
    env.reset(seed=0)
    still = np.zeros(296, np.float32)
    assert env.step(still)[2:4] == (False, False)
    assert env.step(still)[2:4] == (True, False)


def test_validation_is_not_observed(problem):
    """Two replicas with the same training values look alike whatever the validation values are."""
    env = PDFFitEnv(problem, budget=10)
    observation, _ = env.reset(seed=0)
    assert observation.shape == (2 * len(problem.data.experiments) + 19,)
    env.population.now.validation[:] = 77.0
    assert np.array_equal(env.population.observation()[0], observation)


def test_vector_agrees_with_single(problem):
    vector = PDFFitVectorEnv(4, data=problem, budget=6, patience=None)
    vector.reset(seed=0, options={"replica": np.array([1, 2, 2, 3])})
    start = vector.population.parameters.copy()
    actions = [steps(4, seed) for seed in range(5)]
    results = [vector.step(action) for action in actions]
    for fit, replica in enumerate((1, 2, 2, 3)):
        env = PDFFitEnv(problem, budget=6, patience=None)
        env.reset(options={"replica": replica, "parameters": start[fit]})
        for action, result in zip(actions, results, strict=True):
            observation, reward, terminated, truncated, info = env.step(action[fit])
            np.testing.assert_allclose(result[0][fit], observation, rtol=2e-3, atol=2e-3)
            assert result[1][fit] == pytest.approx(reward, rel=2e-3, abs=0.5)
            assert (result[2][fit], result[3][fit]) == (terminated, truncated)
            assert result[4]["validation"][fit] == pytest.approx(info["validation"], rel=2e-3)


@pytest.mark.parametrize("mode", ["NextStep", "SameStep", "Disabled"])
def test_autoreset(problem, mode):
    vector = PDFFitVectorEnv(2, mode, data=problem, budget=2, patience=None, replicas=3)
    vector.reset(seed=0)
    vector.step(steps(2))
    _, _, _, truncated, info = vector.step(steps(2))
    assert truncated.all()
    if mode == "Disabled":
        with pytest.raises(gymnasium.error.ResetNeeded, match="fit 0 has ended"):
            vector.step(steps(2))
        vector.reset(options={"reset_mask": np.array([True, True])})
        return
    if mode == "SameStep":
        assert info["_final_obs"].all()
        assert info["final_obs"].shape == (2, vector.single_observation_space.shape[0])
    else:
        reward = vector.step(steps(2))[1]
        assert (reward == 0).all()
    assert (vector.population.steps == 0).all()


def test_rendering(problem):
    env = PDFFitEnv(problem, budget=5, render_mode="rgb_array")
    env.reset(seed=0)
    picture = env.render()
    assert picture.shape == (500, 900, 3)
    assert picture.dtype == np.uint8
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 5
    env = PDFFitEnv(problem, budget=5, render_mode="ansi")
    env.reset(seed=0, options={"replica": 7})
    assert env.render().startswith("replica 7, step 0 of 5: chi2 per point ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"budget": 0}, "budget = 0 is less than 1"),
        ({"patience": 0}, "patience = 0 is less than 1"),
        ({"render_mode": "human"}, "render_mode 'human' is none of"),
        ({"data": "parton_distributions/none-v1"}, "none-v1"),
    ],
)
def test_bad_arguments(problem, arguments, message):
    with pytest.raises(ValueError, match=message):
        PDFFitEnv(**({"data": problem} | arguments))


def test_bad_options_and_actions(env):
    with pytest.raises(ValueError, match="reset has no option 'jet'"):
        env.reset(options={"jet": 3})
    with pytest.raises(ValueError, match="must not be negative"):
        env.reset(options={"replica": -1})
    with pytest.raises(ValueError, match="must be 296 numbers"):
        env.reset(options={"parameters": np.zeros(3)})
    env.reset(seed=0)
    for action in (np.zeros(3), np.full(296, np.nan)):
        with pytest.raises(gymnasium.error.InvalidAction, match="finite numbers of shape"):
            env.step(action)


def test_problem_refuses():
    dis = load()
    for arguments, message in (
        ({"covariance": "t1"}, "covariance is 't1'"),
        ({"training_fraction": 0.0}, "training_fraction is 0.0"),
        ({"seed": -1}, "seed is -1"),
        ({"sets": ["LEP"]}, "LEP"),
    ):
        with pytest.raises(ValueError, match=message):
            fit_problem(dis, **arguments)
