"""What an archive may hold."""

from __future__ import annotations

from ...manifest import MANIFEST_FILE, MAX_MANIFEST_BYTES, MAX_PREDICTIONS_BYTES, PREDICTIONS_FILE

KERAS_MODEL = "model.keras"
ONNX_MODEL = "model.onnx"
TRAINING_LOG = "log.jsonl"

SUBMISSION_FOLDER = "submission"
ATTACHMENTS_FOLDER = "attachments"

MAX_MODEL_BYTES = 50_000_000
MAX_LOG_BYTES = 5_000_000

REQUIRED = {MANIFEST_FILE: MAX_MANIFEST_BYTES, PREDICTIONS_FILE: MAX_PREDICTIONS_BYTES}
"""The files of a submission, and the bytes that each may have."""

ATTACHMENTS = {
    KERAS_MODEL: MAX_MODEL_BYTES,
    ONNX_MODEL: MAX_MODEL_BYTES,
    TRAINING_LOG: MAX_LOG_BYTES,
}
"""What may come with a submission: the model in one of two forms, the log of its training."""

ALLOWED = REQUIRED | ATTACHMENTS

MAX_ENTRIES = 2 * len(ALLOWED)
"""Entries of an archive, folders included."""
