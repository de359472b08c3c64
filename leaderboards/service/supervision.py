"""The server process with its workers: started together, watched, stopped in order."""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from typing import Any

from .api.application import create_application
from .logs import log_event, log_to_stderr
from .service import Service, open_service
from .settings import ServiceSettings
from .storage import queue

_LOG = logging.getLogger("hepgym.service")

_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_GRACE_S = 20.0
_WORKER_THREADS = dict.fromkeys(
    (
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "MKL_NUM_THREADS",
        "NUMBA_NUM_THREADS",
        "TF_NUM_INTRAOP_THREADS",
        "TF_NUM_INTEROP_THREADS",
    ),
    "1",
)
"""A worker is one process on one core, and has no threads when it forks."""


class WorkerPool:
    """Worker processes that are started again when they die.

    Parameters
    ----------
    service
        What they work for.
    count
        How many.
    """

    def __init__(self, service: Service, count: int) -> None:
        self._service = service
        self._workers: dict[str, subprocess.Popen[str]] = {}
        self._started = 0
        self._stopping = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="workers", daemon=True)
        for _ in range(count):
            self._start()
        self._watcher.start()

    def pids(self) -> list[int]:
        """Process numbers of the workers that are alive."""
        return [worker.pid for worker in [*self._workers.values()]]

    def stop(self) -> None:
        """Let every worker finish its job, or put it back after a while, and wait for them."""
        self._stopping.set()
        self._watcher.join()
        for worker in self._workers.values():
            worker.terminate()
        end = time.monotonic() + _GRACE_S
        for name, worker in self._workers.items():
            try:
                worker.wait(max(0.1, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                worker.kill()
                worker.wait()
                self._release(name)

    def _start(self) -> None:
        self._started += 1
        name = f"{socket.gethostname()[:50]}-{os.getpid()}-{self._started}"
        worker = subprocess.Popen(
            [sys.executable, "-m", "hepgym.leaderboards.service.workers", name, str(os.getpid())],
            stdin=subprocess.PIPE,
            text=True,
            env={**os.environ, **_WORKER_THREADS},
        )
        assert worker.stdin is not None
        with worker.stdin as settings:
            settings.write(self._service.settings.model_dump_json())
        self._workers[name] = worker

    def _watch(self) -> None:
        while not self._stopping.wait(0.2):
            for name, worker in [*self._workers.items()]:
                if worker.poll() is None:
                    continue
                del self._workers[name]
                log_event(_LOG, "worker died", worker=name, status=worker.returncode)
                self._release(name)
                # One that cannot even start must not be started all the time.
                if not self._stopping.wait(0.5):
                    self._start()

    def _release(self, name: str) -> None:
        with self._service.database.write() as session:
            queue.release_worker(session, name)


def serve(settings: ServiceSettings, host: str, port: int, workers: int, ready: Any = None) -> None:
    """Run a server with its workers until it is told to stop.

    SIGTERM and Ctrl-C let requests and jobs end first.

    Parameters
    ----------
    settings
        Of the service.
    host, port
        Where it listens; port 0 takes a free one.
    workers
        Number of worker processes; 0 if they run elsewhere.
    ready
        Called with the URL once requests are answered.

    Raises
    ------
    OSError
        If the port is taken.
    """
    import uvicorn

    log_to_stderr()
    listener = _listen(host, port)
    service = open_service(settings)
    hosts = frozenset({"127.0.0.1", "[::1]", "localhost"} if is_loopback(host) else ())
    application = create_application(service, hosts=hosts)
    config = uvicorn.Config(
        application,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=10,
        h11_max_incomplete_event_size=64_000,
        # Who asks is decided by tokens, never by a header.
        proxy_headers=False,
    )
    server = uvicorn.Server(config)
    # The server would raise the signal again once it has stopped, before the workers are told.
    handlers = {
        number: signal.signal(number, lambda *_: setattr(server, "should_exit", True))
        for number in (signal.SIGTERM, signal.SIGINT)
    }
    server.capture_signals = _no_signals  # type: ignore[method-assign]
    pool = WorkerPool(service, workers)
    url = f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"
    log_event(_LOG, "serving", url=url, workers=workers, database=service.database.backend)
    try:
        if ready:
            ready(url)
        server.run(sockets=[listener])
    finally:
        pool.stop()
        service.database.close()
        listener.close()
        for number, handler in handlers.items():
            signal.signal(number, handler)
        log_event(_LOG, "stopped")


def is_loopback(host: str) -> bool:
    """Whether only this machine can call that address."""
    return host in _LOOPBACK


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise OSError(
            f"cannot listen on {host}:{port} ({error.strerror}): choose another --port"
        ) from None
    # Before the workers start: a request that comes while they do only waits.
    listener.listen(1024)
    return listener


def _no_signals() -> Any:
    import contextlib

    return contextlib.nullcontext()
