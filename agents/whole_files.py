"""Files that are never seen in part."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole_file(file: Path) -> Iterator[Path]:
    """Give a path to write to; what was written there replaces the file in the end.

    Parameters
    ----------
    file
        The file. It stays as it was if the block fails.

    Yields
    ------
    pathlib.Path
        A path in the same folder, which no other process has.
    """
    part = file.with_name(f".{file.name}.{secrets.token_hex(4)}.part")
    try:
        yield part
        os.replace(part, file)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def write_whole(file: Path, text: str) -> None:
    """Write text, as UTF-8, into a file that is never seen in part."""
    with whole_file(file) as part:
        part.write_text(text, encoding="utf-8")
