"""Fits of parton distributions: x f at Q0 with bands, chi2 of every set, pulls of closure tests."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ....datasets.parton_distributions.bases import EVOLUTION, FITTED, all_nine
from ....datasets.parton_distributions.settings import Q0
from ...scores.pdf_fit import OfficialData, at_closure_points, chi2_by_group
from ...submission import Submission
from ...tasks import Task
from .curves import Curves, Histogram

_LEAST_X = 1e-4
"""Below it there are hardly any data: bands of the extrapolation would hide all others."""

_PULLS = np.linspace(-4.0, 4.0, 33)
_DIGITS = 6


def entry_curves(task: Task, submission: Submission, data: Mapping[str, OfficialData]) -> Curves:
    """Distributions beside NNPDF3.1, or beside the law of a closure test.

    A replica set is followed by its chi2 for each set of data, closure fits by how far their means
    are from the law in units of the replicas' standard deviation.
    """
    official = data["data"]
    xf = all_nine(submission.predictions["xf"].astype(np.float64))
    if submission.manifest.predictions.kind == "closure":
        spread = np.sqrt(xf.var(axis=1, ddof=1).mean(axis=0))
        shown = _distributions(xf.mean(axis=(0, 1)), spread, official, official.law, "law")
        return Curves(histograms=[*shown, _pulls(xf, official)])
    spread = xf.std(axis=0, ddof=1)
    shown = _distributions(xf.mean(axis=0), spread, official, official.reference, "NNPDF3.1")
    return Curves(histograms=[*shown, _chi2(xf.mean(axis=0), official)])


def _distributions(
    mean: NDArray[np.float64],
    spread: NDArray[np.float64],
    official: OfficialData,
    reference: NDArray[np.float64],
    reference_name: str,
) -> list[Histogram]:
    logarithm = np.log10(official.data.x_grid)
    shown = logarithm >= math.log10(_LEAST_X)
    places = logarithm[shown]
    # A bin around each point of the grid.
    middles = 0.5 * (places[1:] + places[:-1])
    edges = np.concatenate([[places[0]], middles, [places[-1]]])
    return [
        Histogram(
            title=f"x {name} at Q = {Q0:g} GeV",
            x="log10 x",
            y="mean ± standard deviation",
            edges=edges.tolist(),
            values=_rounded(mean[row, shown]),
            spread=_rounded(spread[row, shown]),
            reference=_rounded(reference[row, shown]),
            reference_name=reference_name,
        )
        for name, row in ((name, EVOLUTION.index(name)) for name in FITTED)
    ]


def _chi2(mean: NDArray[np.float64], official: OfficialData) -> Histogram:
    data = official.data
    covariance = data.covariance()
    fit, reference = (
        chi2_by_group(data, data.predict(f), covariance) for f in (mean, official.reference)
    )
    names = "; ".join(f"{number} {name}" for number, name in enumerate(fit, 1))
    return Histogram(
        title=f"chi2 per point of each set: {names}",
        x="number of the set",
        y="chi2 per point, experimental",
        edges=[0.5 + place for place in range(len(fit) + 1)],
        values=_rounded(np.array([chi2 for _, chi2 in fit.values()])),
        reference=_rounded(np.array([chi2 for _, chi2 in reference.values()])),
        reference_name="NNPDF3.1",
    )


def _pulls(fits: NDArray[np.float64], official: OfficialData) -> Histogram:
    x_grid = official.data.x_grid
    values = at_closure_points(fits, x_grid) - at_closure_points(official.law, x_grid)
    pulls = values.mean(axis=1) / values.std(axis=1, ddof=1)
    # What is out of range is in the first or in the last bin.
    counts = np.histogram(pulls.clip(_PULLS[0], _PULLS[-1]), _PULLS)[0]
    cumulative = np.array([0.5 * math.erf(edge / math.sqrt(2.0)) for edge in _PULLS])
    cumulative[[0, -1]] = -0.5, 0.5
    width = np.diff(_PULLS)
    return Histogram(
        title="Fits against the law: seven distributions at four x each",
        x="(mean - law) / standard deviation of replicas",
        y="share per unit",
        edges=_PULLS.tolist(),
        values=_rounded(counts / pulls.size / width),
        reference=_rounded(np.diff(cumulative) / width),
        reference_name="normal distribution",
    )


def _rounded(values: NDArray[np.float64]) -> list[float]:
    return np.round(values, _DIGITS).tolist()
