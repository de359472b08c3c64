"""From the boards to HTML: one function for each page."""

from __future__ import annotations

import ast
import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from ....version import __version__
from ...bootstrap import Estimate
from ...tasks import TASKS, Task
from ..drawing.curves import Curves, Histogram
from ..storage.handing_in import HandedIn
from ..trust import LEVELS
from ..views import (
    AcrossTasks,
    Row,
    arranged,
    baselines,
    best_over_time,
    metrics,
)
from .charts import COLOURS, Line, band, chart, staircase, steps
from .links import Links

_TEMPLATES = Path(__file__).parent / "templates"
_SCORES = Path(__file__).parent.parent.parent / "scores"
STYLE_SHEET = Path(__file__).parent / "static" / "style.css"

TRUST_WORDS = {
    "recomputed": "the score was recomputed from the predictions that were handed in",
    "re-run": "the board ran the model and got the same predictions",
    "fresh": "the board also ran it on new events with a seed that nobody had seen",
    "awaiting": "better than the board by more than the error, but never run by the board",
}
"""What the levels of trust mean."""


@dataclass(frozen=True)
class Plot:
    """A chart and its legend."""

    title: str
    svg: Markup
    legend: list[tuple[str, str]]


@dataclass(frozen=True)
class EntryFiles:
    """What lies beside an entry.

    Attributes
    ----------
    curves
        Histograms; None while they are not drawn.
    figures
        Names of figures.
    training
        Lines of the training's log.
    attachments
        Names of files that were handed in with it.
    """

    curves: Curves | None
    figures: Sequence[str] = ()
    training: Sequence[Mapping[str, Any]] = ()
    attachments: Sequence[str] = ()


@functools.cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["day"] = lambda time: f"{time:%Y-%m-%d}"
    environment.filters["interval"] = _interval
    environment.filters["percent"] = lambda share: f"{100 * share:.4g} %"
    environment.globals["version"] = __version__
    environment.globals["trust_words"] = TRUST_WORDS
    environment.globals["levels"] = LEVELS
    return environment


def _page(template: str, links: Links, **content: Any) -> str:
    shown = {"refresh_s": None, **content}
    return _environment().get_template(template).render(**shown, links=links)


def home(links: Links, tables: Mapping[str, list[Row]], across: Sequence[AcrossTasks]) -> str:
    """Page of all tasks: best score against baselines over time."""
    shown = [
        (TASKS[task_id], table, _history(table, TASKS[task_id], number))
        for number, (task_id, table) in enumerate(tables.items())
    ]
    return _page("home.html", links, shown=shown, across=across)


def task_page(
    links: Links,
    task: Task,
    table: list[Row],
    curves: Curves | None,
    *,
    trust: str = "",
    sort: str = "",
    descending: bool = False,
) -> str:
    """Page of a task: rules, data, score, figures, and the table."""
    names = metrics(table, task)
    shown = [*task.columns]
    if sort and sort not in shown:
        shown.append(sort)
    return _page(
        "task.html",
        links,
        task=task,
        total=len(table),
        rows=arranged(table, task, trust=trust, sort=sort, descending=descending),
        columns=shown,
        others=[name for name in names if name not in shown],
        trust=trust,
        sort=sort,
        descending=descending,
        history=_history(table, task, 0),
        best=table[0] if table else None,
        plots=_histograms([("", curves)] if curves else [], 1),
        definition=_definition(task.score),
    )


def entry_page(
    links: Links, task: Task, row: Row, files: EntryFiles, *, refresh_s: int | None = None
) -> str:
    """Page of an entry: who, what, how, with figures."""
    named = [(row.entry.label, files.curves)] if files.curves else []
    return _page(
        "entry.html",
        links,
        task=task,
        row=row,
        entry=row.entry,
        checks=row.checks,
        files=files,
        plots=_histograms(named, 0),
        training=_training(files.training, 100),
        refresh_s=refresh_s,
    )


def comparison_page(
    links: Links,
    task: Task,
    rows: Sequence[Row],
    curves: Sequence[Curves | None],
    probabilities: Sequence[Sequence[float | None]],
    method: str,
    names: Sequence[str],
) -> str:
    """Page that holds entries against each other."""
    drawn = [
        (f"{number + 1}. {row.entry.label}", one)
        for number, (row, one) in enumerate(zip(rows, curves, strict=True))
        if one is not None
    ]
    return _page(
        "compare.html",
        links,
        task=task,
        rows=rows,
        plots=_histograms(drawn, 0),
        probabilities=probabilities,
        method=method,
        names=names,
    )


def dataset_page(
    links: Links,
    dataset_id: str,
    facts: Sequence[tuple[str, str]],
    tasks: Sequence[Task],
    curves: Curves | None,
    *,
    refresh_s: int | None = None,
) -> str:
    """Page of a dataset: what it is, which tasks use it, what it looks like."""
    named = [(dataset_id, curves)] if curves else []
    return _page(
        "dataset.html",
        links,
        dataset_id=dataset_id,
        facts_shown=facts,
        tasks=tasks,
        plots=_histograms(named, 0),
        refresh_s=refresh_s,
    )


