"""Choose how long a fit trains by the validation chi2 alone, and by folds.

The validation points of a fit are a random part of the same sets as its training points and share
their correlated errors, so a fit that learns the noise of one part describes the other part well:
the longer it trains the lower the validation chi2. Folds are whole sets that a fit has not seen
(arXiv:2109.02653, section 3.3). Each of the four folds of the data is put aside in turn, and the
length is chosen in two ways on the other three:

* validation: fits of the three folds; the lowest validation chi2 wins;
* folds: fits of two of the three; the lowest chi2 of the third, averaged, wins.

Neither has seen the fold put aside, which tells in the end how well the chosen fit predicts. Fits
keep the weights with the lowest validation chi2 and never stop early. Each length is written at
once, and the same call goes on where it was interrupted:

    python examples/pdf_overfitting.py --output overfitting
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import numpy as np

from hepgym.agents.whole_files import write_whole
from hepgym.datasets import parton_distributions
from hepgym.datasets.parton_distributions.bases import EVOLUTION
from hepgym.datasets.parton_distributions.splits import FOLDS, k_folds
from hepgym.envs.pdf_fit.neural import NeuralSettings
from hepgym.envs.pdf_fit.neural.engine import NeuralEngine
from hepgym.envs.pdf_fit.problem import fit_problem
from hepgym.leaderboards.scores.pdf_fit import chi2_per_point

LENGTHS = (1_000, 3_000, 10_000, 30_000)
"""Shorter fits have not come near the data yet."""

CRITERIA = ("validation", "folds")
COLOURS = {"validation": "#cc3311", "folds": "#0077bb"}
SHOWN = ("g", "Sigma", "T3")


class Data:
    """The data without one fold, and without two."""

    def __init__(self, seed: int, thin: int) -> None:
        whole = parton_distributions.load()
        self.dis = whole.select(np.arange(0, len(whole), thin))
        self.covariance = self.dis.covariance()
        self.fold = k_folds(self.dis)
        left_out = [*combinations(range(FOLDS), 1), *combinations(range(FOLDS), 2)]
        self.problems = {
            out: fit_problem(self.dis.select(~np.isin(self.fold, out)), seed=seed)
            for out in left_out
        }
        # Fits with equally many ratios share a compiled graph.
        self.order = sorted(left_out, key=lambda out: len(self.problems[out].data.ratio))
        self.rank = max(problem.data.rank for problem in self.problems.values())

    def chi2(self, f, fold: int) -> float:
        """chi2 per point of the replicas' mean prediction to a fold."""
        rows = np.flatnonzero(self.fold == fold)
        mean = self.dis.predict(f).mean(axis=0)[rows]
        matrix = self.covariance[np.ix_(rows, rows)]
        return float(chi2_per_point(self.dis.central[rows], mean, matrix))


def play(data: Data, settings: NeuralSettings, replicas: int) -> dict[str, object]:
    """Make the ten fits of one length.

    Returns
    -------
    dict
        "training", "validation" and "test": chi2 for each fold put aside, the last one that of the
        fold; "left_out": for each fold put aside chi2 of the three others, each left out besides;
        "xf": distributions for each fold put aside.
    """
    engine: NeuralEngine | None = None
    left_out = np.zeros((FOLDS, FOLDS))
    found = {name: [None] * FOLDS for name in ("training", "validation", "test", "xf")}
    for out in data.order:
        problem = data.problems[out]
        if engine is None or not engine.takes(problem.data, settings, replicas):
            engine = NeuralEngine(problem.data, problem.constraints, settings, replicas, data.rank)
        engine.data = problem.data
        fits = engine.fit([problem.replica(number) for number in range(1, replicas + 1)])
        f = np.array([fit.f for fit in fits])
        if len(out) == 1:
            (fold,) = out
            found["training"][fold] = float(np.mean([fit.training for fit in fits]))
            found["validation"][fold] = float(np.mean([fit.validation for fit in fits]))
            found["test"][fold] = data.chi2(f, fold)
            found["xf"][fold] = f[:, [EVOLUTION.index(name) for name in SHOWN]].tolist()
        else:
            first, second = out
            left_out[first, second] = data.chi2(f, second)
            left_out[second, first] = data.chi2(f, first)
    others = [[left_out[k, j] for j in range(FOLDS) if j != k] for k in range(FOLDS)]
    return {"settings": settings.to_json(), **found, "left_out": others}


def choose(trials: list[dict]) -> dict[str, list[int]]:
    """Choose a length for each fold put aside, by each criterion."""
    validation = np.array([trial["validation"] for trial in trials])
    folds = np.array([trial["left_out"] for trial in trials]).mean(axis=2)
    return {
        "validation": validation.argmin(axis=0).tolist(),
        "folds": folds.argmin(axis=0).tolist(),
    }


