"""Measure the normalizing flow: speed, spread of the weights against VEGAS, calls to 1e-4.

speed: points sampled a second, gradient steps a second, and where a step's time goes; the spline
loops against the same splines as TensorFlow operations. Beside them the limit: the matrix products
of the networks alone.

weights: for each integrand the weights of a frozen sample after an integration with so many calls,
for flow and VEGAS: RSD = std(w) / <w>, eps = <w> / w_q with q = 1e-3, the largest weight over the
mean, the share of points where the integrand vanishes, and the time.

calls: integrand calls, training included, after which the relative error is 1e-4, from the weights'
spread after a training: training calls + (RSD / 1e-4)^2 (arXiv:2001.05486, tables I to III, counts
its calls to the same target).
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from collections.abc import Callable

import numpy as np

from hepgym.agents.vegas_sampling import make_sampler
from hepgym.agents.vegas_sampling.flow import FlowSampler
from hepgym.agents.vegas_sampling.weights import relative_deviation, unweighting_efficiency
from hepgym.datasets.integrands import integrand

TARGET = 1e-4


def best(function: Callable[..., object], *arguments: object) -> float:
    """Shortest time of a call in seconds."""
    function(*arguments)
    times = []
    for _ in range(20):
        start = time.perf_counter()
        function(*arguments)
        times.append(time.perf_counter() - start)
    return min(times)


def speed(dim: int, batch: int) -> None:
    from hepgym.agents.vegas_sampling.flow import kernels, network
    from hepgym.agents.vegas_sampling.flow.learner import Learner, make_flow

    settings = FlowSampler()
    random = np.random.default_rng(0)
    learner = Learner(settings, make_flow(settings, dim, 0))
    learner.reset(1)
    points = random.random((batch, dim))
    step = (points, np.ones(batch), np.zeros(batch), 1e-6)
    sampling = best(learner.sample, points)
    density = best(learner.log_density, points)
    training = best(learner.step, *step)
    layer, layers = learner.flow.couplings[0], len(learner.flow.couplings)
    axes, bins = len(layer.moved), settings.bins
    own = random.random((batch, axes))
    raw = random.normal(size=(batch, axes * (3 * bins + 1))).astype(np.float32)
    _, log_slope, exponentials = kernels.forward(own, raw, bins)
    loops = layers * (
        best(kernels.forward, own, raw, bins)
        + best(kernels.gradient, own, exponentials, own, log_slope, bins)
    )
    widths = [len(layer.given), *[settings.units] * settings.hidden, raw.shape[1]]
    products = 0.0
    for m, n in itertools.pairwise(widths):
        left, right = random.random((batch, m), np.float32), random.random((m, n), np.float32)
        # One product forwards, two backwards.
        products += 3 * layers * best(np.dot, left, right)
    network.compiled_loops = lambda: False
    without = best(Learner(settings, make_flow(settings, dim, 0)).step, *step)
    network.compiled_loops = lambda: True
    print(
        f"{dim:>2}-d, batch {batch}: sampling {batch / sampling / 1e3:.0f} k/s, density "
        f"{batch / density / 1e3:.0f} k/s; gradient step {1e3 * training:.1f} ms, of which spline "
        f"loops {1e3 * loops:.1f} ms; limit by matrix products {1e3 * products:.1f} ms; with "
        f"splines as TensorFlow operations {1e3 * without:.1f} ms",
        flush=True,
    )


def weights(names: list[str], calls: int, seed: int, sample: int, parameters: dict) -> None:
    print(
        f"{'integrand':<16}{'sampler':<8}{'RSD':>8}{'eps':>9}{'largest':>9}{'zero':>7}{'pull':>7}"
        f"{'seconds':>9}"
    )
    for name in names:
        chosen = integrand(name)
        for kind, own in (("vegas", {}), ("flow", parameters)):
            sampler = make_sampler(kind, **own)
            found = sampler.integrate(chosen, calls, seed)
            points, density = sampler.sample(sample, seed)
            weight = np.abs(chosen(points)) / density
            pull = ""
            if chosen.reference is not None:
                error = np.hypot(found.error, chosen.reference.error)
                pull = f"{(found.estimate - chosen.reference.value) / error:.2f}"
            print(
                f"{name:<16}{kind:<8}{relative_deviation(weight):>8.3f}"
                f"{unweighting_efficiency(weight, 1e-3):>9.4f}{weight.max() / weight.mean():>9.1f}"
                f"{(weight == 0.0).mean():>7.3f}{pull:>7}{found.seconds:>9.1f}",
                flush=True,
            )


def calls(names: list[str], training: int, seeds: list[int], parameters: dict) -> None:
    for name in names:
        chosen = integrand(name)
        totals = []
        for seed in seeds:
            sampler = FlowSampler(**{"training_share": 0.8, **parameters})
            budget = int(training / sampler.training_share)
            found = sampler.integrate(chosen, budget, seed)
            counted = [row for row in found.iterations if row.counted]
            spent = found.calls - sum(row.calls for row in counted)
            points, density = sampler.sample(400_000, seed)
            weight = chosen(points) / density
            rsd = relative_deviation(np.abs(weight))
            totals.append(spent + (rsd / TARGET) ** 2)
            # A lost peak makes the spread small: the integral tells.
            true = np.nan if chosen.reference is None else chosen.reference.value
            print(
                f"{name:<18} seed {seed}: {spent} calls of training, RSD {rsd:.4f}, integral "
                f"{weight.mean() / true:.4f} of the true one, {totals[-1] / 1e6:.2f} M calls to "
                f"{TARGET:g}, {found.seconds:.0f} s",
                flush=True,
            )
        print(f"{name:<18} mean {np.mean(totals) / 1e6:.2f} M", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("what", choices=("speed", "weights", "calls"), default="speed", nargs="?")
    parser.add_argument("--dims", type=int, nargs="+", default=[2, 4, 8])
    parser.add_argument("--batch", type=int, default=4096, help="points in a batch (speed)")
    parser.add_argument("--integrands", nargs="+", default=["camel-4d"])
    parser.add_argument("--calls", type=int, default=1_000_000, help="calls (weights)")
    parser.add_argument("--training", type=int, default=400_000, help="training calls (calls)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--sample", type=int, default=400_000, help="points of the frozen sample")
    parser.add_argument("--parameters", type=json.loads, default={}, help="of the flow, as JSON")
    given = parser.parse_args()
    if given.what == "speed":
        for number in given.dims:
            speed(number, given.batch)
    elif given.what == "weights":
        for number in given.seeds:
            weights(given.integrands, given.calls, number, given.sample, given.parameters)
    else:
        calls(given.integrands, given.training, given.seeds, given.parameters)
