"""chi2 to folds of the data that short fits have not seen: the loss of hyperparameters."""

from __future__ import annotations

import numpy as np

from ...datasets.parton_distributions.data import DISData
from ...datasets.parton_distributions.splits import k_folds
from .neural.settings import NeuralSettings
from .problem import fit_problem


def fold_chi2(
    dis: DISData,
    settings: NeuralSettings,
    *,
    replicas: int,
    seed: int,
    folds: tuple[int, ...],
) -> list[float]:
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
    list of float
        chi2 per point of each fold, experimental covariance, averaged over the replicas.
    """
    from .neural.engine import NeuralEngine

    of_point = k_folds(dis)
    covariance = dis.covariance("experimental")
    out = []
    for fold in folds:
        problem = fit_problem(dis.select(of_point != fold), seed=seed)
        engine = NeuralEngine(problem.data, problem.constraints, settings, replicas)
        fits = engine.fit([problem.replica(number) for number in range(1, replicas + 1)])
        f = np.array([one.f for one in fits])
        rows = np.flatnonzero(of_point == fold)
        residual = (dis.predict(f) - dis.central)[:, rows]
        solved = np.linalg.solve(covariance[np.ix_(rows, rows)], residual.T)
        out.append(float(np.mean(np.einsum("rn,nr->r", residual, solved)) / len(rows)))
    return out
