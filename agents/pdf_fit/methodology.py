"""Tests of the method: closure, chronological and k-fold fits."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...datasets.parton_distributions import DEFAULT_ID, load
from ...datasets.parton_distributions.data import DISData
from ...datasets.parton_distributions.splits import FOLDS, before_hera, k_folds
from ...leaderboards.bootstrap import Estimate, estimate, resample_counts
from ...leaderboards.scores.pdf_fit import Whitener
from .fitting import fit
from .plan import FitPlan, fit_plan, law
from .results import FittedReplica, distributions, surviving

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, eq=False)
class ClosureFits:
    """Fits of pseudodata made from a known law.

    Attributes
    ----------
    truth
        float64, shape (9, grid): the law.
    replicas
        float64, shape (universes, replicas, 9, grid).
    central
        float64, shape (universes, points): the pseudodata that each universe was fitted to.
    seconds
        What the fits of these replicas took together.
    """

    truth: NDArray[np.float64]
    replicas: NDArray[np.float64]
    central: NDArray[np.float64]
    seconds: float


def closure_fits(
    folder: str | os.PathLike[str],
    universes: int = 10,
    replicas: int = 20,
    *,
    agent: str = "n3fit",
    settings: Mapping[str, Any] | None = None,
    level: str = "L2",
    progress: Progress | None = None,
    workers: int = 1,
    scheduler: str | None = None,
    **arguments: Any,
) -> ClosureFits:
    """Fit a law's pseudodata in several universes, each with its own noise.

    Parameters
    ----------
    folder
        Where the fits go, one folder for each universe; what is there is not fitted again.
    universes, replicas
        How many; replicas that do not pass all vetoes do not count.
    agent, settings, level
        See `FitPlan`.
    progress, workers, scheduler
        As for `fit`.
    **arguments
        Further attributes of `FitPlan`.

    Returns
    -------
    ClosureFits

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    if universes < 1:
        raise ValueError(f"universes = {universes} is less than 1")
    found, central, seconds = [], [], 0.0
    for universe in range(universes):
        plan = fit_plan(agent, settings, level=level, universe=universe, **arguments)
        fits = _surviving(
            plan,
            Path(folder) / f"universe_{universe:03d}",
            replicas,
            workers=workers,
            scheduler=scheduler,
            progress=progress,
        )
        found.append(distributions(fits))
        seconds += sum(replica.seconds for replica in fits)
        central.append(plan.problem().dis.central)
    return ClosureFits(law(plan), np.array(found), np.array(central), seconds)


def _surviving(plan: FitPlan, folder: Path, wanted: int, **keywords: Any) -> list[FittedReplica]:
    """Fit until enough replicas pass all vetoes, at most twice as many."""
    asked = wanted
    while True:
        fits = fit(plan, folder, asked, **keywords)
        good = surviving(fits)
        if len(good) >= wanted:
            return good[:wanted]
        if asked >= 2 * wanted:
            raise ValueError(
                f"of {asked} replicas in {folder} only {len(good)} pass all vetoes: give the fits "
                "more epochs"
            )
        asked = min(asked + wanted - len(good), 2 * wanted)


@dataclass(frozen=True)
class Generalisation:
    """How a fit describes data that it has not seen.

    Attributes
    ----------
    fitted
        chi2 per point of the mean prediction to the data fitted, experimental covariance.
    unseen
        The same to the data left out, with the error from resampling replicas.
    unseen_with_pdf_error
        With the covariance of the replicas' predictions added (arXiv:2103.08606).
    points
        Number of points left out.
    """

    fitted: float
    unseen: Estimate
    unseen_with_pdf_error: Estimate
    points: int

    def line(self) -> str:
        """Say it in one line."""
        return (
            f"{self.points} points left out: chi2 {self.unseen}, with the fit's own error added "
            f"{self.unseen_with_pdf_error}; the others {self.fitted:.3f}"
        )


def generalisation(
    dis: DISData, replicas: NDArray[np.float64], seen: NDArray[np.bool_]
) -> Generalisation:
    """Compare a fit of some of the data with all of them.

    Parameters
    ----------
    dis
        All data.
    replicas
        float64, shape (replicas, 9, grid), two or more.
    seen
        bool, shape (points,): what was fitted.

    Returns
    -------
    Generalisation
    """
    predictions = dis.predict(replicas)
    covariance = dis.covariance("experimental")
    drawn = [counts / len(replicas) for (counts,) in resample_counts((len(replicas),), 1000, 0)]

    def looked_at(mask: NDArray[np.bool_], with_pdf: bool = False) -> Estimate:
        rows = np.flatnonzero(mask)
        matrix = covariance[np.ix_(rows, rows)]
        if with_pdf:
            matrix = matrix + np.cov(predictions[:, rows], rowvar=False)
        residuals = Whitener(matrix)(dis.central[rows] - predictions[:, rows])
        # Products of pairs of replicas give the chi2 of every weighted mean.
        pairs = residuals @ residuals.T / len(rows)
        return estimate(float(pairs.mean()), np.array([one @ pairs @ one for one in drawn]))

    left = ~seen
    return Generalisation(
        looked_at(seen).value, looked_at(left), looked_at(left, True), int(left.sum())
    )


