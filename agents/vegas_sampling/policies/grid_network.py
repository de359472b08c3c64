"""A policy for `VegasGrid-v0`: a small convolutional network makes the grid of each axis.

The same network serves every axis. It corrects the damped weights of VEGAS bin by bin: it knows
what shapes weights have, and from how few points the observed ones come.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....envs.vegas_sampling.actions import grid_action
from ....envs.vegas_sampling.game import BINS
from ....envs.vegas_sampling.grid import damp, share_equally
from ....envs.vegas_sampling.setup import Observation
from ...parameters import Parameters
from ...whole_files import whole_file
from .base import Policy, iterations_played, statistic
from .schedules import Geometric

Array = NDArray[np.float32]

DILATIONS = (1, 2, 4, 1)
"""Distance of neighbouring bins that each layer's convolution looks at."""

ALPHA = 1.5
"""Damping of the weights that are corrected."""

GLOBALS = ("last_deviation", "last_peak", "dimension", "iterations")
CHANNELS = 4 + 1 + len(GLOBALS)
"""What the network sees of a bin, see `channels`."""

_LOWEST, _SCALE = -8.0, 3.0


@dataclass(frozen=True)
class Schedule:
    """How a policy spends its calls, see `schedules.Geometric`."""

    growth: float = 1.2
    iterations: int = 20
    warm_up: int = 5

    def plan(self) -> Geometric:
        """Give the policy of `VegasSampling-v0` with the same schedule."""
        return Geometric(growth=self.growth, iterations=self.iterations, warm_up=self.warm_up)


Layer = tuple[Array, Array]
"""Kernel, shape (places, inputs, outputs), and biases, shape (outputs,)."""


