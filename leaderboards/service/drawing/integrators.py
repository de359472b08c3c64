"""Bars of integrators: what they gain over plain Monte Carlo on each integrand."""

from __future__ import annotations

import math
from collections.abc import Mapping

from ....datasets.integrands.suite import Suite
from ...scores.vegas_sampling import BUDGETS, evaluate
from ...submission import Submission
from ...tasks import Task
from .curves import Curves, Histogram

_DIGITS = 6


def entry_curves(task: Task, submission: Submission, data: Mapping[str, Suite]) -> Curves:
    """Difference of S to that of plain Monte Carlo; 0 where nothing was handed in."""
    members = data["integrands"].members
    score = evaluate(
        submission.manifest.predictions.kind, submission.predictions, data, resamples=2
    )
    histograms = []
    for budget in BUDGETS:
        gains = []
        for name, member in members.items():
            cell = score.cells.get((name, budget))
            plain = math.log10(member.plain_rsd)
            gains.append(0.0 if cell is None else round(plain - cell.S.value, _DIGITS))
        histograms.append(
            Histogram(
                title=f"Gain over plain Monte Carlo with {budget / 1e6:g} million calls",
                x="number of the integrand in the table",
                y="S(plain) - S, in powers of ten",
                edges=[0.5 + place for place in range(len(members) + 1)],
                values=gains,
            )
        )
    return Curves(histograms=histograms)
