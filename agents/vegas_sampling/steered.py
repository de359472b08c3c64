"""VEGAS steered by a policy of the game, on any integrand.

The policy sees what it sees in the game and decides the same things; the budget is that of the
integration. It was trained on other integrands, or on none.
"""

from __future__ import annotations

import hashlib
import math
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...datasets.integrands import Integrand
from ...envs.vegas_sampling import grid
from ...envs.vegas_sampling.actions import CELLS, physical
from ...envs.vegas_sampling.family import MAX_DIM
from ...envs.vegas_sampling.game import (
    BINS,
    distance,
    iteration_calls,
    new_episodes,
    note_refinement,
    observe_many,
    open_episode,
    reckon,
    widths_from_logits,
)
from ...envs.vegas_sampling.iteration import collect, draw
from ...envs.vegas_sampling.random import checked_seed
from ...envs.vegas_sampling.setup import FEWEST_CALLS, empty_observation
from ..parameters import Choice, parameter
from .adaptive import SAMPLING_STREAM
from .base import (
    Integration,
    Iteration,
    Progress,
    Sampler,
    checked_calls,
    checked_count,
    checked_points,
    combine,
)
from .policies import POLICIES, Policy, parse_policy

CHUNK = 1 << 16
"""Points that are thrown at once."""


class PolicyWord(Choice):
    """A word that `policies.parse_policy` understands."""

    def admits(self, value: Any) -> bool:
        """Whether a value is a word; whether it names a policy is found out when it is made."""
        return isinstance(value, str)


