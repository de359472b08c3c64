"""The flow as a sampler: honest results, resumable training, files."""

from __future__ import annotations

import numpy as np
import pytest

from hepgym.agents.vegas_sampling import make_sampler
from hepgym.agents.vegas_sampling.flow import FlowSampler, draw_log, read_log, training
from hepgym.agents.vegas_sampling.flow.settings import LOSSES, FlowSettings
from hepgym.datasets.integrands import Integrand, integrand

SMALL = {"bins": 8, "units": 16, "batch": 512, "grid_bins": 16}
CALLS = 20_000


@pytest.fixture(scope="module")
def trained():
    sampler = FlowSampler(**SMALL)
    return sampler, sampler.integrate(integrand("camel-2d"), CALLS, seed=3)


@pytest.fixture(scope="module")
def spare():
    """A sampler to try things with: what is compiled for one integral serves the next."""
    return FlowSampler(**SMALL)


def spread(sampler, chosen):
    points, density = sampler.sample(20_000, seed=5)
    weights = chosen(points) / density
    return weights.std() / weights.mean()


def test_estimate_and_calls(trained):
    _, found = trained
    exact = integrand("camel-2d").reference.value
    assert abs(found.estimate - exact) < 4.0 * found.error
    assert found.error < 0.01 * exact
    assert found.calls == CALLS == sum(row.calls for row in found.iterations)
    assert 0.0 < found.overhead_seconds <= found.seconds
    # Only points drawn after the last gradient step are counted.
    counted = [row.counted for row in found.iterations]
    assert counted == sorted(counted)
    assert sum(row.calls for row in found.iterations if row.counted) > CALLS // 2
    assert "training" in found.table()


def test_integrand_is_called_no_more_than_allowed(spare):
    seen = []

    def function(points):
        seen.append(len(points))
        return points.sum(axis=1)

    own = Integrand("sum", 2, None, 1.0, function=function)
    spare.integrate(own, 5_000)
    assert sum(seen) == 5_000


@pytest.mark.parametrize("loss", [loss for loss in LOSSES if loss != FlowSettings().loss])
def test_other_losses_beat_the_grid_too(loss):
    # A grid puts half of its points where this integrand has no peak.
    chosen = integrand("camel-3d")
    grid = make_sampler("vegas", bins=16)
    grid.integrate(chosen, CALLS, seed=1)
    flow = FlowSampler(**{**SMALL, "loss": loss})
    flow.integrate(chosen, CALLS, seed=1)
    assert spread(flow, chosen) < 0.6 * spread(grid, chosen)


def test_errors_are_honest(spare):
    """Pulls over seeds, of an integrand that a grid alone cannot follow."""
    chosen = integrand("camel-2d")
    pulls = []
    for seed in range(10):
        found = spare.integrate(chosen, 8_000, seed=seed)
        pulls.append((found.estimate - chosen.reference.value) / found.error)
    # chi^2 with 10 degrees of freedom lies outside of these with probability 1e-4.
    assert 0.9 < np.square(pulls).sum() < 38.0


def test_same_seed_same_result(trained):
    sampler, found = trained
    again = FlowSampler(**SMALL).integrate(integrand("camel-2d"), CALLS, seed=3)
    assert again.estimate == found.estimate
    one, two = sampler.sample(100, seed=1), sampler.sample(100, seed=1)
    np.testing.assert_array_equal(one[0], two[0])


def test_density_belongs_to_the_points(trained):
    sampler, _ = trained
    points, density = sampler.sample(5_000, seed=2)
    np.testing.assert_allclose(sampler.density(points), density, rtol=1e-6)
    side = (np.arange(600) + 0.5) / 600
    grid = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    assert sampler.density(grid).mean() == pytest.approx(1.0, abs=2e-3)
    # Points really follow it: shares of the quarters of the square.
    quarter = np.array([2, 1]) @ (points.T > 0.5)
    shares = np.bincount(quarter, minlength=4) / len(points)
    where = np.array([2, 1]) @ (grid.T > 0.5)
    expected = np.bincount(where, sampler.density(grid)) / len(grid)
    np.testing.assert_allclose(shares, expected, atol=5 * 0.5 / np.sqrt(len(points)))


