"""The index of the boards: a copy of the folder in the database, so that pages are fast."""

from __future__ import annotations

import json
from dataclasses import dataclass

from sqlalchemy import delete, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from ...board import Entry
from ...tasks import TASKS
from ..boards import Boards
from ..trust import Checks
from .tables import Indexed, Revision


@dataclass(frozen=True)
class Listed:
    """An entry and all that the board did with it."""

    entry: Entry
    checks: Checks


def put(session: Session, entry: Entry, checks: Checks) -> None:
    """Add an entry to the index or bring it up to date."""
    dialect = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
    values = {
        "trust": checks.trust,
        "added": entry.added.timestamp(),
        "submitter": checks.submitter,
        "entry": entry.model_copy(update={"trust": checks.trust}).model_dump(mode="json"),
        "checks": checks.model_dump(mode="json"),
    }
    session.execute(
        dialect.insert(Indexed)
        .values(task=entry.task, id=entry.id, **values)
        .on_conflict_do_update(index_elements=["task", "id"], set_=values)
    )
    session.execute(update(Revision).values(boards=Revision.boards + 1))


def synchronise(session: Session, boards: Boards) -> int:
    """Make the index anew from the folder; return the number of entries.

    Raises
    ------
    BoardError
        If an entry's file is damaged; the index stays as it was.
    """
    found = [
        (entry, boards.checks(task, entry.id)) for task in TASKS for entry in boards.entries(task)
    ]
    present = {(entry.task, entry.id) for entry, _ in found}
    for task, entry_id in session.execute(select(Indexed.task, Indexed.id)).all():
        if (task, entry_id) not in present:
            session.execute(delete(Indexed).where(Indexed.task == task, Indexed.id == entry_id))
    for entry, checks in found:
        put(session, entry, checks)
    return len(found)


def listed(session: Session, task: str) -> list[Listed]:
    """All entries of a task, in no order."""
    rows = session.scalars(select(Indexed).where(Indexed.task == task))
    return [_read(row) for row in rows]


def find(session: Session, task: str, entry_id: str) -> Listed | None:
    """Look an entry up."""
    row = session.get(Indexed, (task, entry_id))
    return None if row is None else _read(row)


def revision(session: Session) -> int:
    """Count of the changes to the boards so far."""
    return session.scalars(select(Revision.boards)).one()


def _read(row: Indexed) -> Listed:
    # JSON mode: the models are strict and would not take lists for tuples otherwise.
    return Listed(
        Entry.model_validate_json(json.dumps(row.entry)),
        Checks.model_validate_json(json.dumps(row.checks)),
    )
