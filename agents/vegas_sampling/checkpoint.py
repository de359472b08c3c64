"""State of an integration on disk, so that it can go on after an interrupt."""

from __future__ import annotations

import dataclasses
import json
import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .base import Iteration

_COLUMNS = [field.name for field in dataclasses.fields(Iteration)]


@dataclass(frozen=True)
class Checkpoint:
    """A file with the state after the last finished iteration.

    Attributes
    ----------
    path
        The file, NPZ.
    identity
        What fixes the integration: sampler, parameters, integrand, calls, seed.
    """

    path: Path
    identity: Mapping[str, Any]

    def exists(self) -> bool:
        """Whether there is something to go on from."""
        return self.path.exists()

    def read(self) -> tuple[dict[str, NDArray[Any]], list[Iteration], float, float]:
        """Read the state.

        Returns
        -------
        state, iterations, seconds, evaluating

        Raises
        ------
        ValueError
            If the file is not a checkpoint or belongs to another integration.
        """
        try:
            with np.load(self.path, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            identity = json.loads(str(arrays.pop("identity")))
            table = arrays.pop("iterations")
            seconds, evaluating = arrays.pop("seconds").tolist()
        except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
            raise ValueError(
                f"{self.path} is not a checkpoint of an integration ({error}): remove it or give "
                "another file"
            ) from None
        for key in {**self.identity, **identity}:
            if identity.get(key) != self.identity.get(key):
                raise ValueError(
                    f"{self.path} belongs to another integration: there {key} is "
                    f"{identity.get(key)!r}, here {self.identity.get(key)!r}; remove it or give "
                    "another file"
                )
        rows = [
            Iteration(int(row[0]), row[1], row[2], bool(row[3]), row[4], row[5], row[6])
            for row in table.tolist()
        ]
        return arrays, rows, seconds, evaluating

    def write(
        self,
        state: Mapping[str, NDArray[Any]],
        rows: list[Iteration],
        seconds: float,
        evaluating: float,
    ) -> None:
        """Write the state; the file is replaced in one step.

        Parameters
        ----------
        state
            Arrays of the sampler.
        rows
            The iterations so far.
        seconds, evaluating
            Wall time so far, and that of a Python integrand.
        """
        arrays: dict[str, Any] = dict(state)
        table = np.array([[getattr(row, name) for name in _COLUMNS] for row in rows], np.float64)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        try:
            with temporary.open("wb") as file:
                np.savez(
                    file,
                    identity=np.array(json.dumps(dict(self.identity))),
                    iterations=table,
                    seconds=np.array([seconds, evaluating]),
                    **arrays,
                )
            temporary.replace(self.path)
        finally:
            temporary.unlink(missing_ok=True)
