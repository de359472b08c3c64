"""The jets that translators learn from: bundled ones, larger samples, a user's files."""

import dataclasses

import numpy as np
import pytest

from hepgym.agents.jet_domains import QuantileMap
from hepgym.agents.jet_domains.player import learn, make_translator
from hepgym.agents.jet_domains.settings import TrainJets, reference_settings
from hepgym.agents.jet_domains.train_jets import load_train_jets
from hepgym.datasets import DatasetError, catalogue
from hepgym.datasets.jets import jet_files
from hepgym.datasets.jets.lund_images import lund_images
from hepgym.leaderboards.tasks import task

TASK = task("JetDomains-Parton2Detector-v0")
DOMAINS = {role: TASK.datasets[role] for role in ("A", "B")}


def first_jets(dataset, split, jets):
    file = catalogue.spec(dataset).bundled_file(split)
    trees = jet_files.read(file, stop=jets)
    return jet_files.to_chunk(trees, jet_files.read_origin(file, stop=jets))


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The first 60 train jets of both domains in files of their own."""
    folder = tmp_path_factory.mktemp("jets")
    out = {}
    for role, dataset in DOMAINS.items():
        out[role] = folder / f"{role}.root"
        jet_files.write(out[role], [first_jets(dataset, "train", 60)], {}, nodes="topology")
    return out


def test_bundled_jets():
    images, hashes = load_train_jets(TASK.datasets, TrainJets())
    assert {role: one.shape for role, one in images.items()} == dict.fromkeys("AB", (5000, 24, 24))
    assert hashes == {}
    assert TrainJets().bundled


def test_first_jets_and_files_are_the_same(files):
    """A file of the first jets has their images and hash; the hash is checked."""
    first, hashes = load_train_jets(TASK.datasets, TrainJets(train_jets=60))
    source = TrainJets(train_a=str(files["A"]), train_b=str(files["B"]))
    assert not source.bundled
    images, found = load_train_jets(TASK.datasets, source)
    for role, dataset in DOMAINS.items():
        np.testing.assert_array_equal(images[role], first[role])
        trees = jet_files.read(catalogue.spec(dataset).bundled_file("train"), stop=60)
        np.testing.assert_array_equal(images[role], lund_images(trees))
        assert hashes[f"train_{role.lower()}_sha256"] == jet_files.content_hash(trees)
    assert found == hashes
    load_train_jets(TASK.datasets, dataclasses.replace(source, **found))
    swapped = dataclasses.replace(source, train_a_sha256=found["train_b_sha256"])
    with pytest.raises(ValueError, match="but train_a_sha256 is"):
        load_train_jets(TASK.datasets, swapped)


def test_what_is_scored_is_refused(files, tmp_path):
    for dataset in (DOMAINS["A"], TASK.datasets["paired_A"]):
        jet_files.write(tmp_path / "held.root", [first_jets(dataset, "test", 20)], {})
        source = TrainJets(train_a=str(files["A"]), train_b=str(tmp_path / "held.root"))
        with pytest.raises(ValueError, match=f"seeds of the test jets of {dataset}"):
            load_train_jets(TASK.datasets, source)


def test_refusals(files, tmp_path, monkeypatch):
    monkeypatch.setenv("HEPGYM_DATA", str(tmp_path))
    with pytest.raises(DatasetError, match="--split train --size 50000 --seed 1"):
        load_train_jets(TASK.datasets, TrainJets(train_jets=50_000))
    with pytest.raises(ValueError, match="5 train jets, at least 20 are needed"):
        load_train_jets(TASK.datasets, TrainJets(train_jets=5))
    with pytest.raises(ValueError, match="go together"):
        load_train_jets(TASK.datasets, TrainJets(train_a=str(files["A"])))
    with pytest.raises(ValueError, match="not both"):
        load_train_jets(TASK.datasets, TrainJets(60, str(files["A"]), str(files["B"])))
    with pytest.raises(ValueError, match="quantile-map has no setting 'jets'"):
        make_translator(TASK, "quantile-map", None, {"jets": 3})
    with pytest.raises(ValueError, match="identity has no settings when it runs"):
        make_translator(TASK, "identity", None, {"train_jets": 60})
    with pytest.raises(ValueError, match="train_jets is '60' but must be of type int"):
        make_translator(TASK, "quantile-map", None, {"train_jets": "60"})


def test_entries_say_what_was_learnt_from(files, tmp_path):
    """The quantile map, and a CycleGAN that is resumed with other jets."""
    assert QuantileMap().parameters == {}
    quantile = make_translator(TASK, "quantile-map", None, {"train_jets": 60})
    assert quantile.parameters["train_jets"] == 60
    digest = quantile.parameters["train_a_sha256"]
    assert len(digest) == 64
    tiny = {
        "epochs": 1,
        "images_per_epoch": 8,
        "batch_size": 4,
        "generator_filters": 1,
        "discriminator_filters": 1,
        "calibration": False,
    }
    made = learn(TASK, reference_settings(**tiny, train_jets=60), tmp_path)
    assert made.parameters["train_a_sha256"] == digest
    with pytest.raises(ValueError, match="training with other settings"):
        learn(TASK, reference_settings(**tiny, train_jets=80), tmp_path)
