"""A worker: takes jobs from the queue, one at a time, until it is told to stop."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import socket
import time
from collections.abc import Callable
from typing import Any

from ...board import BoardError
from ...untrusted import SubmissionError
from ..logs import log_event
from ..settings import ServiceSettings
from ..storage import queue
from ..storage.database import Database
from ..storage.handing_in import upload_folder
from ..storage.queue import Claim, ClaimLostError
from . import fence, sandbox
from .housekeeping import tidy
from .jobs import KINDS, Context, JobError, make_context, scratch
from .sandbox import Outcome

_LOG = logging.getLogger("hepgym.service.worker")
_TIDY_EVERY_S = 60.0
_GRACE_S = 10.0
"""A job that is not done so long after the worker was told to stop goes back to the queue."""


class Stop:
    """Whether the worker was told to stop, by a signal or because its parent is gone."""

    def __init__(self, parent: int | None = None) -> None:
        self._parent = parent
        self._since: float | None = None

    def listen(self) -> None:
        """Take SIGTERM and SIGINT as the wish to stop after this job."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.now())

    def now(self) -> None:
        """Stop after this job."""
        self._since = self._since or time.monotonic()

    @property
    def wanted(self) -> bool:
        """Whether to take no further job."""
        if self._parent is not None and os.getppid() != self._parent:
            self.now()
        return self._since is not None

    @property
    def at_once(self) -> bool:
        """Whether not even to finish this job."""
        wanted = self.wanted
        return wanted and time.monotonic() - (self._since or 0.0) > _GRACE_S


def work(
    settings: ServiceSettings,
    *,
    name: str | None = None,
    stop: Stop | None = None,
    until_empty: bool = False,
) -> int:
    """Do jobs.

    Parameters
    ----------
    settings
        Of the service.
    name
        Name of this worker in the queue.
    stop
        When to stop; a signal is taken as such a wish by default.
    until_empty
        Stop when there is nothing more to do.

    Returns
    -------
    int
        Number of jobs that were ended.
    """
    name = name or f"{socket.gethostname()}-{os.getpid()}"
    if stop is None:
        stop = Stop()
        stop.listen()
    # No connection is kept open: this process forks.
    database = Database(settings.database_url, pooled=False)
    context = make_context(settings, database)
    log_event(_LOG, "worker started", worker=name, fenced_in=fence.version() > 0)
    ended = 0
    tidied = time.monotonic()
    while not stop.wanted:
        with database.write() as session:
            claim = queue.claim(session, name, settings.lease_s)
        if claim is None:
            if until_empty:
                break
            if time.monotonic() - tidied > _TIDY_EVERY_S:
                tidy(settings, database)
                tidied = time.monotonic()
            time.sleep(settings.poll_s)
            continue
        ended += _do(context, claim, stop)
    log_event(_LOG, "worker stopped", worker=name, jobs=ended)
    return ended


def _do(context: Context, claim: Claim, stop: Stop) -> int:
    """Do one job; return 1 if it has ended, 0 if it is somebody else's now or later."""
    database = context.database
    about: dict[str, Any] = {"job": claim.id, "kind": claim.kind, "subject": claim.subject}
    folder = scratch(context, claim)
    folder.mkdir(parents=True)
    start = time.monotonic()
    try:
        if claim.attempts > queue.MAX_ATTEMPTS:
            outcome = Outcome("failed", {}, f"begun {claim.attempts - 1} times, never ended", 0.0)
        else:
            outcome = _run(context, claim, stop)
        if outcome.kind == "abandoned":
            with database.write() as session:
                queue.put_back(session, claim, counted=False)
            log_event(_LOG, "job put back", **about)
            return 0
        if outcome.kind == "crashed" and claim.attempts < queue.MAX_CRASHES:
            with database.write() as session:
                queue.put_back(session, claim, counted=True)
            log_event(_LOG, "job crashed", **about, reason=outcome.reason)
            return 0
        error = _record(context, claim, outcome)
        log_event(
            _LOG,
            "job failed" if error else "job done",
            **about,
            outcome=outcome.kind,
            reason=error or outcome.reason,
            seconds=round(time.monotonic() - start, 3),
        )
    except ClaimLostError:
        log_event(_LOG, "job was given to another worker", **about)
        return 0
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 1


def _run(context: Context, claim: Claim, stop: Stop) -> Outcome:
    """First half of a job."""
    kind = KINDS.get(claim.kind)
    try:
        if kind is None:
            raise JobError(f"this version of hepgym knows no job of kind {claim.kind!r}")
        prepared = kind.prepare(context, claim)
    except (BoardError, SubmissionError, ValueError, OSError) as error:
        return Outcome("failed", {}, " ".join(str(error).split())[:500], 0.0)
    if prepared is None:
        return Outcome("done", {}, "", 0.0)
    return sandbox.run(
        prepared.work,
        scratch(context, claim),
        prepared.limits,
        reads=prepared.reads,
        writes=prepared.writes,
        keep_going=_keep_going(context, claim, stop),
    )


def _keep_going(context: Context, claim: Claim, stop: Stop) -> Callable[[], bool]:
    """Prolong the claim now and then; say no when the job is lost or not wanted any more."""
    lease = context.settings.lease_s
    renewed = 0.0

    def keep_going() -> bool:
        nonlocal renewed
        if stop.at_once:
            return False
        if time.monotonic() - renewed > lease / 4:
            try:
                with context.database.write() as session:
                    queue.renew(session, claim, lease)
            except ClaimLostError:
                return False
            renewed = time.monotonic()
        return True

    return keep_going


def _record(context: Context, claim: Claim, outcome: Outcome) -> str:
    """Second half of a job; returns why it failed."""
    kind = KINDS.get(claim.kind)
    error = ""
    with context.database.write() as session:
        # First, so that nothing is written by a worker whose claim is void.
        queue.renew(session, claim, context.settings.lease_s)
        if kind is not None:
            try:
                if outcome.kind in ("failed", "crashed"):
                    raise JobError(outcome.reason)
                kind.finish(context, session, claim, outcome)
            except (JobError, BoardError, SubmissionError) as failed:
                error = str(failed)
                kind.give_up(context, session, claim, error)
        queue.finish(session, claim, error or ("" if kind else outcome.reason))
    if claim.kind == "score":
        shutil.rmtree(upload_folder(context.settings, claim.subject), ignore_errors=True)
    return error
