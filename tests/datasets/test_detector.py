"""The detector: response to single particles, acceptance, energy flow, cards."""

import math

import numpy as np
import pytest

from hepgym.datasets import DatasetError
from hepgym.datasets.jets.detector import Particles, _propagate, simulate
from hepgym.datasets.jets.detector_card import CMS_CARD, read_card
from hepgym.datasets.jets.generation import generate_chunk
from hepgym.datasets.jets.lund import read_published
from hepgym.datasets.jets.settings import GeneratorSettings

CARD = read_card()
PHOTON, PION, K_LONG, ELECTRON, MUON, NEUTRINO = 22, 211, 130, 11, 13, 12
MASS = {PHOTON: 0.0, PION: 0.13957, K_LONG: 0.4976, ELECTRON: 0.0005, MUON: 0.1057, NEUTRINO: 0.0}


def shoot(pdg, pt, eta, number=20_000, seed=1, phi=0.3):
    """One particle in each event."""
    pz = pt * math.sinh(eta)
    energy = math.sqrt(pt**2 + pz**2 + MASS[abs(pdg)] ** 2)
    one = [pt * math.cos(phi), pt * math.sin(phi), pz, energy]
    charge = {PION: 1.0, ELECTRON: -1.0, MUON: -1.0}.get(abs(pdg), 0.0) * math.copysign(1, pdg)
    particles = Particles(
        np.tile(one, (number, 1)),
        np.full(number, pdg),
        np.full(number, charge),
        np.arange(number),
    )
    return simulate(particles, CARD, np.random.default_rng(seed)), energy


@pytest.mark.parametrize(
    ("pdg", "eta", "kind", "relative"),
    [
        # sigma(E) / E of the card's formulas at 50 GeV
        (PHOTON, 0.1, 1, math.sqrt(0.008**2 + 0.11**2 / 50 + 0.4**2 / 50**2) * (1 + 0.64 * 0.01)),
        (K_LONG, 0.1, 2, math.sqrt(0.05**2 + 1.5**2 / 50)),
    ],
)
def test_neutral_particles(pdg, eta, kind, relative):
    seen, energy = shoot(pdg, 50 / math.cosh(eta), eta)
    assert set(seen.kind) == {kind}
    measured = seen.momenta[:, 3]
    # Hadrons that fluctuate below two standard deviations are lost: a cut of the tail.
    assert measured.mean() == pytest.approx(energy, rel=0.03)
    assert measured.std() / energy == pytest.approx(relative, rel=0.05)


def test_towers_have_their_size():
    """A photon's direction is smeared over its tower, 1 degree wide."""
    seen, _ = shoot(PHOTON, 50, 0.1)
    px, py, pz, energy = seen.momenta.T
    phi = np.arctan2(py, px)
    assert phi.max() - phi.min() == pytest.approx(math.radians(1), rel=0.01)
    assert math.floor(math.degrees(0.3)) <= np.degrees(phi).min()
    eta = np.arctanh(pz / energy)
    assert eta.max() - eta.min() == pytest.approx(0.0174, rel=0.03)


@pytest.mark.parametrize(
    ("pdg", "pt", "eta", "efficiency", "resolution"),
    [
        (PION, 20, 0.2, 0.95, math.hypot(0.01, 20 * 1.5e-4)),
        (PION, 0.9, 2.0, 0.60, None),
        (MUON, 20, 2.0, 0.98, math.hypot(0.025, 20 * 3.5e-4)),
        (-MUON, 20, 1.0, 0.99, math.hypot(0.015, 20 * 1.5e-4)),
    ],
)
def test_tracks(pdg, pt, eta, efficiency, resolution):
    seen, _ = shoot(pdg, pt, eta)
    tracks = seen.kind == 0
    error = math.sqrt(efficiency * (1 - efficiency) / 20_000)
    assert tracks.sum() / 20_000 == pytest.approx(efficiency, abs=5 * error)
    pt_seen = np.hypot(*seen.momenta[tracks, :2].T)
    if resolution and abs(pdg) == MUON:
        assert pt_seen.std() / pt == pytest.approx(resolution, rel=0.03)
        assert pt_seen.mean() == pytest.approx(pt, rel=1e-3)
    # The direction is that of the momentum at the origin, not of the place in the calorimeter.
    px, py = seen.momenta[tracks, :2].T
    np.testing.assert_allclose(np.arctan2(py, px), 0.3, atol=1e-9)


