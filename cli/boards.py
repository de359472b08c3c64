"""Commands about submissions and boards."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from .app import app, board_app
from .display import console, progress_when_needed, show_board, show_score
from .options import Folder, TaskId
from .service import Server, Token, show_board_of, submit_to


@app.command()
def evaluate(folder: Folder) -> None:
    """Recompute the score of a submission and hold its claims against it; changes nothing."""
    from ..leaderboards.submission import read_submission, verify
    from ..leaderboards.tasks import task as find_task

    submission = read_submission(folder)
    score = verify(submission)
    manifest = submission.manifest
    show_score(find_task(manifest.task), score.metrics(), manifest.label, None)
    print("the claims agree with the predictions")


@app.command()
def submit(
    folder: Folder,
    server: Server = None,
    token: Token = None,
    attach: Annotated[
        list[Path] | None,
        typer.Option(help="With --server: model (.keras, .onnx) or training log (.jsonl)."),
    ] = None,
    wait: Annotated[
        float, typer.Option(help="With --server: seconds to wait for the score.")
    ] = 600.0,
) -> None:
    """Put a submission on the local board, or a server's, after recomputing its score.

    The local board is a folder of JSON; HEPGYM_BOARD says where, by default the user's data
    folder.
    """
    if server:
        submit_to(server, folder, token, attach, wait)
        return
    from ..leaderboards.board import Board
    from ..leaderboards.submission import read_submission

    submission = read_submission(folder)
    board = Board(submission.manifest.task)
    entry = board.add(submission)
    place = [one.id for one in board.entries()].index(entry.id) + 1
    print(
        f"{entry.id} is number {place} of {len(board.entries())} on the board of {entry.task}: "
        f"{board.task.primary} = {entry.recomputed[board.task.primary]}"
    )


@app.command()
def leaderboard(
    task: Annotated[
        str | None, typer.Argument(metavar="TASK", help="Task id; all tasks if left out.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Entries as JSON.")] = False,
    server: Server = None,
    token: Token = None,
) -> None:
    """Show a board, or the best entry of every task."""
    if server:
        show_board_of(server, task, token, as_json)
        return
    from rich.markup import escape
    from rich.table import Table

    from ..leaderboards.board import Board
    from ..leaderboards.tasks import TASKS

    boards = [Board(one) for one in ([task] if task else TASKS)]
    if as_json:
        entries = [entry.model_dump(mode="json") for b in boards for entry in b.entries()]
        print(json.dumps(entries, indent=2))
        return
    if not task:
        table = Table("task", "entries", "best agent", "score", title="Tasks")
        for board in boards:
            best = board.best()
            table.add_row(
                board.task.id,
                str(len(board.entries())),
                escape(best.label) if best else "-",
                str(best.recomputed[board.task.primary]) if best else "-",
            )
        console().print(table)
        return
    show_board(boards[0].task, boards[0].entries())


@board_app.command("rebuild")
def board_rebuild(
    task: Annotated[
        list[str] | None, typer.Option(help="Only this task; repeatable, default all.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="Folder of boards; default the one that is shipped.")
    ] = None,
) -> None:
    """Play every task with its baselines and reference agents, write the entries of its board."""
    from ..agents.players import player
    from ..leaderboards.board import SHIPPED_BOARDS
    from ..leaderboards.tasks import TASKS
    from ..leaderboards.tasks import task as find_task

    folder = output or SHIPPED_BOARDS
    entries = 0
    with progress_when_needed() as progress:
        for one in [find_task(name) for name in task or TASKS]:
            entries += len(player(one).rebuild(one, folder, progress))
    print(f"{entries} entries in {folder}")


@board_app.command("verify")
def board_verify(task: TaskId) -> None:
    """Recompute the score of every entry of a board from its stored predictions."""
    from ..leaderboards.board import Board
    from ..leaderboards.tasks import load_test_data

    board = Board(task)
    data = load_test_data(board.task)
    for entry in board.entries():
        board.recompute(entry, data)
        print(f"{entry.id}: {entry.recomputed[board.task.primary]} recomputed")
