"""Larger samples of the event set: spread over workers, resumable, the same for any number."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from os import PathLike
from pathlib import Path

import numpy as np

from ...cluster import client
from ..errors import DatasetError
from .events import EventSample, generated_file, write_events
from .generation import EventChunk, chunk_sizes, generate_chunk

__all__ = ["produce_events"]


def produce_events(
    size: int,
    *,
    split: str = "train",
    seed: int = 0,
    output: str | PathLike[str] | None = None,
    workers: int = 1,
    scheduler: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> EventSample:
    """Generate a sample and write it to an NPZ file.

    Finished chunks lie in a folder beside the output until the sample is complete; a later run
    generates just what is missing.

    Parameters
    ----------
    size
        Number of events. Fewer are a prefix of more.
    split
        train, validation or test; they share no event.
    seed
        Of the sample; 0 is that of the bundled one.
    output
        The file to write; a place in the data folder if not given, where `load_events` finds it.
    workers, scheduler
        See `hepgym.cluster.client`. The result does not depend on them.
    progress
        Called with the number of events that are ready and the number asked for.

    Returns
    -------
    EventSample

    Raises
    ------
    DatasetError
        If the request is bad or the output cannot be written.
    """
    if size < 1:
        raise DatasetError(f"a sample needs at least one event, not size = {size}")
    # Fails early on a bad split or seed.
    generate_chunk(split, seed, 0, 1)
    file = generated_file(split, size, seed) if output is None else Path(output)
    folder = file.with_name(f"{file.name}.{split}-{size}-seed{seed}.parts")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DatasetError(f"cannot write {file}: {error.strerror}") from None
    sizes = chunk_sizes(size)
    missing = [k for k in range(len(sizes)) if not _part(folder, k).exists()]
    ready = size - sum(sizes[k] for k in missing)
    if progress:
        progress(ready, size)
    for number, chunk in _generate(split, seed, {k: sizes[k] for k in missing}, workers, scheduler):
        temporary = folder / f"{number:06d}.tmp.npz"
        np.savez(temporary, **chunk._asdict())
        os.replace(temporary, _part(folder, number))
        ready += sizes[number]
        if progress:
            progress(ready, size)
    chunks = []
    for number in range(len(sizes)):
        with np.load(_part(folder, number), allow_pickle=False) as stored:
            chunks.append(EventChunk(**{name: stored[name] for name in EventChunk._fields}))
    sample = EventSample(
        np.concatenate([chunk.points for chunk in chunks]),
        np.concatenate([chunk.matrix_elements for chunk in chunks]).astype(np.float64),
        sum(int(chunk.trials) for chunk in chunks),
    )
    write_events(sample, file)
    shutil.rmtree(folder)
    return sample


def _part(folder: Path, number: int) -> Path:
    return folder / f"{number:06d}.npz"


def _generate(
    split: str, seed: int, sizes: dict[int, int], workers: int, scheduler: str | None
) -> Iterator[tuple[int, EventChunk]]:
    """Generate chunks and yield them with their numbers as they are ready."""
    if not sizes:
        return
    if workers == 1 and scheduler is None:
        for number, size in sizes.items():
            yield number, generate_chunk(split, seed, number, size)
        return
    from distributed import as_completed

    with client(workers, scheduler) as dask:
        futures = {
            dask.submit(generate_chunk, split, seed, number, size, pure=False): number
            for number, size in sizes.items()
        }
        for future in as_completed(list(futures)):
            yield futures.pop(future), future.result()
            future.release()
