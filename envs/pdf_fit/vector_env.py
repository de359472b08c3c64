"""The fits of many parameter vectors at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from ...datasets.parton_distributions import DEFAULT_ID
from ..native_vector import Info, Mask, NativeVectorEnv
from .env import checked_actions
from .game import FitGame
from .population import Population, Rules, Source, action_space, observation_space, problem
from .problem import Covariance


class PDFFitVectorEnv(NativeVectorEnv[NDArray[np.float32], NDArray[np.float32]]):
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

    _episode = _picture = "fit"

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
        rules = Rules(budget, patience, replicas)
        game = FitGame(problem(data, covariance, training_fraction, data_seed))
        super().__init__(
            num_envs,
            autoreset_mode,
            render_mode,
            observation_space(len(game.problem.data.experiments)),
            action_space(),
        )
        self.population = Population(game, rules, num_envs)

    def _begin(self, envs: NDArray[np.int64], options: dict[str, Any]) -> None:
        self.population.begin(envs, self.np_random, options)

    def _checked_actions(self, actions: NDArray[np.float32]) -> NDArray[Any]:
        return checked_actions(np.asarray(actions), self.num_envs)

    def _play(self, actions: NDArray[Any], idle: Mask) -> tuple[NDArray[np.float64], Mask, Mask]:
        return self.population.step(actions, np.flatnonzero(~idle))

    def _observe(self) -> NDArray[np.float32]:
        return self.population.observation()

    def _info(self, given: Mask, over: Mask) -> Info:
        values = self.population.info()
        return values | {f"_{name}": given.copy() for name in values}

    def _draw(self, env: int) -> Any:
        from . import rendering

        show = rendering.draw if self.render_mode == "rgb_array" else rendering.write
        return show(self.population, env)
