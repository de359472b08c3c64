"""The trained agent: grooms whole samples, and lives in a folder."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from ....backend import keras
from ..base import NodeGroomer
from .learner import BATCH, compiled
from .network import NetworkSettings

NETWORK_FILE = "model.keras"
SETTINGS_FILE = "settings.json"

FORMAT = 1


class GroomerSettings(NetworkSettings, Protocol):
    """What a training needs to know: `DQNSettings`, or those of another agent."""

    @property
    def task(self) -> str:
        """Task id."""

    @property
    def observation(self) -> str:
        """What is seen of a node."""

    @property
    def steps(self) -> int:
        """Length of the training."""

    @property
    def validate_every(self) -> int:
        """Steps between validations."""

    @property
    def checkpoint_every(self) -> int:
        """Steps between checkpoints."""

    def as_dict(self) -> dict[str, Any]:
        """Return all settings as JSON holds them."""

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Any:
        """Take back what `as_dict` gave."""


class TrainedGroomer(NodeGroomer):
    """A groomer that removes a branch where its network values that higher.

    Parameters
    ----------
    network
        Keras model: float32 observations (n, components) to two values (n, 2), of keeping and of
        removing the softer branch.
    settings
        How it was made.
    """

    settings_type: ClassVar[type[GroomerSettings]]

    def __init__(self, network: Any, settings: Any) -> None:
        self.network = network
        self.settings = settings
        self.observation = settings.observation

    @functools.cached_property
    def _compiled(self) -> Any:
        return compiled(self.network)

    def values(self, states: NDArray[np.float32]) -> NDArray[np.float32]:
        """Values at many nodes.

        Parameters
        ----------
        states
            float32, shape (n, components): observations of the nodes.

        Returns
        -------
        numpy.ndarray
            float32, shape (n, 2): values of keeping and of removing the softer branch.
        """
        seen = np.ascontiguousarray(states[:, : self.settings.components], np.float32)
        out = np.empty((len(seen), 2), np.float32)
        for first in range(0, len(seen), BATCH):
            out[first : first + BATCH] = self._compiled(seen[first : first + BATCH])
        return out

    def decide(self, states: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Take the action with the higher value at many nodes; equal values keep.

        Parameters
        ----------
        states
            float32, shape (n, components): observations of the nodes.

        Returns
        -------
        numpy.ndarray
            uint8, shape (n,): 1 removes the softer branch, 0 keeps it.
        """
        keep, remove = self.values(states).T
        return (remove > keep).astype(np.uint8)

    def save(self, folder: Path) -> None:
        """Write network and settings into a folder, which is made if needed."""
        folder.mkdir(parents=True, exist_ok=True)
        write_settings(folder, self.settings, self.name)
        self.network.save(folder / NETWORK_FILE)

    @classmethod
    def load(cls, folder: Path, network: str = NETWORK_FILE) -> Self:
        """Read a groomer from a folder, without running any code found there.

        Parameters
        ----------
        folder
            The folder of a training or of an imported model.
        network
            File name of the network, for example "last.keras" for the last weights instead of
            the best.

        Returns
        -------
        TrainedGroomer
            Of the class whose method this is.

        Raises
        ------
        ValueError
            If the folder does not hold such a model.
        """
        settings = read_settings(folder, cls)
        file = folder / network
        if not file.is_file():
            raise ValueError(f"{folder} has no file {network}: the training has not validated yet")
        model = keras().saving.load_model(file, compile=False, safe_mode=True)
        if model.input_shape != (None, settings.components) or model.output_shape != (None, 2):
            raise ValueError(
                f"{file} maps {model.input_shape} to {model.output_shape} but {SETTINGS_FILE} "
                f"wants (None, {settings.components}) to (None, 2): the two files do not belong "
                "together"
            )
        return cls(model, settings)


def write_settings(folder: Path, settings: GroomerSettings, agent: str) -> None:
    """Write the settings of a training into its folder."""
    values = {"format": FORMAT, "agent": agent, "settings": settings.as_dict()}
    (folder / SETTINGS_FILE).write_text(json.dumps(values, indent=2) + "\n")


def read_agent(folder: Path) -> str:
    """Read the name of the agent that a folder holds.

    Raises
    ------
    ValueError
        If the folder says none.
    """
    file = folder / SETTINGS_FILE
    try:
        agent = json.loads(file.read_text())["agent"]
    except (OSError, KeyError, TypeError, ValueError):
        raise ValueError(
            f"{folder} is not the folder of a trained agent: it has no {SETTINGS_FILE} that names "
            "one"
        ) from None
    return str(agent)


def read_settings(folder: Path, kind: type[TrainedGroomer]) -> Any:
    """Read the settings of a training from its folder.

    Raises
    ------
    ValueError
        If there are none, or they cannot be used.
    """
    file = folder / SETTINGS_FILE
    if not file.is_file():
        raise ValueError(
            f"{folder} is not the folder of a trained {kind.name} agent: it has no {SETTINGS_FILE}"
        )
    try:
        values = json.loads(file.read_text())
        if values["agent"] != kind.name or values["format"] != FORMAT:
            raise ValueError(
                f"agent {values['agent']!r} in format {values['format']!r}, not "
                f"{kind.name!r} in format {FORMAT}"
            )
        return kind.settings_type.from_dict(values["settings"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{file} cannot be used: {error}") from None


def differing_settings(one: GroomerSettings, other: GroomerSettings) -> list[str]:
    """Names of the settings in which two differ."""
    ours, theirs = one.as_dict(), other.as_dict()
    return [name for name in ours if ours[name] != theirs[name]]
