"""What clustering and tree building cost beside Pythia, and jets per second.

Run:  python benchmarks/generation.py --jets 1000
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import pythia8mc

from hepgym.datasets.jets import clustering, generation
from hepgym.datasets.jets.settings import PROCESSES, GeneratorSettings, pythia_seed

seconds: defaultdict[str, float] = defaultdict(float)


def timed(owner: Any, name: str) -> None:
    """Add up the time spent in a function."""
    function: Callable[..., Any] = getattr(owner, name)

    def wrapper(*args: Any, **kwargs: Any) -> Any:
        start = time.perf_counter()
        try:
            return function(*args, **kwargs)
        finally:
            seconds[name] += time.perf_counter() - start

    setattr(owner, name, wrapper)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jets", type=int, default=1000)
    jets = parser.parse_args().jets
    timed(clustering, "find_jets")
    timed(clustering, "cluster")
    timed(pythia8mc.Pythia, "nextBatch")
    generation.generate_chunk(GeneratorSettings("W", 500.0), 1, 10)  # compiles the kernels
    print("process  jets/s  Pythia/s  anti-kt/s  trees/s  (anti-kt + trees) / Pythia")
    for process in PROCESSES:
        seconds.clear()
        start = time.perf_counter()
        generation.generate_chunk(
            GeneratorSettings(process, 500.0), pythia_seed("train", 0, 0), jets
        )
        total = time.perf_counter() - start
        pythia, find, cluster = (seconds[n] for n in ("nextBatch", "find_jets", "cluster"))
        print(
            f"{process:7s} {jets / total:7.1f} {pythia:9.2f} {find:10.2f} {cluster:8.2f}"
            f" {(find + cluster) / pythia:12.3f}"
        )


if __name__ == "__main__":
    main()
