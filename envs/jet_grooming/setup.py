"""What the single and the vector environment have in common before the first step."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from os import PathLike
from typing import Any

import gymnasium
import numpy as np

from ...datasets import load_trees
from ...datasets.jets.trees import ClusteringTrees
from .game import GroomingGame, prepare
from .observation import NODE, find_observation
from .reward import GroomingReward

Source = str | PathLike[str] | ClusteringTrees


def observation_space(observation: str, state_dim: int | None) -> gymnasium.spaces.Box:
    """Box of the first ``state_dim`` components of an observation, all if None.

    Raises
    ------
    ValueError
        If there is no such observation or it has not so many components.
    """
    kind = find_observation(observation)
    shown = slice(kind.components(state_dim))
    return gymnasium.spaces.Box(
        kind.low[shown].astype(np.float32), kind.high[shown].astype(np.float32)
    )


def probability(p_bkg: float) -> float:
    """Check the probability of a background jet.

    Raises
    ------
    ValueError
        If it is not between 0 and 1.
    """
    if not 0.0 <= p_bkg <= 1.0:
        raise ValueError(f"p_bkg = {p_bkg!r} is not a probability between 0 and 1")
    return float(p_bkg)


def grooming_reward(reward: GroomingReward | Mapping[str, Any]) -> GroomingReward:
    """Reward parameters from a mapping, as it comes from JSON or a command line.

    Raises
    ------
    ValueError
        If a parameter is unknown or out of range.
    """
    if isinstance(reward, GroomingReward):
        return reward
    known = GroomingReward.__dataclass_fields__
    unknown = [name for name in reward if name not in known]
    if unknown:
        raise ValueError(f"reward has no parameter {unknown[0]!r}; it has {', '.join(known)}")
    return GroomingReward(**reward)


def load_game(
    signal: Source,
    background: Source,
    split: str,
    reward: GroomingReward,
    observation: str = NODE,
) -> GroomingGame:
    """Load and prepare the jets; the same request is answered from memory.

    Parameters
    ----------
    signal, background
        Dataset ids, paths of ROOT files (``file.root:tree``) or clustering trees.
    split
        Split of the datasets; files and trees are taken whole.
    reward
        Parameters of the reward.
    observation
        What the agent will see.

    Returns
    -------
    GroomingGame
    """
    if isinstance(signal, ClusteringTrees) or isinstance(background, ClusteringTrees):
        return prepare(_trees(signal, split), _trees(background, split), reward, observation)
    return _remembered_game(str(signal), str(background), split, reward, observation)


@functools.lru_cache(maxsize=4)
def _remembered_game(
    signal: str, background: str, split: str, reward: GroomingReward, observation: str
) -> GroomingGame:
    return prepare(_trees(signal, split), _trees(background, split), reward, observation)


def _trees(source: Source, split: str) -> ClusteringTrees:
    return source if isinstance(source, ClusteringTrees) else load_trees(source, split=split)
