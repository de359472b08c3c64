"""Optimisers that see nothing but losses: the genetic algorithm, CMA-ES, random search."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...envs.pdf_fit.game import PARAMETER_LIMIT, first_parameters
from ...envs.pdf_fit.lecture_model import PARAMETERS, node_of_parameter
from .search import Searcher

_NETWORKS = 8
_UPDATES_WITH_OLD_AXES = 10


@dataclass(frozen=True)
class GeneticSettings:
    """Settings of the genetic algorithm of NNPDF3 (arXiv:1410.8849, section 3.3.1).

    Attributes
    ----------
    generations
        The most generations.
    mutants
        Mutants in each.
    eta
        Size of mutations in the first generation.
    node_probability
        Probability that a node of a mutant's networks mutates.
    """

    generations: int = 30_000
    mutants: int = 80
    eta: float = 15.0
    node_probability: float = 0.05


@dataclass(frozen=True)
class CMAESSettings:
    """Settings of CMA-ES (arXiv:1706.07049, table 3.1).

    Attributes
    ----------
    generations
        The most generations.
    population
        Points in each; half of them are parents.
    sigma
        First step size.
    """

    generations: int = 30_000
    population: int = 80
    sigma: float = 0.1


@dataclass(frozen=True)
class RandomSettings:
    """Settings of the random search: every point is drawn like the first parameters.

    Attributes
    ----------
    generations
        The most generations.
    population
        Points in each.
    """

    generations: int = 30_000
    population: int = 80


class GeneticAlgorithm:
    """Mutants of the best point; the best mutant takes its place if it is better.

    In a mutant each node mutates with a fixed probability: all its weights and its bias move by
    eta u / generation^r, with u uniform in (-1, 1) for each weight and r uniform in (0, 1) for
    each mutant and network.

    Parameters
    ----------
    settings
        See `GeneticSettings`.
    seed
        Integer.
    """

    def __init__(self, settings: GeneticSettings, seed: int) -> None:
        self.size = settings.mutants
        self._settings = settings
        self._random = np.random.default_rng(seed)
        self._best: NDArray[np.float64] = first_parameters(self._random, 1)[0].astype(np.float64)
        self._loss = np.inf
        self._generation = 0
        self._node = node_of_parameter()
        self._network = np.arange(PARAMETERS) * _NETWORKS // PARAMETERS

    def ask(self) -> NDArray[np.float64]:
        """Mutants, float64 of shape (size, 296)."""
        self._generation += 1
        s, random = self._settings, self._random
        nodes = int(self._node[-1]) + 1
        mutates = random.random((s.mutants, nodes)) < s.node_probability
        rate = s.eta / self._generation ** random.random((s.mutants, _NETWORKS))
        move = random.uniform(-1.0, 1.0, (s.mutants, PARAMETERS))
        mutants = self._best + mutates[:, self._node] * rate[:, self._network] * move
        return np.clip(mutants, -PARAMETER_LIMIT, PARAMETER_LIMIT)

    def tell(self, points: NDArray[np.float64], loss: NDArray[np.float64]) -> None:
        """Keep the best mutant if it is better than its parent."""
        best = int(loss.argmin())
        if loss[best] < self._loss:
            self._best, self._loss = points[best], float(loss[best])


class CovarianceAdaptation:
    """CMA-ES with active weights, from the package cma.

    Parameters
    ----------
    settings
        See `CMAESSettings`.
    seed
        Integer.
    """

    def __init__(self, settings: CMAESSettings, seed: int) -> None:
        import cma  # type: ignore[import-untyped]

        self.size = settings.population
        random = np.random.default_rng(seed)
        start = first_parameters(random, 1)[0].astype(np.float64)
        options = {
            "popsize": settings.population,
            # The axes of 296 dimensions change slowly: by less than a percent in so many updates.
            "updatecovwait": _UPDATES_WITH_OLD_AXES,
            # Without these two the package draws from NumPy's global generator.
            "seed": np.nan,
            "randn": lambda *shape: random.standard_normal(shape),
            "verbose": -9,
        }
        self._cma = cma.CMAEvolutionStrategy(start, settings.sigma, options)
        self._asked: list[NDArray[np.float64]] = []

    def ask(self) -> NDArray[np.float64]:
        """Points, float64 of shape (size, 296)."""
        self._asked = self._cma.ask()
        return np.clip(np.array(self._asked), -PARAMETER_LIMIT, PARAMETER_LIMIT)

    def tell(self, points: NDArray[np.float64], loss: NDArray[np.float64]) -> None:
        """Move and shape the distribution from which points are drawn."""
        self._cma.tell(self._asked, loss.tolist())


class RandomSearch:
    """Points without memory: what any search must beat.

    Parameters
    ----------
    settings
        See `RandomSettings`.
    seed
        Integer.
    """

    def __init__(self, settings: RandomSettings, seed: int) -> None:
        self.size = settings.population
        self._random = np.random.default_rng(seed)

    def ask(self) -> NDArray[np.float64]:
        """Points, float64 of shape (size, 296)."""
        return first_parameters(self._random, self.size).astype(np.float64)

    def tell(self, points: NDArray[np.float64], loss: NDArray[np.float64]) -> None:
        """Forget."""


SETTINGS = {"genetic": GeneticSettings, "cma-es": CMAESSettings, "random": RandomSettings}
"""Agents of this module and their settings."""

_MAKERS: dict[str, Any] = {
    "genetic": GeneticAlgorithm,
    "cma-es": CovarianceAdaptation,
    "random": RandomSearch,
}


def search_settings(agent: str, values: Mapping[str, Any]) -> Any:
    """Make settings from names and values, as they come from JSON or a command line.

    Raises
    ------
    ValueError
        If the agent has no such setting or a value is not allowed.
    """
    kind = SETTINGS[agent]
    defaults = dataclasses.asdict(kind())
    for name, value in values.items():
        if name not in defaults:
            raise ValueError(f"agent {agent} has no setting {name!r}: it has {', '.join(defaults)}")
        whole = isinstance(defaults[name], int)
        allowed = (int,) if whole else (int, float)
        if type(value) not in allowed or not value > 0:
            kind_name = "a positive integer" if whole else "a positive number"
            raise ValueError(f"{name} is {value!r} but must be {kind_name}")
    if values.get("node_probability", 0.0) > 1:
        raise ValueError(f"node_probability is {values['node_probability']!r} but must be up to 1")
    return kind(**values)


def make_searcher(agent: str, settings: Any, seed: int) -> Searcher:
    """Make an optimiser from its settings and a seed."""
    made: Searcher = _MAKERS[agent](settings, seed)
    return made
