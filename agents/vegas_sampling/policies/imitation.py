"""What learning starts from: how a good schedule acts, also where it would not have gone itself."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ....envs.vegas_sampling.vector_env import VegasSamplingVectorEnv
from .features import features
from .schedules import Geometric

TEACHER = Geometric()
"""The schedule that is imitated."""

GAMES, STEPS = 256, 60


def demonstrations(
    seed: int, budget: int, straying: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Play games on the training split and note what the schedule would do.

    Parameters
    ----------
    seed
        Non-negative integer.
    budget
        Calls of the integrand in a game.
    straying
        Standard deviation of what is added to the schedule's actions before they are played.

    Returns
    -------
    tuple of numpy.ndarray
        Features, float32 (n, features), and actions, float32 (n, 3). The action to keep is
        halved: that is clear enough and leaves room to change one's mind.
    """
    envs = VegasSamplingVectorEnv(GAMES, "SameStep", budget=budget)
    observation, _ = envs.reset(seed=seed)
    random = np.random.default_rng(seed)
    seen, wanted = [], []
    for _ in range(STEPS):
        action = TEACHER.act(observation)
        seen.append(features(observation))
        wanted.append(action * np.array([1.0, 1.0, 0.5], np.float32))
        strayed = action + random.normal(0.0, straying, action.shape)
        observation = envs.step(np.clip(strayed, -1.0, 1.0))[0]
    return np.concatenate(seen), np.concatenate(wanted)
