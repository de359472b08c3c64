"""A training with keras-rl2, in the process that belongs to it."""

from __future__ import annotations

import os
import random
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

from ....envs.jet_grooming.env import JetGroomingEnv
from ....leaderboards.tasks import task as find_task
from ...checkpoint import Arrays, write_checkpoint
from ..dqn.settings import DQNSettings
from ..networks.log import TrainingLog
from ..networks.network import ACTIONS
from ..networks.progress import Progress
from .adapter import (
    Agent,
    BoltzmannQPolicy,
    Callback,
    EpsGreedyQPolicy,
    Memory,
    OldGym,
    keras,
    tf,
)
from .weights import WEIGHTS_FILE

_LOG_EVERY = 1_000
"""Environment steps between lines of the log."""


def build_agent(settings: DQNSettings) -> Agent:
    """Make the agent of keras-rl2 with fresh weights.

    Parameters
    ----------
    settings
        As checked by `settings.check_settings`.

    Returns
    -------
    Agent
    """
    random.seed(settings.seed)
    np.random.seed(settings.seed)
    tf.compat.v1.set_random_seed(settings.seed)
    layers = keras.layers
    network = keras.Sequential([layers.Flatten(input_shape=(1, settings.state_dim))])
    for i in range(settings.layers):
        network.add(layers.Dense(settings.units, activation="relu", name=f"hidden_{i + 1}"))
    if settings.dropout:
        network.add(layers.Dropout(settings.dropout))
    # If dueling, keras-rl2 puts its own pair of layers in the place of the last one.
    network.add(layers.Dense(ACTIONS, name="advantage"))
    if settings.policy == "boltzmann":
        policy = BoltzmannQPolicy(tau=settings.exploration)
    else:
        policy = EpsGreedyQPolicy(eps=settings.exploration)
    agent = Agent(
        network,
        policy=policy,
        enable_double_dqn=settings.double,
        enable_dueling_network=settings.dueling,
        dueling_type="avg",
        nb_actions=ACTIONS,
        memory=Memory(limit=settings.replay, window_length=1),
        gamma=settings.gamma,
        batch_size=settings.batch_size,
        nb_steps_warmup=settings.warmup,
        target_model_update=settings.target_update,
    )
    agent.compile(keras.optimizers.legacy.Adam(learning_rate=settings.learning_rate))
    return agent


def layer_weights(network: Any) -> dict[str, Arrays]:
    """Weights of a network of the agent by layer, as `weights` describes them."""
    dense = [layer for layer in network.layers if isinstance(layer, keras.layers.Dense)]
    out: dict[str, Arrays] = {}
    for layer in dense[:-1]:
        kernel, bias = layer.get_weights()
        out[layer.name] = {"kernel": kernel, "bias": bias}
    kernel, bias = dense[-1].get_weights()
    if len(bias) > ACTIONS:  # keras-rl2's dueling layer: the value first, then the advantages
        out["value"] = {"kernel": kernel[:, :1], "bias": bias[:1]}
        kernel, bias = kernel[:, 1:], bias[1:]
    out["advantage"] = {"kernel": kernel, "bias": bias}
    return out


def run(settings: DQNSettings, folder: Path, stop: threading.Event, show: Progress) -> None:
    """Train, writing the log and the weights into the folder.

    Parameters
    ----------
    settings
        All hyperparameters.
    folder
        Folder of this training.
    stop
        Ends the training after the current step when it is set.
    show
        Shows progress.
    """
    ids = find_task(settings.task).datasets
    env = JetGroomingEnv(
        ids["signal"],
        ids["background"],
        reward=settings.reward,
        p_bkg=settings.p_bkg,
        state_dim=settings.state_dim,
    )
    agent = build_agent(settings)
    watch = _Watch(agent, settings, folder, stop, show)
    agent.fit(OldGym(env, settings.seed), nb_steps=settings.steps, callbacks=[watch], verbose=0)


class _Watch(Callback):  # type: ignore[misc]
    """Writes log and weights while keras-rl2 trains, and asks it to stop."""

    def __init__(
        self,
        agent: Agent,
        settings: DQNSettings,
        folder: Path,
        stop: threading.Event,
        show: Progress,
    ) -> None:
        super().__init__()
        self._agent = agent
        self._settings = settings
        self._folder = folder
        self._stop = stop
        self._show = show
        self._parent = os.getppid()
        self._log = TrainingLog(folder)
        self._step = 0
        self._begin_window()
        self._begun = self._clock

    def on_step_end(self, step: int, logs: dict[str, Any] | None = None) -> None:
        """Count a step; ``fit`` ends at the interrupt as it would at Ctrl-C."""
        assert logs is not None
        self._step += 1
        if self._step > self._settings.warmup + 1:  # before, there is no loss
            self._losses.append(float(logs["metrics"][0]))
        numbers: dict[str, float] = {}
        if self._step % _LOG_EVERY == 0:
            numbers = self._close_window()
        if self._step % self._settings.checkpoint_every == 0:
            self._write_weights()
        self._show(self._step, numbers)
        # An orphan has nobody left to train for.
        if self._stop.is_set() or os.getppid() != self._parent:
            raise KeyboardInterrupt

    def on_episode_end(self, episode: int, logs: dict[str, Any] | None = None) -> None:
        """Take down the reward of an episode."""
        assert logs is not None
        self._rewards.append(float(logs["episode_reward"]))

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Write what there is, after the last step or an interrupt."""
        if self._step % _LOG_EVERY:
            self._close_window()
        self._write_weights()

    def _begin_window(self) -> None:
        self._first = self._step
        self._rewards: list[float] = []
        self._losses: list[float] = []
        self._clock = time.perf_counter()

    def _close_window(self) -> dict[str, float]:
        """Write the means of the window; what did not happen is left out."""
        seconds = time.perf_counter() - self._clock
        numbers: dict[str, float] = {"episodes": len(self._rewards)}
        if self._rewards:
            numbers["reward"] = float(np.mean(self._rewards))
        if self._losses:
            numbers["loss"] = float(np.mean(self._losses))
        numbers["exploration"] = self._settings.exploration
        numbers["steps_per_second"] = round((self._step - self._first) / seconds, 1)
        self._log.write(step=self._step, **numbers)
        self._begin_window()
        return numbers

    def _write_weights(self) -> None:
        optimiser = self._agent.trainable_model.optimizer.optimizer
        write_checkpoint(
            self._folder / WEIGHTS_FILE,
            layer_weights(self._agent.model),
            {
                "environment_steps": self._step,
                "gradient_steps": int(keras.backend.get_value(optimiser.iterations)),
                "seconds": round(time.perf_counter() - self._begun, 1),
            },
        )
