"""Reading files that may come from anybody.

Every length and size is checked before anything is unpacked, and nothing is ever executed or
unpickled. Whatever is wrong ends as one `SubmissionError`.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
import stat
import unicodedata
import zipfile
from collections import Counter
from pathlib import Path
from typing import IO, Any, NoReturn, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ValidationError

from .manifest import (
    MANIFEST_FILE,
    MAX_PREDICTIONS_BYTES,
    PREDICTIONS_FILE,
    PredictionsReference,
)

NUMBER_TYPES = (np.dtype("<f4"), np.dtype("<f8"))
"""What predictions that are numbers may be stored as."""

_MAX_DIRECTORY_BYTES = 65_536
_MAX_DEPTH = 20
_BIDI_CONTROLS = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


class SubmissionError(ValueError):
    """A submission is refused; the message is one sentence that names the file and the field."""


def read_file(path: Path, limit: int) -> bytes:
    """Read a regular file of limited size once, so that what is checked is what is used."""
    try:
        mode = path.lstat().st_mode
    except OSError:
        raise SubmissionError(f"{path.name} is missing from the submission's folder") from None
    if not stat.S_ISREG(mode):
        raise SubmissionError(f"{path.name} is a link or no regular file: put the file itself")
    try:
        # The flags keep a file that is swapped for a link or a pipe just now from being followed.
        flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
        with open(os.open(path, flags | getattr(os, "O_BINARY", 0)), "rb") as file:
            content = file.read(limit + 1)
    except OSError as error:
        raise SubmissionError(f"{path.name} cannot be read ({error.strerror})") from None
    if len(content) > limit:
        raise SubmissionError(f"{path.name} is larger than the {limit} bytes allowed")
    return content


_Model = TypeVar("_Model", bound=BaseModel)


def parse_json(model: type[_Model], content: bytes, file: str) -> _Model:
    """Read strict JSON into a model.

    Parameters
    ----------
    model
        A pydantic model.
    content
        UTF-8 text. NaN, infinities, repeated or unknown fields, control characters and deep
        nesting are refused.
    file
        Name for the message.

    Returns
    -------
    BaseModel
        An instance of the model.

    Raises
    ------
    SubmissionError
        With one sentence that names the file and the field.
    """

    def refuse(constant: str) -> NoReturn:
        raise SubmissionError(f"{file}: holds {constant[:20]}, only finite numbers are allowed")

    def finite(text: str) -> float:
        number = float(text)
        return number if np.isfinite(number) else refuse(text)

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        fields = dict(pairs)
        if len(fields) < len(pairs):
            twice, _ = Counter(name for name, _ in pairs).most_common(1)[0]
            raise SubmissionError(f"{file}: field {twice[:100]!r} is given twice")
        return fields

    try:
        parsed = json.loads(
            content.decode(), parse_constant=refuse, parse_float=finite, object_pairs_hook=unique
        )
    except SubmissionError:
        raise
    except (ValueError, RecursionError) as error:
        raise SubmissionError(f"{file}: is not JSON ({error})") from None
    _check_text(parsed, file, ())
    try:
        return model.model_validate_json(content)
    except ValidationError as errors:
        raise SubmissionError(f"{file}: {_sentence(errors)}") from None


def unpack(archive: bytes, reference: PredictionsReference) -> dict[str, NDArray[Any]]:
    """Read predictions from the bytes of an archive that may come from anybody.

    Parameters
    ----------
    archive
        The content of ``predictions.npz``.
    reference
        What the manifest says about it.

    Returns
    -------
    dict
        Array name to predictions: bool, shape (values,), or finite float32 or float64 numbers.

    Raises
    ------
    SubmissionError
        With one sentence, if the archive is not what the manifest says.
    """
    digest = hashlib.sha256(archive).hexdigest()
    if digest != reference.sha256:
        raise SubmissionError(
            f"{PREDICTIONS_FILE}: its SHA-256 is {digest}, but {MANIFEST_FILE} says "
            f"{reference.sha256}: the file was altered or belongs to another submission"
        )
    end = archive[-22:]
    # The end-of-directory record, without comment and zip64 extension, gives the size of the
    # directory, which zipfile would otherwise read whole, however many entries it lists.
    if not end.startswith(b"PK\x05\x06"):
        raise SubmissionError(
            f"{PREDICTIONS_FILE}: is not an archive of arrays as numpy.savez writes it"
        )
    directory = int.from_bytes(end[12:16], "little")
    if directory > _MAX_DIRECTORY_BYTES or archive[-42:-38] == b"PK\x06\x07":
        raise SubmissionError(f"{PREDICTIONS_FILE}: holds too many entries")
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as opened:
            return _unpack_members(opened, reference)
    except SubmissionError:
        raise
    except Exception as error:
        # A hostile file can make the parsers fail in any way; all of them end as a refusal.
        reason = " ".join(str(error).split())[:200]
        raise SubmissionError(f"{PREDICTIONS_FILE}: cannot be read ({reason})") from None


def _unpack_members(
    opened: zipfile.ZipFile, reference: PredictionsReference
) -> dict[str, NDArray[Any]]:
    members = opened.infolist()
    expected = {f"{name}.npy": name for name in (*reference.sizes, *reference.shapes)}
    counts = Counter(member.filename for member in members)
    for name, count in counts.items():
        if name not in expected or count > 1:
            announced = ", ".join([*expected][:10]) + (", ..." if len(expected) > 10 else "")
            raise SubmissionError(
                f"{PREDICTIONS_FILE}: unexpected entry {name[:100]!r}, {MANIFEST_FILE} announces "
                f"one each of {announced}"
            )
    for name in expected:
        if name not in counts:
            raise SubmissionError(f"{PREDICTIONS_FILE}: array {expected[name]!r} is missing")
    unpacked = sum(member.file_size for member in members)
    if unpacked > MAX_PREDICTIONS_BYTES:
        raise SubmissionError(
            f"{PREDICTIONS_FILE}: unpacks to {unpacked} bytes, at most {MAX_PREDICTIONS_BYTES} "
            "are allowed"
        )
    arrays: dict[str, NDArray[Any]] = {}
    for member in members:
        name = expected[member.filename]
        if name in reference.sizes:
            arrays[name] = _unpack_bits(opened, member, name, reference.sizes[name])
        else:
            arrays[name] = _unpack_numbers(opened, member, name, reference.shapes[name])
    return arrays


def _unpack_bits(
    opened: zipfile.ZipFile, member: zipfile.ZipInfo, name: str, size: int
) -> NDArray[np.bool_]:
    where = f"{PREDICTIONS_FILE}: array {name!r}"
    with _open_member(opened, member, where) as stream:
        shape, _, dtype = _array_header(stream, where)
        header_bytes = stream.tell()
        if dtype != np.uint8 or len(shape) != 1:
            raise SubmissionError(
                f"{where} has type {dtype} and shape {shape}: predictions are 0/1 values packed "
                "by numpy.packbits into one row of uint8"
            )
        packed_bytes = -(-size // 8)
        if shape[0] != packed_bytes or member.file_size != header_bytes + packed_bytes:
            raise SubmissionError(
                f"{where} has {shape[0]} bytes, but {size} values, as {MANIFEST_FILE} says, fill "
                f"{packed_bytes}"
            )
        packed = _exactly(stream, packed_bytes, where)
    bits = np.unpackbits(np.frombuffer(packed, np.uint8))
    if bits[size:].any():
        raise SubmissionError(f"{where} has values beyond the {size} that {MANIFEST_FILE} says")
    return bits[:size].astype(np.bool_)


def _unpack_numbers(
    opened: zipfile.ZipFile, member: zipfile.ZipInfo, name: str, expected: tuple[int, ...]
) -> NDArray[np.floating[Any]]:
    where = f"{PREDICTIONS_FILE}: array {name!r}"
    with _open_member(opened, member, where) as stream:
        shape, by_columns, dtype = _array_header(stream, where)
        header_bytes = stream.tell()
        if dtype not in NUMBER_TYPES or by_columns:
            raise SubmissionError(
                f"{where} has type {dtype}{' in column order' if by_columns else ''}: numbers are "
                "float32 or float64, little-endian, in row order"
            )
        content_bytes = math.prod(shape) * dtype.itemsize
        if shape != expected or member.file_size != header_bytes + content_bytes:
            raise SubmissionError(
                f"{where} has shape {shape} and {member.file_size} bytes, but {MANIFEST_FILE} "
                f"says shape {expected}"
            )
        content = _exactly(stream, content_bytes, where)
    numbers = np.frombuffer(content, dtype).reshape(shape)
    if not np.isfinite(numbers).all():
        raise SubmissionError(f"{where} holds NaN or an infinity: all numbers must be finite")
    return numbers


def _open_member(opened: zipfile.ZipFile, member: zipfile.ZipInfo, where: str) -> IO[bytes]:
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise SubmissionError(f"{where} is compressed by a method that numpy.savez does not use")
    return opened.open(member)


def _array_header(stream: IO[bytes], where: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = np.lib.format.read_magic(stream)
    if version != (1, 0):
        raise SubmissionError(f"{where} has an unknown header version {version}")
    shape, by_columns, dtype = np.lib.format.read_array_header_1_0(stream)
    if dtype.hasobject:
        raise SubmissionError(f"{where} holds pickled objects, which are never loaded")
    return shape, by_columns and len(shape) > 1, dtype


def _exactly(stream: IO[bytes], size: int, where: str) -> bytes:
    content = stream.read(size)
    if len(content) != size or stream.read(1):
        raise SubmissionError(f"{where} is cut short")
    return content


def _check_text(value: Any, file: str, path: tuple[str, ...]) -> None:
    """Refuse deep nesting, and characters that could forge what a terminal or a page shows."""
    if len(path) > _MAX_DEPTH:
        raise SubmissionError(f"{file}: field '{path[0][:100]}' is nested too deeply")
    if isinstance(value, dict):
        for name, inner in value.items():
            _check_text(name, file, path)
            _check_text(inner, file, (*path, name))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            _check_text(inner, file, (*path, str(number)))
    elif isinstance(value, str):
        for character in value:
            control = unicodedata.category(character) in ("Cc", "Cs")
            if character in _BIDI_CONTROLS or (control and character not in "\n\t"):
                where = ".".join(path)[:200] or "its outermost level"
                raise SubmissionError(
                    f"{file}: text in {where!r} holds the control character "
                    f"U+{ord(character):04X}, remove it"
                )


def _sentence(errors: ValidationError) -> str:
    first = errors.errors(include_url=False)[0]
    place = [str(part) for part in first["loc"] if part != "[key]"]
    field = ".".join(place)[:200]
    if not place:
        return "must be a JSON object"
    if first["type"] == "missing":
        return f"field '{field}' is missing"
    if first["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        return f"field {field!r} is unknown, remove it"
    given = repr(first["input"])
    given = given if len(given) <= 60 else given[:60] + "..."
    return f"field {field!r} is {given}: {first['msg'][:1].lower()}{first['msg'][1:]}"
