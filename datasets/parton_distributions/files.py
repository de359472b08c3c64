"""Data and tables in files: NPZ archives or ROOT files with a JSON description, read strictly.

docs/parton_distributions.md lists the arrays; whoever writes such a file has data that can be
loaded wherever the bundled ones can. Nothing is unpickled.
"""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DatasetError
from .bases import EVOLUTION
from .data import DISData, SetInfo

FORMAT = "hepgym-dis-1"

_POINT_COLUMNS = (
    "x",
    "q2",
    "y",
    "central",
    "stat",
    "uncorrelated_additive",
    "uncorrelated_multiplicative",
)

_SOURCES = ("additive", "multiplicative")

_TREES = {
    "points": (*_POINT_COLUMNS, "set_index", *_SOURCES, "table"),
    "ratios": ("ratio_rows", "denominator"),
    "grid": ("x_grid",),
}
"""ROOT trees and their branches."""


def content_hash(arrays: Mapping[str, NDArray[Any]]) -> str:
    """SHA-256 of named arrays: of what a file holds, not of how it is compressed.

    Parameters
    ----------
    arrays
        Name to array.

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.asarray(arrays[name], order="C")
        array = array.astype(array.dtype.newbyteorder("<"), copy=False)
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def write_npz(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write an archive at once: a reader never sees half a file.

    Parameters
    ----------
    path
        The file; its folder is made if need be.
    arrays
        Name to array.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
            for name in sorted(arrays):
                # A fixed date: the same content gives the same bytes.
                member = zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0))
                member.compress_type = zipfile.ZIP_DEFLATED
                with archive.open(member, "w") as stream:
                    np.lib.format.write_array(
                        stream, np.asarray(arrays[name], order="C"), allow_pickle=False
                    )
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def read_npz(path: Path) -> dict[str, NDArray[Any]]:
    """Read all arrays of an archive.

    Raises
    ------
    DatasetError
        If the file is absent, no archive, damaged, or holds pickled objects.
    """
    try:
        with open(path, "rb") as stream, np.load(stream, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except FileNotFoundError:
        raise DatasetError(f"{path} does not exist") from None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, KeyError) as error:
        reason = " ".join(str(error).split())[:200]
        raise DatasetError(f"{path} is not an archive of arrays, or damaged ({reason})") from None


def to_arrays(data: DISData) -> dict[str, NDArray[Any]]:
    """Give all that a file of data holds: its arrays and, as a string, the description."""
    description = {
        "format": FORMAT,
        "sets": [asdict(info) for info in data.sets],
        "additive_names": data.additive_names,
        "multiplicative_names": data.multiplicative_names,
        "evolution_basis": EVOLUTION,
    }
    arrays = {name: getattr(data, name) for name in _POINT_COLUMNS}
    return arrays | {
        "description": np.array(json.dumps(description, sort_keys=True)),
        "set_index": data.set_index,
        "additive": data.additive,
        "multiplicative": data.multiplicative,
        "table": data.table,
        "ratio_rows": data.ratio_rows,
        "denominator": data.denominator,
        "x_grid": data.x_grid,
    }


def write_data(path: Path, data: DISData) -> str:
    """Write data and tables.

    Parameters
    ----------
    path
        The archive, ``.npz``.
    data
        What to write.

    Returns
    -------
    str
        Content hash.
    """
    arrays = to_arrays(data)
    write_npz(path, arrays)
    return content_hash(arrays)


def read_data(path: Path) -> DISData:
    """Read data and tables from an archive.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    DISData

    Raises
    ------
    DatasetError
        With one sentence that names the file, the array and what is wrong.
    """
    return from_arrays(read_npz(path), str(path))


def write_root(path: Path, data: DISData) -> None:
    """Write data and tables as ROOT trees, through uproot.

    Trees ``points`` (one entry per point), ``ratios`` (one per ratio) and ``grid`` (one per grid
    point), and the description as a string.

    Parameters
    ----------
    path
        The file, ``.root``.
    data
        What to write.
    """
    import uproot

    arrays = to_arrays(data)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with uproot.recreate(partial, compression=uproot.ZSTD(9)) as file:
            for tree, branches in _TREES.items():
                columns = {name: arrays[name] for name in branches}
                # A branch of no columns cannot be written; the reader puts it back.
                columns = {
                    name: array for name, array in columns.items() if 0 not in array.shape[1:]
                }
                file.mktree(
                    tree,
                    {name: np.dtype((a.dtype, a.shape[1:])) for name, a in columns.items()},
                )
                if len(next(iter(columns.values()))):
                    file[tree].extend(columns)
            file["description"] = str(arrays["description"])
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def read_root(path: Path) -> DISData:
    """Read data and tables from a ROOT file, as `write_root` writes it.

    Raises
    ------
    DatasetError
        With one sentence that names the file, the tree or array and what is wrong.
    """
    import uproot

    try:
        with uproot.open(path) as file:
            arrays: dict[str, NDArray[Any]] = {"description": np.array(str(file["description"]))}
            for tree, branches in _TREES.items():
                for name in branches:
                    if name in file[tree]:
                        arrays[name] = file[tree][name].array(library="np")
                    elif name in _SOURCES:
                        arrays[name] = np.empty((file[tree].num_entries, 0))
    except FileNotFoundError:
        raise DatasetError(f"{path} does not exist") from None
    except Exception as error:
        # uproot raises whatever the damaged bytes lead to.
        reason = " ".join(str(error).split())[:200]
        raise DatasetError(f"{path} is not a ROOT file of points and tables ({reason})") from None
    return from_arrays(arrays, str(path))


def from_arrays(arrays: Mapping[str, NDArray[Any]], where: str) -> DISData:
    """Make data from named arrays, checked.

    Parameters
    ----------
    arrays
        As `to_arrays` gives them.
    where
        The file's name, for messages.

    Returns
    -------
    DISData

    Raises
    ------
    DatasetError
        With one sentence that names the file, the array and what is wrong.
    """
    take = _Checked(arrays, where)
    description = take.description()
    try:
        sets = tuple(SetInfo(**info) for info in description["sets"])
        additive_names = tuple(map(str, description["additive_names"]))
        multiplicative_names = tuple(map(str, description["multiplicative_names"]))
    except (KeyError, TypeError) as error:
        raise DatasetError(f"{where}: the description lacks or misspells {error}") from None
    points = len(take.array("central", np.float64, (None,)))
    columns = {name: take.array(name, np.float64, (points,)) for name in _POINT_COLUMNS}
    x_grid = take.array("x_grid", np.float64, (None,))
    basis = (len(EVOLUTION), len(x_grid))
    ratio_rows = take.array("ratio_rows", np.int64, (None,))
    set_index = take.array("set_index", np.int64, (points,))
    data = DISData(
        sets=sets,
        set_index=set_index,
        additive_names=additive_names,
        additive=take.array("additive", np.float64, (points, len(additive_names))),
        multiplicative_names=multiplicative_names,
        multiplicative=take.array(
            "multiplicative", np.float64, (points, len(multiplicative_names))
        ),
        table=take.array("table", np.float32, (points, *basis)),
        ratio_rows=ratio_rows,
        denominator=take.array("denominator", np.float32, (len(ratio_rows), *basis)),
        x_grid=x_grid,
        **columns,
    )
    _check_values(data, where)
    return data


class _Checked:
    """Takes arrays of the expected type and shape, or says what is wrong."""

    def __init__(self, arrays: Mapping[str, NDArray[Any]], where: str) -> None:
        self.arrays, self.where = arrays, where

    def description(self) -> dict[str, Any]:
        if "description" not in self.arrays or self.arrays["description"].dtype.kind != "U":
            raise DatasetError(f"{self.where}: the text 'description' is missing")
        try:
            found = json.loads(str(self.arrays["description"]))
        except ValueError as error:
            raise DatasetError(f"{self.where}: the description is not JSON ({error})") from None
        if not isinstance(found, dict) or found.get("format") != FORMAT:
            raise DatasetError(f"{self.where}: the description's format must be {FORMAT!r}")
        if tuple(found.get("evolution_basis", ())) != EVOLUTION:
            raise DatasetError(
                f"{self.where}: the description's evolution_basis must be {', '.join(EVOLUTION)}"
            )
        return found

    def array(self, name: str, dtype: type, shape: tuple[int | None, ...]) -> NDArray[Any]:
        if name not in self.arrays:
            raise DatasetError(f"{self.where}: the array {name!r} is missing")
        array = self.arrays[name]
        kinds = "iu" if np.dtype(dtype).kind == "i" else "fiu"
        fits = len(array.shape) == len(shape) and all(
            expected is None or expected == found
            for expected, found in zip(shape, array.shape, strict=True)
        )
        if array.dtype.kind not in kinds or not fits:
            wanted = tuple("any" if size is None else size for size in shape)
            raise DatasetError(
                f"{self.where}: the array {name!r} has type {array.dtype} and shape "
                f"{array.shape}, expected {np.dtype(dtype)} and {wanted}"
            )
        if not np.isfinite(array).all():
            raise DatasetError(
                f"{self.where}: the array {name!r} holds a number that is not finite"
            )
        return array.astype(dtype, copy=False)


def _check_values(data: DISData, where: str) -> None:
    def refuse(name: str, bad: NDArray[np.bool_], why: str) -> None:
        if bad.any():
            raise DatasetError(f"{where}: {name}[{int(np.argmax(bad))}] {why}")

    grid = data.x_grid
    refuse("x_grid", np.diff(grid, prepend=0.0) <= 0.0, "must be positive and rise")
    if len(grid) < 5 or grid[-1] != 1.0:
        raise DatasetError(f"{where}: x_grid must have at least 5 points and end at 1")
    refuse("x", (data.x <= 0.0) | (data.x >= 1.0), "must lie between 0 and 1")
    refuse("q2", data.q2 <= 0.0, "must be positive, in GeV2")
    refuse("y", (data.y < 0.0) | (data.y > 1.0), "must lie between 0 and 1")
    refuse("stat", data.stat < 0.0, "must not be negative")
    alone = data.stat**2 + data.uncorrelated_additive**2 + data.uncorrelated_multiplicative**2
    refuse("stat", alone <= 0.0, "needs an error of its own: the covariance would be singular")
    sets = len(data.sets)
    refuse("set_index", (data.set_index < 0) | (data.set_index >= sets), f"must be 0 to {sets - 1}")
    rows = data.ratio_rows
    bad = (rows < 0) | (rows >= len(data)) | (np.diff(rows, prepend=-1) <= 0)
    refuse("ratio_rows", bad, "must be rising positions of points")
    for kind in ("additive", "multiplicative"):
        names = getattr(data, f"{kind}_names")
        if len(set(names)) < len(names):
            raise DatasetError(f"{where}: {kind}_names holds a name twice")
