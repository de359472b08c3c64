"""How actions are drawn while training."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .settings import DQNSettings

_CLIP = 500.0  # as in keras-rl2's BoltzmannQPolicy, so that exp cannot overflow


def explore(
    settings: DQNSettings, q: NDArray[np.float32], step: int, random: np.random.Generator
) -> NDArray[np.int64]:
    """Draw an action for each environment.

    Parameters
    ----------
    settings
        Policy and amount of exploration.
    q
        float32, shape (n, 2): Q values of keeping and removing.
    step
        Environment steps done so far.
    random
        Where the randomness comes from; each call draws 2 n numbers whatever the policy.

    Returns
    -------
    numpy.ndarray
        int64, shape (n,): 0 or 1.
    """
    draw, choice = random.random((2, len(q)))
    amount = settings.exploration_at(step)
    if settings.policy == "boltzmann":
        keep, remove = np.exp(np.clip(q.astype(np.float64) / amount, -_CLIP, _CLIP)).T
        return (draw * (keep + remove) >= keep).astype(np.int64)
    greedy = q[:, 1] > q[:, 0]
    return np.where(draw < amount, choice >= 0.5, greedy).astype(np.int64)
