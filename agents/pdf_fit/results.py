"""Fitted replicas on disk: one file for each, written as soon as it is there."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...envs.pdf_fit.constraints import INTEGRABILITY_THRESHOLD
from ...leaderboards.scores.pdf_fit import postfit
from ..whole_files import whole_file, write_whole
from .plan import FitPlan, fit_plan

_PLAN_FILE = "fit.json"


@dataclass(frozen=True, eq=False)
class FittedReplica:
    """One fitted replica.

    Attributes
    ----------
    number
        Number of the replica.
    f
        float64, shape (9, grid): x f at Q0 in the order of ``bases.EVOLUTION``.
    parameters
        float32: weights of the network or the 296 parameters, flat.
    history
        float64, shape (looks, 3): epoch or generation, training and validation chi2 per point.
    epochs, best_epoch
        Epochs or generations run, and the one whose state is kept; 0 if none was acceptable.
    training, validation
        chi2 per point of the state kept.
    experimental
        chi2 per point to the central values with the experimental covariance.
    positivity
        Whether positivity holds.
    integrability
        See ``constraints.integrability``.
    arc_length
        float64, shape (9,): arc lengths of the distributions.
    seconds
        Wall time, of the whole batch divided by its size.
    """

    number: int
    f: NDArray[np.float64]
    parameters: NDArray[np.float32]
    history: NDArray[np.float64]
    epochs: int
    best_epoch: int
    training: float
    validation: float
    experimental: float
    positivity: bool
    integrability: float
    arc_length: NDArray[np.float64]
    seconds: float

    @property
    def acceptable(self) -> bool:
        """Whether positivity and integrability hold and the fit had an acceptable state."""
        return (
            self.best_epoch > 0 and self.positivity and self.integrability < INTEGRABILITY_THRESHOLD
        )


_ARRAYS = ("f", "parameters", "history", "arc_length")
_NUMBERS = (
    "number",
    "epochs",
    "best_epoch",
    "training",
    "validation",
    "experimental",
    "positivity",
    "integrability",
    "seconds",
)


class FitFolder:
    """The folder of a fit.

    Parameters
    ----------
    path
        Where.
    plan
        What is fitted; None takes what the folder holds.

    Raises
    ------
    ValueError
        If the folder holds another fit, or nothing and no plan is given.
    """

    def __init__(self, path: str | os.PathLike[str], plan: FitPlan | None = None) -> None:
        self.path = Path(path)
        file = self.path / _PLAN_FILE
        held = None
        if file.exists():
            try:
                values = json.loads(file.read_text())
                held = fit_plan(values.pop("agent"), values.pop("settings"), **values)
            except (ValueError, KeyError, TypeError) as error:
                raise ValueError(f"{file} is not a fit's plan: {error}") from None
        if plan is None:
            if held is None:
                raise ValueError(f"{self.path} holds no fit: there is no {_PLAN_FILE}")
            plan = held
        elif held is not None and held != plan:
            name = next(n for n, v in plan.to_json().items() if held.to_json()[n] != v)
            raise ValueError(
                f"{self.path} holds another fit, with {name} = {held.to_json()[name]!r} instead of "
                f"{plan.to_json()[name]!r}: take another folder"
            )
        self.plan = plan
        if held is None:
            self.path.mkdir(parents=True, exist_ok=True)
            write_whole(file, json.dumps(plan.to_json(), indent=1) + "\n")

    def _file(self, number: int) -> Path:
        return self.path / "replicas" / f"replica_{number:04d}.npz"

    def has(self, number: int) -> bool:
        """Whether a replica has been fitted."""
        return self._file(number).exists()

    def numbers(self) -> list[int]:
        """Replicas that have been fitted, in rising order."""
        files = (self.path / "replicas").glob("replica_*.npz")
        return sorted(int(file.stem.removeprefix("replica_")) for file in files)

    def write(self, replica: FittedReplica) -> None:
        """Write a replica, and its log beside it as JSON."""
        file = self._file(replica.number)
        file.parent.mkdir(parents=True, exist_ok=True)
        numbers = {name: getattr(replica, name) for name in _NUMBERS}
        log = numbers | {
            "arc_length": replica.arc_length.tolist(),
            "history": replica.history.tolist(),
        }
        write_whole(file.with_suffix(".json"), json.dumps(log) + "\n")
        arrays = {name: getattr(replica, name) for name in _ARRAYS}
        with whole_file(file) as part, part.open("wb") as stream:
            np.savez_compressed(
                stream, allow_pickle=False, **arrays, numbers=np.array(json.dumps(numbers))
            )

    def read(self, number: int) -> FittedReplica:
        """Read a replica.

        Raises
        ------
        ValueError
            If it has not been fitted or its file is damaged.
        """
        file = self._file(number)
        try:
            with file.open("rb") as stream, np.load(stream, allow_pickle=False) as held:
                numbers = json.loads(str(held["numbers"]))
                return FittedReplica(**numbers, **{name: held[name] for name in _ARRAYS})
        except FileNotFoundError:
            raise ValueError(f"replica {number} has not been fitted in {self.path}") from None
        except (OSError, KeyError, TypeError, ValueError, EOFError, zipfile.BadZipFile) as error:
            raise ValueError(f"{file} is damaged, remove it and fit again: {error}") from None

    def read_all(self, numbers: Sequence[int] | None = None) -> list[FittedReplica]:
        """Read some replicas, all by default."""
        return [self.read(number) for number in (self.numbers() if numbers is None else numbers)]


def distributions(replicas: Sequence[FittedReplica]) -> NDArray[np.float64]:
    """Stack the distributions of replicas, float64, shape (replicas, 9, grid)."""
    return np.array([replica.f for replica in replicas])


def surviving(replicas: Sequence[FittedReplica]) -> list[FittedReplica]:
    """Replicas that pass all vetoes (arXiv:1410.8849, section 3.3.4).

    Those without positivity, integrability or any acceptable state are refused first, then, until
    none is left, those whose chi2 or an arc length is more than four standard deviations above the
    mean.
    """
    if not replicas:
        return []
    fine = np.array([replica.acceptable for replica in replicas])
    kept = postfit(
        np.array([replica.experimental for replica in replicas]),
        np.array([replica.arc_length for replica in replicas]),
        fine,
        fine,
    )
    return [replica for replica, stays in zip(replicas, kept, strict=True) if stays]
