"""Distributions of unweighted events over those of the weighted ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...leaderboards.figures.style import BACKGROUND, SIGNAL, hep_figure, save
from .closure import Closure

_LABELS = {
    "pt_gluon_1": "$p_T$ of the harder gluon",
    "pt_gluon_2": "$p_T$ of the softer gluon",
    "pt_top": "$p_T$ of the top",
    "pt_antitop": "$p_T$ of the antitop",
    "mass_gluons": "mass of the gluons",
    "mass_tops": "mass of top and antitop",
    "mass_top_gluon": "mass of top and harder gluon",
}
_SHOWN = ("pt_gluon_1", "mass_gluons", "mass_tops")


def save_closure(
    file: Path,
    weighted: dict[str, NDArray[np.float64]],
    weights: NDArray[np.float64],
    unweighted: dict[str, NDArray[np.float64]],
    unweighted_weights: NDArray[np.float64],
    found: Sequence[Closure],
) -> Path:
    """Draw some distributions before and after unweighting.

    Parameters
    ----------
    file
        The figure; its suffix decides the format.
    weighted, weights, unweighted, unweighted_weights
        As for `closure`.
    found
        What `closure` gave.

    Returns
    -------
    pathlib.Path
        The figure.
    """
    results = {one.observable: one for one in found}
    with hep_figure(5.2 * len(_SHOWN), 5.2) as figure:
        for axes, name in zip(np.ravel(figure.subplots(1, len(_SHOWN))), _SHOWN, strict=True):
            edges = np.linspace(0.0, np.quantile(weighted[name], 0.995), 31)
            for values, own, colour, label in (
                (weighted[name], weights, BACKGROUND, "weighted"),
                (unweighted[name], unweighted_weights, SIGNAL, "unweighted"),
            ):
                heights, _ = np.histogram(values, edges, weights=own)
                axes.stairs(heights / own.sum(), edges, color=colour, label=label)
            result = results[name]
            axes.legend(title=rf"$\chi^2$ = {result.chi2:.1f} / {result.dof}")
            axes.set_xlabel(f"{_LABELS[name]} [GeV]")
        return save(figure, file)
