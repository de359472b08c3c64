"""What workers do: score a submission, draw an entry, run a model, refresh a board.

Each kind of job has two halves. The first runs in a process of its own (see ``sandbox``), touches
what was submitted, and only returns JSON and files in its own folder. The second runs in the
worker and puts the result where it belongs, in one transaction that also ends the job.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
import importlib.util
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from ...board import SHIPPED_BOARDS, Board, Entry
from ...bootstrap import Estimate
from ...submission import Submission, evaluate_predictions, read_submission
from ...tasks import Task, load_test_data
from ...tasks import task as find_task
from ...untrusted import SubmissionError, unpack
from ..boards import Boards
from ..drawing.curves import CURVES_FILE, Curves, dataset_drawer, drawer
from ..files import copy_whole, write_whole
from ..settings import Limits, ServiceSettings
from ..storage import handing_in, index, queue
from ..storage.accounts import Account
from ..storage.database import Database
from ..storage.queue import Claim
from ..storage.tables import Handed, User
from ..trust import AGREEMENT, Checks, Fresh, Rerun
from . import fresh_events
from .runner import Runner, load_runner
from .sandbox import Outcome, Work

_KEPT_LOADED = 2


@dataclass(frozen=True)
class Context:
    """What all jobs need."""

    settings: ServiceSettings
    database: Database
    boards: Boards
    runner: Runner | None


@dataclass(frozen=True)
class Prepared:
    """What is to be done in a process of its own.

    Attributes
    ----------
    work
        The job.
    limits
        What it may use.
    reads, writes
        Files and folders that it may read, and folders that it may change, besides its own.
    """

    work: Work
    limits: Limits
    reads: tuple[Path, ...] = ()
    writes: tuple[Path, ...] = ()


class JobError(ValueError):
    """A job cannot be done, and trying again would not help."""


class Kind(Protocol):
    """The two halves of a kind of job."""

    def prepare(self, context: Context, claim: Claim) -> Prepared | None:
        """Say what to do in a process of its own; None if nothing is to be done there."""
        ...

    def finish(self, context: Context, session: Session, claim: Claim, outcome: Outcome) -> None:
        """Put the result of that process where it belongs."""
        ...

    def give_up(self, context: Context, session: Session, claim: Claim, reason: str) -> None:
        """Write down that the job cannot be done."""
        ...


def make_context(settings: ServiceSettings, database: Database) -> Context:
    """Open what the jobs need."""
    boards = Boards(settings.boards, shipped=settings.shipped)
    return Context(settings, database, boards, load_runner(settings.runner))


@functools.lru_cache(maxsize=_KEPT_LOADED)
def _test_data(task_id: str) -> dict[str, Any]:
    """Official data, loaded once by the worker; the processes of its jobs share the memory.

    A shipped entry is scored with them: what numba compiles for that is there for all jobs, which
    may not write it down themselves.
    """
    data = load_test_data(find_task(task_id))
    board = Board(task_id, SHIPPED_BOARDS, shipped=None)
    best = board.best()
    if best is not None:
        board.recompute(best, data)
    return data


def scratch(context: Context, claim: Claim) -> Path:
    """Working folder of a job."""
    return context.settings.scratch / f"{claim.id}-{claim.secret}"


class ScoreJob:
    """Recompute the score of a submission and put it on its board."""

    def prepare(self, context: Context, claim: Claim) -> Prepared | None:
        """Verify the submission against a board of its own."""
        with context.database.read() as session:
            row = session.get(Handed, claim.subject)
            assert row is not None, claim.subject
            task_id, entry_id = row.task, row.entry
        folder = handing_in.submission_folder(context.settings, claim.subject)
        if not folder.is_dir():
            if context.boards.entry(task_id, entry_id) is not None:
                # Done before, by a worker that could not say so any more.
                return None
            raise JobError("its files are gone: hand it in again")
        data = _test_data(task_id)

        def work() -> dict[str, Any]:
            submission = read_submission(folder)
            board = Board(task_id, Path("board"), shipped=None)
            return {"entry": board.add(submission, data).id}

        return Prepared(work, context.settings.limits, reads=(folder,))

    def finish(self, context: Context, session: Session, claim: Claim, outcome: Outcome) -> None:
        """Move the entry to the real board, and have it drawn and run."""
        row = session.get(Handed, claim.subject)
        assert row is not None, claim.subject
        if outcome.kind in ("refused", "limit"):
            reason = outcome.reason
            if outcome.kind == "limit":
                reason = f"scoring was stopped: {reason}"
            handing_in.settle(session, claim.subject, "refused", reason)
            return
        user = None if row.user_id is None else session.get(User, row.user_id)
        submitter = None if user is None else user.name
        if context.boards.entry(row.task, row.entry) is None:
            # Who handed it in is written first: were this cut off, it could not be told later.
            context.boards.set_checks(row.task, row.entry, Checks(submitter=submitter))
            made = scratch(context, claim) / "board" / row.task
            (predictions,) = (made / "predictions").iterdir()
            context.boards.add(made / f"{row.entry}.json", predictions)
        entry = context.boards.entry(row.task, row.entry)
        assert entry is not None
        checks = context.boards.checks(entry.task, entry.id)
        subject = f"{entry.task}/{entry.id}"
        attachments = handing_in.attachments_folder(context.settings, claim.subject)
        # Nobody may hand in a model for an entry of somebody else.
        if context.boards.is_own(entry) and checks.submitter == submitter and attachments.is_dir():
            context.boards.attach(entry, sorted(attachments.iterdir()))
        index.put(session, entry, checks)
        handing_in.settle(session, claim.subject, "scored")
        if context.settings.draw:
            queue.enqueue(session, "draw", subject, priority=queue.SOON)
        if context.settings.rerun and (checks.rerun is None or not checks.rerun.passed):
            queue.enqueue(session, "rerun", subject, priority=queue.LATER, again=True)

    def give_up(self, context: Context, session: Session, claim: Claim, reason: str) -> None:
        """Say so to the submitter, who may hand it in again."""
        handing_in.settle(session, claim.subject, "failed", reason)


class DrawJob:
    """Draw the figures of an entry and its histograms."""

    def prepare(self, context: Context, claim: Claim) -> Prepared | None:
        """Draw into the working folder."""
        task, entry = _entry(context, claim.subject)
        submission = _stored(context, entry)
        data = _test_data(task.id)

        def work() -> dict[str, Any]:
            return draw(task, submission, data, Path("drawn"))

        return Prepared(work, context.settings.limits)

    def finish(self, context: Context, session: Session, claim: Claim, outcome: Outcome) -> None:
        """Put the files beside the boards."""
        if outcome.kind != "done":
            raise JobError(outcome.reason)
        target = context.settings.drawn / claim.subject
        for file in sorted((scratch(context, claim) / "drawn").iterdir()):
            copy_whole(file, target / file.name)

    def give_up(self, context: Context, session: Session, claim: Claim, reason: str) -> None:
        """Do nothing: the entry is shown without figures."""


class DatasetJob:
    """Draw the histograms of a dataset."""

    def prepare(self, context: Context, claim: Claim) -> Prepared | None:
        """Histogram the test split."""

        def work() -> dict[str, Any]:
            own = dataset_drawer(claim.subject)
            curves = Curves() if own is None else own.dataset_curves(claim.subject)
            return curves.model_dump()

        return Prepared(work, context.settings.limits)

    def finish(self, context: Context, session: Session, claim: Claim, outcome: Outcome) -> None:
        """Put the histograms beside the boards."""
        if outcome.kind != "done":
            raise JobError(outcome.reason)
        text = Curves.model_validate(outcome.value).model_dump_json()
        write_whole(
            context.settings.drawn / "datasets" / claim.subject / CURVES_FILE, text.encode()
        )

    def give_up(self, context: Context, session: Session, claim: Claim, reason: str) -> None:
        """Do nothing: the dataset is shown without figures."""


class RerunJob:
    """Run an entry's model on the public test set and compare its predictions."""

    def prepare(self, context: Context, claim: Claim) -> Prepared | None:
        """Run it and count how many predictions are the same."""
        task, entry = _entry(context, claim.subject)
        runner = context.runner
        attachments = context.boards.attachments(task.id, entry.id).absolute()
        if runner is None:
            return None
        submission = _stored(context, entry)
        data = _test_data(task.id)

        def work() -> dict[str, Any]:
            return _run_again(runner, task, submission, attachments, data)

        return Prepared(work, context.settings.model_limits, reads=(attachments,))

    def finish(self, context: Context, session: Session, claim: Claim, outcome: Outcome) -> None:
        """Write the outcome into the entry's checks."""
        value = outcome.value
        if outcome.kind in ("refused", "limit"):
            value = {"how": "model", "error": outcome.reason, "seconds": outcome.seconds}
        if not value:
            return
        rerun = _rerun(value)
        task, entry = _entry(context, claim.subject)
        checks = context.boards.checks(task.id, entry.id).model_copy(update={"rerun": rerun})
        _keep(context, session, entry, checks)

    def give_up(self, context: Context, session: Session, claim: Claim, reason: str) -> None:
        """Do nothing: the entry stays at its level."""


