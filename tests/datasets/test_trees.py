"""Clustering trees as flat arrays, held against FastJet's own objects."""

from __future__ import annotations

import itertools
import math

import fastjet
import numpy as np
import pytest

from hepgym.datasets.jets import clustering
from hepgym.datasets.jets.trees import (
    STATE_FIELDS,
    STATE_HIGH,
    STATE_LOW,
    ClusteringTrees,
    mass,
    rapidity,
)

PROCESSES = ["w", "qcd", "top"]
LN_Z, LN_DELTA, PSI, LN_M, LN_KT = range(5)


@pytest.fixture(params=PROCESSES)
def trees(request) -> ClusteringTrees:
    """The first 1000 official test jets of a process."""
    return request.getfixturevalue(f"{request.param}_trees")


def make(jets):
    """Trees of jets given as lists of four-momenta."""
    offsets = np.concatenate([[0], np.cumsum([len(jet) for jet in jets])]).astype(np.int64)
    momenta = np.array([p for jet in jets for p in jet], np.float64).reshape(-1, 4)
    return clustering.cluster(offsets, momenta)


def massless(pt, y, phi):
    return [pt * math.cos(phi), pt * math.sin(phi), pt * math.sinh(y), pt * math.cosh(y)]


def shuffled(trees, rng):
    """The constituents of each jet in another order."""
    order = [
        start + rng.permutation(stop - start) for start, stop in itertools.pairwise(trees.offsets)
    ]
    return trees.constituents[np.concatenate(order)]


def assert_same(a, b):
    np.testing.assert_array_equal(a.offsets, b.offsets)
    np.testing.assert_array_equal(a.constituents, b.constituents)
    np.testing.assert_array_equal(a.softer_size, b.softer_size)


def fastjet_nodes(offsets, momenta):
    """Nodes of all jets, walked with FastJet's own objects in pre-order, softer branch first.

    Returns node, harder and softer four-momentum, rapidities of both branches, their distance and
    difference in azimuth, all as FastJet gives them; the sizes of the softer branches; and the
    constituents in the order of the walk.
    """
    clustering.silence_banner()
    definition = fastjet.JetDefinition(fastjet.cambridge_algorithm, 1000.0)
    rows, softer_size, leaves = [], [], []
    for start, stop in itertools.pairwise(offsets):
        particles = [fastjet.PseudoJet(*p) for p in momenta[start:stop].tolist()]
        sequence = fastjet._swig.ClusterSequence(particles, definition)
        (root,) = sequence.inclusive_jets()
        stack = [root]
        while stack:
            jet = stack.pop()
            a, b = fastjet.PseudoJet(), fastjet.PseudoJet()
            if not jet.has_parents(a, b):
                leaves.append((jet.px(), jet.py(), jet.pz(), jet.e()))
                continue
            if a.perp2() < b.perp2():
                a, b = b, a
            stack += [a, b]
            softer_size.append(len(b.constituents()))
            momenta_of_three = [f() for jet in (jet, a, b) for f in (jet.px, jet.py, jet.pz, jet.e)]
            geometry = (a.rap(), b.rap(), a.delta_R(b), b.delta_phi_to(a))
            rows.append((*momenta_of_three, *geometry, jet.m2(), a.perp(), b.perp()))
    return np.array(rows), np.array(softer_size), np.array(leaves)


def test_every_node_is_fastjets(trees, random):
    """All nodes of 1000 jets: topology, children, four-momenta, who is softer, and states."""
    trees = clustering.cluster(trees.offsets, shuffled(trees, random))
    nodes, softer_size, leaves = fastjet_nodes(trees.offsets, shuffled(trees, random))
    assert len(nodes) == len(trees.softer_size) > 40_000
    np.testing.assert_array_equal(trees.softer_size, softer_size)
    np.testing.assert_array_equal(trees.constituents, leaves)

    total, harder, softer = nodes[:, :4], nodes[:, 4:8], nodes[:, 8:12]
    np.testing.assert_array_equal(trees.node_momenta, total)
    np.testing.assert_array_equal(trees.softer_momenta, softer)
    for child, expected in zip(trees.children, (harder, softer), strict=True):
        node = trees.node_offsets[trees.jet_of_node] + np.maximum(child, 0)
        leaf = trees.offsets[trees.jet_of_node] + np.maximum(-child - 1, 0)
        node = np.minimum(node, len(nodes) - 1)
        found = np.where(child[:, None] >= 0, trees.node_momenta[node], trees.constituents[leaf])
        np.testing.assert_array_equal(found, expected)

    y_a, y_b, delta, dphi, m2, pt_a, pt_b = nodes[:, 12:].T
    assert (pt_a >= pt_b).all()
    expected = np.stack(
        [
            np.log(pt_b / (pt_a + pt_b)),
            np.log(delta),
            np.arctan((y_a - y_b) / dphi),
            0.5 * np.log(np.maximum(m2, np.exp(2 * STATE_LOW[LN_M]))),
            np.log(pt_b * delta),
        ],
        axis=-1,
    )
    # Far from the beam, where rapidities do not amplify rounding, all agree to rounding; m^2 is
    # a difference of large numbers and is compared on their scale.
    well_known = [LN_Z, LN_DELTA, PSI, LN_KT]
    np.testing.assert_allclose(
        trees.states[:, well_known], expected[:, well_known], rtol=0, atol=1e-9
    )
    np.testing.assert_allclose(
        np.exp(2 * trees.states[:, LN_M]),
        np.exp(2 * expected[:, LN_M]),
        rtol=1e-12,
        atol=1e-13 * (total[:, 3] ** 2).max(),
    )


