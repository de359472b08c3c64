"""Where work is spread: one function that gives a Dask client."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from distributed import Client

BATCH_SYSTEMS = ("slurm", "htcondor")


@contextmanager
def client(workers: int = 1, scheduler: str | None = None) -> Iterator[Client]:
    """Give a Dask client and close it, with what was started for it, afterwards.

    Parameters
    ----------
    workers
        Number of worker processes (local) or of batch jobs.
    scheduler
        None for a cluster on this machine, an address such as ``tcp://host:8786`` of a running
        scheduler, or ``slurm`` or ``htcondor`` to start workers as batch jobs with dask-jobqueue
        and the user's Dask configuration.

    Yields
    ------
    distributed.Client

    Raises
    ------
    ValueError
        If ``workers`` is not positive or ``scheduler`` is none of the above.
    ConnectionError
        If no scheduler answers at the address.
    """
    if workers < 1:
        raise ValueError(f"workers = {workers} is less than 1")
    from distributed import Client, LocalCluster

    if scheduler is None:
        # Workers are processes with one thread each: Pythia and FastJet hold the interpreter.
        with (
            LocalCluster(
                n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None
            ) as local,
            Client(local) as connection,
        ):
            yield connection
    elif scheduler in BATCH_SYSTEMS:
        try:
            import dask_jobqueue
        except ImportError:
            raise ValueError(
                f"scheduler {scheduler!r} needs dask-jobqueue: pip install dask-jobqueue"
            ) from None
        kind = {"slurm": "SLURMCluster", "htcondor": "HTCondorCluster"}[scheduler]
        with getattr(dask_jobqueue, kind)() as jobs:
            jobs.scale(workers)
            with Client(jobs) as connection:
                yield connection
    elif "://" in scheduler:
        from distributed.comm.addressing import get_address_host_port

        try:
            if scheduler.startswith(("tcp://", "tls://")):
                # Dask itself keeps knocking for as long as it may before it gives up.
                socket.create_connection(get_address_host_port(scheduler), timeout=10).close()
            connection = Client(scheduler, timeout="10s")
        except OSError as error:
            raise ConnectionError(f"no Dask scheduler answers at {scheduler}: {error}") from None
        with connection:
            yield connection
    else:
        raise ValueError(
            f"scheduler {scheduler!r} is neither an address (tcp://host:port) nor one of "
            f"{', '.join(BATCH_SYSTEMS)}"
        )
