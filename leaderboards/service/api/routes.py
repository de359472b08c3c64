"""The JSON API, version 1."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Path, Query, Request, Response
from fastapi.responses import FileResponse

from ...tasks import TASKS
from ...tasks import task as find_task
from ..storage import accounts, handing_in
from ..storage.accounts import AccountError
from ..views import Row, across_tasks, arranged, metrics, probability_better, read_curves
from ..workers.jobs import request_refresh
from . import schemas, uploads
from .access import Maintainer, Parts, Reader, Submitter

VERSION = "v1"

TaskId = Annotated[str, Path(pattern=r"^[A-Za-z][A-Za-z0-9-]{0,90}-v[0-9]{1,4}$")]
EntryId = Annotated[str, Path(pattern=r"^[a-z0-9-]{1,100}$")]
SubmissionId = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$")]
UserName = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,99}$")]

_ENTRY = r"^[a-z0-9-]{1,100}$"


def _problems(*codes: int) -> dict[int | str, dict[str, Any]]:
    return {code: {"model": schemas.Problem} for code in (401, 403, 421, 422, 429, *codes)}


router = APIRouter(prefix=f"/api/{VERSION}", responses=_problems())


def _table(parts: Parts, task_id: str) -> list[Row]:
    try:
        return parts.views.table(task_id)
    except ValueError as error:
        raise HTTPException(404, str(error)) from None


def _row(parts: Parts, task_id: str, entry_id: str) -> Row:
    for row in _table(parts, task_id):
        if row.entry.id == entry_id:
            return row
    raise HTTPException(404, f"{task_id} has no entry {entry_id}")


@router.get("/tasks", tags=["boards"])
def list_tasks(parts: Parts, reader: Reader) -> list[schemas.TaskSummary]:
    """List all tasks with the best entry of each."""
    return [_task(parts, task_id) for task_id in TASKS]


@router.get("/tasks/{task_id}", tags=["boards"], responses=_problems(404))
def show_task(parts: Parts, reader: Reader, task_id: TaskId) -> schemas.TaskSummary:
    """Show a task: data, score, direction, metrics, baselines, and its best entry."""
    _table(parts, task_id)
    return _task(parts, task_id)


@router.get("/tasks/{task_id}/entries", tags=["boards"], responses=_problems(404))
def list_entries(
    parts: Parts,
    reader: Reader,
    task_id: TaskId,
    trust: Annotated[
        Literal["", "recomputed", "re-run", "fresh", "awaiting"],
        Query(description="Only entries of this level of trust, or those awaiting a re-run."),
    ] = "",
    sort: Annotated[
        str,
        Query(max_length=100, description="A metric; the order of the board if left out."),
    ] = "",
    order: Annotated[Literal["ascending", "descending"], Query()] = "ascending",
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
) -> schemas.EntryPage:
    """List the entries of a task, the best first."""
    table = _table(parts, task_id)
    task = find_task(task_id)
    if sort and sort not in metrics(table, task):
        raise HTTPException(422, f"{task_id} has no metric {sort[:60]!r}")
    found = arranged(table, task, trust=trust, sort=sort, descending=order == "descending")
    part = [schemas.summary(row) for row in found[offset : offset + limit]]
    return schemas.EntryPage(total=len(found), entries=part)


@router.get("/tasks/{task_id}/entries/{entry_id}", tags=["boards"], responses=_problems(404))
def show_entry(
    parts: Parts, reader: Reader, task_id: TaskId, entry_id: EntryId
) -> schemas.EntryDetails:
    """Show an entry: what was handed in, what was recomputed, what the board did with it."""
    row = _row(parts, task_id, entry_id)
    return schemas.EntryDetails(summary=schemas.summary(row), entry=row.entry, checks=row.checks)


@router.get(
    "/tasks/{task_id}/entries/{entry_id}/predictions",
    tags=["boards"],
    response_class=FileResponse,
    responses={
        **_problems(404),
        200: {"content": {"application/octet-stream": {}}, "description": "A NumPy archive."},
    },
)
def get_predictions(
    parts: Parts, reader: Reader, task_id: TaskId, entry_id: EntryId
) -> FileResponse:
    """Download the predictions of an entry."""
    row = _row(parts, task_id, entry_id)
    file = parts.boards.predictions(row.entry)
    if file is None:
        raise HTTPException(404, f"the predictions of {entry_id} are missing from the board")
    return FileResponse(
        file, media_type="application/octet-stream", filename=f"{entry_id}-predictions.npz"
    )


@router.get("/tasks/{task_id}/compare", tags=["boards"], responses=_problems(404))
def compare(
    parts: Parts,
    reader: Reader,
    task_id: TaskId,
    one: Annotated[str, Query(pattern=_ENTRY)],
    other: Annotated[str, Query(pattern=_ENTRY)],
) -> schemas.Comparison:
    """Compare two entries: the probability that the first is better, given the finite test set."""
    first, second = _row(parts, task_id, one), _row(parts, task_id, other)
    drawn = parts.settings.drawn
    curves = (read_curves(drawn, f"{task_id}/{one}"), read_curves(drawn, f"{task_id}/{other}"))
    probability, method = probability_better(first, second, curves, find_task(task_id))
    return schemas.Comparison(one=one, other=other, probability=probability, method=method)


@router.get("/statistics", tags=["boards"])
def statistics(parts: Parts, reader: Reader) -> list[schemas.AgentAcrossTasks]:
    """Compare agents across tasks by the interquartile mean of their normalised scores."""
    tables = {task_id: parts.views.table(task_id) for task_id in TASKS}
    return [
        schemas.AgentAcrossTasks(
            agent=one.agent, tasks=one.tasks, runs=one.runs, interquartile_mean=one.iqm
        )
        for one in across_tasks(tables)
    ]


@router.post(
    "/submissions",
    tags=["submissions"],
    status_code=202,
    response_model=schemas.Submission,
    responses={
        **_problems(413),
        200: {"model": schemas.Submission, "description": "The same files were handed in before."},
    },
    openapi_extra={
        "requestBody": {
            "required": True,
            "description": (
                "A zip, tar or tar.gz archive with submission.json and predictions.npz; "
                "model.keras or model.onnx and log.jsonl may go with them."
            ),
            "content": {"application/octet-stream": {"schema": {"type": "string"}}},
        }
    },
)
async def hand_in(
    request: Request,
    response: Response,
    parts: Parts,
    submitter: Submitter,
    wait: Annotated[
        float, Query(ge=0, le=60, description="Seconds to wait for the score before answering.")
    ] = 0.0,
) -> schemas.Submission:
    """Hand a submission in. The same files twice are one submission.

    Answers 202 while it waits for its score, 200 if it was known or is scored, and 422 if it is
    refused, now or after waiting.
    """
    handed, new = await uploads.receive(parts, submitter, request.stream())
    request.app.state.measures.submissions.labels("new" if new else "known").inc()
    handed = await uploads.wait_for(parts, handed, wait)
    if handed.state == "refused":
        raise HTTPException(422, handed.reason)
    if not new or handed.state == "scored":
        response.status_code = 200
    response.headers["Location"] = f"/api/{VERSION}/submissions/{handed.id}"
    return schemas.submission(handed)


@router.get("/submissions/{submission_id}", tags=["submissions"], responses=_problems(404))
def show_submission(
    parts: Parts, reader: Reader, submission_id: SubmissionId
) -> schemas.Submission:
    """Show what has become of a submission."""
    with parts.database.read() as session:
        handed = handing_in.find_handed(session, submission_id)
    if handed is None:
        raise HTTPException(404, f"there is no submission {submission_id}")
    return schemas.submission(handed)


@router.post(
    "/tasks/{task_id}/refresh", tags=["maintenance"], status_code=202, responses=_problems(404)
)
def refresh(
    parts: Parts, maintainer: Maintainer, task_id: TaskId, wanted: schemas.RefreshRequest
) -> schemas.Refresh:
    """Generate fresh events from a secret seed and have every entry that can be run play them."""
    _table(parts, task_id)
    try:
        with parts.database.write() as session:
            name = request_refresh(session, find_task(task_id), wanted.size, maintainer)
    except ValueError as error:
        raise HTTPException(422, str(error)) from None
    return schemas.Refresh(round=name)


@router.put("/users", tags=["maintenance"], status_code=204)
def put_user(parts: Parts, maintainer: Maintainer, user: schemas.NewUser) -> None:
    """Make an account, or give it another role."""
    with parts.database.write() as session:
        accounts.add_user(session, user.name, user.role)


@router.post(
    "/users/{name}/tokens", tags=["maintenance"], status_code=201, responses=_problems(404)
)
def create_token(
    parts: Parts, maintainer: Maintainer, name: UserName, wanted: schemas.NewToken
) -> schemas.CreatedToken:
    """Make a token for an account. It is shown this once."""
    try:
        with parts.database.write() as session:
            number, token = accounts.create_token(
                session, name, label=wanted.label, days=wanted.days
            )
    except AccountError as error:
        raise HTTPException(404, str(error)) from None
    return schemas.CreatedToken(id=number, token=token)


@router.get("/tokens", tags=["maintenance"])
def list_tokens(parts: Parts, maintainer: Maintainer) -> list[schemas.TokenSummary]:
    """List all tokens, without their secrets."""
    with parts.database.read() as session:
        found = accounts.list_tokens(session)
    return [schemas.TokenSummary.model_validate(vars(one)) for one in found]


@router.delete(
    "/tokens/{token_id}", tags=["maintenance"], status_code=204, responses=_problems(404)
)
def revoke_token(
    parts: Parts,
    maintainer: Maintainer,
    token_id: Annotated[int, Path(ge=0, le=2**31 - 1)],
) -> None:
    """Make a token useless at once."""
    try:
        with parts.database.write() as session:
            accounts.revoke_token(session, token_id)
    except AccountError as error:
        raise HTTPException(404, str(error)) from None


def _task(parts: Parts, task_id: str) -> schemas.TaskSummary:
    table = parts.views.table(task_id)
    best = schemas.summary(table[0]) if table else None
    return schemas.TaskSummary(task=find_task(task_id), entries=len(table), best=best)
