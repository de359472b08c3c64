"""Which of the DQN agent's settings keras-rl2 can follow."""

from __future__ import annotations

from typing import Any

from ..dqn.settings import DQNSettings, published_settings

_FIXED: dict[str, Any] = {
    "architecture": "dense",
    "standardise": False,
    "observation": "node",
    "optimiser": "adam",
    "final_learning_rate": None,
    "average": 0.0,
    "final_exploration": None,
    "num_envs": 1,
    "steps_per_update": 1,
}


def keras_rl_settings(task: str = "JetGrooming-v0", **changes: Any) -> DQNSettings:
    """Give the published hyperparameters of a task with the published schedule.

    One gradient step with 32 transitions follows each step of the one environment. `dqn.train`
    takes the same settings, for a comparison on equal terms.

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
        If the task or a setting is unknown, a value is out of range, or keras-rl2 cannot follow it.
    """
    settings = published_settings(task, **{"num_envs": 1, "steps_per_update": 1, **changes})
    check_settings(settings)
    return settings


def check_settings(settings: DQNSettings) -> None:
    """Refuse settings that keras-rl2 cannot follow.

    Raises
    ------
    ValueError
        With the first such setting and what it must be.
    """
    for name, value in _FIXED.items():
        if getattr(settings, name) != value:
            raise ValueError(
                f"{name} is {getattr(settings, name)!r} but must be {value!r}: the keras-rl2 "
                "agent has no other, use the native dqn agent for it"
            )
    # It draws each batch without replacement; its way out when memory is short needs NumPy 1.
    for name, least in (("warmup", settings.batch_size), ("replay", settings.batch_size + 2)):
        if getattr(settings, name) < least:
            raise ValueError(
                f"{name} is {getattr(settings, name)} but must be at least {least} for a "
                f"batch_size of {settings.batch_size}: keras-rl2 draws batches without replacement"
            )
