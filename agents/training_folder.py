"""The folder of a training: its settings, and whether a training may begin or go on there."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

SETTINGS_FILE = "settings.json"

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


def open_folder(
    folder: Path,
    settings: Any,
    read: Callable[[Path], Any],
    *,
    resume: bool,
    files: Sequence[str],
) -> None:
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
        Whether to go on with what the folder holds; otherwise it is removed.
    files
        What to remove besides the settings.

    Raises
    ------
    ValueError
        If the folder holds a training with other settings.
    """
    if not resume:
        for name in (*files, SETTINGS_FILE):
            (folder / name).unlink(missing_ok=True)
    if (folder / SETTINGS_FILE).exists() and read(folder) != settings:
        raise ValueError(
            f"{folder} holds a training with other settings: choose another folder, the same "
            "settings, or to start over"
        )
