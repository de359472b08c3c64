"""Histograms of surrogate weights: how far they are from the exact ones."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ....datasets.unweighting import EventSample
from ...submission import Submission
from ...tasks import Task
from .curves import Curves, Histogram

_EDGES = np.linspace(-3.025, 3.025, 122)  # a perfect surrogate is in the middle of a bin
_DIGITS = 8


def entry_curves(task: Task, submission: Submission, data: Mapping[str, EventSample]) -> Curves:
    """Logarithm of surrogate over exact weight, of events and of the cross section."""
    exact = data["events"].weights
    passed = exact > 0.0
    exact = exact[passed] / exact.mean()
    surrogate = submission.predictions["weight"].astype(np.float64)
    surrogate = surrogate[passed] / surrogate.mean()
    shown = (("events", np.ones(len(exact))), ("the cross section", exact))
    return Curves(
        histograms=[
            Histogram(
                title=f"Surrogate over exact weight, shares of {name}",
                x="log10(surrogate / exact weight)",
                y=f"share of {name} per unit",
                edges=_EDGES.tolist(),
                values=_density(surrogate / exact, shares),
                reference=_density(1.0 / exact, shares),
                reference_name="constant weight",
            )
            for name, shares in shown
        ]
    )


def _density(ratio: NDArray[np.float64], shares: NDArray[np.float64]) -> list[float]:
    # What is out of range is in the first or in the last bin.
    logarithm = np.clip(np.log10(ratio), _EDGES[0], _EDGES[-1])
    counts = np.histogram(logarithm, _EDGES, weights=shares)[0]
    return np.round(counts / shares.sum() / np.diff(_EDGES), _DIGITS).tolist()
