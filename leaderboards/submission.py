"""Submissions: folders of data, never code, whose claims can be recomputed.

A submission is a folder with exactly two files. ``submission.json`` is a ``Manifest``.
``predictions.npz`` is a NumPy archive of predictions: what arrays there are is the task's score
module's to say. Values 0 or 1 are packed eight to a byte by ``numpy.packbits``, other numbers are
float32 or float64. Whoever reads a submission trusts nothing in it: every length and size is
checked before anything is unpacked, and nothing is ever executed or unpickled.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.metadata
import io
import json
import os
import re
import shutil
import sys
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import JsonValue

from ..version import __version__
from .bootstrap import Estimate
from .manifest import (
    MANIFEST_FILE,
    MAX_MANIFEST_BYTES,
    MAX_PREDICTIONS_BYTES,
    PREDICTIONS_FILE,
    Manifest,
)
from .tasks import Score, Task, dataset_hashes, load_test_data, score_module, task
from .untrusted import NUMBER_TYPES, SubmissionError, parse_json, read_file, unpack

CLAIM_TOLERANCE = 1e-6
"""Largest relative difference between a claimed and a recomputed number."""

_ZERO = 1e-9  # GeV or a fraction: numbers below this count as equal, whatever their ratio.
_REPORTED_PACKAGES = (
    "awkward",
    "fastjet",
    "gymnasium",
    "keras",
    "keras-rl2",
    "numba",
    "numpy",
    "pythia8mc",
    "tensorflow",
    "tf-keras",
    "torch",
)


@dataclass(frozen=True)
class Submission:
    """A submission that was read and found well-formed; its claims are not yet checked.

    Attributes
    ----------
    manifest
        Content of ``submission.json``.
    predictions
        Array name to predictions: bool, shape (values,), or finite float32 or float64 numbers.
    archive
        The bytes of ``predictions.npz``.
    """

    manifest: Manifest
    predictions: Mapping[str, NDArray[Any]]
    archive: bytes

    @property
    def id(self) -> str:
        """Readable name and hash of what was submitted, see ``submission_id``."""
        return submission_id(self.manifest)


def submission_id(manifest: Manifest) -> str:
    """Name of a submission on a board: agent and hash of everything that decides its score.

    Task, data, agent, hyperparameters, seeds and predictions count. Times, versions, authors and
    claims do not: the same run handed in twice is one entry.
    """
    content = manifest.model_dump(
        mode="json",
        include={"task", "datasets", "agent", "hyperparameters", "seeds", "predictions"},
    )
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    slug = re.sub(r"[^a-z0-9]+", "-", manifest.agent.lower()).strip("-")[:40] or "agent"
    return f"{slug}-{digest[:12]}"


def write_submission(
    folder: str | os.PathLike[str],
    task: Task,
    *,
    agent: str,
    kind: str,
    predictions: Mapping[str, ArrayLike],
    score: Score,
    wall_time_s: float,
    hyperparameters: Mapping[str, JsonValue] | None = None,
    seeds: Sequence[int] = (),
    authors: Sequence[str] = (),
    description: str = "",
    hashes: Mapping[str, str] | None = None,
    overwrite: bool = False,
) -> Submission:
    """Write a submission folder, all of it or nothing.

    Parameters
    ----------
    folder
        Folder to create. A folder with the same submission (the same ``id``) is replaced.
    task
        The task that was played.
    agent
        Name of the agent, at most 100 characters.
    kind
        Kind of the predictions, for grooming "decisions" or "kept".
    predictions
        Array name to 0/1 integers or bools, shape (values,), or to finite float32 or float64
        numbers of any shape.
    score
        The score to claim, as ``evaluate_predictions`` gives it.
    wall_time_s
        Seconds of playing the test set.
    hyperparameters, seeds, authors, description
        See ``Manifest``.
    hashes
        Role to SHA-256 of the data; the catalogue's if not given.
    overwrite
        Replace another submission in that folder. A folder with any other file is never replaced.

    Returns
    -------
    Submission
        As read back from the folder.

    Raises
    ------
    SubmissionError
        If the content is not a valid submission, or the folder holds something else.
    """
    target = Path(folder).absolute()
    packed, sizes, shapes = _pack(predictions)
    buffer = io.BytesIO()
    # Not compressed: a few hundred kB, and the same bytes with every version of zlib.
    np.savez(buffer, allow_pickle=False, **packed)
    archive = buffer.getvalue()
    hashes = dataset_hashes(task) if hashes is None else hashes
    content = {
        "format": 1,
        "task": task.id,
        "datasets": {
            role: {"id": dataset_id, "split": task.split, "sha256": hashes[role]}
            for role, dataset_id in task.datasets.items()
        },
        "agent": agent,
        "hyperparameters": dict(hyperparameters or {}),
        "seeds": [int(seed) for seed in seeds],
        "package_versions": _package_versions(),
        "hepgym_version": __version__,
        "claimed": {name: dataclasses.asdict(one) for name, one in score.metrics().items()},
        "wall_time_s": float(wall_time_s),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "predictions": {
            "file": PREDICTIONS_FILE,
            "sha256": hashlib.sha256(archive).hexdigest(),
            "kind": kind,
            "sizes": sizes,
            "shapes": shapes,
        },
        "authors": list(authors),
        "description": description,
    }
    try:
        text = json.dumps(content, indent=2, ensure_ascii=False, default=_plain) + "\n"
    except (TypeError, ValueError, RecursionError) as error:
        raise SubmissionError(f"{MANIFEST_FILE}: cannot be written as JSON ({error})") from None
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = target.with_name(f".{target.name}.{uuid.uuid4().hex}.new")
    fresh.mkdir()
    try:
        (fresh / PREDICTIONS_FILE).write_bytes(archive)
        (fresh / MANIFEST_FILE).write_text(text, encoding="utf-8", errors="surrogatepass")
        # Whatever a board would refuse is refused here already.
        submission = read_submission(fresh)
        _put_in_place(fresh, target, submission, overwrite)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return submission


def read_submission(folder: str | os.PathLike[str]) -> Submission:
    """Read a submission folder that may come from anybody.

    Parameters
    ----------
    folder
        The folder.

    Returns
    -------
    Submission

    Raises
    ------
    SubmissionError
        With one sentence, if anything is missing, left over, malformed, too large or altered.
    """
    root = Path(folder)
    if not root.is_dir():
        raise SubmissionError(f"{str(root)!r} is not a folder: a submission is a folder of data")
    with os.scandir(root) as found:
        for item in found:
            if item.name not in (MANIFEST_FILE, PREDICTIONS_FILE):
                raise SubmissionError(
                    f"unexpected file {item.name!r}: a submission holds {MANIFEST_FILE} and "
                    f"{PREDICTIONS_FILE} and nothing else"
                )
    text = read_file(root / MANIFEST_FILE, MAX_MANIFEST_BYTES)
    manifest = parse_json(Manifest, text, MANIFEST_FILE)
    if manifest.created.utcoffset() != timedelta(0):
        raise SubmissionError(f"{MANIFEST_FILE}: field 'created' must be a time in UTC")
    try:
        own = task(manifest.task)
    except ValueError as error:
        raise SubmissionError(f"{MANIFEST_FILE}: field 'task': {error}") from None
    kinds = own.kinds or tuple(score_module(own).PREDICTION_KINDS)
    if manifest.predictions.kind not in kinds:
        raise SubmissionError(
            f"{MANIFEST_FILE}: field 'predictions.kind' is {manifest.predictions.kind!r}, "
            f"known for {manifest.task}: {', '.join(kinds)}"
        )
    archive = read_file(root / PREDICTIONS_FILE, MAX_PREDICTIONS_BYTES)
    return Submission(manifest, unpack(archive, manifest.predictions), archive)


def evaluate_predictions(
    task: Task,
    kind: str,
    predictions: Mapping[str, NDArray[Any]],
    data: Mapping[str, Any] | None = None,
) -> Score:
    """Score predictions, before they are written or after they were read.

    Parameters
    ----------
    task
        The task.
    kind
        Kind of the predictions.
    predictions
        Array name to predictions, as in ``Submission``.
    data
        Role to data; the task's test data if not given.

    Returns
    -------
    Score

    Raises
    ------
    SubmissionError
        If the predictions do not fit the data.
    """
    data = load_test_data(task) if data is None else data
    try:
        return score_module(task).evaluate(kind, predictions, data, **task.parameters)
    except ValueError as error:
        raise SubmissionError(f"{PREDICTIONS_FILE}: {error}") from None


def evaluate(submission: Submission, data: Mapping[str, Any] | None = None) -> Score:
    """Recompute the score of a submission from its predictions; see ``evaluate_predictions``."""
    manifest = submission.manifest
    return evaluate_predictions(
        task(manifest.task), manifest.predictions.kind, submission.predictions, data
    )


def verify(
    submission: Submission,
    data: Mapping[str, Any] | None = None,
    hashes: Mapping[str, str] | None = None,
) -> Score:
    """Recompute the score of a submission and hold its claims against it.

    Parameters
    ----------
    submission
        The submission.
    data
        Role to data; the task's test data if not given.
    hashes
        Role to SHA-256 of that data; the catalogue's if not given.

    Returns
    -------
    Score
        The recomputed score.

    Raises
    ------
    SubmissionError
        If the submission is for other data, or a claim differs by more than 1e-6 of its value.
    """
    manifest = submission.manifest
    own = task(manifest.task)
    hashes = dataset_hashes(own) if hashes is None else hashes
    _check_keys(MANIFEST_FILE, "datasets", manifest.datasets, own.datasets)
    for role, dataset_id in own.datasets.items():
        expected = {"id": dataset_id, "split": own.split, "sha256": hashes[role]}
        for field, value in manifest.datasets[role].model_dump().items():
            if value != expected[field]:
                raise SubmissionError(
                    f"{MANIFEST_FILE}: field 'datasets.{role}.{field}' is {value!r}, but "
                    f"{own.id} is scored on {expected[field]!r}: predict the current data again"
                )
    score = evaluate(submission, data)
    compare(MANIFEST_FILE, manifest.claimed, score.metrics())
    return score


def compare(file: str, claimed: Mapping[str, Estimate], recomputed: Mapping[str, Estimate]) -> None:
    """Refuse claims that the predictions do not bear out.

    Parameters
    ----------
    file
        Name for the message.
    claimed, recomputed
        Metric to numbers.

    Raises
    ------
    SubmissionError
        Naming the first metric that is missing, unknown or different.
    """
    _check_keys(file, "claimed", claimed, recomputed)
    for name, truth in recomputed.items():
        for field, value in dataclasses.asdict(truth).items():
            claim = getattr(claimed[name], field)
            largest = max(abs(claim), abs(value))
            if abs(claim - value) > max(CLAIM_TOLERANCE * largest, _ZERO):
                raise SubmissionError(
                    f"{file}: '{name}.{field}' is claimed to be {claim:.8g}, but the predictions "
                    f"give {value:.8g}"
                )


def _pack(
    predictions: Mapping[str, ArrayLike],
) -> tuple[dict[str, NDArray[Any]], dict[str, int], dict[str, list[int]]]:
    """Arrays as they are stored, sizes of those of bits, and shapes of those of numbers."""
    packed: dict[str, NDArray[Any]] = {}
    sizes: dict[str, int] = {}
    shapes: dict[str, list[int]] = {}
    for name, values in predictions.items():
        array = np.asarray(values)
        if array.dtype.newbyteorder("<") in NUMBER_TYPES:
            if not np.isfinite(array).all():
                raise SubmissionError(f"predictions for {name!r} hold NaN or an infinity")
            little = array.dtype.newbyteorder("<")
            packed[name] = np.ascontiguousarray(array, little)
            shapes[name] = list(array.shape)
            continue
        zero_or_one = array.dtype.kind == "b" or (
            array.dtype.kind in "ui" and not ((array != 0) & (array != 1)).any()
        )
        if array.ndim != 1 or not zero_or_one:
            raise SubmissionError(
                f"predictions for {name!r} must be one row of integers 0 or 1, or of bools, or "
                "numbers of type float32 or float64"
            )
        packed[name] = np.packbits(array.astype(np.bool_))
        sizes[name] = len(array)
    return packed, sizes, shapes


def _put_in_place(fresh: Path, target: Path, submission: Submission, overwrite: bool) -> None:
    """Give a finished folder its name, moving aside only what may be replaced."""
    if not target.exists() and not target.is_symlink():
        fresh.rename(target)
        return
    if target.is_symlink() or not target.is_dir():
        raise SubmissionError(f"{str(target)!r} exists and is not a folder: choose another name")
    files = {item.name for item in target.iterdir()}
    if not files <= {MANIFEST_FILE, PREDICTIONS_FILE}:
        raise SubmissionError(
            f"{str(target)!r} holds files that are no submission: choose another folder"
        )
    if files and not overwrite and _id_of(target) != submission.id:
        raise SubmissionError(
            f"{str(target)!r} holds another submission: choose another folder or allow to "
            "overwrite it"
        )
    old = target.with_name(f".{target.name}.{uuid.uuid4().hex}.old")
    target.rename(old)
    try:
        fresh.rename(target)
    except OSError:
        old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _id_of(folder: Path) -> str | None:
    try:
        return read_submission(folder).id
    except SubmissionError:
        return None


def _check_keys(
    file: str, field: str, given: Mapping[str, Any], expected: Mapping[str, Any]
) -> None:
    for name in expected:
        if name not in given:
            raise SubmissionError(f"{file}: field '{field}.{name}' is missing")
    for name in given:
        if name not in expected:
            raise SubmissionError(f"{file}: field '{field}.{name}' is unknown, remove it")


def _plain(value: object) -> object:
    """Turn NumPy scalars, which searches over hyperparameters produce, into JSON's numbers."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} is no JSON type")


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _package_versions() -> dict[str, str]:
    """Versions of Python and of the installed packages that can change a result."""
    versions = {"python": sys.version.split()[0]}
    for package in _REPORTED_PACKAGES:
        version = _version(package)
        if version is not None:
            versions[package] = version
    return versions
