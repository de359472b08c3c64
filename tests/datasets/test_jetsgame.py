"""The public JetsGame text files are read as their own reader reads them, or refused."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pytest

from hepgym.datasets.errors import DatasetError
from hepgym.datasets.jets import clustering, jet_files, jetsgame
from hepgym.datasets.jets.trees import ClusteringTrees


def momentum(values) -> dict[str, float]:
    return dict(zip(("px", "py", "pz", "E"), map(float, values), strict=True))


def toy_jets(jets: int = 25, seed: int = 9) -> list[np.ndarray]:
    """Constituents of jets, float32, in no particular order."""
    random = np.random.default_rng(seed)
    out = []
    for _ in range(jets):
        n = int(random.integers(2, 20))
        p = random.normal([300, 100, 50], 40, (n, 3))
        energy = np.sqrt((p**2).sum(axis=1) + 0.02)
        out.append(np.column_stack([p, energy]).astype(np.float32))
    return out


def line(jet: np.ndarray) -> str:
    """One line of the public layout: the jet, then its constituents."""
    return json.dumps([momentum(jet.sum(axis=0)), *map(momentum, jet)])


def store(path, lines):
    with gzip.open(path, "wt") as file:
        file.writelines(text + "\n" for text in lines)
    return path


@pytest.fixture(scope="module")
def jets() -> list[np.ndarray]:
    return toy_jets()


@pytest.fixture
def path(tmp_path, jets):
    lines = [json.dumps("a header"), *map(line, jets)]
    lines.insert(7, json.dumps("another"))
    return store(tmp_path / "WW_500GeV.json.gz", lines)


def clustered(jets) -> ClusteringTrees:
    offsets = np.concatenate([[0], np.cumsum([len(jet) for jet in jets])])
    return clustering.cluster(offsets, np.concatenate(jets).astype(np.float64))


def test_read(path, jets, monkeypatch):
    monkeypatch.setattr(jetsgame, "CHUNK_JETS", 10)
    calls = []
    chunks = list(jetsgame.read(path, progress=lambda *call: calls.append(call)))
    assert [len(chunk.counts) for chunk in chunks] == [10, 10, 5]
    expected = clustered(jets)
    constituents = np.concatenate([chunk.constituents for chunk in chunks])
    np.testing.assert_array_equal(constituents, expected.constituents.astype(np.float32))
    softer_size = np.concatenate([chunk.softer_size for chunk in chunks])
    np.testing.assert_array_equal(softer_size, expected.softer_size)
    assert np.concatenate([chunk.event for chunk in chunks]).tolist() == list(range(25))
    assert {int(chunk.rank[0]) for chunk in chunks} == {-1}
    assert calls[-1] == (25, 25)


def test_limit(path):
    calls = []
    chunks = list(jetsgame.read(path, limit=3, progress=lambda *call: calls.append(call)))
    assert [len(chunk.counts) for chunk in chunks] == [3]
    assert calls == [(3, 3)]
    with pytest.raises(DatasetError, match="limit = 0"):
        next(jetsgame.read(path, limit=0))


@pytest.mark.parametrize("container", ["ttree", "rntuple"])
def test_convert(path, jets, container):
    output = path.with_name("WW.root")
    written = jetsgame.convert(path, output, metadata={"by": "test"}, container=container)
    assert written.jets == len(jets)
    found, expected = jet_files.read(output), clustered(jets)
    for name in ("offsets", "constituents", "softer_size"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    assert written.sha256 == jet_files.content_hash(expected)
    metadata = jet_files.read_metadata(output)
    assert metadata["source"] == "WW_500GeV.json.gz"
    assert metadata["by"] == "test"
    assert (jet_files.read_origin(output)["pythia_seed"] == -1).all()


def refused(path, message):
    """Both reading and converting fail with one sentence, and no file is left."""
    output = path.with_name("out.root")
    for attempt in (lambda: list(jetsgame.read(path)), lambda: jetsgame.convert(path, output)):
        with pytest.raises(DatasetError, match=message) as caught:
            attempt()
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)
    assert not output.exists()
    assert not list(path.parent.glob(".*"))


def test_absent_folder_and_empty(tmp_path):
    refused(tmp_path / "absent.json.gz", "does not exist")
    (tmp_path / "folder").mkdir()
    refused(tmp_path / "folder", "is a folder")
    refused(store(tmp_path / "empty.json.gz", [json.dumps("only a header")]), "holds no jets")
    (tmp_path / "zero.json.gz").write_bytes(b"")
    refused(tmp_path / "zero.json.gz", "holds no jets")


def test_not_gzip(tmp_path, jets):
    path = tmp_path / "plain.json"
    path.write_text(line(jets[0]) + "\n")
    refused(path, "not gzip")


def test_git_lfs_pointer(tmp_path):
    path = tmp_path / "WW.json.gz"
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n")
    refused(path, "not gzip")


def test_truncated(path):
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    refused(path, r"after line \d+: the gzip stream is truncated")


def test_damaged(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 40] = bytes(40)
    path.write_bytes(content)
    refused(path, r"line \d+")


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ("{not json", "line 3 is not JSON"),
        ("\ufffd\x00", "line 3 is not JSON"),
        ("12", "line 3 is not a list of px, py, pz, E"),
        ('{"px": 1}', "line 3 is not a list"),
        ('[{"px": 1, "py": 2, "pz": 3}]', "line 3 is not a list"),
        ('[{"px": 1, "py": 2, "pz": 3, "E": "x"}]', "line 3 is not a list"),
        ('[{"px": 1, "py": 2, "pz": 3, "E": [4]}]', "line 3 is not a list"),
        ("[[1, 2, 3, 4], [1, 2, 3, 4]]", "line 3 is not a list"),
        ("[]", "line 3 has no constituents"),
        (json.dumps([momentum([1, 2, 3, 4])]), "line 3 has no constituents"),
        (
            json.dumps([momentum([1, 2, 3, 4]), momentum([1, np.nan, 3, 4])]),
            "line 3, object 1: px, py, pz, E = 1, nan, 3, 4; they must be finite",
        ),
        (
            json.dumps([momentum([1, 2, 3, 4]), momentum([1, 2, 3, -4])]),
            "line 3, object 1: .*E not negative",
        ),
        (
            json.dumps([momentum([1, 0, 0, 1]), momentum([5, 1, 0, 6]), momentum([5, 0, 1, 6])]),
            "line 3: the first object has E = 1 GeV and the others 12 GeV",
        ),
    ],
)
def test_bad_lines(tmp_path, jets, bad, message):
    refused(store(tmp_path / "bad.json.gz", [line(jets[0]), "", bad, line(jets[1])]), message)
