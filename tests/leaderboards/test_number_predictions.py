"""Submissions whose predictions are numbers: what is written can be read, and nothing else can."""

import hashlib
import io
import json

import numpy as np
import pytest

from hepgym.leaderboards.bootstrap import Estimate
from hepgym.leaderboards.submission import read_submission, write_submission
from hepgym.leaderboards.tasks import task
from hepgym.leaderboards.untrusted import SubmissionError

ARRAYS = {
    "estimate/gauss-4d/200000": np.linspace(0.9, 1.1, 20),
    "points": np.arange(12, dtype=np.float32).reshape(4, 3) / 12,
    "bits": np.array([1, 0, 1], bool),
}


class AnyScore:
    def metrics(self):
        return {"loss": Estimate(1.0, 0.1, 0.9, 1.1, 0.8, 1.2)}


def write(folder, predictions):
    return write_submission(
        folder,
        task("JetGrooming-v0"),
        agent="agent",
        kind="decisions",
        predictions=predictions,
        score=AnyScore(),
        wall_time_s=0.1,
    )


def replaced(folder, arrays, shapes=None):
    """Put other arrays in place, and a manifest that agrees with the file's hash."""
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    archive = buffer.getvalue()
    (folder / "predictions.npz").write_bytes(archive)
    path = folder / "submission.json"
    content = json.loads(path.read_text())
    content["predictions"]["sha256"] = hashlib.sha256(archive).hexdigest()
    content["predictions"]["shapes"].update(shapes or {})
    path.write_text(json.dumps(content))
    return folder


def test_round_trip(tmp_path):
    write(tmp_path / "one", ARRAYS)
    read = read_submission(tmp_path / "one")
    assert read.predictions.keys() == ARRAYS.keys()
    for name, values in ARRAYS.items():
        np.testing.assert_array_equal(read.predictions[name], values)
        assert read.predictions[name].dtype == values.dtype
    assert read.manifest.predictions.shapes == {"estimate/gauss-4d/200000": (20,), "points": (4, 3)}
    assert read.manifest.predictions.sizes == {"bits": 3}


def test_byte_and_memory_order_do_not_matter(tmp_path):
    values = ARRAYS["points"]
    other = np.asfortranarray(values.astype(">f4"))
    one = write(tmp_path / "one", {"points": values})
    two = write(tmp_path / "two", {"points": other})
    assert one.archive == two.archive


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.array([1.0, np.inf]), "hold NaN or an infinity"),
        (np.array([1 + 2j]), "numbers of type float32 or float64"),
        (np.zeros((1, 1, 1, 1, 1)), "field 'predictions.shapes.x' is"),
        (np.float64(1.0), "field 'predictions.shapes.x' is"),
    ],
)
def test_bad_numbers_are_not_written(tmp_path, values, message):
    with pytest.raises(SubmissionError, match=message):
        write(tmp_path / "one", {"x": values})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("array", "shape", "message"),
    [
        (np.array([[np.nan] * 3] * 4), (4, 3), "'points' holds NaN or an infinity"),
        (np.zeros((4, 2)), (4, 3), r"has shape \(4, 2\) and .* says shape \(4, 3\)"),
        (np.zeros((4, 3), int), (4, 3), "'points' has type int64"),
        (np.zeros((4, 3), ">f8"), (4, 3), "'points' has type >f8"),
        (np.zeros((4, 3), order="F"), (4, 3), "float64 in column order"),
        (np.zeros((4, 3)), (10**9, 3), "'predictions.shapes.points.0' is 1000000000"),
        (np.zeros((4, 3)), (4, -3), "'predictions.shapes.points.1' is -3"),
        (np.zeros((4, 3)), (4, 3.0), "'predictions.shapes.points.1' is 3.0"),
    ],
)
def test_refusals(tmp_path, array, shape, message):
    write(tmp_path / "one", {"points": ARRAYS["points"]})
    replaced(tmp_path / "one", {"points": array}, {"points": shape})
    with pytest.raises(SubmissionError, match=message):
        read_submission(tmp_path / "one")


def test_one_name_in_both_lists(tmp_path):
    write(tmp_path / "one", {"points": ARRAYS["points"], "bits": ARRAYS["bits"]})
    path = tmp_path / "one" / "submission.json"
    content = json.loads(path.read_text())
    content["predictions"]["shapes"]["bits"] = [3]
    path.write_text(json.dumps(content))
    with pytest.raises(SubmissionError, match="array 'bits' stands in sizes and in shapes"):
        read_submission(tmp_path / "one")
