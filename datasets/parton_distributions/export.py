"""Fits leave as LHAPDF sets, evolved from Q0 to all scales; laws come in from LHAPDF grids."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import DatasetError
from .bases import EVOLUTION, PIDS, from_flavours, to_flavours
from .settings import ALPHA_S_MZ, M_BOTTOM, M_CHARM, M_TOP, M_Z, Q0
from .strong_coupling import alpha_s

if TYPE_CHECKING:
    from ..lhapdf_grid import LHAPDFGrid
    from .evolution import EvolutionTable

REFERENCE_SET = "NNPDF31_nlo_as_0118_luxqed"
"""The law of closure tests: it comes with Pythia (arXiv:1706.00428, arXiv:1712.07053)."""


def export_lhapdf(
    folder: str | os.PathLike[str],
    name: str,
    replicas: ArrayLike,
    *,
    description: str = "",
    evolution: EvolutionTable | None = None,
    advance: Callable[[int], None] | None = None,
) -> Path:
    """Write replicas as an LHAPDF set, evolved to scales up to 100 TeV.

    Member 0 is the mean of the replicas, member r the replica r.

    Parameters
    ----------
    folder
        Where sets lie.
    name
        Name of the set.
    replicas
        x f at Q0 on the grid, shape (replicas, 9 or 8, grid points), see `evolution`.
    description
        One line for the set's description.
    evolution
        Tables of evolution; the bundled ones unless given.
    advance
        Called with 1 after each member.

    Returns
    -------
    pathlib.Path
        The set's folder.

    Raises
    ------
    DatasetError
        If the set exists, or the replicas have the wrong shape or are not finite.
    """
    from ..lhapdf_set import InfoValue, write_set

    values = np.asarray(replicas, np.float64)
    if values.ndim != 3 or len(values) < 1 or not np.isfinite(values).all():
        raise DatasetError(
            f"replicas have shape {np.shape(replicas)}: finite numbers of shape "
            "(replicas, 9 or 8, grid points) are needed"
        )
    if evolution is None:
        from . import load_evolution

        evolution = load_evolution()
    table = evolution
    # The mean of one replica is the replica: members are the mean and, of several, each.
    members = np.concatenate([values.mean(axis=0)[None], values])

    def member(number: int) -> NDArray[np.float64]:
        flavours = to_flavours(table.evolve(members[number]))  # (scales, 11, points out)
        # Below its threshold there is no bottom; rounding of the tables leaves a trace.
        below = table.q < M_BOTTOM * (1.0 - 1e-9)
        for pid in (-5, 5):
            flavours[below, PIDS.index(pid)] = 0.0
        return flavours.transpose(2, 0, 1)

    info: dict[str, InfoValue] = {
        "SetDesc": description or f"Fit by hepgym with {len(values)} replicas",
        "SetIndex": 0,
        "Authors": "hepgym",
        "Reference": "none",
        "Particle": 2212,
        "OrderQCD": 1,
        "FlavorScheme": "variable",
        "NumFlavors": 5,
        "ErrorType": "replicas",
        "MZ": M_Z,
        "MUp": 0.0,
        "MDown": 0.0,
        "MStrange": 0.0,
        "MCharm": M_CHARM,
        "MBottom": M_BOTTOM,
        "MTop": M_TOP,
        "AlphaS_MZ": ALPHA_S_MZ,
        "AlphaS_OrderQCD": 1,
        "AlphaS_Type": "ipol",
        "AlphaS_Qs": _with_thresholds(table),
        "AlphaS_Vals": [float(value) for value in alpha_s(_with_thresholds(table))],
    }
    return write_set(
        folder,
        name,
        member,
        len(members),
        table.x,
        table.q,
        PIDS,
        info,
        thresholds=table.flavour_thresholds,
        advance=advance,
    )


def _with_thresholds(table: EvolutionTable) -> list[float]:
    """Knots of the coupling: thresholds come twice, as LHAPDF wants."""
    return sorted([*map(float, table.q), *table.flavour_thresholds])


def from_lhapdf(
    grid: LHAPDFGrid, x_grid: NDArray[np.float64], q: float = Q0
) -> NDArray[np.float64]:
    """Take distributions from an LHAPDF grid.

    Parameters
    ----------
    grid
        See `hepgym.datasets.lhapdf_grid.read_grid`.
    x_grid
        Where, float64, shape (grid points,).
    q
        Scale in GeV. Bottom is left out.

    Returns
    -------
    numpy.ndarray
        float64, shape (9, grid points): x f in the order of `bases.EVOLUTION`.
    """
    held = [pid if pid in grid.flavours else 0 for pid in PIDS]
    values = np.zeros((len(PIDS), len(x_grid)))
    # The first knot above a threshold comes last of two.
    knots = np.flatnonzero(grid.q == q)
    for row, pid in enumerate(held):
        if pid and abs(pid) != 5:
            if knots.size:
                own = grid.values[:, knots[-1], grid.column(pid)]
                values[row] = _log_cubic(np.log(grid.x), own, np.log(x_grid))
            else:
                values[row] = grid.xfxq(pid, x_grid, q)
    return from_flavours(values)[: len(EVOLUTION)]


def _log_cubic(
    knots: NDArray[np.float64], values: NDArray[np.float64], where: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Interpolate as LHAPDF does along ln x, at a scale that needs no interpolation.

    The grid's own method is compiled, and loading its compiler takes longer than all that a fit
    does before it begins.
    """
    slopes = np.diff(values) / np.diff(knots)
    inside = (slopes[1:] + slopes[:-1]) / 2.0
    derivatives = np.concatenate([slopes[:1], inside, slopes[-1:]])
    place = np.clip(np.searchsorted(knots, where, side="right") - 1, 0, len(knots) - 2)
    width = knots[place + 1] - knots[place]
    t = np.clip((where - knots[place]) / width, 0.0, 1.0)
    return np.asarray(
        values[place] * (1.0 + 2.0 * t) * (1.0 - t) ** 2
        + values[place + 1] * t**2 * (3.0 - 2.0 * t)
        + width * derivatives[place] * t * (1.0 - t) ** 2
        - width * derivatives[place + 1] * t**2 * (1.0 - t)
    )


def reference_law(x_grid: NDArray[np.float64]) -> NDArray[np.float64]:
    """Take NNPDF3.1 at Q0, the law of closure tests and the reference of t0.

    Parameters
    ----------
    x_grid
        Where, float64, shape (grid points,).

    Returns
    -------
    numpy.ndarray
        float64, shape (9, grid points): x f in the order of `bases.EVOLUTION`.

    Raises
    ------
    DatasetError
        If the installed pythia8mc lacks the grid.
    """
    from ..lhapdf_grid import pythia_grid

    return from_lhapdf(pythia_grid(REFERENCE_SET), x_grid)
