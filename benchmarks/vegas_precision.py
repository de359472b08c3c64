"""Calls until the quoted relative error is 1e-4, beside the table of i-flow (arXiv:2001.05486).

Run:  python benchmarks/vegas_precision.py
"""

from __future__ import annotations

import argparse
import contextlib

import numpy as np

from hepgym.agents.vegas_sampling import Integration, make_sampler
from hepgym.datasets.integrands import integrand

# Millions of calls of VEGAS as published.
PUBLISHED = {
    "gauss-2d": "0.16",
    "gauss-4d": "0.63",
    "gauss-8d": "1.30",
    "gauss-16d": "2.77",
    "camel-2d": "0.42",
    "camel-4d": "24.1",
    "camel-8d": ">50",
    "camel-16d": "wrong",
    "entangled-circles": "43.4",
}


class Reached(Exception):  # noqa: N818  (not an error)
    """The precision is reached."""


def until(
    name: str, sampler: str, precision: float, each: int, most: int, seed: int
) -> Integration:
    """Integrate in iterations of equal size until the quoted relative error is small enough."""
    iterations = most // each
    last: list[Integration] = []

    def watch(partial: Integration) -> None:
        last[:] = [partial]
        if len(partial.iterations) > 1 and partial.error < precision * abs(partial.estimate):
            raise Reached

    target = integrand(name)
    with contextlib.suppress(Reached):
        make_sampler(sampler, iterations=iterations).integrate(
            target, iterations * each, seed, progress=watch
        )
    return last[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--precision", type=float, default=1e-4)
    parser.add_argument("--each", type=float, default=2e4, help="calls of an iteration")
    parser.add_argument("--most", type=float, default=5e7, help="give up after so many calls")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--samplers", nargs="+", default=["vegas-plus"])
    parser.add_argument("--integrands", nargs="+", default=list(PUBLISHED))
    arguments = parser.parse_args()
    print(f"million calls to {arguments.precision:g}, median of seeds 1 to {arguments.seeds};")
    print("in brackets median of |true relative error| / precision")
    print(f"{'':18} {'published':>10}", *(f"{name:>16}" for name in arguments.samplers))
    for name in arguments.integrands:
        columns = []
        for sampler in arguments.samplers:
            runs = [
                until(
                    name,
                    sampler,
                    arguments.precision,
                    int(arguments.each),
                    int(arguments.most),
                    seed,
                )
                for seed in range(1, arguments.seeds + 1)
            ]
            calls = float(np.median([run.calls for run in runs]))
            reference = integrand(name).reference
            assert reference is not None
            off = [abs(run.estimate / reference.value - 1.0) / arguments.precision for run in runs]
            more = ">" if calls >= arguments.most - arguments.each else ""
            columns.append(f"{more}{calls * 1e-6:.2f} ({np.median(off):.2g})")
        published = PUBLISHED.get(name, "")
        print(f"{name:18} {published:>10}", *(f"{c:>16}" for c in columns), flush=True)


if __name__ == "__main__":
    main()
