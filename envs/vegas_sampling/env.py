"""The game of VEGAS for one integrand at a time."""

from __future__ import annotations

from typing import Any, ClassVar

import gymnasium
import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..render_mode import checked_render_mode, warn_without_mode
from .actions import action_space, physical
from .game import begin, new_episodes, observe, play_many, progress, verdict
from .setup import (
    Observation,
    checked_budget,
    empty_observation,
    numbers,
    observation_space,
    split_number,
)

Info = dict[str, Any]


class VegasSamplingEnv(gymnasium.Env[Any, Any]):
    """Integrate an unknown function with VEGAS: steer its adaptation with a fixed number of calls.

    ## Description

    VEGAS (G. P. Lepage, J. Comput. Phys. 27 (1978) 192) integrates over the unit hypercube with
    points whose density is a product of one histogram an axis. After each iteration it moves the
    edges of the histograms towards the regions that contribute most. How fast to adapt, how many
    calls to spend on each iteration and which iterations to count is up to the user, and to the
    agent here. A good agent finds the important regions with few calls, adapts without chasing
    statistical noise, and spends the rest of its budget on the final grid.

    1. An integrand is drawn: a Gaussian mixture, a product peak or a corner peak in 2 to 8
       dimensions, see `hepgym.envs.vegas_sampling.family`. The grid starts uniform, with 64 bins
       on each axis.
    2. The agent looks at the last iteration and chooses a damping alpha, a number of calls, and
       whether the coming iteration counts. It decides before it sees the result, so choosing
       cannot bias the estimate.
    3. The grid is refined with the weights of the last iteration and alpha (before the first
       iteration there is nothing to refine), then an iteration is run.
    4. Iterations that count are combined with weights 1 / error^2. When the budget is spent the
       episode ends.

    ## Action Space

    `Box(-1, 1, (3,))`, float32. Finite values outside the bounds are set to the bound.
    `hepgym.envs.vegas_sampling.actions.sampling_action` makes actions from damping and share.

    | Num | Action | -1 | 0 | 1 |
    |-----|--------|----|---|---|
    | 0 | damping alpha of the refinement: 0 leaves the grid, 1.5 is usual | 0 | 1.5 | 3 |
    | 1 | share of the remaining calls that the iteration takes | 1/256 | 1/16 | 1 |
    | 2 | keep: the iteration counts if this is 0 or more | no | yes | yes |

    The damping is linear in the action; the share is 2^(4 (action - 1)).

    An iteration takes at least 1/256 of the whole budget, and all that is left if less than that
    would remain. The iteration that spends the budget always counts. An iteration whose weights
    are all zero never does.

    ## Observation Space

    `Dict` of float32 arrays. They differ in meaning and shape, so they come apart;
    `gymnasium.wrappers.FlattenObservation` gives one vector of 1048 numbers. Weights are those of
    the last iteration, and the grid is the one it used. Axes beyond the integrand's dimension are
    zero.

    | Key | Shape | Observation | Min | Max |
    |-----|-------|-------------|-----|-----|
    | `weights` | (8, 64) | ln(squared weights in a bin / mean over bins) | -20 | ln 64 |
    | `grid` | (8, 64) | ln(grid density in a bin) = -ln(64 width) | -ln 64 | 32 |
    | `axes` | (8,) | 1 for an axis of the integrand, else 0 | 0 | 1 |
    | `statistics` | (16,) | iteration statistics, below | | |

    | Num | Statistic | Min | Max |
    |-----|-----------|-----|-----|
    | 0 | dimension / 8 | 0 | 1 |
    | 1 | log10 of the budget | 0 | 12 |
    | 2 | share of the budget that is left | 0 | 1 |
    | 3 | log2(1 + number of iterations) | 0 | 9 |
    | 4 | share of the budget that the last iteration took | 0 | 1 |
    | 5 | 1 if the last iteration counts | 0 | 1 |
    | 6 | alpha of the last refinement | 0 | 3 |
    | 7 | log10(standard deviation / mean of one weight), last iteration | -6 | 6 |
    | 8 | its change from the iteration before | -6 | 6 |
    | 9 | log10(largest weight / mean weight), last iteration | 0 | 9 |
    | 10 | mean absolute change of ln(grid density) in the last refinement | 0 | 36 |
    | 11 | share of the budget in iterations that count | 0 | 1 |
    | 12 | log2(1 + number of iterations that count) | 0 | 9 |
    | 13 | log10(sqrt(budget) x quoted relative error) of the combined estimate | -6 | 9 |
    | 14 | log10(1 + chi^2 per degree of freedom) of the iterations that count | 0 | 9 |
    | 15 | (last estimate - combined estimate) / last error | -10 | 10 |

    Statistics that do not exist yet are zero. Nothing observed depends on the exact integral.

    ## Rewards

    The decrease of the score

        log10( sqrt(B) sqrt(true relative error^2 + quoted relative error^2) )

    of the combined estimate, with the budget B. The true error comes from the exact integral, so
    quoting a small error and missing a peak does not pay. Before an iteration counts the estimate
    is 0, with no error quoted: its true relative error is 1 and its score log10(sqrt(B)). The
    rewards of an episode add up to log10(sqrt(B)) minus the final score.

    ## Starting State

    An integrand drawn at random from the split. `reset(options={"integrand": i, "stream": j})`
    plays the i-th integrand of the split with the j-th sequence of random numbers, each from 0 to
    2^31 - 1; what is not named is drawn.

    ## Episode End

    The episode terminates when the budget is spent, after at most 256 steps; it is never
    truncated. `info` holds `estimate` and `error` (combined, 0 before an iteration counts),
    `calls` and `iterations` (so far), `integrand` and `stream`; at the end also `score`, `exact`
    (the integral) and `true_error` (relative, with its sign).

    ## Arguments

    ```python
    import gymnasium
    import hepgym

    env = gymnasium.make("VegasSampling-v0", split="test", budget=20_000)
    ```

    - `budget`: calls of the integrand, 1,000 to 1,000,000,000 (default 200,000).
    - `split`: `"train"` (default), `"validation"` or `"test"`: different integrands.
    - `render_mode`: `"rgb_array"` draws the grid and the weights of each axis.

    ## Vectorized environment

    `gymnasium.make_vec("VegasSampling-v0", num_envs=256)` gives a native vector environment; see
    `hepgym.envs.vegas_sampling.vector_env.VegasSamplingVectorEnv`.

    ## Version History

    * v0: first version.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012 (Gymnasium declares it an instance's)
        "render_modes": ["rgb_array"],
        "render_fps": 2,
    }

    _reset_options: ClassVar = ("integrand", "stream")
    _make_action_space = staticmethod(action_space)
    _play = staticmethod(play_many)

    def __init__(
        self, budget: int = 200_000, split: str = "train", render_mode: str | None = None
    ) -> None:
        self.render_mode = checked_render_mode(render_mode, self.metadata)
        self.budget = checked_budget(budget)
        self.split = split
        self._split = split_number(split)
        self.observation_space = observation_space()
        self.action_space = self._make_action_space()
        self._action_shape = self.action_space.shape
        self.episodes = new_episodes(1)
        self._playing = False
        self._begun = False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, Info]:
        """Start an episode; ``options`` may name it by ``integrand`` and ``stream``.

        Raises
        ------
        ValueError
            If the options name no such integrand or stream.
        """
        super().reset(seed=seed)
        integrand, stream = numbers(options or {}, 1, self.np_random, self._reset_options)
        self._integrand, self._stream = int(integrand[0]), int(stream[0])
        begin(self.episodes, 0, self.budget, self._split, self._integrand, self._stream)
        self._playing = self._begun = True
        return self._observation(), self._info()

    def step(self, action: ArrayLike) -> tuple[Observation, float, bool, bool, Info]:
        """Adapt the grid and run an iteration.

        Raises
        ------
        gymnasium.error.ResetNeeded
            Before the first reset and after the end of an episode.
        gymnasium.error.InvalidAction
            If the action is not finite numbers of the right shape.
        """
        if not self._playing:
            raise gymnasium.error.ResetNeeded("the budget is spent: call reset() first")
        actions = physical(action, self._action_shape)[np.newaxis]
        reward, terminated = np.zeros(1), np.zeros(1, np.bool_)
        self._play(self.episodes, np.zeros(1, np.bool_), self.budget, actions, reward, terminated)
        self._playing = not terminated[0]
        return self._observation(), float(reward[0]), bool(terminated[0]), False, self._info()

    def render(self) -> NDArray[np.uint8] | None:
        """Draw the grid and the weights of each axis.

        Returns
        -------
        numpy.ndarray or None
            uint8 of shape (height, width, 3).
        """
        if self.render_mode is None:
            warn_without_mode(self.metadata)
            return None
        if not self._begun:
            raise gymnasium.error.ResetNeeded("there is no grid to render: call reset() first")
        from . import rendering

        return rendering.draw(rendering.grid_view(self.episodes, 0, self.budget))

    def _observation(self) -> Observation:
        arrays = empty_observation(1)
        observation = {name: array[0] for name, array in arrays.items()}
        observe(self.episodes, 0, *observation.values())
        return observation

    def _info(self) -> Info:
        values = progress(self.episodes, self.budget)
        if not self._playing and self._begun:
            values |= verdict(self.episodes, values["estimate"])
        named = {"integrand": self._integrand, "stream": self._stream}
        return {name: value[0].item() for name, value in values.items()} | named
