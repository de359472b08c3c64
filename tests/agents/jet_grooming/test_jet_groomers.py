"""What every classical groomer promises, and the registry."""

from __future__ import annotations

import json

import numpy as np
import pytest

from hepgym.agents.jet_grooming import GROOMERS, GroomedJets, canonical_decisions, make_groomer
from hepgym.datasets.jets.clustering import cluster
from hepgym.datasets.jets.trees import mass
from hepgym.envs.jet_grooming.grooming import groom

KINDS = ["w_trees", "qcd_trees", "top_trees"]
NAMES = [
    "plain",
    "random",
    "mmdt",
    "soft-drop",
    "recursive-soft-drop",
    "dynamical",
    "trimming",
    "pruning",
]
RECLUSTERING = {"trimming", "pruning"}


def test_registry_holds_the_documented_names():
    assert list(GROOMERS) == NAMES
    assert all(groomer.name == name for name, groomer in GROOMERS.items())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", KINDS)
def test_result_is_consistent(name, kind, request):
    trees = request.getfixturevalue(kind).select(slice(0, 300))
    groomed = make_groomer(name).groom(trees)
    assert groomed.momenta.shape == (len(trees), 4)
    assert groomed.momenta.dtype == np.float64
    assert np.array_equal(groomed.mass, mass(groomed.momenta))
    if name in RECLUSTERING:
        assert groomed.decisions is None
        assert groomed.kept.shape == (len(trees.constituents),)
        assert groomed.kept.dtype == np.bool_
    else:
        assert groomed.kept is None
        assert groomed.decisions.shape == trees.softer_size.shape
        assert groomed.decisions.dtype == np.uint8
        assert np.array_equal(groom(trees, groomed.decisions), groomed.momenta)
        assert np.array_equal(canonical_decisions(trees, groomed.decisions), groomed.decisions)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", KINDS)
def test_mass_never_exceeds_the_plain_mass(name, kind, request):
    trees = request.getfixturevalue(kind).select(slice(0, 500))
    groomed = make_groomer(name).groom(trees).mass
    plain = mass(trees.jet_momenta)
    # Constituents in single precision may have m^2 slightly below zero.
    assert (groomed * np.abs(groomed) <= plain**2 + 1e-2).all()
    if name == "plain":
        assert np.array_equal(groomed, plain)
    else:
        assert (groomed < plain - 1.0).mean() > 0.5


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"random"}))
def test_order_of_the_jets_does_not_matter(name, top_trees):
    trees = top_trees.select(slice(0, 200))
    order = np.random.default_rng(3).permutation(len(trees))
    groomer = make_groomer(name)
    straight, shuffled = groomer.groom(trees), groomer.groom(trees.select(order))
    np.testing.assert_allclose(shuffled.momenta, straight.momenta[order], rtol=1e-14)
    if straight.decisions is None:
        parts = np.split(straight.kept, trees.offsets[1:-1])
        assert np.array_equal(np.concatenate([parts[j] for j in order]), shuffled.kept)
    else:
        parts = np.split(straight.decisions, trees.node_offsets[1:-1])
        assert np.array_equal(np.concatenate([parts[j] for j in order]), shuffled.decisions)


@pytest.mark.parametrize("name", NAMES)
def test_jets_of_one_and_two_constituents(name):
    """Nothing can be removed from a single constituent; a symmetric pair passes everything."""
    momenta = np.array(
        [
            [500.0, 0.0, 10.0, 500.2],
            [250.0, 0.0, 0.0, 250.1],
            [250.0, 30.0, 0.0, 252.0],
            [40.0, 300.0, -70.0, 311.0],
        ]
    )
    trees = cluster(np.array([0, 1, 3, 4]), momenta)
    groomed = make_groomer(name).groom(trees)
    np.testing.assert_allclose(groomed.momenta[[0, 2]], momenta[[0, 3]])
    if name != "random":
        np.testing.assert_allclose(groomed.momenta[1], momenta[1] + momenta[2])


@pytest.mark.parametrize("name", NAMES)
def test_an_empty_sample_gives_an_empty_result(name, w_trees):
    groomed = make_groomer(name).groom(w_trees.select(slice(0, 0)))
    assert groomed.momenta.shape == (0, 4)
    assert groomed.mass.shape == (0,)


def test_canonical_decisions_ignore_what_is_never_reached(qcd_trees):
    """Flipping any decision that canonical form erased changes nothing; any other one does."""
    trees = qcd_trees.select(slice(0, 30))
    raw = (np.random.default_rng(5).random(len(trees.softer_size)) < 0.4).astype(np.uint8)
    canonical = canonical_decisions(trees, raw)
    reference = groom(trees, raw)
    assert np.array_equal(groom(trees, canonical), reference)
    assert (canonical <= raw).all()
    assert (canonical < raw).any()
    for node in np.flatnonzero(canonical):
        flipped = canonical.copy()
        flipped[node] = 0
        assert not np.array_equal(groom(trees, flipped), reference)


