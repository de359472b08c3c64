"""Generated jets: the settings of the public samples, seeds, cuts, and what the switches do."""

from __future__ import annotations

import functools
import importlib.metadata
import itertools

import fastjet
import numpy as np
import pytest
import pythia8mc

import hepgym.datasets
from hepgym.datasets import DatasetError
from hepgym.datasets.jets import generation, jet_files, settings
from hepgym.datasets.jets.clustering import cluster, silence_banner
from hepgym.datasets.jets.generation import JetChunk, generate_chunk, to_grid
from hepgym.datasets.jets.settings import (
    CHUNK_JETS,
    CHUNKS_PER_SEED,
    MAX_SEED,
    SPLITS,
    GeneratorSettings,
    chunk_sizes,
    pythia_seed,
)

W = GeneratorSettings("W", 500.0)
COMMON = (
    "Beams:idA = 2212",
    "Beams:idB = 2212",
    "Beams:eCM = 14000.",
    "Tune:pp = 5",
)
STABLE_PI0 = ("111:mayDecay = off",)
STABLE_B = tuple(
    f"{hadron}:mayDecay = off" for hadron in (511, 521, 531, 541, 5122, 5132, 5232, 5332)
)
TO_QUARKS = ("24:onMode = off", "24:onIfAny = 1 2 3 4 5")

# Constituents of low energy, whose masses survive the rounding: m^2 in GeV^2.
LOW_ENERGY = 3.0
PI0_M2 = 0.13498**2
HALFWAY_TO_CHARGED_PION = 0.5 * (0.13957**2 - PI0_M2)


JETS = 50


