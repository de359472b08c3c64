"""Speed of fits of parton distributions: parameter vectors per second, milliseconds per epoch.

Times are those that the process spends on its core, so that neighbours count little.

Run on one core:  OMP_NUM_THREADS=1 taskset -c 0 python benchmarks/pdf_fit.py

`pdf_fit.py n3fit --python PYTHON` lets n3fit fit the same replicas in the same run (ten minutes):
same points, covariance with all correlations, split, tables, network, optimiser and constraints.
PYTHON is that of an environment of its own with n3fit.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

REPEATS = 5

BLOCK = 100
"""Epochs that are timed together."""


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
    z = random.normal(size=(mutants, tables.matrix.shape[1])).astype(np.float32)
    parts = {
        "step of the vector environment": lambda: envs.step(actions),
        "evaluation": lambda: game.evaluate(parameters, envs.population.replica),
        "  networks": lambda: networks(parameters, tables.model.inputs),
        "  matrix product (bound)": lambda: tables.matrix @ z.T,
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


def gradient_descent(replicas: int, epochs: int, every: int) -> dict[str, object]:
    """Milliseconds per epoch, validation included; start-up, memory and what was fitted."""
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
    os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")
    from hepgym.envs.pdf_fit.neural import NeuralSettings, engine
    from hepgym.envs.pdf_fit.problem import fit_problem

    engine._CHUNK = BLOCK  # progress is told so often
    problem = fit_problem()
    settings = NeuralSettings(epochs=epochs, patience=1.0, validate_every=every)
    fitter = engine.NeuralEngine(problem.data, problem.constraints, settings, replicas)
    chosen = [problem.replica(number) for number in range(1, replicas + 1)]
    times: list[float] = []

    def progress(epoch: int, training: object, validation: object) -> None:
        times.append(time.process_time())

    fits = fitter.fit(chosen, progress)
    if len(times) < 2:
        raise SystemExit(f"give more --epochs than {BLOCK}: the first hold the compilation")
    seconds = np.diff(times)
    return {
        "ms": 1e3 * seconds / (BLOCK // every * every),
        "startup": times[0] - np.median(seconds),
        "megabytes": megabytes(),
        "f": np.array([one.f for one in fits]),
    }


def line(name: str, replicas: int, found: Mapping[str, Any]) -> str:
    """Describe a measurement in a line of a table."""
    from hepgym.envs.pdf_fit.problem import fit_problem

    problem = fit_problem()
    f = found["f"].reshape(replicas, -1)
    both = np.concatenate([f.mean(axis=0, keepdims=True), f])
    chi2 = problem.data.chi2(both, errors=problem.experimental) / len(problem.data)
    ms = np.median(found["ms"])
    return (
        f"{name:28s} {replicas:3d} replicas: {ms:7.3f} ms per epoch ({np.min(found['ms']):.3f} to "
        f"{np.max(found['ms']):.3f}), {ms / replicas:6.3f} per replica; until it runs "
        f"{float(found['startup']):5.1f} s; {float(found['megabytes']):5.0f} MB; chi2 per point of "
        f"the mean {chi2[0]:.3f}, of replicas {chi2[1:].mean():.3f}"
    )


def side_by_side(python: str, replicas: list[int], epochs: int, every: int) -> None:
    """Let n3fit and hepgym fit the same replicas, each in a process of its own, in turn."""
    check = [python, "-c", "import n3fit"]
    if shutil.which(python) is None or subprocess.run(check, capture_output=True).returncode:
        print(
            f"skipped: there is no n3fit for {python}. Make an environment with it (GPLv3, no part "
            'of hepgym): python -m venv n3 && n3/bin/pip install "nnpdf[nolha]==4.1.5", and give '
            "--python n3/bin/python"
        )
        return
    print(f"{epochs} epochs, one thread; n3fit validates after each epoch")
    with tempfile.TemporaryDirectory() as scratch:
        for count in replicas:
            problem, result = (str(Path(scratch) / name) for name in ("problem", "result"))
            result += ".npz"
            write_problem(problem + ".npz", count, epochs)
            peer = [python, str(Path(__file__).with_name("pdf_n3fit.py"))]
            theirs = measured([*peer, problem + ".npz", result], result, XDG_DATA_HOME=scratch)
            print(line("n3fit", count, theirs), flush=True)
            for looks in sorted({1, every}):
                own = [sys.executable, __file__, "gradient-descent", "--result", result]
                own += ["--replicas", str(count), "--validate-every", str(looks)]
                found = measured([*own, "--epochs", str(epochs)], result)
                ratio = np.median(theirs["ms"]) / np.median(found["ms"])
                name = f"hepgym, a look every {looks:2d}"
                print(f"{line(name, count, found)}; {ratio:.1f} times faster", flush=True)


def measured(command: list[str], result: str, **environment: str) -> dict[str, Any]:
    """Run a process that writes its measurement; what it prints is shown if it fails."""
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr[-3000:]}")
    with np.load(result) as file:
        return {name: file[name] for name in file.files}


def write_problem(file: str, replicas: int, epochs: int) -> None:
    """Write what n3fit needs to make the same fits."""
    from hepgym.datasets.parton_distributions.bases import EVOLUTION
    from hepgym.envs.pdf_fit.constraints import INTEGRABLE, POSITIVE, SMALL_X_POINTS
    from hepgym.envs.pdf_fit.neural import NeuralSettings
    from hepgym.envs.pdf_fit.preprocessing import LARGE_X, SMALL_X
    from hepgym.envs.pdf_fit.problem import fit_problem

    problem = fit_problem()
    data, dis = problem.data, problem.dis
    if (np.diff(dis.set_index) < 0).any():
        raise ValueError("n3fit wants the points of a set together")
    chosen = [problem.replica(number) for number in range(1, replicas + 1)]
    training = np.zeros((replicas, len(data)), np.bool_)
    for mask, replica in zip(training, chosen, strict=True):
        mask[replica.training] = True
    settings = NeuralSettings(epochs=epochs).to_json() | {
        "exponents": {name: (SMALL_X[name], LARGE_X[name]) for name in SMALL_X},
        "partons": len(POSITIVE),
        "integrable": [EVOLUTION.index(name) for name in INTEGRABLE],
        "small_x_points": SMALL_X_POINTS,
    }
    np.savez(
        file,
        settings=json.dumps(settings),
        x=data.x,
        table=data.table,
        ratio=data.ratio,
        denominator=data.denominator,
        central=data.central,
        covariance=data.errors.matrix(),
        set_index=dis.set_index,
        set_names=np.array(dis.set_names),
        values=np.array([replica.values for replica in chosen]),
        training=training,
        positivity=problem.constraints.positivity,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    choices = ["environment", "gradient-descent", "n3fit"]
    parser.add_argument("what", choices=choices, nargs="?", help="default: the first two")
    parser.add_argument("--mutants", type=int, default=80, help="of the environment")
    parser.add_argument("--replicas", type=int, nargs="+", help="default 1; for n3fit 1 and 10")
    parser.add_argument("--epochs", type=int, help="default 4000; for n3fit 500")
    parser.add_argument("--validate-every", type=int, default=10)
    parser.add_argument(
        "--python", default="n3/bin/python", help="of an environment with n3fit, for n3fit"
    )
    parser.add_argument("--result", type=Path, help="NPZ file for numbers of gradient-descent")
    arguments = parser.parse_args()
    if arguments.what in (None, "environment"):
        environment(arguments.mutants)
    if arguments.what in (None, "gradient-descent"):
        for replicas in arguments.replicas or [1]:
            found = gradient_descent(replicas, arguments.epochs or 4000, arguments.validate_every)
            if arguments.result:
                np.savez(arguments.result, **found)
            print(line("hepgym", replicas, found))
    if arguments.what == "n3fit":
        side_by_side(
            arguments.python,
            arguments.replicas or [1, 10],
            arguments.epochs or 500,
            arguments.validate_every,
        )


if __name__ == "__main__":
    main()
