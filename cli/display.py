"""What commands show: tables and progress bars."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.progress import Progress

    from ..leaderboards.board import Entry
    from ..leaderboards.tasks import Task

_MANY = 20
"""Metrics that fit into one table."""


def show_score(task: Task, metrics: Any, title: str, best: Entry | None) -> None:
    """Show a score beside the best entry of its board."""
    from rich.markup import escape
    from rich.table import Table

    table = Table("metric", escape(title), "68 % interval", title=f"{task.id}: {task.title}")
    if best:
        table.add_column(f"best on the board: {escape(best.label)}")
    # A score over many cells has its own table.
    columns = [name for name in task.columns if name in metrics]
    shown = metrics if len(metrics) <= _MANY else {name: metrics[name] for name in columns}
    for name, value in shown.items():
        row = [name, str(value), f"[{value.low68:.4g}, {value.high68:.4g}]"]
        if best:
            row.append(str(best.recomputed[name]) if name in best.recomputed else "-")
        table.add_row(*row, style="bold" if name == task.primary else None)
    console().print(table)


def show_board(task: Task, entries: list[Entry]) -> None:
    """Show the entries of a board."""
    from rich.markup import escape
    from rich.table import Table

    table = Table("#", "agent", title=f"{task.id}: {task.title} ({task.direction})")
    for name in task.columns:
        table.add_column(name, justify="right", no_wrap=True)
    for name in ("trust", "added"):
        table.add_column(name)
    for place, entry in enumerate(entries, start=1):
        table.add_row(
            str(place),
            escape(entry.label) + ("" if entry.in_game else " (outside the game)"),
            *(
                str(entry.recomputed[name]) if name in entry.recomputed else "-"
                for name in task.columns
            ),
            entry.trust,
            f"{entry.added:%Y-%m-%d}",
        )
    console().print(table)


def console() -> Any:
    """Give the console for tables."""
    from rich.console import Console

    # Tables go into files and pipes as they go to a wide terminal.
    return Console(width=None if sys.stdout.isatty() else 160, emoji=False)


def progress_bar(unit: str = "") -> Progress:
    """Give a progress bar on standard error, with the rate if the unit is given."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns: list[Any] = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()]
    if unit:
        columns.append(rate_column(unit))
    return Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=stderr())


@contextmanager
def progress_when_needed() -> Iterator[Callable[[int, int, str], None]]:
    """Give a function of (done, total, words) that shows a bar from its first call on."""
    shown: list[Progress] = []
    with ExitStack() as stack:

        def show(done: int, total: int, words: str) -> None:
            if not shown:
                shown.append(stack.enter_context(progress_bar()))
                shown[0].add_task(words, total=total)
            shown[0].update(shown[0].task_ids[0], completed=done, total=total, description=words)

        yield show


def stderr() -> Any:
    """Give the console for progress."""
    from rich.console import Console

    return Console(stderr=True)


def rate_column(unit: str) -> Any:
    """Column with the rate of a progress bar."""
    from rich.progress import ProgressColumn
    from rich.text import Text

    class RateColumn(ProgressColumn):
        def render(self, task: Any) -> Text:
            return Text(f"{task.speed:.0f} {unit}/s" if task.speed else f"- {unit}/s")

    return RateColumn()
