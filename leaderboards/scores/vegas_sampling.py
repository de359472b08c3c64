"""Score of an integrator: its true error on integrands whose integral is known.

For each integrand and each budget B of integrand calls (training included), over at least 20 seeds,

    S = log10( sqrt(B) RMS( I_seed / I - 1 ) ),

so that an estimate with standard deviation sigma per point has S = log10(sigma / I) whatever the
budget. Lower is better. A quoted error is never used for S, since an integrator that misses a peak
quotes a small one (arXiv:2001.05486, arXiv:2009.05112). It is judged by a gate: |pull| <= 1 for
50 to 85 % of the seeds and |pull| > 5 for at most 5 %. Where the gate fails, or where nothing was
handed in, plain Monte Carlo counts instead, unless the sampler is worse.

From a frozen sample of points and densities the board computes weights with its own integrand:
RSD = std(w) / <w>, Kish = (sum w)^2 / (N sum w^2), and eps = <w> / w_q, where weights above w_q
carry the share q = 1e-3 of the sum; |w| stands for w where the integrand changes sign. The sample
must agree with its density, see ``check_density``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...datasets.integrands.suite import SUITES, Suite, SuiteMember, load_suite
from ..bootstrap import Estimate, estimate, resample_counts

BUDGETS = (200_000, 1_000_000, 4_000_000)
"""Budgets of integrand calls."""

MIN_SEEDS = 20
MIN_POINTS = 4096
COVERAGE = (0.5, 0.85)
FAR_PULL, MAX_FAR = 5.0, 0.05
OVERWEIGHT_SHARE = 1e-3
COSTS = (0.01, 1.0, 100.0)
"""Times per point in microseconds for which the time to one per mille is given."""

MAX_DENSITY_PULL = 5.0

PREDICTION_KINDS = {"estimates": True}
"""What a submission may hold.

"estimates": for each integrand and budget that was run ``estimate/NAME/BUDGET``, ``error/...``,
``calls/...`` and ``overhead/...`` (microseconds per call besides the integrand), shape (seeds,);
for each integrand ``points/NAME``, shape (n, dim), their ``density/NAME``, shape (n,), and
``probe/NAME``, the density at ``probe_points``.
"""

_PER_CELL = ("estimate", "error", "calls", "overhead")
_PER_INTEGRAND = ("points", "density", "probe")
_PROBE_SEED = 20200110


def passes(coverage: float, far: float) -> bool:
    """Whether shares of seeds with |pull| <= 1 and with |pull| > 5 pass the gate."""
    return COVERAGE[0] <= coverage <= COVERAGE[1] and far <= MAX_FAR


@dataclass(frozen=True)
class CellScore:
    """One integrand at one budget.

    Attributes
    ----------
    S
        The score.
    coverage
        Share of the seeds with |pull| <= 1.
    far
        Share of the seeds with |pull| > 5.
    counted
        What counts in the mean: S, or that of plain Monte Carlo where the gate fails.
    """

    S: Estimate
    coverage: Estimate
    far: Estimate
    counted: Estimate

    @property
    def passed(self) -> bool:
        """Whether the gate is passed."""
        return passes(self.coverage.value, self.far.value)


@dataclass(frozen=True)
class SampleScore:
    """A frozen sample.

    Attributes
    ----------
    rsd
        Standard deviation over mean of the weights.
    eps
        Unweighting efficiency at q = 1e-3.
    kish
        Effective over true number of points.
    integral
        Mean weight over the reference value: below 1 by many errors where the sampler misses a
        peak, in which case the other numbers flatter it.
    """

    rsd: Estimate
    eps: Estimate
    kish: Estimate
    integral: Estimate


@dataclass(frozen=True)
class SamplingScore:
    """Score of an integrator on a suite of integrands.

    Attributes
    ----------
    cells
        (integrand, budget) to score, of the cells that were handed in.
    samples
        Integrand to the score of its frozen sample.
    times
        (integrand, microseconds per point) to seconds until the error is one per mille.
    means
        Mean of what counts over all cells, by name: "S" and "S_BUDGET".
    failing, missing
        Number of cells whose gate fails, and of those not handed in.
    """

    cells: Mapping[tuple[str, int], CellScore]
    samples: Mapping[str, SampleScore]
    times: Mapping[tuple[str, float], Estimate]
    means: Mapping[str, Estimate]
    failing: int
    missing: int

    def metrics(self) -> dict[str, Estimate]:
        """Means first, then every cell, sample and time by name."""
        out = dict(self.means)
        out["failing"] = _exact(self.failing)
        out["missing"] = _exact(self.missing)
        for (name, budget), cell in self.cells.items():
            out[f"S/{name}/{budget}"] = cell.S
            out[f"coverage/{name}/{budget}"] = cell.coverage
            out[f"far/{name}/{budget}"] = cell.far
        for name, sample in self.samples.items():
            for column in ("rsd", "eps", "kish", "integral"):
                out[f"{column}/{name}"] = getattr(sample, column)
        for (name, cost), seconds in self.times.items():
            out[f"seconds_at_{cost:g}us/{name}"] = seconds
        return out


def hashes(datasets: Mapping[str, str], split: str) -> dict[str, str]:
    """Role to SHA-256 of the suite's content."""
    return {role: SUITES[one] for role, one in datasets.items()}


