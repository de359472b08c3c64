"""Integrators for the command line, see `hepgym.agents.players.Player`."""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...leaderboards.board import Board, Entry
from ...leaderboards.figures.vegas_sampling import save_scores
from ...leaderboards.scores.vegas_sampling import BUDGETS, COSTS, SamplingScore, passes
from ...leaderboards.submission import Submission, write_submission
from ...leaderboards.tasks import Task, load_test_data
from ..players import AgentCard, Comparison, Order, Outcome, Progress
from . import SAMPLERS, make_sampler
from .playing import Plan, make_plan, play, score, seconds_played
from .policies import policy_file
from .policies.learning import LEARNERS, learn
from .steered import Steered

TITLE = "Monte Carlo integration"

_SHIPPED: tuple[tuple[str, dict[str, Any]], ...] = (
    ("plain", {}),
    ("vegas", {}),
    ("vegas-plus", {}),
)
"""Samplers on the board that comes with hepgym, and their parameters."""


def cards() -> list[AgentCard]:
    """Every sampler, and every policy that can be trained."""
    samplers = [
        # Not made: some need packages that are not installed.
        AgentCard(name, kind.summary, {one.name: one.default for one in kind.parameter_fields()})
        for name, kind in SAMPLERS.items()
    ]
    return samplers + [
        AgentCard(name, f"policy={name}: {learner.summary}", learner.defaults())
        for name, learner in LEARNERS.items()
    ]


def run(task: Task, order: Order, progress: Progress) -> Outcome:
    """Play the suite of integrands; arguments and errors as for `players.Player.run`.

    Besides the sampler's parameters the settings ``integrands``, ``budgets`` and ``seeds`` say what
    is played. The name of a policy that learns stands for the sampler "policy" with it.
    """
    suite = load_test_data(task)["integrands"]
    agent, settings = _sampler(order)
    plan = make_plan(suite, agent, **settings)
    cells = order.folder / "cells"
    predictions = play(
        plan, suite, cells, workers=order.workers, scheduler=order.scheduler, progress=progress
    )
    seconds = seconds_played(plan, cells)
    found = score(predictions, suite)
    submission = _write(task, plan, predictions, found, seconds, order)
    figure = save_scores(submission, found, order.folder / "figures" / "scores.png", suite)
    return Outcome(submission.manifest.label, submission, _lines(found), [figure])


def train(
    task: Task,
    agent: str,
    folder: Path,
    changes: Mapping[str, Any],
    *,
    preset: str | None,
    resume: bool,
) -> None:
    """Train a policy of the game; arguments and errors as for `players.Player.train`."""
    if agent in SAMPLERS:
        raise ValueError(
            f"{agent} learns while it integrates, and every call counts: use `hepgym run {task.id} "
            f"--agent {agent}`; policies that are trained before are {', '.join(LEARNERS)}"
        )
    if preset is not None:
        raise ValueError(f"{agent} has no presets: change its settings with --set")
    learn(agent, folder, changes, resume=resume)


def _sampler(order: Order) -> tuple[str, dict[str, Any]]:
    """Name and settings of the sampler that an order means."""
    if order.agent not in LEARNERS and order.agent != Steered.name:
        if order.model:
            raise ValueError("--model is for agents that were trained before, not for integrators")
        return order.agent, dict(order.settings)
    settings = dict(order.settings)
    if order.agent in LEARNERS:
        settings["policy"] = order.agent
    if order.model:
        settings["policy"] = str(policy_file(order.model))
    return Steered.name, settings


def compare(task: Task, progress: Progress) -> Comparison:
    """Put the entries of the board side by side, everything that is known of each integrand."""
    entries = Board(task.id).entries()
    suite = load_test_data(task)["integrands"]
    rows: list[tuple[str, ...]] = []
    for name, member in suite.members.items():
        plain = f"{math.log10(member.plain_rsd):.2f}"
        for budget in BUDGETS:
            cells = [_cell(entry, name, budget) for entry in entries]
            rows.append((name, f"{budget / 1e6:g}M", plain, *cells))
        for words, columns in _SECONDARY.items():
            rows.append(("", words, "", *(_values(entry, name, columns) for entry in entries)))
    for metric in task.columns:
        rows.append((metric, "", "", *(str(entry.recomputed[metric]) for entry in entries)))
    return Comparison(
        f"{task.id}: S (coverage), lower is better; * fails the gate",
        ("integrand", "calls", "plain", *(entry.label for entry in entries)),
        rows,
    )


def _values(entry: Entry, name: str, columns: tuple[str, ...]) -> str:
    found = [entry.recomputed.get(f"{column}/{name}") for column in columns]
    return " ".join("-" if one is None else f"{one.value:.3g}" for one in found)


_SECONDARY = {
    "RSD eps Kish": ("rsd", "eps", "kish"),
    "s to 1e-3": tuple(f"seconds_at_{cost:g}us" for cost in COSTS),
}
"""Rows below the cells of an integrand; seconds are for each of the score's times of a point."""


def _cell(entry: Entry, name: str, budget: int) -> str:
    found = entry.recomputed.get(f"S/{name}/{budget}")
    if found is None:
        return "-"
    coverage = entry.recomputed[f"coverage/{name}/{budget}"].value
    far = entry.recomputed[f"far/{name}/{budget}"].value
    return f"{found} ({coverage:.2f}){'' if passes(coverage, far) else ' *'}"


def rebuild(task: Task, folder: Path, progress: Progress) -> list[Entry]:
    """Play the suite with the samplers of the shipped board, on all cores: 16 minutes of one."""
    suite = load_test_data(task)["integrands"]
    entries = []
    for name, parameters in _SHIPPED:
        plan = make_plan(suite, name, **parameters)
        with tempfile.TemporaryDirectory() as scratch:
            order = Order(name, parameters, None, Path(scratch))
            cells = Path(scratch) / "cells"
            # Estimates do not depend on who does the work.
            predictions = play(plan, suite, cells, workers=os.cpu_count() or 1, progress=progress)
            seconds = seconds_played(plan, cells)
            found = score(predictions, suite)
            submission = _write(task, plan, predictions, found, seconds, order)
        entries.append(Board(task.id, folder, shipped=None).add(submission))
    return entries


def _write(
    task: Task, plan: Plan, predictions: Any, found: SamplingScore, seconds: float, order: Order
) -> Submission:
    changed = {
        name: value
        for name, value in plan.parameters.items()
        if value != make_sampler(plan.sampler).parameters[name]
    }
    settings = ", ".join(f"{name}={value}" for name, value in changed.items())
    return write_submission(
        order.folder / "submission",
        task,
        agent=plan.sampler,
        kind="estimates",
        predictions=predictions,
        score=found,
        wall_time_s=seconds,
        hyperparameters=dict(plan.parameters),
        seeds=range(1, plan.seeds + 1),
        authors=order.authors,
        description=order.description
        or (f"{plan.sampler}({settings})" if settings else plan.sampler),
        overwrite=order.overwrite,
    )


def _lines(found: SamplingScore) -> list[str]:
    """Write the cells as a table of text."""
    budgets = sorted({budget for _, budget in found.cells})
    lines = [f"{'S (coverage)':<20}" + "".join(f"{budget:>34}" for budget in budgets)]
    for name in found.samples:
        row = f"{name:<20}"
        for budget in budgets:
            cell = found.cells.get((name, budget))
            if cell is None:
                text = "-"
            else:
                mark = "" if cell.passed else " failing"
                text = f"{cell.S} ({cell.coverage.value:.2f}){mark}"
            row += f"{text:>34}"
        lines.append(row)
    return lines
