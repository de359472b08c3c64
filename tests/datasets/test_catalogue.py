"""Ids, bundled data and loading: what a user gets who names a dataset or a file."""

from __future__ import annotations

import re
import shlex
import sys
from dataclasses import replace
from pathlib import Path

import awkward as ak
import numpy as np
import pytest
import uproot

import hepgym.datasets
from hepgym.datasets import SPECS, DatasetError, catalogue, load, load_trees, spec
from hepgym.datasets.catalogue import DatasetSpec, data_folder
from hepgym.datasets.jets import jet_files
from hepgym.datasets.jets.generation import generate_chunk
from hepgym.datasets.jets.production import Sample, produce
from hepgym.datasets.jets.settings import SPLITS
from hepgym.datasets.jets.trees import STATE_FIELDS, mass

PARTONS_OF_PAIRS = "jets/QCD-500GeV-parton-of-detector-v1"
DETECTOR_OF_PAIRS = "jets/QCD-500GeV-detector-of-parton-v1"
BUNDLED = [(name, split) for name, one in SPECS.items() for split in one.bundled]


@pytest.fixture
def own_folder(tmp_path, monkeypatch):
    """A data folder of the user's choice."""
    folder = tmp_path / "data"
    monkeypatch.setenv("HEPGYM_DATA", str(folder))
    return folder


# --- ids


def test_every_process_and_momentum_has_an_id():
    levels = ("500GeV-parton", "500GeV-hadron", "500GeV-detector")
    assert set(SPECS) == {
        f"jets/{process}-{pt}-v1"
        for process in ("W", "QCD", "top")
        for pt in ("200GeV", "500GeV", "2TeV", *levels)
    } | {PARTONS_OF_PAIRS, DETECTOR_OF_PAIRS}
    for name, one in SPECS.items():
        assert one.id == name
        assert f"jets/{one.settings.process}-" in name
    cuts = [SPECS[f"jets/W-{pt}-v1"].settings.pt_min for pt in ("200GeV", "500GeV", "2TeV")]
    assert cuts == [200.0, 500.0, 2000.0]


def test_levels_have_ids_and_seeds_of_their_own():
    """No event is in the samples of two levels; the two of the paired set share all of theirs."""
    levels = ("parton", "hadron", "detector")
    ids = {level: spec(f"jets/QCD-500GeV-{level}") for level in levels}
    assert all(one.settings.level == level for level, one in ids.items())
    pairs = spec(PARTONS_OF_PAIRS), spec(DETECTOR_OF_PAIRS)
    assert [(one.settings.level, one.settings.matched) for one in pairs] == [
        ("parton", "detector"),
        ("detector", "parton"),
    ]
    assert pairs[0].seed == pairs[1].seed
    seeds = [spec("jets/QCD-500GeV").seed, *(one.seed for one in ids.values()), pairs[0].seed]
    assert len(set(seeds)) == 5


def test_id_without_a_version_is_the_newest(monkeypatch):
    assert spec("jets/W-500GeV-v1") is spec("jets/W-500GeV") is SPECS["jets/W-500GeV-v1"]
    for version in (2, 10):
        name = f"jets/W-500GeV-v{version}"
        newer = DatasetSpec(name, "newer", SPECS["jets/W-500GeV-v1"].settings, {})
        monkeypatch.setitem(catalogue.SPECS, name, newer)
    assert spec("jets/W-500GeV").id == "jets/W-500GeV-v10"
    assert spec("jets/W-500GeV-v1").id == "jets/W-500GeV-v1"


@pytest.mark.parametrize(
    "name", ["jets/W-500GeV-v9", "jets/Z-500GeV", "W-500GeV", "", "jets/w-500GeV-v1", "jets/W"]
)
def test_unknown_id(name):
    message = f"^there is no dataset {name!r}; there are .*jets/W-500GeV-v1.*"
    with pytest.raises(DatasetError, match=message):
        spec(name)


@pytest.mark.parametrize("function", [load, load_trees])
def test_loading_an_unknown_id(function):
    with pytest.raises(DatasetError, match="there is no dataset 'jets/Z-500GeV-v1'"):
        function("jets/Z-500GeV-v1")


# --- bundled files


