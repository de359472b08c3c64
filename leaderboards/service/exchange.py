"""Boards as folders for git, in and out, and as a static site."""

from __future__ import annotations

import functools
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..board import Board, BoardError, Entry
from ..manifest import MAX_MANIFEST_BYTES
from ..submission import submission_id
from ..tasks import TASKS, load_test_data
from ..untrusted import SubmissionError, parse_json, read_file
from .archives.attachments import check_attachment
from .archives.contents import ATTACHMENTS
from .archives.reading import check_names
from .boards import Boards
from .files import copy_whole, write_whole
from .pages import rendering
from .pages.files import dataset_facts, entry_files, tasks_with
from .pages.links import StaticLinks, task_file
from .storage.index import Listed
from .trust import LEVELS, Checks
from .views import Row, across_tasks, read_curves, rows

_Progress = Callable[[int, int, str], None]


def export_boards(boards: Boards, folder: Path) -> int:
    """Write all boards into a folder of JSON and files, fit for git.

    Returns
    -------
    int
        Number of entries.
    """
    return sum(boards.export(folder, task) for task in TASKS)


def import_boards(
    boards: Boards, folder: Path, *, trust: bool = True, progress: _Progress | None = None
) -> list[Entry]:
    """Add all entries of a folder of boards, each after its score was recomputed.

    Parameters
    ----------
    boards
        Where they go.
    folder
        What `export_boards` wrote, or any folder of boards.
    trust
        Whether to take over what another board says about re-runs and fresh events.
    progress
        Called with entries done, entries in all, and the present one.

    Returns
    -------
    list of Entry
        Those that were added.

    Raises
    ------
    BoardError
        If the folder holds no board, or an entry's score does not follow from its predictions.
        Entries before it stay.
    """
    known = [task for task in TASKS if (folder / task).is_dir()]
    if not known:
        raise BoardError(f"{folder} holds no board: it has no folder named as a task")
    sources = {task: Board(task, folder, shipped=None) for task in known}
    found = [(task, entry) for task, source in sources.items() for entry in source.entries()]
    added = []
    for number, (task, entry) in enumerate(found):
        if progress:
            progress(number, len(found), entry.id)
        if boards.entry(task, entry.id) is not None:
            continue
        _check(entry)
        sources[task].recompute(entry, _data(task))
        checks_file = folder / task / "checks" / f"{entry.id}.json"
        if trust and checks_file.is_file():
            checks = _read_checks(checks_file)
            boards.set_checks(task, entry.id, checks)
        predictions = folder / task / "predictions" / f"{entry.predictions.sha256}.npz"
        boards.add(folder / task / f"{entry.id}.json", predictions)
        attachments = folder / task / "attachments" / entry.id
        if attachments.is_dir():
            _attach(boards, entry, attachments)
        added.append(entry)
    if progress:
        progress(len(found), len(found), "done")
    return added


def export_site(boards: Boards, drawn: Path, folder: Path) -> int:
    """Write the boards as a static web site that can lie in any folder of any server.

    Parameters
    ----------
    boards
        The boards.
    drawn
        Figures and histograms that the service has drawn; what is missing is left out.
    folder
        Where the site goes.

    Returns
    -------
    int
        Number of pages.
    """
    tables = {
        task_id: rows(
            [Listed(entry, boards.checks(task_id, entry.id)) for entry in boards.entries(task_id)],
            TASKS[task_id],
        )
        for task_id in TASKS
    }
    pages = 0

    def write(file: str, html: str) -> None:
        nonlocal pages
        write_whole(folder / file, html.encode())
        pages += 1

    write("index.html", rendering.home(StaticLinks("index.html"), tables, across_tasks(tables)))
    folder.joinpath("style.css").write_bytes(rendering.STYLE_SHEET.read_bytes())
    for task_id, table in tables.items():
        _export_task(write, task_id, table, drawn)
        for row in table:
            _export_entry(write, boards, row, drawn, folder)
    for dataset_id in sorted({one for task in TASKS.values() for one in task.datasets.values()}):
        file = f"datasets/{dataset_id}.html"
        curves = read_curves(drawn, f"datasets/{dataset_id}")
        html = rendering.dataset_page(
            StaticLinks(file), dataset_id, dataset_facts(dataset_id), tasks_with(dataset_id), curves
        )
        write(file, html)
    return pages


def _export_task(
    write: Callable[[str, str], None], task_id: str, table: list[Row], drawn: Path
) -> None:
    task = TASKS[task_id]
    curves = read_curves(drawn, f"{task_id}/{table[0].entry.id}") if table else None
    for trust in ("", *LEVELS, "awaiting"):
        for sort in ("", *task.columns):
            for descending in (False, True) if sort else (False,):
                file = task_file(task_id, trust, sort, descending)
                html = rendering.task_page(
                    StaticLinks(file),
                    task,
                    table,
                    curves,
                    trust=trust,
                    sort=sort,
                    descending=descending,
                )
                write(file, html)


def _export_entry(
    write: Callable[[str, str], None], boards: Boards, row: Row, drawn: Path, folder: Path
) -> None:
    entry = row.entry
    file = f"tasks/{entry.task}/{entry.id}.html"
    beside = entry_files(boards, drawn, entry)
    write(file, rendering.entry_page(StaticLinks(file), TASKS[entry.task], row, beside))
    for name in beside.figures:
        target = folder / "tasks" / entry.task / "figures" / entry.id / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(drawn / entry.task / entry.id / name, target)
    predictions = boards.predictions(entry)
    if predictions is not None:
        copy_whole(predictions, folder / "tasks" / entry.task / "predictions" / f"{entry.id}.npz")


@functools.lru_cache(maxsize=1)
def _data(task: str) -> dict[str, Any]:
    return load_test_data(TASKS[task])


def _check(entry: Entry) -> None:
    """Check what a board's own reader does not: names, and that the id is the content's."""
    try:
        check_names(entry)
    except SubmissionError as error:
        raise BoardError(f"{entry.id}: {error}") from None
    if submission_id(entry) != entry.id:
        raise BoardError(f"{entry.id}: its content belongs to the id {submission_id(entry)}")


def _read_checks(file: Path) -> Checks:
    try:
        return parse_json(Checks, read_file(file, MAX_MANIFEST_BYTES), str(file))
    except SubmissionError as error:
        raise BoardError(f"damaged checks {error}") from None


def _attach(boards: Boards, entry: Entry, folder: Path) -> None:
    files = [file for file in sorted(folder.iterdir()) if file.name in ATTACHMENTS]
    for file in files:
        try:
            check_attachment(file)
        except SubmissionError as error:
            raise BoardError(f"{entry.id}: {error}") from None
    boards.attach(entry, files)
