"""Arguments and options that several commands share."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

TaskId = Annotated[str, typer.Argument(metavar="TASK", help="Task id, e.g. JetGrooming-v0.")]
Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder of a submission.")]
Workers = Annotated[int, typer.Option(help="Processes; the result does not depend on it.")]
Scheduler = Annotated[str | None, typer.Option(help="Dask: tcp://host:port, slurm or htcondor.")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="A parameter of the agent; repeatable."),
]


def parsed(settings: list[str] | None) -> dict[str, Any]:
    """Parameters from NAME=VALUE; a value that is not JSON is a string."""
    parsed: dict[str, Any] = {}
    for setting in settings or []:
        name, equals, value = setting.partition("=")
        if not equals or not name:
            raise ValueError(f"--set {setting!r} is not of the form NAME=VALUE")
        try:
            parsed[name] = json.loads(value)
        except json.JSONDecodeError:
            parsed[name] = value
    return parsed


def choice(option: str, value: str, choices: tuple[str, ...]) -> None:
    """Refuse a value that is none of the choices."""
    if value not in choices:
        raise ValueError(f"--{option} {value!r} is none of {', '.join(choices)}")
