"""The Dask client: local clusters, and refusals that come quickly and in one sentence."""

from __future__ import annotations

import os
import socket
import sys
import time
import types

import pytest

from hepgym.cluster import client


def enter(*arguments, **keywords):
    with client(*arguments, **keywords):
        pass


@pytest.mark.parametrize("workers", [0, -3])
def test_no_workers(workers):
    with pytest.raises(ValueError, match=rf"^workers = {workers} is less than 1$"):
        enter(workers)


@pytest.mark.parametrize("scheduler", ["pbs", "localhost", ""])
def test_unknown_scheduler(scheduler):
    message = (
        rf"^scheduler '{scheduler}' is neither an address \(tcp://host:port\) nor one of "
        "slurm, htcondor$"
    )
    with pytest.raises(ValueError, match=message):
        enter(2, scheduler)


@pytest.fixture
def silent_port():
    """A port of this machine where nobody listens."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        yield reserved.getsockname()[1]


def test_nobody_at_the_address(silent_port):
    address = f"tcp://127.0.0.1:{silent_port}"
    start = time.monotonic()
    with pytest.raises(ConnectionError, match=f"^no Dask scheduler answers at {address}") as error:
        enter(2, address)
    assert time.monotonic() - start < 3
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("carrier-pigeon://roof:1", "unknown address scheme 'carrier-pigeon'"),
        ("tcp://127.0.0.1", "missing port number in address '127.0.0.1'"),
        ("tcp://127.0.0.1:port", "port"),
    ],
)
def test_impossible_address(address, message):
    with pytest.raises(ValueError, match=message):
        enter(1, address)


@pytest.mark.parametrize("scheduler", ["slurm", "htcondor"])
def test_batch_systems_need_an_extra(scheduler, monkeypatch):
    monkeypatch.setitem(sys.modules, "dask_jobqueue", None)
    message = f"^scheduler '{scheduler}' needs dask-jobqueue: pip install dask-jobqueue$"
    with pytest.raises(ValueError, match=message):
        enter(1, scheduler)


@pytest.mark.parametrize(
    ("scheduler", "kind"), [("slurm", "SLURMCluster"), ("htcondor", "HTCondorCluster")]
)
def test_batch_systems_start_jobs(scheduler, kind, monkeypatch):
    """Jobs are asked for and given back, whatever happens in between."""
    import distributed

    calls = []

    class Jobs:
        def __enter__(self):
            calls.append("start")
            return self

        def __exit__(self, *_):
            calls.append("stop")

        def scale(self, jobs):
            calls.append(jobs)

    class Connection(Jobs):
        def __init__(self, jobs):
            assert isinstance(jobs, Jobs)

    monkeypatch.setitem(sys.modules, "dask_jobqueue", types.SimpleNamespace(**{kind: Jobs}))
    monkeypatch.setattr(distributed, "Client", Connection)
    with pytest.raises(KeyError), client(5, scheduler):
        raise KeyError
    assert calls == ["start", 5, "start", "stop", "stop"]


def test_local_cluster_and_its_address():
    """Worker processes do work, a second client finds them, and all are gone afterwards."""
    with client(2) as dask:
        assert sorted(dask.gather(dask.map(pow, [1, 2, 3], [2, 2, 2]))) == [1, 4, 9]
        pids = dask.run(os.getpid)
        assert len(pids) == 2
        assert os.getpid() not in pids.values()
        assert set(dask.nthreads().values()) == {1}
        with client(1, dask.scheduler.address) as other:
            assert other.submit(sum, [1, 2]).result() == 3
        # closing that client leaves the scheduler to its owner
        assert dask.submit(sum, [3, 4]).result() == 7
    for pid in pids.values():
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
