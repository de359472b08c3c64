"""The keras-rl2 agent: what its adapter mends, what it trains, and that it stays to itself."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hepgym.agents.jet_grooming.dqn import DQNGroomer, train
from hepgym.agents.jet_grooming.keras_rl import keras_rl_settings, train_keras_rl
from hepgym.agents.jet_grooming.keras_rl.weights import WEIGHTS_FILE, layer_names, read_network
from hepgym.agents.jet_grooming.networks.log import read_log
from hepgym.datasets.jets.trees import ClusteringTrees

SMALL = keras_rl_settings(
    layers=2, units=8, dropout=0.2, warmup=650, replay=400, learning_rate=1e-2, steps=1000, seed=3
)

# Runs in a process of its own, as keras-rl2 must, and saves what the tests look at.
PROBE = """
import os, sys
from pathlib import Path
os.environ["TF_USE_LEGACY_KERAS"] = "1"

import gymnasium
import numpy as np
from hepgym.agents.checkpoint import write_checkpoint
from hepgym.agents.jet_grooming.keras_rl import keras_rl_settings
from hepgym.agents.jet_grooming.keras_rl.session import build_agent, layer_weights
from hepgym.agents.jet_grooming.keras_rl.adapter import OldGym

folder = Path(sys.argv[1])
out = {}


class Walk(gymnasium.Env):
    # Observation: number of the episode, place in it. Every third episode is cut off.
    observation_space = gymnasium.spaces.Box(-1e9, 1e9, (2,))
    action_space = gymnasium.spaces.Discrete(2)
    episode = -1

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.episode, self.place = self.episode + 1, 0
        return np.array([self.episode, 0], np.float32), {}

    def step(self, action):
        self.place += 1
        cut, last = self.episode % 3 == 0, self.place == 5
        state = np.array([self.episode, self.place], np.float32)
        return state, 1.0, last and not cut, last and cut, {"mass": 1.0}


small = dict(layers=2, units=4, dropout=0.0, state_dim=2, batch_size=16, target_update=0.01)

# 33,000 steps of fit without training.
agent = build_agent(keras_rl_settings(**small, warmup=34_000, replay=900))
agent.compute_q_values = lambda state: np.zeros(2)
environment = OldGym(Walk(), 0)
agent.fit(environment, nb_steps=33_000, verbose=0)
out["steps"] = agent.step
drawn = [agent.memory.sample(16) for _ in range(200)]
out["drawn"] = np.array(
    [[*e.state0[0], *e.state1[0], e.reward, e.terminal1] for batch in drawn for e in batch]
)

# Weights before and after each training step.
agent = build_agent(keras_rl_settings(**small, warmup=20, replay=900, learning_rate=0.05))
online, target = [], []
train_on_batch = agent.trainable_model.train_on_batch


def watched(*args):
    result = train_on_batch(*args)
    online.append(np.concatenate([w.ravel() for w in agent.model.get_weights()]))
    target.append(np.concatenate([w.ravel() for w in agent.target_model.get_weights()]))
    return result


agent.trainable_model.train_on_batch = watched
agent.fit(OldGym(Walk(), 0), nb_steps=60, verbose=0)
out["online"], out["target"] = np.array(online), np.array(target)