def test_momentum_is_conserved_exactly(trees):
    """On the grid of 2^-16 GeV sums have no rounding: children add up to nodes bit for bit."""
    scaled = trees.constituents * 2.0**16
    np.testing.assert_array_equal(scaled, np.rint(scaled))
    harder, softer = trees.children
    first_node = trees.node_offsets[trees.jet_of_node]
    first_leaf = trees.offsets[trees.jet_of_node]

    def momentum(child):
        out = trees.constituents[first_leaf + np.maximum(-child - 1, 0)]
        inner = child >= 0
        out[inner] = trees.node_momenta[(first_node + child)[inner]]
        return out

    np.testing.assert_array_equal(momentum(harder) + momentum(softer), trees.node_momenta)
    np.testing.assert_array_equal(momentum(softer), trees.softer_momenta)
    roots = trees.node_offsets[:-1]
    np.testing.assert_array_equal(trees.node_momenta[roots], trees.jet_momenta)


def test_sums_do_not_depend_on_the_order(trees, random):
    starts = trees.offsets[:-1]
    for _ in range(3):
        sums = np.add.reduceat(shuffled(trees, random), starts)
        np.testing.assert_array_equal(sums, trees.jet_momenta)
    backwards = np.add.reduceat(
        trees.constituents[::-1], (trees.offsets[-1] - trees.offsets[1:])[::-1]
    )
    np.testing.assert_array_equal(backwards[::-1], trees.jet_momenta)


def test_the_order_of_constituents_does_not_matter(trees, random):
    """Nor do the stored trees differ from fresh ones."""
    for _ in range(2):
        assert_same(clustering.cluster(trees.offsets, shuffled(trees, random)), trees)


def test_each_branch_is_a_range_of_constituents(qcd_trees):
    """The range that pre-order implies gives the same momenta as the recursion."""
    trees = qcd_trees.select(slice(0, 50))
    cumulative = np.concatenate([np.zeros((1, 4)), np.cumsum(trees.constituents, axis=0)])
    for j in range(len(trees)):
        stack = [(0, trees.offsets[j], trees.offsets[j + 1])]
        while stack:
            node, start, stop = stack.pop()
            i = trees.node_offsets[j] + node
            np.testing.assert_array_equal(
                trees.node_momenta[i], cumulative[stop] - cumulative[start]
            )
            middle = start + trees.softer_size[i]
            if middle - start > 1:
                stack.append((node + 1, start, middle))
            if stop - middle > 1:
                stack.append((node + trees.softer_size[i], middle, stop))


def test_every_child_but_the_root_is_somebodys(trees):
    """Nodes and constituents of a jet appear once each among its children."""
    for j in range(0, len(trees), 10):
        own = slice(trees.node_offsets[j], trees.node_offsets[j + 1])
        children = np.concatenate([side[own] for side in trees.children])
        n = trees.offsets[j + 1] - trees.offsets[j]
        assert sorted(children) == [*range(-n, 0), *range(1, n - 1)]


def test_primary_chain(trees):
    """Following the harder children from the root gives the primary nodes."""
    harder, _ = trees.children
    expected = np.zeros(len(harder), bool)
    for first in trees.node_offsets[:-1]:
        node = 0
        while node >= 0:
            expected[first + node] = True
            node = harder[first + node]
    np.testing.assert_array_equal(trees.primary, expected)
    assert 0.05 < trees.primary.mean() < 0.5


def test_states_lie_within_their_bounds(trees):
    states = trees.states
    assert states.shape == (len(trees.softer_size), len(STATE_FIELDS))
    assert np.isfinite(states).all()
    assert (states >= STATE_LOW).all()
    assert (states <= STATE_HIGH).all()
    # z of the softer branch is at most a half, and only soft or collinear masses are clipped
    assert states[:, LN_Z].max() <= math.log(0.5) + 1e-12
    clipped = (states == STATE_LOW) | (states == STATE_HIGH)
    assert not clipped[:, [LN_Z, LN_DELTA, PSI, LN_KT]].any()
    assert clipped[:, LN_M].mean() < 0.05


