"""VEGAS in TensorFlow, its gradients, and the integrators of others."""

from __future__ import annotations

import builtins
import warnings

import numpy as np
import pytest

from hepgym.agents.vegas_sampling import make_sampler
from hepgym.agents.vegas_sampling.figures import plot_grid, plot_marginals, plot_weights
from hepgym.agents.vegas_sampling.progress import progress_bar
from hepgym.datasets.integrands import integrand, register

PEERS = {"lepage": "vegas", "vegasflow": "vegasflow", "madspace": "madspace"}


@pytest.fixture(scope="module")
def trained():
    sampler = make_sampler("vegas-tf", iterations=6, batch=8192)
    return sampler, sampler.integrate(integrand("gauss-4d"), 150_000, 3)


def test_tensorflow_integrates(trained):
    sampler, result = trained
    reference = integrand("gauss-4d").reference.value
    assert result.calls == 150_000
    assert abs(result.estimate - reference) < 4 * result.error
    assert result.error < 2e-3
    density = sampler.sample(50_000, 1)[1]
    inverse = 1.0 / density
    assert abs(inverse.mean() - 1.0) < 4 * inverse.std() / np.sqrt(50_000)


def test_tensorflow_result_depends_on_the_seed_alone(trained):
    sampler, result = trained
    again = sampler.integrate(integrand("gauss-4d"), 150_000, 3)
    assert (again.estimate, again.error) == (result.estimate, result.error)


def test_gradient_is_that_of_the_exact_integral():
    import tensorflow as tf
    from scipy.special import erf

    from hepgym.datasets.integrands.analytic_tensorflow import gauss

    width = tf.Variable(0.3, dtype=tf.float64)
    wide = register(
        "wide-gauss", lambda x: gauss(x, 0.3).numpy(), dim=4, tensorflow=lambda x: gauss(x, 0.3)
    )
    sampler = make_sampler("vegas-tf", iterations=6, batch=8192)
    sampler.integrate(wide, 100_000, 1)
    ((value, error),) = sampler.gradient(lambda x: gauss(x, width), [width], 200_000, seed=2)
    step = 1e-5
    exact = (erf(0.5 / (0.3 + step)) ** 4 - erf(0.5 / (0.3 - step)) ** 4) / (2 * step)
    assert error < 0.05 * abs(exact)
    assert abs(value - exact) < 4 * error
    other = tf.Variable(1.0, dtype=tf.float64)
    with pytest.raises(ValueError, match="does not depend on one of the variables"):
        sampler.gradient(lambda x: gauss(x, width), [other], 20_000)
    with pytest.raises(ValueError, match="do not fill two batches"):
        sampler.gradient(lambda x: gauss(x, width), [width], 10_000)


def test_tensorflow_calls_a_python_integrand():
    own = register("python-plane", lambda x: x.sum(axis=1), dim=2, exact=1.0)
    result = make_sampler("vegas-tf", iterations=2, batch=1000).integrate(own, 5_000, 1)
    assert abs(result.estimate - 1.0) < 4 * result.error


@pytest.mark.parametrize("name", PEERS)
def test_peers_integrate(name):
    pytest.importorskip(PEERS[name])
    target = integrand("gauss-4d")
    sampler = make_sampler(name)
    with warnings.catch_warnings():
        # Their warnings are theirs.
        warnings.simplefilter("ignore")
        result = sampler.integrate(target, 100_000, 2)
        others = [sampler.integrate(target, 100_000, seed).estimate for seed in range(3, 9)]
        same = sampler.integrate(target, 100_000, 2)
        again = make_sampler(name).integrate(target, 100_000, 2)
    # Seeds are independent: chi^2 with 6 degrees of freedom, outside of these one time in 1000.
    spread = (np.array([*others, result.estimate]) - np.mean([*others, result.estimate])) ** 2
    assert 0.3 < spread.sum() / result.error**2 < 23.0
    # Whether something was integrated before, and was kept for later, makes no difference.
    for one in (same, again):
        assert (one.estimate, one.error) == (result.estimate, result.error)
    assert 80_000 <= result.calls <= 100_000
    assert len(result.iterations) == 10
    assert abs(result.estimate - target.reference.value) < 5 * result.error
    points, density = sampler.sample(20_000, 1)
    np.testing.assert_array_equal(sampler.density(points), density)
    inverse = 1.0 / density
    assert abs(inverse.mean() - 1.0) < 4 * inverse.std() / np.sqrt(20_000)


def test_the_histogram_of_madspace_adapts_the_grid_as_vegas_does():
    pytest.importorskip("madspace")
    target = integrand("gauss-8d")
    theirs = make_sampler("madspace").integrate(target, 100_000, 2)
    ours = make_sampler("vegas", bins=128).integrate(target, 100_000, 2)
    assert abs(theirs.iterations[-1].error / ours.iterations[-1].error - 1.0) < 0.1


@pytest.mark.parametrize("name", PEERS)
def test_peers_refuse_an_integrand_that_is_not_finite(name):
    pytest.importorskip(PEERS[name])
    own = register("pole", lambda x: np.where(x[:, 0] < 0.5, np.inf, 1.0), dim=2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(ValueError, match="pole is not finite at some points"):
            make_sampler(name).integrate(own, 5_000, 1)


@pytest.mark.parametrize("name", PEERS)
def test_a_missing_peer_is_named(name, monkeypatch):
    found = builtins.__import__

    def without(module, *arguments, **options):
        if module.split(".")[0] == PEERS[name]:
            raise ImportError(module)
        return found(module, *arguments, **options)

    monkeypatch.setattr("importlib.import_module", without)
    with pytest.raises(ValueError, match=rf"{name} needs the package {PEERS[name]}: pip install"):
        make_sampler(name)


def test_figures_and_progress(tmp_path, capsys):
    target = integrand("camel-4d")
    sampler = make_sampler("vegas")
    with progress_bar(20_000, "camel") as progress:
        sampler.integrate(target, 20_000, 1, progress=progress)
    assert "camel" in capsys.readouterr().out
    for file in (
        plot_weights(sampler, target, tmp_path / "weights.png", n=5000),
        plot_marginals(sampler, target, tmp_path / "marginals.png", n=5000),
        plot_grid(sampler, tmp_path / "grid.png"),
    ):
        assert file.stat().st_size > 5000
    with pytest.raises(ValueError, match="not among the 4 axes"):
        plot_grid(sampler, tmp_path / "grid.png", axes=(0, 4))
