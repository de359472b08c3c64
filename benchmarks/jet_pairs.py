"""Errors of translations jet by jet, on the jets of which both levels are known.

The board's paired errors are of averages over 20 jets, which translators are made for. Here each
image is one jet: sum over pixels of |translated - true image of the same jet|, over the average
number of active pixels of true images.

Run:  python benchmarks/jet_pairs.py
"""

from __future__ import annotations

import argparse

import numpy as np

TASK = "JetDomains-Parton2Detector-v0"


def main() -> None:
    """Print a line for each translator."""
    argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args()

    from hepgym.agents.jet_domains.player import make_translator
    from hepgym.datasets import load_trees
    from hepgym.datasets.jets.lund_images import lund_images
    from hepgym.leaderboards.tasks import task

    own = task(TASK)
    pairs = {role: lund_images(load_trees(own.datasets[f"paired_{role}"])) for role in ("A", "B")}
    active = {role: float(images.sum(axis=(1, 2)).mean()) for role, images in pairs.items()}
    print(f"active pixels: {active['A']:.2f} in A, {active['B']:.2f} in B")
    print(f"{'error of each jet':20s} {'A to B':>17s} {'B to A':>17s}")
    for agent in ("identity", "quantile-map", "cyclegan", "noise-floor"):
        if agent == "noise-floor":
            # Other jets of the target.
            made = {role: np.roll(images, 1, axis=0) for role, images in pairs.items()}
        else:
            translator = make_translator(own, agent, None)
            made = {"B": translator.a_to_b(pairs["A"]), "A": translator.b_to_a(pairs["B"])}
        columns = []
        for role in ("B", "A"):
            errors = np.abs(made[role] - pairs[role]).sum(axis=(1, 2)) / active[role]
            columns.append(f"{errors.mean():.4f} +- {errors.std() / np.sqrt(len(errors)):.4f}")
        print(f"{agent:20s} {columns[0]:>17s} {columns[1]:>17s}", flush=True)


if __name__ == "__main__":
    main()
