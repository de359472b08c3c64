"""Surrogates of event weights for the command line, see `hepgym.agents.players.Player`."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...datasets.unweighting import EventSample, load_events
from ...leaderboards.board import Board, Entry
from ...leaderboards.scores.unweighting import evaluate
from ...leaderboards.submission import Submission, write_submission
from ...leaderboards.tasks import Task, load_test_data
from ..players import AgentCard, Comparison, Order, Outcome, Progress, side_by_side
from .closure import Closure, closure, observables
from .figures import save_closure
from .settings import SurrogateSettings
from .two_stage import Unweighted, maximum, unweight

TITLE = "Surrogate unweighting"

_SURROGATE = SurrogateSettings.name
CONTROLS = {
    "single-stage": "no surrogate: a single stage with the exact weight",
    "constant": "the same surrogate weight for every event",
}
"""Agents that need no training, and one line about each."""
_MODELS = Path(__file__).parent / "models"
_SEED = 1
"""Of the acceptance in the closure test, which does not enter the score."""


def cards() -> list[AgentCard]:
    """Both controls and the surrogate."""
    controls = [AgentCard(name, summary) for name, summary in CONTROLS.items()]
    learns = "small network for the squared amplitude; --model FOLDER of a training"
    return [*controls, AgentCard(_SURROGATE, learns, SurrogateSettings().parameters)]


def run(task: Task, order: Order, progress: Progress) -> Outcome:
    """Predict the weights of the test events; arguments and errors as for `players.Player.run`.

    Besides the submission, the test events are unweighted with the predictions and compared with
    the weighted events of the other splits.
    """
    if order.settings:
        raise ValueError("--set is for training: surrogates have no settings when they run")
    events = load_test_data(task)["events"]
    submission, lines = _play(task, order, events)
    weights = submission.predictions["weight"].astype(np.float64)
    surrogate = None if order.agent == "single-stage" else weights
    accepted = unweight_events(events, surrogate, task.parameters["share"], _SEED)
    reference = [load_events(split) for split in ("train", "validation")]
    weighted = observables(np.concatenate([one.momenta for one in reference]))
    # Both splits together are one sample: they were drawn alike.
    exact = np.concatenate([one.weights for one in reference])
    unweighted = observables(events.momenta[accepted.accepted])
    found = closure(weighted, exact, unweighted, accepted.weights)
    figure = save_closure(
        order.folder / "figures" / "closure.png",
        weighted,
        exact,
        unweighted,
        accepted.weights,
        found,
    )
    lines += [_closure_line(one) for one in found]
    return Outcome(submission.manifest.label, submission, lines, [figure])


def unweight_events(
    events: EventSample, surrogate: NDArray[np.float64] | None, share: float, seed: int
) -> Unweighted:
    """Unweight events with maxima from their own weights.

    Parameters
    ----------
    events
        Trial events.
    surrogate
        Surrogate weights, shape (n,); None for a single stage.
    share
        Share of the total weight above each maximum.
    seed
        Seed of the acceptance.

    Returns
    -------
    Unweighted
    """
    exact = events.weights
    if surrogate is None:
        return unweight(exact, None, 1.0, maximum(exact, exact, share), seed)
    surrogate_max = maximum(surrogate, surrogate, share)
    return unweight(exact, surrogate, surrogate_max, maximum(exact / surrogate, exact, share), seed)


def train(
    task: Task,
    agent: str,
    folder: Path,
    changes: Mapping[str, Any],
    *,
    preset: str | None,
    resume: bool,
) -> None:
    """Train a surrogate; arguments and errors as for `players.Player.train`."""
    if agent != _SURROGATE:
        raise ValueError(f"no agent {agent!r} of {task.id} learns; choose {_SURROGATE}")
    if preset not in (None, "reference"):
        raise ValueError(f"{_SURROGATE} has no preset {preset!r}; it has reference")
    known = SurrogateSettings().parameters
    for name in changes:
        if name not in known:
            raise ValueError(f"{_SURROGATE} has no setting {name!r}; it has {', '.join(known)}")
    settings = SurrogateSettings(**changes)
    from ..progress import live_bar
    from .surrogate import remove_training
    from .surrogate import train as learn

    if not resume:
        remove_training(folder)
    with live_bar(settings.epochs) as update:

        def show(done: int, total: int, words: str) -> None:
            update(done, words)

        learn(settings, load_events("train"), load_events("validation"), folder, progress=show)


def compare(task: Task, progress: Progress) -> Comparison:
    """Put the entries of the board side by side."""
    return side_by_side(task)


def rebuild(task: Task, folder: Path, progress: Progress) -> list[Entry]:
    """Play a task with its controls and trained models."""
    agents: list[tuple[str, Path | None]] = [(name, None) for name in CONTROLS]
    agents += [(_SURROGATE, model) for model in models(task)]
    events = load_test_data(task)["events"]
    entries = []
    for done, (name, model) in enumerate(agents):
        progress(done, len(agents), f"{task.id}: {name}")
        with tempfile.TemporaryDirectory() as scratch:
            submission, _ = _play(task, Order(name, {}, model, Path(scratch)), events)
            entries.append(Board(task.id, folder, shipped=None).add(submission))
    progress(len(agents), len(agents), task.id)
    return entries


def models(task: Task) -> list[Path]:
    """Folders of the surrogates that come with the package."""
    return sorted(file.parent for file in (_MODELS / task.id).glob("*/settings.json"))


def _play(task: Task, order: Order, events: EventSample) -> tuple[Submission, list[str]]:
    start = time.perf_counter()
    hyperparameters: dict[str, Any] = {}
    if order.agent == _SURROGATE:
        from .surrogate import Surrogate

        shipped = models(task)
        if order.model is None and not shipped:
            raise ValueError(
                f"no trained surrogate for {task.id} comes with hepgym: train one with "
                f"`hepgym train {task.id} --agent {_SURROGATE}` and give its folder with --model"
            )
        surrogate = Surrogate.load(order.model or shipped[0])
        weights = surrogate.weights(events)
        hyperparameters = dict(surrogate.settings.parameters)
    elif order.agent in CONTROLS:
        if order.model:
            raise ValueError(f"--model is for the agent {_SURROGATE}, not for {order.agent}")
        weights = np.ones(len(events))
    else:
        known = ", ".join([*CONTROLS, _SURROGATE])
        raise ValueError(f"there is no agent {order.agent!r} of {task.id}; choose one of {known}")
    seconds = time.perf_counter() - start
    kind = "single-stage" if order.agent == "single-stage" else "surrogate"
    predictions = {"weight": weights.astype(np.float32)}
    score = evaluate(kind, predictions, {"events": events}, **task.parameters)
    seed = hyperparameters.pop("seed", None)
    submission = write_submission(
        order.folder / "submission",
        task,
        agent=order.agent,
        kind=kind,
        predictions=predictions,
        score=score,
        wall_time_s=seconds,
        hyperparameters=hyperparameters,
        seeds=() if seed is None else (seed,),
        authors=order.authors,
        description=order.description,
        overwrite=order.overwrite,
    )
    lines = [f"weights of {len(events)} events in {seconds:.2f} s"]
    return submission, lines


def _closure_line(found: Closure) -> str:
    return (
        f"unweighted against weighted events, {found.observable}: chi2 = {found.chi2:.1f} for "
        f"{found.dof} degrees of freedom, p = {found.p_value:.2f}"
    )
