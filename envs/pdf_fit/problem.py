"""What is fitted: data, covariance, constraints, and the replicas of one seed."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike, fspath
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from ...datasets.parton_distributions import DEFAULT_ID, load, load_evolution
from ...datasets.parton_distributions.data import DISData
from ...datasets.parton_distributions.export import reference_law
from ...datasets.parton_distributions.point_errors import PointErrors
from ...datasets.parton_distributions.replicas import ReplicaGenerator
from ...datasets.parton_distributions.splits import training_mask
from .constraints import Constraints, positivity_rows
from .fit_data import FitData
from .preprocessing import draw
from .replica import Replica

Covariance = Literal["experimental", "t0"]
"""What a fit minimises chi2 with; t0 is free of the bias of multiplicative errors."""

_PURPOSE = 0x6669  # keeps exponents and first weights apart from pseudodata and splits


@dataclass(frozen=True, eq=False)
class FitProblem:
    """A fit to be done, for any replica.

    Attributes
    ----------
    dis
        Data with errors, central values and tables.
    data
        The same as fits use it.
    constraints
        Positivity.
    seed
        Seed of all replicas.
    training_fraction
        Fraction of each set's points that is fitted; the rest tells when to stop.
    fluctuate
        Whether replicas fluctuate; otherwise all are fits to the central values.
    reference
        x f at Q0 of the reference set, float64, shape (9, grid).
    """

    dis: DISData
    data: FitData
    constraints: Constraints
    seed: int
    training_fraction: float
    fluctuate: bool
    reference: NDArray[np.float64]

    def replica(self, number: int) -> Replica:
        """Make a replica; it depends on the seed and its number alone.

        Parameters
        ----------
        number
            From 1; 0 is a fit to the central values.

        Returns
        -------
        Replica

        Raises
        ------
        ValueError
            If the number is negative.
        """
        if number < 0:
            raise ValueError(f"there is no replica {number}: numbers start at 0")
        values = self.dis.central
        if self.fluctuate and number:
            values = ReplicaGenerator(self.dis, self.seed).replica(number)
        chosen = training_mask(self.dis, self.training_fraction, self.seed, number)
        random = np.random.default_rng([self.seed, number, _PURPOSE])
        return Replica(
            number=number,
            values=np.asarray(values, np.float64),
            training=np.flatnonzero(chosen),
            validation=np.flatnonzero(~chosen),
            preprocessing=draw(random),
            seed=int(random.integers(2**31)),
        )

    @functools.cached_property
    def experimental(self) -> PointErrors:
        """Errors with the experimental covariance."""
        return self.dis.errors("experimental")


@functools.lru_cache(maxsize=4)
def _reference(x_grid: bytes) -> NDArray[np.float64]:
    return reference_law(np.frombuffer(x_grid))


def fit_problem(
    source: str | PathLike[str] | DISData = DEFAULT_ID,
    *,
    covariance: Covariance = "t0",
    training_fraction: float = 0.75,
    seed: int = 0,
    fluctuate: bool = True,
    sets: Sequence[str] = (),
    reference: NDArray[np.float64] | None = None,
) -> FitProblem:
    """Make the problem of fitting some data.

    Parameters
    ----------
    source
        Dataset id, path of a file in the same format, or data.
    covariance
        What chi2 is minimised with.
    training_fraction
        Fraction of each set's points that is fitted, above 0 and up to 1.
    seed
        Seed of all replicas, not negative.
    fluctuate
        Whether replicas fluctuate.
    sets
        Names of sets or experiments that are fitted; all by default.
    reference
        x f at Q0, float64, shape (9, grid): what t0 is computed with and what pictures show; by
        default NNPDF3.1.

    Returns
    -------
    FitProblem

    Raises
    ------
    ValueError
        If an argument is out of range or the data cannot be read.
    """
    if covariance not in get_args(Covariance):
        raise ValueError(
            f"covariance is {covariance!r} but must be one of {', '.join(get_args(Covariance))}"
        )
    if not 0.0 < training_fraction <= 1.0:
        raise ValueError(
            f"training_fraction is {training_fraction!r} but must be above 0 and up to 1"
        )
    if seed < 0:
        raise ValueError(f"seed is {seed!r} but must not be negative")
    dis = source if isinstance(source, DISData) else load(fspath(source))
    if sets:
        dis = dis.select(dis.in_sets(sets))
    present = np.unique(dis.experiment_index)
    place = np.full(len(dis.experiments), -1)
    place[present] = np.arange(len(present))
    if reference is None:
        reference = _reference(dis.x_grid.tobytes())
    predictions = dis.predict(reference) if covariance == "t0" else None
    data = FitData(
        x=dis.x_grid,
        table=dis.table.reshape(len(dis), -1).astype(np.float64),
        ratio=dis.ratio_rows,
        denominator=dis.denominator.reshape(len(dis.ratio_rows), dis.table[0].size).astype(
            np.float64
        ),
        central=dis.central,
        errors=dis.errors(covariance, predictions),
        experiment=place[dis.experiment_index],
        experiments=tuple(dis.experiments[i] for i in present),
        measured_x=dis.x,
    )
    return FitProblem(
        dis, data, _constraints(), int(seed), float(training_fraction), fluctuate, reference
    )


@functools.cache
def _constraints() -> Constraints:
    return Constraints(positivity_rows(load_evolution()))
