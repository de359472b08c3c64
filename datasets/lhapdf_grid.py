"""Parton distributions from a grid in LHAPDF's text format.

The format (``lhagrid1``, arXiv:1412.7420): a YAML header, then blocks that end with ``---``. Each
block has the knots in x, the knots in Q, the flavours, and one line of x f for every knot, Q
running fastest. One block per number of active flavours; neighbouring blocks share their edge.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, files
from os import PathLike
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import DatasetError

__all__ = ["GLUON", "Interpolation", "LHAPDFGrid", "pythia_grid", "read_grid"]

#: Code of the gluon in the Monte Carlo numbering scheme.
GLUON = 21

#: Between the knots: as LHAPDF does or as Pythia does.
Interpolation = Literal["lhapdf", "pythia"]


@dataclass(frozen=True, eq=False)
class LHAPDFGrid:
    """x f(x, Q) of one member of a set, on its knots and between them.

    Attributes
    ----------
    header : dict
        What the file says about itself.
    x : float64, shape (nx,)
        Knots in x.
    q : float64, shape (nq,)
        Knots in Q, in GeV; flavour thresholds come twice.
    flavours : tuple of int
        Codes of the partons in the Monte Carlo numbering scheme, in the order of ``values``.
    values : float64, shape (nx, nq, flavours)
        x f at the knots.
    """

    header: dict[str, Any]
    x: NDArray[np.float64]
    q: NDArray[np.float64]
    flavours: tuple[int, ...]
    values: NDArray[np.float64]

    def column(self, flavour: int) -> int:
        """Position of a parton in `flavours`; 0 stands for the gluon too.

        Raises
        ------
        DatasetError
            If the grid does not have it.
        """
        code = GLUON if flavour == 0 else int(flavour)
        if code not in self.flavours:
            raise DatasetError(f"the grid has no parton {flavour}: it has {list(self.flavours)}")
        return self.flavours.index(code)

    def xfxq(
        self,
        flavour: int | Sequence[int] | NDArray[np.integer],
        x: ArrayLike,
        q: ArrayLike,
        *,
        clamp: bool = False,
        interpolation: Interpolation = "lhapdf",
    ) -> NDArray[np.float64]:
        """Interpolate x f(x, Q).

        Parameters
        ----------
        flavour
            Code of the parton, or an array of them.
        x
            Momentum fraction.
        q
            Scale in GeV. All three are broadcast together. Outside the grid the value at its edge
            is taken.
        clamp
            Replace negative values by zero, as Pythia does.
        interpolation
            lhapdf (log-bicubic) or pythia; see `hepgym.datasets.lhapdf_interpolation`.

        Returns
        -------
        float64, of the broadcast shape

        Raises
        ------
        DatasetError
            If the grid does not have the parton, x is not in (0, 1], Q is not positive, or there is
            no such interpolation.
        """
        from .lhapdf_interpolation import interpolate_many

        codes = np.asarray(flavour, dtype=np.int64)
        known, inverse = np.unique(codes, return_inverse=True)
        columns = np.array([self.column(int(code)) for code in known], np.int64)[inverse]
        columns, points, scales = np.broadcast_arrays(
            columns.reshape(codes.shape), np.asarray(x, float), np.asarray(q, float)
        )
        if not np.all((points > 0) & (points <= 1)):
            raise DatasetError("x must be in (0, 1]")
        if not np.all((scales > 0) & np.isfinite(scales)):
            raise DatasetError("Q must be positive and finite")
        result = np.empty(points.shape)
        flat = result.reshape(-1)
        interpolate_many(
            np.log(self.x),
            np.log(self.q),
            self.values,
            self._is_lagrange(interpolation),
            columns.ravel(),
            points.ravel(),
            scales.ravel(),
            flat,
        )
        return np.maximum(result, 0.0) if clamp else result

    def at_scale(
        self, q: float, *, interpolation: Interpolation = "lhapdf"
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Knots in ln x and cubic coefficients at a fixed scale, for compiled code.

        Parameters
        ----------
        q
            Scale in GeV.
        interpolation
            lhapdf or pythia.

        Returns
        -------
        log_x : float64, shape (nx,)
        table : float64, shape (nx - 1, flavours, 4)
            For `hepgym.datasets.lhapdf_interpolation.parton_densities`.

        Raises
        ------
        DatasetError
            As `xfxq`.
        """
        # A cubic polynomial is known from its values at four places of the interval.
        places = np.array([0.125, 0.375, 0.625, 0.875])
        log_x = np.log(self.x)
        x = np.exp(log_x[:-1, None] + np.diff(log_x)[:, None] * places)
        values = self.xfxq(
            np.array(self.flavours)[:, None], x[:, None, :], q, interpolation=interpolation
        )
        to_coefficients = np.linalg.inv(np.vander(places, increasing=True))
        return log_x, np.ascontiguousarray(values @ to_coefficients.T)

    def _is_lagrange(self, interpolation: str) -> bool:
        """Whether to interpolate as Pythia does."""
        if interpolation not in get_args(Interpolation):
            raise DatasetError(f"interpolation must be lhapdf or pythia, not {interpolation!r}")
        if interpolation == "lhapdf":
            return False
        blocks = np.split(self.q, np.flatnonzero(np.diff(self.q) == 0) + 1)
        if min(len(self.x), *map(len, blocks)) < 4:
            raise DatasetError("Pythia's interpolation needs four knots in each block of the grid")
        return True


