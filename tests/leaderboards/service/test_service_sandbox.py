"""Jobs in processes of their own: limits hold, the network is away, nothing outlives its worker."""

from __future__ import annotations

import errno
import mmap
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from hepgym.leaderboards.service.settings import Limits
from hepgym.leaderboards.service.workers import fence, sandbox
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
        sandbox.run(work, tmp_path / "job", LIMITS, writes=[tmp_path])
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


def test_a_job_has_no_open_file_and_no_secret_of_its_worker(tmp_path, monkeypatch):
    monkeypatch.setenv("HEPGYM_TOKEN", "hepgym_secret")
    monkeypatch.setenv("HEPGYM_DATABASE", "postgresql://user:password@host/name")

    with (tmp_path / "open").open("w") as secret:
        number = secret.fileno()
        assert number > 2

        def work():
            try:
                os.write(number, b"x")
            except OSError as error:
                return {"errno": error.errno, "variables": dict(os.environ)}
            return {"errno": 0, "variables": {}}

        (tmp_path / "job").mkdir()
        found = run(work, tmp_path / "job").value
    assert found["errno"] == errno.EBADF
    assert "secret" not in str(found["variables"])
    assert "password" not in str(found["variables"])
    assert found["variables"]["HOME"] == found["variables"]["TMPDIR"] == str(tmp_path / "job")


def test_temporary_files_are_in_the_own_folder_and_nobody_elses(tmp_path):
    def work():
        with tempfile.NamedTemporaryFile(delete=False) as file:
            return {"file": file.name, "mode": os.stat(file.name).st_mode & 0o077}

    tempfile.gettempdir()
    found = run(work, tmp_path).value
    assert found["file"].startswith(str(tmp_path))
    assert found["mode"] == 0


def test_open_files_are_limited(tmp_path):
    def work():
        try:
            return {"count": len([open(os.devnull) for _ in range(1000)])}
        except OSError as error:
            return {"errno": error.errno}

    assert run(work, tmp_path).value == {"errno": errno.EMFILE}


fenced = pytest.mark.skipif(not fence.version(), reason="the kernel has no Landlock")


@fenced
@pytest.mark.parametrize(
    "forbidden",
    [
        lambda outside: (outside / "file").read_text(),
        lambda outside: (outside / "file").write_text("changed"),
        lambda outside: os.truncate(outside / "file", 0),
        lambda outside: (outside / "new").write_text("new"),
        lambda outside: os.listdir(outside),
        lambda outside: (outside / "file").unlink(),
        lambda outside: os.rename("own", outside / "moved"),
        lambda outside: os.link(outside / "file", "linked"),
        # What a worker copies from the folder of a job must not lead elsewhere, or nowhere.
        lambda outside: os.symlink(outside / "file", "link"),
        lambda outside: os.mkfifo("pipe"),
        lambda outside: Path(f"/proc/{os.getppid()}/environ").read_text(),
        lambda outside: (Path(fence.__file__).parent / "planted.py").write_text(""),
        lambda outside: subprocess.run(["cat", outside / "file"], check=True),
    ],
)
def test_a_job_sees_no_file_of_others(tmp_path, forbidden):
    outside, own = tmp_path / "outside", tmp_path / "job"
    outside.mkdir()
    own.mkdir()
    (outside / "file").write_text("secret")

    def work():
        Path("own").write_text("mine")
        try:
            forbidden(outside)
        except (OSError, subprocess.CalledProcessError) as error:
            return {"refused": type(error).__name__}
        return {"refused": ""}

    assert run(work, own).value["refused"] in ("PermissionError", "OSError", "CalledProcessError")
    assert [one.name for one in outside.iterdir()] == ["file"]
    assert (outside / "file").read_text() == "secret"


@fenced
def test_a_job_reads_its_input_and_writes_where_it_may(tmp_path):
    folders = {name: tmp_path / name for name in ("job", "given", "shared")}
    for folder in folders.values():
        folder.mkdir()
    (folders["given"] / "file").write_text("input")

    def work():
        text = (folders["given"] / "file").read_text()
        (folders["shared"] / "file").write_text(text)
        try:
            (folders["given"] / "file").write_text("changed")
        except PermissionError:
            return {"text": text}
        return {}

    outcome = run(work, folders["job"], reads=[folders["given"]], writes=[folders["shared"]])
    assert outcome.value == {"text": "input"}
    assert (folders["shared"] / "file").read_text() == "input"


@fenced
@pytest.mark.skipif(fence.version() < 6, reason="Linux 6.12 keeps signals in")
def test_a_job_cannot_end_its_worker(tmp_path):
    def work():
        try:
            os.kill(os.getppid(), signal.SIGTERM)
        except PermissionError:
            return {"refused": True}
        return {"refused": False}

    assert run(work, tmp_path).value == {"refused": True}


@fenced
def test_what_numba_has_not_compiled_yet_is_compiled_in_memory(tmp_path):
    """It would fail where it cannot write beside the module."""
    import importlib.util

    source = tmp_path / "module" / "kernel_of_a_test.py"
    source.parent.mkdir()
    source.write_text("import numba\n\n@numba.njit(cache=True)\ndef twice(x):\n    return 2 * x\n")
    spec = importlib.util.spec_from_file_location("kernel_of_a_test", source)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    (tmp_path / "job").mkdir()
    outcome = run(lambda: {"value": module.twice(21)}, tmp_path / "job")
    assert outcome.value == {"value": 42}
    assert not list(source.parent.rglob("*.nbc"))


def test_what_the_worker_holds_is_not_the_jobs(tmp_path):
    """A worker that has loaded TensorFlow holds gigabytes, which a fork has too."""
    size = 5_000_000_000
    held = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    limits = Limits(memory_mb=500)
    for name, mb in (("small", 200), ("large", 800)):
        (tmp_path / name).mkdir()
        outcome = run(lambda mb=mb: {"n": len(bytearray(mb * 10**6))}, tmp_path / name, limits)
        assert outcome.kind == ("done" if name == "small" else "limit"), outcome.reason
    held.close()


def test_without_the_kernels_help_jobs_still_run(tmp_path, monkeypatch):
    monkeypatch.setattr(fence, "version", lambda: 0)
    assert run(lambda: {"value": 1}, tmp_path).value == {"value": 1}


def alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
