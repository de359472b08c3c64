"""Kernels of VEGAS: random numbers, grid, iteration, stratification."""

from __future__ import annotations

import numpy as np
import pytest

from hepgym.datasets.integrands import integrand
from hepgym.envs.vegas_sampling import grid
from hepgym.envs.vegas_sampling.iteration import iterate
from hepgym.envs.vegas_sampling.random import LANES, fill_uniform, new_state
from hepgym.envs.vegas_sampling.stratification import allocate, find_cubes

MASK = (1 << 64) - 1


def rotate(x: int, k: int) -> int:
    return ((x << k) | (x >> (64 - k))) & MASK


def test_generator_is_xoshiro256_plus_plus():
    state = new_state(5, 7)
    s = [int(word) for word in state[:, 3]]
    out = np.empty(4 * LANES)
    fill_uniform(state, out)
    for row in range(4):
        number = (rotate((s[0] + s[3]) & MASK, 23) + s[0]) & MASK
        t = (s[1] << 17) & MASK
        s[2] ^= s[0]
        s[3] ^= s[1]
        s[1] ^= s[2]
        s[0] ^= s[3]
        s[2] ^= t
        s[3] = rotate(s[3], 45)
        assert out[row * LANES + 3] == (number >> 12) * 2.0**-52


def test_numbers_are_uniform_and_independent():
    n = 320_000
    streams = np.empty((4, n))
    for row, (seed, stream) in enumerate([(0, 0), (0, 1), (1, 0), (2**64 - 1, 2**63)]):
        fill_uniform(new_state(seed, stream), streams[row])
    assert streams.min() >= 0.0
    assert streams.max() < 1.0
    counts = np.array([np.histogram(row, 100, (0, 1))[0] for row in streams])
    chi2 = ((counts - n / 100) ** 2 / (n / 100)).sum(axis=1)
    assert (abs(chi2 - 99) < 5 * np.sqrt(198)).all()
    # Between streams, between lanes and from one number of a lane to its next.
    centred = streams - 0.5
    rows = [*centred, centred[0, 1:], centred[0, LANES:]]
    m = n - LANES
    correlations = np.corrcoef([row[:m] for row in rows]) - np.eye(len(rows))
    assert abs(correlations).max() < 5 / np.sqrt(m)


@pytest.mark.parametrize("seed", [-1, 2**64, 1.5, "1"])
def test_bad_seed(seed):
    with pytest.raises(ValueError, match="seed"):
        new_state(seed)


def random_edges(dim: int, bins: int) -> np.ndarray:
    edges = np.sort(np.random.default_rng(3).random((dim, bins + 1)), axis=1)
    edges[:, 0], edges[:, -1] = 0.0, 1.0
    return edges


def test_map_is_the_interpolation_and_its_jacobian():
    edges = random_edges(3, 17)
    uniform = np.random.default_rng(1).random((3, 200))
    uniform[:, 0] = 1.0
    points, jacobian, bins = uniform.copy(), np.empty(200), np.empty((3, 200), np.int32)
    grid.map_block(edges, points, jacobian, bins)
    for k in range(3):
        expected = np.interp(uniform[k], np.linspace(0, 1, 18), edges[k])
        np.testing.assert_allclose(points[k], expected, rtol=1e-13)
        np.testing.assert_array_equal(bins[k], np.minimum((uniform[k] * 17).astype(int), 16))
    widths = np.diff(edges, axis=1)
    product = np.prod([widths[k][bins[k]] * 17 for k in range(3)], axis=0)
    np.testing.assert_allclose(jacobian, product, rtol=1e-13)
    density = np.empty(200)
    grid.density(edges, np.ascontiguousarray(points.T), density)
    np.testing.assert_allclose(density, 1 / jacobian, rtol=1e-12)


def test_numbers_mapped_together_are_those_mapped_alone():
    edges = random_edges(2, 33)
    uniform = np.random.default_rng(2).random((2, 203))
    together, alone = uniform.copy(), uniform.copy()
    jacobian, own = np.empty(203), np.empty(203)
    bins = np.empty((2, 203), np.int32)
    grid.map_block(edges, together, jacobian, bins)
    for i in range(203):
        point = np.ascontiguousarray(alone[:, i : i + 1])
        grid.map_block(edges, point, own[i : i + 1], np.empty((2, 1), np.int32))
        alone[:, i : i + 1] = point
    # To the last bit: the result of an integration does not depend on the length of its blocks.
    np.testing.assert_array_equal(together, alone)
    np.testing.assert_array_equal(jacobian, own)