def test_charged_hadrons_without_a_track_are_towers():
    seen, energy = shoot(PION, 50, 0.2)
    lost = np.setdiff1d(np.arange(20_000), seen.event[seen.kind == 0])
    towers = seen.event[seen.kind == 2]
    assert len(lost) == pytest.approx(1000, abs=150)
    assert np.isin(lost, towers).mean() > 0.9
    # With a track no energy is counted twice, up to the excess of fluctuating towers.
    total = np.bincount(seen.event, seen.momenta[:, 3], 20_000)
    assert total[np.unique(seen.event)].mean() == pytest.approx(energy, rel=0.03)


def test_track_and_tower_are_averaged():
    """At high pT the track is poor and the calorimeter good: together better than either."""
    seen, energy = shoot(PION, 800, 1.0)
    single = np.bincount(seen.event, minlength=20_000) == 1
    track = (seen.kind == 0) & single[seen.event]
    spread = seen.momenta[track, 3].std() / energy
    track_alone = math.hypot(0.015, 800 * 2.5e-4)
    calorimeter = math.sqrt(0.05**2 + 1.5**2 / energy)
    assert spread < min(track_alone, calorimeter)


@pytest.mark.parametrize(("pdg", "pt", "eta"), [(NEUTRINO, 50, 0), (PHOTON, 5, 5.5), (PION, 5, 6)])
def test_what_is_not_seen(pdg, pt, eta):
    seen, _ = shoot(pdg, pt, eta, number=100)
    assert len(seen.momenta) == 0


def test_helices():
    """Radius pT / (0.3 B): the chord to the barrel, and particles that never reach it."""
    radius = 5.0 / (0.299792458 * 3.8)
    pt, eta, phi = np.array([5.0, 5.0, 0.3, 5.0]), np.array([0.0, 0.5, 0.3, 0.5]), np.zeros(4)
    at_eta, at_phi = _propagate(pt, eta, phi, np.array([1.0, -1.0, 1.0, 0.0]), CARD)
    turn = math.asin(1.29 / (2 * radius))
    assert at_phi[:2] == pytest.approx([-turn, turn])
    assert at_eta[0] == 0
    assert at_eta[1] == pytest.approx(math.asinh(math.sinh(0.5) * 2 * turn * radius / 1.29))
    assert abs(at_eta[2]) > 1  # curls up and leaves through the endcap
    assert (at_eta[3], at_phi[3]) == (0.5, 0.0)


def test_events_stay_apart(random):
    """The same events, all at once or one by one, lie in other towers each."""
    number = 50
    momenta = np.tile([30.0, 0, 5.0, math.hypot(30, 5)], (number, 1))
    event = np.repeat(np.arange(5), 10)
    particles = Particles(momenta, np.full(number, PHOTON), np.zeros(number), event)
    seen = simulate(particles, CARD, random)
    # Ten photons on one spot are one tower.
    assert np.bincount(seen.event).tolist() == [1] * 5
    assert seen.momenta[:, 3] == pytest.approx(10 * math.hypot(30, 5), rel=0.1)


def test_jets_at_detector_level():
    """pT is kept on average, constituents get fewer; a prefix is a prefix."""
    settings = GeneratorSettings("W", 500.0, "detector")
    few, more = generate_chunk(settings, 3, 10), generate_chunk(settings, 3, 30)
    np.testing.assert_array_equal(more.counts[:10], few.counts)
    np.testing.assert_array_equal(more.constituents[: few.counts.sum()], few.constituents)
    truth = generate_chunk(GeneratorSettings("W", 500.0), 3, 30)
    assert 0.3 < more.counts.mean() / truth.counts.mean() < 0.9
    assert more.constituents[:, 3].min() > 0


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("field: 3.8", "field: -1", "field 'magnet.field'"),
        ("radius: 1.29", "radios: 1.29", "field 'magnet.radius': Field required"),
        ("[2.5, 0.1, 0.0]", "[2.5, 0.1, 1.5]", r"tracks.charged_hadrons.efficiency.0.2"),
        ("name: CMS", "name: [", "cannot be read as a detector card"),
    ],
)
def test_bad_cards(tmp_path, old, new, message):
    text = CMS_CARD.read_text()
    assert old in text
    (tmp_path / "card.yaml").write_text(text.replace(old, new, 1))
    with pytest.raises(DatasetError, match=message):
        read_card(tmp_path / "card.yaml")
    with pytest.raises(DatasetError, match=r"nowhere\.yaml cannot be read"):
        read_card(tmp_path / "nowhere.yaml")


def test_the_published_detector_histogram_is_empty(reference_data):
    """So that it cannot validate this detector: its job selected no jet."""
    with pytest.raises(DatasetError, match="without a single entry"):
        read_published(reference_data / "jetsgame" / "QCD_500GeV_delphes_hist.dat.gz")
