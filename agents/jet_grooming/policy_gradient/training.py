"""Training: draw jets, decide, credit every decision, ascend; stop at any time and go on."""

from __future__ import annotations

import json
import threading
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....datasets.jets.trees import ClusteringTrees
from ....envs.jet_grooming.observation import observe_trees
from ....leaderboards.figures.style import BACKGROUND, SIGNAL, hep_figure, save
from ....leaderboards.tasks import task as find_task
from ....version import __version__
from ..dqn.checkpoint import read_checkpoint, write_checkpoint
from ..dqn.groomer import (
    NETWORK_FILE,
    SETTINGS_FILE,
    differing_settings,
    read_settings,
    write_settings,
)
from ..dqn.log import CURVE_FILE, TrainingLog, read_log
from ..dqn.progress import Progress, live_line, silent
from ..dqn.samples import Samples, load_samples
from ..dqn.training import (
    CHECKPOINT_FILE,
    LAST_FILE,
    SUMMARY_FILE,
    interruptible,
    standardisation,
)
from ..dqn.validation import validate
from .credit import counterfactual_masses
from .groomer import PolicyGradientGroomer
from .influence import Influence, influence
from .learner import Learner
from .settings import PolicyGradientSettings

_LOG_EVERY = 20
"""Gradient steps between lines of the log."""


def train(
    settings: PolicyGradientSettings,
    folder: Path,
    *,
    resume: bool = True,
    progress: bool | Progress = True,
    samples: Samples | None = None,
) -> PolicyGradientGroomer:
    """Train an agent, or go on with an unfinished training.

    The folder receives the same files as that of `dqn.train`, and the training stops and goes on
    in the same way.

    Parameters
    ----------
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
        The jets; by default those of the task.

    Returns
    -------
    PolicyGradientGroomer
        With the best weights on the validation jets.

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
        other = read_settings(folder, PolicyGradientGroomer)
        if other != settings:
            names = ", ".join(differing_settings(other, settings))
            raise ValueError(
                f"{folder} holds a training with other settings ({names}): choose another "
                "folder, the same settings, or to start over"
            )
    if (folder / SUMMARY_FILE).exists():
        return PolicyGradientGroomer.load(folder)
    folder.mkdir(parents=True, exist_ok=True)
    write_settings(folder, settings, PolicyGradientGroomer.name)
    training = Training(settings, folder, samples or load_samples(settings.task))
    if progress is True:
        shown: Any = live_line(settings.steps)
    else:
        shown = nullcontext(progress or silent)
    with shown as show, interruptible() as stop:
        training.run(show, stop)
    return PolicyGradientGroomer.load(folder)


class _Sample:
    """One process's jets, what is seen of them, and the masses that they lately ended with."""

    def __init__(self, trees: ClusteringTrees, settings: PolicyGradientSettings) -> None:
        self.trees = trees
        self._seen = observe_trees(trees, settings.observation)[:, : settings.components]
        self._playable = np.flatnonzero(np.diff(trees.node_offsets))
        self._memory = settings.memory
        self._masses: list[NDArray[np.float64]] = []

    def draw(
        self, random: np.random.Generator, jets: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.int64]]:
        """Draw jets: their indices, what is seen of their nodes, and the places of their roots."""
        drawn = self._playable[random.integers(len(self._playable), size=jets)]
        first, last = self.trees.node_offsets[drawn], self.trees.node_offsets[drawn + 1]
        roots = np.cumsum(last - first) - (last - first)
        rows = np.repeat(first - roots, last - first) + np.arange(int((last - first).sum()))
        return drawn, self._seen[rows], roots

    def remember(self, masses: NDArray[np.float64]) -> None:
        """Append masses of one gradient step and forget the oldest."""
        self._masses = [*self._masses, masses][-self._memory :]

    @property
    def masses(self) -> NDArray[np.float64]:
        """All masses remembered."""
        return np.concatenate(self._masses)

    def as_arrays(self) -> dict[str, NDArray[np.generic]]:
        """Give what is remembered; `restore` reads it."""
        return {f"{i:04d}": masses for i, masses in enumerate(self._masses)}

    def restore(self, arrays: dict[str, NDArray[np.generic]]) -> None:
        """Take back what `as_arrays` gave."""
        self._masses = [arrays[name].astype(np.float64) for name in sorted(arrays)]