def chronological_fit(
    folder: str | os.PathLike[str],
    replicas: int = 20,
    *,
    agent: str = "n3fit",
    settings: Mapping[str, Any] | None = None,
    data: str = DEFAULT_ID,
    **keywords: Any,
) -> Generalisation:
    """Fit what was measured before HERA and predict HERA's data.

    Parameters
    ----------
    folder, replicas, agent, settings, data
        As for `closure_fits`.
    **keywords
        As for `fit`.

    Returns
    -------
    Generalisation
    """
    dis = load(data)
    old = before_hera(dis)
    return _left_out(dis, old, folder, replicas, agent, settings, data, keywords)


def k_fold_fits(
    folder: str | os.PathLike[str],
    replicas: int = 10,
    *,
    agent: str = "n3fit",
    settings: Mapping[str, Any] | None = None,
    data: str = DEFAULT_ID,
    folds: Sequence[int] = range(FOLDS),
    **keywords: Any,
) -> list[Generalisation]:
    """Leave out one fold after the other, fit the rest, predict what was left out.

    Parameters
    ----------
    folder, replicas, agent, settings, data
        As for `closure_fits`.
    folds
        Which folds are left out in turn.
    **keywords
        As for `fit`.

    Returns
    -------
    list of Generalisation
        One for each fold.
    """
    dis = load(data)
    of_point = k_folds(dis)
    return [
        _left_out(
            dis,
            of_point != fold,
            Path(folder) / f"without_fold_{fold}",
            replicas,
            agent,
            settings,
            data,
            keywords,
        )
        for fold in folds
    ]


def _left_out(
    dis: DISData,
    seen: NDArray[np.bool_],
    folder: str | os.PathLike[str],
    replicas: int,
    agent: str,
    settings: Mapping[str, Any] | None,
    data: str,
    keywords: Mapping[str, Any],
) -> Generalisation:
    names = tuple(name for i, name in enumerate(dis.set_names) if seen[dis.set_index == i].any())
    plan = fit_plan(agent, settings, data=data, sets=names)
    fits = fit(plan, folder, replicas, **keywords)
    kept = surviving(fits)
    if len(kept) < 2:
        raise ValueError(f"of {len(fits)} replicas in {folder} fewer than 2 pass the vetoes")
    return generalisation(dis, distributions(kept), seen)


STATISTICS = ("mean", "max", "std")
"""What is made of the folds' losses: their average, the worst, or their standard deviation."""

MEASURES = ("chi2", "phi2")
"""Loss of a fold: chi2 per point, or 1 / phi2, which asks for replicas that differ where there are
no data."""

PENALTIES = ("integrability", "saturation", "unfinished")
"""What can be added to the loss of a fold, see ``envs.pdf_fit.k_fold.FoldFits``."""

BEST = 0.85
"""Share of the replicas, the best ones, that count for chi2."""


def k_fold_loss(
    settings: Mapping[str, Any],
    *,
    statistic: str = "mean",
    measure: str = "chi2",
    penalties: Sequence[str] = (),
    best: float = BEST,
    replicas: int = 1,
    seed: int = 0,
    data: str = DEFAULT_ID,
    folds: Sequence[int] = range(FOLDS),
) -> tuple[float, list[float]]:
    """Loss of hyperparameters of n3fit, from folds of data that fits have not seen.

    Parameters
    ----------
    settings
        Hyperparameters, see ``NeuralSettings``.
    statistic
        One of `STATISTICS`.
    measure
        One of `MEASURES`; phi2 needs two replicas or more.
    penalties
        Some of `PENALTIES`, added to the measure.
    best
        Share of the replicas whose chi2 to the measured values is averaged, the best ones.
    replicas
        Replicas in each fit.
    seed
        Seed of the replicas.
    data
        Dataset id or path.
    folds
        Which folds are left out in turn.

    Returns
    -------
    loss : float
        The statistic.
    chi2 : list of float
        chi2 per point of each fold that was left out, experimental covariance.

    Raises
    ------
    ValueError
        If a setting or another argument is unknown or out of range.
    """
    chosen = (("statistic", statistic, STATISTICS), ("measure", measure, MEASURES))
    for name, value, allowed in (*chosen, *(("penalty", one, PENALTIES) for one in penalties)):
        if value not in allowed:
            raise ValueError(f"{name} is {value!r} but must be one of {', '.join(allowed)}")
    if not 0.0 < best <= 1.0:
        raise ValueError(f"best is {best!r} but must be above 0 and up to 1")
    if measure == "phi2" and replicas < 2:
        raise ValueError("phi2 is the spread of replicas: give replicas = 2 or more")
    from ...envs.pdf_fit.k_fold import fold_fits

    plan = fit_plan(settings=settings)
    found = fold_fits(
        load(data), plan.agent_settings(), replicas=replicas, seed=seed, folds=tuple(folds)
    )
    kept = max(1, round(best * replicas))
    chi2 = [float(np.sort(one.chi2)[:kept].mean()) for one in found]
    measured = chi2 if measure == "chi2" else [1.0 / one.phi2 for one in found]
    values = np.array(
        [
            value + sum(getattr(one, name) for name in penalties)
            for value, one in zip(measured, found, strict=True)
        ]
    )
    made = {"mean": values.mean(), "max": values.max(), "std": values.std()}
    return float(made[statistic]), chi2
