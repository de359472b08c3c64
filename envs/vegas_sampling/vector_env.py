"""The game of VEGAS for many integrands at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import error, logger
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import ArrayLike, NDArray

from .actions import action_space, physical
from .game import begin_many, new_episodes, observe_many, play_many, progress, verdict
from .setup import (
    Observation,
    checked_budget,
    checked_render_mode,
    empty_observation,
    numbers,
    observation_space,
    split_number,
)

Info = dict[str, Any]


class VegasSamplingVectorEnv(VectorEnv[Observation, NDArray[np.float32], NDArray[Any]]):
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

    _make_action_space = staticmethod(action_space)
    _play = staticmethod(play_many)

    def __init__(
        self,
        num_envs: int = 1,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        budget: int = 200_000,
        split: str = "train",
        render_mode: str | None = None,
    ) -> None:
        super().__init__()
        if num_envs < 1:
            raise ValueError(f"num_envs = {num_envs} is less than 1")
        self.num_envs = num_envs
        self.render_mode = checked_render_mode(render_mode)
        self.autoreset_mode = AutoresetMode(autoreset_mode)
        self.metadata = {**self.metadata, "autoreset_mode": self.autoreset_mode}
        self.budget = checked_budget(budget)
        self.split = split
        self._split = split_number(split)
        self.single_observation_space = observation_space()
        self.single_action_space = self._make_action_space()
        self._action_shape = (num_envs, *self.single_action_space.shape)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.episodes = new_episodes(num_envs)
        self._integrand = np.zeros(num_envs, np.int64)
        self._begun = False
        # Games to begin anew at the next step or, with autoreset disabled, by reset.
        self._ended = np.ones(num_envs, np.bool_)

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, Info]:
        """Start new episodes in all games, or in those of ``options["reset_mask"]``.

        Raises
        ------
        ValueError
            If the options are unknown, of the wrong shape, or name no such integrand or stream.
        """
        if isinstance(seed, list):
            raise ValueError(
                "the native vector environment takes one integer seed for all its games, not a list"
            )
        super().reset(seed=seed)
        options = options or {}
        mask = self._reset_mask(options)
        self._begin(np.flatnonzero(mask), options)
        self._begun = self._begun or bool(mask.all())
        return self._observe(), self._info(mask, np.zeros(self.num_envs, np.bool_))

    def step(
        self, actions: ArrayLike
    ) -> tuple[Observation, NDArray[Any], NDArray[Any], NDArray[Any], Info]:
        """Adapt the grid and run an iteration in every game.

        Raises
        ------
        gymnasium.error.ResetNeeded
            Before the first reset; with autoreset disabled also if a game has ended.
        gymnasium.error.InvalidAction
            If the actions are not finite numbers of the right shape.
        """
        if not self._begun:
            raise error.ResetNeeded("call reset() before step()")
        checked = physical(actions, self._action_shape)
        idle = self._ended
        if self.autoreset_mode == AutoresetMode.DISABLED and idle.any():
            raise error.ResetNeeded(
                f"game {int(idle.argmax())} has ended: reset it with the option reset_mask"
            )
        reward = np.zeros(self.num_envs)
        terminated = np.zeros(self.num_envs, np.bool_)
        self._play(self.episodes, idle, self.budget, checked, reward, terminated)
        final: Info = {}
        over = terminated
        if self.autoreset_mode == AutoresetMode.SAME_STEP:
            if terminated.any():
                final = self._final(terminated)
                self._begin(np.flatnonzero(terminated))
            over = np.zeros(self.num_envs, np.bool_)
        else:
            if idle.any():
                self._begin(np.flatnonzero(idle))
            self._ended = terminated.copy()
        info = self._info(np.ones(self.num_envs, np.bool_), over)
        truncated = np.zeros(self.num_envs, np.bool_)
        return self._observe(), reward, terminated, truncated, info | final

    def render(self) -> tuple[NDArray[np.uint8], ...] | None:
        """Render every game, see `VegasSamplingEnv.render`."""
        if self.render_mode is None:
            logger.warn('nothing is rendered: make the environment with render_mode="rgb_array"')
            return None
        if not self._begun:
            raise error.ResetNeeded("there is no grid to render: call reset() first")
        from . import rendering

        return tuple(
            rendering.draw(rendering.grid_view(self.episodes, game, self.budget))
            for game in range(self.num_envs)
        )

    def _reset_mask(self, options: dict[str, Any]) -> NDArray[np.bool_]:
        mask = np.asarray(options.get("reset_mask", np.ones(self.num_envs, np.bool_)))
        if mask.shape != (self.num_envs,) or mask.dtype != np.bool_ or not mask.any():
            raise ValueError(
                f"the reset option reset_mask must be {self.num_envs} booleans, at least one true"
            )
        return mask

    def _begin(self, games: NDArray[np.int64], options: dict[str, Any] | None = None) -> None:
        known = ("integrand", "stream", "reset_mask")
        integrands, streams = numbers(options or {}, len(games), self.np_random, known)
        begin_many(self.episodes, games, self.budget, self._split, integrands, streams)
        self._integrand[games] = integrands
        self._ended[games] = False

    def _observe(self) -> Observation:
        observation = empty_observation(self.num_envs)
        observe_many(self.episodes, *observation.values())
        return observation

    def _info(self, given: NDArray[np.bool_], over: NDArray[np.bool_]) -> Info:
        values = progress(self.episodes, self.budget)
        values |= {"integrand": self._integrand.copy(), "stream": self.episodes.stream.copy()}
        info: Info = values | {f"_{name}": given.copy() for name in values}
        if over.any():
            worth = verdict(self.episodes, values["estimate"])
            for name, value in worth.items():
                info[name] = np.where(over, value, 0.0)
                info[f"_{name}"] = over.copy()
        return info

    def _final(self, ended: NDArray[np.bool_]) -> Info:
        return {
            "final_obs": self._observe(),
            "_final_obs": ended.copy(),
            "final_info": self._info(ended, ended),
            "_final_info": ended.copy(),
        }