@pytest.fixture(scope="module", autouse=True)
def small_batches():
    """Pythia's batches of 100 events are more than these tests need."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(generation, "_EVENTS_PER_BATCH", 10)
        yield


def jets(process="W", pt_min=500.0, number=JETS, seed=1, **switches) -> JetChunk:
    return generated_once(GeneratorSettings(process, pt_min, **switches), seed, number)


generated_once = functools.cache(generate_chunk)


def assert_same(a: JetChunk, b: JetChunk):
    for name in JetChunk._fields:
        x, y = getattr(a, name), getattr(b, name)
        assert x.dtype == y.dtype
        np.testing.assert_array_equal(x, y, err_msg=name)


def offsets(chunk):
    return np.concatenate([[0], np.cumsum(chunk.counts, dtype=np.int64)])


def jet_momenta(chunk):
    return np.add.reduceat(chunk.constituents.astype(np.float64), offsets(chunk)[:-1])


def squared_masses(momenta):
    px, py, pz, energy = momenta.astype(np.float64).T
    return (energy + pz) * (energy - pz) - px**2 - py**2


# --- settings and seeds


@pytest.mark.parametrize(
    ("process", "hard_process"),
    [
        ("W", ("WeakDoubleBoson:ffbar2WW = on", *TO_QUARKS)),
        ("QCD", ("HardQCD:all = on",)),
        ("top", ("Top:gg2ttbar = on", "Top:qqbar2ttbar = on", *TO_QUARKS)),
    ],
)
@pytest.mark.parametrize(
    ("level", "switched_off"),
    [
        ("parton", ("HadronLevel:all = off", "PartonLevel:MPI = off")),
        ("hadron", ("PartonLevel:MPI = off",)),
        ("truth", ()),
    ],
)
def test_pythia_commands(process, hard_process, level, switched_off):
    """Exactly the settings of the public samples, nothing more and nothing less."""
    commands = GeneratorSettings(process, 500.0, level).pythia_commands()
    assert commands == (
        *COMMON,
        "PhaseSpace:pTHatMin = 400",
        *hard_process,
        *switched_off,
        *STABLE_PI0,
        *STABLE_B,
    )


@pytest.mark.parametrize(("pt_min", "pt_hat_min"), [(200, "160"), (500, "400"), (2000, "1600")])
def test_phase_space_cut(pt_min, pt_hat_min):
    commands = GeneratorSettings("QCD", pt_min).pythia_commands()
    assert f"PhaseSpace:pTHatMin = {pt_hat_min}" in commands


def test_decay_switches():
    def stable(**switches):
        commands = GeneratorSettings("W", 500.0, **switches).pythia_commands()
        return tuple(command for command in commands if "mayDecay" in command)

    assert stable() == STABLE_PI0 + STABLE_B
    assert stable(pi0_decays=True) == STABLE_B
    assert stable(b_decays=True) == STABLE_PI0
    assert stable(pi0_decays=True, b_decays=True) == ()


def test_defaults_are_those_of_the_public_samples():
    assert (W.level, W.neutrinos, W.pi0_decays, W.b_decays) == ("truth", True, False, False)
    assert (W.radius, W.rapidity_max, W.jets_per_event) == (1.0, 2.5, 2)


def test_variants_have_names_of_their_own():
    switches = [
        {"level": level, "neutrinos": n, "pi0_decays": p, "b_decays": b}
        for level in ("parton", "hadron", "truth")
        for n, p, b in itertools.product([True, False], repeat=3)
    ]
    names = {GeneratorSettings("W", 500.0, **one).variant() for one in switches}
    assert len(names) == len(switches)
    assert W.variant() == ("truth",)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("Z", 500.0), r"process 'Z' is none of W, QCD, top"),
        (("W", 500.0, "reco"), r"level 'reco' is none of parton, hadron, truth"),
        (("W", 10.0), r"pt_min = 10.0 GeV is outside 20 to 5000 GeV"),
        (("W", 8000.0), r"pt_min = 8000.0 GeV"),
        (("W", float("nan")), r"pt_min = nan GeV"),
        (("QCD", 500.0, "parton", True, False, False, "hadron"), "parton cannot be matched with h"),
        (("QCD", 500.0, "truth", True, False, False, "truth"), "give two different ones of parton"),
    ],
)
def test_bad_settings(arguments, message):
    with pytest.raises(DatasetError, match=message):
        GeneratorSettings(*arguments)


def test_seeds_of_splits_are_disjoint_and_pythias():
    """Seeds grow with (split, seed, chunk): no two chunks share one. Pythia takes 1 to 9e8."""
    places = [
        (split, seed, chunk)
        for split in SPLITS
        for seed in (0, 1, 2, MAX_SEED // 2, MAX_SEED - 1, MAX_SEED)
        for chunk in (0, 1, 2, CHUNKS_PER_SEED // 2, CHUNKS_PER_SEED - 2, CHUNKS_PER_SEED - 1)
    ]
    seeds = [pythia_seed(*place) for place in places]
    assert all(a < b for a, b in itertools.pairwise(seeds))
    assert seeds[0] == 1
    assert seeds[-1] <= 900_000_000
    # neighbours in one split are consecutive: nothing overlaps in between either
    for split in SPLITS:
        first = pythia_seed(split, 0, 0)
        assert pythia_seed(split, 0, CHUNKS_PER_SEED - 1) + 1 == pythia_seed(split, 1, 0)
        assert pythia_seed(split, MAX_SEED, CHUNKS_PER_SEED - 1) < first + settings.SEEDS_PER_SPLIT


def test_seeds_of_published_splits_stay_what_they_are():
    """Bundled data and everybody's generated samples hang on these numbers."""
    assert [pythia_seed(split, 0, 0) for split in SPLITS] == [1, 300_000_001, 600_000_001]
    assert pythia_seed("validation", 7, 3) == 300_000_001 + 7 * 20_000 + 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("dev", 0, 0), "split 'dev' is none of train, validation, test"),
        (("test", -1, 0), f"seed -1 is outside 0 to {MAX_SEED}"),
        (("test", MAX_SEED + 1, 0), f"seed {MAX_SEED + 1} is outside"),
        (("test", 0, CHUNKS_PER_SEED), "one seed makes at most 20000000 jets: use another seed"),
        (("test", 0, -1), "one seed makes at most"),
    ],
)
def test_bad_seeds(arguments, message):
    with pytest.raises(DatasetError, match=message):
        pythia_seed(*arguments)


@pytest.mark.parametrize("size", [1, 999, 1000, 1001, 2000, 500_000])
def test_chunk_sizes(size):
    sizes = chunk_sizes(size)
    assert sum(sizes) == size
    assert all(one == CHUNK_JETS for one in sizes[:-1])
    assert 0 < sizes[-1] <= CHUNK_JETS


# --- jets


