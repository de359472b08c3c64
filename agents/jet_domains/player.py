"""Translators for the command line, see `hepgym.agents.players.Player`."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...leaderboards.board import Board, Entry
from ...leaderboards.scores.jet_domains import (
    TRAIN_IMAGES,
    averages,
    evaluate,
    load_images,
    translations,
)
from ...leaderboards.submission import Submission, write_submission
from ...leaderboards.tasks import Task, load_test_data
from ..players import AgentCard, Comparison, Order, Outcome, Progress, side_by_side
from ..progress import Show
from . import CONTROLS, NoiseFloor, QuantileMap, Translator
from .figures import save_samples
from .settings import TrainJets
from .train_jets import load_train_jets

if TYPE_CHECKING:
    from .cyclegan import CycleGAN
    from .settings import CycleGANSettings

TITLE = "Jet domains"

CYCLEGAN = "cyclegan"
"""Name of the translator that learns."""
_MODELS = Path(__file__).parent / "models"


def cards() -> list[AgentCard]:
    """Every translator."""
    controls = [AgentCard(name, kind.summary) for name, kind in CONTROLS.items()]
    return [*controls, AgentCard(CYCLEGAN, "CycleGAN; --model FOLDER of a training.")]


def run(task: Task, order: Order, progress: Progress) -> Outcome:
    """Translate the test images; arguments and errors as for `players.Player.run`."""
    translator = make_translator(task, order.agent, order.model, order.settings)
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
    if agent != CYCLEGAN:
        raise ValueError(f"no agent {agent!r} of {task.id} learns; choose {CYCLEGAN}")
    from ..progress import live_line
    from .settings import reference_settings

    presets = {"reference": reference_settings, "published": _published}
    if (preset or "reference") not in presets:
        raise ValueError(f"cyclegan has no preset {preset!r}; choose one of {', '.join(presets)}")
    settings: CycleGANSettings = presets[preset or "reference"](**changes)
    with live_line(settings.epochs * settings.steps_per_epoch) as show:
        learn(task, settings, folder, resume=resume, show=show)


def learn(
    task: Task,
    settings: CycleGANSettings,
    folder: Path,
    *,
    resume: bool = True,
    show: Show | None = None,
) -> CycleGAN:
    """Train CycleGAN on the domains of a task; arguments and errors as for `training.train`.

    Of the task's data, training gets its two domains and nothing else: no pairs.
    """
    from .training import train as train_cyclegan

    jets, hashes = load_train_jets(task.datasets, settings)
    settings = settings.with_hashes(hashes)
    validation = load_images(task.datasets, "validation", None, disjoint=True)
    return train_cyclegan(settings, jets, validation, folder, resume=resume, show=show)


def compare(task: Task, progress: Progress) -> Comparison:
    """Put the entries of the board side by side."""
    return side_by_side(task)


def rebuild(task: Task, folder: Path, progress: Progress) -> list[Entry]:
    """Play a task with its controls and trained models."""
    agents: list[tuple[str, Path | None]] = [(name, None) for name in CONTROLS]
    agents += [(CYCLEGAN, model) for model in models(task)]
    entries = []
    for done, (name, model) in enumerate(agents):
        progress(done, len(agents), f"{task.id}: {name}")
        with tempfile.TemporaryDirectory() as scratch:
            order = Order(name, {}, model, Path(scratch))
            submission, _ = _play(task, make_translator(task, name, model), order)
            entries.append(Board(task.id, folder, shipped=None).add(submission))
    progress(len(agents), len(agents), task.id)
    return entries


def _published(**changes: Any) -> Any:
    from .settings import CycleGANSettings

    return CycleGANSettings.from_dict(changes)


def models(task: Task) -> list[Path]:
    """Folders of the trained translators that come with the package."""
    return sorted(file.parent for file in (_MODELS / task.id).glob("*/settings.json"))


def make_translator(
    task: Task, agent: str, model: Path | None, settings: Mapping[str, Any] | None = None
) -> Translator:
    """Make a control and fit it, or load a trained translator from its folder.

    Parameters
    ----------
    task, agent
        Which.
    model
        Folder of a trained translator; None for the one that comes with the package.
    settings
        For the quantile map: fields of `TrainJets`.

    Raises
    ------
    ValueError
        If there is no such translator, or it does not fit together with the folder or settings.
    """
    if settings and agent != QuantileMap.name:
        raise ValueError(
            f"{agent} has no settings when it runs: --set is for training, and for the jets that "
            f"{QuantileMap.name} learns from"
        )
    if agent == CYCLEGAN:
        from .cyclegan import CycleGAN

        folders = models(task)
        if model is None and not folders:
            raise ValueError(
                f"no trained cyclegan for {task.id} comes with hepgym: train one with "
                f"`hepgym train {task.id} --agent cyclegan` and give its folder with --model"
            )
        return CycleGAN.load(model or folders[0])
    if agent not in CONTROLS:
        known = ", ".join([*CONTROLS, CYCLEGAN])
        raise ValueError(f"there is no translator {agent!r}; choose one of {known}")
    if model:
        raise ValueError(f"--model is for the agent {CYCLEGAN}, not for {agent}")
    source = TrainJets.from_dict(settings or {})
    jets, hashes = load_train_jets(task.datasets, source)
    control: Translator
    if agent == QuantileMap.name:
        control = QuantileMap(source.with_hashes(hashes))
    else:
        control = CONTROLS[agent]()
    independent = isinstance(control, NoiseFloor)
    number = None if independent else TRAIN_IMAGES
    control.fit(averages(jets, number, seed=1, disjoint=independent))
    return control


def _play(task: Task, translator: Translator, order: Order) -> tuple[Submission, list[str]]:
    data = load_test_data(task)
    start = time.perf_counter()
    domains = data["domains"]
    predictions = translations(domains.images, translator.a_to_b, translator.b_to_a, domains.paired)
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
    translated = sum(map(len, predictions.values()))
    return submission, [f"translated {translated} images in {seconds:.2f} s"]
