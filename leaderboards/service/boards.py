"""The folder of boards as the service keeps it: entries, predictions, checks, attachments.

``<task>/<entry>.json`` and ``<task>/predictions/`` are those of `hepgym.leaderboards.board.Board`;
the service adds ``<task>/checks/<entry>.json`` and ``<task>/attachments/<entry>/``.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from ..board import SHIPPED_BOARDS, Board, Entry
from ..manifest import MAX_MANIFEST_BYTES
from ..untrusted import parse_json, read_file
from .files import copy_whole, write_whole
from .trust import Checks


class Boards:
    """The boards of a service.

    Parameters
    ----------
    folder
        Folder of boards.
    shipped
        Whether the entries that come with the package belong to them.
    """

    def __init__(self, folder: Path, *, shipped: bool = True) -> None:
        self.folder = folder
        self._shipped = SHIPPED_BOARDS if shipped else None

    def board(self, task: str) -> Board:
        """Open the board of a task."""
        return Board(task, self.folder, shipped=self._shipped)

    def entries(self, task: str) -> list[Entry]:
        """Entries of a task with the trust that their checks give, the best first."""
        return [
            entry.model_copy(update={"trust": self.checks(task, entry.id).trust})
            for entry in self.board(task).entries()
        ]

    def entry(self, task: str, entry_id: str) -> Entry | None:
        """Find one entry with the trust that its checks give."""
        for folder in self._folders(task):
            file = folder / f"{entry_id}.json"
            if file.is_file():
                content = read_file(file, MAX_MANIFEST_BYTES)
                entry = parse_json(Entry, content, str(file))
                return entry.model_copy(update={"trust": self.checks(task, entry_id).trust})
        return None

    def checks(self, task: str, entry_id: str) -> Checks:
        """Read what was done with an entry so far."""
        file = self.checks_file(task, entry_id)
        try:
            content = file.read_bytes()
        except FileNotFoundError:
            return Checks()
        return parse_json(Checks, content, str(file))

    def set_checks(self, task: str, entry_id: str, checks: Checks) -> None:
        """Write down what was done with an entry."""
        text = checks.model_dump_json(indent=2) + "\n"
        write_whole(self.checks_file(task, entry_id), text.encode())

    def add(self, entry_file: Path, predictions: Path) -> Entry:
        """Put an entry that was made elsewhere on its board.

        Parameters
        ----------
        entry_file
            ``<entry id>.json`` of a verified entry.
        predictions
            Its predictions.

        Returns
        -------
        Entry
            The entry, or the one with the same id that was there before.
        """
        entry = parse_json(Entry, entry_file.read_bytes(), entry_file.name)
        present = self.entry(entry.task, entry.id)
        if present is not None:
            return present
        folder = self.folder / entry.task
        # The predictions go first: an entry without them could not be recomputed.
        copy_whole(predictions, folder / "predictions" / predictions.name)
        copy_whole(entry_file, folder / f"{entry.id}.json")
        return entry

    def is_own(self, entry: Entry) -> bool:
        """Whether an entry lies in the folder of the service, not in the package."""
        return (self.folder / entry.task / f"{entry.id}.json").is_file()

    def predictions(self, entry: Entry) -> Path | None:
        """File with the predictions of an entry."""
        for folder in self._folders(entry.task):
            file = folder / "predictions" / f"{entry.predictions.sha256}.npz"
            if file.is_file():
                return file
        return None

    def attach(self, entry: Entry, files: list[Path]) -> None:
        """Keep files that came with a submission; those that are there already stay."""
        for file in files:
            target = self.attachments(entry.task, entry.id) / file.name
            if not target.exists():
                copy_whole(file, target)

    def attachments(self, task: str, entry_id: str) -> Path:
        """Folder of the files that came with an entry, which need not exist."""
        return self.folder / task / "attachments" / entry_id

    def checks_file(self, task: str, entry_id: str) -> Path:
        """File of the checks, which need not exist."""
        return self.folder / task / "checks" / f"{entry_id}.json"

    def export(self, target: Path, task: str) -> int:
        """Copy a whole board, shipped entries too, and return the number of its entries."""
        entries = self.entries(task)
        for entry in entries:
            text = entry.model_dump_json(indent=2) + "\n"
            write_whole(target / task / f"{entry.id}.json", text.encode())
            predictions = self.predictions(entry)
            if predictions is not None:
                copy_whole(predictions, target / task / "predictions" / predictions.name)
            for source in self._beside(task, entry.id):
                inside = source.relative_to(self.folder / task)
                copy_whole(source, target / task / inside)
        return len(entries)

    def _beside(self, task: str, entry_id: str) -> Iterator[Path]:
        if self.checks_file(task, entry_id).is_file():
            yield self.checks_file(task, entry_id)
        folder = self.attachments(task, entry_id)
        if folder.is_dir():
            yield from sorted(folder.iterdir())

    def _folders(self, task: str) -> list[Path]:
        own = self.folder / task
        return [own] if self._shipped is None else [self._shipped / task, own]


def copy_tree(source: Path, target: Path) -> None:
    """Copy a folder of regular files; links are left out."""
    for folder, _, files in os.walk(source):
        for name in files:
            file = Path(folder) / name
            if file.is_file() and not file.is_symlink():
                copy = target / file.relative_to(source)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, copy)
