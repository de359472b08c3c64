"""Training: play, remember, learn, validate; stop at any time and go on from there."""

from __future__ import annotations

import json
import threading
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from numpy.typing import NDArray

from ....envs.jet_grooming.observation import NODE, observe_trees
from ....envs.jet_grooming.vector_env import JetGroomingVectorEnv
from ....version import __version__
from ...checkpoint import Arrays, read_checkpoint, write_checkpoint
from ...interruption import interruptible
from .exploration import explore
from .groomer import (
    NETWORK_FILE,
    SETTINGS_FILE,
    DQNGroomer,
    differing_settings,
    read_settings,
    write_settings,
)
from .learner import Learner
from .log import TrainingLog, draw_curve
from .network import Standard
from .progress import Progress, live_line, silent
from .replay import ReplayMemory, Transitions
from .samples import Samples, load_samples
from .settings import DQNSettings
from .validation import validate

LAST_FILE = "last.keras"
CHECKPOINT_FILE = "checkpoint.npz"
SUMMARY_FILE = "summary.json"

_LOG_EVERY = 2_000
"""Environment steps between lines of the log."""


def train(
    settings: DQNSettings,
    folder: Path,
    *,
    resume: bool = True,
    progress: bool | Progress = True,
    samples: Samples | None = None,
) -> DQNGroomer:
    """Train an agent, or go on with an unfinished training.

    The folder receives ``model.keras`` (the best weights on the validation jets), ``last.keras``,
    ``settings.json``, ``log.jsonl``, ``reward-curve.png`` and, at the end, ``summary.json``. While
    the training is unfinished it also holds ``checkpoint.npz``. Ctrl-C and SIGTERM write a
    checkpoint first; a training that is resumed ends with the same weights, bit for bit, as one
    that was never stopped.

    Parameters
    ----------
    settings
        All hyperparameters.
    folder
        Folder of this training.
    resume
        Whether to go on with what the folder holds. A finished training is just loaded. False
        starts over and removes an earlier training from the folder.
    progress
        True shows a live line, False nothing; a callable is called instead.
    samples
        The jets; by default those of the task.

    Returns
    -------
    DQNGroomer
        With the best weights.

    Raises
    ------
    ValueError
        If the folder holds a training with other settings.
    KeyboardInterrupt
        After Ctrl-C or SIGTERM, once the checkpoint is written.
    """
    if not resume:
        for name in (NETWORK_FILE, LAST_FILE, CHECKPOINT_FILE, SUMMARY_FILE, SETTINGS_FILE):
            (folder / name).unlink(missing_ok=True)
    if (folder / SETTINGS_FILE).exists():
        other = read_settings(folder)
        if other != settings:
            names = ", ".join(differing_settings(other, settings))
            raise ValueError(
                f"{folder} holds a training with other settings ({names}): choose another "
                "folder, the same settings, or to start over"
            )
    if (folder / SUMMARY_FILE).exists():
        return DQNGroomer.load(folder)
    folder.mkdir(parents=True, exist_ok=True)
    write_settings(folder, settings)
    training = Training(settings, folder, samples or load_samples(settings.task))
    if progress is True:
        shown: Any = live_line(settings.steps)
    else:
        shown = nullcontext(progress or silent)
    with shown as show, interruptible() as stop:
        training.run(show, stop)
    return DQNGroomer.load(folder)


def play_step(
    env: VectorEnv[Any, Any, Any], state: NDArray[np.float32], action: NDArray[np.int64]
) -> tuple[Transitions, NDArray[np.float32], NDArray[np.bool_]]:
    """Play one step of an environment that restarts within the step (autoreset SameStep).

    Parameters
    ----------
    env
        The environment.
    state, action
        Observations and actions, shapes (num_envs, state_dim) and (num_envs,).

    Returns
    -------
    transitions : Transitions
        What to remember. An episode that was cut off is not terminal, and its next state is the
        last observation before the restart.
    state : numpy.ndarray
        float32, shape (num_envs, state_dim): where the games go on.
    ended : numpy.ndarray
        bool, shape (num_envs,): whether an episode ended, for either reason.
    """
    observation, reward, terminated, truncated, info = env.step(action)
    following = observation
    if truncated.any():
        following = observation.copy()
        for i in np.flatnonzero(truncated):
            following[i] = info["final_obs"][i]
    transitions = Transitions(
        state, action.astype(np.uint8), reward.astype(np.float32), following, terminated
    )
    return transitions, observation, terminated | truncated


