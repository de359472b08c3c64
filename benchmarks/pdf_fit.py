"""Speed of fits of parton distributions: parameter vectors per second, milliseconds per epoch.

Times are those that the process spends on its core, so that neighbours count little.

Run on one core:  OMP_NUM_THREADS=1 taskset -c 0 python benchmarks/pdf_fit.py
"""

from __future__ import annotations

import argparse
import os
import resource
import time

import numpy as np

REPEATS = 5


def megabytes() -> float:
    """Peak resident memory of this process."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def environment(mutants: int) -> None:
    """Vectors per second of the environment, and of the parts that bound it."""
    from hepgym.envs.pdf_fit.lecture_model import networks
    from hepgym.envs.pdf_fit.vector_env import PDFFitVectorEnv

    envs = PDFFitVectorEnv(mutants, "Disabled", budget=10**9, patience=None)
    envs.reset(seed=0, options={"replica": 1})
    game = envs.population.game
    tables = game.tables(1)
    parameters = envs.population.parameters.copy()
    random = np.random.default_rng(0)
    actions = random.normal(0, 1e-4, (mutants, 296)).astype(np.float32)
    z = random.normal(size=(mutants, len(tables.matrix))).astype(np.float32)
    parts = {
        "step of the vector environment": lambda: envs.step(actions),
        "evaluation": lambda: game.evaluate(parameters, envs.population.replica),
        "  networks": lambda: networks(parameters, tables.model.inputs),
        "  matrix product (bound)": lambda: z @ tables.matrix,
    }
    points = len(game.problem.data)
    print(f"{mutants} parameter vectors, {points} points, matrix {tables.matrix.shape}")
    for name, part in parts.items():
        seconds = min(timed(part, 50) for _ in range(REPEATS))
        print(f"  {name:34s} {mutants / seconds:9.0f} vectors/s {1e6 * seconds / mutants:7.1f} us")


def timed(part, calls: int) -> float:  # type: ignore[no-untyped-def]
    """Seconds per call."""
    part()
    start = time.process_time()
    for _ in range(calls):
        part()
    return (time.process_time() - start) / calls


def gradient_descent(replicas: int, epochs: int, every: int) -> None:
    """Milliseconds per epoch, validation included; start-up and memory."""
    start = time.process_time()
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
    os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")
    from hepgym.envs.pdf_fit.neural import NeuralSettings
    from hepgym.envs.pdf_fit.neural.engine import NeuralEngine
    from hepgym.envs.pdf_fit.problem import fit_problem

    problem = fit_problem()
    settings = NeuralSettings(epochs=epochs, patience=1.0, validate_every=every)
    engine = NeuralEngine(problem.data, problem.constraints, settings, replicas)
    chosen = [problem.replica(number) for number in range(1, replicas + 1)]
    times: list[float] = []

    def progress(epoch: int, training: object, validation: object) -> None:
        times.append(time.process_time())

    fits = engine.fit(chosen, progress)
    ms = 1e3 * np.diff(times) / (1000 // every * every)
    f = np.mean([one.f for one in fits], axis=0).reshape(1, -1)
    chi2 = problem.data.chi2(f, covariance=problem.experimental)[0] / len(problem.data)
    print(
        f"{replicas:3d} replicas, {len(problem.data)} points: {np.median(ms):.3f} ms/epoch "
        f"({ms.min():.3f} to {ms.max():.3f}), {np.median(ms) / replicas:.3f} ms per replica and "
        f"epoch; first 1000 epochs with start-up {times[0] - start:.1f} s; "
        f"peak memory {megabytes():.0f} MB; chi2 of the mean after {epochs} epochs {chi2:.3f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["environment", "gradient-descent"], nargs="?")
    parser.add_argument("--mutants", type=int, default=80)
    parser.add_argument("--replicas", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=4000)
    parser.add_argument("--validate-every", type=int, default=10)
    arguments = parser.parse_args()
    if arguments.what in (None, "environment"):
        environment(arguments.mutants)
    if arguments.what in (None, "gradient-descent"):
        gradient_descent(arguments.replicas, arguments.epochs, arguments.validate_every)


if __name__ == "__main__":
    main()