class GridNetworkPolicy(Policy):
    """Grids from a convolutional network, calls by a geometric schedule.

    Parameters
    ----------
    layers
        One for each of `DILATIONS`; the first takes `CHANNELS` numbers, the last gives one.
    schedule
        How calls are spent.
    origin
        How the network was trained, for the record.

    Raises
    ------
    ValueError
        If the layers do not fit each other.
    """

    name = "grid-network"
    environment = "VegasGrid-v0"

    def __init__(
        self,
        layers: Sequence[Layer],
        schedule: Schedule | None = None,
        origin: dict[str, Any] | None = None,
    ) -> None:
        self.layers = [(np.asarray(k, np.float32), np.asarray(b, np.float32)) for k, b in layers]
        self.schedule = schedule or Schedule()
        self.origin = origin or {}
        self._plan = self.schedule.plan()
        if len(self.layers) != len(DILATIONS):
            raise ValueError(f"a grid network has {len(DILATIONS)} layers, not {len(self.layers)}")
        width = CHANNELS
        for number, (kernel, biases) in enumerate(self.layers):
            outputs = 1 if number == len(self.layers) - 1 else (biases.size or -1)
            good = kernel.ndim == 3 and kernel.shape[0] % 2 == 1
            if not good or kernel.shape[1:] != (width, outputs) or biases.shape != (outputs,):
                raise ValueError(
                    f"layer {number} has a kernel of shape {kernel.shape} and biases of shape "
                    f"{biases.shape}: it must take {width} numbers"
                )
            if not (np.isfinite(kernel).all() and np.isfinite(biases).all()):
                raise ValueError(f"layer {number} has numbers that are not finite")
            width = outputs

    @property
    def parameters(self) -> Parameters:
        """How the network was trained."""
        return {name: self.origin[name] for name in ("seed",) if name in self.origin}

    def act(self, observation: Observation) -> NDArray[np.float32]:
        """Make the grids and follow the schedule."""
        games, axes = np.nonzero(observation["axes"])
        seen, damped, edges = channels(observation, games, axes)
        for (kernel, biases), dilation in zip(self.layers, DILATIONS, strict=True):
            last = kernel.shape[2] == 1
            seen = convolve(seen, kernel, biases, dilation)
            if not last:
                seen = np.maximum(seen, 0.0)
        importance = np.exp(np.clip(damped + seen[:, :, 0], -20.0, 20.0).astype(np.float64))
        logits = np.zeros((*observation["grid"].shape[:2], BINS))
        begun = iterations_played(observation)[games] > 0
        moved = np.empty(BINS + 1)
        for row in range(len(games)):
            widths = np.diff(edges[row])
            if begun[row]:
                weights = importance[row]
                share_equally(edges[row], weights, weights.sum(), moved)
                widths = np.diff(moved)
            logits[games[row], axes[row]] = np.log(np.maximum(widths, np.finfo(np.float64).eps))
        plan = self._plan.act(observation)
        action = grid_action(logits, 1.0)
        # Share and keep are written as in the other game.
        action[:, -2:] = plan[:, 1:]
        return action

    def save(self, path: str | PathLike[str]) -> None:
        """Write the policy as an NPZ file of plain arrays."""
        about = {"policy": self.name, "schedule": vars(self.schedule), "origin": self.origin}
        arrays: dict[str, NDArray[Any]] = {"about": np.array(json.dumps(about))}
        for number, (kernel, biases) in enumerate(self.layers):
            arrays[f"kernel_{number}"], arrays[f"biases_{number}"] = kernel, biases
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(target) as part, part.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **arrays)

    @classmethod
    def load(cls, path: str | PathLike[str]) -> GridNetworkPolicy:
        """Read a policy that `save` has written.

        Parameters
        ----------
        path
            The file.

        Returns
        -------
        GridNetworkPolicy

        Raises
        ------
        ValueError
            If the file holds no such policy.
        OSError
            If it cannot be read.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                about = json.loads(str(file["about"]))
                depth = sum(name.startswith("kernel_") for name in file.files)
                layers = [(file[f"kernel_{n}"], file[f"biases_{n}"]) for n in range(depth)]
            return cls(layers, Schedule(**about["schedule"]), about["origin"])
        except (ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
            raise ValueError(f"{path} holds no grid network: {error}") from None


def convolve(values: Array, kernel: Array, biases: Array, dilation: int) -> Array:
    """Convolve along the bins; there is nothing beyond the first and the last one.

    Parameters
    ----------
    values
        float32, shape (n, bins, inputs).
    kernel, biases
        See `Layer`.
    dilation
        Distance of the bins that are looked at.

    Returns
    -------
    numpy.ndarray
        float32, shape (n, bins, outputs).
    """
    places, bins = len(kernel), values.shape[1]
    margin = places // 2 * dilation
    padded = np.pad(values, ((0, 0), (margin, margin), (0, 0)))
    out = np.broadcast_to(biases, (*values.shape[:2], len(biases))).copy()
    for place in range(places):
        out += padded[:, place * dilation : place * dilation + bins] @ kernel[place]
    return out


def channels(
    observation: Observation, games: NDArray[np.int64], axes: NDArray[np.int64]
) -> tuple[Array, Array, NDArray[np.float64]]:
    """Prepare axes for the network.

    Parameters
    ----------
    observation
        Observations of some games.
    games, axes
        int64, shape (n,): which axes of which games.

    Returns
    -------
    seen
        float32, shape (n, 64, CHANNELS): logarithm of the squared weights, 1 for a bin without
        weight, logarithm of the grid's density, logarithm of VEGAS's damped weights; then numbers
        that are equal for all bins: log10 of the calls of the iteration and `GLOBALS`.
    damped
        float32, shape (n, 64): logarithm of the damped weights over their mean.
    edges
        float64, shape (n, 65): the grids.
    """
    weights, density = observation["weights"][games, axes], observation["grid"][games, axes]
    width = np.exp(-density.astype(np.float64)) / BINS
    edges = np.concatenate([np.zeros((len(width), 1)), np.cumsum(width, axis=1)], axis=1)
    damped = np.zeros((len(games), BINS))
    shares, row_damped = np.exp(weights.astype(np.float64)), np.empty(BINS)
    for row in range(len(games)):
        if damp(shares[row], ALPHA, row_damped) > 0.0:
            floor = np.maximum(row_damped, 1e-6 * row_damped.max())
            damped[row] = np.log(floor / floor.mean())
    calls = np.maximum(statistic(observation, "last_share"), 1e-6) * 10.0 ** statistic(
        observation, "budget"
    )
    common = [np.log10(np.maximum(calls, 1.0)) - 3.0]
    common += [statistic(observation, name) for name in GLOBALS]
    columns = [
        np.maximum(weights, _LOWEST) / _SCALE,
        weights < _LOWEST,
        density / _SCALE,
        damped / _SCALE,
        *(np.broadcast_to(values[games, None], damped.shape) for values in common),
    ]
    return np.stack(columns, axis=2).astype(np.float32), damped.astype(np.float32), edges
