"""One job in a process of its own: limited, fenced in, without network, killed with its worker.

Linux does the work: ``setrlimit`` for CPU, memory and files, a seccomp filter that lets no socket
be made, Landlock for the file system (see ``fence``), and a signal that the kernel sends when the
worker dies. The job has no open files of the worker, nothing of its environment that is not named
here, and a folder of its own as home and for temporary files. Elsewhere the limits of POSIX hold,
and jobs that must have no network are refused.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import platform
import resource
import signal
import struct
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NoReturn

from ....datasets.catalogue import data_folder
from ...untrusted import SubmissionError
from ..settings import Limits
from . import fence

RESULT_FILE = "result.json"
OUTPUT_FILE = "output.txt"

_PR_SET_PDEATHSIG = 1
_PR_SET_SECCOMP = 22
_PR_SET_NO_NEW_PRIVS = 38
_SECCOMP_MODE_FILTER = 2
_ALLOW = 0x7FFF0000
_DENY = 0x00050000 | errno.EPERM

# Architecture: its audit number, and the numbers of the calls socket and io_uring_setup.
_CALLS = {"x86_64": (0xC000003E, (41, 425)), "aarch64": (0xC00000B7, (198, 425))}
_X32_BIT = 0x40000000

_KEPT_VARIABLES = frozenset(
    {
        "KERAS_BACKEND",
        "LANG",
        "LC_ALL",
        "LC_CTYPE",
        "LD_LIBRARY_PATH",
        "MKL_NUM_THREADS",
        "MPLBACKEND",
        "NUMBA_CACHE_DIR",
        "NUMBA_NUM_THREADS",
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "PATH",
        "TF_CPP_MIN_LOG_LEVEL",
        "TF_NUM_INTEROP_THREADS",
        "TF_NUM_INTRAOP_THREADS",
        "TZ",
        "VIRTUAL_ENV",
    }
)
"""What a job sees of the worker's environment: no token, no password of a database."""

_OPEN_FILES = 256

Work = Callable[[], dict[str, Any]]


@dataclass(frozen=True)
class Outcome:
    """How a job ended.

    Attributes
    ----------
    kind
        "done"; "refused", because of what was submitted; "limit", because it used too much;
        "failed", for a reason that trying again would not change; "crashed", for one that may lie
        elsewhere; "abandoned", because the worker was told to.
    value
        What the job returned.
    reason
        One sentence, unless it is done.
    seconds
        Wall time.
    """

    kind: Literal["done", "refused", "limit", "failed", "crashed", "abandoned"]
    value: dict[str, Any]
    reason: str
    seconds: float


def network_can_be_denied() -> bool:
    """Whether this machine can keep a process off the network."""
    return sys.platform == "linux" and platform.machine() in _CALLS


def run(
    work: Work,
    folder: Path,
    limits: Limits,
    *,
    reads: Sequence[Path] = (),
    writes: Sequence[Path] = (),
    network: bool = False,
    keep_going: Callable[[], bool] = lambda: True,
    poll_s: float = 0.02,
) -> Outcome:
    """Run a job in a fork of this process and wait for it.

    Parameters
    ----------
    work
        The job. What it returns must be JSON; a `SubmissionError` is a refusal.
    folder
        Empty working folder of the job. Its output goes there.
    limits
        What it may use.
    reads, writes
        Files and folders that it may read, and folders that it may change, besides its own.
    network
        Whether it may use the network.
    keep_going
        Called all the time; when it says no, the job is killed.
    poll_s
        How often to look.

    Returns
    -------
    Outcome
    """
    if not network and not network_can_be_denied():
        return Outcome(
            "failed", {}, "this machine cannot keep a job off the network: run workers on Linux", 0
        )
    start = time.monotonic()
    sys.stdout.flush()
    sys.stderr.flush()
    parent = os.getpid()
    child = os.fork()
    if child == 0:
        _be_the_job(work, folder, limits, (reads, writes), network, parent)
    stopped: Literal["limit", "abandoned"] | None = None
    while True:
        pid, status, usage = os.wait4(child, os.WNOHANG)
        if pid:
            break
        if stopped is None and time.monotonic() - start > limits.wall_s:
            stopped = "limit"
            _kill(child)
        elif stopped is None and not keep_going():
            stopped = "abandoned"
            _kill(child)
        time.sleep(poll_s)
    # Whatever the job has started goes with it.
    _kill(child)
    seconds = time.monotonic() - start
    if stopped == "abandoned":
        return Outcome("abandoned", {}, "the worker was told to stop", seconds)
    if stopped == "limit":
        return Outcome("limit", {}, f"it ran for more than {limits.wall_s:g} s", seconds)
    if os.WIFSIGNALED(status):
        return _killed(os.WTERMSIG(status), usage.ru_utime + usage.ru_stime, limits, seconds)
    return _read_result(folder, seconds)