def test_accumulate_is_a_histogram():
    bins = np.random.default_rng(0).integers(0, 9, (2, 100)).astype(np.int32)
    weights = np.random.default_rng(1).random(100)
    histogram = np.zeros((2, 9))
    grid.accumulate(bins, weights, histogram)
    for k in range(2):
        np.testing.assert_allclose(histogram[k], np.bincount(bins[k], weights, 9))


def test_refinement_converges_to_the_density_of_the_integrand():
    # For f(x) = 2x the best density is f itself: edges at sqrt(i / bins).
    edges = grid.uniform_edges(1, 50)
    for _ in range(40):
        low, high = edges[0, :-1], edges[0, 1:]
        # Integral of (f J)^2 over the uniform numbers of a bin.
        squares = (high - low) * 50 * (high**3 - low**3) * 4 / 3
        grid.refine(edges, squares[None, :].copy(), 1.0)
    np.testing.assert_allclose(edges[0], np.sqrt(np.arange(51) / 50), atol=0.02)
    assert (np.diff(edges[0]) > 0).all()


def test_refinement_edge_cases():
    edges = grid.uniform_edges(2, 8)
    before = edges.copy()
    weights = np.zeros((2, 8))
    weights[1, 3] = 1.0
    grid.refine(edges, weights, 1.5)
    np.testing.assert_array_equal(edges[0], before[0])
    assert np.diff(edges[1]).min() >= 0.0
    assert np.diff(edges[1]).argmin() in (2, 3, 4)
    edges = before.copy()
    grid.refine(edges, np.random.default_rng(0).random((2, 8)), 0.0)
    np.testing.assert_allclose(edges, before, atol=1e-15)
    grid.refine(edges, np.full((2, 8), np.nan), 1.5)
    np.testing.assert_allclose(edges, before, atol=1e-15)


def test_iteration_does_not_depend_on_how_chunks_are_grouped():
    function = integrand("camel-4d")
    edges = random_edges(4, 32)
    offsets = np.array([0, 1000, 1001, 4000, 4777])
    seed, stream = np.uint64(3), np.uint64(1 << 40)
    sums, histograms = np.empty((4, 2)), np.empty((4, 4, 32))
    iterate(function.kernel, edges, offsets, 0, 4, seed, stream, sums, histograms)
    for c in range(4):
        one, histogram = np.empty((1, 2)), np.empty((1, 4, 32))
        iterate(function.kernel, edges, offsets, c, c + 1, seed, stream, one, histogram)
        np.testing.assert_array_equal(one[0], sums[c])
        np.testing.assert_array_equal(histogram[0], histograms[c])
    np.testing.assert_allclose(histograms.sum(axis=2), np.tile(sums[:, 1:], 4), rtol=1e-12)


def test_allocation_uses_every_call():
    spread = np.random.default_rng(0).random(1000) ** 8
    ends = np.empty(1001, np.int64)
    allocate(spread, 54_321, 4, ends)
    calls = np.diff(ends)
    assert calls.sum() == 54_321
    assert calls.min() >= 4
    expected = 4 + (54_321 - 4000) * spread / spread.sum()
    assert abs(calls - expected).max() <= 1.0
    allocate(np.zeros(1000), 54_321, 4, ends)
    assert set(np.diff(ends)) == {54, 55}


def test_cubes_are_found():
    edges = random_edges(3, 40)
    strata = np.array([2, 3, 4])
    uniform = np.random.default_rng(5).random((3, 300))
    points = np.stack(
        [np.interp(u, np.linspace(0, 1, 41), e) for u, e in zip(uniform, edges, strict=True)], 1
    )
    cubes = np.empty(300, np.int64)
    find_cubes(edges, strata, points, cubes)
    digits = (uniform * strata[:, None]).astype(int)
    np.testing.assert_array_equal(cubes, (digits[0] * 3 + digits[1]) * 4 + digits[2])
