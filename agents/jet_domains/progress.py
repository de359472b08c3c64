"""What a training of CycleGAN shows while it runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager


@contextmanager
def live_line(steps: int) -> Iterator[Callable[[int, int, Mapping[str, float]], None]]:
    """Show one live line: losses, errors on validation images, time left.

    Parameters
    ----------
    steps
        Steps in all.

    Yields
    ------
    Callable
        To be called with the step, all steps, and numbers of the log.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    with Bars(
        TextColumn("training"),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TextColumn("{task.fields[numbers]}"),
        TimeRemainingColumn(),
    ) as bars:
        bar = bars.add_task("training", total=steps, numbers="")
        shown: dict[str, float] = {}

        def show(step: int, total: int, numbers: Mapping[str, float]) -> None:
            shown.update(numbers)
            words = "  ".join(f"{name} {value:.3g}" for name, value in shown.items())
            bars.update(bar, completed=step, total=total, numbers=words)

        yield show