def test_a_jet_by_hand():
    """Three massless particles: the close pair joins first, the root splits off the third."""
    soft, hard, wide = massless(10, 0.0, 0.1), massless(90, 0.0, 0.0), massless(20, 0.3, -0.4)
    trees = make([[hard, wide, soft]])
    np.testing.assert_allclose(trees.constituents, [wide, soft, hard])
    np.testing.assert_array_equal(trees.softer_size, [1, 1])
    harder, softer = trees.children
    np.testing.assert_array_equal(harder, [1, -3])
    np.testing.assert_array_equal(softer, [-1, -2])
    np.testing.assert_array_equal(trees.primary, [True, True])

    pair = np.add(soft, hard)
    pt, phi = math.hypot(*pair[:2]), math.atan2(pair[1], pair[0])
    delta = math.hypot(0.3, phi + 0.4)
    m2 = (np.add(pair, wide) ** 2) @ [-1, -1, -1, 1]
    root = [
        math.log(20 / (20 + pt)),
        math.log(delta),
        math.atan(-0.3 / (phi + 0.4)),
        0.5 * math.log(m2),
        math.log(20 * delta),
    ]
    np.testing.assert_allclose(trees.states[0], root, rtol=1e-10)
    pair_m = 0.5 * math.log(2 * 10 * 90 * (1 - math.cos(0.1)))
    np.testing.assert_allclose(
        trees.states[1], [math.log(0.1), math.log(0.1), 0.0, pair_m, 0.0], atol=1e-10
    )


def test_azimuth_wraps_around():
    """Branches on both sides of phi = pi are close; psi keeps its sign."""
    a, b = massless(90, 0.1, math.pi - 0.1), massless(10, 0.0, -math.pi + 0.2)
    state = make([[a, b]]).states[0]
    assert state[LN_DELTA] == pytest.approx(math.log(math.hypot(0.1, 0.3)), abs=1e-10)
    assert state[PSI] == pytest.approx(math.atan(0.1 / -0.3), abs=1e-10)
    mirrored = make([[massless(90, 0.1, -math.pi + 0.1), massless(10, 0.0, math.pi - 0.2)]])
    assert mirrored.states[0, PSI] == pytest.approx(math.atan(0.1 / 0.3), abs=1e-10)


@pytest.mark.parametrize(("y_a", "psi"), [(0.5, math.pi / 2), (-0.5, -math.pi / 2), (0.0, 0.0)])
def test_psi_without_a_difference_in_azimuth(y_a, psi):
    assert make([[massless(90, y_a, 0), massless(10, 0, 0)]]).states[0, PSI] == psi


def test_values_beyond_the_bounds_are_set_to_them():
    """The same direction twice, and a branch without transverse momentum."""
    collinear = make([[massless(64, 0, 0), massless(32, 0, 0)]]).states[0]
    assert collinear[LN_DELTA] == STATE_LOW[LN_DELTA]
    assert collinear[LN_M] == STATE_LOW[LN_M]
    assert collinear[LN_KT] == pytest.approx(max(-25 + math.log(32), -25))
    beam = make([[massless(64, 0, 0), [0, 0, 8, 8]]]).states[0]
    assert np.isfinite(beam).all()
    assert beam[LN_Z] == STATE_LOW[LN_Z]
    assert beam[LN_KT] == STATE_LOW[LN_KT]
    assert beam[LN_DELTA] == pytest.approx(math.log(1e5 + 8), rel=1e-4)
    assert (beam >= STATE_LOW).all()
    assert (beam <= STATE_HIGH).all()


def test_constituents_along_the_beam_join_last():
    """FastJet leaves them alone: nothing is farther away. The nearest branches are joined first."""
    forward, backward = [0, 0, 8, 8], [0, 0, -2, 2]
    jet = [massless(64, 0, 0), massless(32, 0.5, 1), massless(20, 0.1, 0.2)]
    trees, central = make([[jet[0], forward, jet[1], backward, jet[2]]]), make([jet])
    np.testing.assert_array_equal(trees.softer_size, [1, 1, *central.softer_size])
    np.testing.assert_array_equal(trees.softer_momenta[:2], [forward, backward])
    np.testing.assert_array_equal(trees.node_momenta[2:], central.node_momenta)
    np.testing.assert_array_equal(trees.states[2:], central.states)


