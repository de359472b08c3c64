"""Reading an archive that may come from anybody.

Nothing is written under a name that the archive gives: a member is compared with the short list
of allowed files and then written under that name. Sizes are counted while bytes come out, never
taken from a header. What is wrong ends as one `SubmissionError`.
"""

from __future__ import annotations

import hashlib
import re
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ...manifest import Manifest
from ...submission import Submission, read_submission
from ...untrusted import SubmissionError
from .attachments import check_attachment
from .contents import ALLOWED, ATTACHMENTS_FOLDER, MAX_ENTRIES, REQUIRED, SUBMISSION_FOLDER

_CHUNK = 1 << 16
_PLAIN = "plain.tar"
_MAX_DIRECTORY_BYTES = 65_536
_TOP_FOLDER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True)
class Unpacked:
    """A submission that came as an archive and is well-formed.

    Attributes
    ----------
    submission
        The submission, its claims unchecked.
    content_sha256
        Hash of names and content of all files, whatever they were packed with.
    attachments
        Names of the files that came with it.
    size
        Bytes of all files.
    """

    submission: Submission
    content_sha256: str
    attachments: tuple[str, ...]
    size: int


def unpack_archive(archive: Path, target: Path, limit: int) -> Unpacked:
    """Unpack a zip, tar or tar.gz archive and check all that can be checked without the data.

    Parameters
    ----------
    archive
        The archive.
    target
        Folder to fill: ``submission`` with the two files of a submission, ``attachments`` with
        what came with it. It must exist and be empty.
    limit
        Bytes that all files together may have.

    Returns
    -------
    Unpacked

    Raises
    ------
    SubmissionError
        With one sentence, if the archive is damaged, hostile, or no submission.
    """
    try:
        files = _extract(archive, target, limit)
        (target / _PLAIN).unlink(missing_ok=True)
    except SubmissionError:
        raise
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile, tarfile.TarError) as error:
        raise SubmissionError(f"the archive cannot be read ({_one_line(error)})") from None
    except (ValueError, NotImplementedError, RuntimeError, OverflowError) as error:
        # Encrypted members, unknown compression, headers that make no sense.
        raise SubmissionError(f"the archive cannot be read ({_one_line(error)})") from None
    for name in REQUIRED:
        if name not in files:
            raise SubmissionError(f"the archive holds no {name}: pack a submission's folder")
    submission = read_submission(target / SUBMISSION_FOLDER)
    check_names(submission.manifest)
    attachments = tuple(sorted(set(files) - set(REQUIRED)))
    for name in attachments:
        check_attachment(target / ATTACHMENTS_FOLDER / name)
    whole = hashlib.sha256()
    for name in sorted(files):
        whole.update(f"{name} {files[name][0]}\n".encode())
    size = sum(count for _, count in files.values())
    return Unpacked(submission, whole.hexdigest(), attachments, size)


def check_names(manifest: Manifest) -> None:
    """Refuse names that hold markup. Pages escape all text; other readers of a board may not.

    Raises
    ------
    SubmissionError
        Naming the field.
    """
    named = {
        "agent": [manifest.agent],
        "authors": manifest.authors,
        "hyperparameters": [*manifest.hyperparameters],
        "package_versions": [*manifest.package_versions, *manifest.package_versions.values()],
        "hepgym_version": [manifest.hepgym_version],
    }
    for field, names in named.items():
        for name in names:
            if "<" in name or ">" in name:
                raise SubmissionError(
                    f"submission.json: field '{field}' holds {name[:60]!r}: names may not contain "
                    "< or >"
                )


def _extract(archive: Path, target: Path, limit: int) -> dict[str, tuple[str, int]]:
    """Write the members of an archive; return name to hash and size."""
    for folder in (SUBMISSION_FOLDER, ATTACHMENTS_FOLDER):
        (target / folder).mkdir()
    with archive.open("rb") as file:
        start = file.read(4)
    if start[:2] == b"PK":
        members = _zip_members(archive)
    elif start[:2] == b"\x1f\x8b":
        plain = target / _PLAIN
        _gunzip(archive, plain, limit + 512 * 4 * MAX_ENTRIES)
        members = _tar_members(plain)
    else:
        members = _tar_members(archive)
    files: dict[str, tuple[str, int]] = {}
    top: str | None = None
    left = limit
    for path, stream in members:
        folder, name = _placed(path)
        if top not in (None, folder):
            raise SubmissionError(
                "the archive holds files in several folders: pack one submission's folder"
            )
        top = folder
        if name in files:
            raise SubmissionError(f"the archive holds {name} twice")
        place = SUBMISSION_FOLDER if name in REQUIRED else ATTACHMENTS_FOLDER
        digest, size = _copy(stream, target / place / name, name, min(left, ALLOWED[name]))
        files[name] = digest, size
        left -= size
    return files


