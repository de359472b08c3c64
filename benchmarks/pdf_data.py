"""Hot paths of the data for fits of parton distributions, beside the limits of the machine.

Loading against unpacking the same bytes, predictions against reading the table once from memory
and against the machine's matrix product, replicas against drawing the normal numbers alone,
evolution against the same matrix products. With the packages of the extra pdf-build also the time
that parsing one published set takes. One thread:

    OMP_NUM_THREADS=1 python benchmarks/pdf_data.py
"""

from __future__ import annotations

import argparse
import tempfile
import time
import zlib
from collections.abc import Callable
from importlib.util import find_spec

import numpy as np

from hepgym.datasets import parton_distributions
from hepgym.datasets.parton_distributions.catalogue import DATA_FILE
from hepgym.datasets.parton_distributions.export import export_lhapdf, reference_law
from hepgym.datasets.parton_distributions.replicas import ReplicaGenerator
from hepgym.datasets.parton_distributions.whitening import whiten


def best(action: Callable[[], object], repeats: int) -> float:
    """Shortest of some times, in ms."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return 1e3 * min(times)


def unpack_only() -> float:
    """Time in ms to inflate as many bytes as the file holds, and nothing else."""
    file = parton_distributions.spec(parton_distributions.DEFAULT_ID).folder / DATA_FILE
    with np.load(file) as archive:
        content = b"".join(archive[name].tobytes() for name in archive.files)
    packed = zlib.compress(content, 9)
    return best(lambda: zlib.decompress(packed), 5)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--repeats", type=int, default=7, help="the best of so many is shown")
    repeats = parser.parse_args().repeats
    rows: list[tuple[str, float, str, float | None]] = []

    def row(what: str, ours: float, limit: str = "", at_best: float | None = None) -> None:
        rows.append((what, ours, limit, at_best))

    row("load data", best(parton_distributions.load, repeats), "inflate alone", unpack_only())
    row("load evolution", best(parton_distributions.load_evolution, repeats))
    data = parton_distributions.load()
    evolution = parton_distributions.load_evolution()
    law = reference_law(data.x_grid)
    data.predict(law)  # the double-precision table is made once
    table = data.table.reshape(len(data), -1).astype(np.float64)
    hundred = np.repeat(law[None], 100, axis=0)
    flat = hundred.reshape(100, -1)
    row(
        "predict 2950 points",
        best(lambda: data.predict(law), repeats),
        "read the table once",
        best(lambda: table.sum(), repeats),
    )
    row(
        "predict, 100 replicas",
        best(lambda: data.predict(hundred), repeats),
        "matrix product",
        best(lambda: flat @ table.T, repeats),
    )
    covariance = data.covariance()
    row("covariance", best(data.covariance, repeats))
    row(
        "whiten data and table",
        best(lambda: whiten(data, covariance), 3),
        "Cholesky factor alone",
        best(lambda: np.linalg.cholesky(covariance), 3),
    )
    generator = ReplicaGenerator(data, seed=0)
    stream = np.random.default_rng(0)
    draws = 2 * len(data) + data.additive.shape[1] + data.multiplicative.shape[1]
    row(
        "100 replicas of the data",
        best(lambda: generator.replicas(100), repeats),
        "their normal numbers alone",
        best(lambda: stream.standard_normal((100, draws)), repeats),
    )
    row("evolve one set to 29 scales", best(lambda: evolution.evolve(law), repeats))
    row("evolve 100 sets to 29 scales", best(lambda: evolution.evolve(hundred), 3))

    def export() -> None:
        with tempfile.TemporaryDirectory() as folder:
            export_lhapdf(folder, "set", hundred[:10], evolution=evolution)

    row("export 10 replicas (11 members)", best(export, 3))
    if find_spec("nnpdf_data") is not None:
        from hepgym.datasets.parton_distributions.builder.experiments import MEASUREMENTS, read

        last = MEASUREMENTS[-1]
        row(f"parse {last.name} from YAML instead", best(lambda: read(last), 1))
    print("| | ms | limit | ms |\n|---|---|---|---|")
    for what, ours, limit, at_best in rows:
        print(f"| {what} | {ours:.3g} | {limit} | {'' if at_best is None else f'{at_best:.3g}'} |")


if __name__ == "__main__":
    main()