def _kill(child: int) -> None:
    for kill in (os.killpg, os.kill):
        try:
            kill(child, signal.SIGKILL)
        except OSError:
            continue
        return


def _killed(number: int, cpu_s: float, limits: Limits, seconds: float) -> Outcome:
    if number == signal.SIGXCPU or (number == signal.SIGKILL and cpu_s >= limits.cpu_s):
        return Outcome("limit", {}, f"it used more than {limits.cpu_s} s of CPU time", seconds)
    if number == signal.SIGXFSZ:
        return Outcome("limit", {}, f"it wrote a file of more than {limits.file_mb} MB", seconds)
    return Outcome("crashed", {}, f"its process was ended by signal {number}", seconds)


def _read_result(folder: Path, seconds: float) -> Outcome:
    try:
        result = json.loads((folder / RESULT_FILE).read_bytes())
        kind, value, reason = result["kind"], result["value"], str(result["reason"])
        if kind not in ("done", "refused", "limit", "crashed") or not isinstance(value, dict):
            raise ValueError(kind)
    except (OSError, ValueError, KeyError, TypeError):
        return Outcome("crashed", {}, "its process ended without a result", seconds)
    return Outcome(kind, value, reason, seconds)


_Paths = tuple[Sequence[Path], Sequence[Path]]


def _be_the_job(
    work: Work, folder: Path, limits: Limits, paths: _Paths, network: bool, parent: int
) -> NoReturn:
    """Do the job and leave; never return into the worker's code."""
    try:
        _confine(folder, limits, paths, network, parent)
        try:
            _answer(folder, "done", work())
        except SubmissionError as error:
            _answer(folder, "refused", reason=str(error))
        except MemoryError:
            _answer(folder, "limit", reason=f"it needs more than {limits.memory_mb} MB of memory")
        except OSError as error:
            if error.errno != errno.EFBIG:
                raise
            _answer(folder, "limit", reason=f"it wrote a file of more than {limits.file_mb} MB")
    except BaseException as error:
        traceback.print_exc()
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:500]
        _answer(folder, "crashed", reason=reason)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


def _answer(folder: Path, kind: str, value: dict[str, Any] | None = None, reason: str = "") -> None:
    text = json.dumps({"kind": kind, "value": value or {}, "reason": reason}, allow_nan=False)
    fresh = folder / f"{RESULT_FILE}.new"
    fresh.write_text(text)
    fresh.replace(folder / RESULT_FILE)


