"""What nobody has seen: a task's data made anew from a secret seed, or new seeds for its agents."""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from ....datasets import load_trees, spec
from ...tasks import Task, load_test_data

_ANY_SEED = range(1, 2**31)


class Source(Protocol):
    """Where a family of tasks has fresh events from."""

    def seeds(self) -> range:
        """Seeds of which none makes public data."""
        ...

    def check(self, task: Task, size: int) -> None:
        """Refuse a size that the score cannot use, with ``ValueError``."""
        ...

    def generate(self, task: Task, seed: int, size: int, folder: Path) -> None:
        """Fill a folder; files that are there already stay."""
        ...

    def load(self, task: Task, folder: Path) -> dict[str, Any]:
        """Role to data, as the task's score module takes them."""
        ...


class _Jets:
    """Jets for grooming: one ROOT file for each role."""

    def roles(self, task: Task) -> list[str]:
        """Name the data that are made."""
        return [*task.datasets]

    def seeds(self) -> range:
        """As many as the seeds of Pythia leave room for."""
        from ....datasets.catalogue import SPECS
        from ....datasets.jets.settings import MAX_SEED

        return range(1 + max(one.seed for one in SPECS.values()), MAX_SEED + 1)

    def check(self, task: Task, size: int) -> None:
        """Take any size."""

    def generate(self, task: Task, seed: int, size: int, folder: Path) -> None:
        """Generate and cluster; the samples belong to the task's split, as public ones."""
        from ....datasets.jets.production import Sample, produce

        for role in self.roles(task):
            file = folder / f"{role}.root"
            if not file.exists():
                dataset_id = task.datasets[role]
                sample = Sample(dataset_id, spec(dataset_id).settings, task.split, size, seed)
                produce(sample, file)

    def load(self, task: Task, folder: Path) -> dict[str, Any]:
        """Read the jets."""
        return {role: load_trees(folder / f"{role}.root") for role in self.roles(task)}


class _Images(_Jets):
    """Lund images of fresh jets; the preprocessing stays the official one."""

    def roles(self, task: Task) -> list[str]:
        """Name both domains, without the pairs that some tasks have besides."""
        return ["A", "B"]

    def check(self, task: Task, size: int) -> None:
        """Ask for as many jets as the test images have."""
        from ...scores.jet_domains import JETS_PER_IMAGE, TEST_IMAGES

        needed = JETS_PER_IMAGE * TEST_IMAGES
        if size < needed:
            raise ValueError(
                f"{task.id} is scored on up to {TEST_IMAGES} images of {JETS_PER_IMAGE} jets: "
                f"size is {size} but must be at least {needed}"
            )

    def load(self, task: Task, folder: Path) -> dict[str, Any]:
        """Average the images of the fresh jets as those of the test jets are."""
        from ....datasets.jets.lund_images import average_images, lund_images
        from ...scores.jet_domains import JETS_PER_IMAGE

        official = load_test_data(task)["domains"]
        # A distance between averages depends on their number.
        number = len(official.images["A"])
        images = {
            role: average_images(
                lund_images(jets), JETS_PER_IMAGE, seed=place, number=number, disjoint=True
            )
            for place, (role, jets) in enumerate(super().load(task, folder).items())
        }
        return {"domains": dataclasses.replace(official, images=images, paired=None)}


class _SingleImages(_Jets):
    """Lund images of single fresh jets; what generators learn from stays as it is."""

    def check(self, task: Task, size: int) -> None:
        """Ask for as many jets as there are test images."""
        needed = len(load_test_data(task)["samples"].test)
        if size < needed:
            raise ValueError(
                f"{task.id} is scored on {needed} images: size is {size} but must be at least "
                f"{needed}"
            )

    def load(self, task: Task, folder: Path) -> dict[str, Any]:
        """Make images of the fresh jets."""
        from ....datasets.jets.lund_images import lund_images

        official = load_test_data(task)["samples"]
        (jets,) = super().load(task, folder).values()
        # A distance between averages depends on their number.
        test = lund_images(jets)[: len(official.test)] > 0.0
        return {"samples": dataclasses.replace(official, test=test)}


class _WeightedEvents:
    """Events with their exact matrix elements, for surrogates."""

    def seeds(self) -> range:
        """Seed 0 makes the public data."""
        return _ANY_SEED

    def check(self, task: Task, size: int) -> None:
        """Take any size."""

    def generate(self, task: Task, seed: int, size: int, folder: Path) -> None:
        """Draw points and compute their matrix elements."""
        from ....datasets.unweighting import produce_events

        for role in task.datasets:
            file = folder / f"{role}.npz"
            if not file.exists():
                produce_events(size, split=task.split, seed=seed, output=file)

    def load(self, task: Task, folder: Path) -> dict[str, Any]:
        """Read the events."""
        from ....datasets.unweighting import read_events

        return {role: read_events(folder / f"{role}.npz") for role in task.datasets}


class _Seeds:
    """The integrands are what they are: only the integrators' random numbers are fresh."""

    def seeds(self) -> range:
        """Seed 0 makes the public data."""
        return _ANY_SEED

    def check(self, task: Task, size: int) -> None:
        """Take any size: the number of calls is the score's to say."""

    def generate(self, task: Task, seed: int, size: int, folder: Path) -> None:
        """Do nothing: the agent gets the seed."""

    def load(self, task: Task, folder: Path) -> dict[str, Any]:
        """Give the official integrands."""
        return load_test_data(task)


_SOURCES: Mapping[str, Source] = {
    "jet_grooming": _Jets(),
    "jet_domains": _Images(),
    "lund_images": _SingleImages(),
    "unweighting": _WeightedEvents(),
    "vegas_sampling": _Seeds(),
}
"""Name of the score module to where its fresh events come from."""

_SEEDS_ONLY = frozenset(name for name, source in _SOURCES.items() if isinstance(source, _Seeds))


def draw_seed(task: Task) -> int:
    """Draw a seed at random, one that no split of a public dataset uses."""
    return secrets.choice(_source(task).seeds())


def check(task: Task, size: int) -> None:
    """Check that fresh events can be made for a task.

    Raises
    ------
    ValueError
        If its data cannot be generated, or not of that size.
    """
    _source(task).check(task, size)


def generate(task: Task, seed: int, size: int, folder: Path) -> None:
    """Make fresh events.

    Parameters
    ----------
    task
        The task.
    seed
        Of the events.
    size
        Number of events of each dataset.
    folder
        Folder to fill. Files that are there already stay.
    """
    check(task, size)
    _source(task).generate(task, seed, size, folder)


def counts(task: Task, size: int) -> dict[str, int]:
    """Role to number of fresh events; empty if only the random numbers of the agents are."""
    return {} if task.score in _SEEDS_ONLY else dict.fromkeys(task.datasets, size)


def load(task: Task, folder: Path) -> dict[str, Any]:
    """Role to the fresh data, as the task's score module takes them."""
    return _source(task).load(task, folder)


def _source(task: Task) -> Source:
    if task.score not in _SOURCES:
        data = ", ".join(task.datasets.values())
        raise ValueError(
            f"{task.id} cannot be refreshed: {data} is not made by an event generator that the "
            "board can run"
        )
    return _SOURCES[task.score]
