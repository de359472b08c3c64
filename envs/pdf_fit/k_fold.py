"""Short fits of three folds of the data and what they say of the fourth: the loss of settings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...datasets.parton_distributions.bases import EVOLUTION
from ...datasets.parton_distributions.data import DISData
from ...datasets.parton_distributions.grid import interpolation
from ...datasets.parton_distributions.splits import k_folds
from .constraints import INTEGRABILITY_THRESHOLD, integrability
from .neural.settings import NeuralSettings
from .problem import fit_problem

_SATURATION_X = np.geomspace(1e-6, 1e-4, 100)


@dataclass(frozen=True, eq=False)
class FoldFits:
    """Fits of all data but one fold.

    Attributes
    ----------
    chi2
        float64, shape (replicas,): chi2 per point of each replica to the fold, experimental
        covariance.
    phi2
        Mean chi2 of the replicas to the fold minus that of their mean.
    validation
        float64, shape (replicas,): lowest validation chi2 per point of each replica.
    unfinished
        Fraction of replicas that were still improving when the epochs were spent.
    integrability
        Mean excess of |x T3| + |x T8| at small x over what is allowed, in units of that.
    saturation
        Mean over replicas of 1 / (|s| + spread of s) summed over Sigma and g, with the slope s of
        x f over log10 x between 1e-6 and 1e-4: large where activations no longer answer to x.
    """

    chi2: NDArray[np.float64]
    phi2: float
    validation: NDArray[np.float64]
    unfinished: float
    integrability: float
    saturation: float


def fold_fits(
    dis: DISData,
    settings: NeuralSettings,
    *,
    replicas: int,
    seed: int,
    folds: tuple[int, ...],
) -> list[FoldFits]:
    """Fit the data without each fold in turn and look at the fold.

    Parameters
    ----------
    dis
        All data.
    settings
        Hyperparameters.
    replicas
        Replicas in each fit.
    seed
        Seed of the replicas.
    folds
        Which folds are left out in turn.

    Returns
    -------
    list of FoldFits
    """
    from .neural.engine import NeuralEngine

    of_point = k_folds(dis)
    covariance = dis.covariance("experimental")
    problems = [fit_problem(dis.select(of_point != fold), seed=seed) for fold in folds]
    # Folds whose graphs have one shape share the compiled one, whatever their order.
    rank = max(problem.data.rank for problem in problems)
    engine: NeuralEngine | None = None
    out = []
    for fold, problem in zip(folds, problems, strict=True):
        if engine is None or not engine.takes(problem.data, settings, replicas):
            engine = NeuralEngine(problem.data, problem.constraints, settings, replicas, rank)
        engine.data = problem.data
        fits = engine.fit([problem.replica(number) for number in range(1, replicas + 1)])
        f = np.array([one.f for one in fits])
        rows = np.flatnonzero(of_point == fold)
        residual = (dis.predict(f) - dis.central)[:, rows]
        solved = np.linalg.solve(covariance[np.ix_(rows, rows)], residual.T)
        chi2 = np.einsum("rn,nr->r", residual, solved) / len(rows)
        mean = float(residual.mean(axis=0) @ solved.mean(axis=1)) / len(rows)
        patience = settings.patience * settings.epochs
        out.append(
            FoldFits(
                chi2=chi2,
                phi2=float(chi2.mean()) - mean,
                validation=np.array([one.validation for one in fits]),
                unfinished=float(
                    np.mean(
                        [
                            one.epochs + settings.validate_every > settings.epochs
                            and one.epochs - one.best_epoch <= patience
                            for one in fits
                        ]
                    )
                ),
                integrability=float(
                    np.mean(np.maximum(integrability(f) / INTEGRABILITY_THRESHOLD - 1.0, 0.0))
                ),
                saturation=float(saturation(f, dis.x_grid).mean()),
            )
        )
    return out


def fold_chi2(
    dis: DISData,
    settings: NeuralSettings,
    *,
    replicas: int,
    seed: int,
    folds: tuple[int, ...],
) -> list[float]:
    """Average chi2 per point of each fold left out; parameters as for `fold_fits`."""
    found = fold_fits(dis, settings, replicas=replicas, seed=seed, folds=folds)
    return [float(one.chi2.mean()) for one in found]


def saturation(f: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.float64]:
    """See `FoldFits`.

    Parameters
    ----------
    f
        Shape (replicas, 9, grid).
    x
        The grid.

    Returns
    -------
    numpy.ndarray
        float64, shape (replicas,).
    """
    rows = [EVOLUTION.index(name) for name in ("Sigma", "g")]
    values = f[:, rows] @ interpolation(_SATURATION_X, x).T
    slope = np.diff(values, axis=-1) / np.diff(np.log10(_SATURATION_X))
    steepness = np.abs(slope.mean(axis=-1)) + slope.std(axis=-1)
    return np.asarray((1.0 / (1e-7 + steepness)).sum(axis=-1))
