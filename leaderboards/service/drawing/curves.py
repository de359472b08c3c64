"""Histograms in the form in which they are kept beside the boards and drawn as SVG."""

from __future__ import annotations

import importlib
from typing import Any, Protocol, cast

from pydantic import BaseModel, ConfigDict

from ...submission import Submission
from ...tasks import Task

CURVES_FILE = "curves.json"


class Histogram(BaseModel):
    """One histogram, with what it is to be compared with.

    Attributes
    ----------
    title, x, y
        Title and axes.
    edges
        Bin edges, one more than values.
    values
        Heights of the bins.
    spread
        One standard deviation of each height, drawn as a band; empty if there is none.
    reference, reference_name
        The same before an agent did anything; empty if there is no such thing.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    title: str
    x: str
    y: str
    edges: list[float]
    values: list[float]
    spread: list[float] = []
    reference: list[float] = []
    reference_name: str = ""


class Curves(BaseModel):
    """All histograms of an entry or a dataset.

    Attributes
    ----------
    histograms
        In the order in which they are shown. Those of two entries of a task have the same bins.
    resampled
        Primary metric of the entry for each bootstrap resample of the test set; the resamples of
        two entries are of the same events, one by one. Empty if the task has none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    histograms: list[Histogram] = []
    resampled: list[float] = []


class EntryDrawer(Protocol):
    """What a module of this package that draws entries holds."""

    def entry_curves(self, task: Task, submission: Submission, data: Any) -> Curves:
        """Histograms of an entry on the task's test data."""
        ...


class DatasetDrawer(Protocol):
    """What a module of this package that draws datasets holds."""

    def dataset_curves(self, dataset_id: str) -> Curves:
        """Histograms that show what a dataset is made of."""
        ...


_DRAWERS = {
    "jet_grooming": ".jets",
    "jet_domains": ".domains",
    "lund_images": ".lund_images",
    "unweighting": ".surrogates",
    "vegas_sampling": ".integrators",
    "pdf_fit": ".distributions",
}
_DATASETS = {"jets": ".jets"}


def drawer(task: Task) -> EntryDrawer | None:
    """Find the module that draws a task's entries, by the name of its score module."""
    name = _DRAWERS.get(task.score)
    return None if name is None else cast(EntryDrawer, _load(name))


def dataset_drawer(dataset_id: str) -> DatasetDrawer | None:
    """Find the module that draws a dataset, by the first part of its id."""
    name = _DATASETS.get(dataset_id.partition("/")[0])
    return None if name is None else cast(DatasetDrawer, _load(name))


def _load(name: str) -> Any:
    return importlib.import_module(name, __package__)
