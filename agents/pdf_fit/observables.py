"""Observables as averages over replicas, and what new data say of the replicas."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...datasets.parton_distributions.data import DISData
from ...leaderboards.scores.pdf_fit import chi2_per_point, effective_replicas


@dataclass(frozen=True, eq=False)
class Observables:
    """Predictions of a set of replicas.

    Attributes
    ----------
    mean, error
        float64, shape (points,): mean and standard deviation over replicas.
    low68, high68
        float64, shape (points,): the central 68 percent of the replicas.
    effective
        Effective number of replicas, their number if all weigh the same.
    """

    mean: NDArray[np.float64]
    error: NDArray[np.float64]
    low68: NDArray[np.float64]
    high68: NDArray[np.float64]
    effective: float


def observe(dis: DISData, xf: ArrayLike, weights: ArrayLike | None = None) -> Observables:
    """Predict the points of a table, the bundled one or your own.

    Parameters
    ----------
    dis
        What is predicted: ``parton_distributions.load`` of an id or of a file of your own.
    xf
        x f at Q0 of each replica, shape (replicas, 9 or 8, grid).
    weights
        Of the replicas, shape (replicas,), of any sum; all the same by default.

    Returns
    -------
    Observables

    Raises
    ------
    ValueError
        If shapes do not agree, there are fewer than two replicas, or weights are not allowed.
    """
    replicas = dis.predict(xf)
    if replicas.ndim != 2 or len(replicas) < 2:
        raise ValueError(f"distributions have shape {np.shape(xf)}: give two or more replicas")
    shares = np.ones(len(replicas)) if weights is None else np.asarray(weights, np.float64)
    if shares.shape != (len(replicas),):
        raise ValueError(f"{shares.size} weights are given for {len(replicas)} replicas")
    effective = effective_replicas(shares)
    shares = shares / shares.sum()
    mean = shares @ replicas
    spread = shares @ (replicas - mean) ** 2 / (1.0 - float(shares @ shares))
    order = np.argsort(replicas, axis=0)
    ordered = np.take_along_axis(replicas, order, axis=0)
    # The weight below a replica and half of its own.
    below = np.cumsum(shares[order], axis=0) - shares[order] / 2.0
    low, high = (
        np.array([np.interp(q, below[:, i], ordered[:, i]) for i in range(replicas.shape[1])])
        for q in (0.16, 0.84)
    )
    return Observables(mean, np.sqrt(spread), low, high, effective)


def weights_from_data(dis: DISData, xf: ArrayLike) -> NDArray[np.float64]:
    """Weigh replicas by new data, as if these had been fitted too.

    A replica's weight is chi^(n - 1) exp(-chi2 / 2), with its chi2 to the n new points
    (arXiv:1012.0836).

    Parameters
    ----------
    dis
        The new data.
    xf
        x f at Q0 of each replica, shape (replicas, 9 or 8, grid).

    Returns
    -------
    numpy.ndarray
        float64, shape (replicas,), of sum 1.
    """
    n = len(dis)
    chi2 = n * chi2_per_point(dis.central, dis.predict(xf), dis.covariance())
    logs = 0.5 * (n - 1) * np.log(np.maximum(chi2, 1e-300)) - 0.5 * chi2
    weights = np.exp(logs - logs.max())
    return np.asarray(weights / weights.sum())