def load(datasets: Mapping[str, str], split: str) -> dict[str, Suite]:
    """Role to suite."""
    return {role: load_suite(one) for role, one in datasets.items()}


def evaluate(
    kind: str,
    predictions: Mapping[str, NDArray[np.floating]],
    data: Mapping[str, Suite],
    *,
    resamples: float = 1000,
    seed: float = 0,
) -> SamplingScore:
    """Score estimates and frozen samples.

    Parameters
    ----------
    kind
        "estimates", see ``PREDICTION_KINDS``.
    predictions
        Array name to numbers.
    data
        "integrands" to the suite.
    resamples, seed
        Settings of the bootstrap.

    Returns
    -------
    SamplingScore

    Raises
    ------
    ValueError
        If arrays are missing, left over, of the wrong shape or out of range, or a density does not
        match its points.
    """
    if kind not in PREDICTION_KINDS:
        raise ValueError(f"predictions of kind {kind!r} are unknown, known: estimates")
    members = data["integrands"].members
    handed_in = _cells(predictions, members)
    cells: dict[tuple[str, int], CellScore] = {}
    counted: dict[int, list[NDArray[np.float64]]] = {budget: [] for budget in BUDGETS}
    exact: dict[int, list[float]] = {budget: [] for budget in BUDGETS}
    rms: dict[tuple[str, int], tuple[float, NDArray[np.float64]]] = {}
    for name, member in members.items():
        plain = math.log10(member.plain_rsd)
        for budget in BUDGETS:
            if (name, budget) not in handed_in:
                counted[budget].append(np.full(int(resamples), plain))
                exact[budget].append(plain)
                continue
            arrays = {
                column: predictions[f"{column}/{name}/{budget}"].astype(np.float64)
                for column in _PER_CELL
            }
            _check_cell(name, budget, arrays)
            cell, drawn, rms[name, budget] = _score_cell(
                member, budget, arrays["estimate"], arrays["error"], int(resamples), int(seed)
            )
            cells[name, budget] = cell
            counted[budget].append(drawn)
            exact[budget].append(cell.counted.value)
    samples = {
        name: _score_sample(members[name], predictions, int(resamples), int(seed))
        for name in dict.fromkeys(name for name, _ in handed_in)
    }
    times = {
        (name, cost): _time_to_permille(name, cost, rms, predictions)
        for name in samples
        for cost in COSTS
    }
    means = {
        "S": estimate(
            float(np.mean([exact[b] for b in BUDGETS])),
            np.mean([drawn for b in BUDGETS for drawn in counted[b]], axis=0),
        )
    } | {
        f"S_{budget}": estimate(float(np.mean(exact[budget])), np.mean(counted[budget], axis=0))
        # Where nothing was handed in, plain Monte Carlo's S counts, which has no error.
        if any(b == budget for _, b in cells)
        else _exact(float(np.mean(exact[budget])))
        for budget in BUDGETS
    }
    return SamplingScore(
        cells,
        samples,
        times,
        means,
        failing=sum(not cell.passed for cell in cells.values()),
        missing=len(members) * len(BUDGETS) - len(cells),
    )