def test_what_is_bundled():
    """Three splits of the three processes at 500 GeV, of two levels of QCD, and the paired set."""
    processes = [f"jets/{process}-500GeV-v1" for process in ("W", "QCD", "top")]
    levels = ["jets/QCD-500GeV-parton-v1", "jets/QCD-500GeV-detector-v1"]
    pairs = [PARTONS_OF_PAIRS, DETECTOR_OF_PAIRS]
    splits = ("train", "validation", "test")
    assert set(BUNDLED) == {
        *((name, split) for name in processes + levels for split in splits),
        *((name, "test") for name in pairs),
    }
    sizes = {name: spec(name).bundled["test"].jets for name, _ in BUNDLED}
    assert sizes == (
        dict.fromkeys(processes, 10_000) | dict.fromkeys(levels, 5_000) | dict.fromkeys(pairs, 1500)
    )
    files = {spec(name).bundled_file(split) for name, split in BUNDLED}
    root = Path(hepgym.datasets.__file__).parent
    assert set(root.rglob("*.root")) == files


def test_bundled_files_are_small():
    size = sum(spec(name).bundled_file(split).stat().st_size for name, split in BUNDLED)
    assert size <= 75e6


@pytest.mark.parametrize(("name", "split"), BUNDLED)
def test_bundled_content_is_what_the_catalogue_says(name, split):
    one = spec(name)
    trees = load_trees(name, split)
    assert len(trees) == one.bundled[split].jets
    assert jet_files.content_hash(trees) == one.sha256(split) == one.bundled[split].sha256
    metadata = jet_files.read_metadata(one.bundled_file(split))
    assert metadata["sha256"] == one.sha256(split)
    assert (metadata["dataset"], metadata["split"], metadata["seed"]) == (name, split, one.seed)
    assert metadata["pythia"] == [*one.settings.pythia_commands()]


def test_bundled_splits_share_no_jet():
    names = [f"jets/{process}-500GeV-v1" for process in ("W", "QCD", "top")]
    for name in (*names, "jets/QCD-500GeV-parton-v1", "jets/QCD-500GeV-detector-v1"):
        jets = [load_trees(name, split).jet_momenta for split in SPLITS]
        both = np.concatenate(jets)
        assert len(np.unique(both, axis=0)) == len(both)


def test_pairs_are_two_levels_of_the_same_jets():
    """Row by row the same event, close in direction, and the same jet's momentum within 30 %."""
    partons, seen = load_trees(PARTONS_OF_PAIRS), load_trees(DETECTOR_OF_PAIRS)
    origins = [
        jet_files.read_origin(spec(name).bundled_file("test"))
        for name in (PARTONS_OF_PAIRS, DETECTOR_OF_PAIRS)
    ]
    for field in ("pythia_seed", "event"):
        np.testing.assert_array_equal(origins[0][field], origins[1][field])
    one, other = partons.jet_momenta, seen.jet_momenta
    azimuth = np.arctan2(one[:, 1], one[:, 0]) - np.arctan2(other[:, 1], other[:, 0])
    assert np.abs((azimuth + np.pi) % (2 * np.pi) - np.pi).max() < 0.4
    ratio = np.hypot(*other[:, :2].T) / np.hypot(*one[:, :2].T)
    assert np.abs(np.log(ratio)).mean() < 0.1
    # Another jet of the sample says nothing about this one.
    shuffled = np.hypot(*np.roll(other, 7, axis=0)[:, :2].T)
    pt = np.hypot(*one[:, :2].T)
    assert np.corrcoef(pt, pt * ratio)[0, 1] > 0.9 > 0.2 > np.corrcoef(pt, shuffled)[0, 1]


def test_nothing_in_training_shares_an_event_with_the_pairs():
    """Nor do the two domains share one: training is unpaired."""
    seeds = {}
    for name, split in BUNDLED:
        origin = jet_files.read_origin(spec(name).bundled_file(split))
        seeds[name, split] = set(np.unique(origin["pythia_seed"]))
    pairs = seeds.pop((PARTONS_OF_PAIRS, "test"))
    assert pairs == seeds.pop((DETECTOR_OF_PAIRS, "test"))
    qcd = {key: own for key, own in seeds.items() if "QCD" in key[0]}
    assert not any(pairs & own for own in qcd.values())
    assert len(set().union(*qcd.values())) == sum(len(own) for own in qcd.values())


def test_unknown_split():
    with pytest.raises(DatasetError, match=r"^jets/W-500GeV-v1 has no split 'dev'; it has train, "):
        load("jets/W-500GeV-v1", split="dev")


