"""Writing files and folders so that they are there whole or not at all."""

from __future__ import annotations

import os
import shutil
import uuid
from pathlib import Path


def write_whole(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, whoever else writes it at the same time.

    Parameters
    ----------
    path
        The file; its folder is made if needed.
    content
        All of it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{uuid.uuid4().hex}.new")
    try:
        with fresh.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
        sync_folder(path.parent)
    finally:
        fresh.unlink(missing_ok=True)


def copy_whole(source: Path, target: Path) -> None:
    """Copy a regular file whole or not at all."""
    write_whole(target, source.read_bytes())


def put_folder(fresh: Path, target: Path) -> bool:
    """Give a finished folder its name, unless that is taken; return whether it was free."""
    target.parent.mkdir(parents=True, exist_ok=True)
    for folder, _, files in os.walk(fresh):
        for name in files:
            with (Path(folder) / name).open("rb") as opened:
                os.fsync(opened.fileno())
        sync_folder(Path(folder))
    try:
        fresh.rename(target)
    except OSError:
        if not target.is_dir():
            raise
        shutil.rmtree(fresh, ignore_errors=True)
        return False
    sync_folder(target.parent)
    return True


def sync_folder(folder: Path) -> None:
    """Make sure that the names in a folder survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
