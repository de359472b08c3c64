"""The agents that learn, by name: what they are, their models, how to train them.

Importing this module is light; TensorFlow is loaded by the functions that need it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .dqn.groomer import DQNGroomer
from .networks.groomer import TrainedGroomer, read_agent
from .networks.reference import reference_models

__all__ = [
    "PRESETS",
    "TRAINED",
    "best_model",
    "load_groomer",
    "load_model",
    "reference_models",
    "train",
]

TRAINED: dict[str, str] = {
    "dqn": "Deep Q-learning; --model FOLDER of a training.",
    "policy-gradient": "Policy gradient on the final mass; --model FOLDER of a training.",
}
"""Name of each agent that learns, and one line about it."""

PRESETS: dict[str, tuple[str, ...]] = {
    "dqn": ("reference", "published"),
    "policy-gradient": ("reference",),
}
"""Names of the settings that a training of each agent can start from, the default first."""


def load_groomer(agent: str, folder: Path) -> TrainedGroomer:
    """Load a trained agent from its folder, without running any code found there.

    Raises
    ------
    ValueError
        If there is no such agent or the folder does not hold one.
    """
    _check(agent)
    if agent == "dqn":
        return DQNGroomer.load(folder)
    from .policy_gradient import PolicyGradientGroomer

    return PolicyGradientGroomer.load(folder)


def load_model(folder: Path) -> TrainedGroomer:
    """Load a trained agent, whichever it is, from its folder.

    Raises
    ------
    ValueError
        If the folder does not hold a trained agent.
    """
    return load_groomer(read_agent(folder), folder)


def best_model(task: str, agent: str) -> Path:
    """Folder of the best model of an agent that comes with the package.

    Raises
    ------
    ValueError
        If none does.
    """
    folders = reference_models(task, agent)
    if not folders:
        raise ValueError(
            f"no trained {agent} for {task} comes with hepgym: train one and give its folder "
            "with --model"
        )
    return folders[0]


def train(
    task: str,
    agent: str,
    folder: Path,
    changes: Mapping[str, Any],
    *,
    preset: str = "reference",
    resume: bool = True,
    progress: bool = True,
) -> TrainedGroomer:
    """Train an agent from named settings; what the command ``hepgym train`` does.

    Parameters
    ----------
    task
        Task id.
    agent
        A key of `TRAINED`.
    folder
        Folder of the training.
    changes
        Settings that differ from the preset's.
    preset
        One of the agent's `PRESETS`.
    resume
        Whether to go on with what the folder holds.
    progress
        Whether to show a live line.

    Returns
    -------
    TrainedGroomer
        With the best weights on the validation jets.

    Raises
    ------
    ValueError
        If the agent, the preset or a setting is unknown or out of range, or the folder holds
        another training.
    KeyboardInterrupt
        After Ctrl-C, once the checkpoint is written.
    """
    _check(agent)
    if preset not in PRESETS[agent]:
        raise ValueError(
            f"{agent} has no preset {preset!r}; choose one of {', '.join(PRESETS[agent])}"
        )
    if agent == "dqn":
        from . import dqn

        make = dqn.reference_settings if preset == "reference" else dqn.published_settings
        return dqn.train(make(task, **changes), folder, resume=resume, progress=progress)
    from . import policy_gradient

    settings = policy_gradient.reference_settings(task, **changes)
    return policy_gradient.train(settings, folder, resume=resume, progress=progress)


def _check(agent: str) -> None:
    if agent not in TRAINED:
        raise ValueError(f"no agent {agent!r} learns; choose one of {', '.join(TRAINED)}")
