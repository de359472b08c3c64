"""Fits of parton distributions for the command line, see `hepgym.agents.players.Player`."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...datasets.parton_distributions.splits import FOLDS
from ...envs.pdf_fit.neural import NeuralSettings
from ...leaderboards.board import Board, Entry
from ...leaderboards.scores.pdf_fit import data_score
from ...leaderboards.submission import Submission, write_submission
from ...leaderboards.tasks import Task, load_test_data, score_module
from ..players import AgentCard, Comparison, Order, Outcome, Progress, side_by_side
from .methodology import chronological_fit, closure_fits, k_fold_fits
from .plan import AGENTS
from .results import FitFolder, distributions, surviving
from .running import run as fit_and_draw
from .searchers import SETTINGS

TITLE = "Parton distributions"

CLOSURE = "closure"
"""Kind of predictions of closure tests."""

REFERENCE_LABEL = "NNPDF3.1 NLO (reference, no entry)"
"""Column of the published set in comparisons."""

_SUMMARIES = {
    "n3fit": "One network, many replicas in one graph, cross-validation (arXiv:2109.02653).",
    "genetic": "Nodal mutations with look-back stopping (arXiv:1410.8849).",
    "cma-es": "Covariance matrix adaptation.",
    "random": "Random search: the control.",
}

_PLAN = {"seed", "covariance", "training_fraction", "batch"}
"""Settings of the fit as a whole; all others are the agent's."""


def cards() -> list[AgentCard]:
    """Every agent that fits."""
    kinds = {"n3fit": NeuralSettings, **SETTINGS}
    return [AgentCard(name, _SUMMARIES[name], dataclasses.asdict(kinds[name]())) for name in AGENTS]


def run(task: Task, order: Order, progress: Progress) -> Outcome:
    """Fit, draw, write a submission; arguments and errors as for `players.Player.run`.

    Besides the agent's settings: ``replicas`` (10 by default), ``seed``, ``covariance``,
    ``training_fraction`` and ``batch``; for real data ``lhapdf`` (name of an LHAPDF set to write),
    ``folds`` and ``chronological`` (true makes the fits that these tests need as well, of
    ``test_replicas`` each, as many as ``replicas`` by default); for closure tests ``fits`` (10 by
    default).
    """
    if order.model:
        raise ValueError("--model is for agents that were trained before, not for fits")
    if order.agent not in AGENTS:
        raise ValueError(f"there is no agent {order.agent!r}; choose one of {', '.join(AGENTS)}")
    settings = dict(order.settings)
    own = {name: settings.pop(name) for name in _PLAN & settings.keys()}
    start = time.perf_counter()
    make = _closure if CLOSURE in task.kinds else _real_data
    predictions, lines, figures, numbers, fitting = make(order, settings, own, progress)
    # A call that goes on where another one stopped is shorter than the fits took.
    seconds = max(time.perf_counter() - start, fitting / order.workers)
    submission = _write(task, order, predictions, {**settings, **own, **numbers}, seconds)
    return Outcome(submission.manifest.label, submission, lines, figures)


def train(
    task: Task,
    agent: str,
    folder: Path,
    changes: Mapping[str, Any],
    *,
    preset: str | None,
    resume: bool,
) -> None:
    """Refuse: a fit is a training, and there is nothing to play afterwards."""
    raise ValueError(
        f"a fit is a training: use `hepgym run {task.id} --agent {agent}`, which goes on where it "
        "stopped"
    )


def compare(task: Task, progress: Progress) -> Comparison:
    """Put the entries of the board side by side; for real data with NNPDF3.1 as reference.

    The reference is no entry: its sum of momenta lacks the photon's, and it was fitted to more data
    than these.
    """
    entries = side_by_side(task)
    if CLOSURE in task.kinds:
        return entries
    (official,) = load_test_data(task).values()
    metrics = data_score({"xf": official.reference[None]}, official, resamples=2).metrics()
    # One member: there is nothing to say of replicas, nor an error that comes from them.
    meaningless = {"phi2", "replicas", "postfit"}
    known = {name: f"{one.value:.4g}" for name, one in metrics.items() if name not in meaningless}
    return replace(
        entries,
        columns=(*entries.columns, REFERENCE_LABEL),
        rows=[(*row, known.get(row[0], "-")) for row in entries.rows],
    )


