"""How a board runs a model without knowing any agent.

The floor above gives the service the name of a module with the functions of `Runner`; a worker
imports it by that name.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, cast

from numpy.typing import NDArray

from ...manifest import Manifest
from ...tasks import Task


class Runner(Protocol):
    """What the module holds."""

    def how(self, task: Task, manifest: Manifest, attachments: Path) -> str | None:
        """Say how an entry can be run, without loading anything heavy: the caller forks.

        Parameters
        ----------
        task
            The task.
        manifest
            What the entry says about itself.
        attachments
            Folder with ``model.keras`` or ``model.onnx`` if one was handed in; it need not exist.

        Returns
        -------
        str or None
            "model.keras", "model.onnx" or "reference agent"; None if it cannot be run.
        """
        ...

    def run(
        self,
        task: Task,
        manifest: Manifest,
        attachments: Path,
        data: Mapping[str, Any],
        seed: int = 0,
    ) -> Mapping[str, NDArray[Any]]:
        """Run an entry's model or agent.

        Parameters
        ----------
        task, manifest, attachments
            As for `how`.
        data
            Role to data: the public test set, or fresh events.
        seed
            Seed of fresh events; 0 for the public test set. Agents whose random numbers are part
            of what is scored take others with another seed.

        Returns
        -------
        mapping
            Array name to predictions, of the kind that the entry handed in.

        Raises
        ------
        ValueError
            If the model cannot be run, with one sentence.
        """
        ...

    def comparable(
        self,
        task: Task,
        manifest: Manifest,
        predictions: Mapping[str, NDArray[Any]],
        data: Mapping[str, Any],
    ) -> Mapping[str, NDArray[Any]]:
        """Bring predictions into a form in which those that mean the same are the same.

        Parameters
        ----------
        task, manifest, data
            As for `run`.
        predictions
            Array name to predictions.

        Returns
        -------
        mapping
            Array name to predictions.
        """
        ...


def load_runner(name: str | None) -> Runner | None:
    """Import a runner by the name of its module; None for none."""
    return None if name is None else cast(Runner, importlib.import_module(name))
