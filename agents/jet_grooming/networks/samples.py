"""The jets that a training sees."""

from __future__ import annotations

from dataclasses import dataclass

from ....datasets import load_trees
from ....datasets.jets.trees import ClusteringTrees
from ....leaderboards.tasks import task as find_task


@dataclass(frozen=True, eq=False)
class Samples:
    """Jets for training and for validation.

    Attributes
    ----------
    signal, background
        Jets that are played.
    validation_signal, validation_background
        Jets that decide which weights are kept.
    """

    signal: ClusteringTrees
    background: ClusteringTrees
    validation_signal: ClusteringTrees
    validation_background: ClusteringTrees


def load_samples(task: str) -> Samples:
    """Load the training and validation splits of a task's datasets.

    Parameters
    ----------
    task
        Task id.

    Returns
    -------
    Samples
    """
    ids = find_task(task).datasets
    return Samples(
        *(
            load_trees(ids[role], split=split)
            for split in ("train", "validation")
            for role in ("signal", "background")
        )
    )