class Training:
    """A training between two checkpoints.

    Parameters
    ----------
    settings
        All hyperparameters.
    folder
        Folder of this training; its checkpoint, if there is one, is taken up.
    samples
        The jets.
    """

    def __init__(self, settings: DQNSettings, folder: Path, samples: Samples) -> None:
        self.settings = settings
        self.folder = folder
        self._samples = samples
        standard = None
        if settings.standardise:
            standard = standardisation(
                samples, settings.observation, settings.components, settings.p_bkg
            )
        self._learner = Learner(settings, standard)
        self._groomer = DQNGroomer(self._learner.averaged, settings)
        self._memory = ReplayMemory(settings.replay, settings.components)
        self._env = JetGroomingVectorEnv(
            settings.num_envs,
            AutoresetMode.SAME_STEP,
            signal=samples.signal,
            background=samples.background,
            reward=settings.reward,
            p_bkg=settings.p_bkg,
            state_dim=settings.state_dim,
            observation=settings.observation,
        )
        # Networks take their seeds from the same number in another way, see network.py.
        self._random = np.random.Generator(np.random.PCG64([settings.seed, 1]))
        self._state, _ = self._env.reset(seed=settings.seed)
        self._returns = np.zeros(settings.num_envs)
        # Of the present state, if the last gradient step has given them.
        self._values: NDArray[np.float32] | None = None
        self._step = 0
        self._updates = 0
        self._seconds = 0.0
        self._best: dict[str, float] | None = None
        self._window = _Window()
        log_length = 0
        if (folder / CHECKPOINT_FILE).exists():
            log_length = self._restore()
        self._log = TrainingLog(folder, log_length)

    def run(self, show: Progress, stop: threading.Event) -> None:
        """Train to the end, or until asked to stop.

        Raises
        ------
        KeyboardInterrupt
            If asked to stop, once the checkpoint is written.
        """
        settings = self.settings
        begun = time.perf_counter() - self._seconds
        while self._step < settings.steps:
            if stop.is_set():
                self._seconds = time.perf_counter() - begun
                self._checkpoint()
                raise KeyboardInterrupt
            self._advance()
            numbers: dict[str, float] = {}
            if self._passed(_LOG_EVERY):
                numbers = self._window.close(self._step)
                numbers["exploration"] = settings.exploration_at(self._step)
                self._log.write(step=self._step, **numbers)
            if self._passed(settings.validate_every) or self._step >= settings.steps:
                numbers = {**numbers, **self._validate()}
            self._seconds = time.perf_counter() - begun
            if self._passed(settings.checkpoint_every):
                self._checkpoint()
            show(self._step, numbers)
        self._finish()

    def _advance(self) -> None:
        """One step of every environment, and the gradient steps that follow it."""
        settings = self.settings
        values = self._learner.values(self._state) if self._values is None else self._values
        action = explore(settings, values, self._step, self._random)
        transitions, self._state, ended = play_step(self._env, self._state, action)
        self._memory.add(transitions)
        self._step += settings.num_envs
        self._returns += transitions.reward
        self._window.episodes(self._returns[ended])
        self._returns[ended] = 0.0
        if self._step > settings.warmup:
            shape = (settings.updates_per_vector_step, settings.batch_size)
            batches = self._memory.sample(self._random, shape)
            loss, self._values = self._learner.update_and_value(batches, self._state)
            self._window.loss(loss)
            self._updates += settings.updates_per_vector_step

    def _passed(self, every: int) -> bool:
        """Whether the last vector step reached or passed a multiple of ``every``."""
        return self._step // every > (self._step - self.settings.num_envs) // every

    def _validate(self) -> dict[str, float]:
        score = validate(self._groomer, self._samples)
        numbers = {
            f"validation_{name}": float(getattr(score, name).value)
            for name in ("loss", "window", "median", "f_bkg")
        }
        self._log.write(step=self._step, **numbers)
        if self._best is None or numbers["validation_loss"] < self._best["validation_loss"]:
            self._best = {"step": self._step, **numbers}
            self._groomer.save(self.folder)
        return numbers

    def _finish(self) -> None:
        self._learner.averaged.save(self.folder / LAST_FILE)
        draw_curve(self.folder)
        summary = {
            "hepgym": __version__,
            "environment_steps": self._step,
            "gradient_steps": self._updates,
            "seconds": round(self._seconds, 1),
            "best": self._best,
        }
        (self.folder / SUMMARY_FILE).write_text(json.dumps(summary, indent=2) + "\n")
        (self.folder / CHECKPOINT_FILE).unlink(missing_ok=True)

    def _checkpoint(self) -> None:
        write_checkpoint(
            self.folder / CHECKPOINT_FILE,
            {
                "learner": self._learner.as_arrays(),
                "memory": self._memory.as_arrays(),
                "episodes": dict(self._env.episodes._asdict()),
                "game": {"state": self._state, "returns": self._returns},
            },
            {
                "step": self._step,
                "updates": self._updates,
                "seconds": self._seconds,
                "best": self._best,
                "window": self._window.as_dict(),
                "log_length": self._log.length,
                "random": self._random.bit_generator.state,
                "env_random": self._env.np_random.bit_generator.state,
            },
        )

    def _restore(self) -> int:
        """Take up the checkpoint; returns the length of the log at that time."""
        parts, values = read_checkpoint(self.folder / CHECKPOINT_FILE)
        self._learner.restore(parts["learner"])
        self._memory.restore(parts["memory"])
        self._restore_games(parts["episodes"], parts["game"])
        self._step = values["step"]
        self._updates = values["updates"]
        self._seconds = values["seconds"]
        self._best = values["best"]
        self._window = _Window(**values["window"])
        self._random.bit_generator.state = values["random"]
        self._env.np_random.bit_generator.state = values["env_random"]
        return int(values["log_length"])

    def _restore_games(self, episodes: Arrays, game: Arrays) -> None:
        jet, signals = episodes["jet"].astype(np.int64), self._env.game.signals
        label = jet < signals
        # Starting the same jets makes the environment prepare them; where each game stood is
        # filled in afterwards. It keeps no other state from one step to the next.
        self._env.reset(
            options={"jet": np.where(label, jet, jet - signals), "label": label.astype(np.int64)}
        )
        for name, array in self._env.episodes._asdict().items():
            array[...] = episodes[name]
        self._state = game["state"].astype(np.float32)
        self._returns = game["returns"].astype(np.float64)


