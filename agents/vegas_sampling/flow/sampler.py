"""The flow as a sampler: integrate, sample, save and load."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ....datasets.integrands import Integrand
from ....envs.vegas_sampling.random import checked_seed
from ..base import Progress, Sampler, checked_calls, checked_count
from ..checkpoint import Checkpoint
from .grid import Grid
from .settings import FlowSettings

MODEL_FILE = "model.keras"
SETTINGS_FILE = "settings.json"
FORMAT = 1

_DRAW = 1 << 16
"""Points that `FlowSampler.sample` draws at once."""


@dataclass(eq=False)
class FlowSampler(FlowSettings, Sampler):
    """A normalizing flow of rational-quadratic coupling layers on top of a VEGAS grid.

    See `FlowSettings` for the parameters and ``docs/neural_sampling.md`` for the method
    (arXiv:2001.05486, arXiv:2212.06172). TensorFlow is imported when it is needed.
    """

    name = "flow"
    summary = "normalizing flow: rational-quadratic coupling layers on top of a VEGAS grid"

    _learner: Any = field(default=None, init=False, repr=False)
    _proposal: Any = field(default=None, init=False, repr=False)

    def integrate(
        self,
        integrand: Integrand,
        calls: int,
        seed: int = 0,
        *,
        progress: Progress | None = None,
        checkpoint: str | PathLike[str] | None = None,
        log: str | PathLike[str] | None = None,
    ) -> Any:
        """Train on an integrand, then integrate it with points that did not train.

        Parameters
        ----------
        integrand
            What to integrate. Where it is negative the flow learns its absolute value.
        calls
            Evaluations of the integrand, training included; all are made.
        seed
            Integer from 0 to 2^64 - 1. Same seed, same result on the same machine.
        progress
            Called after each batch with the `FlowIntegration` so far, which has the loss too.
        checkpoint
            File that holds the state, written every few seconds and always whole. If it is there,
            the integration goes on from it, with the same result as if it had not been
            interrupted.
        log
            File that receives a JSON line after each batch, see `TrainingLog`.

        Returns
        -------
        FlowIntegration

        Raises
        ------
        ValueError
            If there are too few calls, the seed is out of range, the integrand is not finite
            somewhere, or the checkpoint belongs to another integration.
        OSError
            If checkpoint or log cannot be written.
        """
        from .training import FlowTraining

        calls, start = checked_calls(integrand, calls), int(checked_seed(seed))
        store = None
        if checkpoint is not None:
            identity = {
                "sampler": self.name,
                **self.parameters,
                "integrand": integrand.name,
                "dim": integrand.dim,
                "calls": calls,
                "seed": start,
            }
            store = Checkpoint(Path(checkpoint), identity)
        self._proposal = None
        training = FlowTraining(
            self, self._fresh_learner(integrand.dim, start), integrand, calls, start
        )
        found = training.run(progress, store, None if log is None else Path(log))
        self._proposal = training.proposal
        return found

    def sample(self, n: int, seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Draw independent points from the trained flow, see `Sampler.sample`."""
        proposal, n = self._trained(), checked_count("n", n, least=0)
        # Far from the streams of the training, which count batches.
        random = np.random.Generator(np.random.PCG64([int(checked_seed(seed)), 1 << 40]))
        points, density = np.empty((n, proposal.grid.dim)), np.empty(n)
        for first in range(0, n, _DRAW):
            here = slice(first, min(n, first + _DRAW))
            drawn = proposal.draw(random, here.stop - first)
            points[here], density[here] = drawn.points, drawn.density
        return points, density

    def density(self, points: ArrayLike) -> NDArray[np.float64]:
        """Density that `sample` follows, at any points.

        Parameters
        ----------
        points
            Shape (n, dim), in [0, 1].

        Returns
        -------
        numpy.ndarray
            float64, shape (n,).

        Raises
        ------
        ValueError
            If `integrate` has not been called, or the points have another shape or lie outside.
        """
        proposal = self._trained()
        array = np.ascontiguousarray(points, dtype=np.float64)
        dim = proposal.grid.dim
        if array.ndim != 2 or array.shape[1] != dim:
            raise ValueError(f"points have shape {array.shape} but must have shape (n, {dim})")
        if not ((array >= 0.0) & (array <= 1.0)).all():
            raise ValueError("points must lie in [0, 1]")
        found: NDArray[np.float64] = proposal.density(array)
        return found

    def save(self, folder: str | PathLike[str]) -> None:
        """Write ``model.keras`` and ``settings.json`` into a folder, which is made if needed.

        Raises
        ------
        ValueError
            If `integrate` has not been called.
        """
        proposal, target = self._trained(), Path(folder)
        target.mkdir(parents=True, exist_ok=True)
        proposal.learner.flow.save(target / MODEL_FILE)
        content = {
            "format": FORMAT,
            "sampler": self.name,
            "parameters": self.parameters,
            "grid_edges": proposal.grid.edges.tolist(),
        }
        (target / SETTINGS_FILE).write_text(json.dumps(content, indent=2) + "\n")

    @classmethod
    def load(cls, folder: str | PathLike[str]) -> FlowSampler:
        """Read a trained flow from a folder, without running any code found there.

        Returns
        -------
        FlowSampler
            Ready to sample.

        Raises
        ------
        ValueError
            If the folder does not hold such a flow.
        """
        source = Path(folder)
        for file in (SETTINGS_FILE, MODEL_FILE):
            if not (source / file).is_file():
                raise ValueError(f"{source} is not the folder of a flow: it has no {file}")
        try:
            content = json.loads((source / SETTINGS_FILE).read_text())
            if (content["sampler"], content["format"]) != (cls.name, FORMAT):
                raise ValueError(f"sampler {content['sampler']!r}, format {content['format']!r}")
            sampler = cls(**content["parameters"])
            edges = np.array(content["grid_edges"], np.float64)
            if edges.ndim != 2 or not (np.diff(edges) > 0.0).all():
                raise ValueError("grid_edges must be a row of rising numbers for each axis")
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{source / SETTINGS_FILE} cannot be used: {error}") from None
        from .learner import Learner, load_flow
        from .proposal import Proposal

        learner = Learner(sampler, load_flow(source / MODEL_FILE, len(edges)))
        sampler._learner = learner
        sampler._proposal = Proposal(learner, Grid(edges), sampler.uniform_share)
        return sampler

    def _fresh_learner(self, dim: int, seed: int) -> Any:
        """Flow with fresh weights; what was compiled for the one before is used again."""
        from .learner import Learner, make_flow

        if self._learner is None or self._learner.flow.dim != dim:
            self._learner = Learner(self, make_flow(self, dim, 0))
        self._learner.reset(int(np.random.SeedSequence(seed).generate_state(1)[0]) >> 1)
        return self._learner

    def _trained(self) -> Any:
        if self._proposal is None:
            raise ValueError("flow has not integrated anything yet: call integrate first")
        return self._proposal
