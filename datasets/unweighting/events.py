"""The event set: what a sample is, its files, and the bundled splits."""

from __future__ import annotations

import hashlib
import io
import os
import zipfile
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..catalogue import data_folder
from ..errors import DatasetError

__all__ = ["ID", "SPLITS", "EventSample", "load_events", "read_events", "write_events"]

ID = "events/gg-ttgg-1500GeV-v1"

SPLITS = ("train", "validation", "test")

BUNDLED = {
    "train": "660b106d3d2c859bf742a6d7f594664a0dc821bbf9849c2538a6cb938b6306c7",
    "validation": "4dcd3f32c6689242d401d1c2ee8c90a9e1fe4043785ab76b38ec541f5ec1adbc",
    "test": "93ebde55b45374c818528b0335fcba9f83bdaaf7263c2a30439aab3ae95720ff",
}
"""Content hash of each bundled split, see `EventSample.sha256`."""

_FOLDER = Path(__file__).parent.parent / "bundled" / ID
_COORDINATES = 8


@dataclass(frozen=True, eq=False)
class EventSample:
    """Weighted events gg -> g g t tbar at a partonic energy of 1.5 TeV.

    alpha_s = 0.118, m_t = 173 GeV; both outgoing gluons have pT > 30 GeV and are at R > 0.4, in
    rapidity and azimuth, from each other and from the tops.

    Attributes
    ----------
    points : float32, shape (n, 8)
        Coordinates in the unit hypercube, of `phase_space.radiation`.
    matrix_elements : float64, shape (n,)
        Squared amplitude in GeV^-4, summed over helicities and colours, averaged over those of the
        incoming gluons; of single precision.
    trials : int
        Number of points that were drawn for these events, with those that did not pass the cuts.
    """

    points: NDArray[np.float32]
    matrix_elements: NDArray[np.float64]
    trials: int

    def __len__(self) -> int:
        return len(self.points)

    @cached_property
    def _mapped(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        from .generation import map_events

        return map_events(self.points)

    @property
    def momenta(self) -> NDArray[np.float64]:
        """Momenta (E, px, py, pz) in GeV, float64, shape (n, 6, 4).

        Rows: incoming gluon along +z, incoming gluon along -z, two outgoing gluons, top, antitop.
        """
        return self._mapped[0]

    @property
    def phase_space_weights(self) -> NDArray[np.float64]:
        """Phase-space weights in pb GeV^4, flux and 1/2! included, float64, shape (n,)."""
        return self._mapped[1]

    @property
    def weights(self) -> NDArray[np.float64]:
        """Weights of the events in pb: phase-space weight times squared amplitude, shape (n,)."""
        return self.phase_space_weights * self.matrix_elements

    def cross_section(self) -> tuple[float, float]:
        """Cross section and its standard error in pb, from this sample."""
        mean = self.weights.sum() / self.trials
        square = (self.weights**2).sum() / self.trials
        return float(mean), float(np.sqrt((square - mean**2) / self.trials))

    def sha256(self) -> str:
        """Hash of the content: points and squared amplitudes as float32, number of trials."""
        content = hashlib.sha256()
        content.update(np.ascontiguousarray(self.points, "<f4").tobytes())
        content.update(np.ascontiguousarray(self.matrix_elements, "<f4").tobytes())
        content.update(str(self.trials).encode())
        return content.hexdigest()


def load_events(split: str = "train", *, size: int | None = None, seed: int = 0) -> EventSample:
    """Load the event set.

    Parameters
    ----------
    split
        train, validation or test.
    size, seed
        Which generated sample; without ``size`` the bundled one.

    Returns
    -------
    EventSample

    Raises
    ------
    DatasetError
        If there is no such split, or the sample has not been generated.
    """
    if split not in SPLITS:
        raise DatasetError(f"{ID} has no split {split!r}; it has {', '.join(SPLITS)}")
    if size is None:
        if seed != 0:
            raise DatasetError("only seed 0 is bundled: give the size of the generated sample")
        return read_events(_FOLDER / f"{split}.npz")
    file = generated_file(split, size, seed)
    if not file.exists():
        raise DatasetError(
            f"{file} does not exist: make it with hepgym.datasets.unweighting.produce_events("
            f"{size}, split={split!r}, seed={seed})"
        )
    return read_events(file)


def generated_file(split: str, size: int, seed: int) -> Path:
    """Where `produce_events` puts a sample unless told otherwise."""
    return data_folder() / ID / f"{split}-{size}-seed{seed}.npz"


def write_events(sample: EventSample, file: str | PathLike[str]) -> None:
    """Write a sample to an NPZ file, all or nothing.

    Parameters
    ----------
    sample
        What to write.
    file
        An existing one is replaced.

    Raises
    ------
    DatasetError
        If it cannot be written.
    """
    path = Path(file)
    content = io.BytesIO()
    np.savez_compressed(
        content,
        points=np.asarray(sample.points, "<f4"),
        matrix_elements=np.asarray(sample.matrix_elements, "<f4"),
        trials=np.int64(sample.trials),
    )
    temporary = path.with_name(path.name + ".tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(content.getvalue())
        os.replace(temporary, path)
    except OSError as error:
        raise DatasetError(f"cannot write {path}: {error.strerror}") from None


def read_events(file: str | PathLike[str]) -> EventSample:
    """Read a sample from an NPZ file.

    Parameters
    ----------
    file
        Written by `write_events`.

    Returns
    -------
    EventSample

    Raises
    ------
    DatasetError
        If it is not there or is not such a file.
    """
    path = Path(file)
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as stored:
            points, values = stored["points"], stored["matrix_elements"]
            trials = int(stored["trials"])
    except (OSError, KeyError, ValueError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise DatasetError(f"cannot read events from {path}: {error}") from None
    if (
        points.dtype != np.float32
        or points.ndim != 2
        or points.shape[1] != _COORDINATES
        or values.dtype != np.float32
        or values.shape != (len(points),)
        or trials < len(points)
    ):
        raise DatasetError(f"{path}: points, matrix elements and trials do not fit together")
    if not (np.all((points >= 0) & (points < 1)) and np.all(np.isfinite(values) & (values >= 0))):
        raise DatasetError(f"{path} has points outside [0, 1) or bad matrix elements")
    return EventSample(points, values.astype(np.float64), trials)
