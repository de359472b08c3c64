"""What a training shows while it runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

Show = Callable[[int, int, Mapping[str, float]], None]
"""Called with the step, all steps, and numbers of the log."""


@contextmanager
def live_bar(steps: int) -> Iterator[Callable[[int, str], None]]:
    """Show one live line: a bar, words, time left.

    Parameters
    ----------
    steps
        Steps in all.

    Yields
    ------
    Callable
        To be called with the steps done and the words.
    """
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    with Progress(
        TextColumn("training"),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TextColumn("{task.fields[numbers]}"),
        TimeRemainingColumn(),
    ) as bars:
        bar = bars.add_task("training", total=steps, numbers="")
        yield lambda step, words: bars.update(bar, completed=min(step, steps), numbers=words)


@contextmanager
def live_line(steps: int) -> Iterator[Show]:
    """Show one live line: the newest value of every number of the log, time left.

    Parameters
    ----------
    steps
        Steps in all.

    Yields
    ------
    Show
    """
    shown: dict[str, float] = {}
    with live_bar(steps) as update:

        def show(step: int, total: int, numbers: Mapping[str, float]) -> None:
            shown.update(numbers)
            update(step, "  ".join(f"{name} {value:.3g}" for name, value in shown.items()))

        yield show
