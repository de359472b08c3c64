"""The fit of one data replica as a game."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from ...datasets.parton_distributions import DEFAULT_ID
from ..render_mode import checked_render_mode, warn_without_mode
from .game import FitGame
from .lecture_model import PARAMETERS
from .population import Population, Rules, Source, action_space, observation_space, problem
from .problem import Covariance

Info = dict[str, Any]

_HERE = np.zeros(1, np.int64)


class PDFFitEnv(gymnasium.Env[Any, Any]):
    """Fit parton distributions to one replica of deep-inelastic scattering data.

    ## Description

    Parton distributions are the densities of quarks and gluons in the proton. Nobody can compute
    them; they are fitted to measured cross sections. To know the uncertainty of the fit one fits
    many replicas of the data, which fluctuate as the errors say (arXiv:1410.8849). One episode is
    the fit of one replica with the model of the first two generations of such fits: x f_i = A_i
    x^(1 - alpha_i) (1 - x)^beta_i NN_i(x, ln x) with a 2-5-3-1 network for each of Sigma, g, V,
    V3, V8, T3, T8, T15. The exponents belong to the replica, sum rules fix A_g, A_V, A_V3, A_V8.

    1. A replica is drawn: values, a split into training and validation points, exponents.
    2. The parameters of the eight networks are drawn from a normal distribution.
    3. The agent moves in the space of the parameters and sees the training chi2 of each
       experiment.
    4. The validation chi2, which it does not see, ends the episode when it stays away from its
       minimum.

    ## Action Space

    `Box(-1, 1, (296,), float32)`: a step in units of 200, added to the 296 parameters. Parameters
    are kept between -100 and 100, so a single step leads from anywhere to anywhere. The parameters
    of a network are the weights of its first layer, row by row, its biases, then those of the
    other layers; see `hepgym.envs.pdf_fit.lecture_model.node_of_parameter`.

    ## Observation Space

    `Box(2 E + 19,)`, float32, with E experiments (5 for the bundled data: 29).

    | Num | Observation | Min | Max |
    |-----|-------------|-----|-----|
    | 0 .. E-1 | log10 of the training chi2 per point of each experiment by itself | -3 | 6 |
    | E | log10 of the training chi2 per point of all, with all correlations | -3 | 6 |
    | E+1 .. 2E+1 | their change in the last step | -9 | 9 |
    | 2E+2 | fraction of the budget that is left | 0 | 1 |
    | 2E+3 .. 2E+10 | mean of each network's parameters | -100 | 100 |
    | 2E+11 .. 2E+18 | root mean square of each network's parameters | 0 | 100 |

    ## Rewards

    The decrease of the training chi2 per point in this step. chi2 per point is at most 10^6, also
    where a sum rule cannot be imposed.

    ## Starting State

    A replica drawn uniformly and parameters drawn from a standard normal distribution.
    `reset(options={"replica": r})` fits replica r (0: the measured values themselves),
    `reset(options={"parameters": p})` starts from given parameters.

    ## Episode End

    The episode terminates when the validation chi2 has had no new minimum for `patience` steps
    and is truncated when the budget is spent. `info` holds `training` and `validation` (chi2 per
    point), `positivity` (whether the partons are positive at Q2 = 5 GeV2), `positivity_penalty`,
    `sum_rules` (largest deviation from a sum rule), `replica` and `parameters`.

    ## Arguments

    ```python
    import gymnasium
    import hepgym

    env = gymnasium.make("PDFFit-v0", budget=1000, training_fraction=0.5)
    ```

    - `data`: dataset id, path of a file in the same format, `DISData` or a `FitProblem`; with a
      `FitProblem` the next three are its own.
    - `covariance`: `"t0"` (default) or `"experimental"`.
    - `training_fraction`: of each set's points (0.75).
    - `data_seed`: seed of the replicas (0). The same replica is the same for every agent.
    - `budget`: steps (30,000). `patience`: steps (3,000), None for never.
    - `replicas`: replicas 1 to this are drawn (100).
    - `render_mode`: `"rgb_array"` draws the distributions with the reference; `"ansi"` writes a
      line.

    ## Vectorized environment

    `gymnasium.make_vec("PDFFit-v0", num_envs=80)` evaluates a population with a few matrix
    products; see `hepgym.envs.pdf_fit.vector_env.PDFFitVectorEnv`.

    ## Version History

    * v0: first version.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012 (Gymnasium declares it an instance's)
        "render_modes": ["rgb_array", "ansi"],
        "render_fps": 4,
    }

    def __init__(
        self,
        data: Source = DEFAULT_ID,
        covariance: Covariance = "t0",
        training_fraction: float = 0.75,
        data_seed: int = 0,
        budget: int = 30_000,
        patience: int | None = 3_000,
        replicas: int = 100,
        render_mode: str | None = None,
    ) -> None:
        self.render_mode = checked_render_mode(render_mode, self.metadata)
        rules = Rules(budget, patience, replicas)
        game = FitGame(problem(data, covariance, training_fraction, data_seed))
        self.population = Population(game, rules, 1)
        self.observation_space = observation_space(len(game.problem.data.experiments))
        self.action_space = action_space()
        self._playing = False
        self._begun = False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], Info]:
        """Start a fit; ``options`` may give ``replica`` and ``parameters``.

        Raises
        ------
        ValueError
            If the options are not what they should be.
        """
        super().reset(seed=seed)
        self.population.begin(_HERE, self.np_random, options or {})
        self._playing = self._begun = True
        return self.population.observation()[0], self._info()

    def step(
        self, action: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], float, bool, bool, Info]:
        """Add a step to the parameters.

        Raises
        ------
        gymnasium.error.ResetNeeded
            Before the first reset and after the end of an episode.
        gymnasium.error.InvalidAction
            If the action is not 296 finite numbers.
        """
        if not self._playing:
            raise gymnasium.error.ResetNeeded("no fit is going on: call reset() first")
        actions = checked_actions(np.asarray(action)[None], 1)
        reward, terminated, truncated = self.population.step(actions, _HERE)
        self._playing = not (terminated[0] or truncated[0])
        return (
            self.population.observation()[0],
            float(reward[0]),
            bool(terminated[0]),
            bool(truncated[0]),
            self._info(),
        )

    def render(self) -> Any:
        """Draw or write the fit as it is.

        Returns
        -------
        numpy.ndarray or str or None
            uint8 of shape (height, width, 3) for ``rgb_array``, text for ``ansi``.
        """
        if self.render_mode is None:
            warn_without_mode(self.metadata)
            return None
        if not self._begun:
            raise gymnasium.error.ResetNeeded("there is no fit to render: call reset() first")
        from . import rendering

        show = rendering.draw if self.render_mode == "rgb_array" else rendering.write
        return show(self.population, 0)

    def _info(self) -> Info:
        values = {name: value[0] for name, value in self.population.info().items()}
        return {
            name: value if isinstance(value, np.ndarray) else value.item()
            for name, value in values.items()
        }


def checked_actions(actions: NDArray[Any], fits: int) -> NDArray[Any]:
    """Refuse what is not a step for each fit.

    Raises
    ------
    gymnasium.error.InvalidAction
        If the shape is wrong or a number is not finite.
    """
    expected = (fits, PARAMETERS)
    if (
        actions.shape != expected
        or actions.dtype.kind not in "fiu"
        or not np.isfinite(actions).all()
    ):
        raise gymnasium.error.InvalidAction(
            f"actions must be finite numbers of shape {(PARAMETERS,) if fits == 1 else expected}"
        )
    return actions
