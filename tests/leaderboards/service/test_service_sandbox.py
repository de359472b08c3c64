"""Jobs in processes of their own: limits hold, the network is away, nothing outlives its worker."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from hepgym.leaderboards.service.settings import Limits
from hepgym.leaderboards.service.workers import sandbox
from hepgym.leaderboards.untrusted import SubmissionError

pytestmark = pytest.mark.skipif(
    not sandbox.network_can_be_denied(), reason="the sandbox needs Linux on x86-64 or ARM"
)

LIMITS = Limits(cpu_s=20, wall_s=20.0, memory_mb=2000, file_mb=1)


def run(work, tmp_path, limits=LIMITS, **options):
    return sandbox.run(work, tmp_path, limits, **options)


def test_a_result_comes_back(tmp_path):
    outcome = run(lambda: {"sum": 1 + 2, "folder": os.getcwd()}, tmp_path)
    assert (outcome.kind, outcome.value) == ("done", {"sum": 3, "folder": str(tmp_path)})


def test_a_refusal_is_one_sentence(tmp_path):
    def work():
        raise SubmissionError("it is too long")

    outcome = run(work, tmp_path)
    assert (outcome.kind, outcome.reason) == ("refused", "it is too long")


def test_an_unexpected_error_is_a_crash_with_its_traceback_kept(tmp_path):
    outcome = run(lambda: {"value": 1 / 0}, tmp_path)
    assert outcome.kind == "crashed"
    assert "ZeroDivisionError" in outcome.reason
    assert "Traceback" in (tmp_path / sandbox.OUTPUT_FILE).read_text()


def test_a_dead_process_is_a_crash(tmp_path):
    outcome = run(lambda: os.kill(os.getpid(), signal.SIGKILL), tmp_path)
    assert outcome.kind == "crashed"
    assert "signal 9" in outcome.reason


def test_a_process_that_leaves_without_a_word_is_a_crash(tmp_path):
    assert run(lambda: os._exit(0), tmp_path).kind == "crashed"


def test_cpu_limit(tmp_path):
    def work():
        while True:
            pass

    outcome = run(work, tmp_path, Limits(cpu_s=1, wall_s=30.0))
    assert outcome.kind == "limit"
    assert "CPU" in outcome.reason


def test_wall_limit(tmp_path):
    outcome = run(lambda: time.sleep(60), tmp_path, Limits(wall_s=0.3))
    assert (outcome.kind, outcome.reason) == ("limit", "it ran for more than 0.3 s")


def test_memory_limit(tmp_path):
    outcome = run(lambda: {"n": len(bytearray(3_000_000_000))}, tmp_path)
    assert outcome.kind == "limit"
    assert "memory" in outcome.reason


def test_file_limit(tmp_path):
    def work():
        with open("big", "wb") as file:
            for _ in range(20):
                file.write(bytes(100_000))

    outcome = run(work, tmp_path)
    assert outcome.kind == "limit"
    assert "file" in outcome.reason


def test_no_network(tmp_path):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        address = listener.getsockname()

        def work():
            try:
                socket.create_connection(address, timeout=1.0)
            except PermissionError:
                return {"denied": True}
            return {"denied": False}

        assert run(work, tmp_path).value == {"denied": True}
        (tmp_path / "open").mkdir()
        assert run(work, tmp_path / "open", network=True).value == {"denied": False}


def test_programs_that_a_job_starts_have_no_network_either(tmp_path):
    code = "import socket; socket.socket()"

    def work():
        done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True)
        return {"error": done.stderr.splitlines()[-1]}

    # subprocess itself may need no socket.
    assert "PermissionError" in run(work, tmp_path).value["error"]


def test_what_a_job_starts_ends_with_it(tmp_path):
    def work():
        started = subprocess.Popen(["sleep", "100"])
        return {"pid": started.pid}

    pid = run(work, tmp_path).value["pid"]
    end = time.monotonic() + 5.0
    while alive(pid) and time.monotonic() < end:
        time.sleep(0.05)
    assert not alive(pid)


def test_a_job_can_be_called_off(tmp_path):
    asked = []
    outcome = run(
        lambda: time.sleep(60), tmp_path, keep_going=lambda: asked.append(1) or len(asked) < 5
    )
    assert outcome.kind == "abandoned"


def test_a_job_dies_with_its_worker(tmp_path):
    worker = os.fork()
    if worker == 0:

        def work():
            (tmp_path / "pid").write_text(str(os.getpid()))
            time.sleep(60)

        (tmp_path / "job").mkdir()
        sandbox.run(work, tmp_path / "job", LIMITS)
        os._exit(0)
    end = time.monotonic() + 10.0
    while not (tmp_path / "pid").exists() and time.monotonic() < end:
        time.sleep(0.02)
    time.sleep(0.05)
    pid = int((tmp_path / "pid").read_text())
    os.kill(worker, signal.SIGKILL)
    os.waitpid(worker, 0)
    while alive(pid) and time.monotonic() < end:
        time.sleep(0.02)
    assert not alive(pid)


def test_a_forged_result_is_a_crash(tmp_path):
    def work():
        (tmp_path / sandbox.RESULT_FILE).write_text('{"kind": "king", "value": [], "reason": ""}')
        os._exit(0)

    assert run(work, tmp_path).kind == "crashed"


def alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
