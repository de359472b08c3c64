"""Two levels of the same event: what belongs together, and what does not."""

from dataclasses import replace

import awkward as ak
import numpy as np
import pytest
import pythia8mc

from hepgym.datasets.jets import pairing
from hepgym.datasets.jets.generation import generate_chunk
from hepgym.datasets.jets.settings import GeneratorSettings

PARTONS = GeneratorSettings("QCD", 500.0, "parton", matched="detector")
DETECTOR = GeneratorSettings("QCD", 500.0, "detector", matched="parton")


@pytest.fixture(scope="module")
def chunks():
    return generate_chunk(PARTONS, 600_090_001, 12), generate_chunk(DETECTOR, 600_090_001, 12)


def test_both_levels_give_the_same_jets(chunks):
    partons, seen = chunks
    np.testing.assert_array_equal(partons.event, seen.event)
    np.testing.assert_array_equal(partons.pythia_seed, seen.pythia_seed)
    momenta = [
        np.add.reduceat(one.constituents, np.cumsum(one.counts) - one.counts) for one in chunks
    ]
    pt = [np.hypot(*p[:, :2].T) for p in momenta]
    assert min(pt[0].min(), pt[1].min()) > 500
    np.testing.assert_allclose(pt[1] / pt[0], 1, atol=0.3)


def test_variants_are_told_apart():
    names = {one.variant() for one in (PARTONS, DETECTOR, replace(PARTONS, matched=None))}
    assert len(names) == 3
    assert "PartonLevel:MPI = off" not in PARTONS.pythia_commands()


def test_partons_and_particles_of_an_event():
    """Particles carry all momentum; partons of the hard process lack what remnants and MPI have."""
    pythia = pythia8mc.Pythia("", False)
    for command in (*PARTONS.pythia_commands(), "Print:quiet = on", "Random:setSeed = on"):
        assert pythia.readString(command)
    assert pythia.readString("Random:seed = 11")
    assert pythia.init()
    pair = pairing.next_events(pythia, 3)
    assert len(pair.partons) == len(pair.particles) == 3
    for name, total in (("px", 0.0), ("py", 0.0), ("pz", 0.0), ("E", 14_000.0)):
        np.testing.assert_allclose(ak.sum(pair.particles[name], axis=1), total, atol=0.1)
    energy = ak.to_numpy(ak.sum(pair.partons["E"], axis=1))
    assert ((energy > 800) & (energy < 13_000)).all()
    # Quarks, gluons and photons only.
    kinds = set(np.abs(ak.to_numpy(ak.flatten(pair.partons["id"]))))
    assert kinds <= {1, 2, 3, 4, 5, 21, 22, 11, 13, 15}
    assert max(np.abs(ak.to_numpy(ak.flatten(pair.particles["id"])))) > 100


def test_matching():
    """Nearest to each other, close, and of the same event; azimuth is periodic."""
    first = np.array([0, 0, 1, 2]), np.array([[0.0, 3.1], [1.0, 0.0], [0.0, 0.0], [0.0, 0.0]])
    second = np.array([0, 0, 1, 1]), np.array([[0.9, 0.1], [0.0, -3.1], [0.0, 0.5], [0.1, 0.1]])
    own, other = pairing.match((first[0], second[0]), (first[1], second[1]))
    np.testing.assert_array_equal(own, [0, 1, 2])
    np.testing.assert_array_equal(other, [1, 0, 3])
    own, other = pairing.match((first[0], second[0] + 5), (first[1], second[1]))
    assert len(own) == len(other) == 0
    empty = np.empty(0, np.int64), np.empty((0, 2))
    assert len(pairing.match((first[0], empty[0]), (first[1], empty[1]))[0]) == 0