class RefreshJob:
    """Generate fresh events for a task, and have every entry that can be run play them."""

    def prepare(self, context: Context, claim: Claim) -> Prepared | None:
        """Generate the events."""
        task = find_task(claim.payload["task"])
        seed, size = int(claim.payload["seed"]), int(claim.payload["size"])
        fresh_events.check(task, size)
        folder = _round_folder(context, claim.payload["round"]).absolute()
        folder.mkdir(parents=True, exist_ok=True)

        def work() -> dict[str, Any]:
            fresh_events.generate(task, seed, size, folder)
            return {}

        return Prepared(work, context.settings.model_limits, writes=(folder,))

    def finish(self, context: Context, session: Session, claim: Claim, outcome: Outcome) -> None:
        """Queue a run of each entry, and first a re-run of those that had none."""
        if outcome.kind != "done":
            raise JobError(f"the events were not generated: {outcome.reason}")
        assert context.runner is not None
        task = find_task(claim.payload["task"])
        for entry in context.boards.entries(task.id):
            attachments = context.boards.attachments(task.id, entry.id)
            if context.runner.how(task, entry, attachments) is not None:
                subject = f"{task.id}/{entry.id}/{claim.payload['round']}"
                payload = {**claim.payload, "entry": entry.id}
                queue.enqueue(session, "fresh", subject, payload, priority=queue.LAST)

    def give_up(self, context: Context, session: Session, claim: Claim, reason: str) -> None:
        """Throw the events away."""
        shutil.rmtree(_round_folder(context, claim.payload["round"]), ignore_errors=True)


