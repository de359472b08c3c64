"""The primary Lund plane (arXiv:1807.04758) and its comparison with published histograms.

Each splitting on the chain of harder branches is a point (ln 1/Delta, ln kt/GeV).
"""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import DatasetError
from .trees import STATE_FIELDS, ClusteringTrees

_LN_DELTA = STATE_FIELDS.index("ln_Delta")
_LN_KT = STATE_FIELDS.index("ln_kt")


@dataclass(frozen=True)
class LundPlane:
    """Density of primary splittings.

    Attributes
    ----------
    density
        float64, shape (x bins, y bins): splittings per unit area; normalised to one jet if made
        from jets, up to a constant factor if read from a published file.
    x_edges, y_edges
        float64: edges of the bins in ln 1/Delta and in ln kt/GeV.
    """

    density: NDArray[np.float64]
    x_edges: NDArray[np.float64]
    y_edges: NDArray[np.float64]

    def projection(self, axis: int) -> NDArray[np.float64]:
        """Share of the splittings in each bin of axis 0 (ln 1/Delta) or 1 (ln kt)."""
        entries = self.density * np.diff(self.x_edges)[:, None] * np.diff(self.y_edges)
        projected = entries.sum(axis=1 - axis)
        return np.asarray(projected / projected.sum())


def primary_points(trees: ClusteringTrees) -> NDArray[np.float64]:
    """Primary splittings of all jets.

    Parameters
    ----------
    trees
        The jets.

    Returns
    -------
    numpy.ndarray
        float64, shape (splittings, 2): ln 1/Delta and ln kt/GeV, jet after jet.
    """
    states = trees.states[trees.primary]
    return np.stack([-states[:, _LN_DELTA], states[:, _LN_KT]], axis=-1)


def lund_plane(
    trees: ClusteringTrees, x_edges: NDArray[np.float64], y_edges: NDArray[np.float64]
) -> LundPlane:
    """Density of primary splittings per jet.

    Parameters
    ----------
    trees
        The jets.
    x_edges, y_edges
        Edges of the bins in ln 1/Delta and ln kt/GeV.

    Returns
    -------
    LundPlane
    """
    x, y = primary_points(trees).T
    entries, _, _ = np.histogram2d(x, y, [x_edges, y_edges])
    area = np.diff(x_edges)[:, None] * np.diff(y_edges)
    return LundPlane(entries / area / max(len(trees), 1), x_edges, y_edges)


def projection_with_error(
    trees: ClusteringTrees, plane: LundPlane, axis: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Share of the primary splittings in each bin of one axis, with its standard error.

    The splittings of one jet are correlated, so the error comes from the spread over jets.

    Parameters
    ----------
    trees
        The jets.
    plane
        Gives the bins.
    axis
        0 for ln 1/Delta, 1 for ln kt.

    Returns
    -------
    share, error : float64, shape (bins,)
    """
    x, y = primary_points(trees).T
    jet = trees.jet_of_node[trees.primary]
    edges = (plane.x_edges, plane.y_edges)
    inside = (x >= edges[0][0]) & (x < edges[0][-1]) & (y >= edges[1][0]) & (y < edges[1][-1])
    position = np.searchsorted(edges[axis], (x, y)[axis][inside], side="right") - 1
    counts = np.zeros((len(trees), len(edges[axis]) - 1))
    np.add.at(counts, (jet[inside], position), 1.0)
    share = counts.sum(axis=0) / counts.sum()
    residual = counts - share * counts.sum(axis=1, keepdims=True)
    return share, np.sqrt((residual**2).sum(axis=0)) / counts.sum()


def read_published(file: Path) -> LundPlane:
    """Read the primary Lund plane from a histogram file of the JetsGame data.

    Parameters
    ----------
    file
        A ``*_hist.dat.gz`` of DOI 10.5281/zenodo.2602515.

    Returns
    -------
    LundPlane
        Density in nb per unit area.

    Raises
    ------
    DatasetError
        If the file does not hold such a histogram.
    """
    rows: list[list[float]] = []
    inside = False
    try:
        with gzip.open(file, "rt") as lines:
            for line in lines:
                if line.startswith("#"):
                    inside = line.startswith("# 2d_histlund-lnpt")
                elif inside and line.strip():
                    rows.append([float(word) for word in line.split()])
        table = np.array(rows)
        x_edges = np.append(np.unique(table[:, 0]), table[:, 2].max())
        y_edges = np.append(np.unique(table[:, 3]), table[:, 5].max())
        density = table[:, 6].reshape(len(x_edges) - 1, len(y_edges) - 1)
    except (OSError, EOFError, ValueError, IndexError) as error:
        raise DatasetError(
            f"{file} is not a gzipped histogram file with a table 2d_histlund-lnpt: {error}"
        ) from None
    if not density.any():
        raise DatasetError(f"{file} has a table 2d_histlund-lnpt without a single entry")
    return LundPlane(density, x_edges, y_edges)
