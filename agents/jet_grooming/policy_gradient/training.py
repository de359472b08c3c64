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
from ....version import __version__
from ...checkpoint import read_checkpoint, write_checkpoint
from ...interruption import interruptible
from ..dqn.groomer import (
    NETWORK_FILE,
    SETTINGS_FILE,
    differing_settings,
    read_settings,
    write_settings,
)
from ..dqn.log import TrainingLog, draw_curve
from ..dqn.progress import Progress, live_line, silent
from ..dqn.samples import Samples, load_samples
from ..dqn.training import (
    CHECKPOINT_FILE,
    LAST_FILE,
    SUMMARY_FILE,
    standardisation,
)
from ..dqn.validation import validate
from .credit import counterfactual_masses
from .groomer import PolicyGradientGroomer
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
    """One process's jets and what is seen of them."""

    def __init__(self, trees: ClusteringTrees, settings: PolicyGradientSettings) -> None:
        self.trees = trees
        self._seen = observe_trees(trees, settings.observation)[:, : settings.components]
        self._playable = np.flatnonzero(np.diff(trees.node_offsets))

    def draw(
        self, random: np.random.Generator, jets: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.int64]]:
        """Draw jets: their indices, what is seen of their nodes, and the places of their roots."""
        drawn = self._playable[random.integers(len(self._playable), size=jets)]
        first, last = self.trees.node_offsets[drawn], self.trees.node_offsets[drawn + 1]
        roots = np.cumsum(last - first) - (last - first)
        rows = np.repeat(first - roots, last - first) + np.arange(int((last - first).sum()))
        return drawn, self._seen[rows], roots


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
            signal, background = self._advance()
            numbers: dict[str, float] = {}
            if self._step % _LOG_EVERY == 0:
                numbers = {"reward": signal + background, "reward_signal": signal}
                self._log.write(step=self._step, **numbers)
            if self._step % settings.validate_every == 0 or self._step == settings.steps:
                numbers = {**numbers, **self._validate()}
            self._seconds = time.perf_counter() - begun
            if self._step % settings.checkpoint_every == 0:
                self._checkpoint()
            show(self._step, numbers)
        self._finish()

    def _advance(self) -> tuple[float, float]:
        """One gradient step; returns the mean reward of signal and of background jets."""
        settings = self.settings
        means: list[float] = []
        batch: list[tuple[NDArray[np.float32], NDArray[np.float64]]] = []
        for sample, jets, weight in (
            (self._signal, settings.jets - self._background_jets, 1.0),
            (self._background, self._background_jets, -settings.background_weight),
        ):
            drawn, seen, roots = sample.draw(self._random, jets)
            probability = self._learner.removal_probabilities(seen)
            decisions = self._random.random(len(seen)) < probability
            masses, reached = counterfactual_masses(sample.trees, drawn, decisions)
            reward = weight * mass_reward(masses, settings, self._step)
            means.append(float(reward[roots, decisions[roots].astype(np.int64)].mean()))
            gain = (reward[:, 1] - reward[:, 0]) / jets
            batch.append((seen[reached], gain[reached]))
        self._learner.ascend(*(np.concatenate(parts) for parts in zip(*batch, strict=True)))
        self._step += 1
        return means[0], means[1]

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
        draw_curve(self.folder, steps="Gradient steps")
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
        self._step = values["step"]
        self._seconds = values["seconds"]
        self._best = values["best"]
        self._random.bit_generator.state = values["random"]
        return int(values["log_length"])


def mass_reward(
    mass: NDArray[np.float64], settings: PolicyGradientSettings, step: int
) -> NDArray[np.float64]:
    """Reward of signal jets that end with a mass.

    Parameters
    ----------
    mass
        float64, any shape: groomed masses in GeV.
    settings
        Shape and widths.
    step
        Gradient steps done.

    Returns
    -------
    numpy.ndarray
        float64, same shape, 0 to 1.
    """
    part = min(1.0, 2 * step / settings.steps)
    width = settings.width * (settings.final_width / settings.width) ** part
    x2 = ((mass - settings.mass_target) / width) ** 2
    reward: NDArray[np.float64]
    if settings.shape == "gaussian":
        reward = np.exp(-0.5 * x2)
    else:
        reward = 1 / (1 + (x2 if settings.shape == "cauchy" else x2**2))
    return reward
