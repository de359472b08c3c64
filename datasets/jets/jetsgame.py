"""The public JetsGame samples: gzipped text, one jet as JSON per line.

A line is a list of objects with px, py, pz, E in GeV: first the jet itself, then its
constituents. Lines that are a JSON string are headers. Data: DOI 10.5281/zenodo.2602515, used in
arXiv:1903.09644; the layout is that of the reader in github.com/JetsGame/GroomRL.
"""

from __future__ import annotations

import gzip
import itertools
import json
import os
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from .. import root_files
from ..errors import DatasetError
from . import clustering, jet_files
from .generation import JetChunk
from .settings import CHUNK_JETS

Progress = Callable[[int, int], object]


def read(
    path: str | os.PathLike[str], limit: int | None = None, *, progress: Progress | None = None
) -> Iterator[JetChunk]:
    """Read and cluster the jets of a JetsGame file.

    Parameters
    ----------
    path
        The ``.json.gz`` file.
    limit
        Read no more than so many jets.
    progress
        Called with the jets done and an estimate of the jets in all.

    Yields
    ------
    JetChunk
        Up to 1000 jets. ``event`` is the number of the jet in the file; the Pythia seed and the
        rank are not in the file, they are -1.

    Raises
    ------
    DatasetError
        If the file is absent, not gzip, truncated, or a line is not a jet; names the line.
    """
    path = Path(path)
    if limit is not None and limit < 1:
        raise DatasetError(f"limit = {limit} must be at least 1")
    first = 0
    try:
        with path.open("rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            jets = itertools.islice(_jets(path, stream), limit)
            while batch := list(itertools.islice(jets, CHUNK_JETS)):
                yield _chunk(batch, first)
                first += len(batch)
                if progress is not None:
                    total = first * size // max(1, stream.tell())
                    progress(first, total if limit is None else min(limit, total))
    except FileNotFoundError:
        raise DatasetError(f"{path} does not exist: check the path") from None
    except IsADirectoryError:
        raise DatasetError(f"{path} is a folder: give a .json.gz file in it") from None
    if not first:
        raise DatasetError(f"{path} holds no jets: download it again")


def convert(
    path: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    limit: int | None = None,
    metadata: Mapping[str, object] | None = None,
    nodes: jet_files.Nodes = "full",
    container: root_files.Container = "ttree",
    progress: Progress | None = None,
) -> jet_files.WrittenFile:
    """Convert a JetsGame file to a jets file with clustering trees.

    Parameters
    ----------
    path
        The ``.json.gz`` file.
    output
        The ROOT file to write.
    limit
        Convert no more than so many jets.
    metadata
        Kept in the new file, beside the name of the old one ("source").
    nodes, container
        As for `jet_files.write`.
    progress
        Called with the jets done and an estimate of the jets in all.

    Returns
    -------
    jet_files.WrittenFile

    Raises
    ------
    DatasetError
        As `read` and `jet_files.write`; no file is left then.
    """
    about = {"source": Path(path).name, "source_format": "JetsGame", **(metadata or {})}
    return jet_files.write(
        output, read(path, limit, progress=progress), about, nodes=nodes, container=container
    )


def _jets(path: Path, stream: BinaryIO) -> Iterator[list[list[float]]]:
    """Four-momenta of the constituents of each jet."""
    number = 0
    try:
        with gzip.open(stream) as lines:
            for number, line in enumerate(lines, start=1):
                if line.isspace():
                    continue
                place = f"{path}, line {number}"
                try:
                    entry = json.loads(line)
                except ValueError:
                    raise DatasetError(
                        f"{place} is not JSON: give a JetsGame file, or download it again"
                    ) from None
                if not isinstance(entry, str):
                    yield _constituents(entry, place)
    except gzip.BadGzipFile as error:
        raise DatasetError(
            f"{path}, after line {number}: not gzip ({error}): give a JetsGame .json.gz file"
        ) from None
    except (EOFError, zlib.error):
        raise DatasetError(
            f"{path}, after line {number}: the gzip stream is truncated or damaged, download it "
            "again"
        ) from None


def _constituents(entry: Any, place: str) -> list[list[float]]:
    layout = "a list of px, py, pz, E: the jet, then its constituents"
    try:
        momenta = np.array(
            [[p["px"], p["py"], p["pz"], p["E"]] for p in entry], dtype=np.float64
        ).reshape(-1, 4)
    except (TypeError, KeyError, ValueError, OverflowError):
        raise DatasetError(f"{place} is not {layout}: give a JetsGame file") from None
    if len(momenta) < 2:
        raise DatasetError(f"{place} has no constituents: remove the line")
    for i, momentum in enumerate(momenta):
        if not np.isfinite(momentum).all() or momentum[3] < 0:
            values = ", ".join(f"{value:g}" for value in momentum)
            raise DatasetError(
                f"{place}, object {i}: px, py, pz, E = {values}; they must be finite and E not "
                "negative, remove the line"
            )
    jet, total = momenta[0, 3], momenta[1:, 3].sum()
    # Corrected jets may differ a little from their constituents; a missing jet differs a lot.
    if not 0.5 * total <= jet <= 2.0 * total:
        raise DatasetError(
            f"{place}: the first object has E = {jet:g} GeV and the others {total:g} GeV in all, "
            f"so it is not {layout}"
        )
    constituents: list[list[float]] = momenta[1:].tolist()
    return constituents


def _chunk(jets: list[list[list[float]]], first: int) -> JetChunk:
    counts = [len(jet) for jet in jets]
    momenta = np.array([momentum for jet in jets for momentum in jet], dtype=np.float64)
    # Rounded as files hold them, so that trees and momenta belong together.
    momenta = momenta.astype(np.float32).astype(np.float64)
    trees = clustering.cluster(np.concatenate([[0], np.cumsum(counts)]), momenta)
    return jet_files.to_chunk(trees, {"event": np.arange(first, first + len(jets))})
