"""What is shown of the boards, by the API, the pages and the static site alike."""

from __future__ import annotations

import functools
import math
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from ..board import Entry
from ..bootstrap import Estimate
from ..statistics import interquartile_mean, normalised, stratified_bootstrap
from ..tasks import TASKS, Task
from ..tasks import task as find_task
from .drawing.curves import CURVES_FILE, Curves
from .storage import index
from .storage.database import Database
from .storage.index import Listed
from .trust import Checks, awaiting_rerun, gap


@dataclass(frozen=True)
class Row:
    """An entry as a table shows it.

    Attributes
    ----------
    entry, checks
        The entry and all that the board did with it.
    awaiting
        Whether it is marked as awaiting re-run.
    place
        Place on the board, from 1.
    gap
        How much worse the last fresh score is than the public one, with its error; None without.
    """

    entry: Entry
    checks: Checks
    awaiting: bool
    place: int
    gap: tuple[float, float] | None


@dataclass(frozen=True)
class Step:
    """An entry that became the best of its board when it was added."""

    added: datetime
    score: Estimate
    entry: Entry


@dataclass(frozen=True)
class AcrossTasks:
    """An agent's runs over all tasks that it has entries for.

    Attributes
    ----------
    agent
        Name of the agent.
    tasks, runs
        How many tasks and entries.
    iqm
        Interquartile mean of the normalised scores.
    """

    agent: str
    tasks: int
    runs: int
    iqm: Estimate


class Views:
    """The boards as they are shown, from the index, kept until a board changes."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._revision = -1
        self._tables: dict[str, list[Row]] = {}

    def revision(self) -> int:
        """Count of the changes to the boards so far."""
        with self._database.read() as session:
            return index.revision(session)

    def table(self, task_id: str) -> list[Row]:
        """All entries of a task, the best first.

        Raises
        ------
        ValueError
            If there is no such task.
        """
        task = find_task(task_id)
        with self._database.read() as session:
            now = index.revision(session)
            with self._lock:
                if now != self._revision:
                    self._revision, self._tables = now, {}
                known = self._tables.get(task_id)
            if known is not None:
                return known
            found = rows(index.listed(session, task_id), task)
        with self._lock:
            if now == self._revision:
                self._tables[task_id] = found
        return found

    def row(self, task_id: str, entry_id: str) -> Row | None:
        """Find one entry."""
        return next((row for row in self.table(task_id) if row.entry.id == entry_id), None)


def rows(listed: Iterable[Listed], task: Task) -> list[Row]:
    """Make the table of a board, the best first."""
    found = list(listed)
    waiting = awaiting_rerun([one.entry for one in found], task)
    sign = 1.0 if task.direction == "lower is better" else -1.0
    found.sort(key=lambda one: (sign * one.entry.recomputed[task.primary].value, one.entry.id))
    return [
        Row(
            one.entry,
            one.checks,
            one.entry.id in waiting,
            place,
            gap(one.entry, one.checks.fresh[-1], task) if one.checks.fresh else None,
        )
        for place, one in enumerate(found, start=1)
    ]


def metrics(table: Sequence[Row], task: Task) -> list[str]:
    """Metrics that can be shown and sorted by, those of the task's columns first."""
    rest = {name for row in table for name in row.entry.recomputed}
    return [*task.columns, *sorted(rest - set(task.columns))]


def arranged(
    table: Sequence[Row], task: Task, *, trust: str = "", sort: str = "", descending: bool = False
) -> list[Row]:
    """Filter by level of trust and sort by a metric; entries without it come last.

    Parameters
    ----------
    table
        The rows.
    task
        Their task.
    trust
        A level of trust, "awaiting", or nothing for all.
    sort
        A metric, or nothing for the order of the board.
    descending
        High values first.

    Returns
    -------
    list of Row
    """
    kept = [
        row
        for row in table
        if not trust or (row.awaiting if trust == "awaiting" else row.entry.trust == trust)
    ]
    if not sort:
        return kept
    sign = -1.0 if descending else 1.0

    def key(row: Row) -> tuple[bool, float, int]:
        score = row.entry.recomputed.get(sort)
        return (score is None, 0.0 if score is None else sign * score.value, row.place)

    return sorted(kept, key=key)


