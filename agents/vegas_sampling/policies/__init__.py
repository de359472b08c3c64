"""Policies for the game of VEGAS, by name, and their evaluation."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

from .base import Policy
from .evaluation import Evaluation, Games, evaluate_policy
from .linear import LinearPolicy
from .network import NetworkPolicy
from .schedules import Geometric, Plain, Random, RandomGrid, Vegas, VegasOnGrid
from .wrapper import GymnasiumPolicy

__all__ = [
    "POLICIES",
    "Evaluation",
    "Games",
    "Geometric",
    "GymnasiumPolicy",
    "LinearPolicy",
    "NetworkPolicy",
    "Plain",
    "Policy",
    "Random",
    "RandomGrid",
    "Vegas",
    "VegasOnGrid",
    "evaluate_policy",
    "make_policy",
    "shipped",
]

SCHEDULES: dict[str, type[Policy]] = {
    policy.name: policy for policy in (Plain, Random, Vegas, Geometric, RandomGrid, VegasOnGrid)
}
"""Policies that know their plan beforehand, by name."""

TRAINED: dict[str, Callable[[Path], Policy]] = {
    "linear": LinearPolicy.load,
    "ppo": NetworkPolicy.load,
}
"""Trained policies that are shipped, by name, and what reads them."""

_FILES = {"linear": "linear.json", "ppo": "ppo.npz"}

POLICIES = (*SCHEDULES, *TRAINED)
"""Every policy that `make_policy` knows."""


def shipped(name: str) -> Path:
    """Path of the file of a trained policy that is shipped."""
    return Path(str(files(__package__) / "models" / _FILES[name]))


def make_policy(name: str, model: Path | None = None, **parameters: Any) -> Policy:
    """Make a policy from its name.

    Parameters
    ----------
    name
        One of `POLICIES`.
    model
        File of a trained policy; the shipped one by default.
    **parameters
        Parameters of a schedule; those left out take their defaults.

    Returns
    -------
    Policy

    Raises
    ------
    ValueError
        If there is no such policy or parameter, a value is out of range, or the file holds
        something else.
    OSError
        If the file cannot be read.
    """
    if name in TRAINED:
        if parameters:
            raise ValueError(
                f"policy {name} is trained: it has no parameter {next(iter(parameters))!r}"
            )
        return TRAINED[name](model or shipped(name))
    if name not in SCHEDULES:
        raise ValueError(f"there is no policy {name!r}; choose one of {', '.join(POLICIES)}")
    if model is not None:
        raise ValueError(f"policy {name} is a schedule: it has no model")
    known = [field.name for field in SCHEDULES[name].parameter_fields()]
    for parameter in parameters:
        if parameter not in known:
            choices = f"its parameters are {', '.join(known)}" if known else "it has none"
            raise ValueError(f"policy {name} has no parameter {parameter!r}; {choices}")
    return SCHEDULES[name](**parameters)
