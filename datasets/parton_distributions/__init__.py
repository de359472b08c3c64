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
        The id of a bundled dataset or the path of a file in the same format, ``.npz`` or
        ``.root``.

    Returns
    -------
    DISData

    Raises
    ------
    DatasetError
        If there is no such dataset, or the file is not what it should be.
    """
    from .files import read_data, read_root

    name = fspath(source)
    if name in SPECS or (name.startswith("parton_distributions/") and not Path(name).suffix):
        return read_data(spec(name).folder / DATA_FILE)
    return read_root(Path(name)) if name.endswith(".root") else read_data(Path(name))


def load_evolution(dataset_id: str = DEFAULT_ID) -> EvolutionTable:
    """Load the tables that evolve distributions from Q0 to other scales.

    Parameters
    ----------
    dataset_id
        The id of a bundled dataset.

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

    file = spec(dataset_id).folder / EVOLUTION_FILE
    return from_arrays(read_npz(file), str(file))
