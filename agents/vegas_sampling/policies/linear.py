"""A closed-loop policy with a few numbers: actions linear in what is observed."""

from __future__ import annotations

import json
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ....envs.vegas_sampling.setup import Observation
from ...parameters import Parameters
from ...whole_files import write_whole
from .base import Policy
from .features import NAMES, features

ACTIONS = ("alpha", "share", "keep")

FEATURES = (
    "left",
    "iterations",
    "dimension",
    "last_deviation",
    "last_change",
    "last_peak",
    "counted",
    "quoted_score",
    "mean_concentration",
    "mean_weight_roughness",
)
"""Features that a linear policy looks at, beside a constant."""

COLUMNS = [NAMES.index(name) for name in FEATURES]
"""Their places in what `features.features` returns."""


class LinearPolicy(Policy):
    """Actions that are linear in ten features.

    Parameters
    ----------
    weights
        Shape (3, 11): for each action the weights of the constant and of `FEATURES`. Actions
        outside -1 to 1 are cut.
    origin
        How the weights were found, for the record.

    Raises
    ------
    ValueError
        If there are not 3 x 11 finite weights.
    """

    name = "linear"

    def __init__(self, weights: ArrayLike, origin: dict[str, Any] | None = None) -> None:
        self.weights = np.asarray(weights, np.float64)
        self.origin = origin or {}
        shape = (len(ACTIONS), 1 + len(FEATURES))
        if self.weights.shape != shape or not np.isfinite(self.weights).all():
            raise ValueError(f"a linear policy needs finite weights of shape {shape}")

    @property
    def parameters(self) -> Parameters:
        """How the weights were found."""
        return {name: self.origin[name] for name in ("budget", "seed") if name in self.origin}

    def act(self, observation: Observation) -> NDArray[np.float32]:
        """Multiply."""
        seen = features(observation)[:, COLUMNS].astype(np.float64)
        actions = self.weights[:, 0] + seen @ self.weights[:, 1:].T
        return np.clip(actions, -1.0, 1.0).astype(np.float32)

    def save(self, path: str | PathLike[str]) -> None:
        """Write the policy as JSON."""
        table = {
            action: dict(zip(("constant", *FEATURES), row.tolist(), strict=True))
            for action, row in zip(ACTIONS, self.weights, strict=True)
        }
        text = json.dumps({"weights": table, "origin": self.origin}, indent=1)
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        write_whole(target, text + "\n")

    @classmethod
    def load(cls, path: str | PathLike[str]) -> LinearPolicy:
        """Read a policy that `save` has written.

        Parameters
        ----------
        path
            The file.

        Returns
        -------
        LinearPolicy

        Raises
        ------
        ValueError
            If the file holds no such policy; the message names file and field.
        OSError
            If it cannot be read.
        """
        text = Path(path).read_text()
        try:
            content = json.loads(text)
            table, origin = content["weights"], content["origin"]
            weights = [
                [float(table[action][name]) for name in ("constant", *FEATURES)]
                for action in ACTIONS
            ]
        except (ValueError, TypeError) as error:
            raise ValueError(f"{path} holds no linear policy: {error}") from None
        except KeyError as error:
            raise ValueError(f"{path} holds no linear policy: {error} is missing") from None
        return cls(weights, origin)
