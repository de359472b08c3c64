"""What rounding momenta to the grid of the jets files does to the scores.

The first jets of the official test sets are generated again without rounding, groomed, and
scored beside the rounded ones. Run:  python benchmarks/precision.py --jets 10000 --workers 2
"""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np

from hepgym.agents.jet_grooming import make_groomer
from hepgym.datasets.jets.clustering import cluster
from hepgym.datasets.jets.generation import generate_chunk, to_grid
from hepgym.datasets.jets.settings import (
    PROCESSES,
    GeneratorSettings,
    Process,
    chunk_sizes,
    pythia_seed,
)
from hepgym.datasets.jets.trees import ClusteringTrees
from hepgym.leaderboards.scores.jet_grooming import GroomingScore, grooming_score

GROOMERS = ("plain", "mmdt", "soft-drop", "recursive-soft-drop", "dynamical")


def masses(job: tuple[Process, int, int]) -> dict[tuple[str, str], np.ndarray]:
    """Groomed masses of one chunk, before and after rounding."""
    process, number, jets = job
    chunk = generate_chunk(
        GeneratorSettings(process, 500.0), pythia_seed("test", 0, number), jets, grid=False
    )
    offsets = np.concatenate([[0], np.cumsum(chunk.counts)]).astype(np.int64)
    exact = ClusteringTrees(
        offsets, chunk.constituents.astype(float), chunk.softer_size.astype(np.int32)
    )
    rounded = to_grid(exact.constituents).astype(np.float64)
    visible = np.hypot(rounded[:, 0], rounded[:, 1]) > 0
    counts = np.add.reduceat(visible, offsets[:-1])
    samples = {
        "exact": exact,
        "rounded": cluster(np.concatenate([[0], np.cumsum(counts)]), rounded[visible]),
    }
    return {
        (name, groomer): make_groomer(groomer).groom(trees).mass
        for name, trees in samples.items()
        for groomer in GROOMERS
    }


def score(
    results: dict[Process, dict[tuple[str, str], np.ndarray]],
    name: str,
    groomer: str,
    process: Process,
) -> GroomingScore:
    """Score of one groomer on exact or rounded jets."""
    target = {"W": 80.385, "top": 173.2}[process]
    return grooming_score(results[process][name, groomer], results["QCD"][name, groomer], target)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jets", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=1)
    arguments = parser.parse_args()
    jobs = [
        (process, number, size)
        for process in PROCESSES
        for number, size in enumerate(chunk_sizes(arguments.jets))
    ]
    with ProcessPoolExecutor(arguments.workers, mp_context=get_context("spawn")) as pool:
        chunks = list(pool.map(masses, jobs))
    results = {
        process: {
            key: np.concatenate(
                [c[key] for c, job in zip(chunks, jobs, strict=True) if job[0] == process]
            )
            for key in chunks[0]
        }
        for process in PROCESSES
    }
    print("(rounded - exact) / statistical error, and the rounded value")
    worst = 0.0
    for process in ("W", "top"):
        for groomer in GROOMERS:
            exact, rounded = (score(results, n, groomer, process) for n in ("exact", "rounded"))
            row = []
            for metric in ("loss", "window", "median", "f_bkg"):
                a, b = getattr(exact, metric), getattr(rounded, metric)
                worst = max(worst, abs(b.value - a.value) / a.error)
                row.append(f"{metric} {(b.value - a.value) / a.error:+.4f} ({b})")
            print(f"{process:4s} {groomer:20s} " + "  ".join(row))
    print(f"largest: {worst:.4f}, allowed: {1 / 20}")


if __name__ == "__main__":
    main()
