"""A progress bar with the current estimate, for terminals."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from .base import Integration, Progress


@contextmanager
def progress_bar(calls: int, description: str = "") -> Iterator[Progress]:
    """Show a bar of calls, the estimate with its error and chi^2 per degree of freedom.

    Parameters
    ----------
    calls
        All calls of the integration.
    description
        What is integrated.

    Yields
    ------
    Progress
        To be given to `Sampler.integrate`.
    """
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn()
    with Bar(*columns, TextColumn("{task.fields[result]}")) as bar:
        task = bar.add_task(description, total=calls, result="")

        def show(partial: Integration) -> None:
            text = f"{partial.estimate:.6g} +- {partial.error:.2g}"
            if partial.dof:
                text += f", chi2/dof {partial.chi2 / partial.dof:.2f}"
            bar.update(task, completed=partial.calls, result=text)

        yield show