def submit_page(links: Links, problem: str = "") -> str:
    """Page with the form to hand a submission in."""
    return _page("submit.html", links, problem=problem)


def submission_page(links: Links, handed: HandedIn) -> str:
    """Page of a submission: waiting, scored or refused."""
    return _page(
        "submission.html", links, handed=handed, refresh_s=2 if handed.state == "queued" else None
    )


def api_page(links: Links, schema: Mapping[str, Any]) -> str:
    """Page of the API, from its OpenAPI description."""
    operations = [
        (method.upper(), path, operation)
        for path, methods in schema["paths"].items()
        for method, operation in methods.items()
    ]
    return _page("api.html", links, operations=operations)


def problem_page(links: Links, status: int, detail: str) -> str:
    """Page for a request that was refused."""
    return _page("problem.html", links, status=status, detail=detail)


def _interval(value: Estimate) -> str:
    return f"68 % interval {value.low68:.4g} to {value.high68:.4g}"


@functools.cache
def _definition(score: str) -> list[str]:
    """Paragraphs of the score module's documentation, where the score is defined.

    The module itself is not imported: it needs the libraries of its data, and the server does not.
    """
    source = _SCORES / f"{score}.py"
    text = (ast.get_docstring(ast.parse(source.read_bytes())) or "").replace("``", "")
    return [" ".join(part.split()) for part in text.split("\n\n")]


def _history(table: list[Row], task: Task, number: int) -> Plot | None:
    """Best score over time, with a line for each baseline."""
    found = best_over_time(table, task)
    if not found:
        return None
    now = max(datetime.now(UTC), found[-1].added)
    start = min(step.added for step in found).timestamp()
    end = max(now.timestamp(), start + 86_400.0)
    points = [(step.added.timestamp(), step.score.value) for step in found]
    lines = [Line("best entry", "c0", staircase(points, end), dots=True)]
    for place, row in enumerate(baselines(table, task)[: COLOURS - 1]):
        value = row.entry.recomputed[task.primary].value
        name = f"baseline {row.entry.agent}"
        lines.append(Line(name, f"c{place + 1} dashed", [(start, value), (end, value)]))
    ticks = [start + share * (end - start) for share in (0.0, 0.5, 1.0)]
    svg = chart(
        lines,
        title=f"Best {task.primary} of {task.id} over time",
        x_label="date",
        y_label=task.primary,
        number=number,
        x_ticks=[(tick, f"{datetime.fromtimestamp(tick, UTC):%Y-%m-%d}") for tick in ticks],
    )
    return Plot("Best score over time", svg, [(line.name, line.colour) for line in lines])


def _histograms(named: Sequence[tuple[str, Curves]], first: int) -> list[Plot]:
    """One chart for each histogram that all have, their lines over each other."""
    if not named:
        return []
    plots = []
    for place, base in enumerate(named[0][1].histograms):
        lines: list[Line] = []
        if base.reference:
            outline = steps(base.edges, base.reference)
            lines.append(Line(base.reference_name, "plain", outline, filled=True))
        for number, (name, curves) in enumerate(named):
            own: Histogram = curves.histograms[place]
            around = band(own.edges, own.values, own.spread) if own.spread else ()
            outline = steps(own.edges, own.values)
            colour = f"c{number % COLOURS}"
            lines.append(Line(name or "best entry", colour, outline, band=around))
        svg = chart(
            lines,
            title=base.title,
            x_label=base.x,
            y_label=base.y,
            number=first + place,
            from_zero=True,
        )
        plots.append(Plot(base.title, svg, [(line.name, line.colour) for line in lines]))
    return plots


_X_NAMES = ("step", "steps", "epoch", "iteration", "number")
_MOST_CURVES = 4


def _training(log: Sequence[Mapping[str, Any]], first: int) -> list[Plot]:
    """Curves of a training: every quantity that is logged at several steps."""
    x_name = next((name for name in _X_NAMES if any(name in line for line in log)), None)
    if x_name is None:
        return []
    series: dict[str, list[tuple[float, float]]] = {}
    for line in log:
        x = line.get(x_name)
        if isinstance(x, bool) or not isinstance(x, int | float):
            continue
        for name, y in line.items():
            if name != x_name and isinstance(y, int | float) and not isinstance(y, bool):
                series.setdefault(name, []).append((float(x), float(y)))
    shown = [(name, points) for name, points in series.items() if len(points) > 1]
    # What tells most comes first.
    shown.sort(key=lambda one: not any(word in one[0] for word in ("loss", "reward", "score")))
    plots = []
    for place, (name, points) in enumerate(shown[:_MOST_CURVES]):
        svg = chart(
            [Line(name, "c0", points)],
            title=f"Training: {name}",
            x_label=x_name,
            y_label=name[:40],
            number=first + place,
        )
        plots.append(Plot(f"Training: {name}"[:80], svg, []))
    return plots