def read_grid(file: str | PathLike[str]) -> LHAPDFGrid:
    """Read one member of a set.

    Parameters
    ----------
    file
        For example ``NNPDF31_lo_as_0118_0000.dat``.

    Raises
    ------
    DatasetError
        If the file is not there or is not such a grid, or if its blocks have different knots in x
        or different flavours.
    """
    path = Path(file)
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"cannot read the grid {path}: {error}") from None
    head, *blocks = text.replace("\r\n", "\n").split("\n---")
    blocks = [block for block in blocks if block.strip()]
    header = _header(head, path)
    if header.get("Format") != "lhagrid1" or not blocks:
        raise DatasetError(f"{path} is not a grid in LHAPDF's format lhagrid1")
    parts = [_block(block, path, number) for number, block in enumerate(blocks, start=1)]
    x, _, flavours, _ = parts[0]
    for number, (own_x, _, own_flavours, _) in enumerate(parts[1:], start=2):
        if not np.array_equal(own_x, x) or own_flavours != flavours:
            raise DatasetError(
                f"{path}: block {number} has other knots in x or other flavours than the first one"
            )
    q = np.concatenate([part[1] for part in parts])
    if np.any(np.diff(q) < 0):
        raise DatasetError(f"{path}: the knots in Q do not increase from block to block")
    return LHAPDFGrid(header, x, q, flavours, np.concatenate([part[3] for part in parts], axis=1))


def _header(text: str, path: Path) -> dict[str, Any]:
    """Parse the YAML header."""
    import yaml

    try:
        header = yaml.safe_load(text)
    except yaml.YAMLError:
        header = None
    if not isinstance(header, dict):
        raise DatasetError(f"{path} has no header: is it a grid in LHAPDF's format?")
    return header


def _block(
    text: str, path: Path, number: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], tuple[int, ...], NDArray[np.float64]]:
    """Knots in x and Q, flavours, and values of one block."""
    lines = text.strip("\n").split("\n", 3)
    place = f"{path}, block {number}"
    if len(lines) != 4:
        raise DatasetError(f"{place} ends too early")
    try:
        x, q = (np.array(line.split(), float) for line in lines[:2])
        flavours = tuple(int(code) for code in lines[2].split())
        values = np.array(lines[3].split(), float)
    except ValueError as error:
        raise DatasetError(f"{place}: {error}") from None
    if len(x) < 2 or len(q) < 2 or not flavours:
        raise DatasetError(f"{place} needs at least two knots in x and in Q, and one flavour")
    if np.any(np.diff(x) <= 0) or np.any(np.diff(q) <= 0) or x[0] <= 0 or q[0] <= 0:
        raise DatasetError(f"{place}: the knots must be positive and increase")
    if len(values) != len(x) * len(q) * len(flavours):
        raise DatasetError(
            f"{place} has {len(values)} values where {len(x)} x {len(q)} x {len(flavours)} belong"
        )
    if not np.all(np.isfinite(values)):
        raise DatasetError(f"{place} has values that are not finite")
    return x, q, flavours, values.reshape(len(x), len(q), len(flavours))


def pythia_grid(name: str = "NNPDF31_lo_as_0118") -> LHAPDFGrid:
    """Read a grid that comes with Pythia.

    Parameters
    ----------
    name
        Name of the set; its central member is read.

    Raises
    ------
    DatasetError
        If the installed Pythia has no such grid.
    """
    wanted = f"{name}_0000.dat"
    try:
        installed = files("pythia8mc") or []
    except PackageNotFoundError:
        installed = []
    for file in installed:
        if file.name == wanted:
            return read_grid(Path(str(file.locate())))
    raise DatasetError(f"the installed pythia8mc has no parton distributions {name!r}")
