"""Choose hyperparameters of a fit by the validation chi2 alone, and by folds.

The validation points of a fit are a random part of the same sets as its training points and share
their correlated errors, so a fit that learns the noise of one part describes the other part well.
Folds are whole sets that a fit has not seen (arXiv:2109.02653, section 3.3). Random settings are
tried in two ways on three of the four folds of the data:

* validation: fits of the three folds; the lowest validation chi2 wins;
* folds: fits of two of the three; the lowest chi2 of the third, averaged, wins.

Neither has seen the fourth fold, which tells in the end how well a fit predicts. Each trial is
written at once, and the same call goes on where it was interrupted:

    python examples/pdf_overfitting.py --trials 20 --output overfitting
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hepgym.datasets import parton_distributions
from hepgym.datasets.parton_distributions.bases import EVOLUTION
from hepgym.datasets.parton_distributions.splits import FOLDS, k_folds
from hepgym.envs.pdf_fit.neural import NeuralSettings
from hepgym.envs.pdf_fit.neural.engine import NeuralEngine
from hepgym.envs.pdf_fit.problem import fit_problem
from hepgym.leaderboards.scores.pdf_fit import chi2_per_point

SHOWN = ("g", "Sigma", "T3")


def draw_settings(seed: int, trial: int, epochs: int) -> NeuralSettings:
    """Draw from the search space of NNPDF4.0, and from fits that never stop early."""
    random = np.random.default_rng([seed, trial])
    layers = int(random.integers(1, 4))
    return NeuralSettings(
        units=tuple(int(units) for units in random.integers(10, 46, layers)),
        activation=str(random.choice(["tanh", "sigmoid"])),
        optimizer=str(random.choice(["Nadam", "Adam", "Amsgrad"])),
        learning_rate=float(10 ** random.uniform(-4, -2)),
        clipnorm=float(10 ** random.uniform(-7, -4)),
        epochs=epochs,
        patience=float(random.choice([0.1, 0.3, 1.0])),
        validate_every=min(10, epochs),
    )


class Data:
    """The three folds together, each two of them, and the fold that tells in the end."""

    def __init__(self, test_fold: int, seed: int, thin: int) -> None:
        whole = parton_distributions.load()
        self.dis = whole.select(np.arange(0, len(whole), thin))
        self.covariance = self.dis.covariance()
        self.fold = k_folds(self.dis)
        self.test_fold = test_fold
        tuned = [fold for fold in range(FOLDS) if fold != test_fold]
        self.left_out = [(test_fold,), *((test_fold, fold) for fold in tuned)]
        self.problems = [
            fit_problem(self.dis.select(~np.isin(self.fold, out)), seed=seed)
            for out in self.left_out
        ]
        self.rank = max(problem.data.rank for problem in self.problems)

    def chi2(self, f, fold: int) -> float:
        """chi2 per point of the replicas' mean prediction to a fold."""
        rows = np.flatnonzero(self.fold == fold)
        mean = self.dis.predict(f).mean(axis=0)[rows]
        matrix = self.covariance[np.ix_(rows, rows)]
        return float(chi2_per_point(self.dis.central[rows], mean, matrix))


def play(data: Data, settings: NeuralSettings, replicas: int) -> dict[str, object]:
    """Make the four fits of one trial."""
    engine: NeuralEngine | None = None
    found: dict[str, object] = {"settings": settings.to_json()}
    folds = []
    for out, problem in zip(data.left_out, data.problems, strict=True):
        if engine is None or not engine.takes(problem.data, settings, replicas):
            engine = NeuralEngine(problem.data, problem.constraints, settings, replicas, data.rank)
        engine.data = problem.data
        fits = engine.fit([problem.replica(number) for number in range(1, replicas + 1)])
        f = np.array([fit.f for fit in fits])
        if len(out) == 1:
            found["validation"] = float(np.mean([fit.validation for fit in fits]))
            found["training"] = float(np.mean([fit.training for fit in fits]))
            found["acceptable"] = all(fit.acceptable for fit in fits)
            found["test"] = data.chi2(f, data.test_fold)
            found["xf"] = f[:, [EVOLUTION.index(name) for name in SHOWN]].tolist()
        else:
            folds.append(data.chi2(f, out[1]))
    return found | {"folds": folds, "k_fold": float(np.mean(folds))}