@dataclass(eq=False)
class Steered(Sampler):
    """VEGAS with 64 bins an axis whose iterations a policy of the game decides.

    Integrands with more than 8 axes are shown by the 8 on which the squared weights of the last
    iteration are least even; all axes are refined alike. Policies that make the whole grid
    (`VegasGrid-v0`) cannot play them.

    Attributes
    ----------
    policy
        A word for `policies.parse_policy`: ``"linear"``, ``"vegas:alpha=0.5"``, or the file of a
        trained policy.
    steering
        The policy itself, in place of a word.
    """

    policy: str = parameter("linear", PolicyWord((*POLICIES, "a file .json or .npz")))
    steering: Policy | None = None
    _edges: NDArray[np.float64] | None = field(default=None, init=False, repr=False)

    name = "policy"
    summary = "VEGAS steered by a policy of the game VegasSampling-v0 or VegasGrid-v0"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.steering is None:
            self.steering = parse_policy(self.policy)
        else:
            self.policy = str(self.steering)

    @property
    def fingerprint(self) -> str:
        """Hash of the file of a trained policy."""
        file = Path(self.policy)
        if file.suffix not in (".json", ".npz"):
            return ""
        return hashlib.sha256(file.read_bytes()).hexdigest()[:12]

    def integrate(
        self, integrand: Integrand, calls: int, seed: int = 0, *, progress: Progress | None = None
    ) -> Integration:
        """Integrate as the policy decides, see `Sampler.integrate`."""
        assert self.steering is not None
        calls, stream = checked_calls(integrand, calls, FEWEST_CALLS), checked_seed(seed)
        whole_grid = self.steering.environment == "VegasGrid-v0"
        if whole_grid and integrand.dim > MAX_DIM:
            raise ValueError(
                f"policy {self.policy} makes grids of at most {MAX_DIM} axes, but "
                f"{integrand.name} has {integrand.dim}"
            )
        start, evaluating = time.perf_counter(), 0.0
        edges = grid.uniform_edges(integrand.dim, BINS)
        histogram = np.zeros((integrand.dim, BINS))
        shown = np.arange(min(integrand.dim, MAX_DIM))
        game = new_episodes(1)
        game.parameters[0, 1] = len(shown)
        open_episode(game, 0, calls)
        rows: list[Iteration] = []
        self.steering.begin()
        while game.left[0]:
            observation = empty_observation(1)
            observe_many(game, *observation.values())
            shape = (1, CELLS + 2 if whole_grid else 3)
            action = physical(self.steering.act(observation), shape)[0]
            before = edges.copy()
            if whole_grid:
                widths_from_logits(action[:CELLS].reshape(MAX_DIM, BINS), edges)
            elif rows:
                grid.refine(edges, histogram, action[0])
            damping = 0.0 if whole_grid else action[0]
            note_refinement(game, 0, damping, distance(before, edges))
            number = int(iteration_calls(game.left[0], calls, action[-2]))
            sums, histogram, spent = self._throw(integrand, edges, number, stream, len(rows))
            evaluating += spent
            total, squares, largest = sums
            if not (math.isfinite(total) and math.isfinite(squares)):
                raise ValueError(
                    f"integrand {integrand.name} is not finite at some of its points, or its square"
                    f" overflows, in iteration {len(rows) + 1}"
                )
            # The game knows positive integrals only: the policy sees the size.
            reckon(game, 0, calls, number, abs(total), squares, largest, action[-1] >= 0.0)
            uneven = np.argsort(-(histogram**2).sum(axis=1), kind="stable")
            shown = np.sort(uneven[: len(shown)])
            game.edges[0, : len(shown)] = edges[shown]
            game.weights[0, : len(shown)] = histogram[shown]
            rows.append(self._row(rows, number, total, squares, bool(game.statistics[0, 5])))
            if progress is not None:
                progress(_integration(rows, time.perf_counter() - start, 0.0))
        self._edges = edges
        seconds = time.perf_counter() - start
        return _integration(rows, seconds, max(0.0, seconds - evaluating))

    def _row(
        self, rows: list[Iteration], calls: int, total: float, squares: float, counted: bool
    ) -> Iteration:
        estimate = total / calls
        error = math.sqrt(max(squares / calls - estimate**2, 0.0) / (calls - 1))
        known = [(row.calls, row.estimate, row.error) for row in rows if row.counted]
        known += [(calls, estimate, error)] if counted else []
        return Iteration(calls, estimate, error, counted, *combine(known, "error"))

    def _throw(
        self,
        integrand: Integrand,
        edges: NDArray[np.float64],
        calls: int,
        seed: np.uint64,
        iteration: int,
    ) -> tuple[tuple[float, float, float], NDArray[np.float64], float]:
        """Do an iteration: sum of weights, of squares, largest weight; histogram; seconds."""
        dim = len(edges)
        histogram = np.zeros((dim, BINS))
        total = squares = largest = spent = 0.0
        for chunk in range(-(-calls // CHUNK)):
            n = min(CHUNK, calls - chunk * CHUNK)
            points, jacobian = np.empty((n, dim)), np.empty(n)
            bins = np.empty(n * dim, np.int32)
            draw(edges, seed, np.uint64((iteration << 32) + chunk), points, jacobian, bins)
            start = time.perf_counter()
            values = np.array(integrand(points))
            spent += time.perf_counter() - start
            largest = max(largest, float(np.abs(values * jacobian).max()))
            sums = collect(values, jacobian, bins, histogram)
            total, squares = total + sums[0], squares + sums[1]
        return (total, squares, largest), histogram, spent

    def _trained(self) -> NDArray[np.float64]:
        if self._edges is None:
            raise ValueError(f"{self.name} has not integrated anything yet: call integrate first")
        return self._edges

    @property
    def grid_edges(self) -> NDArray[np.float64]:
        """Edges of the grid of the last iteration, float64, shape (dim, 65)."""
        return self._trained()

    def sample(self, n: int, seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Draw independent points from the last grid, see `Sampler.sample`."""
        edges = self._trained()
        n = checked_count("n", n, least=0)
        points, jacobian = np.empty((n, len(edges))), np.empty(n)
        bins = np.empty(n * len(edges), np.int32)
        draw(edges, checked_seed(seed), np.uint64(SAMPLING_STREAM), points, jacobian, bins)
        return points, self.density(points)

    def density(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Give the density of the last grid, see `Sampler.density`."""
        edges = self._trained()
        array = checked_points(points, len(edges))
        out = np.empty(len(array))
        grid.density(edges, array, out)
        return out


def _integration(rows: list[Iteration], seconds: float, overhead: float) -> Integration:
    return Integration(
        estimate=rows[-1].combined_estimate,
        error=rows[-1].combined_error,
        calls=sum(row.calls for row in rows),
        seconds=seconds,
        overhead_seconds=overhead,
        iterations=tuple(rows),
    )
