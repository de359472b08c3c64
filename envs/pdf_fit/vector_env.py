"""The fits of many parameter vectors at a time."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from ...datasets.parton_distributions import DEFAULT_ID
from .env import checked_actions
from .game import FitGame
from .population import Population, Rules, Source, action_space, observation_space, problem
from .problem import Covariance

Info = dict[str, Any]


class PDFFitVectorEnv(VectorEnv[NDArray[np.float32], NDArray[np.float32], NDArray[Any]]):
    """Many fits at once, whose residuals come from one matrix product.

    Each fit is that of `PDFFitEnv`, whose documentation describes actions, observations and
    rewards. All randomness comes from one generator. A population of mutants is a set of fits of
    the same replica: ``reset(options={"replica": 3})``.

    Parameters
    ----------
    num_envs
        Number of fits.
    autoreset_mode
        What happens when a fit has ended, as in Gymnasium: ``NextStep`` (default) starts the next
        one at the following step, whose action is ignored and whose reward is zero; ``SameStep``
        starts it at once and puts the last observation and info into ``info["final_obs"]`` and
        ``info["final_info"]``; ``Disabled`` leaves it to ``reset(options={"reset_mask": mask})``.
    data, covariance, training_fraction, data_seed, budget, patience, replicas, render_mode
        As in `PDFFitEnv`.

    Notes
    -----
    ``reset`` takes the options ``replica`` and ``parameters``, one for all fits or one for each
    fit that is reset. ``info`` holds the arrays of `PDFFitEnv` and for each a mask ``_name`` of
    the fits it is given for.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012 (an instance says its own autoreset mode)
        "render_modes": ["rgb_array", "ansi"],
        "render_fps": 4,
        "autoreset_mode": AutoresetMode.NEXT_STEP,
    }

    def __init__(
        self,
        num_envs: int = 1,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        data: Source = DEFAULT_ID,
        covariance: Covariance = "t0",
        training_fraction: float = 0.75,
        data_seed: int = 0,
        budget: int = 30_000,
        patience: int | None = 3_000,
        replicas: int = 100,
        render_mode: str | None = None,
    ) -> None:
        super().__init__()
        if num_envs < 1:
            raise ValueError(f"num_envs = {num_envs} is less than 1")
        if render_mode is not None and render_mode not in self.metadata["render_modes"]:
            raise ValueError(f"render_mode {render_mode!r} is none of rgb_array, ansi")
        self.num_envs = num_envs
        self.render_mode = render_mode
        self.autoreset_mode = AutoresetMode(autoreset_mode)
        self.metadata = {**self.metadata, "autoreset_mode": self.autoreset_mode}
        rules = Rules(budget, patience, replicas)
        game = FitGame(problem(data, covariance, training_fraction, data_seed))
        self.population = Population(game, rules, num_envs)
        self.single_observation_space = observation_space(len(game.problem.data.experiments))
        self.single_action_space = action_space()
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._begun = False
        self._ended = np.ones(num_envs, np.bool_)

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], Info]:
        """Start new fits, all or those of ``options["reset_mask"]``.

        Raises
        ------
        ValueError
            If the options are unknown or of the wrong shape.
        """
        if isinstance(seed, list):
            raise ValueError(
                "the native vector environment takes one integer seed for all its fits, not a list"
            )
        super().reset(seed=seed)
        options = dict(options or {})
        mask = np.asarray(options.pop("reset_mask", np.ones(self.num_envs, np.bool_)))
        if mask.shape != (self.num_envs,) or mask.dtype != np.bool_ or not mask.any():
            raise ValueError(
                f"the reset option reset_mask must be {self.num_envs} booleans, at least one true"
            )
        self._begin(mask, options)
        self._begun = self._begun or bool(mask.all())
        return self.population.observation(), self._info(mask)

    def step(
        self, actions: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[Any], NDArray[Any], NDArray[Any], Info]:
        """Add a step to the parameters of every fit.

        Raises
        ------
        gymnasium.error.ResetNeeded
            Before the first reset; with autoreset disabled also if a fit has ended.
        gymnasium.error.InvalidAction
            If the actions are not ``num_envs`` times 296 finite numbers.
        """
        if not self._begun:
            raise gymnasium.error.ResetNeeded("call reset() before step()")
        actions = checked_actions(np.asarray(actions), self.num_envs)
        idle = self._ended.copy()
        if self.autoreset_mode == AutoresetMode.DISABLED and idle.any():
            raise gymnasium.error.ResetNeeded(
                f"fit {int(idle.argmax())} has ended: reset it with the option reset_mask"
            )
        reward, terminated, truncated = self.population.step(actions, np.flatnonzero(~idle))
        ended = terminated | truncated
        final: Info = {}
        if self.autoreset_mode == AutoresetMode.SAME_STEP:
            if ended.any():
                final = {
                    "final_obs": self.population.observation(),
                    "_final_obs": ended.copy(),
                    "final_info": self._info(ended),
                    "_final_info": ended.copy(),
                }
                self._begin(ended, {})
        else:
            self._ended = ended
            if idle.any():
                self._begin(idle, {})
        info = self._info(np.ones(self.num_envs, np.bool_))
        return self.population.observation(), reward, terminated, truncated, info | final

    def render(self) -> tuple[Any, ...] | None:
        """Render every fit, see `PDFFitEnv.render`."""
        if self.render_mode is None:
            gymnasium.logger.warn(
                'nothing is rendered: make the environment with render_mode="rgb_array" or "ansi"'
            )
            return None
        if not self._begun:
            raise gymnasium.error.ResetNeeded("there is no fit to render: call reset() first")
        from . import rendering

        show = rendering.draw if self.render_mode == "rgb_array" else rendering.write
        return tuple(show(self.population, fit) for fit in range(self.num_envs))

    def _begin(self, mask: NDArray[np.bool_], options: dict[str, Any]) -> None:
        self.population.begin(np.flatnonzero(mask), self.np_random, options)
        self._ended[mask] = False

    def _info(self, given: NDArray[np.bool_]) -> Info:
        values = self.population.info()
        return values | {f"_{name}": given.copy() for name in values}
