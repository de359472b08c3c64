"""Training: play, remember, learn."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from numpy.typing import NDArray

from ....envs.jet_grooming.vector_env import JetGroomingVectorEnv
from ...checkpoint import Arrays
from .. import networks
from ..networks.progress import Progress
from ..networks.samples import Samples
from ..networks.training import standardisation
from .exploration import explore
from .groomer import DQNGroomer
from .learner import Learner
from .replay import ReplayMemory, Transitions
from .settings import DQNSettings


def train(
    settings: DQNSettings,
    folder: Path,
    *,
    resume: bool = True,
    progress: bool | Progress = True,
    samples: Samples | None = None,
) -> DQNGroomer:
    """Train an agent, or go on with an unfinished training, see `networks.train`.

    Parameters
    ----------
    settings
        All hyperparameters.
    folder
        Folder of this training.
    resume, progress, samples
        As for `networks.train`.

    Returns
    -------
    DQNGroomer
        With the best weights on the validation jets.

    Raises
    ------
    ValueError
        If the folder holds a training with other settings.
    KeyboardInterrupt
        After Ctrl-C or SIGTERM, once the checkpoint is written.
    """
    return networks.train(
        Training,
        DQNGroomer,
        settings,
        folder,
        resume=resume,
        progress=progress,
        samples=samples,
    )


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


class Training(networks.Training[DQNSettings]):
    """A training of the DQN between two checkpoints; parameters as for `train`."""

    _log_every = 2_000
    _steps_name = "Environment steps"

    def __init__(self, settings: DQNSettings, folder: Path, samples: Samples) -> None:
        standard = None
        if settings.standardise:
            standard = standardisation(
                samples, settings.observation, settings.components, settings.p_bkg
            )
        self._learner = Learner(settings, standard)
        super().__init__(
            settings,
            folder,
            samples,
            self._learner,
            DQNGroomer(self._learner.averaged, settings),
            stream=1,
        )
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
        self._stride = settings.num_envs
        self._game, _ = self._env.reset(seed=settings.seed)
        self._returns = np.zeros(settings.num_envs)
        # Of the present states, if the last gradient step has given them.
        self._values: NDArray[np.float32] | None = None
        self._updates = 0
        self._window = _Window()
        self._take_up()

    def _advance(self) -> None:
        """One step of every environment, and the gradient steps that follow it."""
        settings = self.settings
        values = self._learner.values(self._game) if self._values is None else self._values
        action = explore(settings, values, self._step, self._random)
        transitions, self._game, ended = play_step(self._env, self._game, action)
        self._memory.add(transitions)
        self._returns += transitions.reward
        self._window.episodes(self._returns[ended])
        self._returns[ended] = 0.0
        if self._step + self._stride > settings.warmup:
            shape = (settings.updates_per_vector_step, settings.batch_size)
            batches = self._memory.sample(self._random, shape)
            loss, self._values = self._learner.update_and_value(batches, self._game)
            self._window.loss(loss)
            self._updates += settings.updates_per_vector_step

    def _report(self) -> dict[str, float]:
        exploration = self.settings.exploration_at(self._step)
        return {**self._window.close(self._step), "exploration": exploration}

    def _counts(self) -> dict[str, int]:
        return {"environment_steps": self._step, "gradient_steps": self._updates}

    def _state(self) -> tuple[dict[str, Arrays], dict[str, Any]]:
        parts: dict[str, Arrays] = {
            "memory": self._memory.as_arrays(),
            "episodes": dict(self._env.episodes._asdict()),
            "game": {"state": self._game, "returns": self._returns},
        }
        return parts, {
            "updates": self._updates,
            "window": self._window.as_dict(),
            "env_random": self._env.np_random.bit_generator.state,
        }

    def _restore(self, parts: dict[str, Arrays], values: dict[str, Any]) -> None:
        self._memory.restore(parts["memory"])
        self._restore_games(parts["episodes"], parts["game"])
        self._updates = values["updates"]
        self._window = _Window(**values["window"])
        self._env.np_random.bit_generator.state = values["env_random"]

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
        self._game = game["state"].astype(np.float32)
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