def test_not_bundled():
    """The message gives the command and what to do after it."""
    message = re.escape(
        "jets/W-2TeV-v1 is not bundled: generate it with `hepgym data generate jets/W-2TeV-v1 "
        "--split validation --size 10000` and load it with size=10000"
    )
    with pytest.raises(DatasetError, match=message):
        load("jets/W-2TeV", split="validation")
    with pytest.raises(DatasetError, match="is not bundled"):
        spec("jets/W-2TeV").sha256("test")


@pytest.mark.parametrize("choice", [{"level": "parton"}, {"seed": 3}])
def test_only_truth_with_seed_0_is_bundled(choice):
    with pytest.raises(
        DatasetError, match="only truth level with seed 0 is bundled: give the size"
    ):
        load("jets/W-500GeV-v1", **choice)


# --- the user's own samples


def test_data_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("HEPGYM_DATA", str(tmp_path))
    assert data_folder() == tmp_path
    monkeypatch.delenv("HEPGYM_DATA")
    assert "hepgym" in data_folder().name
    monkeypatch.setenv("HEPGYM_DATA", "")
    assert "hepgym" in data_folder().name


def test_generated_samples_have_files_of_their_own(own_folder):
    one = spec("jets/W-500GeV")
    file = one.generated_file(one.settings, "train", 500, 0)
    assert file == own_folder / "jets/W-500GeV-v1/truth-train-500-seed0.root"
    others = {
        one.generated_file(replace(one.settings, level="parton"), "train", 500, 0),
        one.generated_file(one.settings, "test", 500, 0),
        one.generated_file(one.settings, "train", 501, 0),
        one.generated_file(one.settings, "train", 500, 1),
        spec("jets/QCD-500GeV").generated_file(one.settings, "train", 500, 0),
    }
    assert len(others | {file}) == 6


def test_unknown_level():
    with pytest.raises(DatasetError, match="level 'reco' is none of parton, hadron, truth"):
        load("jets/top-500GeV", level="reco", size=10)


def test_missing_sample(own_folder):
    """The message is the exact command that makes what is missing."""
    with pytest.raises(DatasetError) as error:
        load("jets/QCD-500GeV", split="train", level="hadron", size=123, seed=4)
    assert str(error.value) == (
        f"{own_folder}/jets/QCD-500GeV-v1/hadron-train-123-seed4.root does not exist: make it "
        "with `hepgym data generate jets/QCD-500GeV-v1 --level hadron --split train --size 123 "
        "--seed 4`"
    )


def test_the_command_makes_what_is_missing(own_folder, monkeypatch, capsys):
    """Following the message's advice to the letter ends in loaded jets."""
    from hepgym.cli import main

    where = {"split": "validation", "level": "parton", "size": 5, "seed": 1}
    with pytest.raises(DatasetError) as error:
        load("jets/W-500GeV", **where)
    command = shlex.split(str(error.value).split("`")[1])
    monkeypatch.setattr(sys, "argv", command)
    with pytest.raises(SystemExit) as done:
        main()
    assert done.value.code == 0
    assert str(own_folder) in capsys.readouterr().out
    jets = load("jets/W-500GeV", **where)
    assert len(jets) == 5
    trees = load_trees("jets/W-500GeV", **where)
    one = spec("jets/W-500GeV")
    fresh = generate_chunk(replace(one.settings, level="parton"), jets.pythia_seed[0], 5)
    np.testing.assert_array_equal(trees.constituents, fresh.constituents)


# --- what load returns


@pytest.fixture(scope="module")
def w_jets():
    return load("jets/W-500GeV-v1", split="test")


def test_load_gives_vectors(w_jets, w_trees):
    """Records with the behaviour of vector, and the same numbers as the flat arrays."""
    assert len(w_jets) == 10_000
    assert ak.fields(w_jets) == ["constituents", "nodes", "pythia_seed", "event", "rank"]
    first = w_jets[: len(w_trees)]
    counts = np.diff(w_trees.offsets)
    np.testing.assert_array_equal(ak.num(first.constituents), counts)
    np.testing.assert_array_equal(ak.num(first.nodes), counts - 1)
    px, py, pz, energy = w_trees.constituents.T
    flat = ak.flatten(first.constituents)
    np.testing.assert_array_equal(flat.px, px)
    np.testing.assert_allclose(flat.pt, np.hypot(px, py))
    np.testing.assert_allclose(flat.eta, np.arcsinh(pz / np.hypot(px, py)), atol=1e-9)
    np.testing.assert_array_equal(flat.E, energy)
    total = ak.sum(first.constituents, axis=1)
    np.testing.assert_allclose(total.mass, mass(w_trees.jet_momenta), rtol=1e-7)
    assert abs(np.median(total.mass) - 104) < 3
    roots = first.nodes[:, 0]
    np.testing.assert_allclose(roots.mass, total.mass, rtol=1e-6)
    leading = ak.max(first.constituents.pt, axis=1)
    assert ak.all(leading < total.pt)