def test_interrupted_integration_goes_on(tmp_path, trained, monkeypatch):
    _, found = trained
    monkeypatch.setattr(training, "_CHECKPOINT_SECONDS", 0.0)
    file, log = tmp_path / "state.npz", tmp_path / "log.jsonl"
    chosen = integrand("camel-2d")
    for stop_after in (3, 9, 20):
        seen = []

        def watch(so_far, seen=seen, stop_after=stop_after):
            seen.append(so_far)
            if so_far.calls and len(seen) == stop_after:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            FlowSampler(**SMALL).integrate(
                chosen, CALLS, seed=3, progress=watch, checkpoint=file, log=log
            )
    resumed = FlowSampler(**SMALL).integrate(chosen, CALLS, seed=3, checkpoint=file, log=log)
    assert resumed.estimate == found.estimate
    assert resumed.error == found.error
    rows = read_log(log)
    calls = [row["calls"] for row in rows]
    assert calls == sorted(set(calls))
    assert calls[-1] == CALLS
    assert {row["stage"] for row in rows} == {"grid", "training", "result"}
    assert draw_log(log).stat().st_size > 1_000
    with pytest.raises(ValueError, match="belongs to another integration"):
        FlowSampler(**SMALL).integrate(chosen, CALLS, seed=4, checkpoint=file)


def test_progress_shows_the_loss(spare):
    seen = []
    spare.integrate(integrand("gauss-2d"), 5_000, progress=seen.append)
    assert any(np.isfinite(one.loss) for one in seen)
    assert all(np.isfinite(one.estimate) for one in seen)
    assert [one.calls for one in seen] == sorted(one.calls for one in seen)


def test_saved_flow_is_the_same(tmp_path, trained):
    sampler, _ = trained
    sampler.save(tmp_path / "flow")
    again = FlowSampler.load(tmp_path / "flow")
    assert again.parameters == sampler.parameters
    for one, two in zip(sampler.sample(50), again.sample(50), strict=True):
        np.testing.assert_array_equal(one, two)
    (tmp_path / "flow" / "settings.json").write_text('{"sampler": "vegas", "format": 1}')
    with pytest.raises(ValueError, match="sampler 'vegas'"):
        FlowSampler.load(tmp_path / "flow")
    with pytest.raises(ValueError, match="is not the folder of a flow"):
        FlowSampler.load(tmp_path)


def test_unweighted_events_follow_the_integrand(trained):
    sampler, _ = trained
    chosen = integrand("camel-2d")
    events = sampler.unweight(chosen, 4_000, seed=1, pilot=10_000)
    assert events.efficiency > 0.1
    side = (np.arange(400) + 0.5) / 400
    grid = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    expected = (chosen(grid) @ (grid[:, 0] < 0.4)) / chosen(grid).sum()
    share = (events.weights @ (events.points[:, 0] < 0.4)) / events.weights.sum()
    assert share == pytest.approx(expected, abs=4 * 0.5 / np.sqrt(4_000))


def test_negative_integrand(spare):
    def function(points):
        return np.cos(np.pi * points[:, 0]) + 0.2

    own = Integrand("cosine", 2, None, 1.0, function=function)
    found = spare.integrate(own, CALLS)
    assert abs(found.estimate - 0.2) < 4.0 * found.error


def test_integrand_that_vanishes(spare):
    own = Integrand("zero", 2, None, 1.0, function=lambda points: np.zeros(len(points)))
    found = spare.integrate(own, 5_000)
    assert found.estimate == 0.0


def test_bad_input(spare):
    chosen = integrand("camel-2d")
    with pytest.raises(ValueError, match=r"calls = 1000 are too few, at least 1140 are needed"):
        spare.integrate(chosen, 1_000)
    training.schedule(FlowSettings(**SMALL), 1_140)
    with pytest.raises(ValueError, match="call integrate first"):
        FlowSampler().sample(3)
    with pytest.raises(ValueError, match="loss is 'mse' but must be"):
        FlowSampler(loss="mse")
    with pytest.raises(ValueError, match="has no parameter 'depth'"):
        make_sampler("flow", depth=3)
    broken = Integrand("broken", 2, None, 1.0, function=lambda p: np.full(len(p), np.nan))
    with pytest.raises(ValueError, match="integrand broken is nan at the point"):
        spare.integrate(broken, 5_000)


def test_density_refuses_other_points(trained):
    sampler, _ = trained
    with pytest.raises(ValueError, match=r"must have shape \(n, 2\)"):
        sampler.density(np.zeros((3, 4)))
    with pytest.raises(ValueError, match="must lie in"):
        sampler.density(np.full((3, 2), 1.5))
