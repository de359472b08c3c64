"""Training: advance, log, validate; stop at any time and go on from there."""

from __future__ import annotations

import json
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np

from ....envs.jet_grooming.observation import NODE, observe_trees
from ....version import __version__
from ...checkpoint import Arrays, read_checkpoint, write_checkpoint
from ...interruption import interruptible
from .groomer import (
    NETWORK_FILE,
    SETTINGS_FILE,
    GroomerSettings,
    TrainedGroomer,
    differing_settings,
    read_settings,
    write_settings,
)
from .learner import NetworkLearner
from .log import TrainingLog, draw_curve
from .network import Standard
from .progress import Progress, live_line, silent
from .samples import Samples, load_samples
from .validation import validate

LAST_FILE = "last.keras"
CHECKPOINT_FILE = "checkpoint.npz"
SUMMARY_FILE = "summary.json"

SettingsT = TypeVar("SettingsT", bound=GroomerSettings)
GroomerT = TypeVar("GroomerT", bound=TrainedGroomer)


def train(
    make: Callable[[SettingsT, Path, Samples], Training[SettingsT]],
    kind: type[GroomerT],
    settings: SettingsT,
    folder: Path,
    *,
    resume: bool,
    progress: bool | Progress,
    samples: Samples | None,
) -> GroomerT:
    """Train an agent, or go on with an unfinished training.

    The folder receives ``model.keras`` (the best weights on the validation jets), ``last.keras``,
    ``settings.json``, ``log.jsonl``, ``reward-curve.png`` and, at the end, ``summary.json``. While
    the training is unfinished it also holds ``checkpoint.npz``. Ctrl-C and SIGTERM write a
    checkpoint first; a training that is resumed ends with the same weights, bit for bit, as one
    that was never stopped.

    Parameters
    ----------
    make
        The agent's class of trainings.
    kind
        Its class of groomers.
    settings
        All hyperparameters.
    folder
        Folder of this training.
    resume
        Whether to go on with what the folder holds. A finished training is just loaded. False
        starts over and removes an earlier training from the folder.
    progress
        True shows a live line, False nothing; a callable is called instead.
    samples
        The jets; None for those of the task.

    Returns
    -------
    TrainedGroomer
        With the best weights.

    Raises
    ------
    ValueError
        If the folder holds a training with other settings.
    KeyboardInterrupt
        After Ctrl-C or SIGTERM, once the checkpoint is written.
    """
    if not resume:
        for name in (NETWORK_FILE, LAST_FILE, CHECKPOINT_FILE, SUMMARY_FILE, SETTINGS_FILE):
            (folder / name).unlink(missing_ok=True)
    if (folder / SETTINGS_FILE).exists():
        other = read_settings(folder, kind)
        if other != settings:
            names = ", ".join(differing_settings(other, settings))
            raise ValueError(
                f"{folder} holds a training with other settings ({names}): choose another "
                "folder, the same settings, or to start over"
            )
    if (folder / SUMMARY_FILE).exists():
        return kind.load(folder)
    folder.mkdir(parents=True, exist_ok=True)
    write_settings(folder, settings, kind.name)
    training = make(settings, folder, samples or load_samples(settings.task))
    if progress is True:
        shown: Any = live_line(settings.steps)
    else:
        shown = nullcontext(progress or silent)
    with shown as show, interruptible() as stop:
        training.run(show, stop)
    return kind.load(folder)


