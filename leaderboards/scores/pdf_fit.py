"""Scores of fits of parton distributions: against real data, and against a known law.

Replica sets are judged by their predictions T_r, r = 1 ... R, and their mean <T>. Per point:

* chi2: of <T> to the data, with the experimental or the t0 covariance; phi2 = <chi2(T_r)> -
  chi2(<T>) is the spread of the replicas in units of the data's errors (arXiv:1410.8849, 3.2).
* Generalisation: chi2 of data that were left out, with C_exp + C_pdf, for folds and for the
  chronological test (arXiv:2109.02653, 3.3; arXiv:2103.08606).
* Closure: the data are a law plus noise. bias = chi2 of <T> to the law, variance = mean chi2 of T_r
  to <T>, R_bv = sqrt(<bias> / <variance>) over fits, xi_1sigma = how often the law is within one
  standard deviation, along the main directions in which replicas vary (arXiv:2109.02653, 6.1;
  arXiv:2111.05787). Delta_chi2 = (chi2(<T>) - chi2(law)) / chi2(law) on the noisy data.

Errors come from resampling replicas, in closure tests whole fits. The error of the data themselves
is no part of them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...datasets import DatasetError, parton_distributions
from ...datasets.parton_distributions.bases import EVOLUTION, FITTED, all_nine
from ...datasets.parton_distributions.catalogue import DATA_FILE, EVOLUTION_FILE
from ...datasets.parton_distributions.data import DISData
from ...datasets.parton_distributions.evolution import EvolutionTable
from ...datasets.parton_distributions.grid import interpolation
from ...datasets.parton_distributions.point_errors import PointErrors
from ...datasets.parton_distributions.replicas import ReplicaGenerator
from ...datasets.parton_distributions.splits import FOLDS, before_hera, k_folds
from ...datasets.parton_distributions.sum_rules import sum_rules
from ...datasets.parton_distributions.whitening import solve_lower
from ...envs.pdf_fit.closure_law import closure_law
from ...envs.pdf_fit.constraints import INTEGRABILITY_THRESHOLD, integrability, positivity_rows
from ..bootstrap import Estimate, estimate, resample_counts

PREDICTION_KINDS = {"replicas": True, "closure": True}
"""What a submission may hold, and whether an agent can make it inside the game.

"replicas": array ``xf``, shape (replicas, 9 or 8, grid points), and optionally ``fold0`` ...
``fold3`` and ``before_hera``, sets that were fitted without that fold or without HERA. "closure":
array ``xf``, shape (fits, replicas, 9 or 8, grid points); fit f was made of the data that
`closure_data` gives.
"""

MAX_VIOLATION = 1e-3
"""Of sum rules, relative, and of positivity, absolute in x f."""

CLOSURE_SEED = 20210906
"""Seed of the noise of closure tests."""

EXPLAINED_VARIANCE = 0.99
"""Share of the replicas' variance that the directions of xi_1sigma hold."""

CLOSURE_POINTS = (
    (("Sigma", "g"), (0.001, 0.01, 0.1, 0.5)),
    (("V", "V3", "V8", "T3", "T8"), tuple(np.linspace(0.1, 0.5, 4))),
)
"""Distributions and x at which closure tests compare them with the law."""

_EVERY_DIRECTION = 1.0 - 1e-12
"""All directions in which replicas vary at all."""

VETO_SIGMAS = 4.0

_FINE = 4  # points between two of the grid in arc lengths


@dataclass(frozen=True)
class FitScore:
    """Score of a set of replicas, or of a set of closure fits.

    Attributes
    ----------
    estimates
        Name to number with its error.
    """

    estimates: Mapping[str, Estimate] = field(default_factory=dict)

    def metrics(self) -> dict[str, Estimate]:
        """Every metric by name."""
        return dict(self.estimates)


@dataclass(frozen=True, eq=False)
class OfficialData:
    """What fits are scored on.

    Attributes
    ----------
    data
        The measured points.
    evolution
        Tables of evolution, for positivity above Q0.
    reference
        NNPDF3.1 at Q0, what t0 is computed with.
    law
        The law of closure tests, see ``envs.pdf_fit.closure_law``.
    """

    data: DISData
    evolution: EvolutionTable
    reference: NDArray[np.float64]
    law: NDArray[np.float64]


