"""Runs grooming entries of a board again, from a model that was handed in or from their name.

A model maps float32 observations of nodes (n, components) to two values (n, 2), of keeping and of
removing the softer branch; the larger one decides, equal values keep. It is a Keras 3 file, loaded
in safe mode, or an ONNX file with one input and one output.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...datasets.jets.trees import STATE_FIELDS, ClusteringTrees
from ...envs.jet_grooming.observation import CONTEXT, NODE
from ...leaderboards.manifest import Manifest
from ...leaderboards.tasks import Task
from ..parameters import Parameters
from ..submitted import Network, load_network, network_file, way_to_run
from . import GROOMERS, Groomer, NodeGroomer, canonical_decisions, make_groomer
from .networks.groomer import SETTINGS_FILE
from .trained import TRAINED, load_groomer, reference_models

_BATCH = 65_536


class NetworkGroomer(NodeGroomer):
    """A groomer from any network with two outputs.

    Parameters
    ----------
    network
        float32 (n, components) to one output (n, 2).
    components
        Number of its inputs.
    """

    name = "network"
    symbol = "Network"

    def __init__(self, network: Network, components: int) -> None:
        self.network = network
        self.components = components
        self.observation = NODE if components <= len(STATE_FIELDS) else CONTEXT

    @property
    def parameters(self) -> Parameters:
        """None: the weights say it all."""
        return {}

    def decide(self, states: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Take the action with the higher value at many nodes, see `NodePolicy.decide`."""
        out = np.empty(len(states), np.bool_)
        for first in range(0, len(states), _BATCH):
            part = states[first : first + _BATCH, : self.components]
            made = self.network(part)
            values = made[0]
            if len(made) != 1 or values.shape != (len(part), 2):
                raise ValueError(
                    f"the model gives {len(made)} outputs, the first of shape {values.shape}, for "
                    f"{len(part)} nodes: two values for each are needed"
                )
            out[first : first + _BATCH] = values[:, 1] > values[:, 0]
        return out


def how(task: Task, manifest: Manifest, attachments: Path) -> str | None:
    """Say how an entry can be run; see `hepgym.leaderboards.service.workers.runner.Runner`."""
    return way_to_run(attachments, reference=_reference(task, manifest) is not None)


def run(
    task: Task,
    manifest: Manifest,
    attachments: Path,
    data: Mapping[str, ClusteringTrees],
    seed: int = 0,
) -> dict[str, NDArray[Any]]:
    """Groom jets with an entry's model or agent; no groomer needs the seed.

    Raises
    ------
    ValueError
        If the model cannot be loaded or does not fit.
    """
    file = network_file(attachments)
    if file is not None:
        groomer: Groomer = _submitted(file)
    else:
        make = _reference(task, manifest)
        if make is None:
            raise ValueError(f"{manifest.agent} came without a model and is no reference agent")
        groomer = make()
    predictions: dict[str, NDArray[Any]] = {}
    for role, trees in data.items():
        jets = groomer.groom(trees)
        kind, chosen = ("decisions", jets.decisions) if jets.kept is None else ("kept", jets.kept)
        if kind != manifest.predictions.kind:
            raise ValueError(
                f"the agent makes predictions of kind {kind!r}, the entry holds "
                f"{manifest.predictions.kind!r}"
            )
        predictions[role] = np.asarray(chosen, np.bool_)
    return predictions


def comparable(
    manifest: Manifest,
    predictions: Mapping[str, NDArray[Any]],
    data: Mapping[str, ClusteringTrees],
) -> Mapping[str, NDArray[Any]]:
    """Decisions with 0 at nodes that are never reached: what is decided there has no effect."""
    if manifest.predictions.kind != "decisions":
        return predictions
    return {
        role: canonical_decisions(data[role], np.asarray(one, np.uint8))
        for role, one in predictions.items()
    }


def _reference(task: Task, manifest: Manifest) -> Callable[[], Groomer] | None:
    """Find the agent that comes with the package and has these parameters.

    It is not made yet: whoever only asks, such as a process that forks, must not load TensorFlow.
    """
    parameters = manifest.hyperparameters
    if manifest.agent in GROOMERS:
        try:
            groomer = make_groomer(manifest.agent, **parameters)
        except (TypeError, ValueError):
            return None
        return lambda: groomer
    if manifest.agent not in TRAINED:
        return None
    for folder in reference_models(task.id, manifest.agent):
        # A setting that is younger than the model is not in its file and has its default.
        written = _written_parameters(folder)
        if all(written.get(name, value) == value for name, value in parameters.items()):
            return functools.partial(_load_trained, manifest, folder)
    return None


def _written_parameters(folder: Path) -> dict[str, Any]:
    """Parameters of a trained agent as its folder says, without loading it."""
    settings = dict(json.loads((folder / SETTINGS_FILE).read_text())["settings"])
    reward = settings.pop("reward", {})
    return {**settings, **{f"reward_{name}": value for name, value in reward.items()}}


def _load_trained(manifest: Manifest, folder: Path) -> Groomer:
    groomer = load_groomer(manifest.agent, folder)
    if not groomer.parameters.items() >= manifest.hyperparameters.items():
        raise ValueError(f"no {manifest.agent} that comes with hepgym has all of these settings")
    return groomer


def _submitted(file: Path) -> NetworkGroomer:
    network = load_network(file)
    shapes = network.inputs
    if len(shapes) != 1 or len(shapes[0]) != 2 or shapes[0][1] is None:
        raise ValueError(
            f"{file.name} takes inputs of shape {shapes}: one of (nodes, components) is needed"
        )
    return NetworkGroomer(network, shapes[0][1])
