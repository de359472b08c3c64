"""Servers, submissions and databases for the tests of the service; all traffic on 127.0.0.1."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import numpy as np
import psutil
import pytest

from hepgym.leaderboards.service.api.application import create_application
from hepgym.leaderboards.service.archives.packing import pack
from hepgym.leaderboards.service.settings import ServiceSettings
from hepgym.leaderboards.service.storage.database import Database
from hepgym.leaderboards.submission import evaluate_predictions, write_submission
from hepgym.leaderboards.tasks import load_test_data, task

TASK = task("JetGrooming-v0")
RUNNER = "hepgym.agents.rerun"

_SERVE = """
import sys
from hepgym.leaderboards.service import commands
from hepgym.leaderboards.service.settings import ServiceSettings
settings = ServiceSettings.model_validate_json(sys.stdin.read())
commands.serve(settings, port=int(sys.argv[1]), workers=int(sys.argv[2]))
"""


class Server:
    """A server with its workers, as processes of their own."""

    def __init__(self, settings: ServiceSettings, workers: int = 1, port: int = 0) -> None:
        self.settings = settings
        self.workers = workers
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = settings.folder.with_name(settings.folder.name + ".log")
        self._process: subprocess.Popen[str] | None = None
        self._pids: list[int] = []

    def start(self) -> Server:
        with self.log.open("a") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _SERVE, str(self.port), str(self.workers)],
                stdin=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self._pids.append(self._process.pid)
        assert self._process.stdin is not None
        with self._process.stdin as given:
            given.write(self.settings.model_dump_json())
        for _ in range(600):
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(f"{self.url}/health").status_code == 200:
                    return self
            assert self._process.poll() is None, self.log.read_text()
            time.sleep(0.1)
        raise AssertionError(self.log.read_text())

    def kill(self, number: int = signal.SIGKILL) -> int:
        assert self._process is not None
        self._process.send_signal(number)
        return self._process.wait(60)

    def stop(self) -> int:
        if self._process is None or self._process.poll() is not None:
            return 0
        return self.kill(signal.SIGTERM)

    def worker_pids(self) -> list[int]:
        assert self._process is not None
        return [child.pid for child in psutil.Process(self._process.pid).children()]

    def workers_left(self, seconds: float = 60.0) -> list[int]:
        """Workers of any server started here that do not end in time."""
        marks = [f"-{pid}-" for pid in self._pids]
        left: list[int] = []
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            left = []
            for process in psutil.process_iter(["cmdline"]):
                words = " ".join(process.info["cmdline"] or ())
                if "service.workers" in words and any(mark in words for mark in marks):
                    left.append(process.pid)
            if not left:
                break
            time.sleep(0.2)
        return left

    def __enter__(self) -> Server:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


class Web:
    """Asks an application without a server: for what is decided within one request."""

    def __init__(self, application) -> None:
        self._transport = httpx.ASGITransport(application)

    def get(self, path: str, **more) -> httpx.Response:
        async def ask() -> httpx.Response:
            async with httpx.AsyncClient(
                transport=self._transport, base_url="http://127.0.0.1"
            ) as client:
                return await client.get(path, **more)

        return asyncio.run(ask())


@pytest.fixture(scope="session")
def asked() -> Callable[..., Web]:
    """Function that makes a service answer without a server."""
    return lambda service: Web(create_application(service))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def settle(url: str, submission: str, seconds: float = 120.0) -> dict:
    """Wait until a submission is not queued any more."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        state = httpx.get(f"{url}/api/v1/submissions/{submission}").json()
        if state["state"] != "queued":
            return state
        time.sleep(0.1)
    raise AssertionError(f"{submission} is still queued")


@pytest.fixture(scope="session")
def settled() -> Callable[..., dict]:
    """Function that waits for a submission's score."""
    return settle


