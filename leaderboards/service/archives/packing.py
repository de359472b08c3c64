"""Packing a submission's folder for the way to a server."""

from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path

from ...submission import read_submission
from ...untrusted import SubmissionError, read_file
from .contents import ALLOWED, ATTACHMENTS, KERAS_MODEL, ONNX_MODEL, REQUIRED, TRAINING_LOG

_SUFFIXES = {Path(name).suffix: name for name in (KERAS_MODEL, ONNX_MODEL, TRAINING_LOG)}


def pack(folder: Path, attachments: list[Path] | None = None) -> bytes:
    """Pack a submission, after checking that a board could read it.

    Parameters
    ----------
    folder
        Folder of a submission.
    attachments
        Files that go with it: a model (.keras or .onnx), the log of a training (.jsonl).

    Returns
    -------
    bytes
        A tar.gz archive, the same bytes for the same files.

    Raises
    ------
    SubmissionError
        If the submission is malformed, or an attachment of no known kind.
    """
    read_submission(folder)
    files = {name: read_file(folder / name, ALLOWED[name]) for name in REQUIRED}
    for file in attachments or []:
        name = _SUFFIXES.get(file.suffix)
        if name is None:
            raise SubmissionError(
                f"{file} cannot be handed in: attachments end in {', '.join(_SUFFIXES)}"
            )
        if name in files:
            raise SubmissionError(f"{file} is a second {name}: give one")
        files[name] = read_file(file, ATTACHMENTS[name])
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return gzip.compress(plain.getvalue(), compresslevel=6, mtime=0)
