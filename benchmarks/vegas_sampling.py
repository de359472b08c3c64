"""Points per second of VEGAS: ours, Lepage's vegas, VegasFlow, and the limit, in one run.

Run on one core:  taskset -c 0 python benchmarks/vegas_sampling.py
"""

from __future__ import annotations

import argparse
import logging
import math
import os
import time
from collections.abc import Callable
from typing import Any

import numba
import numpy as np

from hepgym.agents.vegas_sampling import make_sampler
from hepgym.datasets.integrands import Integrand, integrand
from hepgym.datasets.integrands.analytic import WIDTH
from hepgym.datasets.integrands.integrand import KERNEL_TYPE
from hepgym.envs.vegas_sampling.iteration import block_length
from hepgym.envs.vegas_sampling.random import LANES, fill_uniform, seed_state

ITERATIONS = 10


@numba.njit(numba.float64(KERNEL_TYPE, numba.int64, numba.int64), nogil=True)
def limit(kernel, dim, calls):  # type: ignore[no-untyped-def]
    """Random numbers and the integrand, nothing else."""
    state = np.empty((4, LANES), np.uint64)
    seed_state(state, np.uint64(1), np.uint64(0))
    length = block_length(dim)
    buffer, values = np.empty(dim * length), np.empty(length)
    points = buffer.reshape(dim, length)
    total = 0.0
    for _ in range(0, calls, length):
        fill_uniform(state, buffer)
        kernel(points, values)
        total += values[0]
    return total


@numba.njit(fastmath=True, error_model="numpy")
def gauss_rows(points):  # type: ignore[no-untyped-def]
    """Give the integrand in the form that Lepage's vegas takes fastest."""
    n, dim = points.shape
    norm = 1.0 / (WIDTH * math.sqrt(math.pi)) ** dim
    values = np.empty(n)
    for i in range(n):
        square = 0.0
        for k in range(dim):
            square += (points[i, k] - 0.5) ** 2
        values[i] = norm * math.exp(-square / WIDTH**2)
    return values


@numba.njit(fastmath=True, error_model="numpy")
def camel_rows(points):  # type: ignore[no-untyped-def]
    """As `gauss_rows`."""
    n, dim = points.shape
    norm = 0.5 / (WIDTH * math.sqrt(math.pi)) ** dim
    values = np.empty(n)
    for i in range(n):
        first, second = 0.0, 0.0
        for k in range(dim):
            first += (points[i, k] - 1.0 / 3.0) ** 2
            second += (points[i, k] - 2.0 / 3.0) ** 2
        values[i] = norm * (math.exp(-first / WIDTH**2) + math.exp(-second / WIDTH**2))
    return values


def ours(name: str) -> Callable[[Integrand, int], Callable[[], int]]:
    def prepare(target: Integrand, calls: int) -> Callable[[], int]:
        sampler = make_sampler(name, iterations=ITERATIONS)

        def run() -> int:
            return sampler.integrate(target, calls, 1).calls

        return run

    return prepare


def lepage(target: Integrand, calls: int) -> Callable[[], int]:
    import vegas

    rows = gauss_rows if target.name.startswith("gauss") else camel_rows
    function = vegas.lbatchintegrand(rows)

    def run() -> int:
        integrator = vegas.Integrator([[0.0, 1.0]] * target.dim)
        return int(integrator(function, nitn=ITERATIONS, neval=calls // ITERATIONS).sum_neval)

    return run


def vegasflow(target: Integrand, calls: int) -> Callable[[], int]:
    import vegasflow

    logging.getLogger("vegasflow").setLevel(logging.ERROR)
    integrator = vegasflow.VegasFlow(target.dim, calls // ITERATIONS, verbose=False)
    function: Any = target.tensorflow
    integrator.compile(lambda xarr, **_: function(xarr), check=False)

    def run() -> int:
        integrator.run_integration(ITERATIONS, log_time=False)
        return calls

    return run


def lower_limit(target: Integrand, calls: int) -> Callable[[], int]:
    def run() -> int:
        limit(target.kernel, target.dim, calls)
        return calls

    return run


ENGINES = {
    "limit": lower_limit,
    "vegas": ours("vegas"),
    "vegas-plus": ours("vegas-plus"),
    "lepage": lepage,
    "vegas-tf": ours("vegas-tf"),
    "vegasflow": vegasflow,
}
PACKAGES = {"lepage": "vegas", "vegasflow": "vegasflow"}


def measure(runs: dict[str, Callable[[], int]], repeats: int) -> dict[str, float]:
    """Most million points per second of processor time over some repeats, engines in turn."""
    best = dict.fromkeys(runs, 0.0)
    for run in runs.values():
        run()  # compiles
    for _ in range(repeats):
        for name, run in runs.items():
            # Processor time: on one core it is that of the wall, less what others take.
            start = time.process_time()
            calls = run()
            best[name] = max(best[name], calls / (time.process_time() - start) * 1e-6)
    return best


def main() -> None:
    # One core for all; read when TensorFlow is imported, which is later.
    os.environ |= {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=float, nargs="+", default=[1e6, 1e7])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument(
        "--integrands", nargs="+", default=["gauss-4d", "camel-4d", "gauss-8d", "camel-8d"]
    )
    parser.add_argument("--engines", nargs="+", default=list(ENGINES), choices=list(ENGINES))
    arguments = parser.parse_args()
    engines = []
    for name in arguments.engines:
        try:
            __import__(PACKAGES.get(name, "numpy"))
            engines.append(name)
        except ImportError:
            print(f"{name} is left out: {PACKAGES[name]} is not installed")
    print(f"million points per second, {ITERATIONS} iterations, most of {arguments.repeats} runs")
    ratios = "vegas/lepage  vegas/vegasflow  limit/vegas  tf/vegasflow"
    print(f"{'':9} {'calls':>8}", *(f"{name:>10}" for name in engines), "", ratios)
    for name in arguments.integrands:
        target = integrand(name)
        for calls in map(int, arguments.calls):
            runs = {engine: ENGINES[engine](target, calls) for engine in engines}
            rate = dict.fromkeys(ENGINES, math.nan) | measure(runs, arguments.repeats)
            print(
                f"{name:9} {calls:8.0e}",
                *(f"{rate[engine]:10.2f}" for engine in engines),
                f"  {rate['vegas'] / rate['lepage']:11.1f}"
                f"  {rate['vegas'] / rate['vegasflow']:15.1f}"
                f"  {rate['limit'] / rate['vegas']:11.2f}"
                f"  {rate['vegas-tf'] / rate['vegasflow']:12.1f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
