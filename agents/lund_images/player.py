"""Generators of Lund images for the command line, see `hepgym.agents.players.Player`."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...leaderboards.board import Board, Entry
from ...leaderboards.scores.lund_images import FEWEST, MOST, evaluate, load_images
from ...leaderboards.submission import Submission, write_submission
from ...leaderboards.tasks import Task, load_test_data
from ..parameters import Allowed
from ..players import AgentCard, Comparison, Order, Outcome, Progress, side_by_side
from . import CONTROLS, LundGenerator, NoiseFloor
from .figures import save_samples
from .generator import Images
from .settings import SETTINGS

TITLE = "Lund images"

IMAGES = 20_000
"""Images of a submission, unless asked for otherwise."""

_RUN_SETTINGS = {
    "number": Allowed(f"{FEWEST} <= value <= {MOST}", lambda n: FEWEST <= n <= MOST, whole=True),
    "seed": Allowed("value >= 0", lambda seed: seed >= 0, whole=True),
}
_MODELS = Path(__file__).parent / "models"


def cards() -> list[AgentCard]:
    """Every generator."""
    settings = {"number": IMAGES, "seed": 1}
    return [
        *(AgentCard(name, kind.summary, settings) for name, kind in CONTROLS.items()),
        *(AgentCard(name, kind.summary, settings) for name, kind in SETTINGS.items()),
    ]


def run(task: Task, order: Order, progress: Progress) -> Outcome:
    """Generate images; arguments and errors as for `players.Player.run`."""
    for name, value in order.settings.items():
        if name not in _RUN_SETTINGS:
            known = ", ".join(_RUN_SETTINGS)
            raise ValueError(
                f"{order.agent} has no setting {name!r} when it runs; there are {known}"
            )
        if not _RUN_SETTINGS[name].admits(value):
            raise ValueError(f"{name} is {value!r} but must be {_RUN_SETTINGS[name]}")
    generator = make_generator(task, order.agent, order.model)
    submission, images, lines = _play(task, generator, order)
    figure = save_samples(
        load_test_data(task)["samples"].test,
        images,
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
    """Train a generator; arguments and errors as for `players.Player.train`."""
    if agent not in SETTINGS:
        raise ValueError(
            f"no agent {agent!r} of {task.id} learns; choose one of {', '.join(SETTINGS)}"
        )
    from ..progress import live_line
    from .training import train as learn

    settings = SETTINGS[agent].preset(preset, changes)
    images, validation = (load_images(task.datasets, one) for one in ("train", "validation"))
    with live_line(settings.steps) as show:
        learn(settings, images, validation, folder, resume=resume, show=show)


def compare(task: Task, progress: Progress) -> Comparison:
    """Put the entries of the board side by side."""
    return side_by_side(task)


def rebuild(task: Task, folder: Path, progress: Progress) -> list[Entry]:
    """Generate images with the controls and the models that come with the package."""
    agents: list[tuple[str, Path | None]] = [(name, None) for name in CONTROLS]
    agents += [(name, model) for name in SETTINGS for model in models(task, name)]
    entries = []
    for done, (name, model) in enumerate(agents):
        progress(done, len(agents), f"{task.id}: {name}")
        with tempfile.TemporaryDirectory() as scratch:
            order = Order(name, {}, model, Path(scratch))
            submission, _, _ = _play(task, make_generator(task, name, model), order)
            entries.append(Board(task.id, folder, shipped=None).add(submission))
    progress(len(agents), len(agents), task.id)
    return entries


def models(task: Task, agent: str) -> list[Path]:
    """Folders of the trained models of an agent that come with the package."""
    return sorted(file.parent for file in (_MODELS / task.id).glob(f"{agent}-seed*/settings.json"))


def make_generator(task: Task, agent: str, model: Path | None) -> LundGenerator:
    """Make a control and fit it, or load a trained generator from its folder.

    Raises
    ------
    ValueError
        If there is no such generator, or it does not fit together with the folder.
    """
    if agent in SETTINGS:
        from .trained import TrainedGenerator

        folders = [model] if model else models(task, agent)
        if not folders:
            raise ValueError(
                f"no trained {agent} for {task.id} comes with hepgym: train one with "
                f"`hepgym train {task.id} --agent {agent}` and give its folder with --model"
            )
        generator = TrainedGenerator.load(folders[0])
        if generator.name != agent:
            raise ValueError(f"{folders[0]} holds a {generator.name}, not a {agent}")
        return generator
    if agent not in CONTROLS:
        known = ", ".join([*CONTROLS, *SETTINGS])
        raise ValueError(f"there is no generator {agent!r}; choose one of {known}")
    if model:
        raise ValueError(f"--model is for {', '.join(SETTINGS)}, not for {agent}")
    control = CONTROLS[agent]()
    control.fit(load_images(task.datasets, "train"))
    return control


def _play(
    task: Task, generator: LundGenerator, order: Order
) -> tuple[Submission, Images, list[str]]:
    data = load_test_data(task)
    number, seed = order.settings.get("number", IMAGES), order.settings.get("seed", 1)
    start = time.perf_counter()
    images = generator.generate(number, seed)
    seconds = time.perf_counter() - start
    trained = generator.parameters.get("seed")
    predictions = {"images": images.reshape(-1)}
    kind = "control" if isinstance(generator, NoiseFloor) else "images"
    submission = write_submission(
        order.folder / "submission",
        task,
        agent=generator.name,
        kind=kind,
        predictions=predictions,
        score=evaluate(kind, predictions, data),
        wall_time_s=seconds,
        hyperparameters=generator.parameters,
        seeds=[seed] if trained is None else [int(trained), seed],
        authors=order.authors,
        description=order.description
        or (generator.name if trained is None else f"{generator.name}(seed={trained})"),
        overwrite=order.overwrite,
    )
    return submission, images, [f"generated {len(images)} images in {seconds:.2f} s"]