def test_columns():
    chunk = jets()
    assert len(chunk.counts) == JETS
    assert chunk.constituents.shape == (chunk.counts.sum(), 4)
    assert len(chunk.softer_size) == chunk.counts.sum() - JETS
    types = [getattr(chunk, name).dtype for name in JetChunk._fields]
    assert types == [np.int32, np.float32, np.int16, np.int32, np.int32, np.int8]
    assert (chunk.counts > 0).all()
    assert (chunk.pythia_seed == 1).all()


@pytest.mark.parametrize(
    ("process", "pt_min", "number"),
    [
        ("W", 500.0, JETS),
        ("QCD", 500.0, JETS),
        ("top", 500.0, JETS),
        ("W", 200.0, 30),
        ("QCD", 2000.0, 20),
    ],
)
def test_jets_obey_the_cuts(process, pt_min, number):
    """The cuts act before the constituents are rounded, which moves a jet by less than 10 MeV."""
    px, py, pz, energy = jet_momenta(jets(process, pt_min, number)).T
    pt = np.hypot(px, py)
    assert (pt > pt_min - 0.01).all()
    # a spectrum that falls steeply from the cut on
    assert np.median(pt) < 1.5 * pt_min
    assert (np.abs(0.5 * np.log((energy + pz) / (energy - pz))) < 2.5 + 1e-4).all()


@pytest.mark.parametrize("process", ["W", "QCD", "top"])
def test_constituents_lie_around_their_jet(process):
    """Anti-kt with R = 1: nearly all transverse momentum lies within 1 of the axis."""
    chunk = jets(process)
    axis = jet_momenta(chunk)
    jet = np.repeat(np.arange(JETS), chunk.counts)

    def direction(p):
        return np.arcsinh(p[:, 2] / np.hypot(p[:, 0], p[:, 1])), np.arctan2(p[:, 1], p[:, 0])

    momenta = chunk.constituents.astype(np.float64)
    eta, phi = direction(momenta)
    axis_eta, axis_phi = (values[jet] for values in direction(axis))
    dphi = np.abs((phi - axis_phi + np.pi) % (2 * np.pi) - np.pi)
    inside = np.hypot(eta - axis_eta, dphi) < 1.1
    pt = np.hypot(momenta[:, 0], momenta[:, 1])
    assert pt[inside].sum() / pt.sum() > 0.99


@pytest.mark.parametrize("process", ["W", "QCD", "top"])
def test_events_and_ranks(process):
    """At most two jets an event, the harder one first, and nothing twice."""
    chunk = jets(process)
    momenta = jet_momenta(chunk)
    pt = np.hypot(momenta[:, 0], momenta[:, 1])
    places = list(zip(chunk.event.tolist(), chunk.rank.tolist(), strict=True))
    assert places == sorted(set(places))
    assert set(chunk.rank) == {0, 1}
    second = np.flatnonzero(chunk.rank == 1)
    np.testing.assert_array_equal(chunk.event[second - 1], chunk.event[second])
    np.testing.assert_array_equal(chunk.rank[second - 1], 0)
    assert (pt[second] <= pt[second - 1] + 0.01).all()
    # back to back
    cosine = (momenta[second, :2] * momenta[second - 1, :2]).sum(axis=1)
    assert (cosine < 0).mean() > 0.9
    assert (chunk.event >= 0).all()
    assert len(np.unique(momenta, axis=0)) == len(momenta)


def test_events_are_counted_over_batches(monkeypatch):
    monkeypatch.setattr(generation, "_EVENTS_PER_BATCH", 17)
    assert_same(generate_chunk(W, 1, JETS), jets())


