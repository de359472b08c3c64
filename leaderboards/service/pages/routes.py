"""Addresses of the pages."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable
from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse
from starlette.datastructures import UploadFile
from starlette.responses import Response

from ...tasks import TASKS
from ...tasks import task as find_task
from ..api import uploads
from ..api.access import account_of, check_role, page_account, service_of
from ..service import Service
from ..storage import handing_in, queue
from ..views import (
    Row,
    across_tasks,
    metrics,
    probability_better,
    read_curves,
)
from . import rendering
from .files import dataset_facts, entry_files, figure_file, tasks_with
from .links import LiveLinks

router = APIRouter(include_in_schema=False)

_LINKS = LiveLinks()
_MOST_COMPARED = 6
_MOST_KEPT = 500
_LOOK_AGAIN_S = 3
_PIECE = 1 << 16


class PageCache:
    """Finished pages, as long as no board changes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._revision = -1
        self._pages: dict[str, str] = {}

    def page(self, service: Service, key: str, make: Callable[[], tuple[str, bool]]) -> str:
        """Give a page, made anew if needed.

        Parameters
        ----------
        service
            Whose pages these are.
        key
            Name of the page.
        make
            Makes it, and says whether it is finished.
        """
        now = service.views.revision()
        with self._lock:
            if now != self._revision:
                self._revision, self._pages = now, {}
            elif key in self._pages:
                return self._pages[key]
        html, finished = make()
        if finished:
            with self._lock:
                if now == self._revision and len(self._pages) < _MOST_KEPT:
                    self._pages[key] = html
        return html


def problem(
    request: Request, status: int, detail: str, headers: dict[str, str] | None = None
) -> Response:
    """Page for a request that was refused."""
    return HTMLResponse(rendering.problem_page(_LINKS, status, detail), status, headers)


@router.get("/")
def home(request: Request) -> HTMLResponse:
    """Show all tasks."""
    service = _reader(request)

    def make() -> tuple[str, bool]:
        tables = {task_id: service.views.table(task_id) for task_id in TASKS}
        return rendering.home(_LINKS, tables, across_tasks(tables)), True

    return _answer(request, service, "/", make)


@router.get("/tasks/{task_id}")
def show_task(
    request: Request,
    task_id: str,
    trust: Annotated[str, Query(max_length=20)] = "",
    sort: Annotated[str, Query(max_length=100)] = "",
    order: Annotated[str, Query(max_length=20)] = "",
) -> HTMLResponse:
    """Show a task and its board."""
    service = _reader(request)
    table = _table(service, task_id)
    task = find_task(task_id)
    if trust and trust not in rendering.TRUST_WORDS:
        raise HTTPException(422, f"there is no level of trust {trust!r}")
    if sort and sort not in metrics(table, task):
        raise HTTPException(422, f"{task_id} has no metric {sort!r}")
    descending = order == "descending"

    def make() -> tuple[str, bool]:
        curves = None
        if table:
            subject = f"{task_id}/{table[0].entry.id}"
            curves = read_curves(service.settings.drawn, subject)
            if curves is None:
                _have_drawn(service, "draw", subject)
        html = rendering.task_page(
            _LINKS, task, table, curves, trust=trust, sort=sort, descending=descending
        )
        return html, curves is not None

    return _answer(request, service, f"{task_id} {trust} {sort} {descending}", make)


@router.get("/tasks/{task_id}/compare")
def compare(
    request: Request, task_id: str, entry: Annotated[list[str] | None, Query()] = None
) -> HTMLResponse:
    """Hold entries against each other."""
    service = _reader(request)
    chosen = list(dict.fromkeys(entry or []))
    if not 2 <= len(chosen) <= _MOST_COMPARED:
        raise HTTPException(422, f"choose 2 to {_MOST_COMPARED} entries of the table to compare")
    task = find_task(_known(task_id))
    rows = [_row(service, task_id, entry_id) for entry_id in chosen]

    def make() -> tuple[str, bool]:
        drawn = [read_curves(service.settings.drawn, f"{task_id}/{name}") for name in chosen]
        for name, curves in zip(chosen, drawn, strict=True):
            if curves is None:
                _have_drawn(service, "draw", f"{task_id}/{name}")
        methods = []
        probabilities: list[list[float | None]] = []
        for one, first in zip(rows, drawn, strict=True):
            line: list[float | None] = []
            for other, second in zip(rows, drawn, strict=True):
                if one is other:
                    line.append(None)
                    continue
                share, method = probability_better(one, other, (first, second), task)
                line.append(share)
                methods.append(method)
            probabilities.append(line)
        html = rendering.comparison_page(
            _LINKS,
            task,
            rows,
            drawn,
            probabilities,
            " or ".join(sorted(set(methods))),
            metrics(rows, task),
        )
        return html, None not in drawn

    return _answer(request, service, f"compare {task_id} {chosen}", make)


