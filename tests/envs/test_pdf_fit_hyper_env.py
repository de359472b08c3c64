"""The choice of hyperparameters: contract, ranges, and the loss against plain fits."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest

import hepgym  # noqa: F401  (registers the environments)
from hepgym.datasets.parton_distributions import load
from hepgym.envs.pdf_fit import hyper_env
from hepgym.envs.pdf_fit.hyper_env import PDFFitHyperEnv, choose


@pytest.fixture
def quick(monkeypatch):
    """A made-up loss in place of fits, where their numbers do not matter."""

    def fold_chi2(dis, settings, *, replicas, seed, folds):
        return [settings.learning_rate * 100 + fold for fold in folds]

    monkeypatch.setattr(hyper_env, "fold_chi2", fold_chi2)


def test_contract(quick):
    from gymnasium.utils.env_checker import check_env

    check_env(PDFFitHyperEnv(trials=4), skip_render_check=True)


def test_episode(quick):
    env = PDFFitHyperEnv(trials=4, patience=None, folds=(0, 2))
    env.reset(seed=0)
    ends = []
    for rate in (0.1, 0.9, 0.0, 0.5):
        action = np.full(10, 0.2, np.float32)
        action[1] = rate
        observation, reward, terminated, truncated, info = env.step(action)
        assert reward == pytest.approx(-np.mean(info["folds"]))
        assert observation[0] == pytest.approx(-reward)
        ends.append((terminated, truncated))
    assert ends == [(False, False)] * 3 + [(False, True)]
    assert observation[1] == pytest.approx(100 * 1e-4 + 1)
    env = PDFFitHyperEnv(trials=9, patience=2)
    env.reset(seed=0)
    assert [env.step(action)[2] for _ in range(3)] == [False, False, True]


def test_ranges():
    """The corners of the box are the corners of the published search."""
    low = choose(np.zeros(10, np.float32), 100)
    assert (low.optimizer, low.units, low.learning_rate) == ("Nadam", (10,), 1e-4)
    high = choose(np.ones(10, np.float32), 100)
    assert (high.optimizer, high.units) == ("Adadelta", (45, 45, 45, 45))
    assert high.learning_rate == pytest.approx(10.0)
    assert high.clipnorm == pytest.approx(1e-4)


def test_a_step_is_fits_without_the_fold():
    """One real step on a few sets: finite, the same when repeated."""
    dis = load()
    small = dis.select(dis.in_sets(["SLAC-p", "HERA-CC-em"]))
    env = PDFFitHyperEnv(small, epochs=30, folds=(0,))
    env.reset(seed=0)
    action = np.full(10, 0.3, np.float32)
    first = env.step(action)
    assert 0 < -first[1] <= 100
    assert env.step(action)[1] == first[1]


def test_refusals(quick):
    for arguments, message in (
        ({"trials": 0}, "trials = 0"),
        ({"folds": (7,)}, "numbers from 0 to 3"),
        ({"data_seed": -2}, "data_seed = -2 is negative"),
        ({"render_mode": "human"}, "is not ansi"),
    ):
        with pytest.raises(ValueError, match=message):
            PDFFitHyperEnv(**arguments)
    env = PDFFitHyperEnv()
    with pytest.raises(gymnasium.error.ResetNeeded):
        env.step(np.zeros(10, np.float32))
    env.reset(seed=0)
    with pytest.raises(gymnasium.error.InvalidAction):
        env.step(np.full(10, 2.0, np.float32))
    with pytest.raises(ValueError, match="no option 'replica'"):
        env.reset(options={"replica": 1})
