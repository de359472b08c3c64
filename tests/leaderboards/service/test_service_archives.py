"""Archives: what clients pack can be read, and everything hostile is refused in one sentence."""

from __future__ import annotations

import gzip
import importlib.util
import json
import shutil
from pathlib import Path

import httpx
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hepgym.leaderboards.service.archives.packing import pack
from hepgym.leaderboards.service.archives.reading import unpack_archive
from hepgym.leaderboards.untrusted import SubmissionError

_SPEC = importlib.util.spec_from_file_location("hostile", Path(__file__).with_name("hostile.py"))
hostile = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(hostile)
CASES = hostile.cases()
LIMIT = 10_000_000


@pytest.fixture
def good(write) -> dict[str, bytes]:
    folder = write(7)
    return {name: (folder / name).read_bytes() for name in ("submission.json", "predictions.npz")}


@pytest.fixture
def read(tmp_path):
    def read(content: bytes):
        folder = tmp_path / "unpacked"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        archive = tmp_path / "archive"
        archive.write_bytes(content)
        return unpack_archive(archive, folder, LIMIT)

    return read


def test_what_is_packed_can_be_read(write, read):
    folder = write(1)
    (folder.parent / "training.jsonl").write_text('{"step": 1, "loss": 2.5}\n')
    found = read(pack(folder, [folder.parent / "training.jsonl"]))
    assert found.submission.manifest.agent == "cut"
    assert found.attachments == ("log.jsonl",)


def test_packing_is_deterministic(write):
    folder = write(1)
    assert pack(folder) == pack(folder)


def test_the_hash_is_that_of_the_files_not_of_the_archive(good, read):
    kinds = [
        hostile.tar(good),
        gzip.compress(hostile.tar(good)),
        hostile.zipped(good),
        hostile.tar({f"./{name}": content for name, content in good.items()}),
        hostile.zipped({f"submission/{name}": content for name, content in good.items()}),
        hostile.tar(dict(reversed(good.items()))),
    ]
    assert len({read(one).content_sha256 for one in kinds}) == 1
    other = hostile.with_manifest(good, description="another")
    assert read(hostile.tar(other)).content_sha256 != read(kinds[0]).content_sha256


@pytest.mark.parametrize("name", CASES)
def test_a_hostile_archive_is_refused(name, good, read, tmp_path):
    make, sentence = CASES[name]
    with pytest.raises(SubmissionError, match=sentence) as refusal:
        read(make(good))
    assert "\n" not in str(refusal.value)
    assert len(str(refusal.value)) < 1000
    assert not (tmp_path / "evil").exists()
    assert not Path("/tmp/hepgym-was-here").exists()


def test_hostile_archives_are_4xx(server, good):
    sent = {name: make(good) for name, (make, _) in CASES.items()}
    with httpx.Client() as client:
        for name, content in sent.items():
            answer = client.post(f"{server.url}/api/v1/submissions", content=content, timeout=30)
            assert 400 <= answer.status_code < 500, name
            assert isinstance(answer.json()["detail"], str), name


def test_an_attachment_of_an_unknown_kind_cannot_be_packed(write, tmp_path):
    script = tmp_path / "model.pkl"
    script.write_bytes(b"x")
    with pytest.raises(SubmissionError, match=r"attachments end in .keras, .onnx, .jsonl"):
        pack(write(1), [script])


def test_a_model_of_hepgym_is_accepted(write, read):
    from hepgym.agents.jet_grooming.dqn import reference_models

    model = reference_models("JetGrooming-v0")[0] / "model.keras"
    assert read(pack(write(1), [model])).attachments == ("model.keras",)


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_mutated_archives_are_read_or_refused(kind, good, read):
    """Fuzz: nothing but a refusal ever comes out of the readers."""
    # Small predictions, so that most mutations hit headers.
    small = hostile.with_predictions(
        good, _small_npz(), predictions__sizes={"signal": 16, "background": 16}
    )
    start = {"tar": hostile.tar, "zip": hostile.zipped}[kind](small)
    read(start)
    refused = 0
    for content in hostile.mutations(start, seed=1, count=250):
        try:
            read(content)
        except SubmissionError:
            refused += 1
    assert refused > 60


def test_mutated_arrays_are_read_or_refused(good, read):
    for content in hostile.mutations(_small_npz(), seed=2, count=200):
        changed = hostile.with_predictions(
            good, content, predictions__sizes={"signal": 16, "background": 16}
        )
        try:
            read(hostile.tar(changed))
        except SubmissionError:
            continue


@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    field=st.sampled_from(["agent", "seeds", "claimed", "predictions", "task", "created", "extra"]),
    value=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
        max_leaves=5,
    ),
)
def test_any_value_in_the_manifest_is_read_or_refused(field, value, good, read):
    small = hostile.with_predictions(
        good, _small_npz(), predictions__sizes={"signal": 16, "background": 16}
    )
    manifest = {**json.loads(small["submission.json"]), field: value}
    content = {**small, "submission.json": json.dumps(manifest).encode()}
    try:
        found = read(hostile.tar(content))
    except SubmissionError:
        return
    assert field in ("agent", "seeds", "claimed")
    assert found.submission.manifest.model_dump()[field] is not None


def _small_npz() -> bytes:
    import io

    out = io.BytesIO()
    np.savez(out, signal=np.zeros(2, np.uint8), background=np.ones(2, np.uint8))
    return out.getvalue()