def test_random_is_reproducible_and_has_its_probability(w_trees):
    first = make_groomer("random", p=0.3, seed=7).groom(w_trees)
    again = make_groomer("random", p=0.3, seed=7).groom(w_trees)
    other = make_groomer("random", p=0.3, seed=8).groom(w_trees)
    assert np.array_equal(first.decisions, again.decisions)
    assert not np.array_equal(first.decisions, other.decisions)
    roots = w_trees.node_offsets[:-1]
    groomed = [make_groomer("random", p=0.3, seed=seed).groom(w_trees) for seed in range(10)]
    rate = np.mean([jets.decisions[roots].mean() for jets in groomed])
    assert rate == pytest.approx(0.3, abs=5 * np.sqrt(0.21 / (10 * len(w_trees))))


def test_random_at_its_limits(w_trees):
    assert np.array_equal(make_groomer("random", p=0).groom(w_trees).momenta, w_trees.jet_momenta)
    stripped = make_groomer("random", p=1).groom(w_trees).momenta
    # Every softer branch removed leaves the last constituent in tree order.
    last = w_trees.constituents[w_trees.offsets[1:] - 1]
    np.testing.assert_allclose(stripped, last, atol=1e-9)


@pytest.mark.parametrize(
    ("name", "parameters", "text"),
    [
        ("plain", {}, "plain"),
        ("random", {}, "random(p=0.5, seed=0)"),
        ("mmdt", {}, "mMDT(z_cut=0.1)"),
        ("soft-drop", {}, "SD(z_cut=0.1, beta=1)"),
        ("recursive-soft-drop", {}, "RSD(z_cut=0.05, beta=1)"),
        ("recursive-soft-drop", {"N": 3}, "RSD(z_cut=0.05, beta=1, N=3)"),
        ("dynamical", {"a": 0.1}, "DyG(a=0.1)"),
        ("trimming", {}, "trimming(R_sub=0.2, f_cut=0.05)"),
        ("pruning", {}, "pruning(z_cut=0.1, R_cut_factor=0.5)"),
    ],
)
def test_parameters_survive_json_and_print_as_in_papers(name, parameters, text):
    groomer = make_groomer(name, **parameters)
    stored = json.loads(json.dumps({"name": groomer.name, **groomer.parameters}))
    assert make_groomer(**stored) == groomer
    assert str(groomer) == text


def test_numpy_numbers_become_json_numbers():
    groomer = make_groomer("recursive-soft-drop", z_cut=np.float32(0.25), N=np.int64(2))
    assert json.dumps(groomer.parameters) == '{"z_cut": 0.25, "beta": 1.0, "N": 2}'


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("rsd", {}, "no groomer 'rsd'; choose one of plain, random, mmdt, soft-drop"),
        ("soft-drop", {"zcut": 0.1}, "soft-drop has no parameter 'zcut'; its parameters are z_cut"),
        ("plain", {"z_cut": 0.1}, "plain has no parameter 'z_cut'; it has none"),
        ("soft-drop", {"z_cut": 0.5}, "z_cut is 0.5 but must be a number with 0 < z_cut < 0.5"),
        ("mmdt", {"z_cut": 0.0}, "mmdt: z_cut is 0.0"),
        ("mmdt", {"z_cut": "0.1"}, "z_cut is '0.1' but must be a number"),
        ("mmdt", {"z_cut": None}, "z_cut is None"),
        ("mmdt", {"z_cut": float("nan")}, "z_cut is nan"),
        ("mmdt", {"z_cut": 10**400}, "z_cut is 10+ but must be a number"),
        ("soft-drop", {"beta": float("inf")}, "beta is inf"),
        ("soft-drop", {"beta": True}, "beta is True"),
        ("recursive-soft-drop", {"N": 0}, "N is 0 but must be an integer with N >= 1 or None"),
        ("recursive-soft-drop", {"N": 2.0}, "N is 2.0 but must be an integer"),
        ("dynamical", {"a": 0.0}, "a is 0.0 but must be a number with 0 < a <= 10"),
        ("trimming", {"f_cut": 1.0}, "f_cut is 1.0"),
        ("trimming", {"R_sub": -0.2}, "R_sub is -0.2"),
        ("pruning", {"R_cut_factor": 0.0}, "R_cut_factor is 0.0"),
        ("random", {"p": 1.1}, "p is 1.1 but must be a number with 0 <= p <= 1"),
        ("random", {"seed": -1}, "seed is -1"),
        ("random", {"seed": False}, "seed is False but must be an integer"),
    ],
)
def test_bad_requests_are_refused(name, parameters, message):
    with pytest.raises(ValueError, match=message):
        make_groomer(name, **parameters)


def test_groomed_jets_need_exactly_one_account():
    momenta = np.zeros((1, 4))
    with pytest.raises(ValueError, match="either decisions or kept"):
        GroomedJets(momenta)
    with pytest.raises(ValueError, match="either decisions or kept"):
        GroomedJets(momenta, np.zeros(0, np.uint8), np.ones(1, bool))