@pytest.mark.parametrize("process", ["W", "QCD", "top"])
def test_an_event_loop_by_hand_gives_the_same_jets(process):
    """Event by event, with Pythia's and FastJet's own objects instead of arrays."""
    chunk = jets(process)
    silence_banner()
    pythia = pythia8mc.Pythia("", False)
    for command in (
        *GeneratorSettings(process, 500.0).pythia_commands(),
        "Print:quiet = on",
        "Random:setSeed = on",
        "Random:seed = 1",
    ):
        assert pythia.readString(command)
    assert pythia.init()
    definition = fastjet.JetDefinition(fastjet.antikt_algorithm, 1.0)
    found = []
    for event in range(15):
        assert pythia.next()
        particles = [
            fastjet.PseudoJet(p.px(), p.py(), p.pz(), p.e()) for p in pythia.event if p.isFinal()
        ]
        sequence = fastjet._swig.ClusterSequence(particles, definition)
        hardest = sorted(sequence.inclusive_jets(500.0), key=lambda jet: -jet.perp())
        inside = [jet for jet in hardest if abs(jet.rap()) < 2.5][:2]
        for rank, jet in enumerate(inside):
            constituents = [(p.px(), p.py(), p.pz(), p.e()) for p in jet.constituents()]
            found.append((event, rank, to_grid(np.array(constituents))))
    assert len(found) > 5
    bounds = offsets(chunk)
    for number, (event, rank, constituents) in enumerate(found):
        assert (chunk.event[number], chunk.rank[number]) == (event, rank)
        own = chunk.constituents[bounds[number] : bounds[number + 1]]
        visible = constituents[np.hypot(*constituents[:, :2].T) > 0]
        np.testing.assert_array_equal(own[np.lexsort(own.T)], visible[np.lexsort(visible.T)])
    assert chunk.event[len(found)] >= 15


def test_the_same_again():
    assert_same(generate_chunk(W, 1, JETS), jets())


@pytest.mark.parametrize("number", [1, 13])
def test_fewer_are_a_prefix_of_more(number):
    few, many = generate_chunk(W, 1, number), jets()
    constituents = many.counts[:number].sum()
    assert_same(
        few,
        JetChunk(
            many.counts[:number],
            many.constituents[:constituents],
            many.softer_size[: constituents - number],
            *(column[:number] for column in many[3:]),
        ),
    )


def test_another_seed_gives_other_jets():
    other = jets(seed=2)
    assert (other.pythia_seed == 2).all()
    mine = {row.tobytes() for row in jets().constituents}
    shared = sum(row.tobytes() in mine for row in other.constituents)
    assert shared < 0.01 * len(other.constituents)


def test_trees_are_those_of_the_rounded_constituents():
    chunk = jets("top")
    trees = cluster(offsets(chunk), chunk.constituents.astype(np.float64))
    np.testing.assert_array_equal(trees.constituents, chunk.constituents)
    np.testing.assert_array_equal(trees.softer_size, chunk.softer_size)


def test_grid():
    momenta = np.random.default_rng(0).normal(0, 100, (1000, 4))
    rounded = to_grid(momenta)
    assert rounded.dtype == np.float32
    scaled = rounded.astype(np.float64) * 2**16
    np.testing.assert_array_equal(scaled, np.rint(scaled))
    assert (np.abs(rounded - momenta) <= 2.0**-17 + np.abs(momenta) * 2.0**-24).all()
    np.testing.assert_array_equal(to_grid(rounded.astype(np.float64)), rounded)


def test_what_the_grid_costs():
    """Without the grid the same jets come out, and no mass moves by more than 5 MeV."""
    exact = generate_chunk(W, 1, 20, grid=False)
    assert exact.constituents.dtype == np.float64
    ours = jets()
    np.testing.assert_array_equal(exact.event, ours.event[:20])
    np.testing.assert_allclose(jet_momenta(exact), jet_momenta(ours)[:20], rtol=0, atol=5e-3)
    masses = [np.sqrt(squared_masses(jet_momenta(one)[:20])) for one in (exact, ours)]
    np.testing.assert_allclose(*masses, rtol=0, atol=5e-3)


# --- what levels and switches do


@pytest.mark.parametrize("process", ["W", "QCD", "top"])
def test_each_level_adds_particles(process):
    """Hadronisation and multiparton interactions each raise the multiplicity, far beyond errors."""
    means, errors = [], []
    for level in ("parton", "hadron", "truth"):
        counts = jets(process, level=level).counts if level != "truth" else jets(process).counts
        means.append(counts.mean())
        errors.append(counts.std() / np.sqrt(len(counts)))
    parton, hadron, truth = means
    assert hadron > 1.4 * parton
    assert hadron - parton > 5 * np.hypot(errors[0], errors[1])
    assert truth > 1.05 * hadron


