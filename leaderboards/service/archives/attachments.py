"""Checks of files that may come with a submission, before anything opens them for use."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from ...untrusted import SubmissionError, read_file
from .contents import ALLOWED, KERAS_MODEL, MAX_MODEL_BYTES, ONNX_MODEL, TRAINING_LOG

MAX_LOG_LINES = 100_000

_KERAS_FILES = {"metadata.json", "config.json", "model.weights.h5"}
_MAX_CONFIG_BYTES = 2_000_000
_MAX_CONFIG_DEPTH = 60
_MAX_DIRECTORY_BYTES = 4096
_KERAS_MODULES = (
    "keras",
    "keras.activations",
    "keras.constraints",
    "keras.dtype_policies",
    "keras.initializers",
    "keras.layers",
    "keras.losses",
    "keras.metrics",
    "keras.models",
    "keras.optimizers",
    "keras.optimizers.schedules",
    "keras.regularizers",
    "keras.src.models.functional",
    "keras.src.models.sequential",
    "keras.src.ops.nn",
    "keras.src.ops.numpy",
)
_KERAS_VALUES = ("__keras_tensor__", "__numpy__", "__tensor__")
_NOT_DATA = ("Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer", "HashedCrossing")
"""Layers that run what they find in a file, or load other files."""


def check_attachment(file: Path) -> None:
    """Refuse an attachment that is damaged, far too large, or more than data.

    Raises
    ------
    SubmissionError
        With one sentence that names the file.
    """
    content = read_file(file, ALLOWED[file.name])
    check = {KERAS_MODEL: _keras, ONNX_MODEL: _onnx, TRAINING_LOG: training_log}[file.name]
    check(content)


def training_log(content: bytes) -> list[dict[str, Any]]:
    """Read the log of a training: one JSON object a line, of finite numbers and short texts.

    Raises
    ------
    SubmissionError
        If it is anything else.
    """
    try:
        lines = content.decode().splitlines()
    except UnicodeDecodeError:
        raise SubmissionError(f"{TRAINING_LOG}: is not UTF-8 text") from None
    if len(lines) > MAX_LOG_LINES:
        raise SubmissionError(f"{TRAINING_LOG}: has more than {MAX_LOG_LINES} lines")
    rows = []
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            row = None
        if not isinstance(row, dict):
            raise SubmissionError(f"{TRAINING_LOG}: line {number} is not a JSON object")
        for name, value in row.items():
            if isinstance(value, float) and not np.isfinite(value):
                raise SubmissionError(
                    f"{TRAINING_LOG}: line {number} holds {value} in {name[:60]!r}: numbers must "
                    "be finite"
                )
        rows.append(row)
    return rows


def _keras(content: bytes) -> None:
    end = content.rfind(b"PK\x05\x06")
    if not content.startswith(b"PK") or len(content) - end < 22 or end < 0:
        raise SubmissionError(f"{KERAS_MODEL}: is not a model in Keras 3 format")
    if int.from_bytes(content[end + 12 : end + 16], "little") > _MAX_DIRECTORY_BYTES:
        raise SubmissionError(f"{KERAS_MODEL}: holds too many entries")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as opened:
            members = {member.filename: member for member in opened.infolist()}
            if set(members) != _KERAS_FILES or len(members) != len(opened.infolist()):
                raise SubmissionError(
                    f"{KERAS_MODEL}: must hold {', '.join(sorted(_KERAS_FILES))} and nothing else"
                )
            if sum(member.file_size for member in members.values()) > MAX_MODEL_BYTES:
                raise SubmissionError(
                    f"{KERAS_MODEL}: unpacks to more than {MAX_MODEL_BYTES} bytes"
                )
            if members["config.json"].file_size > _MAX_CONFIG_BYTES:
                raise SubmissionError(f"{KERAS_MODEL}: config.json is too large")
            with opened.open("config.json") as stream:
                config = json.loads(stream.read(_MAX_CONFIG_BYTES + 1))
    except SubmissionError:
        raise
    except Exception as error:
        # A hostile file can make the parsers fail in any way; all of them end as a refusal.
        reason = " ".join(str(error).split())[:200]
        raise SubmissionError(f"{KERAS_MODEL}: cannot be read ({reason})") from None
    _check_config(config, 0)


def _check_config(value: Any, depth: int) -> None:
    """Allow layers that Keras brings and that only compute; refuse all else by its name.

    Keras has a safe mode of its own, which is on when the model is loaded; this list does not
    rely on it.
    """
    if depth > _MAX_CONFIG_DEPTH:
        raise SubmissionError(f"{KERAS_MODEL}: config.json is nested too deeply")
    if isinstance(value, dict):
        name = value.get("class_name")
        if name is not None:
            module = value.get("module")
            known = name in _KERAS_VALUES if module is None else module in _KERAS_MODULES
            if not known or name in _NOT_DATA:
                raise SubmissionError(
                    f"{KERAS_MODEL}: layer {str(name)[:60]!r} of {str(module)[:60]!r} is not "
                    "allowed: only layers of Keras that hold no code are"
                )
        for inner in value.values():
            _check_config(inner, depth + 1)
    elif isinstance(value, list):
        for inner in value:
            _check_config(inner, depth + 1)


def _onnx(content: bytes) -> None:
    # The format has no magic number. A model starts with its version, field 1 as a varint, and
    # the runtime, which opens it without network and from memory, so that no other file can be
    # referred to, checks the rest.
    if len(content) < 16 or content[0] != 0x08:
        raise SubmissionError(f"{ONNX_MODEL}: is not an ONNX model")
