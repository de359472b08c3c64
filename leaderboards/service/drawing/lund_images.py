"""Histograms of Lund images: average projections, and how many pixels are active."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....datasets.jets.lund_images import LN_INVERSE_DELTA, LN_KT, PIXELS
from ...scores.lund_images import Samples
from ...submission import Submission
from ...tasks import Task
from .curves import Curves, Histogram

_ACTIVE = np.arange(-0.5, 60.0)
_AXES = (("ln 1/Delta", LN_INVERSE_DELTA, 1), ("ln kt [ln GeV]", LN_KT, 0))
_DIGITS = 6


def entry_curves(task: Task, submission: Submission, data: Mapping[str, Samples]) -> Curves:
    """Histograms of generated images beside those of the test images."""
    made = submission.predictions["images"].reshape(-1, PIXELS, PIXELS)
    return Curves(histograms=image_histograms(made, data["samples"].test, _ACTIVE))


def image_histograms(
    made: NDArray[Any],
    true: NDArray[Any],
    active: NDArray[np.float64],
    *,
    title: str = "",
    reference: str = "true",
    threshold: float = 0.0,
) -> list[Histogram]:
    """Projections of the average image and the number of active pixels, beside the true ones.

    Parameters
    ----------
    made, true
        Images, shape (n, 24, 24), each with its own n.
    active
        Bin edges of the number of active pixels.
    title
        What all titles begin with.
    reference
        Name of the true images.
    threshold
        Pixels above it are active.
    """
    histograms = []
    for axis, limits, summed in _AXES:
        edges = np.linspace(*limits, PIXELS + 1)
        histograms.append(
            Histogram(
                title=f"{title}{axis.partition(' [')[0]}",
                x=axis,
                y="emissions per jet and bin",
                edges=edges.tolist(),
                values=_projection(made, summed),
                reference=_projection(true, summed),
                reference_name=reference,
            )
        )
    histograms.append(
        Histogram(
            title=f"{title}active pixels",
            x="active pixels of an image",
            y="share of images",
            edges=active.tolist(),
            values=_active(made, active, threshold),
            reference=_active(true, active, threshold),
            reference_name=reference,
        )
    )
    return histograms


def _projection(images: NDArray[Any], summed: int) -> list[float]:
    """Average image, summed over its second (1) or its first (0) axis."""
    average = images.mean(axis=0, dtype=np.float64).sum(axis=summed)
    return np.round(average, _DIGITS).tolist()


def _active(images: NDArray[Any], edges: NDArray[np.float64], threshold: float) -> list[float]:
    active = (images > threshold).sum(axis=(1, 2))
    return np.round(np.histogram(active, edges)[0] / len(images), _DIGITS).tolist()