class Training:
    """A training between two checkpoints; parameters as for `train`."""

    def __init__(self, settings: PolicyGradientSettings, folder: Path, samples: Samples) -> None:
        self.settings = settings
        self.folder = folder
        self._samples = samples
        self._learner = Learner(
            settings,
            standardisation(
                samples, settings.observation, settings.components, settings.background
            ),
        )
        self._groomer = PolicyGradientGroomer(self._learner.averaged, settings)
        self._signal = _Sample(samples.signal, settings)
        self._background = _Sample(samples.background, settings)
        self._background_jets = min(
            settings.jets - 1, max(1, round(settings.background * settings.jets))
        )
        self._target = float(find_task(settings.task).parameters["mass_target"])
        self._random = np.random.Generator(np.random.PCG64([settings.seed, 2]))
        self._step = 0
        self._seconds = 0.0
        self._best: dict[str, float] | None = None
        log_length = 0
        if (folder / CHECKPOINT_FILE).exists():
            log_length = self._restore()
        self._log = TrainingLog(folder, log_length)

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
            now = self._advance()
            numbers: dict[str, float] = {}
            if self._step % _LOG_EVERY == 0:
                numbers = {"loss": now.loss, "window": now.high - now.low, "median": now.middle}
                self._log.write(step=self._step, **numbers)
            if self._step % settings.validate_every == 0 or self._step == settings.steps:
                numbers = {**numbers, **self._validate()}
            self._seconds = time.perf_counter() - begun
            if self._step % settings.checkpoint_every == 0:
                self._checkpoint()
            show(self._step, numbers)
        self._finish()

    def _advance(self) -> Influence:
        """One gradient step; returns the score of the jets that were lately played."""
        settings = self.settings
        counts = (self._background_jets, settings.jets - self._background_jets)
        played = []
        for sample, jets in zip((self._background, self._signal), counts, strict=True):
            drawn, seen, roots = sample.draw(self._random, jets)
            probability = self._learner.removal_probabilities(seen)
            decisions = self._random.random(len(seen)) < probability
            masses, reached = counterfactual_masses(sample.trees, drawn, decisions)
            sample.remember(masses[roots, decisions[roots].astype(np.int64)])
            played.append((seen[reached], masses[reached]))
        now = influence(self._signal.masses, self._background.masses, self._target)
        rewards = self._rewards(now, played[0][1], played[1][1])
        gains = [
            (reward[:, 1] - reward[:, 0]) / jets
            for reward, jets in zip(rewards, counts, strict=True)
        ]
        self._learner.ascend(
            np.concatenate([seen for seen, _ in played]),
            np.concatenate(gains),
        )
        self._step += 1
        return now

    def _rewards(
        self, now: Influence, background: NDArray[np.float64], signal: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Rewards of background and of signal jets with the given masses."""
        settings = self.settings
        done = self._step / settings.steps
        if done < settings.approach:
            part = min(1.0, 2 * done / settings.approach)
            width = _geometric(settings.width, settings.final_width, part)
            return (
                -1 / (1 + ((background - self._target) / width) ** 2),
                1 / (1 + ((signal - self._target) / width) ** 2),
            )
        part = (done - settings.approach) / (1 - settings.approach)
        softness = _geometric(settings.softness, settings.final_softness, part)
        return now.background_reward(background, softness), now.signal_reward(signal, softness)

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
        self._learner.averaged.save(self.folder / LAST_FILE)
        _draw_curve(self.folder)
        summary = {
            "hepgym": __version__,
            "gradient_steps": self._step,
            "jets_played": self._step * self.settings.jets,
            "seconds": round(self._seconds, 1),
            "best": self._best,
        }
        (self.folder / SUMMARY_FILE).write_text(json.dumps(summary, indent=2) + "\n")
        (self.folder / CHECKPOINT_FILE).unlink(missing_ok=True)

    def _checkpoint(self) -> None:
        write_checkpoint(
            self.folder / CHECKPOINT_FILE,
            {
                "learner": self._learner.as_arrays(),
                "signal": self._signal.as_arrays(),
                "background": self._background.as_arrays(),
            },
            {
                "step": self._step,
                "seconds": self._seconds,
                "best": self._best,
                "log_length": self._log.length,
                "random": self._random.bit_generator.state,
            },
        )

    def _restore(self) -> int:
        """Take up the checkpoint; returns the length of the log at that time."""
        parts, values = read_checkpoint(self.folder / CHECKPOINT_FILE)
        self._learner.restore(parts["learner"])
        # A training that stops before its first step remembers nothing.
        self._signal.restore(parts.get("signal", {}))
        self._background.restore(parts.get("background", {}))
        self._step = values["step"]
        self._seconds = values["seconds"]
        self._best = values["best"]
        self._random.bit_generator.state = values["random"]
        return int(values["log_length"])


def _geometric(first: float, last: float, part: float) -> float:
    """Value between two, equal factors for equal parts of the way."""
    return float(first * (last / first) ** part)


def _draw_curve(folder: Path) -> Path:
    """Draw L of the jets played in training, and on the validation jets, against steps."""
    lines = read_log(folder)
    with hep_figure(6.4, 4.8) as figure:
        axes = figure.subplots()
        for key, label, style in (
            ("loss", "training, sampled policy", {"color": SIGNAL}),
            (
                "validation_loss",
                "validation",
                {"color": BACKGROUND, "marker": "o", "markersize": 3},
            ),
        ):
            points = np.array([(line["step"], line[key]) for line in lines if key in line])
            if len(points):
                axes.plot(*points.T, label=label, **style)
        axes.set_yscale("log")
        axes.set_xlabel("Gradient steps")
        axes.set_ylabel("$L$ [GeV]")
        axes.legend()
        return save(figure, folder / CURVE_FILE)
