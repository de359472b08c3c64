"""Taking a submission in: checked, stored, queued; once, however often it is sent."""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from ..archives.contents import ATTACHMENTS_FOLDER, SUBMISSION_FOLDER
from ..archives.reading import Unpacked, unpack_archive
from ..files import put_folder
from ..settings import ServiceSettings
from . import queue
from .accounts import Account
from .database import Database
from .tables import Handed

_UNPACKING = threading.BoundedSemaphore(2)
"""Each may need a few hundred MB for a moment."""


class TooManyPendingError(ValueError):
    """An account has too many submissions in the queue."""


@dataclass(frozen=True)
class HandedIn:
    """State of a submission.

    Attributes
    ----------
    id
        Hash of its files.
    task, entry, label
        Which entry it is, or will be.
    state
        "queued", "scored", "refused" or "failed".
    reason
        Why it was refused, or why scoring failed.
    created, updated
        Seconds since 1970 in UTC.
    """

    id: str
    task: str
    entry: str
    label: str
    state: str
    reason: str
    created: float
    updated: float


def hand_in(
    database: Database, settings: ServiceSettings, archive: Path, account: Account
) -> tuple[HandedIn, bool]:
    """Check an archive, store its files, and put it into the queue.

    When this returns, the submission outlives any crash: its files are on disk, and the
    submission and its job were committed together.

    Parameters
    ----------
    database, settings
        Of the service.
    archive
        The archive that arrived.
    account
        Who sent it.

    Returns
    -------
    handed : HandedIn
        The submission, or the state of the same files that were handed in before.
    new : bool
        Whether it was not known before.

    Raises
    ------
    SubmissionError
        If the archive is refused.
    TooManyPendingError
        If the account has too many submissions in the queue.
    """
    settings.incoming.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(dir=settings.incoming))
    try:
        with _UNPACKING:
            unpacked = unpack_archive(archive, fresh, settings.upload_bytes)
        with database.read() as session:
            known = session.get(Handed, unpacked.content_sha256)
            if known is not None and known.state != "failed":
                return _public(known), False
            if known is None:
                _check_pending(session, settings, account)
        put_folder(fresh, upload_folder(settings, unpacked.content_sha256))
        with database.write() as session:
            return _record(session, unpacked, account)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def find_handed(session: Session, submission_id: str) -> HandedIn | None:
    """Look a submission up by the hash of its files."""
    row = session.get(Handed, submission_id)
    return None if row is None else _public(row)


def settle(session: Session, submission_id: str, state: str, reason: str = "") -> None:
    """Write down what became of a submission."""
    row = session.get(Handed, submission_id)
    assert row is not None, submission_id
    row.state, row.reason, row.updated = state, reason, time.time()


def upload_folder(settings: ServiceSettings, submission_id: str) -> Path:
    """Folder of a submission that waits for its score."""
    return settings.uploads / submission_id


def submission_folder(settings: ServiceSettings, submission_id: str) -> Path:
    """Folder with the two files of a submission that waits for its score."""
    return upload_folder(settings, submission_id) / SUBMISSION_FOLDER


def attachments_folder(settings: ServiceSettings, submission_id: str) -> Path:
    """Folder with what came with it."""
    return upload_folder(settings, submission_id) / ATTACHMENTS_FOLDER


def clear_incoming(settings: ServiceSettings, older_than_s: float = 3600.0) -> None:
    """Delete what interrupted uploads left behind."""
    if not settings.incoming.is_dir():
        return
    for left in settings.incoming.iterdir():
        if time.time() - left.stat().st_mtime > older_than_s:
            if left.is_dir():
                shutil.rmtree(left, ignore_errors=True)
            else:
                left.unlink(missing_ok=True)


def _record(session: Session, unpacked: Unpacked, account: Account) -> tuple[HandedIn, bool]:
    manifest = unpacked.submission.manifest
    dialect = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
    now = time.time()
    # Two requests with the same files may get here together: the second finds the row.
    inserted = session.execute(
        dialect.insert(Handed)
        .values(
            id=unpacked.content_sha256,
            task=manifest.task,
            entry=unpacked.submission.id,
            label=manifest.label,
            user_id=account.id,
            state="queued",
            reason="",
            size=unpacked.size,
            created=now,
            updated=now,
        )
        .on_conflict_do_nothing(index_elements=["id"])
        .returning(Handed.id)
    ).first()
    row = session.get(Handed, unpacked.content_sha256, populate_existing=True)
    assert row is not None
    if inserted is None and row.state == "failed":
        row.state, row.reason, row.updated = "queued", "", now
    if row.state == "queued":
        queue.enqueue(session, "score", row.id, priority=queue.FIRST, again=True)
    return _public(row), inserted is not None


def _check_pending(session: Session, settings: ServiceSettings, account: Account) -> None:
    pending = session.scalar(
        select(func.count()).where(
            Handed.state == "queued",
            Handed.user_id.is_(None) if account.id is None else Handed.user_id == account.id,
        )
    )
    if (pending or 0) >= settings.pending_per_user:
        raise TooManyPendingError(
            f"{pending} of your submissions are waiting for their score, at most "
            f"{settings.pending_per_user} may: try again when some are done"
        )


def _public(row: Handed) -> HandedIn:
    return HandedIn(
        row.id, row.task, row.entry, row.label, row.state, row.reason, row.created, row.updated
    )
