"""Grooming agents for the command line, see `hepgym.agents.players.Player`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...leaderboards.board import Entry
from ...leaderboards.tasks import Task
from ..players import AgentCard, Comparison, Order, Outcome, Progress
from . import GROOMERS, Groomer, make_groomer
from .playing import run as play
from .trained import TRAINED, best_model, load_groomer
from .trained import train as learn

TITLE = "Jet grooming"


def cards() -> list[AgentCard]:
    """Every groomer: the classical ones and the trained agent."""
    classical = [
        AgentCard(name, (kind.__doc__ or "").splitlines()[0], make_groomer(name).parameters)
        for name, kind in GROOMERS.items()
    ]
    trained = [AgentCard(name, summary) for name, summary in TRAINED.items()]
    return [*classical, *trained]


def run(task: Task, order: Order, progress: Progress) -> Outcome:
    """Groom a task's test set; arguments and errors as for `players.Player.run`."""
    groomer = _groomer(task, order)
    played, submission, figures = play(
        task,
        groomer,
        order.folder,
        authors=order.authors,
        description=order.description,
        overwrite=order.overwrite,
    )
    jets = played.score.signal_jets + played.score.background_jets
    line = f"groomed {jets} jets in {played.seconds:.2f} s"
    return Outcome(str(groomer), submission, [line], figures)


def train(
    task: Task,
    agent: str,
    folder: Path,
    changes: Mapping[str, Any],
    *,
    preset: str | None,
    resume: bool,
) -> None:
    """Train a groomer; arguments and errors as for `players.Player.train`."""
    learn(task.id, agent, folder, changes, preset=preset or "reference", resume=resume)


def compare(task: Task, progress: Progress) -> Comparison:
    """Groom the official W, top and QCD test sets with every classical groomer.

    This is the table in docs/jet_grooming.md; it is the same for both grooming tasks.
    """
    from .comparison import compare as make_rows

    groomers = [make_groomer(name) for name in GROOMERS]
    started: list[Groomer] = []

    def show(groomer: Groomer) -> None:
        progress(len(started), len(groomers), str(groomer))
        started.append(groomer)

    rows = make_rows(groomers, show)
    window = ("window", "median", "f_bkg")
    return Comparison(
        "Windows and medians in GeV, on the official test sets",
        ("groomer", "L(W)", *window, "L(top)", *window, "QCD median"),
        [
            (
                str(row.groomer),
                *(
                    str(value)
                    for score in (row.w, row.top)
                    for value in (score.loss, score.window, score.median, score.f_bkg)
                ),
                f"{row.qcd_median:.1f}",
            )
            for row in rows
        ],
    )


def rebuild(task: Task, folder: Path, progress: Progress) -> list[Entry]:
    """Play a task with its baselines and trained agents; see `baselines.rebuild`."""
    from .baselines import rebuild as play_all

    return play_all(folder, lambda done, total: progress(done, total, task.id), task_ids=[task.id])


def _groomer(task: Task, order: Order) -> Groomer:
    """Make a groomer from its parameters, or load a trained one from its folder."""
    if order.agent not in TRAINED:
        if order.model:
            raise ValueError(
                f"--model is for the agents {', '.join(TRAINED)}, not for {order.agent}"
            )
        return make_groomer(order.agent, **order.settings)
    if order.settings:
        raise ValueError("--set is for untrained agents: a model brings its settings")
    return load_groomer(order.agent, order.model or best_model(task.id, order.agent))
