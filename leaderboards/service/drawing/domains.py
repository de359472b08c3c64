"""Histograms of translated Lund images, those of both directions."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ...scores.jet_domains import JETS_PER_IMAGE, Domains
from ...submission import Submission
from ...tasks import Task
from .curves import Curves
from .lund_images import image_histograms

_ACTIVE = np.arange(-0.5, 250.0, 5.0)
_DIRECTIONS = (("A_to_B", "A to B", "B"), ("B_to_A", "B to A", "A"))


def entry_curves(task: Task, submission: Submission, data: Mapping[str, Domains]) -> Curves:
    """Projections of the average image and the number of active pixels, beside the true ones."""
    true = data["domains"].images
    return Curves(
        histograms=[
            histogram
            for name, title, target in _DIRECTIONS
            for histogram in image_histograms(
                submission.predictions[name],
                true[target],
                _ACTIVE,
                title=f"{title}: ",
                reference=f"true {target}",
                threshold=0.5 / JETS_PER_IMAGE,
            )
        ]
    )