def test_load_gives_trees(w_jets, w_trees):
    nodes = ak.flatten(w_jets.nodes[: len(w_trees)])
    for i, name in enumerate(STATE_FIELDS):
        np.testing.assert_array_equal(nodes[name], w_trees.states[:, i])
    np.testing.assert_array_equal(nodes.softer_size, w_trees.softer_size)
    for name, children in zip(("harder", "softer"), w_trees.children, strict=True):
        np.testing.assert_array_equal(nodes[name], children)
    back = jet_files.from_awkward(w_jets[: len(w_trees)])
    np.testing.assert_array_equal(back.constituents, w_trees.constituents)
    np.testing.assert_array_equal(back.softer_size, w_trees.softer_size)


def test_a_file_of_our_own_by_its_path(tmp_path, monkeypatch):
    """Named by path it needs no clustering, with or without the tree's name."""
    settings = replace(spec("jets/W-500GeV").settings, level="parton")
    file = produce(Sample("mine", settings, "train", 4), tmp_path / "mine.root").path
    monkeypatch.setattr(jet_files.clustering, "cluster", lambda *_: pytest.fail("clustered again"))
    for source in (file, str(file), f"{file}:jets"):
        assert len(load_trees(source)) == 4
        assert ak.fields(load(source))[-1] == "rank"
    monkeypatch.chdir(tmp_path)
    (tmp_path / "jets").mkdir()
    file.rename(tmp_path / "jets" / "mine.root")
    assert len(load("jets/mine.root")) == 4
    assert len(load("jets/mine.root:jets")) == 4


@pytest.fixture
def users_file(tmp_path):
    """Two jets in pt, eta, phi, mass, with branch names of somebody else."""
    file = tmp_path / "my.root"
    columns = {
        "part_pt": ak.Array([[400.0, 150.0, 20.0], [600.0]]),
        "part_eta": ak.Array([[0.1, 0.3, -0.2], [1.5]]),
        "part_phi": ak.Array([[0.0, 0.5, 3.1], [-2.0]]),
        "part_m": ak.Array([[0.14, 0.5, 0.94], [0.0]]),
    }
    with uproot.recreate(file) as root:
        root.mktree("events", {name: ak.type(c).content for name, c in columns.items()})
        root["events"].extend(columns)
    return file, columns


FIELDS = {"pt": "part_pt", "eta": "part_eta", "phi": "part_phi", "mass": "part_m"}


def test_a_users_file(users_file):
    file, columns = users_file
    jets = load(f"{file}:events", fields=FIELDS)
    assert ak.fields(jets) == ["constituents", "nodes"]
    assert ak.num(jets.constituents).tolist() == [3, 1]
    assert ak.num(jets.nodes).tolist() == [2, 0]
    own = jets.constituents[ak.argsort(jets.constituents.pt, ascending=False)]
    found = {"part_pt": own.pt, "part_eta": own.eta, "part_phi": own.phi}
    for name, values in found.items():
        np.testing.assert_allclose(ak.flatten(values), ak.flatten(columns[name]), atol=1e-9)
    np.testing.assert_allclose(ak.flatten(own.mass), ak.flatten(columns["part_m"]), atol=1e-4)
    trees = load_trees(f"{file}:events", fields=FIELDS)
    np.testing.assert_allclose(trees.jet_momenta[:, 3], ak.sum(own.E, axis=1))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({**FIELDS, "mass": "part_mass"}, "has no branch 'part_mass'"),
        ({"pt": "part_pt"}, "fields has pt and must have px, py, pz, E"),
        (None, "has no branch 'constituents_px'"),
    ],
)
def test_wrong_fields(users_file, fields, message):
    file, _ = users_file
    with pytest.raises(DatasetError, match=message) as error:
        load(f"{file}:events", fields=fields)
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(DatasetError, match=r"nothing\.root does not exist: check the path"):
        load(tmp_path / "nothing.root")
