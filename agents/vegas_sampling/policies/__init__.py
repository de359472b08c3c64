"""Policies for the game of VEGAS, by name, and their evaluation."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

from ...parameters import make
from .base import Policy
from .evaluation import Evaluation, Games, evaluate_policy
from .grid_network import GridNetworkPolicy
from .linear import LinearPolicy
from .network import NetworkPolicy
from .schedules import Geometric, Plain, Random, RandomGrid, Vegas, VegasOnGrid
from .wrapper import GymnasiumPolicy

__all__ = [
    "POLICIES",
    "Evaluation",
    "Games",
    "Geometric",
    "GridNetworkPolicy",
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
    "load_policy",
    "make_policy",
    "parse_policy",
    "policy_file",
    "shipped",
]

SCHEDULES: dict[str, type[Policy]] = {
    policy.name: policy for policy in (Plain, Random, Vegas, Geometric, RandomGrid, VegasOnGrid)
}
"""Policies that know their plan beforehand, by name."""

TRAINED: dict[str, Callable[[Path], Policy]] = {
    "linear": LinearPolicy.load,
    "ppo": NetworkPolicy.load,
    "grid-network": GridNetworkPolicy.load,
}
"""Trained policies that are shipped, by name, and what reads them."""

_FILES = {"linear": "linear.json", "ppo": "ppo.npz", "grid-network": "grid-network.npz"}

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
    return make("policy", SCHEDULES, name, parameters)


def policy_file(path: Path) -> Path:
    """Find the file of a trained policy.

    Parameters
    ----------
    path
        The file, or the folder of a training.

    Raises
    ------
    ValueError
        If the folder holds no policy, or several.
    """
    if not path.is_dir():
        return path
    found = [path / file for file in _FILES.values() if (path / file).exists()]
    if len(found) != 1:
        raise ValueError(f"{path} must hold one of {', '.join(_FILES.values())}")
    return found[0]


def load_policy(path: Path) -> Policy:
    """Read a trained policy, of whichever kind the file holds.

    Parameters
    ----------
    path
        A file that ``save`` of a policy, or a training, has written; or the folder of a training.

    Returns
    -------
    Policy

    Raises
    ------
    ValueError
        If the file or folder holds no policy.
    OSError
        If it cannot be read.
    """
    path = policy_file(path)
    if path.suffix == ".json":
        return LinearPolicy.load(path)
    try:
        return GridNetworkPolicy.load(path)
    except ValueError:
        return NetworkPolicy.load(path)


def parse_policy(word: str) -> Policy:
    """Make a policy from one word, as on a command line.

    Parameters
    ----------
    word
        One of `POLICIES`; ``vegas:alpha=0.5,iterations=20`` sets parameters; or the file of a
        trained policy, ``.json`` or ``.npz``.

    Returns
    -------
    Policy

    Raises
    ------
    ValueError
        As for `make_policy`, or if a parameter is not of the form NAME=NUMBER.
    OSError
        If a file cannot be read.
    """
    if word.endswith((".json", ".npz")):
        return load_policy(Path(word))
    name, _, rest = word.partition(":")
    parameters: dict[str, Any] = {}
    for part in rest.split(",") if rest else []:
        key, equals, value = part.partition("=")
        try:
            parameters[key] = int(value) if value.lstrip("-").isdigit() else float(value)
        except ValueError:
            equals = ""
        if not equals:
            raise ValueError(f"{part!r} in {word!r} must be PARAMETER=NUMBER")
    return make_policy(name, None, **parameters)