class Whitener:
    """Expresses vectors of points in units of correlated errors.

    Parameters
    ----------
    covariance
        float64, shape (points, points).

    Raises
    ------
    ValueError
        If it is not positive definite.
    """

    def __init__(self, covariance: NDArray[np.float64]) -> None:
        try:
            self._factor = np.linalg.cholesky(covariance).astype(np.float64, copy=False)
        except np.linalg.LinAlgError:
            raise ValueError("the covariance is not positive definite") from None

    def __call__(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Whiten float64 values of shape (..., points)."""
        rows = values.reshape(-1, values.shape[-1])
        return solve_lower(self._factor, rows.T).T.reshape(values.shape)


def chi2_per_point(
    data: ArrayLike, predictions: ArrayLike, covariance: ArrayLike
) -> NDArray[np.float64]:
    """Chi2 over the number of points.

    Parameters
    ----------
    data
        Shape (points,).
    predictions
        Shape (..., points).
    covariance
        Shape (points, points).

    Returns
    -------
    numpy.ndarray
        float64, shape (...).
    """
    white = Whitener(np.asarray(covariance, np.float64))
    residuals = white(np.asarray(data, np.float64) - np.asarray(predictions, np.float64))
    return np.asarray((residuals**2).mean(axis=-1))


def chi2_by_group(
    data: DISData, predictions: ArrayLike, covariance: NDArray[np.float64], by: str = "set"
) -> dict[str, tuple[int, float]]:
    """Chi2 per point of each set or experiment, as a table shows it.

    Correlations between groups do not enter.

    Parameters
    ----------
    data
        The data.
    predictions
        Shape (points,).
    covariance
        Shape (points, points).
    by
        "set" or "experiment".

    Returns
    -------
    dict
        Name to number of points and chi2 per point.

    Raises
    ------
    ValueError
        If ``by`` is neither.
    """
    if by not in ("set", "experiment"):
        raise ValueError(f"by is {by!r}: it must be 'set' or 'experiment'")
    names = data.set_names if by == "set" else data.experiments
    index = data.set_index if by == "set" else data.experiment_index
    values = np.asarray(predictions, np.float64)
    out = {}
    for number, name in enumerate(names):
        rows = np.flatnonzero(index == number)
        if rows.size:
            chi2 = chi2_per_point(data.central[rows], values[rows], covariance[np.ix_(rows, rows)])
            out[name] = (len(rows), float(chi2))
    return out


def phi2(data: ArrayLike, predictions: ArrayLike, covariance: ArrayLike) -> float:
    """Mean chi2 of replicas minus chi2 of their mean, per point.

    Parameters
    ----------
    data, predictions, covariance
        Shapes (points,), (replicas, points), (points, points).

    Returns
    -------
    float
    """
    white = Whitener(np.asarray(covariance, np.float64))
    spread = white(_centred(np.asarray(predictions, np.float64)))
    return float((spread**2).mean())


def left_out_chi2(
    data: ArrayLike, predictions: ArrayLike, covariance: ArrayLike
) -> tuple[float, float]:
    """Chi2 per point of data that a fit has not seen.

    Parameters
    ----------
    data, predictions, covariance
        Shapes (points,), (replicas, points), (points, points); at least 2 replicas.

    Returns
    -------
    experimental, with_pdf : float
        With the data's covariance, and with that of the predictions added.
    """
    central, replicas = np.asarray(data, np.float64), np.asarray(predictions, np.float64)
    matrix = np.asarray(covariance, np.float64)
    mean = replicas.mean(axis=0)
    spread = _centred(replicas)
    total = matrix + spread.T @ spread / (len(replicas) - 1)
    return (
        float(chi2_per_point(central, mean, matrix)),
        float(chi2_per_point(central, mean, total)),
    )


def bias_and_variance(
    predictions: ArrayLike, law: ArrayLike, covariance: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Bias and variance of closure fits, per point.

    Parameters
    ----------
    predictions
        Shape (fits, replicas, points).
    law
        Predictions of the law, shape (points,).
    covariance
        Shape (points, points).

    Returns
    -------
    bias, variance : numpy.ndarray
        float64, shape (fits,).
    """
    white = Whitener(np.asarray(covariance, np.float64))
    replicas = white(np.asarray(predictions, np.float64) - np.asarray(law, np.float64))
    return _bias_and_variance(replicas)


def one_sigma_rate(
    predictions: ArrayLike,
    law: ArrayLike,
    covariance: ArrayLike,
    explained: float = EXPLAINED_VARIANCE,
) -> float:
    """How often the law is within one standard deviation of the replicas: 0.68 if all is well.

    Counted over fits and over the directions that diagonalise the replicas' covariance, pooled over
    fits and in units of the data's errors; directions beyond the given share of its trace are left
    out.

    Parameters
    ----------
    predictions, law, covariance
        Shapes (fits, replicas, points), (points,), (points, points).
    explained
        Share of the variance that the directions hold.

    Returns
    -------
    float
    """
    white = Whitener(np.asarray(covariance, np.float64))
    replicas = white(np.asarray(predictions, np.float64) - np.asarray(law, np.float64))
    return float(_within_one_sigma(_along_main_directions(replicas, explained)).mean())


def at_closure_points(xf: NDArray[np.float64], x_grid: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distributions where published closure tests look at them (arXiv:2109.02653, section 6.1).

    Sigma and g at x = 0.001, 0.01, 0.1, 0.5; V, V3, V8, T3, T8 at x = 0.1, 0.233, 0.367, 0.5: where
    they are known, and far enough from each other.

    Parameters
    ----------
    xf
        Shape (..., 9, grid points).
    x_grid
        The grid.

    Returns
    -------
    numpy.ndarray
        float64, shape (..., 28).
    """
    parts = []
    for names, points in CLOSURE_POINTS:
        rows = [EVOLUTION.index(name) for name in names]
        values = xf[..., rows, :] @ interpolation(np.array(points), x_grid).T
        parts.append(values.reshape(*values.shape[:-2], -1))
    return np.concatenate(parts, axis=-1)


def delta_chi2(
    data: ArrayLike, predictions: ArrayLike, law: ArrayLike, covariance: ArrayLike
) -> NDArray[np.float64]:
    """Relative excess of the fit's chi2 over the law's, on the noisy data of each fit.

    Parameters
    ----------
    data
        Shape (fits, points).
    predictions
        Shape (fits, replicas, points).
    law, covariance
        Shapes (points,), (points, points).

    Returns
    -------
    numpy.ndarray
        float64, shape (fits,): negative where the fit follows the noise.
    """
    white = Whitener(np.asarray(covariance, np.float64))
    noisy = np.asarray(data, np.float64)
    of_law = (white(noisy - np.asarray(law, np.float64)) ** 2).sum(axis=-1)
    mean = np.asarray(predictions, np.float64).mean(axis=1)
    of_fit = (white(noisy - mean) ** 2).sum(axis=-1)
    return np.asarray((of_fit - of_law) / of_law)


def overfit_metric(
    predictions: ArrayLike,
    replica_data: ArrayLike,
    validation: ArrayLike,
    covariance: ArrayLike,
) -> float:
    """R_O: validation chi2 of replicas against their own data minus that against others'.

    Negative values say that replicas learnt the noise of points that were to validate them:
    training and validation points share it through correlated errors.

    Parameters
    ----------
    predictions, replica_data
        Shape (replicas, points): each replica's predictions and the pseudodata it was fitted to.
    validation
        bool, shape (replicas, points): the points that validated it.
    covariance
        Shape (points, points).

    Returns
    -------
    float
        Mean over replicas of chi2_val(r, r) - <chi2_val(r, r')>_r', per point.
    """
    theory, pseudo = np.asarray(predictions, np.float64), np.asarray(replica_data, np.float64)
    masks, matrix = np.asarray(validation, np.bool_), np.asarray(covariance, np.float64)
    excess = []
    for number, mask in enumerate(masks):
        if mask.any():
            rows = np.flatnonzero(mask)
            white = Whitener(matrix[np.ix_(rows, rows)])
            chi2 = (white(pseudo[:, rows] - theory[number, rows]) ** 2).mean(axis=-1)
            excess.append(chi2[number] - chi2.mean())
    if not excess:
        raise ValueError("no replica has validation points")
    return float(np.mean(excess))


def effective_replicas(weights: ArrayLike) -> float:
    """Effective number of weighted replicas: exp of the weights' Shannon entropy.

    Parameters
    ----------
    weights
        Not negative, shape (replicas,), of any sum (arXiv:1012.0836).

    Returns
    -------
    float
        Between 1 and the number of replicas.

    Raises
    ------
    ValueError
        If a weight is negative or all are zero.
    """
    values = np.asarray(weights, np.float64)
    if not (values >= 0.0).all() or not values.sum() > 0.0:
        raise ValueError("weights must not be negative, nor all zero")
    shares = values / values.sum()
    kept = shares[shares > 0.0]
    return float(np.exp(-(kept * np.log(kept)).sum()))


def arc_lengths(xf: ArrayLike, x_grid: NDArray[np.float64]) -> NDArray[np.float64]:
    """Length of the curve x f(x) over x, from the grid's smallest point to 1.

    Parameters
    ----------
    xf
        Shape (..., distributions, grid points).
    x_grid
        The grid.

    Returns
    -------
    numpy.ndarray
        float64, shape (..., distributions); 1 for a distribution that vanishes.
    """
    steps = np.arange(_FINE) / _FINE
    log_grid = np.log(x_grid)
    fine = np.exp(log_grid[:-1, None] + np.diff(log_grid)[:, None] * steps).ravel()
    fine = np.append(fine, 1.0).clip(x_grid[0], 1.0)
    curve = np.asarray(xf, np.float64) @ interpolation(fine, x_grid).T
    return np.asarray(np.hypot(np.diff(curve, axis=-1), np.diff(fine)).sum(axis=-1))


def veto(values: ArrayLike, passed: ArrayLike, sigmas: float = VETO_SIGMAS) -> NDArray[np.bool_]:
    """Refuse replicas far above the others.

    Parameters
    ----------
    values
        Shape (replicas,), for example chi2.
    passed
        bool, shape (replicas,): the replicas that define mean and standard deviation.
    sigmas
        How many standard deviations above the mean are too far.

    Returns
    -------
    numpy.ndarray
        bool, shape (replicas,): False for those refused.
    """
    numbers, mask = np.asarray(values, np.float64), np.asarray(passed, np.bool_)
    if not mask.any():
        return np.zeros(len(numbers), np.bool_)
    limit = numbers[mask].mean() + sigmas * numbers[mask].std()
    return numbers <= limit


def postfit(
    chi2: ArrayLike, lengths: ArrayLike, positive: ArrayLike, integrable: ArrayLike
) -> NDArray[np.bool_]:
    """Apply all vetoes until no more replicas fall.

    Parameters
    ----------
    chi2
        Of each replica, shape (replicas,).
    lengths
        Arc lengths, shape (replicas, distributions).
    positive, integrable
        bool, shape (replicas,).

    Returns
    -------
    numpy.ndarray
        bool, shape (replicas,): True for those that stay.
    """
    passed = np.asarray(positive, np.bool_) & np.asarray(integrable, np.bool_)
    curves = np.asarray(lengths, np.float64)
    while True:
        stay = passed & veto(chi2, passed)
        for column in curves.T:
            stay &= veto(column, passed)
        if (stay == passed).all():
            return passed
        passed = stay


@dataclass(frozen=True, eq=False)
class Checks:
    """What replicas must satisfy beside the data; arrays of shape (replicas,).

    Attributes
    ----------
    sum_rules
        Largest relative violation of the momentum and valence sum rules.
    least
        Lowest x f of u, ubar, d, dbar, s, sbar and g at Q2 = 5 GeV2 over twenty points.
    integrability
        Sum of |x T3| + |x T8| over the grid's three smallest points.
    arc_lengths
        Shape (replicas, 9).
    """

    sum_rules: NDArray[np.float64]
    least: NDArray[np.float64]
    integrability: NDArray[np.float64]
    arc_lengths: NDArray[np.float64]


def check_replicas(xf: ArrayLike, evolution: EvolutionTable) -> Checks:
    """Check sum rules, positivity and integrability.

    Parameters
    ----------
    xf
        Shape (replicas, 9 or 8, grid points).
    evolution
        Tables of evolution.

    Returns
    -------
    Checks
    """
    values = all_nine(np.asarray(xf, np.float64))
    flat = values.reshape(len(values), -1)
    return Checks(
        sum_rules=sum_rules(values, evolution.x_grid).largest_violation(),
        least=(flat @ positivity_rows(evolution).T).min(axis=1),
        integrability=np.asarray(integrability(values), np.float64),
        arc_lengths=arc_lengths(values, evolution.x_grid),
    )


def closure_data(
    data: DISData, law: NDArray[np.float64], fit: int, seed: int = CLOSURE_SEED
) -> DISData:
    """Make the data of a closure fit: the law's predictions with the noise of real data.

    Parameters
    ----------
    data
        Data whose points and errors are taken.
    law
        x f at Q0, float64, shape (9, grid points).
    fit
        Number of the fit, from 0.
    seed
        Seed of the noise.

    Returns
    -------
    DISData
    """
    truth = data.with_central(data.predict(law))
    return truth.with_central(ReplicaGenerator(truth, seed).replica(fit))


def hashes(datasets: Mapping[str, str], split: str) -> dict[str, str]:
    """Role to SHA-256 of the content of the official data."""
    return {
        role: parton_distributions.spec(one).sha256[DATA_FILE] for role, one in datasets.items()
    }


def load(datasets: Mapping[str, str], split: str) -> dict[str, OfficialData]:
    """Role to the official data.

    Raises
    ------
    DatasetError
        If their content is not that of the catalogue.
    """
    from ...datasets.parton_distributions import evolution as evolution_files
    from ...datasets.parton_distributions.export import reference_law
    from ...datasets.parton_distributions.files import content_hash, to_arrays

    out = {}
    for role, one in datasets.items():
        data = parton_distributions.load(one)
        tables = parton_distributions.load_evolution(one)
        expected = parton_distributions.spec(one).sha256
        for name, arrays in (
            (DATA_FILE, to_arrays(data)),
            (EVOLUTION_FILE, evolution_files.to_arrays(tables)),
        ):
            if content_hash(arrays) != expected[name]:
                raise DatasetError(
                    f"{name} of {one} is not the official one: its content hash differs from the "
                    "catalogue's, install hepgym again"
                )
        reference = reference_law(data.x_grid)
        out[role] = OfficialData(data, tables, reference, closure_law(reference, data.x_grid))
    return out


def evaluate(
    kind: str,
    predictions: Mapping[str, NDArray[np.floating[Any]]],
    data: Mapping[str, OfficialData],
    *,
    resamples: float = 1000,
    seed: float = 0,
    max_violation: float = MAX_VIOLATION,
) -> FitScore:
    """Score a set of replicas or closure fits.

    Parameters
    ----------
    kind
        "replicas" or "closure", see ``PREDICTION_KINDS``.
    predictions
        Array name to x f at Q0 on the grid.
    data
        "data" to the official data.
    resamples, seed
        Settings of the bootstrap.
    max_violation
        Sets that violate a sum rule by more, relative, or have a more negative parton at Q2 = 5
        GeV2, are refused. Infinity for reference sets that were made otherwise.

    Returns
    -------
    FitScore

    Raises
    ------
    ValueError
        If arrays are missing, left over, of the wrong shape or not finite, or if the sum rules or
        positivity are violated.
    """
    if kind not in PREDICTION_KINDS:
        known = ", ".join(PREDICTION_KINDS)
        raise ValueError(f"predictions of kind {kind!r} are unknown, known: {known}")
    official = data["data"]
    if kind == "closure":
        sets = _checked_arrays(predictions, official, {"xf"}, axes=4)
        fits = sets["xf"]
        _refuse_violations(
            "xf", fits.reshape(-1, *fits.shape[2:]), official.evolution, max_violation
        )
        return closure_score(fits, official, resamples=int(resamples), seed=int(seed))
    optional = {*(f"fold{fold}" for fold in range(FOLDS)), "before_hera"}
    sets = _checked_arrays(predictions, official, {"xf", *optional}, axes=3)
    for name, replicas in sets.items():
        _refuse_violations(name, replicas, official.evolution, max_violation)
    return data_score(sets, official, resamples=int(resamples), seed=int(seed))


def data_score(
    sets: Mapping[str, NDArray[np.float64]],
    official: OfficialData,
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> FitScore:
    """Score replicas on real data.

    Parameters
    ----------
    sets
        "xf", and optionally "fold0" ... "fold3" and "before_hera", to x f of shape
        (replicas, 9, grid points).
    official
        See `load`.
    resamples, seed
        Settings of the bootstrap over replicas.

    Returns
    -------
    FitScore
        chi2, chi2_t0, chi2/<experiment> (experimental), phi2, replicas, postfit (share of replicas
        that pass all vetoes), sum_rules, positivity; kfold_chi2, kfold_chi2_pdf and
        before_hera_chi2, before_hera_chi2_pdf where the sets are given.
    """
    data = official.data
    replicas = sets["xf"]
    predictions = data.predict(replicas)
    experimental = data.errors()
    t0 = data.errors("t0", data.predict(official.reference))
    resampled = _Resampled(len(replicas), resamples, seed)
    out = {}
    every = np.arange(len(data))
    for name, errors, rows in (
        ("chi2", experimental, every),
        ("chi2_t0", t0, every),
        *(
            (f"chi2/{name}", experimental, np.flatnonzero(data.experiment_index == number))
            for number, name in enumerate(data.experiments)
        ),
    ):
        residuals = errors.whitened((data.central - predictions).T[rows], rows).T
        out[name] = resampled.of_mean(residuals)
        if name == "chi2":
            each = (residuals**2).mean(axis=-1)
            out["phi2"] = resampled.of_spread(residuals)
    checks = check_replicas(replicas, official.evolution)
    passed = postfit(
        each,
        checks.arc_lengths,
        checks.least >= -MAX_VIOLATION,
        checks.integrability <= INTEGRABILITY_THRESHOLD,
    )
    out["replicas"] = _exact(len(replicas))
    out["postfit"] = resampled.of_average(passed.astype(np.float64))
    out["sum_rules"] = _exact(float(checks.sum_rules.max()))
    out["positivity"] = _exact(float(checks.least.min()))
    folds = k_folds(data)
    if all(f"fold{fold}" in sets for fold in range(FOLDS)):
        parts = [(sets[f"fold{fold}"], folds == fold) for fold in range(FOLDS)]
        out |= _left_out("kfold", data, experimental, parts, resamples, seed)
    if "before_hera" in sets:
        parts = [(sets["before_hera"], ~before_hera(data))]
        out |= _left_out("before_hera", data, experimental, parts, resamples, seed)
    return FitScore(out)


def closure_score(
    fits: NDArray[np.float64],
    official: OfficialData,
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> FitScore:
    """Score closure fits.

    Parameters
    ----------
    fits
        x f of each fit's replicas, shape (fits, replicas, 9, grid points); at least 2 and 2.
    official
        See `load`. Fit f must have been made of ``closure_data(official.data, official.law, f)``.
    resamples, seed
        Settings of the bootstrap over fits.

    Returns
    -------
    FitScore
        R_bv, xi_1sigma, xi_pdf (the same of distributions instead of predictions, see
        `at_closure_points`), delta_chi2, bias, variance; R_bv_off = |R_bv - 1|, xi_off =
        |xi_1sigma - 0.68|; fits, replicas.
    """
    data = official.data
    law = data.predict(official.law)
    # Multiplicative errors of closure data are fractions of the law.
    covariance = data.covariance("t0", law)
    white = Whitener(covariance)
    replicas = white(data.predict(fits) - law)
    noise = white(
        np.stack([closure_data(data, official.law, number).central for number in range(len(fits))])
        - law
    )
    of_pdf = at_closure_points(fits, data.x_grid) - at_closure_points(official.law, data.x_grid)
    rates = (
        _within_one_sigma(_along_main_directions(values, explained)).mean(axis=-1)
        for values, explained in ((replicas, EXPLAINED_VARIANCE), (of_pdf, _EVERY_DIRECTION))
    )
    of_law = (noise**2).sum(axis=-1)
    excess = ((noise - replicas.mean(axis=1)) ** 2).sum(axis=-1) / of_law - 1.0
    each = np.stack([*_bias_and_variance(replicas), excess, *rates])
    ideal = math.erf(math.sqrt(0.5))  # 0.683

    def over_fits(weights: NDArray[np.float64]) -> dict[str, float]:
        bias, variance, excess, of_data, of_distributions = (each @ weights).tolist()
        ratio = math.sqrt(bias / variance)
        return {
            "R_bv": ratio,
            "xi_1sigma": of_data,
            "xi_pdf": of_distributions,
            "delta_chi2": excess,
            "bias": bias,
            "variance": variance,
            "R_bv_off": abs(ratio - 1.0),
            "xi_off": abs(of_data - ideal),
        }

    number_of_fits, per_fit = fits.shape[:2]
    # Every fit has replicas of its own, so that fits drawn anew also show how replicas fluctuate.
    # Replicas drawn anew within a fit would add their noise to the bias once more.
    drawn = [
        over_fits(counts / number_of_fits)
        for (counts,) in resample_counts((number_of_fits,), resamples, seed)
    ]
    value = over_fits(np.full(number_of_fits, 1.0 / number_of_fits))
    out = {
        name: estimate(number, np.array([one[name] for one in drawn]))
        for name, number in value.items()
    }
    out["fits"] = _exact(number_of_fits)
    out["replicas"] = _exact(per_fit)
    return FitScore(out)


class _Resampled:
    """Resamples of replicas, shared by all numbers of a score."""

    def __init__(self, replicas: int, resamples: int, seed: int) -> None:
        draws = [counts for (counts,) in resample_counts((replicas,), resamples, seed)]
        self._weights = np.array(draws) / replicas

    def of_mean(self, residuals: NDArray[np.float64]) -> Estimate:
        """Chi2 per point of the replicas' mean from whitened residuals (replicas, points)."""
        value = float((residuals.mean(axis=0) ** 2).mean())
        return estimate(value, self.sums_of_mean(residuals) / residuals.shape[-1])

    def sums_of_mean(self, residuals: NDArray[np.float64]) -> NDArray[np.float64]:
        """Chi2 of the mean of each resample, shape (resamples,)."""
        pairs = residuals @ residuals.T
        return np.asarray(((self._weights @ pairs) * self._weights).sum(axis=-1))

    def of_spread(self, residuals: NDArray[np.float64]) -> Estimate:
        """Mean chi2 of the replicas minus that of their mean."""
        each = (residuals**2).mean(axis=-1)
        value = float(each.mean() - (residuals.mean(axis=0) ** 2).mean())
        of_means = self.sums_of_mean(residuals) / residuals.shape[-1]
        return estimate(value, self._weights @ each - of_means)

    def of_average(self, values: NDArray[np.float64]) -> Estimate:
        """Mean over replicas."""
        if (values == values[0]).all():
            return _exact(float(values[0]))
        return estimate(float(values.mean()), self._weights @ values)


def _left_out(
    name: str,
    data: DISData,
    errors: PointErrors,
    parts: list[tuple[NDArray[np.float64], NDArray[np.bool_]]],
    resamples: int,
    seed: int,
) -> dict[str, Estimate]:
    """Chi2 of points left out, summed over parts; replicas of each part are resampled alone."""
    points = sum(int(mask.sum()) for _, mask in parts)
    value, drawn = np.zeros(2), np.zeros((2, resamples))
    for replicas, mask in parts:
        predictions = data.predict(replicas)[:, mask]
        alone, correlated = errors.alone[mask], errors.correlated[mask]
        # C_pdf is that of all replicas in every resample: only the mean is drawn anew.
        spread = _centred(predictions).T / math.sqrt(len(replicas) - 1)
        resampled = _Resampled(len(replicas), resamples, seed)
        for row, sources in enumerate((correlated, np.hstack([correlated, spread]))):
            both = PointErrors(alone, sources)
            residuals = both.whitened((data.central[mask] - predictions).T).T
            value[row] += (residuals.mean(axis=0) ** 2).sum() / points
            drawn[row] += resampled.sums_of_mean(residuals) / points
    return {
        f"{name}_chi2": estimate(value[0], drawn[0]),
        f"{name}_chi2_pdf": estimate(value[1], drawn[1]),
    }


def _checked_arrays(
    predictions: Mapping[str, NDArray[np.floating[Any]]],
    official: OfficialData,
    known: set[str],
    axes: int,
) -> dict[str, NDArray[np.float64]]:
    if "xf" not in predictions:
        raise ValueError("array 'xf' is missing")
    out = {}
    points = len(official.data.x_grid)
    for name, array in predictions.items():
        if name not in known:
            raise ValueError(f"array {name!r} is unknown, known: {', '.join(sorted(known))}")
        leading = "fits, replicas" if axes == 4 else "replicas"
        good = array.ndim == axes and array.shape[-2] in (len(EVOLUTION), len(FITTED))
        if not good or array.shape[-1] != points or min(array.shape[:-2]) < 2:
            raise ValueError(
                f"array {name!r} has shape {array.shape}, expected ({leading}, 9 or 8, {points}) "
                "with at least 2 of each"
            )
        if not np.isfinite(array).all():
            raise ValueError(f"array {name!r} holds a number that is not finite")
        out[name] = all_nine(array.astype(np.float64))
    return out


def _refuse_violations(
    name: str, replicas: NDArray[np.float64], evolution: EvolutionTable, limit: float
) -> None:
    checks = check_replicas(replicas, evolution)
    worst = int(checks.sum_rules.argmax())
    if not checks.sum_rules[worst] <= limit:
        raise ValueError(
            f"array {name!r}: replica {worst} violates a sum rule by {checks.sum_rules[worst]:.2g},"
            f" at most {limit:g} is allowed"
        )
    worst = int(checks.least.argmin())
    if not checks.least[worst] >= -limit:
        raise ValueError(
            f"array {name!r}: a parton of replica {worst} has x f = {checks.least[worst]:.2g} at "
            f"Q2 = 5 GeV2, at least {-limit:g} is asked for"
        )


def _centred(replicas: NDArray[np.float64]) -> NDArray[np.float64]:
    return replicas - replicas.mean(axis=-2, keepdims=True)


def _bias_and_variance(
    replicas: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """From whitened differences to the law, shape (fits, replicas, points)."""
    bias = (replicas.mean(axis=1) ** 2).mean(axis=-1)
    variance = (_centred(replicas) ** 2).mean(axis=(1, 2))
    return bias, variance


def _along_main_directions(replicas: NDArray[np.float64], explained: float) -> NDArray[np.float64]:
    """Differences to the law along the main directions; shape (fits, replicas, directions)."""
    pooled = _centred(replicas).reshape(-1, replicas.shape[-1])
    _, singular, directions = np.linalg.svd(pooled, full_matrices=False)
    share = np.cumsum(singular**2) / (singular**2).sum()
    kept = int(np.searchsorted(share, explained)) + 1
    return replicas @ directions[:kept].T


def _within_one_sigma(along: NDArray[np.float64]) -> NDArray[np.bool_]:
    return np.asarray(np.abs(along.mean(axis=1)) < along.std(axis=1, ddof=1))


def _exact(value: float) -> Estimate:
    return estimate(value, np.full(2, float(value)))
