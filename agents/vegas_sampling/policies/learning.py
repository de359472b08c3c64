"""Policies that learn, by name: their settings, their training with a progress bar."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from .base import Policy
from .cross_entropy import SearchSettings, search
from .grid_training import GridTrainingSettings
from .grid_training import train as train_grid
from .ppo import TrainingSettings, train


@dataclass(frozen=True)
class Learner:
    """How a policy is trained.

    Attributes
    ----------
    settings
        Dataclass of the settings.
    learn
        Function of settings, folder and progress that returns the policy; it goes on with what
        the folder holds.
    unit
        What the progress counts: the name of the setting with its total.
    files
        What a training leaves in its folder, the policy first.
    summary
        One line on what it does.
    """

    settings: Callable[..., Any]
    learn: Callable[..., Policy]
    unit: str
    files: tuple[str, ...]
    summary: str

    def defaults(self) -> dict[str, Any]:
        """Name and default of each setting."""
        every: Any = dataclasses.fields(self.settings)  # type: ignore[arg-type]
        return {field.name: field.default for field in every}


LEARNERS = {
    "linear": Learner(
        SearchSettings,
        search,
        "generations",
        ("linear.json", "search.json", "log.jsonl"),
        "actions linear in ten features, found by the cross-entropy method",
    ),
    "ppo": Learner(
        TrainingSettings,
        train,
        "steps",
        ("ppo.npz", "training.json", "checkpoint.pt", "log.jsonl"),
        "network from features to actions, trained by PPO (needs Stable-Baselines3)",
    ),
    "grid-network": Learner(
        GridTrainingSettings,
        train_grid,
        "rounds",
        ("grid-network.npz", "grid-training.json", "round.npz", "log.jsonl"),
        "convolutional network that makes whole grids, for VegasGrid-v0",
    ),
}
"""Every policy that can be trained, by name."""


def learn(name: str, folder: Path, changes: Mapping[str, Any], *, resume: bool = True) -> Policy:
    """Train a policy and show how it goes.

    Parameters
    ----------
    name
        A key of `LEARNERS`.
    folder
        Folder of the training; one with the same settings that it holds is continued.
    changes
        Settings that differ from the defaults.
    resume
        Whether to go on with what the folder holds; it is deleted otherwise.

    Returns
    -------
    Policy

    Raises
    ------
    ValueError
        If there is no such policy or setting, a value is out of range, or the folder holds a
        training with other settings.
    ImportError
        If a package is missing that the training needs.
    """
    if name not in LEARNERS:
        raise ValueError(f"no policy {name!r} learns; choose one of {', '.join(LEARNERS)}")
    learner = LEARNERS[name]
    known = learner.defaults()
    for setting, value in changes.items():
        if setting not in known:
            raise ValueError(f"{name} has no setting {setting!r}; it has {', '.join(known)}")
        wanted = type(known[setting])
        if type(value) is bool or not isinstance(value, (int, float) if wanted is float else int):
            raise ValueError(f"{name}: {setting} is {value!r} but must be {_KINDS[wanted]}")
    settings = learner.settings(**changes)
    if not resume:
        for file in learner.files:
            (folder / file).unlink(missing_ok=True)
    total = getattr(settings, learner.unit)
    with Progress(
        TextColumn(learner.unit),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TextColumn("{task.fields[numbers]}"),
        TimeRemainingColumn(),
    ) as bars:
        bar = bars.add_task(learner.unit, total=total, numbers="")

        def show(done: int, numbers: dict[str, float]) -> None:
            words = "  ".join(f"{n} {numbers[n]:.3f}" for n in _SHOWN if n in numbers)
            bars.update(bar, completed=min(done, total), numbers=words)

        return learner.learn(settings, folder, progress=show)


_KINDS = {int: "an integer", float: "a number"}
_SHOWN = ("mean_difference", "elite_difference", "score", "validation_difference")
