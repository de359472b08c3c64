"""What the native vector environments have in common: seeds, autoreset, masks and checks."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar, TypeVar

import numpy as np
from gymnasium import Space
from gymnasium.error import ResetNeeded
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import ArrayLike, NDArray

from .render_mode import checked_render_mode, warn_without_mode

Info = dict[str, Any]
Mask = NDArray[np.bool_]
Observation = TypeVar("Observation")
Action = TypeVar("Action")


class NativeVectorEnv(VectorEnv[Observation, Action, NDArray[Any]]):
    """Many episodes at a time, all played by one call of compiled or vectorised code.

    A subclass gives the rules of its game in the five methods ``_begin``, ``_play``, ``_observe``,
    ``_info`` and ``_draw``; the rest is Gymnasium's contract of vector environments.

    Parameters
    ----------
    num_envs
        Number of environments.
    autoreset_mode
        What happens when an episode has ended, as in Gymnasium: ``NextStep`` starts the next one
        at the following step, whose action is ignored and whose reward is zero; ``SameStep``
        starts it at once and puts the last observation and info into ``info["final_obs"]`` and
        ``info["final_info"]``; ``Disabled`` leaves it to ``reset(options={"reset_mask": mask})``.
    render_mode
        One of the class's render modes, or None.
    observation_space, action_space
        Of one environment.

    Raises
    ------
    ValueError
        If there is no environment, no such autoreset mode or no such render mode.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012 (an instance says its own autoreset mode)
        "render_modes": ["rgb_array"],
        "autoreset_mode": AutoresetMode.NEXT_STEP,
    }

    _episode: ClassVar[str] = "game"
    """What an episode is called in messages."""
    _picture: ClassVar[str] = "state"
    """What is rendered."""

    def __init__(
        self,
        num_envs: int,
        autoreset_mode: AutoresetMode | str,
        render_mode: str | None,
        observation_space: Space[Any],
        action_space: Space[Any],
    ) -> None:
        super().__init__()
        if num_envs < 1:
            raise ValueError(f"num_envs = {num_envs} is less than 1")
        self.num_envs = num_envs
        self.render_mode = checked_render_mode(render_mode, self.metadata)
        self.autoreset_mode = AutoresetMode(autoreset_mode)
        self.metadata = {**self.metadata, "autoreset_mode": self.autoreset_mode}
        self.single_observation_space = observation_space
        self.single_action_space = action_space
        self.observation_space = batch_space(observation_space, num_envs)
        self.action_space = batch_space(action_space, num_envs)
        self._begun = False
        # Episodes to begin anew at the next step or, with autoreset disabled, by reset.
        self._ended = np.ones(num_envs, np.bool_)

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, Info]:
        """Start new episodes everywhere, or where ``options["reset_mask"]`` is true.

        Raises
        ------
        ValueError
            If the seed is a list, or the options are unknown, of the wrong shape or name nothing.
        """
        if isinstance(seed, list):
            raise ValueError(
                "the native vector environment takes one integer seed for all its "
                f"{self._episode}s, not a list"
            )
        super().reset(seed=seed)
        options = dict(options or {})
        mask = self._checked_mask(options.pop("reset_mask", np.ones(self.num_envs, np.bool_)))
        self._start(mask, options)
        self._begun = self._begun or bool(mask.all())
        return self._observe(), self._info(mask, np.zeros(self.num_envs, np.bool_))

    def step(
        self, actions: Action
    ) -> tuple[Observation, NDArray[Any], NDArray[Any], NDArray[Any], Info]:
        """Take one action in every environment.

        Raises
        ------
        gymnasium.error.ResetNeeded
            Before the first reset; with autoreset disabled also if an episode has ended.
        gymnasium.error.InvalidAction
            If the actions do not fit the action space.
        """
        if not self._begun:
            raise ResetNeeded("call reset() before step()")
        checked = self._checked_actions(actions)
        idle = self._ended
        if self.autoreset_mode == AutoresetMode.DISABLED and idle.any():
            raise ResetNeeded(
                f"{self._episode} {int(idle.argmax())} has ended: "
                "reset it with the option reset_mask"
            )
        reward, terminated, truncated = self._play(checked, idle)
        ended = terminated | truncated
        final: Info = {}
        over = ended
        if self.autoreset_mode == AutoresetMode.SAME_STEP:
            if ended.any():
                final = self._final(ended)
                self._start(ended, {})
            over = np.zeros(self.num_envs, np.bool_)
        else:
            self._ended = ended
            if idle.any():
                self._start(idle, {})
        observation = self._observe()
        info = self._info(np.ones(self.num_envs, np.bool_), over)
        return observation, reward, terminated, truncated, info | final

    def render(self) -> tuple[Any, ...] | None:
        """Render every environment, as the single environment does."""
        if self.render_mode is None:
            warn_without_mode(self.metadata)
            return None
        if not self._begun:
            raise ResetNeeded(f"there is no {self._picture} to render: call reset() first")
        return tuple(self._draw(env) for env in range(self.num_envs))

    @abstractmethod
    def _begin(self, envs: NDArray[np.int64], options: dict[str, Any]) -> None:
        """Start episodes in some environments; the options are those of ``reset``."""

    @abstractmethod
    def _checked_actions(self, actions: Action) -> Any:
        """Return the actions as ``_play`` takes them, or raise ``InvalidAction``."""

    @abstractmethod
    def _play(self, actions: Any, idle: Mask) -> tuple[NDArray[np.float64], Mask, Mask]:
        """Play one step where not idle; return reward, terminated and truncated, new arrays."""

    @abstractmethod
    def _observe(self) -> Observation:
        """Return the observations of all environments."""

    @abstractmethod
    def _info(self, given: Mask, over: Mask) -> Info:
        """Return the info of the environments ``given``, of which ``over`` have just ended."""

    @abstractmethod
    def _draw(self, env: int) -> Any:
        """Render one environment in the mode ``render_mode``."""

    def _final(self, ended: Mask) -> Info:
        """Last observation and info of the episodes that end in this step, before the next."""
        observation = self._observe()
        return {
            "final_obs": observation,
            "_final_obs": ended.copy(),
            "final_info": self._info(ended, ended),
            "_final_info": ended.copy(),
        }

    def _start(self, mask: Mask, options: dict[str, Any]) -> None:
        self._begin(np.flatnonzero(mask), options)
        self._ended = self._ended & ~mask

    def _checked_mask(self, values: ArrayLike) -> Mask:
        mask = np.asarray(values)
        if mask.shape != (self.num_envs,) or mask.dtype != np.bool_ or not mask.any():
            raise ValueError(
                f"the reset option reset_mask must be {self.num_envs} booleans, at least one true"
            )
        return mask