@pytest.fixture
def start_server(tmp_path) -> Iterator[Callable[..., Server]]:
    """Function that starts a server of its own; all are stopped at the end."""
    started: list[Server] = []

    def start(workers: int = 1, **changes) -> Server:
        content = {"folder": tmp_path / "service", "anonymous": "submitter", "poll_s": 0.05}
        server = Server(ServiceSettings(**{**content, **changes}), workers)
        started.append(server.start())
        return server

    yield start
    for server in started:
        server.stop()


@pytest.fixture(scope="session")
def played():
    """Predictions for the real test set and their score, computed once."""
    data = load_test_data(TASK)
    predictions = {role: trees.states[:, 0] < np.log(0.08) for role, trees in data.items()}
    return predictions, evaluate_predictions(TASK, "decisions", predictions, data)


@pytest.fixture
def write(tmp_path, played) -> Callable[..., Path]:
    """Write a submission that differs from others by its seed."""

    def write(seed: int = 0, **changes) -> Path:
        predictions, score = played
        content = {
            "agent": "cut",
            "kind": "decisions",
            "predictions": predictions,
            "score": score,
            "wall_time_s": 0.1,
            "seeds": [seed],
            "description": f"Cut on z, seed {seed}",
            "authors": ["A. Tester"],
        }
        folder = tmp_path / f"handed-in-{seed}" / "submission"
        write_submission(folder, TASK, **{**content, **changes})
        return folder

    return write


@pytest.fixture
def archive(write) -> Callable[..., bytes]:
    """The same as an archive."""
    return lambda seed=0, **changes: pack(write(seed, **changes))


@pytest.fixture(scope="session")
def server(tmp_path_factory) -> Iterator[Server]:
    """The server that most tests share; anybody on this machine may submit."""
    settings = ServiceSettings(
        folder=tmp_path_factory.mktemp("service") / "data",
        anonymous="submitter",
        runner=RUNNER,
        # Tests of drawing and of models ask for them.
        draw=False,
        rerun=False,
        poll_s=0.05,
        upload_bytes=10_000_000,
    )
    with Server(settings) as running:
        yield running
    assert '"level": "error"' not in running.log.read_text()


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """URL of a PostgreSQL server of this session."""
    binaries = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    on_path = shutil.which("initdb")
    if not binaries and on_path is None:
        pytest.skip("no PostgreSQL server: install the Debian package postgresql")
    pytest.importorskip("psycopg", reason="no driver for PostgreSQL: install hepgym[postgres]")
    # Not below pytest's own folder: whoever starts another pytest closes that to other users.
    folder = Path(tempfile.mkdtemp(prefix="hepgym-postgresql-"))
    bin_folder = binaries[-1] if binaries else Path(on_path).parent
    # PostgreSQL does not run as root.
    user = "nobody" if os.geteuid() == 0 else None
    if user:
        shutil.chown(folder, user)
    run = {"user": user, "check": True, "capture_output": True, "cwd": folder}
    data, port = folder / "data", free_port()
    subprocess.run(
        [bin_folder / "initdb", "-D", data, "-U", "tester", "-A", "trust", "--no-sync"], **run
    )
    options = f"-p {port} -c listen_addresses=127.0.0.1 -k {folder} -c fsync=off"
    subprocess.run(
        [bin_folder / "pg_ctl", "-D", data, "-w", "-l", folder / "log", "-o", options, "start"],
        **{**run, "capture_output": False},
    )
    yield f"postgresql+psycopg://tester@127.0.0.1:{port}"
    subprocess.run([bin_folder / "pg_ctl", "-D", data, "-m", "immediate", "stop"], **run)
    shutil.rmtree(folder)


@pytest.fixture
def postgresql_database(postgresql) -> str:
    """URL of an empty database."""
    import psycopg

    name = f"hepgym_{time.monotonic_ns()}"
    plain = postgresql.replace("+psycopg", "")
    with psycopg.connect(f"{plain}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return f"{postgresql}/{name}"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request, tmp_path) -> str:
    """URL of an empty database, of either kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'service.db'}"
    return request.getfixturevalue("postgresql_database")


@pytest.fixture
def database(database_url) -> Iterator[Database]:
    opened = Database(database_url)
    opened.migrate()
    yield opened
    opened.close()
