"""From an integrand to a flow and an estimate: grid, training, result.

The result comes from points drawn after the last gradient step alone. Their weights are
independent and identically distributed, so that mean and standard error are honest; batches that
trained are never combined with them, because which of them weigh much would depend on their own
values.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....datasets.integrands import Integrand
from ..base import Integration, Iteration, Progress, combine
from ..checkpoint import Checkpoint
from .grid import Grid, uniform_grid
from .learner import Learner
from .log import TrainingLog
from .proposal import Proposal
from .settings import FlowSettings

STAGES = ("grid", "training", "result")
GRID, TRAINING, RESULT = range(3)

_ROWS = 10
"""Rows of the table for the training, and at least so many for the result."""
_MAX_RESULT = 1 << 18
"""Points of the result that are drawn at once."""
_CHECKPOINT_SECONDS = 5.0
_COLUMNS = ("stage", "calls", "estimate", "error", "rsd", "loss", "seconds")


@dataclass(frozen=True)
class FlowIntegration(Integration):
    """Result of an integration with a flow, also while it is trained.

    Before the first points of the result, estimate and error are those of the training's batches.

    Attributes
    ----------
    loss
        Loss of the last gradient step.
    """

    loss: float = math.nan


class FlowTraining:
    """An integration with a flow, between any two of its batches.

    Parameters
    ----------
    settings
        Its parameters.
    learner
        A flow with fresh weights.
    integrand
        What to integrate.
    calls
        Integrand calls in all.
    seed
        Seed of all random numbers but those of the fresh weights.

    Raises
    ------
    ValueError
        If there are too few calls.
    """

    def __init__(
        self, settings: FlowSettings, learner: Learner, integrand: Integrand, calls: int, seed: int
    ) -> None:
        self._settings = settings
        self._integrand = integrand
        self._seed = seed
        self._schedule = schedule(settings, calls)
        self._steps = settings.steps * sum(stage == TRAINING for stage, _ in self._schedule)
        self._history: list[list[float]] = []
        self._window: list[dict[str, NDArray[np.float64]]] = []
        self._evaluating = 0.0
        grid = uniform_grid(integrand.dim, settings.grid_bins if settings.grid_share else 1)
        self.proposal = Proposal(learner, grid, settings.uniform_share)

    def run(
        self,
        progress: Progress | None = None,
        checkpoint: Checkpoint | None = None,
        log: Path | None = None,
    ) -> FlowIntegration:
        """Go on to the end.

        Parameters
        ----------
        progress
            Called after each batch.
        checkpoint
            Where the state is kept every few seconds and at the end; taken up if it is there.
        log
            File of the log.

        Returns
        -------
        FlowIntegration

        Raises
        ------
        ValueError
            If the integrand is not finite somewhere, or the checkpoint belongs to another
            integration.
        """
        if checkpoint is not None and checkpoint.exists():
            self._restore(checkpoint)
        lines = TrainingLog(log, len(self._history)) if log is not None else None
        before = self._history[-1][-1] if self._history else 0.0
        begun = written = time.perf_counter()
        for number in range(len(self._history), len(self._schedule)):
            stage, calls = self._schedule[number]
            random = np.random.Generator(np.random.PCG64([self._seed, number]))
            loss = math.nan
            if stage == GRID:
                weights = self.proposal.grid.learn(
                    self._values, calls, self._settings.grid_alpha, random
                )
            elif stage == TRAINING:
                weights, loss = self._train(calls, random)
            else:
                drawn = self.proposal.draw(random, calls)
                weights = self._values(drawn.points) / drawn.density
            now = time.perf_counter()
            self._record(stage, weights, loss, before + now - begun)
            last = number + 1 == len(self._schedule)
            if checkpoint is not None and (last or now - written > _CHECKPOINT_SECONDS):
                self._checkpoint(checkpoint)
                written = now
            if lines is not None:
                row = dict(zip(_COLUMNS, self._history[-1], strict=True))
                done = sum(calls for _, calls in self._schedule[: number + 1])
                lines.write(**{**row, "stage": STAGES[stage], "calls": done})
            if progress is not None:
                progress(self.integration())
        return self.integration()

    def integration(self) -> FlowIntegration:
        """Give the result so far."""
        rows = self._rows()
        counted = rows[-1].counted
        trained = [(row.calls, row.estimate, row.error) for row in rows]
        estimate, error, _ = (
            (rows[-1].combined_estimate, rows[-1].combined_error, 0.0)
            if counted
            else combine(trained, "calls")
        )
        seconds = self._history[-1][-1]
        losses = [row[5] for row in self._history if row[0] == TRAINING]
        return FlowIntegration(
            estimate=estimate,
            error=error,
            calls=sum(row.calls for row in rows),
            seconds=seconds,
            overhead_seconds=max(0.0, seconds - self._evaluating),
            iterations=tuple(rows),
            loss=losses[-1] if losses else math.nan,
        )

    def _values(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        start = time.perf_counter()
        values = self._integrand(points)
        self._evaluating += time.perf_counter() - start
        finite = np.isfinite(values)
        if not finite.all():
            raise ValueError(
                f"integrand {self._integrand.name} is {values[~finite][0]} at the point "
                f"{points[~finite][0].tolist()}: it must be finite"
            )
        return values

    def _train(self, calls: int, random: np.random.Generator) -> tuple[NDArray[np.float64], float]:
        """Evaluate a batch, then make gradient steps with it and those before it."""
        own = self._settings
        drawn = self.proposal.draw(random, calls)
        weights = self._values(drawn.points) / drawn.density
        # Points without weight have no gradient.
        size = np.abs(weights)
        kept = size > 0.0
        self._window.append(
            {
                "inner": drawn.inner[kept],
                "log_inner": drawn.log_inner[kept],
                "size": size[kept],
                "mean": np.array([size.mean()]),
            }
        )
        del self._window[: -own.window]
        together = {
            name: np.concatenate([batch[name] for batch in self._window])
            for name in self._window[0]
        }
        points, mean = together["inner"], together["mean"].mean()
        loss = math.nan
        if not len(points):
            return weights, loss
        done = own.steps * sum(row[0] == TRAINING for row in self._history)
        for step in range(done, done + own.steps):
            number = min(own.batch, len(points))
            chosen = random.choice(len(points), number, replace=False)
            fall = 0.5 * (1.0 + math.cos(math.pi * step / self._steps))
            loss = self.proposal.learner.step(
                points[chosen],
                together["size"][chosen] / mean,
                together["log_inner"][chosen],
                own.final_learning_rate + fall * (own.learning_rate - own.final_learning_rate),
            )
        return weights, loss

    def _record(
        self, stage: int, weights: NDArray[np.float64], loss: float, seconds: float
    ) -> None:
        n = len(weights)
        size = np.abs(weights)
        rsd = size.std() / size.mean() if size.any() else math.nan
        error = weights.std(ddof=1) / math.sqrt(n)
        self._history.append([stage, n, weights.mean(), error, rsd, loss, seconds])

    def _rows(self) -> list[Iteration]:
        """Build the table: batches of the training in groups, everything else as it is."""
        batches = sum(stage == TRAINING for stage, _ in self._schedule)
        group = -(-batches // _ROWS)
        rows: list[Iteration] = []
        pending: list[tuple[int, float, float]] = []
        for number, (stage, calls, estimate, error, *_) in enumerate(self._history):
            pending.append((int(calls), estimate, error))
            following = number + 1 < len(self._history) and self._history[number + 1][0]
            if stage == TRAINING and len(pending) < group and following == TRAINING:
                continue
            alone = combine(pending, "calls")
            known = [(row.calls, row.estimate, row.error) for row in rows if row.counted]
            points = sum(calls for calls, _, _ in pending)
            counted = stage == RESULT
            if counted:
                known.append((points, *alone[:2]))
            combined = combine(known, "calls") if counted else (math.nan, math.nan, 0.0)
            rows.append(Iteration(points, *alone[:2], counted, *combined))
            pending = []
        return rows

    def _checkpoint(self, checkpoint: Checkpoint) -> None:
        state: dict[str, NDArray[Any]] = {
            "edges": self.proposal.grid.edges,
            "history": np.array(self._history),
        }
        for name, array in self.proposal.learner.as_arrays().items():
            state[f"learner_{name}"] = array
        for i, batch in enumerate(self._window):
            state |= {f"window_{i}_{name}": array for name, array in batch.items()}
        checkpoint.write(state, self._rows(), self._history[-1][-1], self._evaluating)

    def _restore(self, checkpoint: Checkpoint) -> None:
        state, _, _, self._evaluating = checkpoint.read()
        self._history = state["history"].tolist()
        self.proposal.grid = Grid(state["edges"])
        prefix = "learner_"
        self.proposal.learner.restore(
            {
                name.removeprefix(prefix): array
                for name, array in state.items()
                if name.startswith(prefix)
            }
        )
        names = ("inner", "log_inner", "size", "mean")
        self._window = [
            {name: state[f"window_{i}_{name}"] for name in names}
            for i in range(self._settings.window)
            if f"window_{i}_mean" in state
        ]


def schedule(settings: FlowSettings, calls: int) -> list[tuple[int, int]]:
    """Share the calls out.

    Parameters
    ----------
    settings
        The parameters.
    calls
        Their sum.

    Returns
    -------
    list of (int, int)
        Stage and calls of every batch; training batches all have ``settings.batch`` calls.

    Raises
    ------
    ValueError
        If there are too few calls for a training batch and a result.
    """
    training = int(calls * settings.training_share)
    grid = int(training * settings.grid_share)
    batches = (training - grid) // settings.batch
    result = calls - grid - batches * settings.batch
    if not batches or result < 2 * _ROWS or (settings.grid_share and grid < _least_grid(settings)):
        least = _least_calls(settings)
        raise ValueError(
            f"flow: calls = {calls} are too few, at least {least} are needed with batch = "
            f"{settings.batch}, training_share = {settings.training_share:g} and grid_share = "
            f"{settings.grid_share:g}"
        )
    out = []
    if settings.grid_share:
        out += [(GRID, n) for n in _even(grid, settings.grid_iterations)]
    out += [(TRAINING, settings.batch)] * batches
    parts = max(_ROWS, -(-result // _MAX_RESULT))
    return out + [(RESULT, n) for n in _even(result, parts)]


def _least_grid(settings: FlowSettings) -> int:
    return 2 * settings.grid_iterations


def _least_calls(settings: FlowSettings) -> int:
    least = settings.batch / (1.0 - settings.grid_share)
    if settings.grid_share:
        least = max(least, _least_grid(settings) / settings.grid_share)
    least = max(least / settings.training_share, 2 * _ROWS / (1.0 - settings.training_share))
    return math.ceil(least) + 2


def _even(total: int, parts: int) -> list[int]:
    cuts: list[int] = np.diff(np.linspace(0, total, parts + 1).astype(np.int64)).tolist()
    return cuts
