"""Whole samples of jets: spread over workers, resumable, written as one ROOT file.

Finished chunks lie in a folder beside the output until the sample is complete. Each appears there
by a rename, so that a kill at any moment leaves whole chunks or nothing, and a later run
generates just what is missing.
"""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ...cluster import client
from ..errors import DatasetError
from .settings import GeneratorSettings, chunk_sizes, pythia_seed

if TYPE_CHECKING:
    from .generation import JetChunk
    from .jet_files import WrittenFile

Progress = Callable[[int, int], None]
"""Called with the number of jets that are ready and the number asked for."""


@dataclass(frozen=True)
class Sample:
    """A sample of jets to be generated.

    Attributes
    ----------
    dataset
        Dataset id the sample belongs to.
    settings
        What to generate.
    split
        train, validation or test; they never share a Pythia seed.
    size
        Number of jets.
    seed
        Seed of the sample. The same dataset, settings, split and seed give the same jets; fewer
        are a prefix of more.
    """

    dataset: str
    settings: GeneratorSettings
    split: str
    size: int
    seed: int = 0

    def __post_init__(self) -> None:
        if self.size < 1:
            raise DatasetError(f"a sample needs at least one jet, not size = {self.size}")
        # Fails early on a bad split, seed or size.
        pythia_seed(self.split, self.seed, len(chunk_sizes(self.size)) - 1)

    def chunks(self) -> list[tuple[int, int]]:
        """Pythia seed and number of jets of each chunk."""
        return [
            (pythia_seed(self.split, self.seed, number), jets)
            for number, jets in enumerate(chunk_sizes(self.size))
        ]

    def metadata(self) -> dict[str, Any]:
        """Return what is written into the file beside the jets."""
        return {
            "dataset": self.dataset,
            "split": self.split,
            "seed": self.seed,
            "settings": dataclasses.asdict(self.settings),
            "pythia": [*self.settings.pythia_commands()],
            "pythia_seeds": [self.chunks()[0][0], self.chunks()[-1][0]],
            "versions": {
                name: importlib.metadata.version(name) for name in ("pythia8mc", "fastjet")
            },
        }


def produce(
    sample: Sample,
    output: Path,
    *,
    workers: int = 1,
    scheduler: str | None = None,
    nodes: Literal["full", "topology"] = "full",
    container: Literal["ttree", "rntuple"] = "ttree",
    progress: Progress | None = None,
) -> WrittenFile:
    """Generate a sample and write it to a ROOT file.

    Parameters
    ----------
    sample
        What to generate.
    output
        The file to write. Chunks that an interrupted run left beside it are used.
    workers
        Number of processes; the result does not depend on it.
    scheduler
        Where the workers are, see `hepgym.cluster.client`.
    nodes, container
        See `jet_files.write`.
    progress
        Called whenever a chunk is ready.

    Returns
    -------
    jet_files.WrittenFile

    Raises
    ------
    DatasetError
        If the chunks beside the output belong to another sample, the output is a folder, or it
        cannot be written.
    """
    from . import jet_files

    if output.is_dir():
        raise DatasetError(f"{output} is a folder: name a file to write")
    folder = output.with_name(output.name + ".parts")
    _claim(folder, sample)
    for _ in _missing_chunks(sample, folder, workers, scheduler, progress):
        pass
    # Written among the chunks, so that what a kill leaves of it is deleted with them.
    written = jet_files.write(
        folder / output.name,
        (_read_chunk(_part(folder, number)) for number in range(len(sample.chunks()))),
        sample.metadata(),
        nodes=nodes,
        container=container,
    )
    os.replace(written.path, output)
    shutil.rmtree(folder)
    return written._replace(path=output)


def _claim(folder: Path, sample: Sample) -> None:
    """Mark the folder of chunks as this sample's, or check that it is."""
    plan = json.dumps({**sample.metadata(), "size": sample.size}, sort_keys=True, indent=1)
    file = folder / "sample.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not file.exists():
            # Left by a kill while the folder was being deleted: chunks of any sample.
            for chunk in folder.glob("*.npz"):
                chunk.unlink()
            _write_atomically(file, plan.encode())
        found = file.read_bytes()
    except OSError as error:
        raise DatasetError(
            f"{folder} cannot be used for unfinished chunks ({error.strerror}): choose another "
            "output"
        ) from None
    if found != plan.encode():
        raise DatasetError(
            f"{folder} holds chunks of another sample or of other package versions: "
            "finish that one, delete the folder, or choose another output"
        )


def _missing_chunks(
    sample: Sample,
    folder: Path,
    workers: int,
    scheduler: str | None,
    progress: Progress | None,
) -> Iterator[int]:
    """Generate the chunks that are not there yet and yield their numbers as they appear."""
    chunks = sample.chunks()
    missing = [number for number in range(len(chunks)) if not _part(folder, number).exists()]
    ready = sample.size - sum(chunks[number][1] for number in missing)
    if progress:
        progress(ready, sample.size)
    for number, chunk in _generate(sample, missing, workers, scheduler):
        _write_chunk(_part(folder, number), chunk)
        ready += len(chunk.counts)
        if progress:
            progress(ready, sample.size)
        yield number


def _generate(
    sample: Sample, numbers: list[int], workers: int, scheduler: str | None
) -> Iterator[tuple[int, JetChunk]]:
    from .generation import generate_chunk

    chunks = sample.chunks()
    if not numbers:
        return
    if workers == 1 and scheduler is None:
        for number in numbers:
            yield number, generate_chunk(sample.settings, *chunks[number])
        return
    from distributed import as_completed

    with client(workers, scheduler) as dask:
        futures = {
            dask.submit(generate_chunk, sample.settings, *chunks[number], pure=False): number
            for number in numbers
        }
        for future in as_completed(list(futures)):
            yield futures.pop(future), future.result()
            future.release()


def _part(folder: Path, number: int) -> Path:
    return folder / f"{number:06d}.npz"


def _write_chunk(file: Path, chunk: JetChunk) -> None:
    temporary = file.with_suffix(".tmp.npz")
    np.savez(temporary, **chunk._asdict())
    os.replace(temporary, file)


def _read_chunk(file: Path) -> JetChunk:
    from .generation import JetChunk

    with np.load(file, allow_pickle=False) as stored:
        return JetChunk(**{name: stored[name] for name in JetChunk._fields})


def _write_atomically(file: Path, content: bytes) -> None:
    temporary = file.with_name(file.name + ".tmp")
    temporary.write_bytes(content)
    os.replace(temporary, file)