def rebuild(task: Task, folder: Path, progress: Progress) -> list[Entry]:
    """Give the shipped entries: fits take too long to be made again together.

    docs/pdf_fit.md has the command that made each.
    """
    return Board(task.id, folder, shipped=None).entries()


_KINDS = {int: "a whole number", bool: "true or false", str: "a name"}


def _take(settings: dict[str, Any], name: str, default: Any) -> Any:
    """Take a setting that is not the agent's from among them; it has the type of its default."""
    value = settings.pop(name, default)
    if type(value) is not type(default):
        raise ValueError(f"{name} is {value!r} but must be {_KINDS[type(default)]}")
    if type(value) is int and value < 1:
        raise ValueError(f"{name} is {value} but must be 1 or more")
    return value


Made = tuple[dict[str, NDArray[np.float64]], list[str], list[Path], dict[str, Any], float]
"""Predictions, lines to print, figures, settings that are not the agent's, and the seconds that all
fits took together."""


def _real_data(
    order: Order, settings: dict[str, Any], own: dict[str, Any], progress: Progress
) -> Made:
    """Fit measured data; the seconds are those of the fits to all of them."""
    replicas = _take(settings, "replicas", 10)
    lhapdf = _take(settings, "lhapdf", "")
    folds, chronological = (_take(settings, name, False) for name in ("folds", "chronological"))
    left_out = _take(settings, "test_replicas", replicas)
    spread: dict[str, Any] = {
        "workers": order.workers,
        "scheduler": order.scheduler,
        "progress": progress,
    }
    found = fit_and_draw(
        order.folder / "fit",
        order.agent,
        replicas,
        settings,
        lhapdf=lhapdf or None,
        **spread,
        **own,
    )
    predictions = {"xf": found.kept}
    lines = list(found.lines())
    if found.lhapdf:
        lines.append(f"LHAPDF set: {found.lhapdf}")
    common: dict[str, Any] = {"agent": order.agent, "settings": settings, **spread}
    if folds:
        seen = k_fold_fits(order.folder / "folds", left_out, **common)
        for fold in range(FOLDS):
            lines.append(f"fold {fold}: {seen[fold].line()}")
            where = order.folder / "folds" / f"without_fold_{fold}"
            predictions[f"fold{fold}"] = _kept(where, left_out)
    if chronological:
        future = chronological_fit(order.folder / "before_hera", left_out, **common)
        lines.append(f"HERA: {future.line()}")
        predictions["before_hera"] = _kept(order.folder / "before_hera", left_out)
    numbers = {"replicas": replicas}
    if folds or chronological:
        numbers["test_replicas"] = left_out
    fitting = sum(replica.seconds for replica in found.replicas)
    return predictions, lines, found.figures, numbers, fitting


def _closure(
    order: Order, settings: dict[str, Any], own: dict[str, Any], progress: Progress
) -> Made:
    fits, replicas = _take(settings, "fits", 10), _take(settings, "replicas", 20)
    found = closure_fits(
        order.folder / "fits",
        fits,
        replicas,
        agent=order.agent,
        settings=settings,
        progress=progress,
        workers=order.workers,
        scheduler=order.scheduler,
        **own,
    )
    lines = [f"{fits} fits of {replicas} replicas each"]
    return {"xf": found.replicas}, lines, [], {"fits": fits, "replicas": replicas}, found.seconds


def _kept(folder: Path, replicas: int) -> NDArray[np.float64]:
    """Distributions of those replicas in a folder that pass all vetoes."""
    every = FitFolder(folder).read_all(range(1, replicas + 1))
    return distributions(surviving(every))


def _write(
    task: Task,
    order: Order,
    predictions: Mapping[str, NDArray[np.float64]],
    settings: Mapping[str, Any],
    seconds: float,
) -> Submission:
    (kind,) = task.kinds
    data = load_test_data(task)
    score = score_module(task).evaluate(kind, predictions, data, **task.parameters)
    replicas = predictions["xf"].shape[-3]
    return write_submission(
        order.folder / "submission",
        task,
        agent=order.agent,
        kind=kind,
        predictions=predictions,
        score=score,
        wall_time_s=seconds,
        hyperparameters=settings,
        seeds=[int(settings.get("seed", 0))],
        authors=order.authors,
        description=order.description or f"{order.agent}, {replicas} replicas",
        overwrite=order.overwrite,
    )
