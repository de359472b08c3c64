"""How far an entry can be trusted, and what the board did to find out.

*recomputed*: the score follows from the predictions that were handed in. *re-run*: the board ran
the model, or the named reference agent, and got the same predictions. *fresh*: the board ran it on
newly generated events with a seed that nobody had seen, where tuning on the public test set cannot
help. What was found lies beside the entry in ``checks/<entry id>.json``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from ..board import Entry
from ..bootstrap import Estimate
from ..tasks import Task

Trust = Literal["recomputed", "re-run", "fresh"]

LEVELS: tuple[Trust, ...] = ("recomputed", "re-run", "fresh")
"""Levels of trust, the lowest first."""

AGREEMENT = 0.9999
"""Share of the predictions that a re-run must give again: a choice between two nearly equal
values of a network may fall the other way on another processor."""


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Rerun(_Strict):
    """What came out when the board ran the model on the public test set.

    Attributes
    ----------
    how
        "model.keras", "model.onnx" or "reference agent".
    agreement
        Share of the predictions that are the same.
    passed
        Whether that is enough.
    metrics
        Metric to score of the board's own run.
    seconds
        Wall time of the run.
    done
        Time in UTC.
    error
        Why the model could not be run; empty if it could.
    """

    how: str
    agreement: Annotated[float, Field(ge=0, le=1)]
    passed: bool
    metrics: dict[str, Estimate]
    seconds: float
    done: AwareDatetime
    error: str = ""


class Fresh(_Strict):
    """Score on events that were generated for one refresh.

    Attributes
    ----------
    seed
        Seed of the events, drawn at random and shown only afterwards.
    events
        Role to number of events.
    metrics
        Metric to score.
    done
        Time in UTC.
    """

    seed: int
    events: dict[str, int]
    metrics: dict[str, Estimate]
    done: AwareDatetime


class Checks(_Strict):
    """All that the board did with an entry.

    Attributes
    ----------
    submitter
        Account that handed it in; None on a local board.
    rerun
        The last re-run.
    fresh
        All refreshes, the oldest first.
    """

    submitter: str | None = None
    rerun: Rerun | None = None
    fresh: tuple[Fresh, ...] = ()

    @property
    def trust(self) -> Trust:
        """The level that these checks give."""
        if self.rerun is None or not self.rerun.passed:
            return "recomputed"
        return "fresh" if self.fresh else "re-run"


def awaiting_rerun(entries: Iterable[Entry], task: Task) -> set[str]:
    """Entries that improve the board by more than the error but were never run by it.

    In the order in which entries were added, each is held against the best one before it that is
    not itself waiting. One at the level *recomputed* waits if it is better by more than the two
    68 % intervals combined in quadrature.

    Parameters
    ----------
    entries
        All entries of a board.
    task
        Its task.

    Returns
    -------
    set of str
        Entry ids.
    """
    sign = 1.0 if task.direction == "lower is better" else -1.0
    best: Estimate | None = None
    waiting: set[str] = set()
    for entry in sorted(entries, key=lambda one: (one.added, one.id)):
        score = entry.recomputed[task.primary]
        gain = 0.0 if best is None else sign * (best.value - score.value)
        if best is not None and entry.trust == "recomputed" and gain > _combined(best, score):
            waiting.add(entry.id)
        elif best is None or gain > 0.0:
            best = score
    return waiting


def gap(entry: Entry, fresh: Fresh, task: Task) -> tuple[float, float]:
    """How much worse the primary metric is on fresh events than on the public test set.

    Returns
    -------
    difference : float
        Positive if the fresh score is worse.
    error : float
        Bootstrap errors of both samples in quadrature.
    """
    sign = 1.0 if task.direction == "lower is better" else -1.0
    public, new = entry.recomputed[task.primary], fresh.metrics[task.primary]
    return sign * (new.value - public.value), math.hypot(public.error, new.error)


def _combined(one: Estimate, other: Estimate) -> float:
    return math.hypot(*(0.5 * (each.high68 - each.low68) for each in (one, other)))
