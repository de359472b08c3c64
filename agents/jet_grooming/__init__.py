"""Groomers: the classical ones by name, and a wrapper for any policy of the environment."""

from __future__ import annotations

from typing import Any

from ..parameters import make
from .base import (
    ClassicalGroomer,
    GroomedJets,
    Groomer,
    NodeGroomer,
    NodePolicy,
    canonical_decisions,
    node_decisions,
)
from .dynamical import DynamicalGrooming
from .policy import PolicyGroomer
from .random_policy import Plain, Random
from .reclustering import Pruning, Trimming
from .soft_drop import ModifiedMassDrop, RecursiveSoftDrop, SoftDrop

__all__ = [
    "GROOMERS",
    "ClassicalGroomer",
    "DynamicalGrooming",
    "GroomedJets",
    "Groomer",
    "ModifiedMassDrop",
    "NodeGroomer",
    "NodePolicy",
    "Plain",
    "PolicyGroomer",
    "Pruning",
    "Random",
    "RecursiveSoftDrop",
    "SoftDrop",
    "Trimming",
    "canonical_decisions",
    "make_groomer",
    "node_decisions",
]

GROOMERS: dict[str, type[ClassicalGroomer]] = {
    groomer.name: groomer
    for groomer in (
        Plain,
        Random,
        ModifiedMassDrop,
        SoftDrop,
        RecursiveSoftDrop,
        DynamicalGrooming,
        Trimming,
        Pruning,
    )
}
"""Every groomer that `make_groomer` knows, by name."""


def make_groomer(name: str, **parameters: Any) -> ClassicalGroomer:
    """Make a groomer from its name.

    Parameters
    ----------
    name
        A key of `GROOMERS`.
    **parameters
        Its parameters; those left out take their defaults.

    Returns
    -------
    ClassicalGroomer

    Raises
    ------
    ValueError
        If there is no such groomer or parameter, or a value is out of range.
    """
    return make("groomer", GROOMERS, name, parameters)