class _Window:
    """Sums since the last line of the log."""

    def __init__(
        self,
        start: int = 0,
        episodes: int = 0,
        reward: float = 0.0,
        calls: int = 0,
        loss: float = 0.0,
    ) -> None:
        self._sums = {
            "start": start,
            "episodes": episodes,
            "reward": reward,
            "calls": calls,
            "loss": loss,
        }
        self._clock = time.perf_counter()

    def episodes(self, returns: NDArray[np.float64]) -> None:
        self._sums["episodes"] += len(returns)
        self._sums["reward"] += float(returns.sum())

    def loss(self, value: float) -> None:
        self._sums["calls"] += 1
        self._sums["loss"] += value

    def as_dict(self) -> dict[str, float]:
        return dict(self._sums)

    def close(self, step: int) -> dict[str, float]:
        """Means of the window, and begin the next one; what did not happen is left out."""
        sums, now = self._sums, time.perf_counter()
        out: dict[str, float] = {}
        if sums["episodes"]:
            out["reward"] = sums["reward"] / sums["episodes"]
        if sums["calls"]:
            out["loss"] = sums["loss"] / sums["calls"]
        out["steps_per_second"] = round((step - sums["start"]) / (now - self._clock), 1)
        self.__init__(start=step)  # type: ignore[misc]
        return out


def standardisation(
    samples: Samples, observation: str, components: int, background: float
) -> Standard:
    """Mean and variance of the leading components of an observation over the training jets' nodes.

    Parameters
    ----------
    samples
        The jets.
    observation, components
        What is seen of them.
    background
        Weight of the background jets.

    Returns
    -------
    mean, variance : numpy.ndarray
        float32, shape (components,).
    """
    mean, square = np.zeros(components), np.zeros(components)
    for trees, weight in (
        (samples.signal, 1 - background),
        (samples.background, background),
    ):
        # Before they are rounded to float32.
        seen = trees.states if observation == NODE else observe_trees(trees, observation)
        seen = seen[:, :components].astype(np.float64, copy=False)
        mean += weight * seen.mean(axis=0)
        square += weight * (seen**2).mean(axis=0)
    return mean.astype(np.float32), (square - mean**2).astype(np.float32)
