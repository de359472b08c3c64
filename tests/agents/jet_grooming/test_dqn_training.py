"""Training of the DQN agent: what it learns, that it can be stopped, and that it is repeatable."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, VectorEnv
from numpy.typing import NDArray

from hepgym.agents.jet_grooming.dqn import DQNGroomer, DQNSettings, Samples, train
from hepgym.agents.jet_grooming.dqn.training import play_step
from hepgym.agents.jet_grooming.networks.log import read_log
from hepgym.agents.jet_grooming.networks.training import CHECKPOINT_FILE, LAST_FILE, SUMMARY_FILE
from hepgym.datasets.jets.trees import ClusteringTrees
from hepgym.envs.jet_grooming import GroomingReward
from hepgym.envs.jet_grooming.reward import shaping

SMALL = DQNSettings(
    layers=2,
    units=8,
    dropout=0.2,
    steps=600,
    warmup=50,
    replay=300,
    num_envs=10,
    batch_size=8,
    steps_per_update=5,
    learning_rate=1e-2,
    average=0.9,
    validate_every=100,
    checkpoint_every=200,
    seed=3,
)


@pytest.fixture(scope="module")
def samples(w_trees: ClusteringTrees, qcd_trees: ClusteringTrees) -> Samples:
    training, validation = slice(0, 200), slice(200, 300)
    return Samples(
        w_trees.select(training),
        qcd_trees.select(training),
        w_trees.select(validation),
        qcd_trees.select(validation),
    )


@pytest.fixture(scope="module")
def finished(samples: Samples, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("dqn") / "finished"
    train(SMALL, folder, progress=False, samples=samples)
    return folder


def weights(folder: Path) -> list[NDArray[np.float32]]:
    return [
        array
        for name in ("model.keras", LAST_FILE)
        for array in DQNGroomer.load(folder, name).network.get_weights()
    ]


def log_without_time(folder: Path) -> list[dict[str, Any]]:
    lines = read_log(folder)
    for line in lines:
        line.pop("steps_per_second", None)
    return lines


def assert_same_training(one: Path, other: Path) -> None:
    for a, b in zip(weights(one), weights(other), strict=True):
        np.testing.assert_array_equal(a, b)
    assert log_without_time(one) == log_without_time(other)


class Ask:
    """Progress that does something once a step is reached."""

    def __init__(self, step: int, action: Any) -> None:
        self.step, self.action = step, action

    def __call__(self, step: int, numbers: dict[str, float]) -> None:
        if step == self.step:
            self.action()


def crash() -> None:
    raise RuntimeError("power cut")


def test_same_seed_gives_the_same_training(finished, samples, tmp_path):
    train(SMALL, tmp_path, progress=False, samples=samples)
    assert_same_training(finished, tmp_path)


def test_another_seed_gives_another_training(finished, samples, tmp_path):
    train(dataclasses.replace(SMALL, seed=4), tmp_path, progress=False, samples=samples)
    assert any((a != b).any() for a, b in zip(weights(finished), weights(tmp_path), strict=True))


def test_stopped_training_goes_on_bit_for_bit(finished, samples, tmp_path):
    before = signal.getsignal(signal.SIGTERM)
    ask = Ask(330, lambda: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(KeyboardInterrupt):
        train(SMALL, tmp_path, progress=ask, samples=samples)
    assert signal.getsignal(signal.SIGTERM) is before
    assert (tmp_path / CHECKPOINT_FILE).exists()
    steps: list[int] = []
    train(SMALL, tmp_path, progress=lambda step, numbers: steps.append(step), samples=samples)
    assert steps == list(range(340, 601, 10))
    assert_same_training(finished, tmp_path)


def test_crashed_training_goes_on_from_its_checkpoint(finished, samples, tmp_path):
    with pytest.raises(RuntimeError, match="power cut"):
        train(SMALL, tmp_path, progress=Ask(390, crash), samples=samples)
    steps: list[int] = []
    train(SMALL, tmp_path, progress=lambda step, numbers: steps.append(step), samples=samples)
    assert steps[0] == 210
    assert_same_training(finished, tmp_path)


def test_finished_training_is_loaded(finished, samples):
    assert not (finished / CHECKPOINT_FILE).exists()
    groomer = train(SMALL, finished, progress=Ask(10, crash), samples=samples)
    assert groomer.settings == SMALL


def test_other_settings_are_refused_or_start_over(finished, samples, tmp_path):
    shorter = dataclasses.replace(SMALL, steps=100)
    with pytest.raises(ValueError, match=r"other settings \(steps\)"):
        train(shorter, finished, progress=False, samples=samples)
    train(shorter, tmp_path, progress=False, samples=samples)
    train(SMALL, tmp_path, progress=False, samples=samples, resume=False)
    assert_same_training(finished, tmp_path)


def test_broken_checkpoint_is_named(samples, tmp_path):
    settings = dataclasses.replace(SMALL, warmup=600)
    before = signal.getsignal(signal.SIGINT)
    interrupt = Ask(20, lambda: os.kill(os.getpid(), signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        train(settings, tmp_path, progress=interrupt, samples=samples)
    assert signal.getsignal(signal.SIGINT) is before
    file = tmp_path / CHECKPOINT_FILE
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(ValueError, match=r"checkpoint\.npz is not a checkpoint"):
        train(settings, tmp_path, progress=False, samples=samples)


def test_checkpoint_of_another_layout_is_named(samples, tmp_path):
    """Layout 1, of the first versions, did not say what it is."""
    with pytest.raises(RuntimeError, match="power cut"):
        train(SMALL, tmp_path, progress=Ask(210, crash), samples=samples)
    file = tmp_path / CHECKPOINT_FILE
    with np.load(file) as content:
        arrays = dict(content)
    values = json.loads(str(arrays["json"]))
    del values["layout"], values["window"]
    np.savez(file, **{**arrays, "json": np.array(json.dumps(values))})
    message = r"checkpoint\.npz is a checkpoint of layout 1, this version of hepgym reads layout 2"
    with pytest.raises(ValueError, match=message) as error:
        train(SMALL, tmp_path, progress=False, samples=samples)
    assert "\n" not in str(error.value)


def test_best_weights_are_those_of_the_best_validation(finished, samples):
    from hepgym.agents.jet_grooming.networks.validation import validate

    losses = {
        line["step"]: line["validation_loss"]
        for line in read_log(finished)
        if "validation_loss" in line
    }
    assert list(losses) == [100, 200, 300, 400, 500, 600]
    summary = json.loads((finished / SUMMARY_FILE).read_text())
    best = min(losses, key=lambda step: losses[step])
    assert summary["best"]["step"] == best
    assert validate(DQNGroomer.load(finished), samples).loss.value == losses[best]
    assert validate(DQNGroomer.load(finished, LAST_FILE), samples).loss.value == losses[600]
    assert summary["environment_steps"] == 600
    # Steps 10 to 50 are warm-up; each later vector step makes two gradient steps.
    assert summary["gradient_steps"] == 2 * (60 - 5)


def test_live_line_and_curve(samples, tmp_path, capsys, monkeypatch):
    settings = dataclasses.replace(SMALL, steps=4000, steps_per_update=10)
    monkeypatch.setenv("COLUMNS", "200")
    train(settings, tmp_path, progress=True, samples=samples)
    line = capsys.readouterr().out
    for word in ("reward", "loss", "L(validation)", "steps/s", "4000/4000"):
        assert word in line
    assert (tmp_path / "reward-curve.png").stat().st_size > 5000


@pytest.mark.parametrize(
    "changes",
    [
        {"architecture": "lstm", "layers": 1, "double": True, "optimiser": "rmsprop"},
        {
            "dueling": False,
            "standardise": True,
            "state_dim": 3,
            "policy": "epsilon",
            "exploration": 0.5,
            "final_exploration": 0.1,
            "exploration_steps": 200,
            "final_learning_rate": 1e-3,
        },
        {"observation": "context", "state_dim": None, "standardise": True},
    ],
    ids=["lstm", "dense", "context"],
)
def test_other_settings_train_and_load(samples, tmp_path, changes):
    settings = dataclasses.replace(SMALL, steps=210, **changes)
    with pytest.raises(RuntimeError):
        train(settings, tmp_path, progress=Ask(210, crash), samples=samples)
    groomer = train(settings, tmp_path, progress=False, samples=samples)
    groomed = groomer.groom(samples.validation_signal)
    assert groomed.decisions is not None
    again = DQNGroomer.load(tmp_path).groom(samples.validation_signal)
    np.testing.assert_array_equal(again.decisions, groomed.decisions)


def test_learns_the_soft_drop_like_reward(samples, tmp_path):
    # Without a mass reward and without looking ahead, Q is the shaping term, which is known.
    reward = GroomingReward(mass_target=1e6, background_weight=0.0, sd_weight=1.0)
    settings = DQNSettings(
        layers=2, units=32, dropout=0.0, reward=reward, gamma=0.0, standardise=True,
        steps=16_000, num_envs=200, batch_size=128, steps_per_update=20, learning_rate=3e-3,
        final_learning_rate=1e-4, validate_every=16_000, seed=1,
    )  # fmt: skip
    groomer = train(settings, tmp_path, progress=False, samples=samples)
    states = samples.validation_signal.states.astype(np.float32)
    truth = shaping(states, reward.shaping_parameters())
    values = groomer.values(states)
    assert np.abs(values - truth).mean() < 0.03
    clear = np.abs(truth[:, 1] - truth[:, 0]) > 0.1
    assert ((values[:, 1] > values[:, 0]) == (truth[:, 1] > truth[:, 0]))[clear].mean() > 0.99


class Corridor(VectorEnv[Any, Any, Any]):
    """Game 0 ends, game 1 is cut off, game 2 goes on; all restart within the step."""

    def __init__(self) -> None:
        self.num_envs = 3
        self.metadata = {"autoreset_mode": AutoresetMode.SAME_STEP}
        self.single_observation_space = gymnasium.spaces.Box(-9.0, 9.0, (2,))

    def step(self, actions: Any) -> Any:
        last = np.array([[1, 1], [2, 2], [3, 3]], np.float32)
        terminated = np.array([True, False, False])
        truncated = np.array([False, True, False])
        info = {"final_obs": last.copy(), "_final_obs": terminated | truncated}
        restarted = np.where((terminated | truncated)[:, None], np.float32(0), last)
        return restarted, np.array([1.0, 2.0, 3.0]), terminated, truncated, info


def test_truncation_is_not_termination():
    state = np.full((3, 2), 0.5, np.float32)
    transitions, following, ended = play_step(Corridor(), state, np.array([0, 1, 0]))
    np.testing.assert_array_equal(transitions.terminal, [True, False, False])
    np.testing.assert_array_equal(ended, [True, True, False])
    # The value of a game that was cut off is that of the state it was cut off in.
    np.testing.assert_array_equal(transitions.next_state[1:], [[2, 2], [3, 3]])
    np.testing.assert_array_equal(following, [[0, 0], [0, 0], [3, 3]])
    np.testing.assert_array_equal(transitions.action, [0, 1, 0])
