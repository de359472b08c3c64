"""Files of Delphes: written with its branches, read as jets."""

import awkward as ak
import numpy as np
import pytest
import uproot

import hepgym.datasets
from hepgym.datasets import DatasetError
from hepgym.datasets.jets.clustering import find_jets
from hepgym.datasets.jets.delphes import OBJECTS
from hepgym.datasets.jets.lund_images import lund_images

EVENTS = 8


def energy_flow(seed=0):
    """Two back-to-back jets in each event, spread over tracks, photons and neutral hadrons."""
    random = np.random.default_rng(seed)
    objects = {}
    for name, pt in OBJECTS.items():
        counts = random.integers(15, 30, EVENTS)
        jets = [random.integers(0, 2, count) for count in counts]
        objects[name] = {
            pt: [random.exponential(40.0, count) + 5.0 for count in counts],
            "Eta": [random.normal(0.5 * jet, 0.2) for jet in jets],
            "Phi": [
                (random.normal(np.pi * jet, 0.2) + np.pi) % (2 * np.pi) - np.pi for jet in jets
            ],
        }
    return objects


def write(file, objects, tree="Delphes"):
    """Branches ``EFlowTrack.PT[EFlowTrack_size]`` and so on, as in the files of Delphes."""
    columns = {
        name: ak.values_astype(ak.zip({k: ak.Array(v) for k, v in one.items()}), "float32")
        for name, one in objects.items()
    }
    with uproot.recreate(file) as root:
        root.mktree(
            tree,
            {name: ak.type(column).content for name, column in columns.items()},
            counter_name=lambda counted: f"{counted}_size",
            field_name=lambda outer, inner: f"{outer}.{inner}" if outer else inner,
        )
        root[tree].extend(columns)
    return file


@pytest.fixture(scope="module")
def delphes_file(tmp_path_factory):
    return write(tmp_path_factory.mktemp("delphes") / "delphes.root", energy_flow())


def test_branches_are_those_of_delphes(delphes_file):
    with uproot.open(delphes_file) as root:
        names = set(root["Delphes"].keys())
    assert {"EFlowTrack.PT", "EFlowPhoton.ET", "EFlowNeutralHadron.Phi", "EFlowTrack_size"} <= names


def test_jets_are_those_of_the_energy_flow(delphes_file):
    """The same jets as from the objects themselves, with all of their momentum."""
    jets = hepgym.datasets.load(f"{delphes_file}:Delphes", reader="delphes")
    assert set(np.unique(ak.to_numpy(jets["rank"]))) == {0, 1}
    momenta = []
    for name, pt in OBJECTS.items():
        one = energy_flow()[name]
        magnitude, eta, phi = (ak.Array(one[key]) for key in (pt, "Eta", "Phi"))
        parts = magnitude * np.cos(phi), magnitude * np.sin(phi), magnitude * np.sinh(eta)
        rows = dict(zip(("px", "py", "pz"), parts, strict=True)) | {"E": magnitude * np.cosh(eta)}
        momenta.append(ak.zip(rows))
    particles = ak.concatenate(momenta, axis=1)
    event, index = find_jets(particles, 1.0, 500.0, 2.5, 2)
    np.testing.assert_array_equal(jets["event"], event)
    expected = particles[event][index]
    for name in ("px", "py", "pz", "E"):
        np.testing.assert_allclose(
            ak.to_numpy(ak.sum(jets.constituents[name], axis=1)),
            ak.to_numpy(ak.sum(expected[name], axis=1)),
            atol=0.01,
        )
    trees = hepgym.datasets.load_trees(str(delphes_file), reader="delphes")
    assert lund_images(trees).sum() > 10
    fewer = hepgym.datasets.load_trees(delphes_file, reader="delphes", pt_min=1400.0)
    assert 0 < len(fewer) < len(trees)


def test_empty_events_are_passed_over(tmp_path):
    objects = energy_flow()
    for one in objects.values():
        for values in one.values():
            values[0] = values[3] = np.empty(0)
    jets = hepgym.datasets.load(write(tmp_path / "some.root", objects), reader="delphes")
    assert not {0, 3} & set(ak.to_numpy(jets["event"]))
    assert len(jets) > 4


def test_refusals(delphes_file, tmp_path):
    def refuses(message, source, **arguments):
        with pytest.raises(DatasetError, match=message):
            hepgym.datasets.load(source, reader="delphes", **arguments)

    refuses("does not exist", tmp_path / "none.root")
    refuses("no tree 'events'", f"{delphes_file}:events")
    refuses("no jet with pT > 5000 GeV in 8 events: give a smaller", delphes_file, pt_min=5000)
    refuses("pt_min = -1 GeV must be positive", delphes_file, pt_min=-1)
    refuses("fields are not for the reader", delphes_file, fields={"px": "a"})
    with pytest.raises(DatasetError, match="reader 'root' is unknown"):
        hepgym.datasets.load(delphes_file, reader="root")
    lacking = energy_flow()
    del lacking["EFlowPhoton"]
    file = write(tmp_path / "lacking.root", lacking)
    refuses(r"lacking.root, tree 'Delphes' has no branch 'EFlowPhoton.ET'; it has", file)
    wrong = energy_flow()
    wrong["EFlowTrack"]["PT"][2][5] = np.nan
    refuses("branch 'EFlowTrack.PT', entry 2 holds nan", write(tmp_path / "nan.root", wrong))
    wrong = energy_flow()
    wrong["EFlowNeutralHadron"]["Eta"][1][0] = 99
    refuses("NeutralHadron.Eta', entry 1 holds 99: no", write(tmp_path / "eta.root", wrong))