def _confine(folder: Path, limits: Limits, paths: _Paths, network: bool, parent: int) -> None:
    os.setsid()
    os.umask(0o077)
    if sys.platform == "linux":
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    output = os.open(folder / OUTPUT_FILE, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for stream in (1, 2):
        os.dup2(output, stream)
    os.closerange(3, max(4096, output + 1))
    sys.stdout = sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
    reads, writes = ([path.absolute() for path in some] for some in paths)
    folder = folder.absolute()
    os.chdir(folder)
    reads += _clean_environment(folder)
    mb = 1_000_000
    # The kernel warns with SIGXCPU at the first limit and kills at the second.
    _limit(resource.RLIMIT_CPU, limits.cpu_s, limits.cpu_s + 2)
    # The kernel counts what a fork has from its parent; the job may have its own part besides.
    _limit(resource.RLIMIT_DATA, _inherited_bytes() + limits.memory_mb * mb)
    _limit(resource.RLIMIT_FSIZE, limits.file_mb * mb)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_NOFILE, _OPEN_FILES)
    os.nice(5)
    if sys.platform == "linux":
        _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    if fence.version():
        _compile_in_memory()
        fence.close(reads, [folder, *writes])
    if not network:
        _deny_network()


def _inherited_bytes() -> int:
    """Private memory of this process, as the kernel counts it for the limit of data."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[5])
    except OSError:
        return 0
    return pages * resource.getpagesize()


def _clean_environment(folder: Path) -> list[Path]:
    """Leave what is needed to run, with the job's own folder as home and for temporary files.

    Returns the folders of caches and data that it may read.
    """
    fonts = os.environ.get("MPLCONFIGDIR") or str(Path("~/.cache/matplotlib").expanduser())
    kept = {name: value for name, value in os.environ.items() if name in _KEPT_VARIABLES}
    kept |= {"HEPGYM_DATA": str(data_folder().absolute()), "MPLCONFIGDIR": fonts}
    os.environ.clear()
    os.environ.update(kept, HOME=str(folder), TMPDIR=str(folder))
    tempfile.tempdir = str(folder)
    shared = ("HEPGYM_DATA", "MPLCONFIGDIR", "NUMBA_CACHE_DIR")
    return [Path(kept[name]) for name in shared if name in kept]


def _compile_in_memory() -> None:
    """Let numba read compiled code from beside the modules without adding to it, or it would fail.

    A job that could write there would decide what the next one runs.
    """
    caching: Any = sys.modules.get("numba.core.caching")
    if caching is None:
        return

    def do_nothing(*_: object) -> None:
        """Write no file."""

    caching.FunctionCache.save_overload = do_nothing
    for locator in caching._CacheLocator.__subclasses__():
        locator.ensure_cache_path = do_nothing


def _limit(what: int, soft: int, hard: int | None = None) -> None:
    _, highest = resource.getrlimit(what)
    hard = soft if hard is None else hard
    if highest != resource.RLIM_INFINITY:
        soft, hard = min(soft, highest), min(hard, highest)
    resource.setrlimit(what, (soft, hard))


class _Filter(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("program", ctypes.c_void_p))


def _deny_network() -> None:
    """Let no socket be made from here on, in this process and all that it starts."""
    architecture, calls = _CALLS[platform.machine()]
    load, jump_equal, jump_greater, leave = 0x20, 0x15, 0x35, 0x06
    # Offsets of the system call's number and of the architecture in what the kernel shows.
    program = [
        (load, 0, 0, 4),
        (jump_equal, 1, 0, architecture),
        (leave, 0, 0, _DENY),
        (load, 0, 0, 0),
        (jump_greater, 0, 1, _X32_BIT),
        (leave, 0, 0, _DENY),
    ]
    for call in calls:
        program += [(jump_equal, 0, 1, call), (leave, 0, 0, _DENY)]
    program.append((leave, 0, 0, _ALLOW))
    packed = b"".join(struct.pack("HBBI", *line) for line in program)
    code = ctypes.create_string_buffer(packed)
    wanted = _Filter(len(program), ctypes.addressof(code))
    _prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(wanted))


def _prctl(option: int, first: Any, second: Any = 0) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    first = ctypes.c_ulong(int(first))
    if isinstance(second, int):
        second = ctypes.c_ulong(second)
    if libc.prctl(option, first, second, ctypes.c_ulong(0), ctypes.c_ulong(0)) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"prctl {option}: {os.strerror(code)}")