def draw(
    trials: list[dict], epochs: Sequence[int], chosen: dict[str, list[int]], x, file: Path
) -> None:
    """Show chi2 against the length, what both choices cost, and the distributions of one fold."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 7), layout="constrained")
    above, below = figure.subfigures(2, 1)
    left, right = above.subplots(1, 2)
    for name, label, colour in (
        ("training", "training", "#999999"),
        ("validation", "validation", COLOURS["validation"]),
        ("test", "fold put aside", "#000000"),
    ):
        values = np.array([trial[name] for trial in trials])
        change = values - values.min(axis=0)
        left.errorbar(
            epochs,
            change.mean(axis=1),
            change.std(axis=1, ddof=1) / FOLDS**0.5,
            marker="o",
            c=colour,
            label=label,
        )
    left.set(xscale="log", xlabel="epochs", ylabel="chi2 per point above its lowest")
    left.legend(frameon=False)
    test = np.array([trial["test"] for trial in trials])
    for place, name in enumerate(CRITERIA):
        values = [test[chosen[name][k], k] for k in range(FOLDS)]
        right.bar(
            np.arange(FOLDS) + 0.4 * place,
            values,
            0.36,
            color=COLOURS[name],
            label=f"length chosen by {name}",
        )
    right.set(
        xticks=np.arange(FOLDS) + 0.2,
        xticklabels=[f"fold {k}" for k in range(FOLDS)],
        ylabel="chi2 per point of the fold put aside",
        ylim=(0.8 * test.min(), None),
    )
    right.legend(frameon=False)
    shown = FOLDS - 1
    for row, axes in enumerate(below.subplots(1, len(SHOWN))):
        for name in CRITERIA:
            for f in trials[chosen[name][shown]]["xf"][shown]:
                axes.plot(x, f[row], c=COLOURS[name], lw=1)
        axes.set(xscale="log", xlim=(1e-5, 1), title=f"x {SHOWN[row]} at 1.65 GeV")
    below.suptitle(f"replicas of the fits without fold {shown}")
    figure.savefig(file, dpi=100)


def main(given: Sequence[str] | None = None) -> None:
    """Try, choose, compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, nargs="+", default=LENGTHS, help="lengths to try")
    parser.add_argument("--replicas", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--thin", type=int, default=1, help="take every n-th point, to try it out")
    parser.add_argument("--output", type=Path, default=Path("overfitting"))
    arguments = parser.parse_args(given)
    lengths = sorted(set(arguments.epochs))
    if len(lengths) < 2 or lengths[0] < 1:
        parser.error("--epochs: give at least two different lengths, each at least 1")
    if arguments.replicas < 1 or not 1 <= arguments.thin <= 20:
        parser.error("--replicas must be at least 1, and --thin from 1 to 20")
    try:
        arguments.output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        parser.error(f"--output: {error}")
    data = Data(arguments.seed, arguments.thin)
    trials = []
    for epochs in lengths:
        fixed = (arguments.seed, arguments.replicas, arguments.thin, epochs)
        file = arguments.output / f"{'_'.join(map(str, ('trial', *fixed)))}.json"
        settings = NeuralSettings(epochs=epochs, patience=1.0, validate_every=min(10, epochs))
        held = json.loads(file.read_text()) if file.exists() else None
        if held is None or held["settings"] != settings.to_json():
            held = play(data, settings, arguments.replicas)
            write_whole(file, json.dumps(held))
        trials.append(held)
        numbers = ", ".join(
            f"{name} {np.mean(held[name]):.3f}" for name in ("training", "validation", "left_out")
        )
        print(f"{epochs} epochs: {numbers}, fold put aside {np.mean(held['test']):.3f}", flush=True)
    chosen = choose(trials)
    test = np.array([trial["test"] for trial in trials])
    cost = []
    for k in range(FOLDS):
        told = {name: float(test[chosen[name][k], k]) for name in CRITERIA}
        cost.append(told["validation"] - told["folds"])
        print(
            f"fold {k} put aside: "
            + ", ".join(
                f"{name} choose {lengths[chosen[name][k]]} epochs, chi2 {told[name]:.3f}"
                for name in CRITERIA
            )
        )
    error = np.std(cost, ddof=1) / FOLDS**0.5
    print(f"what the choice by validation costs: {np.mean(cost):.3f} +- {error:.3f}")
    file = arguments.output / "overfitting.png"
    draw(trials, lengths, chosen, data.dis.x_grid, file)
    print(f"figure: {file}")


if __name__ == "__main__":
    main()
