"""Whole samples: independent of workers, resumable after a kill, no jet twice and none missing."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from hepgym.datasets import DatasetError
from hepgym.datasets.jets import generation, jet_files, production, settings
from hepgym.datasets.jets.generation import generate_chunk
from hepgym.datasets.jets.production import Sample, produce
from hepgym.datasets.jets.settings import GeneratorSettings, pythia_seed

# Parton level: no hadrons, so that Pythia is five times as fast.
PARTONS = GeneratorSettings("W", 500.0, level="parton")
CHUNK = 8
SIZE = 3 * CHUNK + 3


def sample(size=SIZE, split="train", seed=0, **changes) -> Sample:
    return Sample("jets/W-500GeV-v1", dataclasses.replace(PARTONS, **changes), split, size, seed)


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    monkeypatch.setattr(settings, "CHUNK_JETS", CHUNK)
    monkeypatch.setattr(generation, "_EVENTS_PER_BATCH", 10)
    # Starting Pythia is what costs time here: each chunk is generated once.
    monkeypatch.setattr(generation, "generate_chunk", generated_once)


generated_once = functools.cache(generate_chunk)


@pytest.fixture
def calls(monkeypatch):
    """Seeds of the chunks that are generated; raises StopError after so many."""

    class Calls(list):
        stop_after = None

    seen = Calls()

    def generate(settings, seed, jets):
        if len(seen) == seen.stop_after:
            raise StopError
        seen.append(seed)
        return generated_once(settings, seed, jets)

    monkeypatch.setattr(generation, "generate_chunk", generate)
    return seen


class StopError(Exception):
    pass


@pytest.fixture(scope="module")
def expected():
    """Content hash of the sample, put together by hand from its chunks."""
    chunks = [
        generated_once(PARTONS, pythia_seed("train", 0, number), jets)
        for number, jets in enumerate([CHUNK, CHUNK, CHUNK, 3])
    ]
    digests = {
        "counts": np.concatenate([c.counts for c in chunks]).astype("<i4"),
        **{
            name: np.concatenate([c.constituents[:, i] for c in chunks]).astype("<f4")
            for i, name in enumerate(("px", "py", "pz", "E"))
        },
        "softer_size": np.concatenate([c.softer_size for c in chunks]).astype("<i2"),
    }
    lines = [f"{k}:{hashlib.sha256(v.tobytes()).hexdigest()}\n" for k, v in digests.items()]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def assert_complete(file, size=SIZE, split="train", seed=0):
    """Every jet is there once, in the order of the seeds, and nothing else is left."""
    origin = jet_files.read_origin(file)
    first = pythia_seed(split, seed, 0)
    np.testing.assert_array_equal(origin["pythia_seed"], first + np.arange(size) // CHUNK)
    places = list(zip(*(origin[name].tolist() for name in jet_files.ORIGIN), strict=True))
    assert places == sorted(set(places))
    assert sorted(file.parent.iterdir()) == [file]


def test_a_sample(tmp_path, expected):
    """Chunks in order, metadata, and progress that never goes back."""
    ready = []
    file = tmp_path / "jets.root"
    written = produce(sample(), file, progress=lambda *numbers: ready.append(numbers))
    assert written.sha256 == expected
    assert (written.path, written.jets) == (file, SIZE)
    assert ready == [(0, SIZE), (8, SIZE), (16, SIZE), (24, SIZE), (27, SIZE)]
    assert_complete(file)
    metadata = jet_files.read_metadata(file)
    assert metadata["dataset"] == "jets/W-500GeV-v1"
    assert (metadata["split"], metadata["seed"], metadata["jets"]) == ("train", 0, SIZE)
    assert metadata["sha256"] == expected
    assert metadata["pythia_seeds"] == [1, 4]
    assert metadata["settings"]["level"] == "parton"
    assert "PhaseSpace:pTHatMin = 400" in metadata["pythia"]
    assert set(metadata["versions"]) == {"pythia8mc", "fastjet"}


def test_fewer_are_a_prefix_of_more(tmp_path):
    many = jet_files.read(produce(sample(), tmp_path / "many.root").path)
    few = jet_files.read(produce(sample(11), tmp_path / "few.root").path)
    assert len(few) == 11
    np.testing.assert_array_equal(few.jet_momenta, many.jet_momenta[:11])


def test_splits_and_seeds_differ(tmp_path):
    hashes = {
        produce(sample(5, split, seed), tmp_path / f"{split}{seed}.root").sha256
        for split, seed in [("train", 0), ("validation", 0), ("test", 0), ("train", 1)]
    }
    assert len(hashes) == 4


def test_the_jets_do_not_depend_on_the_workers(tmp_path, expected):
    """Begun in this process, finished by two others: the same jets, and progress forwards only."""
    file = tmp_path / "jets.root"
    produce_partly(sample(), file, chunks=1)
    ready = []
    written = produce(sample(), file, workers=2, progress=lambda *both: ready.append(both[0]))
    assert written.sha256 == expected
    assert ready == sorted(ready)
    assert (len(ready), ready[0], ready[-1]) == (4, CHUNK, SIZE)
    assert_complete(file)


def produce_partly(of, file, chunks):
    """Leave the output as a run does that stops after some chunks."""
    with pytest.MonkeyPatch.context() as patch:
        done = []

        def generate(*arguments):
            if len(done) == chunks:
                raise StopError
            done.append(arguments)
            return generated_once(*arguments)

        patch.setattr(generation, "generate_chunk", generate)
        with pytest.raises(StopError):
            produce(of, file)
    assert not file.exists()


@pytest.mark.parametrize("chunks", [0, 1, 3])
def test_going_on(tmp_path, calls, expected, chunks):
    """A second run generates only what is missing."""
    file = tmp_path / "jets.root"
    produce_partly(sample(), file, chunks)
    ready = []
    written = produce(sample(), file, progress=lambda *numbers: ready.append(numbers[0]))
    assert calls == [1, 2, 3, 4][chunks:]
    assert ready[0] == chunks * CHUNK
    assert written.sha256 == expected
    assert_complete(file)


def test_all_chunks_there_but_not_the_file(tmp_path, monkeypatch, calls, expected):
    """A kill while the ROOT file is written costs no jet and leaves nothing in the end."""
    file = tmp_path / "jets.root"

    def fail(path, *_, **__):
        path.with_name(f".{path.name}.1234.part").write_bytes(b"root")
        raise StopError

    with monkeypatch.context() as patch:
        patch.setattr(jet_files, "write", fail)
        with pytest.raises(StopError):
            produce(sample(), file)
    assert calls == [1, 2, 3, 4]
    assert produce(sample(), file).sha256 == expected
    assert calls == [1, 2, 3, 4]
    assert_complete(file)


def test_half_a_chunk_is_no_chunk(tmp_path, expected):
    """What a kill leaves of a chunk that was being written is not read."""
    file = tmp_path / "jets.root"
    produce_partly(sample(), file, 1)
    parts = tmp_path / "jets.root.parts"
    whole = (parts / "000000.npz").read_bytes()
    (parts / "000001.tmp.npz").write_bytes(whole[: len(whole) // 2])
    (parts / "sample.json.tmp").write_text("{")
    assert produce(sample(), file).sha256 == expected
    assert_complete(file)


def test_a_chunk_appears_whole_or_not_at_all(tmp_path, monkeypatch, expected):
    """Stopped in the middle of writing a chunk: nothing stands under its name."""
    file = tmp_path / "jets.root"

    def write_half(path, **columns):
        path.write_bytes(b"PK")
        raise StopError

    with monkeypatch.context() as patch:
        patch.setattr(production.np, "savez", write_half)
        with pytest.raises(StopError):
            produce(sample(), file)
    assert not list((tmp_path / "jets.root.parts").glob("00000?.npz"))
    assert produce(sample(), file).sha256 == expected
    assert_complete(file)


def test_a_folder_claimed_by_nobody(tmp_path, calls, expected):
    """A kill before the plan was written, or while the folder of a finished sample was deleted."""
    file = tmp_path / "jets.root"
    parts = tmp_path / "jets.root.parts"
    parts.mkdir()
    assert produce(sample(), file).sha256 == expected
    produce_partly(sample(seed=5), file.with_name("other.root"), 2)
    other = tmp_path / "other.root.parts"
    (other / "sample.json").unlink()
    other.rename(parts)
    file.unlink()
    assert produce(sample(), file).sha256 == expected
    assert_complete(file)


@pytest.mark.parametrize(
    "other",
    [
        sample(split="test"),
        sample(seed=1),
        sample(neutrinos=False),
        sample(level="hadron"),
        sample(SIZE - 1),
        sample(SIZE + 1),
        sample(2 * SIZE),
        Sample("jets/W-500GeV-v2", PARTONS, "train", SIZE),
    ],
    ids=["split", "seed", "switch", "level", "smaller", "larger", "twice", "dataset"],
)
def test_chunks_of_another_sample(tmp_path, other):
    """They are refused and stay as they are; the sample they belong to can go on."""
    file = tmp_path / "jets.root"
    produce_partly(sample(), file, 1)
    parts = tmp_path / "jets.root.parts"
    before = {path: path.read_bytes() for path in parts.iterdir()}
    with pytest.raises(DatasetError, match="holds chunks of another sample") as error:
        produce(other, file)
    assert str(parts) in str(error.value)
    assert {path: path.read_bytes() for path in parts.iterdir()} == before
    assert not file.exists()


def test_chunks_of_another_version(tmp_path, monkeypatch):
    """Another Pythia gives other jets: its chunks are not mixed in."""
    file = tmp_path / "jets.root"
    produce_partly(sample(), file, 1)
    monkeypatch.setattr(production.importlib.metadata, "version", lambda _: "0.0")
    with pytest.raises(DatasetError, match="or of other package versions"):
        produce(sample(), file)


def test_a_finished_file_is_kept_until_the_new_one_is_ready(tmp_path):
    file = tmp_path / "jets.root"
    produce(sample(5), file)
    before = file.read_bytes()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jet_files, "write", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            produce(sample(6), file)
    assert file.read_bytes() == before
    assert produce(sample(6), file).jets == 6
    assert len(jet_files.read(file)) == 6


def test_containers_and_columns(tmp_path):
    import uproot

    hashes = set()
    for nodes, container in [("full", "ttree"), ("topology", "ttree"), ("topology", "rntuple")]:
        file = tmp_path / f"{nodes}-{container}.root"
        hashes.add(produce(sample(5), file, nodes=nodes, container=container).sha256)
        with uproot.open(file) as opened:
            table = opened["jets"]
            assert ("TTree" in type(table).__name__) == (container == "ttree")
            assert ("nodes_ln_kt" in table) == (nodes == "full")
    assert len(hashes) == 1


def test_the_folder_is_made(tmp_path):
    file = tmp_path / "a" / "b" / "jets.root"
    assert produce(sample(2), file).jets == 2
    assert_complete(file, 2)


def test_output_is_a_folder(tmp_path):
    with pytest.raises(DatasetError, match=r"is a folder: name a file to write$"):
        produce(sample(), tmp_path)
    assert not list(tmp_path.iterdir())


def test_output_in_a_file(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DatasetError, match=str(tmp_path)):
        produce(sample(), tmp_path / "file" / "jets.root")


def test_parts_are_a_file(tmp_path):
    (tmp_path / "jets.root.parts").write_text("mine")
    with pytest.raises(DatasetError, match=r"jets\.root\.parts"):
        produce(sample(), tmp_path / "jets.root")
    assert (tmp_path / "jets.root.parts").read_text() == "mine"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("train", 0), "a sample needs at least one jet, not size = 0"),
        (("train", -5), "a sample needs at least one jet, not size = -5"),
        (("dev", 5), "split 'dev' is none of train, validation, test"),
        (("train", 5, -1), "seed -1 is outside 0 to"),
        (("train", 5, 15_000), "seed 15000 is outside 0 to 14999"),
        (("train", CHUNK * 20_000 + 1), "use another seed for more"),
    ],
)
def test_bad_samples(arguments, message):
    with pytest.raises(DatasetError, match=message):
        Sample("jets/W-500GeV-v1", PARTONS, *arguments)


def test_the_largest_sample():
    assert len(Sample("jets/W-500GeV-v1", PARTONS, "train", CHUNK * 20_000).chunks()) == 20_000


def test_bad_workers(tmp_path):
    with pytest.raises(ValueError, match="workers = 0 is less than 1"):
        produce(sample(), tmp_path / "jets.root", workers=0)


# --- killed for real

COMMAND = f"""
import sys
from hepgym.datasets.jets import generation, settings
settings.CHUNK_JETS = {CHUNK}
generation._EVENTS_PER_BATCH = 10
from hepgym.cli import main
sys.argv = ["hepgym", "data", "generate", "jets/W-500GeV", "--level", "parton", *sys.argv[1:]]
main()
"""


def start(file, size=SIZE, **keywords):
    """`hepgym data generate` in a process of its own, with small chunks."""
    arguments = ["--size", str(size), "--output", str(file)]
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", COMMAND, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **keywords,
    )


def wait_for(condition, process):
    end = time.monotonic() + 60
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.002)


def test_killed_again_and_again(tmp_path, expected):
    """kill -9 after each chunk, then run to the end: the same bytes as without a kill."""
    file = tmp_path / "jets.root"
    parts = tmp_path / "jets.root.parts"
    for chunks in (1, 2, 4):
        process = start(file)
        wait_for(lambda n=chunks: len([*parts.glob("00000?.npz")]) >= n, process)
        process.kill()
        process.communicate()
        assert process.returncode == -signal.SIGKILL
        assert not file.exists()
    process = start(file)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert f"{SIZE} jets" in output
    assert expected in output
    assert jet_files.content_hash(jet_files.read(file)) == expected
    assert_complete(file)


def test_interrupted(tmp_path):
    """Ctrl-C: one sentence that says how to go on, and no traceback."""
    file = tmp_path / "jets.root"
    parts = tmp_path / "jets.root.parts"
    process = start(file, 10_000)
    wait_for(lambda: len([*parts.glob("00000?.npz")]) >= 1, process)
    os.kill(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert errors.splitlines()[-1] == (
        "interrupted: what was finished is kept, the same command goes on from there"
    )
    assert "Traceback" not in errors
    assert json.loads((parts / "sample.json").read_text())["seed"] == 0
