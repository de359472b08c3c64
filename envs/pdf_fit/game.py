"""The fitting game: parameter vectors of many fits, and what the data say of them."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...datasets.parton_distributions.bases import FITTED
from .fit_data import onto_fitted_columns
from .lecture_model import PARAMETERS, PER_NETWORK, LectureModel, lecture_model
from .problem import FitProblem
from .replica import Replica

PARAMETER_LIMIT = 100.0
"""Parameters are kept between minus and plus this."""

_REMEMBERED = 32
"""Replicas whose tables are kept in memory; each takes 1 to 3 MB."""


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What the data say of some parameter vectors.

    Attributes
    ----------
    experiments
        float64, shape (vectors, experiments): training chi2 per point of each experiment by
        itself.
    training, validation
        float64, shape (vectors,): chi2 per point with all correlations.
    positivity
        float64, shape (vectors,): penalty, see ``Constraints.positivity_penalty``.
    sum_rules
        float64, shape (vectors,): largest deviation from a sum rule.
    """

    experiments: NDArray[np.float64]
    training: NDArray[np.float64]
    validation: NDArray[np.float64]
    positivity: NDArray[np.float64]
    sum_rules: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ReplicaTables:
    """One matrix product gives all residuals of a replica.

    Attributes
    ----------
    model
        Parameters to distributions.
    matrix
        float32, shape (rows, 8 * grid + ratios): the quadratic forms of training values,
        validation values and each experiment's training values, then positivity.
    target
        float32, shape (rows of the quadratic forms,).
    first
        int64, shape (forms + 1,): first row of each quadratic form, and of positivity.
    constant, values
        float64, shape (forms,): see `QuadraticForm`.
    """

    model: LectureModel
    matrix: NDArray[np.float32]
    target: NDArray[np.float32]
    first: NDArray[np.int64]
    constant: NDArray[np.float64]
    values: NDArray[np.float64]


def replica_tables(problem: FitProblem, replica: Replica) -> ReplicaTables:
    """Bring a replica into the form in which it is played."""
    data = problem.data
    forms = list(replica.forms(data))
    for number in range(len(data.experiments)):
        rows = replica.training[data.experiment[replica.training] == number]
        forms.append(data.quadratic_form(rows, replica.values))
    positivity = problem.constraints.positivity.astype(np.float32)
    padded = np.zeros((len(positivity), forms[0].matrix.shape[1]), np.float32)
    padded[:, : positivity.shape[1]] = positivity
    matrix = onto_fitted_columns(
        np.concatenate([*(form.matrix for form in forms), padded]).astype(np.float32), len(data.x)
    )
    target = np.concatenate([form.target for form in forms])
    first = np.cumsum([0, *(len(form.target) for form in forms)])
    return ReplicaTables(
        model=lecture_model(data.x, replica.preprocessing),
        matrix=matrix,
        target=target.astype(np.float32),
        first=first,
        constant=np.array([form.constant for form in forms]),
        values=np.array([max(form.values, 1) for form in forms], np.float64),
    )


class FitGame:
    """Replicas of one problem, ready to be played.

    Parameters
    ----------
    problem
        Data, tables and replicas.
    """

    def __init__(self, problem: FitProblem) -> None:
        self.problem = problem
        self._tables: OrderedDict[int, ReplicaTables] = OrderedDict()
        self._z, self._product = np.empty((2, 0, 0), np.float32)

    def tables(self, number: int) -> ReplicaTables:
        """Tables of a replica; those used last are kept.

        Raises
        ------
        ValueError
            If the number is negative.
        """
        if number not in self._tables:
            self._tables[number] = replica_tables(self.problem, self.problem.replica(number))
            if len(self._tables) > _REMEMBERED:
                self._tables.popitem(last=False)
        self._tables.move_to_end(number)
        return self._tables[number]

    def evaluate(self, parameters: NDArray[np.float32], replicas: NDArray[np.int64]) -> Evaluation:
        """Evaluate parameter vectors.

        Parameters
        ----------
        parameters
            float32, shape (vectors, 296).
        replicas
            int64, shape (vectors,): number of the replica that each is for.

        Returns
        -------
        Evaluation
        """
        experiments = len(self.problem.data.experiments)
        chi2 = np.empty((len(parameters), experiments + 2))
        positivity = np.empty(len(parameters))
        sum_rules = np.empty(len(parameters))
        numbers = np.unique(replicas)
        for number in numbers:
            own = slice(None) if len(numbers) == 1 else np.flatnonzero(replicas == number)
            chi2[own], positivity[own], sum_rules[own] = self._evaluate(
                self.tables(int(number)), parameters[own]
            )
        return Evaluation(chi2[:, 2:], chi2[:, 0], chi2[:, 1], positivity, sum_rules)

    def _evaluate(
        self, tables: ReplicaTables, parameters: NDArray[np.float32]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        from . import kernels

        # Fresh arrays of this size cost more than what is computed with them.
        rows, inputs = tables.matrix.shape
        if self._product.shape != (rows, len(parameters)):
            self._z = np.empty((len(parameters), inputs), np.float32)
            self._product = np.empty((rows, len(parameters)), np.float32)
        z, product = self._z, self._product
        columns = len(FITTED) * len(self.problem.data.x)
        with np.errstate(all="ignore"):
            f = z[:, :columns].reshape(len(parameters), len(FITTED), -1)
            deviation = tables.model.into(parameters, f)
            if z.shape[1] > columns:
                z[:, columns:] = self.problem.data.ratios(z[:, :columns])
            np.matmul(tables.matrix, z.T, out=product)
        return kernels.judge(
            product, tables.target, tables.first, tables.constant, tables.values, deviation
        )

    def distributions(self, number: int, parameters: NDArray[np.float32]) -> NDArray[np.float32]:
        """Evaluate x f of one parameter vector of a replica, shape (9, grid)."""
        with np.errstate(all="ignore"):
            return self.tables(number).model(parameters[None])[0]


def first_parameters(random: np.random.Generator, vectors: int) -> NDArray[np.float32]:
    """Draw parameters to start from: a standard normal distribution for each.

    Parameters
    ----------
    random
        Where the randomness comes from.
    vectors
        How many vectors.

    Returns
    -------
    numpy.ndarray
        float32, shape (vectors, 296).
    """
    return random.standard_normal((vectors, PARAMETERS), np.float32)


def summary(parameters: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mean and root mean square of each network's parameters.

    Parameters
    ----------
    parameters
        float32, shape (vectors, 296).

    Returns
    -------
    numpy.ndarray
        float32, shape (vectors, 16): eight means, eight root mean squares.
    """
    nets = parameters.reshape(-1, len(FITTED), PER_NETWORK)
    mean = np.einsum("vip->vi", nets) / PER_NETWORK
    square = np.einsum("vip,vip->vi", nets, nets) / PER_NETWORK
    return np.concatenate([mean, np.sqrt(square)], axis=1)
