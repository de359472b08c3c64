"""Make the files of the dataset from published numbers and theory.

Needs the extra ``pdf-build`` (nnpdf-data, yadism, eko; GPLv3, never needed to use the files).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import DatasetError
from ..catalogue import DATA_FILE, EVOLUTION_FILE
from ..data import DISData, SetInfo
from ..evolution import to_arrays as evolution_to_arrays
from ..files import content_hash, to_arrays, write_npz
from ..grid import lambert_grid
from .coefficients import coefficients, of_target
from .experiments import MEASUREMENTS, Measurement, Points, read
from .nuclear import reduce_families
from .tables import SCALES, evolution_table, fold, identity_evolution

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is finished, and how much there is."""

PACKAGES = ("nnpdf-data", "yadism", "eko")

_COLUMNS = (
    "x",
    "q2",
    "y",
    "central",
    "stat",
    "uncorrelated_additive",
    "uncorrelated_multiplicative",
)


def build(
    folder: Path,
    *,
    work_folder: Path | None = None,
    only: str | None = None,
    progress: Progress | None = None,
) -> dict[str, str]:
    """Build the data, the tables and the evolution.

    What takes long is kept in the work folder: interrupt it when you like, the same call goes on
    where it stopped. The result depends on nothing but the versions of the packages.

    Parameters
    ----------
    folder
        Where ``data.npz`` and ``evolution.npz`` are put.
    work_folder
        Where unfinished work is kept; ``folder / "work"`` unless given.
    only
        Do the long part for one set only and write no file: for spreading the work.
    progress
        Called as the work goes on.

    Returns
    -------
    dict
        File name to content hash.

    Raises
    ------
    DatasetError
        If the extra ``pdf-build`` is not installed, or there is no such set.
    """
    check_packages()
    work = work_folder if work_folder is not None else folder / "work"
    tell = progress if progress is not None else _silent
    chosen: tuple[Measurement, ...] = MEASUREMENTS
    if only is not None:
        chosen = tuple(entry for entry in MEASUREMENTS if entry.name == only)
        if not chosen:
            names = ", ".join(entry.name for entry in MEASUREMENTS)
            raise DatasetError(f"there is no set {only!r}; there are {names}")
    points = _read_all(chosen, work, tell)
    folded = {entry.name: _coefficients(entry, points[entry.name], work, tell) for entry in chosen}
    if only is not None:
        return {}
    data = assemble(points, folded, tell)
    hashes = {}
    for name, arrays in (
        (DATA_FILE, to_arrays(data)),
        (EVOLUTION_FILE, _evolution(tell)),
    ):
        write_npz(folder / name, arrays)
        hashes[name] = content_hash(arrays)
    return hashes


def check_packages() -> dict[str, str]:
    """Versions of the packages of the extra ``pdf-build``.

    Raises
    ------
    DatasetError
        If one is not installed.
    """
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            raise DatasetError(
                f"the package {name} is not installed: `pip install 'hepgym[pdf-build]' && pip "
                "install --no-deps yadism` (docs/parton_distributions.md says why)"
            ) from None
    return found


