"""Datasets: simulated and user-provided data behind ids, as awkward arrays.

`load` gives an awkward array, `load_trees` the same jets as flat arrays for compiled code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, cast

from .catalogue import SPECS, DatasetSpec, spec
from .errors import DatasetError
from .jets.settings import Level

if TYPE_CHECKING:
    import awkward as ak

    from .jets.trees import ClusteringTrees

__all__ = ["SPECS", "DatasetError", "DatasetSpec", "load", "load_trees", "spec"]


def load(
    source: str | PathLike[str],
    split: str = "test",
    *,
    level: str | None = None,
    size: int | None = None,
    seed: int | None = None,
    fields: Mapping[str, str] | None = None,
    reader: str | None = None,
    pt_min: float = 500.0,
) -> ak.Array:
    """Load jets as an awkward array.

    Parameters
    ----------
    source
        A dataset id (``jets/W-500GeV-v1``) or a ROOT file, ``file.root`` or ``file.root:tree``.
    split
        train, validation or test, of a dataset.
    level, size, seed
        Which generated sample of the dataset; without ``size`` the bundled one. Level and seed are
        those of the dataset unless given.
    fields
        For a user's file, which of its branches hold what: px, py, pz, E or pt, eta (or y), phi
        and mass or E. Its jets are clustered while they are read.
    reader
        "delphes" for a file of Delphes, whose energy flow is clustered to jets.
    pt_min
        Smallest transverse momentum of these jets in GeV.

    Returns
    -------
    awkward.Array
        One record per jet. ``constituents``: jagged Lorentz vectors (px, py, pz, E in GeV).
        ``nodes``: the declustering in pre-order, softer branch first: four-momenta, children
        (``harder``, ``softer``), ``softer_size`` and the node state (``ln_z``, ``ln_Delta``,
        ``psi``, ``ln_m``, ``ln_kt``); see `jets.trees`. Files written by hepgym also have
        ``pythia_seed``, ``event`` and ``rank``.

    Raises
    ------
    DatasetError
        If there is no such dataset or sample, or the file is not what it should be.
    """
    from .jets import jet_files

    file, tree = _locate(source, split, level, size, seed)
    if _reads_delphes(reader, fields):
        from .jets import delphes

        return jet_files.to_awkward(*delphes.read(file, tree, pt_min=pt_min))
    if _is_own_format(file, tree, fields):
        return jet_files.to_awkward(jet_files.read(file), jet_files.read_origin(file))
    return jet_files.to_awkward(jet_files.read_constituents(file, tree, fields))


def load_trees(
    source: str | PathLike[str],
    split: str = "test",
    *,
    level: str | None = None,
    size: int | None = None,
    seed: int | None = None,
    fields: Mapping[str, str] | None = None,
    reader: str | None = None,
    pt_min: float = 500.0,
) -> ClusteringTrees:
    """Load jets as flat arrays for compiled code; arguments and errors as in `load`.

    Returns
    -------
    ClusteringTrees
    """
    from .jets import jet_files

    file, tree = _locate(source, split, level, size, seed)
    if _reads_delphes(reader, fields):
        from .jets import delphes

        return delphes.read(file, tree, pt_min=pt_min)[0]
    if _is_own_format(file, tree, fields):
        return jet_files.read(file)
    return jet_files.read_constituents(file, tree, fields)


def _locate(
    source: str | PathLike[str], split: str, level: str | None, size: int | None, seed: int | None
) -> tuple[Path, str | None]:
    """File and tree that a source stands for."""
    from .jets import jet_files

    name = fspath(source)
    if not name.startswith("jets/") or Path(name).suffix or ".root:" in name:
        return jet_files.split_path(name)
    found = spec(name)
    level = found.settings.level if level is None else level
    seed = found.seed if seed is None else seed
    if size is None:
        if level != found.settings.level or seed != found.seed:
            raise DatasetError(
                f"only {found.settings.level} level with seed {found.seed} is bundled: give the "
                f"size of the sample of {name} that was generated at {level} level with seed {seed}"
            )
        return found.bundled_file(split), None
    settings = replace(found.settings, level=cast(Level, level))
    file = found.generated_file(settings, split, size, seed)
    if not file.exists():
        raise DatasetError(
            f"{file} does not exist: make it with `hepgym data generate {found.id} "
            f"--level {level} --split {split} --size {size} --seed {seed}`"
        )
    return file, None


def _reads_delphes(reader: str | None, fields: Mapping[str, str] | None) -> bool:
    if reader not in (None, "delphes"):
        raise DatasetError(f"reader {reader!r} is unknown: give 'delphes', or fields, or neither")
    if reader and fields is not None:
        raise DatasetError("fields are not for the reader 'delphes', which knows its branches")
    return reader is not None


def _is_own_format(file: Path, tree: str | None, fields: Mapping[str, str] | None) -> bool:
    """Whether a file is one that hepgym wrote: its jets need no clustering."""
    from .jets import jet_files

    return fields is None and tree in (None, jet_files.TREE) and jet_files.is_jets_file(file)
