"""What a policy of the game is."""

from __future__ import annotations

import abc

import numpy as np
from numpy.typing import NDArray

from ....envs.vegas_sampling.game import STATISTICS
from ....envs.vegas_sampling.setup import Observation
from ...parameters import Parameterised

STATISTIC = {name: number for number, name in enumerate(STATISTICS)}
"""Name of a statistic to its number in the observation."""


class Policy(Parameterised, abc.ABC):
    """Something that plays the game for many integrands at a time.

    Attributes
    ----------
    name
        Identifier in lower case with hyphens.
    environment
        The game that it plays, ``"VegasSampling-v0"`` or ``"VegasGrid-v0"``.
    """

    environment = "VegasSampling-v0"

    def begin(self) -> None:
        """Prepare to play; a policy with random numbers starts them anew."""

    @abc.abstractmethod
    def act(self, observation: Observation) -> NDArray[np.float32]:
        """Choose actions.

        Parameters
        ----------
        observation
            Observations of n games: arrays as in the environment with a leading axis n.

        Returns
        -------
        numpy.ndarray
            float32, shape (n, 3), or (n, 514) for `VegasGrid-v0`: the actions.
        """

    def __str__(self) -> str:
        """Name and parameters."""
        values = [
            f"{name}={value:g}" if isinstance(value, float) else f"{name}={value}"
            for name, value in self.parameters.items()
        ]
        return f"{self.name}({', '.join(values)})" if values else self.name


def statistic(observation: Observation, name: str) -> NDArray[np.float64]:
    """Read one of the iteration statistics, float64, shape (n,)."""
    return observation["statistics"][:, STATISTIC[name]].astype(np.float64)


def iterations_played(observation: Observation) -> NDArray[np.int64]:
    """Count the iterations that each game has played, int64, shape (n,)."""
    return np.rint(np.exp2(statistic(observation, "iterations")) - 1.0).astype(np.int64)
