"""Hyperparameters of a training, the published ones as defaults."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from ....envs.jet_grooming.observation import NODE, find_observation
from ....envs.jet_grooming.reward import W_REWARD, GroomingReward
from ....envs.jet_grooming.setup import grooming_reward
from ....envs.registration import JET_GROOMING

Architecture = Literal["dense", "lstm"]
Policy = Literal["boltzmann", "epsilon"]
Optimiser = Literal["adam", "nadam", "adamax", "adagrad", "adadelta", "rmsprop", "sgd"]

_CHOICES: dict[str, tuple[str, ...]] = {
    "architecture": get_args(Architecture),
    "policy": get_args(Policy),
    "optimiser": get_args(Optimiser),
}

_Condition = tuple[str, Callable[[Any], bool]]
_POSITIVE: _Condition = ("more than 0", lambda x: x > 0)
_NOT_NEGATIVE: _Condition = ("at least 0", lambda x: x >= 0)
_PROBABILITY: _Condition = ("from 0 to 1", lambda x: 0 <= x <= 1)
_BELOW_ONE: _Condition = ("at least 0 and less than 1", lambda x: 0 <= x < 1)
_WEIGHT: _Condition = ("more than 0 and at most 1", lambda x: 0 < x <= 1)

_WHOLE: dict[str, _Condition] = {
    "layers": _POSITIVE,
    "units": _POSITIVE,
    "steps": _POSITIVE,
    "warmup": _NOT_NEGATIVE,
    "replay": _POSITIVE,
    "num_envs": _POSITIVE,
    "batch_size": _POSITIVE,
    "steps_per_update": _POSITIVE,
    "exploration_steps": _NOT_NEGATIVE,
    "validate_every": _POSITIVE,
    "checkpoint_every": _POSITIVE,
    "seed": ("from 0 to 2^32 - 1", lambda x: 0 <= x < 2**32),
}
_REAL: dict[str, _Condition] = {
    "dropout": _BELOW_ONE,
    "learning_rate": _POSITIVE,
    "final_learning_rate": _NOT_NEGATIVE,
    "target_update": _WEIGHT,
    "average": _BELOW_ONE,
    "gamma": _PROBABILITY,
    "p_bkg": _PROBABILITY,
    "exploration": _NOT_NEGATIVE,
    "final_exploration": _NOT_NEGATIVE,
}
_SWITCHES = ("dueling", "double", "standardise")
_OPTIONAL = ("final_learning_rate", "final_exploration")


@dataclass(frozen=True)
class DQNSettings:
    """Everything that decides the outcome of a training, besides the jets.

    The defaults are the published values for W jets, except that several environments are played
    at once: the published training makes one gradient step with 32 transitions for each step of
    one environment, this one as many gradient steps between the steps of ``num_envs``
    environments.

    Attributes
    ----------
    task
        Task id: gives the jets and, for validation, the target mass of the score.
    architecture
        "dense", or "lstm": LSTM layers that see one node, as published (window length 1).
    layers, units
        Number of hidden layers and units in each.
    dropout
        Fraction of the last hidden layer's units dropped while training.
    dueling, double
        Dueling network (mean over actions) and double Q-learning.
    standardise
        Whether the network subtracts the mean of each state component over the training jets'
        nodes and divides by its standard deviation. Published: no.
    state_dim
        Number of leading components of the observation that the network sees: 2 to 5 of "node", 6
        to 31 of "context". None, the default, stands for all.
    reward
        The reward; a mapping with some of its parameters is accepted.
    p_bkg
        Probability that an episode plays a background jet.
    gamma
        Discount for each node.
    optimiser, learning_rate
        Keras optimiser and its learning rate.
    final_learning_rate
        If given, the learning rate falls to it along half a cosine.
    target_update
        Part of the way that the target network moves towards the online network after each
        gradient step.
    average
        Decay, for each gradient step, of the running average of the weights that is validated
        and saved; 0 takes the weights themselves. Published: 0.
    policy
        "boltzmann" or "epsilon".
    exploration
        Temperature (in units of Q) of the Boltzmann policy; probability of a random action of the
        epsilon-greedy one. Published: 1 (Boltzmann).
    final_exploration, exploration_steps
        If given, exploration moves linearly to the final value during so many steps.
    steps
        Environment steps, all environments together; rounded up to whole vector steps.
    warmup
        Environment steps before the first gradient step.
    replay
        Transitions kept in the replay memory.
    num_envs
        Environments played at once.
    batch_size
        Transitions in one gradient step.
    steps_per_update
        Environment steps for each gradient step.
    validate_every, checkpoint_every
        Environment steps between validations, and between checkpoints.
    seed
        Seed of all random numbers.
    observation
        What the network sees, "node" (published) or "context" as in the environment.

    Raises
    ------
    ValueError
        If a value is of the wrong type or out of range.
    """

    task: str = "JetGrooming-v0"
    architecture: Architecture = "dense"
    layers: int = 10
    units: int = 100
    dropout: float = 0.05
    dueling: bool = True
    double: bool = False
    standardise: bool = False
    state_dim: int | None = None
    reward: GroomingReward = W_REWARD
    p_bkg: float = 0.483
    gamma: float = 0.99
    optimiser: Optimiser = "adam"
    learning_rate: float = 1.147e-4
    final_learning_rate: float | None = None
    target_update: float = 1e-2
    average: float = 0.0
    policy: Policy = "boltzmann"
    exploration: float = 1.0
    final_exploration: float | None = None
    exploration_steps: int = 0
    steps: int = 500_000
    warmup: int = 500
    replay: int = 500_000
    num_envs: int = 50
    batch_size: int = 32
    steps_per_update: int = 1
    validate_every: int = 25_000
    checkpoint_every: int = 50_000
    seed: int = 0
    observation: str = NODE

    def __post_init__(self) -> None:
        if self.task not in JET_GROOMING:
            raise ValueError(f"task is {self.task!r} but must be one of {', '.join(JET_GROOMING)}")
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                raise ValueError(
                    f"{name} is {getattr(self, name)!r} but must be one of {', '.join(choices)}"
                )
        for name in _SWITCHES:
            if not isinstance(getattr(self, name), bool):
                raise ValueError(f"{name} is {getattr(self, name)!r} but must be true or false")
        for kind, conditions in ((int, _WHOLE), (float, _REAL)):
            for name, (words, holds) in conditions.items():
                self._check_number(name, kind, words, holds)
        object.__setattr__(self, "reward", grooming_reward(self.reward))
        components = find_observation(self.observation).components(self.state_dim)
        object.__setattr__(self, "state_dim", components)
        if self.num_envs % self.steps_per_update:
            raise ValueError(
                f"num_envs is {self.num_envs} but must be a multiple of steps_per_update "
                f"({self.steps_per_update}), so that each vector step is followed by whole "
                "gradient steps"
            )
        if self.replay < self.num_envs:
            raise ValueError(
                f"replay is {self.replay} but must be at least num_envs ({self.num_envs})"
            )
        for value in (self.exploration, self.final_exploration):
            if self.policy == "epsilon" and value is not None and value > 1:
                raise ValueError(f"exploration of the policy epsilon is {value} but at most 1")
            if self.policy == "boltzmann" and value == 0:
                raise ValueError(
                    "exploration of the policy boltzmann, a temperature, is 0 but must be more"
                )

    def _check_number(
        self, name: str, kind: type[int] | type[float], words: str, holds: Callable[[Any], bool]
    ) -> None:
        value = getattr(self, name)
        if value is None and name in _OPTIONAL:
            return
        number = type(value) is int or (kind is float and type(value) is float)
        if not number or not math.isfinite(value) or not holds(value):
            what = "an integer" if kind is int else "a number"
            raise ValueError(f"{name} is {value!r} but must be {what} {words}")
        object.__setattr__(self, name, kind(value))

    @property
    def components(self) -> int:
        """Number of components that the network sees."""
        return find_observation(self.observation).components(self.state_dim)

    @property
    def updates_per_vector_step(self) -> int:
        """Gradient steps after each step of the vector environment."""
        return self.num_envs // self.steps_per_update

    def exploration_at(self, step: int) -> float:
        """Temperature or probability of a random action after so many environment steps."""
        if self.final_exploration is None:
            return self.exploration
        done = min(1.0, step / self.exploration_steps) if self.exploration_steps else 1.0
        return self.exploration + done * (self.final_exploration - self.exploration)

    def as_dict(self) -> dict[str, Any]:
        """Values in a form that JSON can hold; `from_dict` reads it."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> DQNSettings:
        """Make settings from a mapping, as it comes from JSON or a command line.

        Parameters
        ----------
        values
            Names and values; those left out take their defaults.

        Returns
        -------
        DQNSettings

        Raises
        ------
        ValueError
            If a name is unknown or a value is out of range.
        """
        known = cls.__dataclass_fields__
        for name in values:
            if name not in known:
                raise ValueError(
                    f"dqn has no setting {name!r}; its settings are {', '.join(known)}"
                )
        return cls(**values)


def published_settings(task: str = "JetGrooming-v0", **changes: Any) -> DQNSettings:
    """Give the published hyperparameters of a task, with the reward and p_bkg of its environment.

    Parameters
    ----------
    task
        Task id, for example "JetGroomingTop-v0".
    **changes
        Settings that differ.

    Returns
    -------
    DQNSettings

    Raises
    ------
    ValueError
        If the task or a setting is unknown, or a value is out of range.
    """
    own = JET_GROOMING[task].get("kwargs", {}) if task in JET_GROOMING else {}
    values = {name: own[name] for name in ("reward", "p_bkg") if name in own}
    return DQNSettings.from_dict({**values, "task": task, **changes})
