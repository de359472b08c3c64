"""The hard variant of the game: the agent makes the whole grid itself."""

from __future__ import annotations

from .actions import grid_action_space
from .env import VegasSamplingEnv
from .game import play_many_grids
from .vector_env import VegasSamplingVectorEnv


class VegasGridEnv(VegasSamplingEnv):
    """Integrate an unknown function by importance sampling: set the whole grid each time.

    ## Description

    As `VegasSampling-v0`, but nobody adapts the grid for the agent: before each iteration it
    gives the widths of all bins on all axes.

    1. An integrand is drawn as in `VegasSampling-v0`. The grid starts uniform, with 64 bins on
       each axis.
    2. The agent looks at the last iteration and chooses a new grid, a number of calls, and
       whether the coming iteration counts.
    3. An iteration is run. Iterations that count are combined with weights 1 / error^2. When the
       budget is spent the episode ends.

    ## Action Space

    `Box(-1, 1, (514,))`, float32. Finite values outside the bounds are set to the bound.
    `hepgym.envs.vegas_sampling.actions.grid_action` makes actions from logits and share.

    | Num | Action | -1 | 0 | 1 |
    |-----|--------|----|---|---|
    | 0-511 | logits, 64 for each of 8 axes | -10 | 0 | 10 |
    | 512 | share of the remaining calls that the iteration takes | 1/256 | 1/16 | 1 |
    | 513 | keep: the iteration counts if this is 0 or more | no | yes | yes |

    The softmax of an axis's 64 logits gives the widths of its bins from 0 to 1. Every bin is hit
    equally often, so narrow bins sample densely: minus the observed `grid` as logits keeps the
    grid, and zeros make it uniform. Logits of axes beyond the integrand's dimension do nothing.
    Calls are counted as in `VegasSampling-v0`.

    ## Observation Space

    As in `VegasSampling-v0`; statistic 6 (alpha) is always 0.

    ## Rewards

    As in `VegasSampling-v0`: the decrease of
    log10( sqrt(B) sqrt(true relative error^2 + quoted relative error^2) ).

    ## Starting State

    As in `VegasSampling-v0`, with the same integrands.

    ## Episode End

    The episode terminates when the budget is spent, after at most 256 steps; it is never
    truncated. `info` is that of `VegasSampling-v0`.

    ## Arguments

    ```python
    import gymnasium
    import hepgym

    env = gymnasium.make("VegasGrid-v0", split="test", budget=20_000)
    ```

    - `budget`: calls of the integrand, 1,000 to 1,000,000,000 (default 200,000).
    - `split`: `"train"` (default), `"validation"` or `"test"`: different integrands.
    - `render_mode`: `"rgb_array"` draws the grid and the weights of each axis.

    ## Vectorized environment

    `gymnasium.make_vec("VegasGrid-v0", num_envs=256)` gives a native vector environment,
    `VegasGridVectorEnv`.

    ## Version History

    * v0: first version.
    """

    _make_action_space = staticmethod(grid_action_space)
    _play = staticmethod(play_many_grids)


class VegasGridVectorEnv(VegasSamplingVectorEnv):
    """Many independent games of `VegasGridEnv`; parameters as in `VegasSamplingVectorEnv`."""

    _make_action_space = staticmethod(grid_action_space)
    _play_many = staticmethod(play_many_grids)
