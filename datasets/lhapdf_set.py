"""Sets of parton distributions written in LHAPDF's format: ``.info`` and member files.

The format is that of arXiv:1412.7420; `hepgym.datasets.lhapdf_grid` reads members back.
"""

from __future__ import annotations

import itertools
import os
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import DatasetError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")

InfoValue = str | int | float | Sequence[int] | Sequence[float]


def write_set(
    folder: str | os.PathLike[str],
    name: str,
    members: Callable[[int], NDArray[np.float64]],
    count: int,
    x: ArrayLike,
    q: ArrayLike,
    flavours: Sequence[int],
    info: Mapping[str, InfoValue],
    *,
    thresholds: Sequence[float] = (),
    advance: Callable[[int], None] | None = None,
) -> Path:
    """Write a set.

    The set appears when it is complete: an interrupted call leaves nothing under its name.

    Parameters
    ----------
    folder
        Where sets lie, for example one of LHAPDF's data paths.
    name
        Name of the set and of its own folder.
    members
        Gives x f of a member on the knots, float64, shape (len(x), len(q), len(flavours)). Member
        0 is the central one.
    count
        Number of members, at least 1.
    x, q
        Rising knots; q in GeV.
    flavours
        Codes of the partons in the Monte Carlo numbering scheme.
    info
        Further entries of the ``.info`` file; those that follow from the rest are added.
    thresholds
        Scales among the knots at which a new block starts, in GeV.
    advance
        Called with 1 after each member.

    Returns
    -------
    pathlib.Path
        The set's folder.

    Raises
    ------
    DatasetError
        If the name is no name, the set exists, or a member has the wrong shape or is not finite.
    """
    if not _NAME.fullmatch(name):
        raise DatasetError(
            f"{name!r} cannot name a set: use letters, digits, dots, hyphens and underscores"
        )
    if count < 1:
        raise DatasetError(f"a set needs at least one member, not {count}")
    target = Path(folder) / name
    if target.exists():
        raise DatasetError(f"{target} exists already: choose another name or remove it")
    knots_x, knots_q = np.asarray(x, np.float64), np.asarray(q, np.float64)
    blocks = _blocks(knots_q, thresholds)
    partial = target.with_name(f".{name}.{os.getpid()}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        entries = _complete(info, knots_x, knots_q, flavours, count)
        (partial / f"{name}.info").write_text(_info_text(entries))
        for number in range(count):
            values = np.asarray(members(number), np.float64)
            expected = (len(knots_x), len(knots_q), len(flavours))
            if values.shape != expected or not np.isfinite(values).all():
                raise DatasetError(
                    f"member {number} must be finite numbers of shape {expected}, got shape "
                    f"{values.shape}"
                )
            kind = "central" if number == 0 else str(info.get("ErrorType", "error")).rstrip("s")
            text = _member_text(kind, values, knots_x, knots_q, flavours, blocks)
            (partial / f"{name}_{number:04d}.dat").write_text(text)
            if advance is not None:
                advance(1)
        partial.rename(target)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return target


def _blocks(q: NDArray[np.float64], thresholds: Sequence[float]) -> list[slice]:
    """Knots of each block; neighbouring blocks share the threshold."""
    edges = [0]
    for threshold in sorted(thresholds):
        found = np.flatnonzero(np.abs(q / threshold - 1.0) < 1e-9)
        if not found.size:
            raise DatasetError(f"the threshold {threshold:g} GeV is not among the knots in Q")
        edges.append(int(found[0]))
    edges.append(len(q) - 1)
    return [slice(low, high + 1) for low, high in itertools.pairwise(edges) if high > low]


def _complete(
    info: Mapping[str, InfoValue],
    x: NDArray[np.float64],
    q: NDArray[np.float64],
    flavours: Sequence[int],
    count: int,
) -> dict[str, InfoValue]:
    return {
        "Format": "lhagrid1",
        "DataVersion": 1,
        **info,
        "NumMembers": count,
        "Flavors": list(flavours),
        "XMin": float(x[0]),
        "XMax": float(x[-1]),
        "QMin": float(q[0]),
        "QMax": float(q[-1]),
    }


def _info_text(entries: Mapping[str, InfoValue]) -> str:
    lines = []
    for key, value in entries.items():
        if isinstance(value, str):
            escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
            text = f'"{escaped}"'
        elif isinstance(value, (int, float)):
            text = _number(value)
        else:
            text = "[" + ", ".join(_number(item) for item in value) + "]"
        lines.append(f"{key}: {text}\n")
    return "".join(lines)


def _number(value: int | float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.10E}"


def _member_text(
    kind: str,
    values: NDArray[np.float64],
    x: NDArray[np.float64],
    q: NDArray[np.float64],
    flavours: Sequence[int],
    blocks: Sequence[slice],
) -> str:
    row = " ".join(["%.8E"] * len(flavours))
    parts = [f"PdfType: {kind}\nFormat: lhagrid1\n---\n"]
    for block in blocks:
        parts.append(" ".join(f"{knot:.10E}" for knot in x) + "\n")
        parts.append(" ".join(f"{knot:.10E}" for knot in q[block]) + "\n")
        parts.append(" ".join(map(str, flavours)) + "\n")
        table = values[:, block].reshape(-1, len(flavours))
        parts.extend(row % tuple(numbers) + "\n" for numbers in table.tolist())
        parts.append("---\n")
    return "".join(parts)
