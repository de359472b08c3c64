"""Write a suite of integrands: references, and the spread that plain Monte Carlo sees.

References are those of the integrands. The standard deviation of each integrand under uniform
points comes from the integral of its square by VEGAS with 4 million calls and its error is printed
beside it; it only decides what counts on the board where nothing was handed in. Integrands whose
reference is known to less than a board's samplers reach, or whose points cost too much for 20 seeds
of 4 million, are left out.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path

from hepgym.agents.vegas_sampling import make_sampler
from hepgym.datasets.integrands import Integrand, integrand
from hepgym.datasets.integrands.suite import SuiteMember, suite_hash

NAMES = [
    *(
        f"{family}-{dim}d"
        for family in (
            "gauss",
            "camel",
            "product-peak",
            "corner-peak",
            "discontinuous",
            "oscillatory",
        )
        for dim in (4, 8)
    ),
    "entangled-circles",
    "annulus",
    "polynomial-18d",
    "gg-tt",
    "gg-gg",
    "ee-qqg",
    "single-top",
    "gg-ggg",
    "h-4l",
    "h-4l-mapped",
]


def square(one: Integrand) -> Integrand:
    """Give the square of an integrand."""
    return Integrand(
        f"{one.name}-squared", one.dim, None, one.cost, function=lambda points: one(points) ** 2
    )


def member(name: str) -> tuple[SuiteMember, float]:
    """Make a member of a suite, and the relative error of its standard deviation."""
    one = integrand(name)
    assert one.reference is not None
    found = make_sampler("vegas").integrate(square(one), 4_000_000, seed=1)
    variance = found.estimate - one.reference.value**2
    rsd = math.sqrt(variance) / abs(one.reference.value)
    made = SuiteMember(
        name, one.dim, one.reference.value, one.reference.error, float(f"{rsd:.4g}"), one.cost
    )
    return made, 0.5 * found.error / variance


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=Path, help="JSON file to write")
    output = parser.parse_args().output
    members = {}
    for name in NAMES:
        members[name], error = member(name)
        one = members[name]
        reference = f"{one.value:.10g} +- {one.error:.2g}"
        print(f"{name:20} {one.dim:3} {reference:30} rsd {one.plain_rsd} (1 +- {error:.1e})")
    rows = [vars(one) for one in members.values()]
    output.write_text(json.dumps({"members": rows}, indent=1) + "\n")
    print(f"content sha256 {suite_hash(members)}")


if __name__ == "__main__":
    main()