states = np.random.default_rng(0).normal(size=(50, 2)).astype(np.float32)
out["states"], out["values"] = states, agent.compute_batch_q_values(states[:, None])
write_checkpoint(folder / "weights.npz", layer_weights(agent.model), {})
np.savez(folder / "probe.npz", **out)
"""


def probe_settings() -> Any:
    return keras_rl_settings(layers=2, units=4, dropout=0.0, state_dim=2)


@pytest.fixture(scope="module")
def probe(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, NDArray[Any]]]:
    folder = tmp_path_factory.mktemp("probe")
    command = [sys.executable, "-W", "error", "-c", PROBE, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    with np.load(folder / "probe.npz") as arrays:
        return folder, dict(arrays)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("keras-rl") / "finished"
    assert train_keras_rl(SMALL, folder, progress=False) == folder
    return folder


def forward(weights: dict[str, NDArray[Any]], x: NDArray[Any], layers: int) -> NDArray[Any]:
    """The network in NumPy."""
    for i in range(layers):
        x = np.maximum(x @ weights[f"hidden_{i + 1}/kernel"] + weights[f"hidden_{i + 1}/bias"], 0)
    advantage = x @ weights["advantage/kernel"] + weights["advantage/bias"]
    value = x @ weights["value/kernel"] + weights["value/bias"]
    return value + advantage - advantage.mean(axis=1, keepdims=True)


def without_time(line: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in line.items() if name != "steps_per_second"}


def test_counts_beyond_int16(probe):
    assert probe[1]["steps"] == 33_000


def test_truncation_is_not_termination(probe):
    episode, place, next_episode, next_place, reward, terminal = probe[1]["drawn"].T
    # Neither false steps, from the end of one episode to the start of the next, nor others.
    np.testing.assert_array_equal(episode, next_episode)
    np.testing.assert_array_equal(next_place, place + 1)
    np.testing.assert_array_equal(reward, 1.0)
    last, cut = next_place == 5, episode % 3 == 0
    assert (last & cut).sum() > 100
    np.testing.assert_array_equal(terminal, last & ~cut)


def test_target_network_follows(probe):
    online, target = probe[1]["online"], probe[1]["target"]
    assert len(online) >= 39
    assert np.abs(np.diff(online, axis=0)).max() > 0.01
    expected = target[:-1] + 0.01 * (online[1:] - target[:-1])
    np.testing.assert_allclose(target[1:], expected, atol=1e-6)
    # The weights before Adam's step would not do: the order within a step is fixed.
    early = target[:-1] + 0.01 * (online[:-1] - target[:-1])
    assert np.abs(target[1:] - early).max() > 1e-5


def test_weights_give_the_same_values_everywhere(probe):
    folder, arrays = probe
    states, values = arrays["states"], arrays["values"]
    assert np.ptp(values) > 0.01
    with np.load(folder / WEIGHTS_FILE, allow_pickle=False) as weights:
        np.testing.assert_allclose(forward(weights, states, 2), values, atol=1e-5)
    network, _ = read_network(folder, probe_settings())
    np.testing.assert_allclose(DQNGroomer(network, probe_settings()).values(states), values, 1e-5)


def test_weights_of_another_network_are_refused(probe):
    with pytest.raises(ValueError, match=r"weights\.npz holds the layers .* another network's"):
        read_network(probe[0], keras_rl_settings(layers=3, units=4, state_dim=2))


def test_training_gives_a_groomer(finished: Path, w_trees: ClusteringTrees):
    groomer = DQNGroomer.load(finished)
    assert groomer.settings == SMALL
    states = w_trees.states[:1000].astype(np.float32)
    with np.load(finished / WEIGHTS_FILE) as weights:
        assert {name.split("/")[0] for name in weights} - {"json"} == set(layer_names(SMALL))
        np.testing.assert_allclose(
            groomer.values(states), forward(weights, states, 2), rtol=1e-4, atol=1e-4
        )
    assert groomer.groom(w_trees).decisions is not None
    assert (finished / "reward-curve.png").stat().st_size > 5000
    assert not (finished / "messages.txt").exists()


def test_training_is_logged(finished: Path):
    line, validation = read_log(finished)
    assert line["step"] == validation["step"] == 1000
    assert 5 < line["episodes"] < 100
    assert 0 < line["reward"] < 50
    assert 0 < line["loss"] < 50
    summary = json.loads((finished / "summary.json").read_text())
    assert summary["environment_steps"] == 1000
    # Steps up to 650 and one more are warm-up; an episode's end has a gradient step of its own.
    assert 1000 - 651 <= summary["gradient_steps"] <= 1000 - 651 + line["episodes"]
    assert summary["best"]["validation_loss"] == validation["validation_loss"] > 0


def test_rest_of_the_process_is_untouched(finished: Path):
    import keras
    import tensorflow

    assert "TF_USE_LEGACY_KERAS" not in os.environ
    assert not [name for name in sys.modules if name.split(".")[0] in ("rl", "tf_keras")]
    assert tensorflow.executing_eagerly()
    assert (tensorflow.constant([1.0]) + 1).numpy() == 2
    assert keras.__version__.startswith("3.")
    assert tensorflow.keras.__version__.startswith("3.")
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    assert np.isfinite(model.train_on_batch(np.ones((4, 2)), np.ones((4, 1))))


def test_adapter_refuses_this_process():
    with pytest.raises(ImportError, match="call train_keras_rl"):
        import hepgym.agents.jet_grooming.keras_rl.adapter  # noqa: F401
    assert "rl" not in sys.modules


def test_interrupt_leaves_everything_and_seeds_repeat(finished: Path, tmp_path: Path):
    def interrupt() -> None:
        log = tmp_path / "log.jsonl"
        while not (log.exists() and log.stat().st_size):
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt, daemon=True)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        train_keras_rl(SMALL, tmp_path, steps=100_000, progress=False)
    thread.join()
    lines = read_log(tmp_path)
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert 1000 < summary["environment_steps"] == lines[-1]["step"] < 100_000
    assert "validation_loss" in lines[-1]
    assert DQNGroomer.load(tmp_path).settings.steps == 100_000
    # The first 1000 steps are those of the other training with this seed.
    assert without_time(lines[0]) == without_time(read_log(finished)[0])


def test_folder_is_not_overwritten(finished: Path):
    with pytest.raises(ValueError, match="holds a training already: choose another folder"):
        train_keras_rl(SMALL, finished, progress=False)


def test_failure_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\necho no disk left >&2\nexit 7\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    with pytest.raises(RuntimeError, match=r"ended with code 7 \(no disk left\): see .*messages"):
        train_keras_rl(SMALL, tmp_path / "run", progress=False)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"architecture": "lstm"}, "architecture is 'lstm' but must be 'dense'"),
        ({"num_envs": 4}, "num_envs is 4 but must be 1"),
        ({"average": 0.9}, r"average is 0\.9 but must be 0\.0"),
        ({"warmup": 31}, "warmup is 31 but must be at least 32"),
        ({"replay": 33}, "replay is 33 but must be at least 34"),
    ],
)
def test_settings_it_cannot_follow_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        keras_rl_settings(**changes)


def test_published_settings():
    settings = keras_rl_settings()
    assert (settings.layers, settings.units, settings.dropout) == (10, 100, 0.05)
    assert settings.dueling
    assert not settings.double
    assert (settings.policy, settings.exploration, settings.target_update) == ("boltzmann", 1, 0.01)
    assert (settings.warmup, settings.replay, settings.gamma) == (500, 500_000, 0.99)
    assert (settings.optimiser, settings.learning_rate) == ("adam", 1.147e-4)
    assert (settings.batch_size, settings.num_envs, settings.steps_per_update) == (32, 1, 1)


def rewards(folder: Path) -> NDArray[np.float64]:
    """Mean reward of an episode in each 4000 steps from 4000 to 44,000."""
    lines = [line for line in read_log(folder) if "reward" in line]
    steps = np.array([line["step"] for line in lines])
    means = np.array([line["reward"] for line in lines])
    edges = range(4_000, 44_000, 4_000)
    return np.array([means[(steps > a) & (steps <= a + 4_000)].mean() for a in edges])


@pytest.mark.slow
def test_published_network_agrees_with_the_native_agent(tmp_path: Path):
    """Slow: 45,000 steps of both agents with the published settings, about ten minutes."""
    settings = keras_rl_settings(steps=45_000)
    train_keras_rl(settings, tmp_path / "keras-rl", progress=False)
    train(settings, tmp_path / "native", progress=False)
    summary = json.loads((tmp_path / "keras-rl" / "summary.json").read_text())
    assert summary["environment_steps"] == 45_000
    assert summary["gradient_steps"] >= 45_000 - 501
    old, new = rewards(tmp_path / "keras-rl"), rewards(tmp_path / "native")
    error = np.sqrt(old.var(ddof=1) / len(old) + new.var(ddof=1) / len(new))
    assert abs(old.mean() - new.mean()) < 4 * error
