"""The jets that translators learn from: bundled ones, larger samples, or a user's files."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ...datasets import catalogue, load_trees
from ...datasets.jets import jet_files
from ...datasets.jets.lund_images import lund_images
from ...datasets.jets.trees import ClusteringTrees
from ...leaderboards.scores.jet_domains import JETS_PER_IMAGE, load_jets
from .settings import TrainJets
from .translator import Images

ROLES = ("A", "B")


def load_train_jets(
    datasets: Mapping[str, str], source: TrainJets
) -> tuple[dict[str, Images], dict[str, str]]:
    """Read the jets to learn from.

    Parameters
    ----------
    datasets
        Role to dataset id: "A" and "B", and others on which translations are scored.
    source
        Which jets.

    Returns
    -------
    tuple
        "A" and "B" to images of single jets, float32 of shape (jets, 24, 24); and the hashes that
        ``source`` should hold, by the name of its fields.

    Raises
    ------
    ValueError
        If the jets are absent or too few, are not those of the hashes, or come from events of
        validation or test jets of the task; `DatasetError` is one.
    """
    domains = {role: datasets[role] for role in ROLES}
    if bool(source.train_a) != bool(source.train_b):
        raise ValueError("train_a and train_b go together: give a file for each domain")
    if source.train_a and source.train_jets:
        raise ValueError("give train_jets, or the files train_a and train_b, not both")
    if source.bundled:
        bundled = load_jets(domains, "train")
        return {role: lund_images(one) for role, one in bundled.items()}, {}
    images, hashes = {}, {}
    for role, dataset in domains.items():
        file = getattr(source, f"train_{role.lower()}")
        if file:
            _refuse_held_out(file, datasets)
        trees = load_trees(file) if file else _first(dataset, source.train_jets)
        if len(trees) < JETS_PER_IMAGE:
            raise ValueError(
                f"{file or dataset}: {len(trees)} train jets, at least {JETS_PER_IMAGE} are "
                "needed: an image is an average over so many"
            )
        found = jet_files.content_hash(trees)
        expected = getattr(source, f"train_{role.lower()}_sha256")
        if expected not in ("", found):
            raise ValueError(
                f"{file or dataset}: the content hash of these train jets is {found}, but "
                f"train_{role.lower()}_sha256 is {expected}"
            )
        images[role], hashes[f"train_{role.lower()}_sha256"] = lund_images(trees), found
    return images, hashes


def _first(dataset: str, jets: int) -> ClusteringTrees:
    """Read the first jets of a dataset's train split."""
    spec = catalogue.spec(dataset)
    if "train" in spec.bundled and jets <= spec.bundled["train"].jets:
        return jet_files.read(spec.bundled_file("train"), stop=jets)
    return load_trees(dataset, "train", size=jets)


def _refuse_held_out(source: str, datasets: Mapping[str, str]) -> None:
    """See that jets which hepgym generated are not of events that translations are scored on."""
    file, _ = jet_files.split_path(source)
    if not jet_files.is_jets_file(file):
        return
    seeds = np.unique(jet_files.read_origin(file)["pythia_seed"])
    for dataset in datasets.values():
        spec = catalogue.spec(dataset)
        for split in {"validation", "test"} & set(spec.bundled):
            own = jet_files.read_origin(spec.bundled_file(split))["pythia_seed"]
            if np.isin(seeds[seeds >= 0], own).any():
                raise ValueError(
                    f"{source} has Pythia seeds of the {split} jets of {dataset}: who trains on "
                    "these trains on what is scored; give jets of the split train"
                )
