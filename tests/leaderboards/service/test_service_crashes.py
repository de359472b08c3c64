"""kill -9 at any moment: no accepted submission is lost, none is scored twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import httpx
import pytest

from hepgym.leaderboards.board import Board
from hepgym.leaderboards.service.service import open_service
from hepgym.leaderboards.service.settings import ServiceSettings
from hepgym.leaderboards.service.storage.database import Database
from hepgym.leaderboards.service.storage.tables import Handed, Indexed, Job

TASK = "JetGrooming-v0"


def hand_in(url, content) -> str | None:
    """Number of an accepted submission; None if the server died before it answered."""
    try:
        answer = httpx.post(f"{url}/api/v1/submissions", content=content, timeout=30)
    except httpx.HTTPError:
        return None
    assert answer.status_code == 202
    return answer.json()["id"]


def check(server, accepted) -> None:
    database = Database(server.settings.database_url)
    with database.read() as session:
        handed = {row.id: row for row in session.query(Handed)}
        assert accepted <= set(handed)
        assert all(row.state == "scored" for row in handed.values())
        jobs = session.query(Job).filter(Job.kind == "score").all()
        assert sorted(job.subject for job in jobs) == sorted(handed)
        assert all(job.state == "done" for job in jobs)
        indexed = {row.id for row in session.query(Indexed).filter(Indexed.task == TASK)}
    database.close()
    on_board = [one.id for one in Board(TASK, server.settings.boards, shipped=None).entries()]
    assert sorted(on_board) == sorted(row.entry for row in handed.values())
    assert set(on_board) == indexed
    # Nothing is left behind.
    assert not list(server.settings.uploads.iterdir())


def crash_and_check(server, archives, settled, random):
    """Hand in, kill workers and server at random moments, start again, and count."""
    accepted = set()
    for number, content in enumerate(archives):
        accepted.add(hand_in(server.url, content))
        time.sleep(random.uniform(0.0, 1.0))
        if number % 2:
            for pid in server.worker_pids():
                os.kill(pid, signal.SIGKILL)
        else:
            server.kill()
            server.start()
    accepted.discard(None)
    assert accepted
    for submission in accepted:
        assert settled(server.url, submission, 240)["state"] == "scored"
    assert server.stop() == 0
    assert server.workers_left() == []
    check(server, accepted)


def test_a_worker_that_starts_after_its_server_has_died_ends(tmp_path):
    """Its parent is another process then, which will not die."""
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    settings = ServiceSettings(folder=tmp_path / "service")
    open_service(settings).database.close()
    worker = subprocess.run(
        [sys.executable, "-m", "hepgym.leaderboards.service.workers", "late", str(gone.pid)],
        input=settings.model_dump_json(),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert worker.returncode == 0
    assert '"event": "worker stopped"' in worker.stderr


def test_kill_the_server_and_the_workers(start_server, archive, settled, random):
    server = start_server(shipped=False, draw=False, rerun=False, lease_s=3.0)
    crash_and_check(server, [archive(seed) for seed in range(2)], settled, random)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 3])
def test_kill_many_times(start_server, archive, settled, random, workers, database_url):
    """Slow: many kills, on both databases."""
    server = start_server(
        workers, shipped=False, draw=False, rerun=False, lease_s=3.0, database=database_url
    )
    crash_and_check(server, [archive(seed) for seed in range(12)], settled, random)


@pytest.mark.slow
def test_a_job_that_is_running_is_finished_before_the_server_stops(start_server, archive, settled):
    server = start_server(shipped=False, draw=False, rerun=False)
    submission = hand_in(server.url, archive(50))
    database = Database(server.settings.database_url)
    end = time.monotonic() + 60
    state = "queued"
    while state == "queued" and time.monotonic() < end:
        with database.read() as session:
            state = session.query(Job).one().state
        time.sleep(0.01)
    assert server.stop() == 0
    with database.read() as session:
        job = session.query(Job).one()
        # Finished, or, on a very slow machine, put back as if it had never been begun.
        assert (job.state, job.attempts) in {("done", 1), ("queued", 0)}
        assert session.get(Handed, submission).state in {"scored", "queued"}
    database.close()
    for word in ("serving", "worker stopped", "stopped"):
        assert f'"event": "{word}"' in server.log.read_text()
