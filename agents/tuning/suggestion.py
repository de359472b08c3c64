"""Where to look next: hyperopt's algorithms, made to depend on nothing but seed and past trials."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .space import Choice, Coordinate, LogUniform, QUniform, Searched, Space, UniformInt

if TYPE_CHECKING:
    from .trial import Trial


def seeds(seed: int, number: int) -> tuple[int, int]:
    """Seeds of one trial, independent of those of all others.

    Parameters
    ----------
    seed
        Seed of the scan.
    number
        Number of the trial, from 0.

    Returns
    -------
    suggestion : int
        For the algorithm that picks the point.
    agent : int
        For the agent that is evaluated there, 0 to 2^32 - 1.
    """
    first, second = np.random.SeedSequence((seed, number)).generate_state(2)
    return int(first), int(second)


class Suggester:
    """Picks the points of trials.

    The point of a trial follows from the space, the scan's seed, the trial's number and the past
    trials that are given; nothing is remembered between calls, so that an interrupted scan goes on
    as if it had not been.

    Parameters
    ----------
    space
        The search space.
    seed
        Seed of the scan.
    """

    def __init__(self, space: Space, seed: int) -> None:
        from hyperopt import Domain, anneal, rand, tpe

        self._suggest = {"tpe": tpe.suggest, "anneal": anneal.suggest, "random": rand.suggest}[
            space.algorithm
        ]
        self._names = list(space.searched)
        self._seed = seed
        # hyperopt never calls the function: the scan evaluates.
        self._domain = Domain(
            lambda _: 0.0, {name: _expression(name, one) for name, one in space.searched.items()}
        )

    def suggest(self, numbers: Sequence[int], past: Sequence[Trial]) -> list[dict[str, Coordinate]]:
        """Pick the points of some trials.

        Parameters
        ----------
        numbers
            Numbers of the trials.
        past
            Finished trials that the algorithm may learn from, in order.

        Returns
        -------
        list of dict
            For each trial the coordinate of each searched parameter, Python numbers.
        """
        from hyperopt import Trials

        trials = Trials()
        trials.insert_trial_docs([self._document(trial) for trial in past])
        trials.refresh()
        points = []
        for number in numbers:
            seed, _ = seeds(self._seed, number)
            (document,) = self._suggest([number], self._domain, trials, seed)
            values = document["misc"]["vals"]
            # NumPy scalars become Python numbers, which JSON can hold.
            points.append({name: np.asarray(values[name][0]).item() for name in self._names})
        return points

    def _document(self, trial: Trial) -> dict[str, Any]:
        """One trial as hyperopt keeps it."""
        from hyperopt import JOB_STATE_DONE

        result: dict[str, Any] = {"status": "fail"}
        if trial.loss is not None:
            result = {"status": "ok", "loss": trial.loss}
        return {
            "tid": trial.number,
            "spec": None,
            "result": result,
            "misc": {
                "tid": trial.number,
                "cmd": self._domain.cmd,
                "workdir": self._domain.workdir,
                "idxs": {name: [trial.number] for name in self._names},
                "vals": {name: [trial.point[name]] for name in self._names},
            },
            "state": JOB_STATE_DONE,
            "owner": None,
            "book_time": None,
            "refresh_time": None,
            "exp_key": None,
            "version": 0,
        }


def _expression(name: str, parameter: Searched) -> Any:
    """Give one parameter in hyperopt's language."""
    from hyperopt import hp

    if isinstance(parameter, Choice):
        return hp.choice(name, list(range(len(parameter.values))))
    if isinstance(parameter, UniformInt):
        # Half a step more on both sides, or the ends would come up half as often.
        return hp.quniform(name, parameter.low - 0.5, parameter.high + 0.5, 1)
    if isinstance(parameter, QUniform):
        half = 0.5 * parameter.step
        return hp.quniform(name, parameter.low - half, parameter.high + half, parameter.step)
    if isinstance(parameter, LogUniform):
        return hp.loguniform(name, math.log(parameter.low), math.log(parameter.high))
    return hp.uniform(name, parameter.low, parameter.high)