@router.get("/tasks/{task_id}/entries/{entry_id}")
def show_entry(request: Request, task_id: str, entry_id: str) -> HTMLResponse:
    """Show an entry."""
    service = _reader(request)
    row = _row(service, task_id, entry_id)

    def make() -> tuple[str, bool]:
        files = entry_files(service.boards, service.settings.drawn, row.entry)
        waiting = files.curves is None and _have_drawn(service, "draw", f"{task_id}/{entry_id}")
        html = rendering.entry_page(
            _LINKS,
            find_task(task_id),
            row,
            files,
            refresh_s=_LOOK_AGAIN_S if waiting else None,
        )
        return html, files.curves is not None

    return _answer(request, service, f"{task_id}/{entry_id}", make)


@router.get("/tasks/{task_id}/entries/{entry_id}/figures/{name}")
def show_figure(request: Request, task_id: str, entry_id: str, name: str) -> FileResponse:
    """Send a figure of an entry."""
    service = _reader(request)
    row = _row(service, task_id, entry_id)
    file = figure_file(service.settings.drawn, task_id, row.entry.id, name)
    if file is None:
        raise HTTPException(404, f"{entry_id} has no figure of that name")
    return FileResponse(file, media_type="image/png")


@router.get("/datasets/{dataset_id:path}")
def show_dataset(request: Request, dataset_id: str) -> HTMLResponse:
    """Show a dataset."""
    service = _reader(request)
    try:
        facts = dataset_facts(dataset_id)
    except ValueError as error:
        raise HTTPException(404, str(error)) from None

    def make() -> tuple[str, bool]:
        curves = read_curves(service.settings.drawn, f"datasets/{dataset_id}")
        waiting = curves is None and _have_drawn(service, "dataset", dataset_id)
        html = rendering.dataset_page(
            _LINKS,
            dataset_id,
            facts,
            tasks_with(dataset_id),
            curves,
            refresh_s=_LOOK_AGAIN_S if waiting else None,
        )
        return html, curves is not None

    return _answer(request, service, f"dataset {dataset_id}", make)


@router.get("/submit")
def submit_form(request: Request) -> HTMLResponse:
    """Show the form to hand a submission in."""
    _reader(request)
    return HTMLResponse(rendering.submit_page(_LINKS))


@router.post("/submit")
async def submit(request: Request) -> Response:
    """Take a submission from the form."""
    service = service_of(request)
    async with request.form(max_files=1, max_fields=2, max_part_size=10_000) as form:
        archive, token = form.get("archive"), form.get("token")
        try:
            account = (
                account_of(request, token)
                if isinstance(token, str) and token
                else page_account(request)
            )
            check_role(account, "submitter")
            if not isinstance(archive, UploadFile):
                raise HTTPException(422, "choose an archive")
            handed, new = await uploads.receive(service, account, _pieces(archive))
        except HTTPException as error:
            page = rendering.submit_page(_LINKS, error.detail)
            return HTMLResponse(page, error.status_code, dict(error.headers or {}))
    request.app.state.measures.submissions.labels("new" if new else "known").inc()
    return RedirectResponse(f"/submissions/{handed.id}", 303)


@router.get("/submissions/{submission_id}")
def show_submission(request: Request, submission_id: str) -> HTMLResponse:
    """Show what has become of a submission."""
    service = _reader(request)
    with service.database.read() as session:
        known = submission_id.isalnum()
        handed = handing_in.find_handed(session, submission_id) if known else None
    if handed is None:
        raise HTTPException(404, "there is no such submission")
    return HTMLResponse(rendering.submission_page(_LINKS, handed))


@router.get("/api")
def api(request: Request) -> HTMLResponse:
    """Show the API to people."""
    _reader(request)
    return HTMLResponse(rendering.api_page(_LINKS, request.app.openapi()))


@router.get("/static/style.css")
def style() -> FileResponse:
    """Send the style sheet."""
    return FileResponse(
        rendering.STYLE_SHEET, media_type="text/css", headers={"Cache-Control": "max-age=3600"}
    )


@router.get("/favicon.ico")
def favicon() -> Response:
    """No icon: browsers ask for one whether or not a page names it."""
    return Response(status_code=204)


def _reader(request: Request) -> Service:
    check_role(page_account(request), "reader")
    return service_of(request)


def _answer(
    request: Request, service: Service, key: str, make: Callable[[], tuple[str, bool]]
) -> HTMLResponse:
    cache: PageCache = request.app.state.pages
    return HTMLResponse(cache.page(service, key, make))


def _known(task_id: str) -> str:
    if task_id not in TASKS:
        raise HTTPException(404, f"there is no task {task_id[:60]!r}")
    return task_id


def _table(service: Service, task_id: str) -> list[Row]:
    return service.views.table(_known(task_id))


def _row(service: Service, task_id: str, entry_id: str) -> Row:
    row = service.views.row(_known(task_id), entry_id)
    if row is None:
        raise HTTPException(404, f"{task_id} has no entry {entry_id[:100]!r}")
    return row


def _have_drawn(service: Service, kind: str, subject: str) -> bool:
    """Queue a drawing; return whether it will come."""
    with service.database.read() as session:
        job = queue.find(session, kind, subject)
        if job is not None and job.state in ("queued", "running"):
            return True
        if job is not None and job.state == "failed":
            return False
    with service.database.write() as session:
        queue.enqueue(session, kind, subject, priority=queue.SOON, again=True)
    return True


async def _pieces(archive: UploadFile) -> AsyncIterator[bytes]:
    while piece := await archive.read(_PIECE):
        yield piece