class FreshJob:
    """Score an entry's model on the events of a refresh."""

    def prepare(self, context: Context, claim: Claim) -> Prepared | None:
        """Run the model on the fresh events, if it gives its own predictions on the public ones."""
        payload = claim.payload
        task, entry = _entry(context, f"{payload['task']}/{payload['entry']}")
        runner = context.runner
        rerun = context.boards.checks(task.id, entry.id).rerun
        if runner is None or (rerun is not None and not rerun.passed):
            return None
        attachments = context.boards.attachments(task.id, entry.id).absolute()
        folder = _round_folder(context, payload["round"]).absolute()
        submission = _stored(context, entry)
        public = _test_data(task.id) if rerun is None else {}

        def work() -> dict[str, Any]:
            own = {}
            if rerun is None:
                own = _run_again(runner, task, submission, attachments, public)
                if not own or not _rerun(own).passed:
                    return {"rerun": own}
            data = fresh_events.load(task, folder)
            predictions = runner.run(task, entry, attachments, data, int(payload["seed"]))
            score = evaluate_predictions(task, entry.predictions.kind, predictions, data)
            return {"rerun": own, "metrics": _plain_metrics(score.metrics())}

        return Prepared(work, context.settings.model_limits, reads=(attachments, folder))

    def finish(self, context: Context, session: Session, claim: Claim, outcome: Outcome) -> None:
        """Write the score into the entry's checks."""
        if outcome.kind != "done":
            raise JobError(outcome.reason)
        payload, value = claim.payload, outcome.value
        task, entry = _entry(context, f"{payload['task']}/{payload['entry']}")
        checks = context.boards.checks(task.id, entry.id)
        if value.get("rerun"):
            checks = checks.model_copy(update={"rerun": _rerun(value["rerun"])})
        if "metrics" in value:
            fresh = Fresh(
                seed=int(payload["seed"]),
                events=fresh_events.counts(task, int(payload["size"])),
                metrics=_estimates(value["metrics"]),
                done=_now(),
            )
            earlier = tuple(one for one in checks.fresh if one.seed != fresh.seed)
            checks = checks.model_copy(update={"fresh": (*earlier, fresh)})
        _keep(context, session, entry, checks)

    def give_up(self, context: Context, session: Session, claim: Claim, reason: str) -> None:
        """Do nothing: the entry has no score of this refresh."""


KINDS: dict[str, Kind] = {
    "score": ScoreJob(),
    "draw": DrawJob(),
    "dataset": DatasetJob(),
    "rerun": RerunJob(),
    "refresh": RefreshJob(),
    "fresh": FreshJob(),
}
"""All kinds of jobs by name."""


