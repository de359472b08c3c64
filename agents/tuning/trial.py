"""Trials: one JSON file each, written in one go."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError, model_validator

from ..whole_files import write_whole
from .space import Coordinate, Value

SCAN_FILE = "scan.json"


class Trial(BaseModel):
    """One evaluated point of a scan.

    Attributes
    ----------
    number
        Number in the scan, from 0.
    point
        Coordinate of each searched parameter, as the search algorithm handles it.
    settings
        All settings of the agent, names with dots where they are nested.
    seed
        Seed of the agent.
    loss
        What is minimised; None if the trial failed.
    details
        What else the evaluation reported.
    command
        The command that runs the agent with these settings.
    error
        Why the trial failed; None if it did not.
    seconds
        Wall time.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: int
    point: dict[str, Coordinate]
    settings: dict[str, Value]
    seed: int
    loss: FiniteFloat | None
    details: dict[str, Any] = Field(default_factory=dict)
    command: str = ""
    error: str | None = None
    seconds: FiniteFloat

    @model_validator(mode="after")
    def _finished_or_failed(self) -> Trial:
        if (self.loss is None) == (self.error is None):
            raise ValueError("a trial has either a loss or an error")
        return self


def best_trial(trials: Sequence[Trial]) -> Trial | None:
    """Give the trial with the lowest loss, the earliest of equals; None if all failed."""
    finished = [trial for trial in trials if trial.loss is not None]
    return min(finished, key=lambda trial: trial.loss or 0.0, default=None)


class TrialFolder:
    """The folder of a scan: ``scan.json``, ``trials/*.json`` and a folder for each trial's agent.

    Parameters
    ----------
    path
        The folder; made if it is not there.
    identity
        What decides the sequence of trials, in a form that JSON can hold. A folder belongs to
        one scan.

    Raises
    ------
    ValueError
        If the folder holds another scan.
    """

    def __init__(self, path: Path, identity: dict[str, Any]) -> None:
        self.path = path
        (path / "trials").mkdir(parents=True, exist_ok=True)
        file = path / SCAN_FILE
        identity = json.loads(json.dumps(identity))
        if not file.exists():
            write_whole(file, json.dumps(identity, indent=2) + "\n")
            return
        other = json.loads(file.read_text(encoding="utf-8"))
        for name, value in identity.items():
            if other.get(name) != value:
                raise ValueError(
                    f"{file}: {name} is {_short(other.get(name))}, not {_short(value)}: the "
                    "folder holds another scan, choose another output folder"
                )

    def read(self) -> dict[int, Trial]:
        """Read all trials that are there.

        Returns
        -------
        dict
            Number to trial.

        Raises
        ------
        ValueError
            If a file is not a trial.
        """
        trials = {}
        for file in sorted((self.path / "trials").glob("*.json")):
            try:
                trial = Trial.model_validate_json(file.read_bytes())
            except ValidationError as errors:
                first = errors.errors(include_url=False)[0]
                field = ".".join(map(str, first["loc"])) or "content"
                raise ValueError(
                    f"{file}: {field}: {first['msg']}: delete the file, and the same point is "
                    "evaluated again"
                ) from None
            if file != self.file(trial.number):
                raise ValueError(f"{file}: number is {trial.number}, not that of the file's name")
            trials[trial.number] = trial
        return trials

    def write(self, trial: Trial) -> None:
        """Store a trial."""
        write_whole(self.file(trial.number), trial.model_dump_json(indent=2) + "\n")

    def file(self, number: int) -> Path:
        """File of a trial."""
        return self.path / "trials" / f"{number:05d}.json"

    def agent_folder(self, number: int) -> Path:
        """Folder that belongs to the agent of a trial."""
        return self.path / "agents" / f"{number:05d}"


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) < 60 else f"{text[:57]}..."
