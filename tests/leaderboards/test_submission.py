"""Submissions: what is written can be read, and nothing else can."""

import errno
import hashlib
import io
import json
import os
import pickle
import zipfile

import numpy as np
import pytest

from hepgym.datasets.jets.clustering import cluster
from hepgym.leaderboards import submission as submission_module
from hepgym.leaderboards.manifest import MAX_MANIFEST_BYTES, MAX_PREDICTIONS_BYTES
from hepgym.leaderboards.submission import (
    evaluate,
    evaluate_predictions,
    read_submission,
    verify,
    write_submission,
)
from hepgym.leaderboards.tasks import task
from hepgym.leaderboards.untrusted import SubmissionError

TASK = task("JetGrooming-v0")
HASHES = {"signal": "a" * 64, "background": "b" * 64}


def toy_jets(seed, jets, spread):
    """Jets of 1 to 12 particles around one axis."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(1, 13, jets)
    offsets = np.concatenate([[0], np.cumsum(counts)])
    pt = rng.exponential(60, offsets[-1]) + 1.0
    eta, phi = rng.normal(0, spread, (2, offsets[-1]))
    momenta = [pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta), pt * np.cosh(eta)]
    return cluster(offsets, np.stack(momenta, axis=1))


@pytest.fixture(scope="module")
def data():
    return {"signal": toy_jets(1, 50, 0.2), "background": toy_jets(2, 70, 0.3)}


@pytest.fixture(scope="module")
def predictions(data):
    return {role: trees.states[:, 0] < np.log(0.1) for role, trees in data.items()}


@pytest.fixture(scope="module")
def score(data, predictions):
    return evaluate_predictions(TASK, "decisions", predictions, data)


@pytest.fixture
def write(tmp_path, predictions, score):
    def write(name="mine", **changes):
        content = {
            "agent": "Soft Drop",
            "kind": "decisions",
            "predictions": predictions,
            "score": score,
            "wall_time_s": 0.25,
            "hyperparameters": {"z_cut": 0.1, "beta": 0},
            "seeds": [7],
            "hashes": HASHES,
        }
        write_submission(tmp_path / name, TASK, **(content | changes))
        return tmp_path / name

    return write


def edit(folder, change):
    """Change the manifest as a cheat would, or replace its text."""
    path = folder / "submission.json"
    content = json.loads(path.read_text())
    text = change(content)
    path.write_text(text if isinstance(text, str) else json.dumps(content))


def replace_archive(folder, archive, sizes=None):
    """Put another predictions file in place, and a manifest that agrees with it."""
    (folder / "predictions.npz").write_bytes(archive)

    def change(content):
        content["predictions"]["sha256"] = hashlib.sha256(archive).hexdigest()
        content["predictions"]["sizes"].update(sizes or {})

    edit(folder, change)


def archive_of(save=np.savez, **arrays):
    buffer = io.BytesIO()
    save(buffer, **arrays)
    return buffer.getvalue()


def snapshot(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


# Round trip


def test_round_trip(write, data, predictions, score):
    folder = write(authors=["Émilie du Châtelet"], description="two lines\nof text")
    assert sorted(path.name for path in folder.iterdir()) == ["predictions.npz", "submission.json"]
    read = read_submission(folder)
    for role, values in predictions.items():
        np.testing.assert_array_equal(read.predictions[role], values)
    manifest = read.manifest
    assert manifest.agent == "Soft Drop"
    assert manifest.hyperparameters == {"z_cut": 0.1, "beta": 0}
    assert manifest.seeds == (7,)
    assert manifest.authors == ("Émilie du Châtelet",)
    assert manifest.claimed == score.metrics()
    assert manifest.datasets["background"].id == "jets/QCD-500GeV-v1"
    assert manifest.datasets["background"].sha256 == "b" * 64
    assert manifest.package_versions["numpy"] == np.__version__
    assert evaluate(read, data) == score
    assert verify(read, data, HASHES) == score


def test_kept_constituents(write, data):
    kept = {role: trees.constituents[:, 3] > 10.0 for role, trees in data.items()}
    claim = evaluate_predictions(TASK, "kept", kept, data)
    read = read_submission(write(kind="kept", predictions=kept, score=claim))
    assert verify(read, data, HASHES) == claim


def test_compressed_archives_are_read(write, data, predictions):
    folder = write()
    packed = {role: np.packbits(values) for role, values in predictions.items()}
    replace_archive(folder, archive_of(np.savez_compressed, **packed))
    verify(read_submission(folder), data, HASHES)


def test_same_bytes_every_time(write):
    first, second = write("first"), write("second")
    name = "predictions.npz"
    assert (first / name).read_bytes() == (second / name).read_bytes()
    assert read_submission(first).id == read_submission(second).id


def test_numpy_scalars_are_numbers(write):
    folder = write(
        hyperparameters={"layers": np.int64(3), "rate": np.float32(0.5)},
        seeds=np.arange(2),
        wall_time_s=np.float64(1.5),
    )
    manifest = read_submission(folder).manifest
    assert manifest.hyperparameters == {"layers": 3, "rate": 0.5}
    assert manifest.seeds == (0, 1)


def test_id_tells_runs_apart(write, predictions):
    flipped = predictions | {"signal": ~predictions["signal"]}
    folders = [
        write("base"),
        write("agent", agent="Soft  Drop!"),
        write("hyperparameters", hyperparameters={"z_cut": 0.2}),
        write("seeds", seeds=[8]),
        write("predictions", predictions=flipped),
    ]
    ids = {read_submission(folder).id for folder in folders}
    assert len(ids) == len(folders)
    assert all(identity.startswith("soft-drop-") for identity in ids)
    timed = write("timed", wall_time_s=99.0, description="again")
    assert read_submission(timed).id == read_submission(folders[0]).id


# Writing


def test_the_same_submission_replaces_itself(write):
    folder = write(wall_time_s=1.0)
    write(wall_time_s=2.0)
    assert read_submission(folder).manifest.wall_time_s == 2.0
    assert [path.name for path in folder.parent.iterdir()] == ["mine"]


def test_another_submission_is_not_overwritten(write):
    folder = write()
    before = snapshot(folder.parent)
    with pytest.raises(SubmissionError, match="holds another submission"):
        write(agent="Other")
    assert snapshot(folder.parent) == before
    write(agent="Other", overwrite=True)
    assert read_submission(folder).manifest.agent == "Other"


@pytest.mark.parametrize("overwrite", [False, True])
def test_other_files_are_never_replaced(tmp_path, write, overwrite):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("ten years")
    (tmp_path / "file").write_text("a file")
    before = snapshot(tmp_path)
    with pytest.raises(SubmissionError, match="files that are no submission"):
        write("mine", overwrite=overwrite)
    with pytest.raises(SubmissionError, match="is not a folder"):
        write("file", overwrite=overwrite)
    assert snapshot(tmp_path) == before


def test_nothing_is_left_of_a_failed_write(tmp_path, write, monkeypatch):
    write()
    before = snapshot(tmp_path)

    def no_space(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(submission_module.Path, "write_text", no_space)
    with pytest.raises(OSError, match="No space"):
        write(agent="Other", overwrite=True)
    monkeypatch.undo()
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"agent": ""}, "field 'agent' is ''"),
        ({"agent": "x" * 101}, "field 'agent' is .* at most 100"),
        ({"agent": "evil\x1b[31m"}, r"text in 'agent' holds the control character U\+001B"),
        ({"agent": "\ud800"}, "submission.json: is not JSON"),
        ({"kind": "weights"}, "field 'predictions.kind' is 'weights', known .* decisions, kept"),
        ({"wall_time_s": float("nan")}, "holds NaN, only finite"),
        ({"hyperparameters": {"a": float("inf")}}, "holds Infinity, only finite"),
        ({"hyperparameters": {"a": {1, 2}}}, "set is no JSON type"),
        ({"seeds": [-1]}, "field 'seeds.0' is -1"),
        ({"predictions": {"signal": np.array([0.0, np.nan])}}, "'signal' hold NaN or an infinity"),
        ({"predictions": {"signal": np.array(["0"])}}, "'signal' must be .* integers 0 or 1"),
        ({"predictions": {"signal": np.array([0, 1, 2])}}, "'signal' must be .* integers 0 or 1"),
        ({"predictions": {"signal": np.zeros((2, 2), int)}}, "'signal' must be one row"),
    ],
)
def test_bad_content_is_not_written(tmp_path, write, changes, message):
    with pytest.raises(SubmissionError, match=message):
        write(**changes)
    assert list(tmp_path.iterdir()) == []


# Refusals: the manifest


def set_field(*path, value):
    def change(content):
        for name in path[:-1]:
            content = content[name]
        content[path[-1]] = value

    return change


def drop_field(*path):
    def change(content):
        for name in path[:-1]:
            content = content[name]
        del content[path[-1]]

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (set_field("colour", value=1), r"^submission.json: field 'colour' is unknown, remove it$"),
        (drop_field("agent"), r"^submission.json: field 'agent' is missing$"),
        (drop_field("claimed", "loss", "error"), "field 'claimed.loss.error' is missing"),
        (set_field("claimed", "loss", "p", value=1), "field 'claimed.loss.p' is unknown"),
        (set_field("claimed", "loss", "value", value="4"), "field 'claimed.loss.value' is '4'"),
        (set_field("claimed", "loss", "value", value=None), "field 'claimed.loss.value' is None"),
        (set_field("predictions", "more", value=[]), "field 'predictions.more' is unknown"),
        (set_field("format", value=2), "field 'format' is 2"),
        (set_field("task", value="JetGrooming-v1"), "unknown task 'JetGrooming-v1', known tasks"),
        (set_field("task", value="../JetGrooming-v0"), "unknown task"),
        (set_field("wall_time_s", value=-1), "field 'wall_time_s' is -1"),
        (set_field("wall_time_s", value=True), "field 'wall_time_s' is True"),
        (set_field("created", value="yesterday"), "field 'created' is 'yesterday'"),
        (set_field("created", value="2026-01-01T00:00:00"), "field 'created' is .* timezone"),
        (
            set_field("created", value="2026-01-01T00:00:00+02:00"),
            "'created' must be a time in UTC",
        ),
        (set_field("agent", value="a\u202eb"), r"'agent' holds the control character U\+202E"),
        (set_field("predictions", "sha256", value="0" * 63), "field 'predictions.sha256' is"),
        (set_field("predictions", "sizes", "signal", value=10**12), "field 'predictions.sizes.sig"),
        (set_field("predictions", "sizes", "signal", value=-1), "field 'predictions.sizes.signal"),
        (set_field("predictions", "file", value="../other.npz"), "'predictions.file' is '../other"),
        (set_field("predictions", "file", value="/etc/passwd"), "'predictions.file' is '/etc/pass"),
        (lambda _: "[1, 2]", r"^submission.json: must be a JSON object"),
        (lambda _: "not json", r"^submission.json: is not JSON \("),
        (lambda _: "", "is not JSON"),
        (lambda c: json.dumps(c)[:-5], "is not JSON"),
        (lambda c: json.dumps(c | {"wall_time_s": float("nan")}), "holds NaN, only finite"),
        (lambda c: json.dumps(c | {"wall_time_s": -float("inf")}), "holds -Infinity, only finite"),
        (lambda c: json.dumps(c).replace("0.25", "1e999"), "holds 1e999, only finite"),
        (lambda c: json.dumps(c)[:-1] + ', "task": "x"}', "field 'task' is given twice"),
        (lambda c: json.dumps(c | {"hyperparameters": {"a": [[[0]] * 2] * 2}}), None),
        (lambda _: '{"hyperparameters": ' + "[" * 50 + "]" * 50 + "}", "nested too deeply"),
        (lambda _: "[" * 200_000, "is not JSON"),
        (lambda _: "1" * 10_000, "is not JSON"),
    ],
)
def test_manifest(write, change, message):
    folder = write()
    edit(folder, change)
    if message is None:
        read_submission(folder)
        return
    with pytest.raises(SubmissionError, match=message) as refusal:
        read_submission(folder)
    assert "\n" not in str(refusal.value)
    assert len(str(refusal.value)) < 400


def test_nan_claim(write):
    folder = write()
    edit(folder, lambda c: json.dumps(c | {"claimed": {"loss": {"value": float("nan")}}}))
    with pytest.raises(SubmissionError, match="holds NaN"):
        read_submission(folder)


def test_not_utf8(write):
    folder = write()
    (folder / "submission.json").write_bytes(b"\xff\xfe{}")
    with pytest.raises(SubmissionError, match="is not JSON"):
        read_submission(folder)


def test_many_repeated_fields_do_not_take_long(write):
    folder = write()
    fields = [f'"{k}":0' for k in range(80_000)]
    edit(folder, lambda _: "{" + ",".join([*fields, fields[-1]]) + "}")
    with pytest.raises(SubmissionError, match="field '79999' is given twice"):
        read_submission(folder)


# Refusals: the folder


@pytest.mark.parametrize("name", ["submission.json", "predictions.npz"])
def test_missing_file(write, name):
    folder = write()
    (folder / name).unlink()
    with pytest.raises(SubmissionError, match=rf"^{name} is missing"):
        read_submission(folder)


@pytest.mark.parametrize("name", ["submission.json", "predictions.npz"])
def test_links_are_not_followed(tmp_path, write, name):
    folder = write()
    (folder / name).rename(tmp_path / name)
    (folder / name).symlink_to(tmp_path / name)
    with pytest.raises(SubmissionError, match=rf"^{name} is a link"):
        read_submission(folder)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_pipes_do_not_block(write):
    folder = write()
    (folder / "predictions.npz").unlink()
    os.mkfifo(folder / "predictions.npz")
    with pytest.raises(SubmissionError, match="no regular file"):
        read_submission(folder)


def test_unexpected_file(write):
    folder = write()
    (folder / "agent.py").write_text("raise SystemExit('executed')")
    with pytest.raises(SubmissionError, match=r"unexpected file 'agent\.py'"):
        read_submission(folder)


def test_not_a_folder(tmp_path):
    with pytest.raises(SubmissionError, match="is not a folder"):
        read_submission(tmp_path / "nothing")


@pytest.mark.parametrize(
    ("name", "limit"),
    [("submission.json", MAX_MANIFEST_BYTES), ("predictions.npz", MAX_PREDICTIONS_BYTES)],
)
def test_oversized_file(write, name, limit):
    folder = write()
    os.truncate(folder / name, limit + 1)
    with pytest.raises(SubmissionError, match=f"{name} is larger than the {limit} bytes"):
        read_submission(folder)


# Refusals: the predictions


def test_altered_predictions(write):
    folder = write()
    path = folder / "predictions.npz"
    path.write_bytes(path.read_bytes().replace(b"signal", b"Signal"))
    with pytest.raises(SubmissionError, match=r"^predictions.npz: its SHA-256 is .* was altered"):
        read_submission(folder)


def test_other_values_in_the_padding(write, predictions):
    """Eight to a byte leaves bits over, which must not make a second file of the same content."""
    folder = write()
    packed = {role: np.packbits(values) for role, values in predictions.items()}
    role = next(role for role, values in predictions.items() if len(values) % 8)
    packed[role][-1] |= 1
    replace_archive(folder, archive_of(**packed))
    with pytest.raises(SubmissionError, match=f"array '{role}' has values beyond the"):
        read_submission(folder)


def npy(array, **settings):
    buffer = io.BytesIO()
    np.save(buffer, array, **settings)
    return buffer.getvalue()


def header_only(shape, dtype="|u1"):
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        buffer, {"descr": dtype, "fortran_order": False, "shape": shape}
    )
    return buffer.getvalue()


def zip_of(members, **settings):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", **settings) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return buffer.getvalue()


FOUR = npy(np.zeros(4, np.uint8))
PICKLED = npy(np.array([{"a": 1}], dtype=object), allow_pickle=True)


@pytest.mark.parametrize(
    ("archive", "message"),
    [
        (pickle.dumps({"signal": [1]}), "is not an archive of arrays as numpy.savez writes it"),
        (FOUR, "is not an archive of arrays"),
        (b"", "is not an archive of arrays"),
        (zip_of([("signal.npy", FOUR)]), "array 'background' is missing"),
        (
            zip_of([("signal.npy", FOUR), ("background.npy", FOUR), ("x.npy", FOUR)]),
            "unexpected entry 'x.npy'",
        ),
        (
            zip_of([("../signal.npy", FOUR), ("background.npy", FOUR)]),
            "unexpected entry '../signal.npy'",
        ),
        (
            zip_of([("signal.npy", PICKLED), ("background.npy", FOUR)]),
            "'signal' holds pickled objects, which are never loaded",
        ),
        (
            zip_of([("signal.npy", npy(np.full(4, np.nan))), ("background.npy", FOUR)]),
            r"'signal' has type float64 and shape \(4,\)",
        ),
        (
            zip_of([("signal.npy", npy(np.zeros((2, 2), np.uint8))), ("background.npy", FOUR)]),
            r"'signal' has type uint8 and shape \(2, 2\)",
        ),
        (
            zip_of([("signal.npy", npy(np.zeros(5, np.uint8))), ("background.npy", FOUR)]),
            "'signal' has 5 bytes, but 32 values, as submission.json says, fill 4",
        ),
        (
            zip_of([("signal.npy", header_only((10**15,))), ("background.npy", FOUR)]),
            "'signal' has 1000000000000000 bytes",
        ),
        (
            zip_of([("signal.npy", header_only((4,)) + b"\0"), ("background.npy", FOUR)]),
            "'signal' has 4 bytes",
        ),
        (
            zip_of([("signal.npy", b"\x93NUMPY\x09\x00" + FOUR[8:]), ("background.npy", FOUR)]),
            "'signal' has an unknown header version",
        ),
        (zip_of([("signal.npy", b"no array"), ("background.npy", FOUR)]), "cannot be read"),
        (
            zip_of([("signal.npy", FOUR), ("background.npy", FOUR)], compression=zipfile.ZIP_LZMA),
            "'signal' is compressed by a method that numpy.savez does not use",
        ),
        (zip_of([(f"{k}.npy", b"") for k in range(3000)]), "holds too many entries"),
        (
            zip_of(
                [("signal.npy", bytes(MAX_PREDICTIONS_BYTES)), ("background.npy", FOUR)],
                compression=zipfile.ZIP_DEFLATED,
            ),
            f"unpacks to .* bytes, at most {MAX_PREDICTIONS_BYTES}",
        ),
        (
            zip_of([("signal.npy", FOUR), ("background.npy", FOUR)])[:-22] + bytes(22),
            "is not an archive",
        ),
    ],
)
def test_hostile_archive(write, archive, message):
    folder = write()
    replace_archive(folder, archive, {"signal": 32, "background": 32})
    with pytest.raises(SubmissionError, match=rf"^predictions.npz: .*{message}"):
        read_submission(folder)


def test_repeated_entry(write):
    folder = write()
    with pytest.warns(UserWarning, match="Duplicate name"):
        archive = zip_of([("signal.npy", FOUR), ("background.npy", FOUR), ("signal.npy", FOUR)])
    replace_archive(folder, archive, {"signal": 32, "background": 32})
    with pytest.raises(SubmissionError, match=r"unexpected entry 'signal\.npy'"):
        read_submission(folder)


def test_lying_sizes_in_the_directory(write):
    """An entry that says it is small and unpacks to more is cut off by its checksum or length."""
    folder = write()
    content = header_only((4,)) + bytes(50_000_000)
    honest = zip_of(
        [("signal.npy", content), ("background.npy", FOUR)], compression=zipfile.ZIP_DEFLATED
    )
    claimed = (len(FOUR)).to_bytes(4, "little")
    lying = honest.replace(len(content).to_bytes(4, "little"), claimed)
    assert lying != honest
    replace_archive(folder, lying, {"signal": 32, "background": 32})
    with pytest.raises(SubmissionError, match="cannot be read"):
        read_submission(folder)


def test_random_damage_never_escapes_as_another_error(write):
    """Flipped bytes anywhere give a SubmissionError, or an archive that still reads."""
    folder = write()
    original = (folder / "predictions.npz").read_bytes()
    rng = np.random.default_rng(3)
    refusals = []
    for _ in range(300):
        damaged = bytearray(original)
        for position in rng.integers(0, len(damaged), 2):
            damaged[position] = rng.integers(256)
        replace_archive(folder, bytes(damaged))
        try:
            read_submission(folder)
        except SubmissionError as refusal:
            refusals.append(str(refusal))
    assert len(refusals) > 100
    assert not any("\n" in refusal for refusal in refusals)


# Refusals: the claims


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda c: c["claimed"]["loss"].update(value=c["claimed"]["loss"]["value"] - 0.01),
            r"'loss.value' is claimed to be .*, but the predictions give",
        ),
        (
            lambda c: c["claimed"]["loss"].update(error=c["claimed"]["loss"]["error"] * (1 + 3e-6)),
            "'loss.error' is claimed to be",
        ),
        (
            lambda c: c["claimed"]["narrowest_f_bkg"].update(high95=0.0),
            "'narrowest_f_bkg.high95' is claimed to be 0",
        ),
        (drop_field("claimed", "window"), "field 'claimed.window' is missing"),
        (
            lambda c: c["claimed"].update(speed=c["claimed"]["loss"]),
            "field 'claimed.speed' is unknown",
        ),
        (
            set_field("datasets", "signal", "sha256", value="c" * 64),
            "field 'datasets.signal.sha256' is 'ccc.*JetGrooming-v0 is scored on 'aaa",
        ),
        (
            set_field("datasets", "background", "id", value="jets/W-500GeV-v1"),
            "field 'datasets.background.id' is 'jets/W-500GeV-v1'",
        ),
        (
            set_field("datasets", "signal", "split", value="train"),
            "field 'datasets.signal.split' is 'train'",
        ),
        (drop_field("datasets", "background"), "field 'datasets.background' is missing"),
        (
            lambda c: c["datasets"].update(other=c["datasets"]["signal"]),
            "field 'datasets.other' is unknown",
        ),
    ],
)
def test_claims(write, data, change, message):
    folder = write()
    edit(folder, change)
    read = read_submission(folder)
    with pytest.raises(SubmissionError, match=message):
        verify(read, data, HASHES)


def test_rounding_of_claims_is_forgiven(write, data):
    folder = write()

    def change(content):
        for estimate in content["claimed"].values():
            for name in estimate:
                estimate[name] *= 1 + 5e-7

    edit(folder, change)
    verify(read_submission(folder), data, HASHES)


@pytest.mark.parametrize("role", ["signal", "background"])
def test_wrong_length(write, data, predictions, role):
    short = predictions | {role: predictions[role][:-3]}
    read = read_submission(write(predictions=short))
    with pytest.raises(SubmissionError, match=f"array '{role}': .* nodes and need one each"):
        verify(read, data, HASHES)


def test_missing_or_left_over_array(write, data, predictions):
    one = read_submission(write("one", predictions={"signal": predictions["signal"]}))
    with pytest.raises(SubmissionError, match="array 'background' is missing"):
        verify(one, data, HASHES)
    three = read_submission(write("three", predictions=predictions | {"third": [0, 1]}))
    with pytest.raises(SubmissionError, match="array 'third' is unknown"):
        verify(three, data, HASHES)


def test_default_data_and_hashes_are_those_of_the_task(write, data, score, monkeypatch):
    read = read_submission(write())
    monkeypatch.setattr(submission_module, "dataset_hashes", lambda _: HASHES)
    monkeypatch.setattr(submission_module, "load_test_data", lambda _: data)
    assert verify(read) == score
