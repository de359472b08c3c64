"""The two baselines that know nothing: no grooming and random grooming."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...envs.jet_grooming.grooming import KEEP
from ..parameters import Allowed, parameter
from .base import ClassicalGroomer, NodeGroomer

_P = Allowed("0 <= p <= 1", lambda value: 0.0 <= value <= 1.0)
_SEED = Allowed("seed >= 0", lambda value: value >= 0, whole=True)


@dataclass(frozen=True)
class Plain(ClassicalGroomer, NodeGroomer):
    """No grooming: every branch is kept."""

    name = "plain"
    symbol = "plain"

    def decide(self, states: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Keep everything.

        Parameters
        ----------
        states
            float32, shape (n, 5): node states.

        Returns
        -------
        numpy.ndarray
            uint8, shape (n,): zeros.
        """
        return np.full(len(states), KEEP, np.uint8)


@dataclass(frozen=True)
class Random(ClassicalGroomer, NodeGroomer):
    """Remove the softer branch of each node with a fixed probability.

    Parameters
    ----------
    p
        Probability of a removal, between 0 and 1.
    seed
        Seed of the random numbers.
    """

    name = "random"
    symbol = "random"

    p: float = parameter(0.5, _P)
    seed: int = parameter(0, _SEED)

    def decide(self, states: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Draw a decision for each node.

        Every call starts from the seed again: the same sample is always groomed alike.

        Parameters
        ----------
        states
            float32, shape (n, 5): node states, of which only the number matters.

        Returns
        -------
        numpy.ndarray
            uint8, shape (n,): 1 with probability p.
        """
        draw = np.random.default_rng(self.seed).random(len(states))
        return (draw < self.p).astype(np.uint8)
