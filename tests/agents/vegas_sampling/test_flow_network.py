"""Splines, couplings and the flow: invertible, normalised, with the right gradients."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from hepgym.agents.vegas_sampling.flow import kernels
from hepgym.agents.vegas_sampling.flow.grid import Grid, uniform_grid
from hepgym.backend import keras, tensorflow

BINS = 7


@pytest.fixture(scope="module")
def spline():
    from hepgym.agents.vegas_sampling.flow import spline

    return spline


@pytest.fixture(scope="module")
def network():
    from hepgym.agents.vegas_sampling.flow import network

    return network


def raw_parameters(random, n, axes, spread=2.0):
    return (spread * random.normal(size=(n, axes * (3 * BINS + 1)))).astype(np.float32)


def distorted(network, dim, seed=0, spread=0.4, **kwargs):
    """A flow away from the identity."""
    flow = network.Flow(dim, bins=8, hidden=2, units=16, seed=seed, **kwargs)
    random = np.random.default_rng(seed)
    for variable in flow.trainable_variables:
        variable.assign(variable + spread * random.normal(size=variable.shape))
    return flow


def test_spline_ends_are_fixed_and_inverse_returns():
    random = np.random.default_rng(1)
    raw = raw_parameters(random, 3000, 2)
    x = random.random((3000, 2))
    x[0], x[1] = 0.0, 1.0
    y, log_slope, _ = kernels.forward(x, raw, BINS)
    np.testing.assert_allclose(y[:2], x[:2], atol=1e-15)
    assert y.min() >= 0.0
    assert y.max() <= 1.0
    back, same = kernels.inverse(y, raw, BINS)
    np.testing.assert_allclose(back, x, atol=1e-8)
    np.testing.assert_allclose(same, log_slope, atol=1e-6)


def test_spline_agrees_with_tensorflow_operations(spline):
    random = np.random.default_rng(2)
    raw, x = raw_parameters(random, 500, 3, spread=1.0), random.random((500, 3))
    for inverse in (False, True):
        value, log_slope = spline.rational_quadratic(x, raw, BINS, inverse)
        own = kernels.inverse(x, raw, BINS) if inverse else kernels.forward(x, raw, BINS)[:2]
        # The loops take exponentials in float32, the operations here in float64.
        np.testing.assert_allclose(own[0], value, atol=1e-5)
        np.testing.assert_allclose(own[1], log_slope, atol=1e-4)


def test_spline_gradient_agrees_with_automatic_one(spline):
    tf = tensorflow()
    random = np.random.default_rng(3)
    raw, x = raw_parameters(random, 200, 3, spread=1.0), random.random((200, 3))
    by_y, by_slope = random.normal(size=(200, 3)), random.normal(size=200)
    found = []
    for function in (spline.compiled_forward, spline.rational_quadratic):
        points, parameters = tf.Variable(x), tf.Variable(raw)
        with tf.GradientTape() as tape:
            y, log_slope = function(points, parameters, BINS)
            loss = tf.reduce_sum(by_y * y) + tf.reduce_sum(by_slope * log_slope)
        found.append(tape.gradient(loss, [points, parameters]))
    for own, reference in zip(*found, strict=True):
        np.testing.assert_allclose(own, reference, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("dim", range(2, 18))
def test_masks_couple_every_pair(dim, network):
    layers = network.masks(dim)
    assert len(layers) == 2 * int(np.ceil(np.log2(dim)))
    for given in layers:
        assert 0 < len(given) < dim
    for one, other in combinations(range(dim), 2):
        # Each of the two is moved, in some layer, by a network that sees the other.
        assert any(one in given and other not in given for given in layers)
        assert any(other in given and one not in given for given in layers)


@pytest.mark.parametrize("dim", [1, 2, 3, 5])
def test_fresh_flow_is_the_identity(dim, network):
    points = np.random.default_rng(0).random((50, dim))
    latent, log_density = network.Flow(dim, units=8)(points)
    np.testing.assert_allclose(latent, points, atol=1e-6)
    np.testing.assert_allclose(log_density, 0.0, atol=1e-5)


@pytest.mark.parametrize("dim", [1, 3, 8])
def test_inverse_of_the_flow(dim, network):
    flow = distorted(network, dim)
    latent = np.random.default_rng(4).random((2000, dim))
    points, log_density = flow.inverse(latent)
    back, same = flow(points)
    assert np.std(log_density) > 0.3
    np.testing.assert_allclose(back, latent, atol=1e-6)
    np.testing.assert_allclose(same, log_density, atol=1e-5)


def test_density_is_the_jacobian(network):
    flow = distorted(network, 3, spread=0.15)
    points = 0.05 + 0.9 * np.random.default_rng(5).random((40, 3))
    log_density = flow(points)[1].numpy()
    # float32 inside the networks limits how small a step may be.
    step = 2e-4
    jacobian = np.empty((len(points), 3, 3))
    for axis in range(3):
        shift = step * np.eye(3)[axis]
        jacobian[:, :, axis] = (flow(points + shift)[0] - flow(points - shift)[0]) / (2 * step)
    difference = np.linalg.slogdet(jacobian)[1] - log_density
    # Between the two ends of a difference a knot may lie.
    assert np.median(np.abs(difference)) < 1e-3
    assert np.quantile(np.abs(difference), 0.9) < 0.03


def test_density_integrates_to_one(network):
    flow = distorted(network, 2)
    side = (np.arange(1200) + 0.5) / 1200
    grid = np.stack(np.meshgrid(side, side, indexing="ij"), axis=-1).reshape(-1, 2)
    density = np.exp(flow(grid)[1].numpy())
    assert density.std() > 0.5
    assert density.mean() == pytest.approx(1.0, abs=1e-3)


def test_flow_loads_in_safe_mode(tmp_path, network):
    flow = distorted(network, 3)
    flow.save(tmp_path / "model.keras")
    again = keras().saving.load_model(tmp_path / "model.keras", safe_mode=True)
    points = np.random.default_rng(6).random((20, 3))
    np.testing.assert_array_equal(again(points)[0], flow(points)[0])
    assert again.get_config() == flow.get_config()


def test_grid_maps_there_and_back():
    random = np.random.default_rng(7)
    grid = uniform_grid(3, 16)

    def peak(points):
        return np.exp(-50.0 * ((points - 0.3) ** 2).sum(axis=1))

    before = grid.learn(peak, 5000, 1.0, random)
    for _ in range(4):
        after = grid.learn(peak, 5000, 1.0, random)
    assert after.std() / after.mean() < 0.3 * before.std() / before.mean()
    inner = random.random((1000, 3))
    points, _ = grid.to_points(inner)
    np.testing.assert_allclose(grid.to_uniform(points), inner, atol=1e-12)
    ends = Grid(grid.edges).to_points(np.array([[0.0, 1.0, 0.5]]))[0]
    assert ends.min() >= 0.0
    assert ends.max() <= 1.0
