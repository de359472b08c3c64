"""What is fitted and how: a fit of many replicas that can be sent anywhere and resumed."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike, fspath
from typing import Any, Literal, get_args

import numpy as np

from ...datasets.lhapdf_grid import read_grid
from ...datasets.parton_distributions import DEFAULT_ID, load
from ...datasets.parton_distributions.data import DISData
from ...datasets.parton_distributions.export import from_lhapdf, reference_law
from ...envs.pdf_fit.closure_law import closure_law
from ...envs.pdf_fit.neural import NeuralSettings
from ...envs.pdf_fit.problem import Covariance, FitProblem, fit_problem
from ...leaderboards.scores.pdf_fit import closure_data
from .searchers import SETTINGS, search_settings

AGENTS = ("n3fit", *SETTINGS)
"""Agents of this package."""

Level = Literal["data", "L0", "L1", "L2"]
"""Fit the measured values, or, in closure tests, a law: without noise, with it, with replicas."""


@dataclass(frozen=True)
class FitPlan:
    """All that determines a fit; replica r is the same wherever and whenever it is fitted.

    Attributes
    ----------
    agent
        One of `AGENTS`.
    settings
        Settings of the agent as JSON.
    data
        Dataset id or path of a file in the same format.
    covariance, training_fraction, sets
        See ``envs.pdf_fit.problem.fit_problem``.
    seed
        Seed of all replicas.
    level
        ``data`` or the level of a closure test.
    law
        For closure tests: ``reference`` (NNPDF3.1 from Pythia with the constraints that fits
        impose, see ``envs.pdf_fit.closure_law``; the board's), ``published`` (NNPDF3.1 as it is) or
        the path of a member file of an LHAPDF set, which is taken as it is.
    universe
        For closure tests L1 and L2: which noise the law's data have.
    batch
        Replicas in one graph of n3fit. Replica r is fitted with the others of its batch, whose
        numbers do not influence it, but the size of the batch does in the last bits.
    """

    agent: str = "n3fit"
    settings: str = "{}"
    data: str = DEFAULT_ID
    covariance: Covariance = "t0"
    training_fraction: float = 0.75
    sets: tuple[str, ...] = ()
    seed: int = 0
    level: Level = "data"
    law: str = "reference"
    universe: int = 0
    batch: int = 10

    def __post_init__(self) -> None:
        if self.agent not in AGENTS:
            raise ValueError(f"there is no agent {self.agent!r}: there are {', '.join(AGENTS)}")
        if self.level not in get_args(Level):
            raise ValueError(
                f"level is {self.level!r} but must be one of {', '.join(get_args(Level))}"
            )
        if self.covariance not in get_args(Covariance):
            raise ValueError(
                f"covariance is {self.covariance!r} but must be one of "
                f"{', '.join(get_args(Covariance))}"
            )
        for name, least in (("seed", 0), ("universe", 0), ("batch", 1)):
            value = getattr(self, name)
            if type(value) is not int or value < least:
                raise ValueError(f"{name} is {value!r} but must be a whole number from {least}")
        fraction = self.training_fraction
        if type(fraction) not in (int, float) or not 0 < fraction <= 1:
            raise ValueError(
                f"training_fraction is {fraction!r} but must be a number above 0 and up to 1"
            )
        self.agent_settings()

    def agent_settings(self) -> Any:
        """Check the settings of the agent."""
        values = json.loads(self.settings)
        if self.agent == "n3fit":
            return NeuralSettings.from_mapping(values)
        return search_settings(self.agent, values)

    def problem(self) -> FitProblem:
        """Load and prepare what is fitted; the last one is kept in memory."""
        return _problem(self)

    def to_json(self) -> dict[str, Any]:
        """Put the plan in a form that JSON can hold."""
        values = dataclasses.asdict(self)
        return values | {"settings": json.loads(self.settings), "sets": list(self.sets)}

    def key(self) -> str:
        """Short hash of everything but the number of replicas."""
        text = json.dumps(self.to_json(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def fit_plan(
    agent: str = "n3fit",
    settings: Mapping[str, Any] | None = None,
    *,
    data: str | PathLike[str] = DEFAULT_ID,
    **arguments: Any,
) -> FitPlan:
    """Make a plan from settings in plain Python.

    Parameters
    ----------
    agent
        One of `AGENTS`.
    settings
        Settings of the agent; those left out take their defaults.
    data
        Dataset id or path of a file in the same format.
    **arguments
        Further attributes of `FitPlan`.

    Returns
    -------
    FitPlan

    Raises
    ------
    ValueError
        If an argument is unknown or out of range.
    """
    known = [field.name for field in dataclasses.fields(FitPlan)]
    for name in arguments:
        if name not in known:
            raise ValueError(f"a plan has no {name!r}: it has {', '.join(known)}")
    text = json.dumps(dict(settings or {}), sort_keys=True)
    arguments["sets"] = tuple(arguments.get("sets", ()))
    return FitPlan(agent=agent, settings=text, data=fspath(data), **arguments)


@functools.lru_cache(maxsize=1)
def _problem(plan: FitPlan) -> FitProblem:
    return fit_problem(
        closure_central(plan) if plan.level != "data" else load(plan.data),
        covariance=plan.covariance,
        training_fraction=plan.training_fraction,
        seed=plan.seed,
        fluctuate=plan.level in ("data", "L2"),
        sets=plan.sets,
        reference=law(plan) if plan.level != "data" else None,
    )


def law(plan: FitPlan) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Distributions of a closure test's law at Q0, float64, shape (9, grid)."""
    x = load(plan.data).x_grid
    if plan.law == "reference":
        return closure_law(reference_law(x), x)
    if plan.law == "published":
        return reference_law(x)
    return from_lhapdf(read_grid(plan.law), x)


def closure_central(plan: FitPlan) -> DISData:
    """Make the data of a closure test: the law's predictions, with noise for levels 1 and 2.

    Universe f has the noise of closure fit f on the leaderboard.
    """
    data, truth = load(plan.data), law(plan)
    if plan.level == "L0":
        return data.with_central(data.predict(truth))
    return closure_data(data, truth, plan.universe)