class Training(ABC, Generic[SettingsT]):
    """A training between two checkpoints.

    A subclass builds what it plays with and ends its ``__init__`` with ``_take_up``.

    Parameters
    ----------
    settings
        All hyperparameters.
    folder
        Folder of this training; its checkpoint, if there is one, is taken up.
    samples
        The jets.
    learner
        The networks.
    groomer
        Grooms with the learner's averaged network.
    stream
        Number of the stream of random numbers that the training draws from.
    """

    _log_every: ClassVar[int]
    """Steps between lines of the log."""
    _steps_name: ClassVar[str]
    """What the steps are, on the axis of the curve."""

    def __init__(
        self,
        settings: SettingsT,
        folder: Path,
        samples: Samples,
        learner: NetworkLearner,
        groomer: TrainedGroomer,
        stream: int,
    ) -> None:
        self.settings = settings
        self.folder = folder
        self._samples = samples
        self._networks = learner
        self._groomer = groomer
        # Networks take their seeds from the same number in another way, see network.py.
        self._random = np.random.Generator(np.random.PCG64([settings.seed, stream]))
        self._step = 0
        self._stride = 1
        self._seconds = 0.0
        self._best: dict[str, float] | None = None

    def run(self, show: Progress, stop: threading.Event) -> None:
        """Train to the end, or until asked to stop.

        Raises
        ------
        KeyboardInterrupt
            If asked to stop, once the checkpoint is written.
        """
        settings = self.settings
        begun = time.perf_counter() - self._seconds
        while self._step < settings.steps:
            if stop.is_set():
                self._seconds = time.perf_counter() - begun
                self._checkpoint()
                raise KeyboardInterrupt
            self._advance()
            self._step += self._stride
            numbers: dict[str, float] = {}
            if self._passed(self._log_every):
                numbers = self._report()
                self._log.write(step=self._step, **numbers)
            if self._passed(settings.validate_every) or self._step >= settings.steps:
                numbers = {**numbers, **self._validate()}
            self._seconds = time.perf_counter() - begun
            if self._passed(settings.checkpoint_every):
                self._checkpoint()
            show(self._step, numbers)
        self._finish()

    @abstractmethod
    def _advance(self) -> None:
        """Play and learn; ``_step`` grows by ``_stride`` afterwards."""

    @abstractmethod
    def _report(self) -> dict[str, float]:
        """Numbers for the log, of what happened since the line before."""

    @abstractmethod
    def _counts(self) -> dict[str, int]:
        """Return what the summary of a finished training counts."""

    @abstractmethod
    def _state(self) -> tuple[dict[str, Arrays], dict[str, Any]]:
        """Arrays and values that a checkpoint holds beside those of this class."""

    @abstractmethod
    def _restore(self, parts: dict[str, Arrays], values: dict[str, Any]) -> None:
        """Take back what ``_state`` gave."""

    def _take_up(self) -> None:
        """Go on from the folder's checkpoint, if there is one, and open the log."""
        length = 0
        if (self.folder / CHECKPOINT_FILE).exists():
            parts, values = read_checkpoint(self.folder / CHECKPOINT_FILE)
            self._networks.restore(parts["learner"])
            self._step = values["step"]
            self._seconds = values["seconds"]
            self._best = values["best"]
            self._random.bit_generator.state = values["random"]
            self._restore(parts, values)
            length = int(values["log_length"])
        self._log = TrainingLog(self.folder, length)

    def _passed(self, every: int) -> bool:
        """Whether the last step reached or passed a multiple of ``every``."""
        return self._step // every > (self._step - self._stride) // every

    def _validate(self) -> dict[str, float]:
        score = validate(self._groomer, self._samples)
        numbers = {
            f"validation_{name}": float(getattr(score, name).value)
            for name in ("loss", "window", "median", "f_bkg")
        }
        self._log.write(step=self._step, **numbers)
        if self._best is None or numbers["validation_loss"] < self._best["validation_loss"]:
            self._best = {"step": self._step, **numbers}
            self._groomer.save(self.folder)
        return numbers

    def _finish(self) -> None:
        self._networks.averaged.save(self.folder / LAST_FILE)
        draw_curve(self.folder, steps=self._steps_name)
        summary = {
            "hepgym": __version__,
            **self._counts(),
            "seconds": round(self._seconds, 1),
            "best": self._best,
        }
        (self.folder / SUMMARY_FILE).write_text(json.dumps(summary, indent=2) + "\n")
        (self.folder / CHECKPOINT_FILE).unlink(missing_ok=True)

    def _checkpoint(self) -> None:
        parts, values = self._state()
        write_checkpoint(
            self.folder / CHECKPOINT_FILE,
            {"learner": self._networks.as_arrays(), **parts},
            {
                "step": self._step,
                "seconds": self._seconds,
                "best": self._best,
                "log_length": self._log.length,
                "random": self._random.bit_generator.state,
                **values,
            },
        )


def standardisation(
    samples: Samples, observation: str, components: int, background: float
) -> Standard:
    """Mean and variance of the leading components of an observation over the training jets' nodes.

    Parameters
    ----------
    samples
        The jets.
    observation, components
        What is seen of them.
    background
        Weight of the background jets.

    Returns
    -------
    mean, variance : numpy.ndarray
        float32, shape (components,).
    """
    mean, square = np.zeros(components), np.zeros(components)
    for trees, weight in (
        (samples.signal, 1 - background),
        (samples.background, background),
    ):
        # Before they are rounded to float32.
        seen = trees.states if observation == NODE else observe_trees(trees, observation)
        seen = seen[:, :components].astype(np.float64, copy=False)
        mean += weight * seen.mean(axis=0)
        square += weight * (seen**2).mean(axis=0)
    return mean.astype(np.float32), (square - mean**2).astype(np.float32)