def assemble(
    points: dict[str, Points], folded: dict[str, NDArray[np.float64]], tell: Progress
) -> DISData:
    """Put sets and their coefficient functions together.

    Parameters
    ----------
    points
        Name of a set to its points after cuts.
    folded
        Name of a set to its coefficient functions, for a proton.
    tell
        Called as the work goes on.

    Returns
    -------
    DISData
    """
    chosen = [entry for entry in MEASUREMENTS if entry.name in points]
    sizes = [len(points[entry.name].x) for entry in chosen]
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    ratios = [number for number, entry in enumerate(chosen) if len(entry.targets) == 2]
    # Numerators of all sets, then denominators of the ratios: one pass over the scales for all.
    blocks = [of_target(folded[entry.name], *entry.targets[0]) for entry in chosen]
    blocks += [of_target(folded[chosen[n].name], *chosen[n].targets[1]) for n in ratios]
    q2 = np.concatenate([points[entry.name].q2 for entry in chosen])
    below = [points[chosen[n].name].q2 for n in ratios]
    every_q2 = np.concatenate([q2, *below])
    done = 0

    def advance(number: int) -> None:
        nonlocal done
        done += number
        tell("evolution", done, len(every_q2))

    tables = fold(np.concatenate(blocks), every_q2, identity_evolution(), advance)
    columns = {
        name: np.concatenate([getattr(points[entry.name], name) for entry in chosen])
        for name in _COLUMNS
    }
    additive_names, additive = reduce_families(
        *_sources(points, chosen, "additive"), alone=columns["stat"]
    )
    multiplicative_names, multiplicative = _sources(points, chosen, "multiplicative")
    return DISData(
        sets=tuple(
            SetInfo(entry.name, entry.experiment, entry.process, entry.year, entry.reference)
            for entry in chosen
        ),
        set_index=np.repeat(np.arange(len(chosen)), sizes),
        additive_names=additive_names,
        additive=additive,
        multiplicative_names=multiplicative_names,
        multiplicative=multiplicative,
        table=tables[: len(q2)].astype(np.float32),
        ratio_rows=np.concatenate(
            [starts[n] + np.arange(sizes[n]) for n in ratios] or [np.empty(0)]
        ).astype(np.int64),
        denominator=tables[len(q2) :].astype(np.float32),
        x_grid=lambert_grid(),
        **columns,
    )


def _sources(
    points: dict[str, Points], chosen: list[Measurement], kind: str
) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    """One column per source of correlated errors; sets that name the same source share it."""
    per_set = [getattr(points[entry.name], kind) for entry in chosen]
    names = tuple(dict.fromkeys(name for found in per_set for name in found))
    rows = []
    for entry, found in zip(chosen, per_set, strict=True):
        size = len(points[entry.name].x)
        rows.append(np.stack([found.get(name, np.zeros(size)) for name in names], axis=1))
    return names, np.concatenate(rows)


def _read_all(chosen: tuple[Measurement, ...], work: Path, tell: Progress) -> dict[str, Points]:
    """Read the sets; each is kept, because parsing the published tables takes a minute."""
    out = {}
    for number, entry in enumerate(chosen):
        file = work / "points" / f"{entry.name}-{entry.variant}-{version('nnpdf-data')}.npz"
        if file.exists():
            out[entry.name] = _load_points(file)
        else:
            out[entry.name] = read(entry)
            _save_points(file, out[entry.name])
        tell("published numbers", number + 1, len(chosen))
    return out


def _save_points(file: Path, points: Points) -> None:
    arrays = {name: getattr(points, name) for name in _COLUMNS}
    for kind in ("additive", "multiplicative"):
        sources: dict[str, NDArray[np.float64]] = getattr(points, kind)
        arrays[kind] = np.array(list(sources.values())).reshape(len(sources), len(points.x))
        arrays[f"{kind}_names"] = np.array(json.dumps(list(sources)))
    write_npz(file, arrays)


def _load_points(file: Path) -> Points:
    with np.load(file, allow_pickle=False) as archive:
        sources: dict[str, Any] = {
            kind: dict(zip(json.loads(str(archive[f"{kind}_names"])), archive[kind], strict=True))
            for kind in ("additive", "multiplicative")
        }
        columns: dict[str, Any] = {name: archive[name] for name in _COLUMNS}
        return Points(**columns, **sources)


def _coefficients(
    entry: Measurement, points: Points, work: Path, tell: Progress
) -> NDArray[np.float64]:
    done = 0

    def advance(number: int) -> None:
        nonlocal done
        done += number
        tell(f"coefficient functions {entry.name}", done, len(points.x))

    return coefficients(
        entry.observable, points.x, points.q2, points.y, work / "coefficients", advance
    )


def _evolution(tell: Progress) -> dict[str, NDArray[Any]]:
    done = 0

    def advance(number: int) -> None:
        nonlocal done
        done += number
        tell("evolution to other scales", done, len(SCALES))

    return evolution_to_arrays(evolution_table(advance))


def _silent(what: str, done: int, total: int) -> None:
    """No progress."""
