"""Any policy of the environment as a groomer, whichever library it comes from."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...envs.jet_grooming.observation import NODE, find_observation
from ..parameters import Parameters
from .base import NodeGroomer

Act = Callable[[NDArray[np.float32]], Any]
"""Maps observations, shape (n, state_dim) or (state_dim,), to actions, shape (n,) or ()."""


class PolicyGroomer(NodeGroomer):
    """A groomer that asks a policy about every node.

    The policy must be stateless: its action may depend on the current observation only.

    Parameters
    ----------
    policy
        A callable that maps observations to actions, or an object with
        ``predict(observation, deterministic=True) -> (action, state)`` as in Stable-Baselines3.
    vectorised
        True: the policy is called once, with float32 observations of shape (n, state_dim), and
        returns n actions. False: it is called for one observation of shape (state_dim,) at a time
        and returns one action.
    state_dim
        How many leading components of the observation the policy was trained on; all by default.
    name
        Identifier of the agent, as in submissions.
    parameters
        The agent's hyperparameters, as in submissions; an observation other than the default is
        added to them.
    observation
        What the policy was trained on, "node" or "context" as in the environment.

    Raises
    ------
    ValueError
        If the policy cannot be called in either way, or there is no such observation.
    """

    def __init__(
        self,
        policy: Any,
        *,
        vectorised: bool = True,
        state_dim: int | None = None,
        name: str = "policy",
        parameters: Mapping[str, float | int | str | None] | None = None,
        observation: str = NODE,
    ) -> None:
        self.observation = observation
        self.state_dim = find_observation(observation).components(state_dim)
        self.name = name
        self.symbol = name
        self.vectorised = vectorised
        self._act = _as_function(policy)
        shown = {} if observation == NODE else {"observation": observation}
        self._parameters: Parameters = {**shown, **(parameters or {})}

    @property
    def parameters(self) -> Parameters:
        """The agent's hyperparameters as given."""
        return dict(self._parameters)

    def decide(self, states: NDArray[np.float32]) -> ArrayLike:
        """Ask the policy about many nodes.

        Parameters
        ----------
        states
            float32, shape (n, components): observations of the nodes.

        Returns
        -------
        array_like
            What the policy returned, shape (n,).

        Raises
        ------
        ValueError
            If a policy that is asked about one node at a time does not return one action.
        """
        observations = np.ascontiguousarray(states[:, : self.state_dim])
        if self.vectorised:
            return np.asarray(self._act(observations))
        actions = [np.asarray(self._act(observation)) for observation in observations]
        for action in actions:
            if action.shape != ():
                raise ValueError(
                    f"the policy returned an array of shape {action.shape} for one observation: "
                    "it must return one action (or set vectorised=True)"
                )
        return np.array(actions)


def _as_function(policy: Any) -> Act:
    """Observations to actions, from either kind of policy."""
    predict = getattr(policy, "predict", None)
    if predict is None:
        if not callable(policy):
            raise ValueError(
                f"a {type(policy).__name__} is not a policy: give a callable that maps "
                "observations to actions, or an object with predict(observation, "
                "deterministic=True)"
            )
        act: Act = policy
        return act
    accepted = inspect.signature(predict).parameters
    if "deterministic" not in accepted and not any(
        p.kind is inspect.Parameter.VAR_KEYWORD for p in accepted.values()
    ):
        raise ValueError(
            f"predict of {type(policy).__name__} has no argument deterministic: wrap the policy "
            "in a function that maps observations to actions"
        )

    def act_deterministically(observation: NDArray[np.float32]) -> Any:
        answer = predict(observation, deterministic=True)
        if not isinstance(answer, tuple) or len(answer) != 2:
            raise ValueError(
                f"predict of {type(policy).__name__} returned a {type(answer).__name__}: it must "
                "return a pair (action, state)"
            )
        return answer[0]

    return act_deterministically