def draw(trials: list[dict], chosen: dict[str, int], x, file: Path) -> None:
    """Show what each criterion knows of the fold that tells, and both choices."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 7), layout="constrained")
    above, below = figure.subfigures(2, 1)
    colours = {"validation": "#cc3311", "k_fold": "#0077bb"}
    titles = {"validation": "validation chi2", "k_fold": "chi2 of folds"}
    for axes, name in zip(above.subplots(1, 2, sharey=True), colours, strict=True):
        axes.scatter([t[name] for t in trials], [t["test"] for t in trials], c="#999999")
        for criterion, colour in colours.items():
            one = trials[chosen[criterion]]
            label = f"chosen by {titles[criterion]}"
            axes.scatter(one[name], one["test"], c=colour, s=80, label=label)
        axes.set(xlabel=f"{titles[name]} per point")
    above.axes[0].set_ylabel("chi2 per point of the last fold")
    above.axes[0].legend(frameon=False)
    for axes, row in zip(below.subplots(1, 3), range(len(SHOWN)), strict=True):
        for criterion, colour in colours.items():
            for f in trials[chosen[criterion]]["xf"]:
                axes.plot(x, f[row], c=colour, lw=1)
        axes.set(xscale="log", xlim=(1e-5, 1), title=f"x {SHOWN[row]} at 1.65 GeV")
    figure.savefig(file, dpi=100)


def main(given: Sequence[str] | None = None) -> None:
    """Try, choose, compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--epochs", type=int, default=3000)
    parser.add_argument("--replicas", type=int, default=2)
    parser.add_argument("--test-fold", type=int, default=2, choices=range(FOLDS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--thin", type=int, default=1, help="take every n-th point, to try it out")
    parser.add_argument("--output", type=Path, default=Path("overfitting"))
    arguments = parser.parse_args(given)
    arguments.output.mkdir(parents=True, exist_ok=True)
    data = Data(arguments.test_fold, arguments.seed, arguments.thin)
    trials = []
    for number in range(arguments.trials):
        settings = draw_settings(arguments.seed, number, arguments.epochs)
        fixed = (arguments.test_fold, arguments.seed, arguments.replicas, arguments.thin)
        name = "_".join(map(str, ("trial", *fixed, f"{number:03d}")))
        file = arguments.output / f"{name}.json"
        held = json.loads(file.read_text()) if file.exists() else None
        if held is None or held["settings"] != settings.to_json():
            held = play(data, settings, arguments.replicas)
            partial = file.with_suffix(".part")
            partial.write_text(json.dumps(held))
            partial.replace(file)
        trials.append(held)
        print(
            f"trial {number}: validation {held['validation']:.3f}, folds {held['k_fold']:.3f}, "
            f"last fold {held['test']:.3f}",
            flush=True,
        )
    fine = [number for number, trial in enumerate(trials) if trial["acceptable"]]
    if not fine:
        raise SystemExit("no trial met positivity and integrability: give more epochs or trials")
    chosen = {
        name: min(fine, key=lambda number: trials[number][name])
        for name in ("validation", "k_fold")
    }
    kept = [trials[number] for number in fine]
    tests = np.array([trial["test"] for trial in kept])
    for name, number in chosen.items():
        print(
            f"chosen by {name}: trial {number}, validation {trials[number]['validation']:.3f}, "
            f"folds {trials[number]['k_fold']:.3f}, last fold {trials[number]['test']:.3f}"
        )
        values = np.array([trial[name] for trial in kept])
        if len(kept) > 2:
            ranks = np.corrcoef(values.argsort().argsort(), tests.argsort().argsort())
            print(f"rank correlation with the last fold, {len(kept)} trials: {ranks[0, 1]:.2f}")
    places = {name: fine.index(number) for name, number in chosen.items()}
    file = arguments.output / "overfitting.png"
    draw(kept, places, data.dis.x_grid, file)
    print(f"figure: {file}")


if __name__ == "__main__":
    main()