def probe_points(member: SuiteMember) -> NDArray[np.float64]:
    """Uniform points at which a submission states its density too.

    Parameters
    ----------
    member
        An integrand of the suite.

    Returns
    -------
    numpy.ndarray
        float64, shape (``MIN_POINTS``, dim): the same for everybody.
    """
    stream = np.random.PCG64(np.random.SeedSequence([_PROBE_SEED, *member.name.encode()]))
    # The raw stream is frozen by NumPy's compatibility policy (NEP 19).
    raw = stream.random_raw(MIN_POINTS * member.dim)
    uniform: NDArray[np.float64] = (raw >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return uniform.reshape(MIN_POINTS, member.dim)


def check_density(
    name: str,
    points: NDArray[np.float64],
    density: NDArray[np.float64],
    probes: NDArray[np.float64],
    probe_density: NDArray[np.float64],
) -> None:
    """Refuse a density that does not integrate to one or does not belong to its points.

    With points of the density q and uniform ones, E_q[h / (1 + q)] = E_uniform[h q / (1 + q)] for
    every h (bridge sampling, Meng and Wong 1996). Both averages are of numbers between 0 and 1, so
    that no rare point spoils them. h is 1, and 1 in the half where one coordinate is small.

    Parameters
    ----------
    name
        Name of the integrand, for the message.
    points, probes
        float64, shape (n, dim): points that follow the density, and uniform ones.
    density, probe_density
        float64, shape (n,): the density at both.

    Raises
    ------
    ValueError
        If two averages differ by more than ``MAX_DENSITY_PULL`` standard errors.
    """
    left = 1.0 / (1.0 + density)
    right = probe_density / (1.0 + probe_density)
    everywhere = (np.ones(len(points), np.bool_), np.ones(len(probes), np.bool_))
    halves = [
        (f" where coordinate {axis + 1} < 1/2", points[:, axis] < 0.5, probes[:, axis] < 0.5)
        for axis in range(points.shape[1])
    ]
    for where, in_points, in_probes in [("", *everywhere), *halves]:
        a, b = left * in_points, right * in_probes
        error = math.hypot(a.std(ddof=1) / math.sqrt(len(a)), b.std(ddof=1) / math.sqrt(len(b)))
        # A uniform density has no error; rounding to float32 remains.
        if abs(a.mean() - b.mean()) > MAX_DENSITY_PULL * error + 1e-6:
            raise ValueError(
                f"density/{name} does not match points/{name}: q / (1 + q){where} has the integral "
                f"{a.mean():.4g} by the points and {b.mean():.4g} by the probes, +- {error:.2g}; "
                "either it does not integrate to one or the points follow another density"
            )


def _cells(
    predictions: Mapping[str, NDArray[np.floating]], members: Mapping[str, SuiteMember]
) -> list[tuple[str, int]]:
    """Cells that were handed in, all of whose arrays are there."""
    found: list[tuple[str, int]] = []
    expected: set[str] = set()
    for name in members:
        budgets = [b for b in BUDGETS if f"estimate/{name}/{b}" in predictions]
        found += [(name, budget) for budget in budgets]
        expected |= {f"{column}/{name}/{b}" for column in _PER_CELL for b in budgets}
        if budgets:
            expected |= {f"{column}/{name}" for column in _PER_INTEGRAND}
    for array in sorted(expected):
        if array not in predictions:
            raise ValueError(f"array {array!r} is missing")
    for array in predictions:
        if array not in expected:
            raise ValueError(
                f"array {array!r} is unknown: arrays are estimate/INTEGRAND/BUDGET and so on, with "
                f"the integrands {', '.join(members)} and budgets {', '.join(map(str, BUDGETS))}"
            )
    if not found:
        raise ValueError("there is no array estimate/INTEGRAND/BUDGET at all")
    return found


def _check_cell(name: str, budget: int, arrays: Mapping[str, NDArray[np.float64]]) -> None:
    seeds = len(arrays["estimate"]) if arrays["estimate"].ndim == 1 else 0
    if seeds < MIN_SEEDS:
        raise ValueError(
            f"estimate/{name}/{budget} has shape {arrays['estimate'].shape}: at least {MIN_SEEDS} "
            "seeds are needed, in one row"
        )
    for column, values in arrays.items():
        if values.shape != (seeds,):
            raise ValueError(
                f"{column}/{name}/{budget} has shape {values.shape}, but there are {seeds} seeds"
            )
        if column != "estimate" and values.min() < 0:
            raise ValueError(f"{column}/{name}/{budget} has a negative entry")
    if arrays["calls"].max() > budget or arrays["calls"].min() < 1:
        raise ValueError(
            f"calls/{name}/{budget} has entries from {arrays['calls'].min():g} to "
            f"{arrays['calls'].max():g}: calls, training included, must be 1 to {budget}"
        )


def _score_cell(
    member: SuiteMember,
    budget: int,
    estimates: NDArray[np.float64],
    errors: NDArray[np.float64],
    resamples: int,
    seed: int,
) -> tuple[CellScore, NDArray[np.float64], tuple[float, NDArray[np.float64]]]:
    """Score of a cell, what counts for each resample, and the relative RMS with its resamples."""
    deviation = estimates / member.value - 1.0
    # The reference's own error is part of the difference that a pull measures.
    sigma = np.hypot(errors / abs(member.value), member.error / abs(member.value))
    with np.errstate(divide="ignore", invalid="ignore"):
        pull = np.where(deviation == 0.0, 0.0, np.abs(deviation) / sigma)
    covered = (pull <= 1.0).astype(np.float64)
    far = (pull > FAR_PULL).astype(np.float64)
    counts = np.stack(
        [drawn for (drawn,) in resample_counts((len(estimates),), resamples, seed)]
    ) / len(estimates)
    # An estimate that hits the truth to the last digit has no logarithm.
    tiny = np.finfo(np.float64).eps
    rms = math.sqrt(max(float(np.mean(deviation**2)), tiny**2))
    rms_drawn = np.sqrt(np.maximum(counts @ deviation**2, tiny**2))
    scale = 0.5 * math.log10(budget)
    s, s_drawn = scale + math.log10(rms), scale + np.log10(rms_drawn)
    coverage = estimate(float(covered.mean()), counts @ covered)
    far_share = estimate(float(far.mean()), counts @ far)
    good = passes(coverage.value, far_share.value)
    plain = math.log10(member.plain_rsd)
    drawn = s_drawn if good else np.maximum(s_drawn, plain)
    cell = CellScore(
        S=estimate(s, s_drawn),
        coverage=coverage,
        far=far_share,
        counted=estimate(s if good else max(s, plain), drawn),
    )
    return cell, drawn, (rms, rms_drawn)


def _score_sample(
    member: SuiteMember,
    predictions: Mapping[str, NDArray[np.floating]],
    resamples: int,
    seed: int,
) -> SampleScore:
    name = member.name
    points, density, probe = (
        predictions[f"{column}/{name}"].astype(np.float64) for column in _PER_INTEGRAND
    )
    if points.ndim != 2 or points.shape[1] != member.dim or len(points) < MIN_POINTS:
        raise ValueError(
            f"points/{name} has shape {points.shape}: at least {MIN_POINTS} points of "
            f"{member.dim} coordinates are needed"
        )
    if points.min() < 0.0 or points.max() > 1.0:
        raise ValueError(f"points/{name} has a coordinate outside [0, 1]")
    if density.shape != (len(points),):
        raise ValueError(f"density/{name} has shape {density.shape} for {len(points)} points")
    if probe.shape != (MIN_POINTS,):
        raise ValueError(
            f"probe/{name} has shape {probe.shape}: the density at the {MIN_POINTS} probe points "
            "is needed"
        )
    if density.min() <= 0.0 or probe.min() < 0.0:
        raise ValueError(f"density/{name} or probe/{name} has an entry that is not positive")
    check_density(name, points, density, probe_points(member), probe)
    weights = member.integrand()(points) / density
    sizes = np.abs(weights)
    order = np.argsort(sizes, kind="stable")
    rows = np.empty((resamples, 4))
    draws = resample_counts((len(weights),), resamples, seed)
    for row, (drawn,) in zip(rows, draws, strict=True):
        times = drawn[order].astype(np.float64)
        row[:3] = _sample_quantities(sizes[order], times)
        row[3] = times @ weights[order] / len(weights) / member.value
    found = _sample_quantities(sizes[order], np.ones(len(weights)))
    rsd, eps, kish = (
        estimate(value, column) for value, column in zip(found, rows.T[:3], strict=True)
    )
    integral = estimate(float(weights.mean()) / member.value, rows[:, 3])
    return SampleScore(rsd, eps, kish, integral)


def _sample_quantities(
    ordered: NDArray[np.float64], counts: NDArray[np.float64]
) -> tuple[float, float, float]:
    """RSD, eps and Kish fraction from weights in rising order and how often each was drawn."""
    n = counts.sum()
    total = float(counts @ ordered)
    squares = float(counts @ ordered**2)
    if total <= 0.0:
        return math.inf, 0.0, 0.0
    kish = total**2 / (n * squares)
    rsd = math.sqrt(max(1.0 / kish - 1.0, 0.0))
    # The smallest weight such that those above it carry at most the share q of the sum.
    above = total - np.cumsum(counts * ordered)
    limit = ordered[int(np.argmax(above <= OVERWEIGHT_SHARE * total))]
    return rsd, total / n / float(limit), kish


def _time_to_permille(
    name: str,
    cost: float,
    rms: Mapping[tuple[str, int], tuple[float, NDArray[np.float64]]],
    predictions: Mapping[str, NDArray[np.floating]],
) -> Estimate:
    """Seconds until the relative error is 1e-3: calls x (time of a point + overhead).

    Calls follow from the smallest budget that reaches it, or from the largest one that was run,
    by the square root of the calls.
    """
    budgets = [budget for budget in BUDGETS if (name, budget) in rms]
    reached = [budget for budget in budgets if rms[name, budget][0] <= 1e-3]
    budget = reached[0] if reached else budgets[-1]
    value, drawn = rms[name, budget]
    overhead = float(np.mean(predictions[f"overhead/{name}/{budget}"]))
    per_call = (cost + overhead) * 1e-6
    return estimate(
        budget * (value / 1e-3) ** 2 * per_call, budget * (drawn / 1e-3) ** 2 * per_call
    )


def _exact(number: float) -> Estimate:
    return Estimate(number, 0.0, number, number, number, number)
