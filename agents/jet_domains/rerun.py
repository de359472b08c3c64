"""Runs translators of a board again: from a network that was handed in, or from their name.

A network is a Keras 3 file, loaded in safe mode, or an ONNX file. It has two inputs, float32 images
of A and of B, each (n, 24, 24), and two outputs of the same shapes: A translated to B, and B to A.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from ...leaderboards.manifest import Manifest
from ...leaderboards.scores.jet_domains import Domains, translations
from ...leaderboards.tasks import Task
from ..submitted import Network, load_network, network_file, way_to_run
from . import CONTROLS, Images
from .cyclegan import read_settings
from .player import CYCLEGAN, make_translator, models


def how(task: Task, manifest: Manifest, attachments: Path) -> str | None:
    """Say how an entry can be run; see `hepgym.leaderboards.service.workers.runner.Runner`."""
    known = manifest.agent in CONTROLS or _folder(task, manifest) is not None
    return way_to_run(attachments, reference=known)


def run(
    task: Task,
    manifest: Manifest,
    attachments: Path,
    data: Mapping[str, Domains],
    seed: int = 0,
) -> dict[str, NDArray[Any]]:
    """Translate images; no translator needs the seed.

    Raises
    ------
    ValueError
        If the network cannot be loaded or does not fit, or the entry names jets that the board does
        not have.
    """
    images, paired = data["domains"].images, data["domains"].paired
    file = network_file(attachments)
    if file is not None:
        network = load_network(file)
        return {
            **translations(
                images,
                lambda one: _translated(network, one)[0],
                lambda one: _translated(network, one)[1],
                paired,
            )
        }
    folder = _folder(task, manifest)
    if folder is None and manifest.agent not in CONTROLS:
        raise ValueError(f"{manifest.agent} came without a model and is no reference agent")
    settings = {} if folder else manifest.hyperparameters
    # Whoever hands in an entry does not choose which of the board's own files are opened.
    if settings.get("train_a") or settings.get("train_b"):
        raise ValueError(f"{manifest.agent} has learnt from files that the board does not have")
    translator = make_translator(task, manifest.agent, folder, settings)
    return {**translations(images, translator.a_to_b, translator.b_to_a, paired)}


def comparable(
    manifest: Manifest, predictions: Mapping[str, NDArray[Any]], data: Mapping[str, Domains]
) -> Mapping[str, NDArray[Any]]:
    """Leave images as they are."""
    return predictions


def _folder(task: Task, manifest: Manifest) -> Path | None:
    """Folder of the translator that comes with the package and has an entry's settings."""
    if manifest.agent != CYCLEGAN:
        return None
    for folder in models(task):
        written = read_settings(folder).as_dict()
        # A setting that is younger than the model is not in the entry and has its default.
        if manifest.hyperparameters.items() <= written.items():
            return folder
    return None


def _translated(network: Network, images: Images) -> tuple[Images, Images]:
    """Both translations of images; whoever has images of one domain wants one of them."""
    if len(network.inputs) != 2:
        raise ValueError(
            f"{network.file} has {len(network.inputs)} inputs: it needs two, images of A and of B"
        )
    made = network(images, images)
    if [one.shape for one in made] != [images.shape] * 2:
        raise ValueError(
            f"{network.file} gives {[one.shape for one in made]} for {len(images)} images of each "
            f"domain: two outputs of shape {images.shape} are needed"
        )
    return made[0], made[1]
