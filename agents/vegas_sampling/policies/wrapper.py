"""Any policy of the environments, whichever library it comes from, as one that can be scored."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from gymnasium.spaces.utils import flatten
from numpy.typing import NDArray

from ....envs.registration import VEGAS_SAMPLING
from ....envs.vegas_sampling.setup import Observation, observation_space
from ...parameters import Parameters
from .base import Policy
from .features import features


def flat(observation: Observation) -> NDArray[np.float32]:
    """Observations as `gymnasium.wrappers.FlattenObservation` gives them, shape (n, 1048)."""
    space = observation_space()
    games = len(observation["axes"])
    rows = ({name: values[game] for name, values in observation.items()} for game in range(games))
    return np.stack([np.asarray(flatten(space, row)) for row in rows])


VIEWS: dict[str, Callable[[Observation], Any]] = {
    "dict": lambda observation: observation,
    "flat": flat,
    "features": features,
}
"""What a wrapped policy may be shown."""


class GymnasiumPolicy(Policy):
    """A policy of another library.

    Parameters
    ----------
    policy
        A callable that maps observations of n games to n actions, or an object with
        ``predict(observation, deterministic=True) -> (actions, state)`` as in Stable-Baselines3.
        It must not remember anything between calls.
    view
        What it looks at: ``"dict"``, the observation as it is; ``"flat"``, one vector; or
        ``"features"``, the 23 numbers of `features.features`.
    environment
        The game that it plays.
    name
        Identifier of the policy.
    parameters
        Its hyperparameters.

    Raises
    ------
    ValueError
        If it cannot be called, or there is no such view or game.
    """

    def __init__(
        self,
        policy: Any,
        *,
        view: str = "dict",
        environment: str = "VegasSampling-v0",
        name: str = "policy",
        parameters: Mapping[str, float | int | str | None] | None = None,
    ) -> None:
        if view not in VIEWS:
            raise ValueError(f"there is no view {view!r}; choose one of {', '.join(VIEWS)}")
        if environment not in VEGAS_SAMPLING:
            raise ValueError(
                f"{environment!r} is no game of VEGAS; choose one of {', '.join(VEGAS_SAMPLING)}"
            )
        if not (callable(getattr(policy, "predict", None)) or callable(policy)):
            raise ValueError("the policy is neither callable nor has it a method predict")
        self.name = name
        self.environment = environment
        self._policy = policy
        self._view = VIEWS[view]
        self._parameters = dict(parameters or {})

    @property
    def parameters(self) -> Parameters:
        """The policy's hyperparameters."""
        return self._parameters

    def act(self, observation: Observation) -> NDArray[np.float32]:
        """Ask the policy."""
        seen = self._view(observation)
        predict = getattr(self._policy, "predict", None)
        answer = predict(seen, deterministic=True)[0] if callable(predict) else self._policy(seen)
        return np.asarray(answer, np.float32)
