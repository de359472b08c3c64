"""Backup of a whole service into one file, and its restoration into an empty one.

The file is a tar archive: ``backup.json``, one ``tables/NAME.jsonl`` per table, and the folders of
boards and of submissions that wait for their score. It does not depend on the database: what was
saved from SQLite can be restored into PostgreSQL. Tables are read first and in one transaction;
since files are always written before the rows that name them, and deleted after, nothing that a
row names is missing.
"""

from __future__ import annotations

import io
import json
import os
import tarfile
import tempfile
import time
from pathlib import Path
from typing import Any

from sqlalchemy import func, insert, select, text
from sqlalchemy.orm import Session

from ....version import __version__
from ...untrusted import SubmissionError
from ..settings import ServiceSettings
from .database import Database, head_revision
from .tables import Indexed, Revision, Table

_FORMAT = 1
_FOLDERS = ("boards", "uploads")


class BackupError(ValueError):
    """A backup cannot be made or restored; the message is one sentence."""


def back_up(settings: ServiceSettings, file: Path) -> dict[str, int]:
    """Write a backup; the service may run meanwhile.

    Parameters
    ----------
    settings
        Of the service.
    file
        The file to write. It is there whole or not at all.

    Returns
    -------
    dict
        Number of rows by table, and of files.
    """
    database = Database(settings.database_url)
    database.migrate()
    counts: dict[str, int] = {}
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, fresh = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(handle, "wb") as stream, tarfile.open(fileobj=stream, mode="w") as archive:
            about = {
                "format": _FORMAT,
                "hepgym": __version__,
                "revision": head_revision(),
                "made": time.time(),
            }
            _add(archive, "backup.json", json.dumps(about).encode())
            with database.read() as session:
                if database.backend == "postgresql":
                    session.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
                for table in Table.metadata.sorted_tables:
                    rows = [dict(row) for row in session.execute(select(table)).mappings()]
                    lines = "".join(json.dumps(row) + "\n" for row in rows)
                    _add(archive, f"tables/{table.name}.jsonl", lines.encode())
                    counts[table.name] = len(rows)
            counts["files"] = 0
            for folder in _FOLDERS:
                for source in sorted((settings.folder / folder).rglob("*")):
                    if source.is_file() and not source.name.startswith("."):
                        archive.add(source, str(source.relative_to(settings.folder)))
                        counts["files"] += 1
            archive.close()
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(fresh, file)
    finally:
        Path(fresh).unlink(missing_ok=True)
        database.close()
    return counts


def restore(settings: ServiceSettings, file: Path) -> dict[str, int]:
    """Restore a backup into a service that is empty.

    Parameters
    ----------
    settings
        Of the new service: an empty folder, and a database without content.
    file
        The backup.

    Returns
    -------
    dict
        Number of rows by table, and of files.

    Raises
    ------
    BackupError
        If the file is no backup, was made by a newer version, or the service is not empty.
    """
    for folder in _FOLDERS:
        if any((settings.folder / folder).glob("*")):
            raise BackupError(f"{settings.folder / folder} is not empty: restore into a new folder")
    database = Database(settings.database_url)
    database.migrate()
    counts = {"files": 0}
    try:
        with tarfile.open(file, "r:") as archive:
            about = json.loads(_read(archive, "backup.json"))
            if about.get("format") != _FORMAT or about.get("revision") != head_revision():
                raise BackupError(
                    f"{file} was made by hepgym {about.get('hepgym')}, whose tables differ: "
                    "restore it with that version, then upgrade"
                )
            with database.read() as session:
                _check_empty(session)
            for member in archive:
                if member.name.partition("/")[0] in _FOLDERS:
                    # The filter refuses whatever would leave the folder.
                    archive.extract(member, settings.folder, filter="data")
                    counts["files"] += member.isfile()
            with database.write() as session:
                counts |= _fill(session, archive)
    except (tarfile.TarError, KeyError, ValueError, OSError) as error:
        if isinstance(error, BackupError | SubmissionError):
            raise
        raise BackupError(f"{file} cannot be restored ({error})") from None
    finally:
        database.close()
    return counts


def _check_empty(session: Session) -> None:
    for table in Table.metadata.sorted_tables:
        present = session.scalar(select(func.count()).select_from(table))
        if present and table.name not in (Revision.__tablename__, Indexed.__tablename__):
            raise BackupError(f"the table {table.name} is not empty: restore into a new database")


def _fill(session: Session, archive: tarfile.TarFile) -> dict[str, int]:
    counts = {}
    session.execute(Indexed.__table__.delete())  # type: ignore[attr-defined]
    session.execute(Revision.__table__.delete())  # type: ignore[attr-defined]
    for table in Table.metadata.sorted_tables:
        lines = _read(archive, f"tables/{table.name}.jsonl").splitlines()
        rows: list[dict[str, Any]] = [json.loads(line) for line in lines]
        if rows:
            session.execute(insert(table), rows)
        counts[table.name] = len(rows)
        numbered = "id" in table.columns and table.name not in ("submissions", "entries")
        if numbered and session.get_bind().dialect.name == "postgresql":
            # PostgreSQL counts by itself and does not look at what was inserted.
            session.execute(
                text(
                    f"SELECT setval(pg_get_serial_sequence('{table.name}', 'id'), "
                    f"(SELECT COALESCE(MAX(id), 1) FROM {table.name}))"
                )
            )
    return counts


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    member.mtime = int(time.time())
    archive.addfile(member, io.BytesIO(content))


def _read(archive: tarfile.TarFile, name: str) -> bytes:
    stream = archive.extractfile(name)
    if stream is None:
        raise BackupError(f"{name} is missing from the backup")
    return stream.read()
