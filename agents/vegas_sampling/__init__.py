"""Integrators and samplers on the unit hypercube, by name."""

from __future__ import annotations

from typing import Any

from ..parameters import make
from .base import Events, Integration, Iteration, Sampler
from .flow import FlowSampler
from .peers import Lepage, MadSpace, VegasFlow
from .steered import Steered
from .vegas import Plain, Vegas
from .vegas_plus import VegasPlus
from .vegas_tf import VegasTensorFlow

__all__ = [
    "SAMPLERS",
    "Events",
    "FlowSampler",
    "Integration",
    "Iteration",
    "Lepage",
    "MadSpace",
    "Plain",
    "Sampler",
    "Steered",
    "Vegas",
    "VegasFlow",
    "VegasPlus",
    "VegasTensorFlow",
    "make_sampler",
]

SAMPLERS: dict[str, type[Sampler]] = {
    sampler.name: sampler
    for sampler in (
        Plain,
        Vegas,
        VegasPlus,
        VegasTensorFlow,
        FlowSampler,
        Steered,
        Lepage,
        VegasFlow,
        MadSpace,
    )
}
"""Every sampler that `make_sampler` knows, by name."""


def make_sampler(name: str, **parameters: Any) -> Sampler:
    """Make a sampler from its name.

    Parameters
    ----------
    name
        A key of `SAMPLERS`.
    **parameters
        Its parameters; those left out take their defaults.

    Returns
    -------
    Sampler

    Raises
    ------
    ValueError
        If there is no such sampler or parameter, a value is out of range, or a package that the
        sampler needs is not installed.
    """
    return make("sampler", SAMPLERS, name, parameters)
