"""Score of a groomer: how narrow, how central and how pure its signal mass window is.

L = |w_max - w_min| / 5 + |m_target - w_med| + 20 f_bkg, in GeV (arXiv:1903.09644). The published
window (w_min, w_max) lies between the 20th and 80th percentiles of the groomed signal mass, w_med
is the median inside it, and f_bkg the fraction of background jets, groomed by the same agent,
inside it. The same numbers for the narrowest window that holds 60 % of the signal jets stand
beside it. Masses are negative where m^2 is, as ``hepgym.datasets.jets.trees.mass`` gives them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...datasets import DatasetError, catalogue
from ...datasets.jets.trees import ClusteringTrees, mass
from ...envs.jet_grooming.grooming import groom
from ..bootstrap import Estimate, estimate, resample_counts

LOWER_PERCENTILE = 20
UPPER_PERCENTILE = 80
NARROWEST_PERCENT = 60

PREDICTION_KINDS = {"decisions": True, "kept": False}
"""What a submission may hold, and whether an agent can do it inside the game.

"decisions": 1 (remove the softer branch) or 0 (keep) for each node, in tree order. "kept": 1 or 0
for each constituent, in tree order, for groomers that are no walk over the tree, such as trimming.
"""


@dataclass(frozen=True)
class WindowScore:
    """Score for one definition of the mass window.

    Attributes
    ----------
    loss
        L in GeV; lower is better.
    w_min, w_max
        Ends of the window in GeV.
    window
        Its width in GeV.
    median
        Median of the signal masses inside the window in GeV.
    f_bkg
        Fraction of background jets inside the window.
    """

    loss: Estimate
    w_min: Estimate
    w_max: Estimate
    window: Estimate
    median: Estimate
    f_bkg: Estimate


_QUANTITIES = tuple(field.name for field in fields(WindowScore))


@dataclass(frozen=True)
class GroomingScore(WindowScore):
    """Score of a groomer for the published window, and for the narrowest one.

    Attributes
    ----------
    narrowest
        The same quantities for the narrowest window that holds 60 % of the signal jets. Its width
        and loss have sound errors; its position converges only with the cube root of the number
        of jets, so that the errors of its w_min, w_max and median are rough.
    mass_target
        m_target in GeV.
    signal_jets, background_jets
        Number of jets that were scored.
    resamples, seed
        Settings of the bootstrap.
    """

    narrowest: WindowScore
    mass_target: float
    signal_jets: int
    background_jets: int
    resamples: int
    seed: int

    def metrics(self) -> dict[str, Estimate]:
        """All quantities by name; those of the narrowest window start with ``narrowest_``."""
        own = {name: getattr(self, name) for name in _QUANTITIES}
        return own | {f"narrowest_{name}": getattr(self.narrowest, name) for name in _QUANTITIES}


def grooming_score(
    signal_masses: ArrayLike,
    background_masses: ArrayLike,
    mass_target: float,
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> GroomingScore:
    """Score groomed masses.

    Parameters
    ----------
    signal_masses, background_masses
        Real numbers in GeV, shapes (signal jets,) and (background jets,), in the order of the
        data set. At least 3 signal jets and 1 background jet.
    mass_target
        m_target in GeV.
    resamples
        Number of bootstrap resamples; signal and background are resampled independently.
    seed
        Seed of the bootstrap.

    Returns
    -------
    GroomingScore

    Raises
    ------
    ValueError
        If there are too few masses, or one of them or m_target is not a finite number.
    """
    signal = _checked("signal_masses", signal_masses, at_least=3)
    background = _checked("background_masses", background_masses, at_least=1)
    if not np.isfinite(mass_target):
        raise ValueError(f"mass_target is {mass_target}: it must be a finite mass in GeV")
    order = np.argsort(background, kind="stable")
    values = _quantities(
        np.sort(signal), background[order], np.arange(len(background) + 1), mass_target
    )
    resampled = resampled_quantities(
        signal, background, mass_target, resamples=resamples, seed=seed
    )
    estimates = [
        estimate(value, column) for value, column in zip(values, resampled.values(), strict=True)
    ]
    half = len(_QUANTITIES)
    return GroomingScore(
        **dict(zip(_QUANTITIES, estimates[:half], strict=True)),
        narrowest=WindowScore(*estimates[half:]),
        mass_target=float(mass_target),
        signal_jets=len(signal),
        background_jets=len(background),
        resamples=resamples,
        seed=seed,
    )


def resampled_quantities(
    signal_masses: ArrayLike,
    background_masses: ArrayLike,
    mass_target: float,
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, NDArray[np.float64]]:
    """Every metric of ``GroomingScore.metrics`` for each bootstrap resample.

    Jets are drawn by their number in the data set: two groomers of the same jets, with the same
    seed, are resampled alike, and their differences can be taken resample by resample.

    Parameters
    ----------
    signal_masses, background_masses, mass_target, resamples, seed
        As for ``grooming_score``.

    Returns
    -------
    dict
        Metric name to float64 array, shape (resamples,).

    Raises
    ------
    ValueError
        As for ``grooming_score``.
    """
    signal = _checked("signal_masses", signal_masses, at_least=3)
    background = _checked("background_masses", background_masses, at_least=1)
    signal_order = np.argsort(signal, kind="stable")
    background_order = np.argsort(background, kind="stable")
    ordered_signal = signal[signal_order]
    ordered_background = background[background_order]
    out = np.empty((resamples, 2 * len(_QUANTITIES)))
    cumulative = np.zeros(len(background) + 1, np.int64)
    draws = resample_counts((len(signal), len(background)), resamples, seed)
    for row, (drawn_signal, drawn_background) in zip(out, draws, strict=True):
        # Repeating the sorted masses gives the sorted resample without sorting again.
        np.cumsum(drawn_background[background_order], out=cumulative[1:])
        row[:] = _quantities(
            np.repeat(ordered_signal, drawn_signal[signal_order]),
            ordered_background,
            cumulative,
            mass_target,
        )
    names = (*_QUANTITIES, *(f"narrowest_{name}" for name in _QUANTITIES))
    return {name: out[:, column] for column, name in enumerate(names)}


def groomed_masses(
    kind: str, predictions: NDArray[np.bool_], trees: ClusteringTrees
) -> NDArray[np.float64]:
    """Masses of jets groomed as predictions say.

    Parameters
    ----------
    kind
        "decisions" or "kept", see ``PREDICTION_KINDS``.
    predictions
        bool, shape (nodes,) or (constituents,).
    trees
        The jets.

    Returns
    -------
    numpy.ndarray
        float64, shape (jets,): groomed masses in GeV; 0 where no constituent is kept.

    Raises
    ------
    ValueError
        If the kind is unknown or there is not one value per node or constituent.
    """
    if kind not in PREDICTION_KINDS:
        raise ValueError(f"predictions of kind {kind!r} are unknown, known: {_known_kinds()}")
    what = "nodes" if kind == "decisions" else "constituents"
    expected = len(trees.softer_size if kind == "decisions" else trees.constituents)
    if predictions.shape != (expected,):
        raise ValueError(
            f"{len(predictions)} values, but these jets have {expected} {what} and need one each"
        )
    if kind == "decisions":
        return mass(groom(trees, predictions))
    jet = np.repeat(np.arange(len(trees)), np.diff(trees.offsets))
    momenta = [
        np.bincount(jet, np.where(predictions, component, 0.0), minlength=len(trees))
        for component in trees.constituents.T
    ]
    return mass(np.stack(momenta, axis=-1))


def hashes(datasets: Mapping[str, str], split: str) -> dict[str, str]:
    """Role to SHA-256 of the content of the official jets, from the catalogue.

    Parameters
    ----------
    datasets
        Role ("signal", "background") to data set id.
    split
        For example "test".

    Returns
    -------
    dict
    """
    return {role: catalogue.spec(one).sha256(split) for role, one in datasets.items()}


def load(datasets: Mapping[str, str], split: str) -> dict[str, ClusteringTrees]:
    """Role to the official jets; arguments as for ``hashes``.

    Raises
    ------
    DatasetError
        If their content is not that of the catalogue.
    """
    from ...datasets import load_trees
    from ...datasets.jets.jet_files import content_hash

    data = {role: load_trees(one, split=split) for role, one in datasets.items()}
    for role, expected in hashes(datasets, split).items():
        if content_hash(data[role]) != expected:
            raise DatasetError(
                f"the {split} split of {datasets[role]} is not the official one: its content hash "
                "differs from the catalogue's, install hepgym again"
            )
    return data


def evaluate(
    kind: str,
    predictions: Mapping[str, NDArray[np.bool_]],
    data: Mapping[str, ClusteringTrees],
    *,
    mass_target: float,
) -> GroomingScore:
    """Score predictions on signal and background jets.

    Parameters
    ----------
    kind
        "decisions" or "kept", see ``PREDICTION_KINDS``.
    predictions
        "signal" and "background" to bool arrays, one value per node or constituent.
    data
        "signal" and "background" to the jets.
    mass_target
        m_target in GeV.

    Returns
    -------
    GroomingScore
        With the bootstrap settings of the boards (1000 resamples, seed 0).

    Raises
    ------
    ValueError
        If arrays are missing, left over or of the wrong length.
    """
    masses = {}
    for role in ("signal", "background"):
        if role not in predictions:
            raise ValueError(f"array {role!r} is missing")
        try:
            masses[role] = groomed_masses(kind, predictions[role], data[role])
        except ValueError as error:
            raise ValueError(f"array {role!r}: {error}") from None
    for name in predictions:
        if name not in masses:
            raise ValueError(f"array {name!r} is unknown, expected are 'signal' and 'background'")
    return grooming_score(masses["signal"], masses["background"], mass_target)


def _known_kinds() -> str:
    return ", ".join(PREDICTION_KINDS)


def _checked(name: str, masses: ArrayLike, at_least: int) -> NDArray[np.float64]:
    array = np.asarray(masses)
    if array.ndim != 1 or array.dtype.kind not in "fiu":
        raise ValueError(
            f"{name} has shape {array.shape} and type {array.dtype}: "
            "a one-dimensional array of real numbers is needed"
        )
    if len(array) < at_least:
        raise ValueError(f"{name} has {len(array)} entries: at least {at_least} are needed")
    finite = np.isfinite(array)
    if not finite.all():
        entry = int(np.argmin(finite))
        raise ValueError(f"{name}[{entry}] is {array[entry]}: masses must be finite, in GeV")
    return array.astype(np.float64)


def _percentile(ordered: NDArray[np.float64], percent: int) -> float:
    """Linear interpolation between neighbours, as ``numpy.percentile`` does by default."""
    # The position in integers: no rounding decides whether the jet at the end is inside.
    below, rest = divmod((len(ordered) - 1) * percent, 100)
    if rest == 0:
        return float(ordered[below])
    return float(ordered[below] + (ordered[below + 1] - ordered[below]) * (rest / 100))


def _narrowest(ordered: NDArray[np.float64], percent: int) -> tuple[float, float]:
    """Find the narrowest interval with that share of the entries; the lowest if several."""
    held = -(-len(ordered) * percent // 100)
    first = int(np.argmin(ordered[held - 1 :] - ordered[: len(ordered) - held + 1]))
    return float(ordered[first]), float(ordered[first + held - 1])


def _quantities(
    signal: NDArray[np.float64],
    background: NDArray[np.float64],
    cumulative: NDArray[np.int64],
    mass_target: float,
) -> list[float]:
    """``_QUANTITIES`` for both windows, from sorted masses.

    ``cumulative[k]`` is the number of jets among the first k background masses, which differs
    from k in a resample.
    """
    out = []
    for low, high in (
        (_percentile(signal, LOWER_PERCENTILE), _percentile(signal, UPPER_PERCENTILE)),
        _narrowest(signal, NARROWEST_PERCENT),
    ):
        first = int(np.searchsorted(signal, low, "left"))
        last = int(np.searchsorted(signal, high, "right"))
        median = 0.5 * float(signal[(first + last - 1) // 2] + signal[(first + last) // 2])
        inside = (
            cumulative[np.searchsorted(background, high, "right")]
            - cumulative[np.searchsorted(background, low, "left")]
        )
        f_bkg = float(inside / cumulative[-1])
        window = high - low
        loss = abs(window) / 5.0 + abs(mass_target - median) + 20.0 * f_bkg
        out += [loss, low, high, window, median, f_bkg]
    return out