def _placed(path: str) -> tuple[str, str]:
    """Folder and name of a member, which must be one of the files of a submission."""
    shown = repr(path[:100])
    parts = path.removeprefix("./").split("/")
    if path.startswith("/") or "\\" in path or ".." in parts or (parts and ":" in parts[0]):
        raise SubmissionError(f"the archive holds {shown}, a path that leads out of its folder")
    if len(parts) > 2 or (len(parts) == 2 and not _TOP_FOLDER.fullmatch(parts[0])):
        raise SubmissionError(f"the archive holds {shown}: only one folder with files is allowed")
    if parts[-1] not in ALLOWED:
        raise SubmissionError(
            f"the archive holds the unexpected file {shown}: allowed are {', '.join(ALLOWED)}"
        )
    return (parts[0] if len(parts) == 2 else ""), parts[-1]


def _zip_members(archive: Path) -> Iterator[tuple[str, IO[bytes]]]:
    with archive.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - 65_557))
        tail = file.read()
    end = tail.rfind(b"PK\x05\x06")
    if end < 0 or len(tail) - end < 22:
        raise SubmissionError("the archive is cut short")
    # Looked at before zipfile, which reads the whole directory however many entries it lists.
    if int.from_bytes(tail[end + 12 : end + 16], "little") > _MAX_DIRECTORY_BYTES:
        raise SubmissionError("the archive holds too many entries")
    with zipfile.ZipFile(archive) as opened:
        members = opened.infolist()
        _check_count(len(members))
        for member in members:
            kind = member.external_attr >> 28
            if member.is_dir():
                continue
            if kind not in (0, 0o10):
                raise SubmissionError(
                    f"the archive holds {member.filename[:100]!r}, a link or no regular file"
                )
            with opened.open(member) as stream:
                yield member.filename, stream


def _tar_members(archive: Path) -> Iterator[tuple[str, IO[bytes]]]:
    with tarfile.open(archive, "r:") as opened:
        for number, member in enumerate(opened, start=1):
            _check_count(number)
            if member.isdir():
                continue
            if not member.isreg() or member.issparse():
                raise SubmissionError(
                    f"the archive holds {member.name[:100]!r}, a link or no regular file"
                )
            stream = opened.extractfile(member)
            assert stream is not None
            with stream:
                yield member.name, stream


def _check_count(entries: int) -> None:
    if entries > MAX_ENTRIES:
        raise SubmissionError(f"the archive holds more than {MAX_ENTRIES} entries")


def _gunzip(archive: Path, target: Path, limit: int) -> None:
    """Unpack on disk first: the reader of tar files believes sizes that it finds."""
    unpacker = zlib.decompressobj(wbits=31)
    written = 0
    with archive.open("rb") as source, target.open("xb") as out:
        while chunk := source.read(_CHUNK):
            while chunk:
                plain = unpacker.decompress(chunk, _CHUNK)
                written += len(plain)
                if written > limit:
                    raise SubmissionError(f"the archive unpacks to more than {limit} bytes")
                out.write(plain)
                if unpacker.eof:
                    return
                chunk = unpacker.unconsumed_tail
    raise SubmissionError("the archive is cut short")


def _copy(stream: IO[bytes], target: Path, name: str, limit: int) -> tuple[str, int]:
    digest = hashlib.sha256()
    size = 0
    with target.open("xb") as out:
        while chunk := stream.read(_CHUNK):
            size += len(chunk)
            if size > limit:
                raise SubmissionError(f"{name} unpacks to more than the {limit} bytes allowed")
            digest.update(chunk)
            out.write(chunk)
    return digest.hexdigest(), size


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
