"""Whether unweighted events have the distributions of the weighted ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

EVENTS_IN_BIN = 25
"""Fewer events do not have Gaussian errors."""


@dataclass(frozen=True)
class Closure:
    """Agreement of one distribution.

    Attributes
    ----------
    observable
        Name.
    chi2, dof
        chi^2 of the normalised histograms' difference, and its degrees of freedom.
    p_value
        Probability of a larger chi^2 if both follow the same distribution.
    """

    observable: str
    chi2: float
    dof: int
    p_value: float


def observables(momenta: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Kinematic quantities of events gg -> g g t tbar.

    Parameters
    ----------
    momenta
        float64, shape (n, 6, 4): two incoming gluons, two outgoing ones, top, antitop, in GeV.

    Returns
    -------
    dict
        Name to float64, shape (n,), in GeV: transverse momenta of both gluons (by pT), of the top
        and of the antitop; masses of the gluon pair, of top and antitop, and of the top with the
        harder gluon.
    """
    pt = np.hypot(momenta[:, 2:, 1], momenta[:, 2:, 2])
    harder = np.argmax(pt[:, :2], axis=1)
    hard = momenta[np.arange(len(momenta)), 2 + harder]
    return {
        "pt_gluon_1": pt[:, :2].max(axis=1),
        "pt_gluon_2": pt[:, :2].min(axis=1),
        "pt_top": pt[:, 2],
        "pt_antitop": pt[:, 3],
        "mass_gluons": _mass(momenta[:, 2] + momenta[:, 3]),
        "mass_tops": _mass(momenta[:, 4] + momenta[:, 5]),
        "mass_top_gluon": _mass(momenta[:, 4] + hard),
    }


def closure(
    weighted: dict[str, NDArray[np.float64]],
    weights: NDArray[np.float64],
    unweighted: dict[str, NDArray[np.float64]],
    unweighted_weights: NDArray[np.float64],
    bins: int = 20,
) -> list[Closure]:
    """Compare distributions of two independent samples.

    Bins hold equal shares of the weighted sample's weight, and on average at least
    ``EVENTS_IN_BIN`` accepted events. The chi^2 takes into account that both histograms are
    normalised to one.

    Parameters
    ----------
    weighted, weights
        Observables (see `observables`) and weights of the weighted events.
    unweighted, unweighted_weights
        The same for the accepted events; weights are one but for overweights.
    bins
        Largest number of bins.

    Returns
    -------
    list of Closure

    Raises
    ------
    ValueError
        If there are too few accepted events for two bins.
    """
    bins = min(bins, len(unweighted_weights) // EVENTS_IN_BIN)
    if bins < 2:
        raise ValueError(
            f"{len(unweighted_weights)} accepted events are too few to compare distributions: "
            f"at least {2 * EVENTS_IN_BIN} are needed"
        )
    from scipy.stats import chi2 as distribution

    found = []
    for name, values in weighted.items():
        order = np.argsort(values)
        cumulative = np.cumsum(weights[order]) / weights.sum()
        cuts = values[order][np.searchsorted(cumulative, np.arange(1, bins) / bins)]
        p, p_covariance = _shares(values, weights, cuts)
        q, q_covariance = _shares(unweighted[name], unweighted_weights, cuts)
        # Shares add up to one: the last is not independent of the others.
        difference = (p - q)[:-1]
        covariance = (p_covariance + q_covariance)[:-1, :-1]
        chi2 = float(difference @ np.linalg.solve(covariance, difference))
        found.append(Closure(name, chi2, bins - 1, float(distribution.sf(chi2, bins - 1))))
    return found


def _shares(
    values: NDArray[np.float64], weights: NDArray[np.float64], cuts: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Shares of the weight in bins, and their covariance matrix."""
    where = np.searchsorted(cuts, values, "right")
    bins = len(cuts) + 1
    total = weights.sum()
    share = np.bincount(where, weights, bins) / total
    square = np.bincount(where, weights**2, bins) / total**2
    # Linear propagation through the normalisation.
    jacobian = np.eye(bins) - share[:, None]
    return share, jacobian @ np.diag(square) @ jacobian.T


def _mass(momenta: NDArray[np.float64]) -> NDArray[np.float64]:
    square = momenta[:, 0] ** 2 - (momenta[:, 1:] ** 2).sum(axis=1)
    mass: NDArray[np.float64] = np.sqrt(np.maximum(square, 0.0))
    return mass
