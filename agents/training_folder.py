"""The folder of a training: its settings, log, checkpoint and summary, and who may go on there."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from .checkpoint import read_checkpoint, write_checkpoint

SETTINGS_FILE = "settings.json"
CHECKPOINT_FILE = "checkpoint.npz"
LOG_FILE = "log.jsonl"
SUMMARY_FILE = "summary.json"

_FORMAT = 1


def write_settings(folder: Path, agent: str, settings: Any) -> None:
    """Write the settings of a training, which have ``as_dict``, into its folder."""
    values = {"format": _FORMAT, "agent": agent, "settings": settings.as_dict()}
    (folder / SETTINGS_FILE).write_text(json.dumps(values, indent=2) + "\n")


def read_settings(folder: Path, known: Mapping[str, Callable[[dict[str, Any]], Any]]) -> Any:
    """Read the settings of a training from its folder.

    Parameters
    ----------
    folder
        The folder.
    known
        Name of an agent to what makes its settings of a dictionary.

    Raises
    ------
    ValueError
        If there are none, or they cannot be used.
    """
    file = folder / SETTINGS_FILE
    if not file.is_file():
        raise ValueError(f"{folder} is not the folder of a training: it has no {SETTINGS_FILE}")
    try:
        content = json.loads(file.read_text())
        if content["format"] != _FORMAT or content["agent"] not in known:
            raise ValueError("it is for another agent or version")
        return known[content["agent"]](content["settings"])
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{file} cannot be used: {error}") from None


def open_folder(folder: Path, settings: Any, read: Callable[[Path], Any], *, resume: bool) -> None:
    """See that a folder is for a training with these settings.

    Parameters
    ----------
    folder
        The folder, which need not be there.
    settings
        Settings of the training.
    read
        Reads settings from the folder.
    resume
        Whether to go on with what the folder holds; otherwise its training is removed.

    Raises
    ------
    ValueError
        If the folder holds a training with other settings.
    """
    if not resume:
        for name in (CHECKPOINT_FILE, SUMMARY_FILE, SETTINGS_FILE, LOG_FILE):
            (folder / name).unlink(missing_ok=True)
    if (folder / SETTINGS_FILE).exists() and read(folder) != settings:
        raise ValueError(
            f"{folder} holds a training with other settings: choose another folder, the same "
            "settings, or to start over"
        )


class StepTraining(ABC):
    """A training that goes on, step by step, where its folder says.

    A subclass builds its networks and ends its ``__init__`` with ``_take_up``.

    Parameters
    ----------
    folder
        The folder, opened with `open_folder`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._step = 0
        self._seconds = 0.0

    @abstractmethod
    def _state(self) -> dict[str, list[Any]]:
        """All variables of Keras that a checkpoint holds, of each part."""

    def _values(self) -> dict[str, Any]:
        """Give what else a checkpoint holds, in a form that JSON can hold."""
        return {"step": self._step, "seconds": self._seconds}

    def _take_values(self, values: dict[str, Any]) -> None:
        """Take back what ``_values`` gave."""
        self._step = values["step"]
        self._seconds = values["seconds"]

    def _take_up(self) -> None:
        """Go on from the folder's checkpoint, if there is one; a log without one is of no use."""
        log = self.folder / LOG_FILE
        if not (self.folder / CHECKPOINT_FILE).exists():
            log.unlink(missing_ok=True)
            return
        parts, values = read_checkpoint(self.folder / CHECKPOINT_FILE)
        for part, variables in self._state().items():
            for i, variable in enumerate(variables):
                variable.assign(parts[part][str(i)])
        self._take_values(values)
        if log.exists():
            rows = log.read_text().splitlines(keepends=True)
            log.write_text("".join(row for row in rows if json.loads(row)["step"] <= self._step))

    def _log(self, numbers: Mapping[str, float]) -> None:
        with (self.folder / LOG_FILE).open("a") as stream:
            row = {"step": self._step, "seconds": round(self._seconds, 2), **numbers}
            stream.write(json.dumps(row) + "\n")

    def _checkpoint(self) -> None:
        arrays = {
            part: {str(i): variable.numpy() for i, variable in enumerate(variables)}
            for part, variables in self._state().items()
        }
        write_checkpoint(self.folder / CHECKPOINT_FILE, arrays, self._values())

    def _summarise(self, images: int) -> None:
        """Write the summary of a finished training, which needs no checkpoint any more."""
        summary = {
            "steps": self._step,
            "seconds": round(self._seconds, 1),
            "images_per_second": round(images / self._seconds, 1),
        }
        (self.folder / SUMMARY_FILE).write_text(json.dumps(summary, indent=2) + "\n")
        (self.folder / CHECKPOINT_FILE).unlink(missing_ok=True)


def trainable_weights(networks: list[Any]) -> list[Any]:
    """All trainable weights of networks, one network after the other."""
    return [weight for network in networks for weight in network.trainable_variables]
