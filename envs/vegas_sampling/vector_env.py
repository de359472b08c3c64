"""The game of VEGAS for many integrands at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from ..native_vector import Info, Mask, NativeVectorEnv
from .actions import action_space, physical
from .game import begin_many, new_episodes, observe_many, play_many, progress, verdict
from .setup import (
    Observation,
    checked_budget,
    empty_observation,
    numbers,
    observation_space,
    split_number,
)


class VegasSamplingVectorEnv(NativeVectorEnv[Observation, NDArray[np.float32]]):
    """Many independent games of VEGAS, played by one compiled kernel.

    Given the same integrand, stream and actions each game is that of `VegasSamplingEnv` to the
    last bit; its documentation describes actions, observations and rewards. All randomness comes
    from one generator, so a seeded vector environment is reproducible but draws other integrands
    than as many seeded single environments.

    Parameters
    ----------
    num_envs
        Number of games.
    autoreset_mode
        What happens when a game has ended, as in Gymnasium: ``NextStep`` (default) starts the next
        integrand at the following step, whose action is ignored and whose reward is zero;
        ``SameStep`` starts it at once and puts the last observation and info into
        ``info["final_obs"]`` and ``info["final_info"]``; ``Disabled`` leaves it to
        ``reset(options={"reset_mask": mask})``.
    budget, split, render_mode
        As in `VegasSamplingEnv`.

    Notes
    -----
    ``reset`` takes the options ``integrand`` and ``stream``, integers or integer arrays with one
    value for each game that is reset. ``info`` holds arrays ``estimate``, ``error``, ``calls``,
    ``iterations``, ``integrand`` and ``stream``, for games that have ended also ``score``,
    ``exact`` and ``true_error``, and for each a mask ``_estimate`` and so on of the games it is
    given for.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012 (an instance says its own autoreset mode)
        "render_modes": ["rgb_array"],
        "render_fps": 2,
        "autoreset_mode": AutoresetMode.NEXT_STEP,
    }

    _picture = "grid"
    _make_action_space = staticmethod(action_space)
    _play_many = staticmethod(play_many)

    def __init__(
        self,
        num_envs: int = 1,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        budget: int = 200_000,
        split: str = "train",
        render_mode: str | None = None,
    ) -> None:
        super().__init__(
            num_envs, autoreset_mode, render_mode, observation_space(), self._make_action_space()
        )
        self.budget = checked_budget(budget)
        self.split = split
        self._split = split_number(split)
        self._action_shape = (num_envs, *(self.single_action_space.shape or ()))
        self.episodes = new_episodes(num_envs)
        self._integrand = np.zeros(num_envs, np.int64)

    def _begin(self, envs: NDArray[np.int64], options: dict[str, Any]) -> None:
        known = ("integrand", "stream", "reset_mask")
        integrands, streams = numbers(options, len(envs), self.np_random, known)
        begin_many(self.episodes, envs, self.budget, self._split, integrands, streams)
        self._integrand[envs] = integrands

    def _checked_actions(self, actions: NDArray[np.float32]) -> NDArray[Any]:
        return physical(actions, self._action_shape)

    def _play(self, actions: NDArray[Any], idle: Mask) -> tuple[NDArray[np.float64], Mask, Mask]:
        reward = np.zeros(self.num_envs)
        terminated = np.zeros(self.num_envs, np.bool_)
        self._play_many(self.episodes, idle, self.budget, actions, reward, terminated)
        return reward, terminated, np.zeros(self.num_envs, np.bool_)

    def _observe(self) -> Observation:
        observation = empty_observation(self.num_envs)
        observe_many(self.episodes, *observation.values())
        return observation

    def _info(self, given: Mask, over: Mask) -> Info:
        values = progress(self.episodes, self.budget)
        values |= {"integrand": self._integrand.copy(), "stream": self.episodes.stream.copy()}
        info: Info = values | {f"_{name}": given.copy() for name in values}
        if over.any():
            worth = verdict(self.episodes, values["estimate"])
            for name, value in worth.items():
                info[name] = np.where(over, value, 0.0)
                info[f"_{name}"] = over.copy()
        return info

    def _draw(self, env: int) -> NDArray[np.uint8]:
        from . import rendering

        return rendering.draw(rendering.grid_view(self.episodes, env, self.budget))
