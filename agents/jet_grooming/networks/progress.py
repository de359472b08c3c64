"""What a training shows while it runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from ...progress import live_bar


class Progress(Protocol):
    """Called after each vector step with counts, and now and then with new numbers."""

    def __call__(self, step: int, numbers: dict[str, float]) -> None:
        """Show that ``step`` environment steps are done; ``numbers`` as in the log."""
        ...


def silent(step: int, numbers: dict[str, float]) -> None:
    """Show nothing."""


@contextmanager
def live_line(steps: int) -> Iterator[Progress]:
    """Show one live line: reward, loss, validation score, steps per second, time left.

    Parameters
    ----------
    steps
        Environment steps in all.

    Yields
    ------
    Progress
    """
    names = {
        "reward": "reward",
        "loss": "loss",
        "validation_loss": "L(validation)",
        "steps_per_second": "steps/s",
    }
    shown: dict[str, float] = {}
    with live_bar(steps) as update:

        def show(step: int, numbers: dict[str, float]) -> None:
            shown.update({k: v for k, v in numbers.items() if k in names})
            update(step, "  ".join(f"{names[k]} {v:.4g}" for k, v in shown.items()))

        yield show
