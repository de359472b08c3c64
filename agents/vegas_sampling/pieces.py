"""Where the chunks of an iteration are done: in this thread, in many, or on a Dask cluster.

A chunk is the same wherever it is done, and results are put together in the order of the chunks:
neither the place nor the number of workers changes a result.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from distributed import Client

Result = TypeVar("Result")

CALLS_PER_CHUNK, MAX_CHUNKS = 16_384, 512
PIECES_PER_WORKER = 4
"""Pieces of work for each worker: more let fast workers do more, fewer send less."""


class Workplace:
    """Does pieces of work.

    Parameters
    ----------
    threads
        Threads of this process; compiled code runs in them at once.
    client
        A Dask client; then its workers do the work instead.
    """

    def __init__(self, threads: int = 1, client: Client | None = None) -> None:
        self.threads = threads
        self.client = client

    @property
    def workers(self) -> int:
        """How many work at the same time."""
        if self.client is None:
            return self.threads
        return max(1, sum(self.client.nthreads().values()))

    def run(
        self,
        work: Callable[..., Result],
        chunks: int,
        arguments: Callable[[int, int], tuple[Any, ...]],
    ) -> list[Result]:
        """Do chunks of work in pieces.

        Parameters
        ----------
        work
            A function of a module.
        chunks
            Number of chunks.
        arguments
            From the first chunk of a piece and the one after its last to arguments of ``work``.

        Returns
        -------
        list
            Results of the pieces in order.
        """
        if self.workers == 1 and self.client is None:
            return [work(*arguments(0, chunks))]
        pieces = self._pieces(chunks)
        if self.client is None:
            with ThreadPoolExecutor(self.threads) as pool:
                return list(pool.map(lambda piece: work(*arguments(*piece)), pieces))
        futures = [self.client.submit(work, *arguments(*piece), pure=False) for piece in pieces]
        try:
            return list(self.client.gather(futures))
        finally:
            # After an interrupt what is still waiting need not be done.
            self.client.cancel(futures)

    def _pieces(self, chunks: int) -> Sequence[tuple[int, int]]:
        count = min(chunks, PIECES_PER_WORKER * self.workers)
        cuts = [round(chunks * piece / count) for piece in range(count + 1)]
        return list(pairwise(cuts))


def chunk_count(calls: int) -> int:
    """Give the number of chunks of an iteration; it depends on the number of calls alone."""
    return min(max(-(-calls // CALLS_PER_CHUNK), 1), MAX_CHUNKS)


def even_cuts(total: int, parts: int) -> NDArray[np.int64]:
    """Cuts that part a number evenly, int64, shape (parts + 1,)."""
    return np.arange(parts + 1, dtype=np.int64) * total // parts
