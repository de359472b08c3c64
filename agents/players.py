"""From a task to its agents: what the command line needs to know of each family of tasks."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, cast

from ..leaderboards.board import Board, Entry
from ..leaderboards.submission import Submission
from ..leaderboards.tasks import Task

Progress = Callable[[int, int, str], None]
"""Called with what is done, with the whole, and with a few words on what is being done."""


@dataclass(frozen=True)
class Order:
    """What ``hepgym run`` asks of an agent.

    Attributes
    ----------
    agent
        Name of the agent.
    settings
        Parameters of the agent; those left out take their defaults.
    model
        Folder of a trained model; None for what is shipped.
    folder
        Where the results go.
    authors, description, overwrite
        See ``write_submission``.
    workers, scheduler
        As for ``hepgym.cluster.client``.
    """

    agent: str
    settings: Mapping[str, Any]
    model: Path | None
    folder: Path
    authors: Sequence[str] = ()
    description: str = ""
    overwrite: bool = False
    workers: int = 1
    scheduler: str | None = None


@dataclass(frozen=True)
class Outcome:
    """What came of it.

    Attributes
    ----------
    label
        The agent with its parameters, in one line.
    submission
        As written.
    lines
        More to tell, one line each.
    figures
        The files.
    """

    label: str
    submission: Submission
    lines: Sequence[str] = ()
    figures: Sequence[Path] = ()


@dataclass(frozen=True)
class AgentCard:
    """An agent in a list.

    Attributes
    ----------
    name
        As ``--agent`` takes it.
    summary
        One line on what it does.
    parameters
        Names and defaults.
    """

    name: str
    summary: str
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Comparison:
    """A table of agents side by side.

    Attributes
    ----------
    title
        What is compared.
    columns
        Names of the columns, the first for what the rows are.
    rows
        The cells, as text.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


def side_by_side(task: Task) -> Comparison:
    """Put the entries of a task's board side by side, one row for each metric."""
    entries = Board(task.id).entries()
    names = dict.fromkeys(name for entry in entries for name in entry.recomputed)
    return Comparison(
        f"{task.id}: {task.title}",
        ("quantity", *(entry.label for entry in entries)),
        [(name, *(str(entry.recomputed.get(name, "-")) for entry in entries)) for name in names],
    )


class Player(Protocol):
    """What the module ``player`` of a family's package of agents holds.

    Attributes
    ----------
    TITLE
        Name of the family for people.
    """

    TITLE: str

    def cards(self) -> list[AgentCard]:
        """Every agent of the family."""
        ...

    def run(self, task: Task, order: Order, progress: Progress) -> Outcome:
        """Play a task's test set: submission folder and figures.

        Raises
        ------
        ValueError
            If the agent or one of its settings is unknown or out of range.
        """
        ...

    def train(
        self,
        task: Task,
        agent: str,
        folder: Path,
        changes: Mapping[str, Any],
        *,
        preset: str | None,
        resume: bool,
    ) -> None:
        """Train an agent, or go on with an unfinished training, and show how it goes.

        Raises
        ------
        ValueError
            If the agent does not learn, the preset or a setting is unknown or out of range, or the
            folder holds another training.
        KeyboardInterrupt
            After Ctrl-C, once everything is kept.
        """
        ...

    def compare(self, task: Task, progress: Progress) -> Comparison:
        """Put the family's agents side by side."""
        ...

    def rebuild(self, task: Task, folder: Path, progress: Progress) -> list[Entry]:
        """Play a task with the agents that its board is shipped with, and put them on boards."""
        ...


_FAMILIES = {
    "jet_grooming": "jet_grooming",
    "jet_domains": "jet_domains",
    "lund_images": "lund_images",
    "vegas_sampling": "vegas_sampling",
    "pdf_fit": "pdf_fit",
    "unweighting": "unweighting",
}
"""Name of the score module to the package of agents."""


def package(task: Task) -> str:
    """Name of the package of agents of a task."""
    return _FAMILIES[task.score]


def player(task: Task) -> Player:
    """Find the agents of a task."""
    return _player(package(task))


def players() -> list[Player]:
    """All families of agents."""
    return [_player(package) for package in dict.fromkeys(_FAMILIES.values())]


def _player(package: str) -> Player:
    module: Any = importlib.import_module(f".{package}.player", __package__)
    return cast(Player, module)
