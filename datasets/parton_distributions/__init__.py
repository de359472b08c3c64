"""Data for fits of parton distributions: measurements, tables that predict them, replicas.

`load` gives the data, `load_evolution` the evolution in the scale. docs/parton_distributions.md
explains what they are and how they are made.
"""

from __future__ import annotations

from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING

from .bases import EVOLUTION, FITTED
from .catalogue import DATA_FILE, DEFAULT_ID, EVOLUTION_FILE, SPECS, PartonDataSpec, spec

if TYPE_CHECKING:
    from .data import DISData
    from .evolution import EvolutionTable

__all__ = [
    "DEFAULT_ID",
    "EVOLUTION",
    "FITTED",
    "SPECS",
    "PartonDataSpec",
    "load",
    "load_evolution",
    "spec",
]


def load(source: str | PathLike[str] = DEFAULT_ID) -> DISData:
    """Load data and tables.

    Parameters
    ----------
    source
        The id of a bundled dataset, a folder that the builder made, or a file in the same format,
        ``.npz`` or ``.root``.

    Returns
    -------
    DISData

    Raises
    ------
    DatasetError
        If there is no such dataset, or the file is not what it should be.
    """
    from .files import read_data, read_root

    file = _file(source, DATA_FILE)
    return read_root(file) if file.suffix == ".root" else read_data(file)


def load_evolution(source: str | PathLike[str] = DEFAULT_ID) -> EvolutionTable:
    """Load the tables that evolve distributions from Q0 to other scales.

    Parameters
    ----------
    source
        The id of a bundled dataset, a folder that the builder made, or its ``evolution.npz``.

    Returns
    -------
    EvolutionTable

    Raises
    ------
    DatasetError
        If there is no such dataset, or its file is damaged.
    """
    from .evolution import from_arrays
    from .files import read_npz

    file = _file(source, EVOLUTION_FILE)
    return from_arrays(read_npz(file), str(file))


def _file(source: str | PathLike[str], name: str) -> Path:
    """File of a dataset that is given by its id, its folder or the file itself."""
    text = fspath(source)
    if text.startswith("parton_distributions/") and not Path(text).suffix:
        return spec(text).folder / name
    return Path(text) / name if Path(text).is_dir() else Path(text)
