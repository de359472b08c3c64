"""Translators for the command line, see `hepgym.agents.players.Player`."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...datasets.jets.lund_images import lund_images
from ...leaderboards.board import Board, Entry
from ...leaderboards.scores.jet_domains import (
    TEST_IMAGES,
    TRAIN_IMAGES,
    evaluate,
    load_images,
    load_jets,
    translations,
)
from ...leaderboards.submission import Submission, write_submission
from ...leaderboards.tasks import Task, load_test_data
from ..players import AgentCard, Comparison, Order, Outcome, Progress, side_by_side
from . import CONTROLS, NoiseFloor, Translator
from .figures import save_samples

TITLE = "Jet domains"

_CYCLEGAN = "cyclegan"
_MODELS = Path(__file__).parent / "models"


def cards() -> list[AgentCard]:
    """Every translator."""
    controls = [AgentCard(name, kind.summary) for name, kind in CONTROLS.items()]
    return [*controls, AgentCard(_CYCLEGAN, "CycleGAN; --model FOLDER of a training.")]


def run(task: Task, order: Order, progress: Progress) -> Outcome:
    """Translate the test images; arguments and errors as for `players.Player.run`."""
    if order.settings:
        raise ValueError("--set is for training: translators have no settings when they run")
    translator = _translator(task, order.agent, order.model)
    submission, lines = _play(task, translator, order)
    data = load_test_data(task)["domains"]
    made = {"A": submission.predictions["B_to_A"], "B": submission.predictions["A_to_B"]}
    figure = save_samples(
        data.images,
        made,
        order.folder / "figures" / "images.png",
        f"{task.id}, {submission.manifest.label}",
    )
    return Outcome(submission.manifest.label, submission, lines, [figure])


def train(
    task: Task,
    agent: str,
    folder: Path,
    changes: Mapping[str, Any],
    *,
    preset: str | None,
    resume: bool,
) -> None:
    """Train CycleGAN; arguments and errors as for `players.Player.train`."""
    if agent != _CYCLEGAN:
        raise ValueError(f"no agent {agent!r} of {task.id} learns; choose {_CYCLEGAN}")
    from .progress import live_line
    from .settings import CycleGANSettings, reference_settings
    from .training import train as learn

    presets = {"reference": reference_settings, "published": _published}
    if (preset or "reference") not in presets:
        raise ValueError(f"cyclegan has no preset {preset!r}; choose one of {', '.join(presets)}")
    settings: CycleGANSettings = presets[preset or "reference"](**changes)
    jets = {role: lund_images(one) for role, one in load_jets(task.datasets, "train").items()}
    validation = load_images(task.datasets, "validation", _VALIDATION_IMAGES, disjoint=True)
    with live_line(settings.epochs * settings.steps_per_epoch) as show:
        learn(settings, jets, validation, folder, resume=resume, show=show)


def compare(task: Task, progress: Progress) -> Comparison:
    """Put the entries of the board side by side."""
    return side_by_side(task)


def rebuild(task: Task, folder: Path, progress: Progress) -> list[Entry]:
    """Play a task with its controls and trained models."""
    models = sorted((_MODELS / task.id).glob("*/settings.json"))
    agents: list[tuple[str, Path | None]] = [(name, None) for name in CONTROLS]
    agents += [(_CYCLEGAN, file.parent) for file in models]
    entries = []
    for done, (name, model) in enumerate(agents):
        progress(done, len(agents), f"{task.id}: {name}")
        with tempfile.TemporaryDirectory() as scratch:
            order = Order(name, {}, model, Path(scratch))
            submission, _ = _play(task, _translator(task, name, model), order)
            entries.append(Board(task.id, folder, shipped=None).add(submission))
    progress(len(agents), len(agents), task.id)
    return entries


_VALIDATION_IMAGES = 150


def _published(**changes: Any) -> Any:
    from .settings import CycleGANSettings

    return CycleGANSettings.from_dict(changes)


def _translator(task: Task, agent: str, model: Path | None) -> Translator:
    """Make a control and fit it, or load a trained translator from its folder."""
    if agent == _CYCLEGAN:
        from .cyclegan import CycleGAN

        folders = sorted(file.parent for file in (_MODELS / task.id).glob("*/settings.json"))
        if model is None and not folders:
            raise ValueError(
                f"no trained cyclegan for {task.id} comes with hepgym: train one with "
                f"`hepgym train {task.id} --agent cyclegan` and give its folder with --model"
            )
        return CycleGAN.load(model or folders[0])
    if agent not in CONTROLS:
        known = ", ".join([*CONTROLS, _CYCLEGAN])
        raise ValueError(f"there is no translator {agent!r}; choose one of {known}")
    if model:
        raise ValueError(f"--model is for the agent {_CYCLEGAN}, not for {agent}")
    control = CONTROLS[agent]()
    independent = isinstance(control, NoiseFloor)
    number = TEST_IMAGES if independent else TRAIN_IMAGES
    control.fit(load_images(task.datasets, "train", number, seed=1, disjoint=independent))
    return control


def _play(task: Task, translator: Translator, order: Order) -> tuple[Submission, list[str]]:
    data = load_test_data(task)
    start = time.perf_counter()
    predictions = translations(data["domains"].images, translator.a_to_b, translator.b_to_a)
    seconds = time.perf_counter() - start
    seed = translator.parameters.get("seed")
    kind = "control" if isinstance(translator, NoiseFloor) else "translations"
    submission = write_submission(
        order.folder / "submission",
        task,
        agent=translator.name,
        kind=kind,
        predictions=predictions,
        score=evaluate(kind, predictions, data),
        wall_time_s=seconds,
        hyperparameters=translator.parameters,
        seeds=[] if seed is None else [int(seed)],
        authors=order.authors,
        description=order.description
        or (translator.name if seed is None else f"{translator.name}(seed={seed})"),
        overwrite=order.overwrite,
    )
    return submission, [f"translated {4 * TEST_IMAGES} images in {seconds:.2f} s"]
