"""The table of all groomers on W, top and QCD jets (Table II of the lecture)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ...leaderboards.scores.jet_grooming import GroomingScore, grooming_score
from ...leaderboards.tasks import load_test_data, task
from .base import Groomer

TASKS = ("JetGrooming-v0", "JetGroomingTop-v0")


@dataclass(frozen=True)
class ComparisonRow:
    """One groomer on all three processes.

    Attributes
    ----------
    groomer
        The groomer.
    w, top
        Its scores on W and on top jets, each against QCD jets.
    qcd_median
        Median groomed mass of QCD jets in GeV.
    """

    groomer: Groomer
    w: GroomingScore
    top: GroomingScore
    qcd_median: float


def compare(
    groomers: Sequence[Groomer], progress: Callable[[Groomer], None] | None = None
) -> list[ComparisonRow]:
    """Groom the official test sets of W, top and QCD jets with each groomer.

    Parameters
    ----------
    groomers
        The groomers.
    progress
        Called with each groomer before its turn.

    Returns
    -------
    list of ComparisonRow
        In the order of the groomers.
    """
    tasks = [task(name) for name in TASKS]
    w, top = (load_test_data(one)["signal"] for one in tasks)
    qcd = load_test_data(tasks[0])["background"]
    rows = []
    for groomer in groomers:
        if progress:
            progress(groomer)
        background = groomer.groom(qcd).mass
        scores = [
            grooming_score(groomer.groom(jets).mass, background, one.parameters["mass_target"])
            for jets, one in zip((w, top), tasks, strict=True)
        ]
        rows.append(ComparisonRow(groomer, scores[0], scores[1], float(np.median(background))))
    return rows