def test_neutral_pions():
    """Stable as in the public samples: a third of the pions, few photons. Decaying: none."""

    def shares(chunk):
        low = chunk.constituents[chunk.constituents[:, 3] < LOW_ENERGY]
        m2 = squared_masses(low)
        pions = np.abs(m2 - PI0_M2) < HALFWAY_TO_CHARGED_PION
        photons = np.abs(m2) < HALFWAY_TO_CHARGED_PION
        return pions.mean(), photons.mean()

    pions, photons = shares(jets())
    assert 0.2 < pions < 0.4
    assert photons < 0.1
    pions, photons = shares(jets(pi0_decays=True))
    assert pions < 0.002
    assert 0.35 < photons < 0.6
    assert jets(pi0_decays=True).counts.mean() > 1.15 * jets().counts.mean()


def test_b_hadrons():
    """Top jets hold B hadrons of 5.2 to 6.3 GeV unless these decay."""

    def b_hadrons(chunk):
        m = np.sqrt(np.maximum(squared_masses(chunk.constituents), 0))
        return ((m > 5.2) & (m < 6.4)).sum()

    assert 20 < b_hadrons(jets("top")) < 120
    assert b_hadrons(jets("top", b_decays=True)) == 0


def test_neutrinos():
    """Switched off, the same jets lose massless constituents and hardly anything else."""
    seen, unseen = jets("top", b_decays=True), jets("top", b_decays=True, neutrinos=False)

    def rows(chunk):
        """Constituents of the hardest jet of each event."""
        bounds = offsets(chunk)
        return {
            event: {tuple(row) for row in chunk.constituents[bounds[j] : bounds[j + 1]].tolist()}
            for j, event in enumerate(chunk.event.tolist())
            if chunk.rank[j] == 0
        }

    with_them, without = rows(seen), rows(unseen)
    # Losing a hard neutrino can make the other jet the hardest.
    common = [e for e in with_them if e in without and with_them[e] & without[e]]
    assert len(common) > 0.7 * len(with_them)
    lost = set().union(*(with_them[event] - without[event] for event in common))
    new = set().union(*(without[event] - with_them[event] for event in common))
    total = sum(len(without[event]) for event in common)
    # A jet whose axis moves can swap a soft particle with its surroundings.
    assert len(new) < 0.01 * total
    massless = np.abs(squared_masses(np.array([*lost]))) < 0.02
    assert 5 <= massless.sum() < 0.05 * total
    assert massless.mean() > 0.5


# --- the bundled samples


@pytest.mark.parametrize("process", ["W", "QCD", "top"])
def test_bundled_jets_are_generated_again(process):
    """The first 50 official test jets come out of today's generator bit for bit."""
    spec = hepgym.datasets.spec(f"jets/{process}-500GeV-v1")
    file = spec.bundled_file("test")
    versions = jet_files.read_metadata(file)["versions"]
    for name, version in versions.items():
        if importlib.metadata.version(name) != version:
            pytest.skip(f"the bundled jets were made with {name} {version}")
    fresh = generate_chunk(spec.settings, pythia_seed("test", 0, 0), 50)
    stored = jet_files.read(file, stop=50)
    np.testing.assert_array_equal(np.diff(stored.offsets), fresh.counts)
    np.testing.assert_array_equal(stored.constituents, fresh.constituents)
    np.testing.assert_array_equal(stored.softer_size, fresh.softer_size)
    origin = jet_files.read_origin(file, stop=50)
    for name, values in origin.items():
        np.testing.assert_array_equal(values, getattr(fresh, name))


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_bundled_splits_use_their_own_seeds(split):
    spec = hepgym.datasets.spec("jets/W-500GeV-v1")
    seeds = jet_files.read_origin(spec.bundled_file(split))["pythia_seed"]
    first = pythia_seed(split, 0, 0)
    expected = np.repeat(first + np.arange(-(-len(seeds) // CHUNK_JETS)), CHUNK_JETS)
    np.testing.assert_array_equal(seeds, expected[: len(seeds)])


# --- refusals of Pythia


def test_pythia_refuses_a_setting(monkeypatch, capfd):
    monkeypatch.setitem(settings.PROCESSES, "W", ("NoSuch:setting = on",))
    with pytest.raises(DatasetError, match="Pythia does not accept the setting 'NoSuch:setting"):
        generate_chunk(W, 1, 1)


def test_pythia_cannot_start(monkeypatch, capfd):
    monkeypatch.setitem(settings.PROCESSES, "W", ())
    with pytest.raises(DatasetError, match=r"Pythia could not be initialised with GeneratorSett"):
        generate_chunk(W, 1, 1)
