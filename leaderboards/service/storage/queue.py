"""A queue in the database that survives everything, and gives a job to one worker at a time.

A worker holds a job by a claim, a random number that it must show with every change. A claim
whose lease has run out is void: the job goes to the next worker, and whatever the first one brings
later is thrown away. Nothing is therefore recorded twice, whoever is killed when.
"""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import CursorResult
from sqlalchemy.orm import Session

from .tables import Job

MAX_CRASHES = 3
"""A job whose process dies so often without a reason is given up."""
MAX_ATTEMPTS = 20
"""A job whose worker dies so often is given up: it may be what kills them."""

FIRST, SOON, LATER, LAST = 0, 10, 20, 30
"""Priorities: score, draw, run models, refresh."""


class ClaimLostError(RuntimeError):
    """The job was given to another worker; its result must be thrown away."""


@dataclass(frozen=True)
class Claim:
    """A job that this worker, and nobody else, may work on.

    Attributes
    ----------
    id
        Number of the job.
    kind, subject, payload
        What to do with what.
    attempts
        How often it was begun, this time included.
    secret
        Proof of the claim.
    """

    id: int
    kind: str
    subject: str
    payload: dict[str, Any]
    attempts: int
    secret: str


def enqueue(
    session: Session,
    kind: str,
    subject: str,
    payload: dict[str, Any] | None = None,
    *,
    priority: int = SOON,
    again: bool = False,
) -> None:
    """Put a job into the queue; one that is there already stays as it is.

    Parameters
    ----------
    session
        A writing session.
    kind, subject, payload
        What to do with what. Kind and subject name the job.
    priority
        Lower comes first.
    again
        Do it again if it has ended before.
    """
    dialect = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
    fresh = {
        "payload": payload or {},
        "priority": priority,
        "state": "queued",
        "attempts": 0,
        "error": "",
        "created": time.time(),
        "claim": None,
    }
    insert: Any = dialect.insert(Job).values(kind=kind, subject=subject, **fresh)
    if again:
        insert = insert.on_conflict_do_update(
            index_elements=["kind", "subject"],
            set_=fresh,
            where=Job.state.in_(("done", "failed")),
        )
    else:
        insert = insert.on_conflict_do_nothing(index_elements=["kind", "subject"])
    session.execute(insert)


def claim(session: Session, worker: str, lease_s: float) -> Claim | None:
    """Take the next job.

    Parameters
    ----------
    session
        A writing session; the claim holds once it is committed.
    worker
        Name for people.
    lease_s
        How long the claim holds without `renew`.

    Returns
    -------
    Claim or None
        None if there is nothing to do.
    """
    now = time.time()
    waiting = or_(Job.state == "queued", and_(Job.state == "running", Job.lease < now))
    job = session.scalars(
        select(Job)
        .where(waiting)
        .order_by(Job.priority, Job.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    ).first()
    if job is None:
        return None
    job.state = "running"
    job.claim = uuid.uuid4().hex
    job.worker = worker
    job.lease = now + lease_s
    job.started = now
    job.attempts += 1
    session.flush()
    return Claim(job.id, job.kind, job.subject, job.payload, job.attempts, job.claim)


def renew(session: Session, held: Claim, lease_s: float) -> None:
    """Prolong a claim.

    Raises
    ------
    ClaimLostError
        If it is void.
    """
    _change(session, held, lease=time.time() + lease_s)


def finish(session: Session, held: Claim, error: str = "") -> None:
    """End a job, in the same transaction in which its result is recorded.

    Parameters
    ----------
    session
        A writing session.
    held
        The claim.
    error
        Why it failed; empty if it did not.

    Raises
    ------
    ClaimLostError
        If the claim is void: roll everything back.
    """
    state = "failed" if error else "done"
    _change(session, held, state=state, error=error, finished=time.time(), claim=None)


def put_back(session: Session, held: Claim, *, counted: bool) -> None:
    """Give a job back to the queue; if not counted, as if it had never been begun."""
    attempts = held.attempts - (0 if counted else 1)
    _change(session, held, state="queued", claim=None, lease=None, attempts=attempts)


def release_worker(session: Session, worker: str) -> int:
    """Put back the jobs of a worker that is known to be dead, and return how many those are."""
    released = session.execute(
        update(Job)
        .where(Job.state == "running", Job.worker == worker)
        .values(state="queued", claim=None, lease=None)
    )
    assert isinstance(released, CursorResult)
    return released.rowcount


def depth(session: Session) -> dict[tuple[str, str], int]:
    """Count jobs by kind and state."""
    rows = session.execute(select(Job.kind, Job.state, func.count()).group_by(Job.kind, Job.state))
    return {(kind, state): count for kind, state, count in rows}


def find(session: Session, kind: str, subject: str) -> Job | None:
    """Look a job up."""
    return session.scalars(select(Job).where(Job.kind == kind, Job.subject == subject)).first()


def _change(session: Session, held: Claim, **values: Any) -> None:
    changed = session.execute(
        update(Job)
        .where(Job.id == held.id, Job.state == "running", Job.claim == held.secret)
        .values(**values)
    )
    assert isinstance(changed, CursorResult)
    if changed.rowcount != 1:
        raise ClaimLostError(f"job {held.id} was given to another worker")