def draw(
    task: Task, submission: Submission, data: Mapping[str, Any], folder: Path
) -> dict[str, Any]:
    """Draw all that the pages show of an entry.

    Parameters
    ----------
    task, submission, data
        The entry and the data on which it was scored.
    folder
        Where ``curves.json`` and the figures go.

    Returns
    -------
    dict
        Names of the files.
    """
    own = drawer(task)
    curves = Curves() if own is None else own.entry_curves(task, submission, data)
    write_whole(folder / CURVES_FILE, curves.model_dump_json().encode())
    figures = _figures_module(task)
    drawn = [] if figures is None else figures.save_figures(submission, folder, data)
    return {"files": [CURVES_FILE, *(file.name for file in drawn)]}


def request_refresh(session: Session, task: Task, size: int, account: Account) -> str:
    """Queue a refresh of a board; return the name of the round.

    Raises
    ------
    ValueError
        If fresh events cannot be made for the task, or not so few.
    """
    fresh_events.check(task, size)
    name = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{task.id}"
    payload = {
        "task": task.id,
        "round": name,
        "size": size,
        "seed": fresh_events.draw_seed(task),
        "by": account.name,
    }
    queue.enqueue(session, "refresh", name, payload, priority=queue.LATER)
    return name


def agreement(stored: Mapping[str, NDArray[Any]], own: Mapping[str, NDArray[Any]]) -> float:
    """Share of the predictions that are the same; numbers may differ by 1e-4 of their value."""
    if set(stored) != set(own) or any(stored[name].shape != own[name].shape for name in stored):
        return 0.0
    same = total = 0
    for name, values in stored.items():
        if values.dtype.kind == "f":
            equal = np.isclose(values, own[name], rtol=1e-4, atol=1e-12)
        else:
            equal = values == own[name]
        same += int(equal.sum())
        total += values.size
    return same / total if total else 1.0


def _run_again(
    runner: Runner, task: Task, submission: Submission, attachments: Path, data: Mapping[str, Any]
) -> dict[str, Any]:
    """Run an entry's model on the public data: what `_rerun` takes; empty if there is none."""
    way = runner.how(task, submission.manifest, attachments)
    if way is None:
        return {}
    start = time.monotonic()
    try:
        own = runner.run(task, submission.manifest, attachments, data)
    except ValueError as error:
        reason = " ".join(str(error).split())[:500]
        return {"how": way, "error": reason, "seconds": time.monotonic() - start}
    seconds = time.monotonic() - start
    score = evaluate_predictions(task, submission.manifest.predictions.kind, own, data)
    return {
        "how": way,
        "agreement": agreement(
            *(
                runner.comparable(task, submission.manifest, each, data)
                for each in (submission.predictions, own)
            )
        ),
        "metrics": _plain_metrics(score.metrics()),
        "seconds": seconds,
    }


def _rerun(value: Mapping[str, Any]) -> Rerun:
    share = float(value.get("agreement", 0.0))
    return Rerun(
        how=str(value["how"]),
        agreement=share,
        passed=share >= AGREEMENT,
        metrics=_estimates(value.get("metrics", {})),
        seconds=float(value["seconds"]),
        done=_now(),
        error=str(value.get("error", "")),
    )


def _figures_module(task: Task) -> Any:
    name = f"...figures.{task.score}"
    found = importlib.util.find_spec(name, __package__)
    module = None if found is None else importlib.import_module(name, __package__)
    return module if hasattr(module, "save_figures") else None


def _entry(context: Context, subject: str) -> tuple[Task, Entry]:
    task_id, _, entry_id = subject.partition("/")
    entry = context.boards.entry(task_id, entry_id)
    if entry is None:
        raise JobError(f"there is no entry {subject}")
    return find_task(task_id), entry


def _stored(context: Context, entry: Entry) -> Submission:
    file = context.boards.predictions(entry)
    if file is None:
        raise JobError(f"the predictions of {entry.id} are missing from the board")
    archive = file.read_bytes()
    try:
        return Submission(entry, unpack(archive, entry.predictions), archive)
    except SubmissionError as error:
        raise JobError(str(error)) from None


def _round_folder(context: Context, name: str) -> Path:
    return context.settings.fresh / name


def _keep(context: Context, session: Session, entry: Entry, checks: Checks) -> None:
    context.boards.set_checks(entry.task, entry.id, checks)
    index.put(session, entry, checks)


def _plain_metrics(metrics: Mapping[str, Estimate]) -> dict[str, dict[str, float]]:
    return {name: dataclasses.asdict(one) for name, one in metrics.items()}


def _estimates(metrics: Mapping[str, Mapping[str, float]]) -> dict[str, Estimate]:
    return {name: Estimate(**one) for name, one in metrics.items()}


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)