@pytest.mark.parametrize(
    "momentum",
    [
        (3, 4, 0, 5),
        (3, 4, 12, 13),
        (3, 4, -12, 13),
        (3, 4, 12, 20),
        (1e-8, 0, 6500, 6500),
        (0, 0, 6500, 6500),
        (0, 0, -6500, 6500),
        (0, 0, 0, 0),
        (0, 0, 0, 5),
        (0, 0, 3, 5),
        (3, 4, 12, 12.9),  # m^2 < 0
        (2.0**-16, 0, 2000, 2000),
        (1e-160, 0, 1, 1),  # pt^2 underflows
    ],
)
def test_rapidity_is_fastjets(momentum):
    px, py, pz, energy = map(float, momentum)
    found = rapidity(px * px + py * py, pz, energy)
    assert math.isfinite(found)
    assert found == pytest.approx(fastjet.PseudoJet(px, py, pz, energy).rap(), rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("sign", [1, -1])
def test_rapidity_of_a_particle_below_the_light_cone(sign):
    """Along the beam with E < |pz| by rounding: FastJet says infinity, the state must not."""
    assert rapidity(0.0, sign * 5.0, 4.999) == sign * (1e5 + 5.0)
    assert rapidity(0.0, sign * 5.0, 5.0) == sign * (1e5 + 5.0)


def test_mass():
    momenta = np.array([[0, 0, 3, 5], [3, 4, 0, 5], [1, 0, 0, 0], [0, 0, 0, 0]], float)
    np.testing.assert_array_equal(mass(momenta), [4, 0, -1, 0])
    np.testing.assert_array_equal(mass(momenta.reshape(2, 2, 4)), [[4, 0], [-1, 0]])
    # collinear to the beam: no cancellation
    assert mass(np.array([0, 0, 6500, np.nextafter(6500, 7000)])) == pytest.approx(
        math.sqrt(13000 * (np.nextafter(6500, 7000) - 6500))
    )


def test_masses_are_fastjets(trees):
    expected = [fastjet.PseudoJet(*p).m() for p in trees.jet_momenta.tolist()]
    np.testing.assert_allclose(mass(trees.jet_momenta), expected, rtol=1e-12)


def test_single_constituents():
    one, pair = [massless(5, 0, 0)], [massless(7, 0, 0), massless(3, 0, 1)]
    trees = make([one, pair, one, one, pair, one])
    assert len(trees) == 6
    np.testing.assert_array_equal(trees.node_offsets, [0, 0, 1, 1, 1, 2, 2])
    np.testing.assert_array_equal(trees.jet_of_node, [1, 4])
    np.testing.assert_array_equal(trees.softer_size, [1, 1])
    np.testing.assert_allclose(trees.jet_momenta[[0, 2, 3, 5]], np.repeat([one[0]], 4, axis=0))
    np.testing.assert_allclose(trees.node_momenta, np.repeat([np.add(*pair)], 2, axis=0))
    np.testing.assert_array_equal(trees.primary, [True, True])
    only = make([one])
    assert only.states.shape == (0, 5)
    assert [side.shape for side in only.children] == [(0,), (0,)]
    np.testing.assert_array_equal(only.constituents, one)


def test_no_jets():
    trees = make([])
    assert len(trees) == 0
    assert trees.states.shape == (0, 5)
    assert trees.jet_momenta.shape == (0, 4)
    assert trees.primary.shape == trees.jet_of_node.shape == (0,)


@pytest.mark.parametrize(
    "jets",
    [
        slice(0, 10),
        slice(None, None, -7),
        np.array([5]),
        np.array([999, 3, 3, -1, 0]),
        np.array([], int),
        np.arange(1000) % 3 == 0,
    ],
    ids=["slice", "backwards", "one", "repeated", "none", "mask"],
)
def test_select(top_trees, jets):
    chosen = top_trees.select(jets)
    index = np.arange(len(top_trees))[jets]
    assert len(chosen) == len(index)
    np.testing.assert_array_equal(chosen.jet_momenta, top_trees.jet_momenta[index])
    for new, old in enumerate(index):
        for offsets, names in (
            ("offsets", ["constituents"]),
            ("node_offsets", ["softer_size", "states", "node_momenta", "primary"]),
        ):
            a, b = getattr(chosen, offsets), getattr(top_trees, offsets)
            for name in names:
                np.testing.assert_array_equal(
                    getattr(chosen, name)[a[new] : a[new + 1]],
                    getattr(top_trees, name)[b[old] : b[old + 1]],
                )
        for mine, theirs in zip(chosen.children, top_trees.children, strict=True):
            np.testing.assert_array_equal(
                mine[chosen.node_offsets[new] : chosen.node_offsets[new + 1]],
                theirs[top_trees.node_offsets[old] : top_trees.node_offsets[old + 1]],
            )


def test_selecting_a_jet_that_is_not_there(w_trees):
    with pytest.raises(IndexError):
        w_trees.select(np.array([1000]))


def test_another_fastjet_layout_is_noticed(monkeypatch):
    monkeypatch.setattr(clustering, "_HISTORY_BYTES", 40)
    with pytest.raises(RuntimeError, match="this fastjet version is not supported"):
        make([[massless(7, 0, 0), massless(3, 0, 1)]])
