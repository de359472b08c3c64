"""Trains the keras-rl2 agent in a process of its own and brings back a groomer."""

from __future__ import annotations

import dataclasses
import json
import signal
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from ....version import __version__
from ..dqn.groomer import DQNGroomer
from ..dqn.settings import DQNSettings
from ..networks.groomer import SETTINGS_FILE, write_settings
from ..networks.log import LOG_FILE, TrainingLog, draw_curve
from ..networks.samples import load_samples
from ..networks.training import SUMMARY_FILE
from ..networks.validation import validate
from .settings import check_settings
from .weights import WEIGHTS_FILE, read_network

_MESSAGES_FILE = "messages.txt"


def train_keras_rl(
    settings: DQNSettings, folder: Path, *, steps: int | None = None, progress: bool = True
) -> Path:
    """Train the historical baseline: the DQN agent of keras-rl2, in a process of its own.

    The folder receives ``model.keras`` and ``settings.json``, which `DQNGroomer.load` reads, the
    same weights in ``weights.npz`` (see the module `weights`), ``log.jsonl``,
    ``reward-curve.png`` and ``summary.json``. The last weights are kept and validated once.
    Ctrl-C leaves all this for the steps done so far; the training cannot be resumed.

    The same seed gives the same weights, bit for bit, on one machine with one set of packages.
    Other than with the native agent, the seed also decides the initial weights, batches and
    actions through the global random states of Python, NumPy and TensorFlow.

    Parameters
    ----------
    settings
        All hyperparameters, usually from `keras_rl_settings`. ``validate_every`` has no effect;
        after each ``checkpoint_every`` steps the weights are written.
    folder
        Folder of this training; it must not hold one yet.
    steps
        Environment steps, instead of those of the settings.
    progress
        Whether to show a live line.

    Returns
    -------
    pathlib.Path
        The folder.

    Raises
    ------
    ValueError
        If keras-rl2 cannot follow the settings, or the folder holds a training.
    RuntimeError
        If the training failed.
    KeyboardInterrupt
        After Ctrl-C, once the folder is complete.
    """
    if steps is not None:
        settings = dataclasses.replace(settings, steps=steps)
    check_settings(settings)
    if (folder / SETTINGS_FILE).exists():
        raise ValueError(f"{folder} holds a training already: choose another folder")
    folder.mkdir(parents=True, exist_ok=True)
    write_settings(folder, settings, DQNGroomer.name)
    _run_process(folder, quiet=not progress)
    if _write_groomer(folder, settings) < settings.steps:
        raise KeyboardInterrupt
    return folder


def _run_process(folder: Path, *, quiet: bool) -> None:
    """Train in another process, to the end or to Ctrl-C.

    The environment of this process stays as it is: the other one sets up its own.
    """
    command = [sys.executable, "-m", __package__, str(folder.resolve())]
    messages = folder / _MESSAGES_FILE
    with messages.open("wb") as stream:
        process = subprocess.Popen(command + ["--quiet"] * quiet, stderr=stream)
        try:
            process.wait()
        except KeyboardInterrupt:
            # Ctrl-C in a terminal reaches both processes, a signal to this one does not.
            process.send_signal(signal.SIGINT)
            process.wait()
        finally:
            process.kill()
            process.wait()
    if process.returncode or not (folder / WEIGHTS_FILE).exists():
        last = messages.read_text(errors="replace").strip().rpartition("\n")[2]
        raise RuntimeError(
            f"the training with keras-rl2 in {folder} ended with code {process.returncode} "
            f"({last or 'no message'}): see {messages}"
        )
    messages.unlink()


def _write_groomer(folder: Path, settings: DQNSettings) -> int:
    """Make a groomer of the weights, validate it and sum up; returns the steps done."""
    network, values = read_network(folder, settings)
    groomer = DQNGroomer(network, settings)
    groomer.save(folder)
    score = validate(groomer, load_samples(settings.task))
    numbers = {
        f"validation_{name}": float(getattr(score, name).value)
        for name in ("loss", "window", "median", "f_bkg")
    }
    step = int(values["environment_steps"])
    log = TrainingLog(folder, (folder / LOG_FILE).stat().st_size)
    log.write(step=step, **numbers)
    draw_curve(folder)
    summary = {
        "hepgym": __version__,
        "keras-rl2": version("keras-rl2"),
        "tf-keras": version("tf-keras"),
        **values,
        "best": {"step": step, **numbers},
    }
    (folder / SUMMARY_FILE).write_text(json.dumps(summary, indent=2) + "\n")
    return step
