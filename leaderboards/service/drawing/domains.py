"""Histograms of translated Lund images: average projections, and how many pixels are active."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ....datasets.jets.lund_images import LN_INVERSE_DELTA, LN_KT
from ...scores.jet_domains import JETS_PER_IMAGE, Domains
from ...submission import Submission
from ...tasks import Task
from .curves import Curves, Histogram

_ACTIVE = np.arange(-0.5, 250.0, 5.0)
_DIRECTIONS = (("A_to_B", "A to B", "B"), ("B_to_A", "B to A", "A"))
_AXES = (("ln 1/Delta", LN_INVERSE_DELTA, 1), ("ln kt [ln GeV]", LN_KT, 0))
_DIGITS = 6


def entry_curves(task: Task, submission: Submission, data: Mapping[str, Domains]) -> Curves:
    """Projections of the average image and the number of active pixels, beside the true ones."""
    true = data["domains"].images
    histograms = []
    for name, title, target in _DIRECTIONS:
        made = submission.predictions[name]
        for axis, limits, summed in _AXES:
            edges = np.linspace(*limits, true[target].shape[1] + 1)
            histograms.append(
                Histogram(
                    title=f"{title}: {axis.partition(' [')[0]}",
                    x=axis,
                    y="emissions per jet and bin",
                    edges=edges.tolist(),
                    values=_projection(made, summed),
                    reference=_projection(true[target], summed),
                    reference_name=f"true {target}",
                )
            )
        histograms.append(
            Histogram(
                title=f"{title}: active pixels",
                x="active pixels of an image",
                y="share of images",
                edges=_ACTIVE.tolist(),
                values=_active(made),
                reference=_active(true[target]),
                reference_name=f"true {target}",
            )
        )
    return Curves(histograms=histograms)


def _projection(images: NDArray[np.float32], summed: int) -> list[float]:
    """Average image, summed over its second (1) or its first (0) axis."""
    average = images.mean(axis=0, dtype=np.float64).sum(axis=summed)
    return np.round(average, _DIGITS).tolist()


def _active(images: NDArray[np.float32]) -> list[float]:
    active = (images > 0.5 / JETS_PER_IMAGE).sum(axis=(1, 2))
    return np.round(np.histogram(active, _ACTIVE)[0] / len(images), _DIGITS).tolist()
