"""A policy that is a small neural network, evaluated without any library but NumPy."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....envs.vegas_sampling.setup import Observation
from ...parameters import Parameters
from ...whole_files import whole_file
from .base import Policy
from .features import NAMES, features

Layer = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Weights, shape (inputs, outputs), and biases, shape (outputs,)."""


class NetworkPolicy(Policy):
    """A multilayer perceptron with tanh between its layers, from features to actions.

    Parameters
    ----------
    layers
        Weights and biases of each layer; the first takes all of `features.NAMES`, the last gives
        the three actions. Actions outside -1 to 1 are cut.
    origin
        How the network was trained, for the record.

    Raises
    ------
    ValueError
        If the layers do not fit each other, the features or the actions.
    """

    name = "ppo"

    def __init__(self, layers: Sequence[Layer], origin: dict[str, Any] | None = None) -> None:
        self.layers = [(np.asarray(w, np.float64), np.asarray(b, np.float64)) for w, b in layers]
        self.origin = origin or {}
        width = len(NAMES)
        for number, (weights, biases) in enumerate(self.layers):
            last = number == len(self.layers) - 1
            outputs = 3 if last else (biases.size or -1)
            if weights.shape != (width, outputs) or biases.shape != (outputs,):
                raise ValueError(
                    f"layer {number} has weights of shape {weights.shape} and biases of shape "
                    f"{biases.shape}: it must take {width} numbers and give "
                    f"{'3 actions' if last else 'as many as it has biases'}"
                )
            if not (np.isfinite(weights).all() and np.isfinite(biases).all()):
                raise ValueError(f"layer {number} has numbers that are not finite")
            width = outputs
        if not self.layers:
            raise ValueError("a network needs at least one layer")

    @property
    def parameters(self) -> Parameters:
        """How the network was trained."""
        return {name: self.origin[name] for name in ("budget", "seed") if name in self.origin}

    def act(self, observation: Observation) -> NDArray[np.float32]:
        """Evaluate the network."""
        values = features(observation).astype(np.float64)
        for number, (weights, biases) in enumerate(self.layers):
            values = values @ weights + biases
            if number < len(self.layers) - 1:
                values = np.tanh(values)
        return np.clip(values, -1.0, 1.0).astype(np.float32)

    def save(self, path: str | PathLike[str]) -> None:
        """Write the policy as an NPZ file of plain arrays."""
        arrays: dict[str, NDArray[Any]] = {"origin": np.array(json.dumps(self.origin))}
        for number, (weights, biases) in enumerate(self.layers):
            arrays[f"weights_{number}"] = weights.astype(np.float32)
            arrays[f"biases_{number}"] = biases.astype(np.float32)
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(target) as part, part.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **arrays)

    @classmethod
    def load(cls, path: str | PathLike[str]) -> NetworkPolicy:
        """Read a policy that `save` has written.

        Parameters
        ----------
        path
            The file.

        Returns
        -------
        NetworkPolicy

        Raises
        ------
        ValueError
            If the file holds no such policy.
        OSError
            If it cannot be read.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                origin = json.loads(str(file["origin"]))
                depth = sum(name.startswith("weights_") for name in file.files)
                layers = [(file[f"weights_{n}"], file[f"biases_{n}"]) for n in range(depth)]
            return cls(layers, origin)
        except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise ValueError(f"{path} holds no network policy: {error}") from None
