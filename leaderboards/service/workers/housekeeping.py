"""Deletes what interrupted work has left behind, and events of refreshes that are over."""

from __future__ import annotations

import shutil
from pathlib import Path

from sqlalchemy import select

from ..settings import ServiceSettings
from ..storage.database import Database
from ..storage.handing_in import clear_incoming
from ..storage.tables import Job


def tidy(settings: ServiceSettings, database: Database) -> None:
    """Delete working folders of jobs that nobody does any more, and events nobody waits for."""
    # The folders are listed before the database is asked: what appears later is left alone.
    folders = _names(settings.scratch), _names(settings.fresh)
    with database.read() as session:
        open_jobs = session.execute(
            select(Job.id, Job.claim, Job.payload).where(Job.state.in_(("queued", "running")))
        ).all()
    at_work = {f"{number}-{claim}" for number, claim, _ in open_jobs}
    rounds = {payload.get("round") for _, _, payload in open_jobs}
    for name in folders[0] - at_work:
        shutil.rmtree(settings.scratch / name, ignore_errors=True)
    for name in folders[1] - rounds:
        shutil.rmtree(settings.fresh / name, ignore_errors=True)
    clear_incoming(settings)


def _names(folder: Path) -> set[str]:
    return {item.name for item in folder.iterdir()} if folder.is_dir() else set()
