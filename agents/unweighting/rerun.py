"""Runs surrogates of a board again: from a network that was handed in, or from their name.

A network is a Keras 3 file, loaded in safe mode, or an ONNX file. It maps float32 features
(n, FEATURES) of `features.features`, as a training here leaves it, or momenta (n, 6, 4) in GeV as
in `EventSample.momenta`, to ln(|M|^2 GeV^4), shape (n, 1).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...datasets.unweighting import EventSample
from ...leaderboards.manifest import Manifest
from ...leaderboards.tasks import Task
from ..submitted import load_network, network_file, way_to_run
from .features import FEATURES, features
from .player import CONTROLS, models
from .settings import SurrogateSettings
from .surrogate import Surrogate, read_settings

_BATCH = 16_384
_MOMENTA = (6, 4)


def how(task: Task, manifest: Manifest, attachments: Path) -> str | None:
    """Say how an entry can be run; see `hepgym.leaderboards.service.workers.runner.Runner`."""
    known = manifest.agent in CONTROLS or _folder(task, manifest) is not None
    return way_to_run(attachments, reference=known)


def run(
    task: Task,
    manifest: Manifest,
    attachments: Path,
    data: Mapping[str, EventSample],
    seed: int = 0,
) -> dict[str, NDArray[Any]]:
    """Predict the weights of events; no surrogate needs the seed.

    Raises
    ------
    ValueError
        If the network cannot be loaded or does not fit.
    """
    events = data["events"]
    file = network_file(attachments)
    if file is not None:
        weights = _from_network(file, events)
    elif manifest.agent in CONTROLS:
        weights = np.ones(len(events))
    else:
        folder = _folder(task, manifest)
        if folder is None:
            raise ValueError(f"{manifest.agent} came without a model and is no reference agent")
        weights = Surrogate.load(folder).weights(events)
    return {"weight": weights.astype(np.float32)}


def comparable(
    manifest: Manifest, predictions: Mapping[str, NDArray[Any]], data: Mapping[str, EventSample]
) -> Mapping[str, NDArray[Any]]:
    """Give weights in units of their mean: the unit is free."""
    return {
        name: one.astype(np.float64) / one.mean(dtype=np.float64)
        for name, one in predictions.items()
    }


def _folder(task: Task, manifest: Manifest) -> Path | None:
    """Folder of the surrogate that comes with the package and has an entry's settings."""
    if manifest.agent != SurrogateSettings.name:
        return None
    wanted = {**manifest.hyperparameters, "seed": [*manifest.seeds]}
    for folder in models(task):
        written = {**read_settings(folder).parameters}
        if wanted == {**written, "seed": [written["seed"]]}:
            return folder
    return None


def _from_network(file: Path, events: EventSample) -> NDArray[np.float64]:
    network = load_network(file)
    shapes = [shape[1:] for shape in network.inputs]
    if shapes == [(FEATURES,)]:
        seen: NDArray[Any] = features(events.momenta)
    elif shapes == [_MOMENTA]:
        seen = events.momenta
    else:
        raise ValueError(
            f"{file.name} takes inputs of shape {network.inputs}: features (n, {FEATURES}) or "
            f"momenta (n, {_MOMENTA[0]}, {_MOMENTA[1]}) are needed"
        )
    logarithms = np.empty(len(events))
    for first in range(0, len(events), _BATCH):
        here = slice(first, first + _BATCH)
        made = network(seen[here])
        if len(made) != 1 or made[0].shape != (len(seen[here]), 1):
            raise ValueError(
                f"{file.name} gives {[one.shape for one in made]} for {len(seen[here])} events: "
                "one number for each is needed, shape (n, 1)"
            )
        logarithms[here] = made[0][:, 0]
    weights: NDArray[np.float64] = events.phase_space_weights * np.exp(logarithms)
    return weights
