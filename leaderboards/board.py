"""Boards: folders of JSON in which every score was recomputed from the predictions.

A board is the folder ``<boards>/<task>`` with one ``<entry id>.json`` per entry and
``predictions/<sha256>.npz`` beside them, so that every score can be recomputed at any time.
Entries that come with the package are read from ``hepgym/leaderboards/results``, new ones go
into the user's own folder. The layout of an entry follows RobustBench (arXiv:2010.09670): claimed
and recomputed values side by side.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import AwareDatetime

from .bootstrap import Estimate
from .manifest import Manifest
from .submission import Submission, compare, evaluate, read_submission, verify
from .tasks import Score, score_module, task
from .untrusted import SubmissionError, parse_json, unpack

SHIPPED_BOARDS = Path(__file__).parent / "results"
"""Boards that come with the package."""


class BoardError(ValueError):
    """A board cannot be read; the message is one sentence that names the file."""


class Entry(Manifest):
    """One line of a board: a submission's manifest and what the board found.

    Attributes
    ----------
    id
        Name of the entry, see ``submission_id``.
    recomputed
        Metric to the score recomputed from the predictions.
    in_game
        Whether an agent playing the task's environment could have done it.
    trust
        "recomputed" from the predictions; "re-run" and "fresh" are for boards that run models.
    added
        Time in UTC.
    """

    id: str
    recomputed: dict[str, Estimate]
    in_game: bool
    trust: Literal["recomputed", "re-run", "fresh"]
    added: AwareDatetime


def local_boards() -> Path:
    """Folder of the user's own boards: ``HEPGYM_BOARD``, or the user's data folder."""
    import platformdirs

    chosen = os.environ.get("HEPGYM_BOARD")
    return Path(chosen) if chosen else platformdirs.user_data_path("hepgym") / "boards"


class Board:
    """The board of one task: entries that come with the package and the user's own.

    Parameters
    ----------
    task_id
        For example "JetGrooming-v0".
    folder
        Folder of boards to add to; ``local_boards()`` if not given.
    shipped
        Folder of boards to read only; None for none.

    Raises
    ------
    ValueError
        If there is no such task.
    """

    def __init__(
        self,
        task_id: str,
        folder: str | os.PathLike[str] | None = None,
        *,
        shipped: str | os.PathLike[str] | None = SHIPPED_BOARDS,
    ) -> None:
        self.task = task(task_id)
        self.folder = (local_boards() if folder is None else Path(folder)) / task_id
        self._read_from = [self.folder] if shipped is None else [Path(shipped) / task_id]
        if self.folder not in self._read_from:
            self._read_from.append(self.folder)

    def entries(self) -> list[Entry]:
        """All entries, the best first.

        Returns
        -------
        list of Entry

        Raises
        ------
        BoardError
            If an entry's file is damaged.
        """
        found: dict[str, Entry] = {}
        for folder in self._read_from:
            for path in sorted(folder.glob("*.json")):
                found.setdefault(path.stem, self._read(path))
        sign = 1.0 if self.task.direction == "lower is better" else -1.0
        return sorted(
            found.values(),
            key=lambda entry: (sign * entry.recomputed[self.task.primary].value, entry.id),
        )

    def best(self) -> Entry | None:
        """Return the best entry, or None on an empty board."""
        return next(iter(self.entries()), None)

    def add(
        self,
        submission: Submission | str | os.PathLike[str],
        data: Mapping[str, Any] | None = None,
        hashes: Mapping[str, str] | None = None,
    ) -> Entry:
        """Verify a submission and put it on the board.

        The same submission twice is one entry. A refused submission leaves no trace.

        Parameters
        ----------
        submission
            The folder, or what ``read_submission`` made of it.
        data, hashes
            The task's test data and their hashes, see ``verify``.

        Returns
        -------
        Entry
            The new entry, or the one that was there.

        Raises
        ------
        SubmissionError
            If the submission is refused.
        BoardError
            If the board holds the submission already and that entry's file is damaged.
        """
        if not isinstance(submission, Submission):
            submission = read_submission(submission)
        manifest = submission.manifest
        if manifest.task != self.task.id:
            raise SubmissionError(
                f"this submission is for {manifest.task}, not for the board of {self.task.id}"
            )
        score = verify(submission, data, hashes)
        name = f"{submission.id}.json"
        for folder in self._read_from:
            if (folder / name).exists():
                return self._read(folder / name)
        entry = Entry(
            **dict(manifest),
            id=submission.id,
            recomputed=score.metrics(),
            in_game=score_module(self.task).PREDICTION_KINDS[manifest.predictions.kind],
            trust="recomputed",
            added=datetime.now(UTC).replace(microsecond=0),
        )
        # The predictions go first: an entry without them could not be recomputed.
        _write(
            self.folder / "predictions" / f"{manifest.predictions.sha256}.npz", submission.archive
        )
        _write(self.folder / name, (entry.model_dump_json(indent=2) + "\n").encode())
        return entry

    def recompute(self, entry: Entry, data: Mapping[str, Any] | None = None) -> Score:
        """Score the stored predictions of an entry again.

        Parameters
        ----------
        entry
            An entry of this board.
        data
            Role to data; the task's test data if not given.

        Returns
        -------
        Score

        Raises
        ------
        BoardError
            If the predictions are gone or altered, or give another score than the entry says.
        """
        file = f"predictions/{entry.predictions.sha256}.npz"
        for folder in self._read_from:
            if (folder / file).is_file():
                archive = (folder / file).read_bytes()
                break
        else:
            raise BoardError(f"{entry.id}: {file} is missing from the board")
        try:
            predictions = unpack(archive, entry.predictions)
            score = evaluate(Submission(entry, predictions, archive), data)
            compare(f"{entry.id}.json", entry.recomputed, score.metrics())
        except SubmissionError as error:
            raise BoardError(f"{entry.id}: {error}") from None
        return score

    def _read(self, path: Path) -> Entry:
        try:
            entry = parse_json(Entry, path.read_bytes(), str(path))
        except SubmissionError as error:
            raise BoardError(f"damaged board entry {error}") from None
        except OSError as error:
            raise BoardError(f"damaged board entry {path}: {error.strerror}") from None
        if entry.id != path.stem or entry.task != self.task.id:
            raise BoardError(
                f"damaged board entry {path}: it holds entry {entry.id!r} of {entry.task!r}"
            )
        if self.task.primary not in entry.recomputed:
            raise BoardError(f"damaged board entry {path}: it has no {self.task.primary!r}")
        return entry


def _write(path: Path, content: bytes) -> None:
    """Write a file, whole or not at all, whoever else writes it at the same time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{uuid.uuid4().hex}.new")
    try:
        with fresh.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)
