"""Score, coverage and pulls of integrators over many seeds.

Run:  python benchmarks/vegas_coverage.py
"""

from __future__ import annotations

import argparse
import json
from typing import Any

import numpy as np

from hepgym.agents.vegas_sampling import make_sampler
from hepgym.datasets.integrands import integrand


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--integrands", nargs="+", default=["camel-4d", "camel-8d", "gauss-8d"])
    parser.add_argument("--calls", type=float, nargs="+", default=[2e5, 1e6])
    parser.add_argument("--samplers", nargs="+", default=["vegas", "vegas-plus"])
    parser.add_argument("--parameters", type=json.loads, default={}, help="JSON, for all samplers")
    parser.add_argument("--seeds", type=int, default=100)
    arguments = parser.parse_args()
    parameters: dict[str, Any] = arguments.parameters
    print(
        f"{'':18} {'calls':>8} {'':12} {'S':>7} {'coverage':>9} {'|pull|>5':>9} {'mean pull':>10}"
    )
    for name in arguments.integrands:
        target = integrand(name)
        assert target.reference is not None
        exact = target.reference.value
        for calls in map(int, arguments.calls):
            for kind in arguments.samplers:
                sampler = make_sampler(kind, **parameters)
                runs = [
                    sampler.integrate(target, calls, seed) for seed in range(1, arguments.seeds + 1)
                ]
                off = np.array([run.estimate / exact - 1.0 for run in runs])
                pulls = np.array([(run.estimate - exact) / run.error for run in runs])
                score = np.log10(np.sqrt(calls * np.mean(off**2)))
                print(
                    f"{name:18} {calls:8.0e} {kind:12} {score:7.2f} {np.mean(abs(pulls) <= 1):9.2f}"
                    f" {np.mean(abs(pulls) > 5):9.2f} {pulls.mean():10.2f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