def best_over_time(table: Sequence[Row], task: Task) -> list[Step]:
    """Entries that were the best when they were added, the oldest first."""
    sign = 1.0 if task.direction == "lower is better" else -1.0
    steps: list[Step] = []
    for row in sorted(table, key=lambda one: (one.entry.added, one.place)):
        score = row.entry.recomputed[task.primary]
        if not steps or sign * (steps[-1].score.value - score.value) > 0:
            steps.append(Step(row.entry.added, score, row.entry))
    return steps


def baselines(table: Sequence[Row], task: Task) -> list[Row]:
    """Return the best entry of each of the task's baselines, in the task's order."""
    found = []
    for name in task.baselines:
        own = [row for row in table if row.entry.agent == name]
        if own:
            found.append(min(own, key=lambda row: row.place))
    return found


def across_tasks(tables: dict[str, list[Row]]) -> list[AcrossTasks]:
    """Agents on the scale where random is 0 and each task's best baseline is 1.

    Only tasks with a random agent and a baseline better than it count. The runs of an agent are
    all its entries, with whatever settings and seeds.

    Parameters
    ----------
    tables
        Task id to rows.

    Returns
    -------
    list of AcrossTasks
        The best first.
    """
    scores: dict[str, dict[str, list[float]]] = {}
    for task_id, table in tables.items():
        scale = _scale(table, TASKS[task_id])
        if scale is None:
            continue
        for row in table:
            value = row.entry.recomputed[TASKS[task_id].primary].value
            own = scores.setdefault(row.entry.agent, {}).setdefault(task_id, [])
            own.append(float(normalised(value, *scale)))
    found = []
    for agent, by_task in scores.items():
        runs = tuple(tuple(by_task[task_id]) for task_id in sorted(by_task))
        found.append(AcrossTasks(agent, len(runs), sum(map(len, runs)), _iqm(runs)))
    return sorted(found, key=lambda one: (-one.iqm.value, one.agent))


def probability_better(
    one: Row, other: Row, curves: tuple[Curves | None, Curves | None], task: Task
) -> tuple[float, str]:
    """Probability that an entry is better than another, given the finite test set.

    Parameters
    ----------
    one, other
        The entries.
    curves
        What was drawn of them, with the resampled primary metric if the task has it.
    task
        Their task.

    Returns
    -------
    probability : float
    method : str
        "paired bootstrap" of the same events, or "independent normal errors".
    """
    sign = 1.0 if task.direction == "lower is better" else -1.0
    first, second = curves
    if first and second and first.resampled and len(first.resampled) == len(second.resampled):
        gains = sign * (np.array(second.resampled) - np.array(first.resampled))
        share = float((gains > 0).mean() + 0.5 * (gains == 0).mean())
        return share, "paired bootstrap"
    a, b = one.entry.recomputed[task.primary], other.entry.recomputed[task.primary]
    error = math.hypot(a.error, b.error)
    gain = sign * (b.value - a.value)
    if error == 0.0:
        return (0.5 if gain == 0 else float(gain > 0)), "independent normal errors"
    return 0.5 * (1.0 + math.erf(gain / error / math.sqrt(2.0))), "independent normal errors"


def read_curves(drawn: Path, subject: str) -> Curves | None:
    """Read what was drawn of an entry (``task/entry``) or dataset; None if nothing was yet."""
    try:
        return Curves.model_validate_json((drawn / subject / CURVES_FILE).read_bytes())
    except FileNotFoundError:
        return None


@functools.lru_cache(maxsize=256)
def _iqm(runs: tuple[tuple[float, ...], ...]) -> Estimate:
    """Interquartile mean with its interval; most agents have no new entry since the last time."""
    return stratified_bootstrap([np.array(one) for one in runs], interquartile_mean, resamples=500)


def _scale(table: Sequence[Row], task: Task) -> tuple[float, float] | None:
    random = [row for row in table if row.entry.agent == "random"]
    references = baselines(table, task)
    if not random or not references:
        return None
    low = random[0].entry.recomputed[task.primary].value
    best = min(references, key=lambda row: row.place).entry.recomputed[task.primary].value
    better = best < low if task.direction == "lower is better" else best > low
    return (low, best) if better else None
