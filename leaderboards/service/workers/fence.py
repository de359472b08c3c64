"""Which files a job may see: Landlock, by which a process of Linux gives up rights for good.

Everything is refused that is not allowed here: a job reads Python, this package, the libraries of
the system and its own input, and writes into its own folder. The kernel needs Landlock (Linux 5.13,
and 6.12 to keep signals in too); where it is missing jobs see all that their user sees.
"""

from __future__ import annotations

import ctypes
import functools
import os
import site
import struct
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path

_CREATE, _ADD, _RESTRICT = 444, 445, 446  # the same on all architectures
_ASK_VERSION = 1
_BENEATH = 1

_EXECUTE, _WRITE, _READ, _LIST, _REMOVE_FOLDER, _REMOVE_FILE = (1 << bit for bit in range(6))
_MAKE_FOLDER, _MAKE_FILE = 1 << 7, 1 << 8
_MOVE, _TRUNCATE = 1 << 13, 1 << 14
_OF_FILES = _EXECUTE | _WRITE | _READ | _TRUNCATE

_LOOK = _EXECUTE | _READ | _LIST
# No links, sockets, pipes or devices: the worker reads what a job leaves behind.
_OWN = (
    _READ
    | _LIST
    | _WRITE
    | _REMOVE_FOLDER
    | _REMOVE_FILE
    | _MAKE_FOLDER
    | _MAKE_FILE
    | _MOVE
    | _TRUNCATE
)
_ALL_BITS = {1: 13, 2: 14, 3: 15, 4: 15}
"""Version of Landlock to the number of rights that it knows; later ones know 16."""

_KEEP_SIGNALS_AND_SOCKETS = 0b11
"""Since version 6: no signals and no abstract sockets to the outside."""

_SYSTEM = (
    "/usr",
    "/lib",
    "/lib64",
    "/bin",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/etc/fonts",
    "/etc/nsswitch.conf",
    "/etc/passwd",
    "/etc/group",
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/proc/stat",
    "/proc/filesystems",
    "/proc/sys/vm",
    "/proc/sys/kernel",
    "/sys/devices/system",
    "/sys/fs/cgroup",
    "/dev/urandom",
    "/dev/random",
    "/dev/zero",
    "/dev/full",
)


@functools.cache
def version() -> int:
    """Version of Landlock that the kernel has; 0 for none."""
    if sys.platform != "linux":
        return 0
    found: int = _libc().syscall(_CREATE, None, ctypes.c_size_t(0), ctypes.c_uint(_ASK_VERSION))
    return max(0, found)


def close(reads: Iterable[Path] = (), writes: Iterable[Path] = ()) -> None:
    """Give up all rights on files but those that a job needs; nothing if the kernel cannot.

    Rights that were given up cannot be had again, by the process or by what it starts. It must not
    be able to gain rights either (``PR_SET_NO_NEW_PRIVS``).

    Parameters
    ----------
    reads
        Files and folders that it may read besides Python and the system's libraries.
    writes
        Folders in which it may do as it likes.

    Raises
    ------
    OSError
        If the kernel has Landlock and refuses.
    """
    found = version()
    if not found:
        return
    handled = (1 << _ALL_BITS.get(found, 16)) - 1
    scoped = _KEEP_SIGNALS_AND_SOCKETS if found >= 6 else 0
    attributes = struct.pack("QQQ", handled, 0, scoped)[: 24 if found >= 6 else 8]
    rules = _call(_CREATE, ctypes.c_char_p(attributes), ctypes.c_size_t(len(attributes)), 0)
    try:
        for path in (*_python(), *map(Path, _SYSTEM), *reads):
            _allow(rules, path, _LOOK & handled)
        # Of this process only: the environment of others may hold passwords.
        _allow(rules, Path(f"/proc/{os.getpid()}"), _LOOK & handled)
        _allow(rules, Path("/dev/null"), (_READ | _WRITE) & handled)
        for path in writes:
            _allow(rules, path, _OWN & handled)
        _call(_RESTRICT, rules, 0)
    finally:
        os.close(rules)


def _python() -> list[Path]:
    """Where modules and the interpreter are."""
    package = Path(__file__).resolve().parents[3]
    folders = {sys.prefix, sys.base_prefix, *site.getsitepackages(), str(package)}
    folders |= {path for name, path in sysconfig.get_paths().items() if name != "data"}
    return [Path(one) for one in sorted(folders)]


def _allow(rules: int, path: Path, rights: int) -> None:
    try:
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        # Not every system has every file.
        return
    try:
        if not path.is_dir():
            rights &= _OF_FILES
        rule = struct.pack("=Qi", rights, handle)
        _call(_ADD, rules, _BENEATH, ctypes.c_char_p(rule), 0)
    finally:
        os.close(handle)


def _call(number: int, *arguments: object) -> int:
    plain = [ctypes.c_long(one) if isinstance(one, int) else one for one in arguments]
    found: int = _libc().syscall(ctypes.c_long(number), *plain)
    if found < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"Landlock, call {number}: {os.strerror(code)}")
    return found


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
