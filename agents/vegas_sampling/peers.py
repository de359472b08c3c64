"""Integrators of others behind the same interface: vegas, VegasFlow and madspace, if installed.

``pip install hepgym[sampling-peers]`` installs them. Their points are drawn and their densities
computed from the grids that they have learnt; the hypercubes of vegas are left out there.
"""

from __future__ import annotations

import functools
import importlib
import logging
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...backend import tensorflow
from ...datasets.integrands import Integrand
from ...envs.vegas_sampling import grid
from ...envs.vegas_sampling.random import checked_seed
from ..parameters import Allowed, Choice, parameter
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


@dataclass(eq=False)
class Peer(Sampler):
    """An integrator with a grid on each axis that another package provides."""

    iterations: int = parameter(10, Allowed("iterations >= 1", lambda n: n >= 1, whole=True))
    alpha: float = parameter(0.5, Allowed("0 <= alpha <= 10", lambda a: 0 <= a <= 10))
    _edges: list[NDArray[np.float64]] = field(default_factory=list, init=False, repr=False)

    package = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._import()

    def _import(self) -> Any:
        try:
            return importlib.import_module(self.package)
        except ImportError:
            raise ValueError(
                f"sampler {self.name} needs the package {self.package}: "
                "pip install hepgym[sampling-peers]"
            ) from None

    def _calls_each(self, integrand: Integrand, calls: int) -> int:
        each = checked_calls(integrand, calls) // self.iterations
        if each < 100:
            raise ValueError(
                f"{self.name}: calls = {calls} are too few for {self.iterations} iterations of at "
                "least 100"
            )
        return each

    def sample(self, n: int, seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Draw independent points from the grid, see `Sampler.sample`."""
        edges = self._trained()
        n = checked_count("n", n, least=0)
        uniform = np.random.default_rng(int(checked_seed(seed))).random((n, len(edges)))
        points = np.empty_like(uniform)
        for axis, cuts in enumerate(edges):
            points[:, axis] = np.interp(uniform[:, axis], np.linspace(0.0, 1.0, len(cuts)), cuts)
        return points, self.density(points)

    def density(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Give the density of the grid, see `Sampler.density`."""
        edges = self._trained()
        array = checked_points(points, len(edges))
        out = np.ones(len(array))
        for axis, cuts in enumerate(edges):
            bins = len(cuts) - 1
            place = np.searchsorted(cuts, array[:, axis], side="right") - 1
            out /= np.diff(cuts)[np.clip(place, 0, bins - 1)] * bins
        return out

    def _trained(self) -> list[NDArray[np.float64]]:
        if not self._edges:
            raise ValueError(f"{self.name} has not integrated anything yet: call integrate first")
        return self._edges


class _Timed:
    """An integrand that counts its calls and the time spent in them, and keeps its last error."""

    def __init__(self, integrand: Integrand) -> None:
        self.integrand = integrand
        self.calls = 0
        self.seconds = 0.0
        self.error: ValueError | None = None

    def __call__(self, points: Any) -> NDArray[np.float64]:
        start = time.perf_counter()
        try:
            values = self.integrand(np.asarray(points))
            if not np.isfinite(values).all():
                raise ValueError(f"integrand {self.integrand.name} is not finite at some points")
        except ValueError as error:
            self.error = error
            raise
        self.seconds += time.perf_counter() - start
        self.calls += len(values)
        return values


@dataclass(eq=False)
class Lepage(Peer):
    """G. P. Lepage's ``vegas``.

    It makes somewhat fewer calls than it is allowed to.

    Attributes
    ----------
    beta
        Damping of the adaptive stratified sampling, 0 for none.
    """

    beta: float = parameter(0.75, Allowed("0 <= beta <= 1", lambda b: 0 <= b <= 1))

    name = "lepage"
    summary = "vegas, G. P. Lepage's package"
    package = "vegas"

    def integrate(
        self, integrand: Integrand, calls: int, seed: int = 0, *, progress: Progress | None = None
    ) -> Integration:
        """Integrate with ``vegas.Integrator``, see `Sampler.integrate`."""
        each = self._calls_each(integrand, calls)
        vegas = self._import()
        numbers = np.random.default_rng(int(checked_seed(seed)))
        timed = _Timed(integrand)
        start = time.perf_counter()
        integrator = vegas.Integrator(
            [[0.0, 1.0]] * integrand.dim, ran_array_generator=numbers.random
        )
        result = integrator(
            vegas.lbatchintegrand(timed),
            nitn=self.iterations,
            neval=each,
            alpha=self.alpha,
            beta=self.beta,
        )
        seconds = time.perf_counter() - start
        self._edges = [np.array(cuts) for cuts in integrator.map.extract_grid()]
        per_iteration = timed.calls // len(result.itn_results)
        found = [(per_iteration, float(row.mean), float(row.sdev)) for row in result.itn_results]
        return _integration(found, timed.calls, seconds, seconds - timed.seconds, "error", progress)


@dataclass(eq=False)
class VegasFlow(Peer):
    """VegasFlow (arXiv:2002.12921), without stratification.

    An integrand without a TensorFlow form is called through ``tf.numpy_function``. The graph of an
    integrand is traced once for all seeds.
    """

    alpha: float = parameter(1.5, Allowed("alpha = 1.5", lambda a: a == 1.5))
    _traced: _Traced | None = field(default=None, init=False, repr=False)

    name = "vegasflow"
    summary = "VegasFlow, VEGAS in TensorFlow"
    package = "vegasflow"

    def _import(self) -> Any:
        found = super()._import()
        # It reports every iteration as a log message.
        logging.getLogger("vegasflow").setLevel(logging.ERROR)
        return found

    def integrate(
        self, integrand: Integrand, calls: int, seed: int = 0, *, progress: Progress | None = None
    ) -> Integration:
        """Integrate with ``vegasflow.VegasFlow``, see `Sampler.integrate`."""
        each = self._calls_each(integrand, calls)
        start_value = int(checked_seed(seed))
        self._import()
        if self._traced is None or self._traced.key != (integrand, each):
            self._traced = _Traced(integrand, each)
        traced = self._traced
        start = time.perf_counter()
        found = [(each, *row) for row in traced.run(self.iterations, start_value)]
        seconds = time.perf_counter() - start
        self._edges = list(traced.integrator.divisions.numpy())
        total = each * self.iterations
        evaluating = traced.timed.seconds
        if integrand.tensorflow is not None:
            evaluating = total * traced.evaluation_seconds(self.sample(10_000, start_value)[0])
        return _integration(found, total, seconds, seconds - evaluating, "error", progress)


class _Traced:
    """An integrator of VegasFlow whose graph serves one integrand for all seeds.

    Parameters
    ----------
    integrand
        The integrand.
    each
        Calls of an iteration.
    """

    def __init__(self, integrand: Integrand, each: int) -> None:
        tf = tensorflow()

        self.key = (integrand, each)
        self.timed = _Timed(integrand)

        def evaluate(xarr: Any, **_: Any) -> Any:
            if integrand.tensorflow is not None:
                return integrand.tensorflow(tf.ensure_shape(xarr, (None, integrand.dim)))
            return tf.reshape(tf.numpy_function(self.timed, [xarr], tf.float64), (-1,))

        self.integrator = _seedable_vegasflow()(integrand.dim, each, verbose=False)
        # The check of the signature would evaluate the integrand beyond the calls.
        self.integrator.compile(evaluate, check=False)
        self._alone = tf.function(evaluate)
        self._uniform = self.integrator.divisions.numpy()

    def run(self, iterations: int, seed: int) -> list[tuple[float, float]]:
        """Integrate from the uniform grid on: estimate and error of each iteration."""
        # The seed is the key: `reset_from_seed` takes it for the counter, and neighbouring seeds
        # have the same numbers, shifted.
        self.integrator.numbers.reset_from_key_counter(seed - 2**63, [0, 0])
        self.integrator.divisions.assign(self._uniform)
        self.integrator.history.clear()
        self.timed.seconds = 0.0
        try:
            self.integrator.run_integration(iterations, log_time=False)
        except tensorflow().errors.OpError:
            # TensorFlow wraps errors of the integrand into pages of text.
            if self.timed.error is None:
                raise
            raise self.timed.error from None
        return [(float(row[0]), float(row[1])) for row in self.integrator.history]

    def evaluation_seconds(self, points: NDArray[np.float64]) -> float:
        """Time of the integrand's graph for one point."""
        tensor = tensorflow().constant(points)
        self._alone(tensor)
        start = time.perf_counter()
        self._alone(tensor).numpy()
        return (time.perf_counter() - start) / len(points)


@functools.cache
def _seedable_vegasflow() -> Any:
    """VegasFlow with random numbers whose seed is no constant of the graph."""
    config = importlib.import_module("vegasflow.configflow")
    base: Any = importlib.import_module("vegasflow").VegasFlow

    class Seedable(base):  # type: ignore[misc]
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            # The same algorithm, Philox, as that of tf.random.uniform, which VegasFlow calls.
            self.numbers = tensorflow().random.Generator.from_seed(0, alg="philox")

        def _generate_random_array(self, n_events: int) -> Any:
            uniform = self.numbers.uniform(
                (n_events, self.n_dim), config.TECH_CUT, 1.0 - config.TECH_CUT, config.DTYPE
            )
            points, jacobian, bins = self._digest_random_generation(uniform)
            return points, jacobian * self.xjac, bins

    return Seedable


@dataclass(eq=False)
class MadSpace(Peer):
    """VEGAS from the map and the histogram of ``madspace`` (arXiv:2602.06895).

    The grid is refined by this package, since version 0.2.1 refuses its own histograms when its
    optimizer is called from Python.

    Attributes
    ----------
    bins
        Bins of the grid on each axis.
    combination
        As in `adaptive.AdaptiveSampler`.
    """

    alpha: float = parameter(1.5, Allowed("0 <= alpha <= 10", lambda a: 0 <= a <= 10))
    bins: int = parameter(128, Allowed("2 <= bins <= 4096", lambda n: 2 <= n <= 4096, whole=True))
    combination: str = parameter("error", Choice(("error", "calls")))

    name = "madspace"
    summary = "VEGAS from the map and histogram of madspace"
    package = "madspace"

    def integrate(
        self, integrand: Integrand, calls: int, seed: int = 0, *, progress: Progress | None = None
    ) -> Integration:
        """Integrate with ``madspace.VegasMapping``, see `Sampler.integrate`."""
        each = self._calls_each(integrand, calls)
        madspace = self._import()
        dim = integrand.dim
        numbers = np.random.default_rng(int(checked_seed(seed)))
        timed = _Timed(integrand)
        start = time.perf_counter()
        context = madspace.Context()
        mapping = madspace.VegasMapping(dim, self.bins, "hepgym")
        mapping.initialize_globals(context)
        histogram = madspace.VegasHistogram(dim, self.bins).function()
        edges = grid.uniform_edges(dim, self.bins)
        found = []
        for _ in range(self.iterations):
            forward = madspace.FunctionRuntime(mapping.forward_function(), context)
            uniform = numbers.random((each, dim))
            points, jacobian = forward(uniform)
            weights = timed(np.clip(points, 0.0, 1.0)) * jacobian
            found.append(
                (each, float(weights.mean()), float(weights.std(ddof=1)) / float(np.sqrt(each)))
            )
            # The histogram squares the weights itself.
            sums, _ = madspace.FunctionRuntime(histogram, context)(uniform, weights)
            grid.refine(edges, np.ascontiguousarray(sums[0], dtype=np.float64), self.alpha)
            _write_grid(context, mapping.grid_name(), edges)
        seconds = time.perf_counter() - start
        self._edges = list(edges)
        return _integration(
            found, timed.calls, seconds, seconds - timed.seconds, self.combination, progress
        )


def _write_grid(context: Any, name: str, edges: NDArray[np.float64]) -> None:
    """Replace a global of a context; files are the only way in from Python."""
    with tempfile.TemporaryDirectory() as folder:
        np.save(Path(folder, f"{name}.npy"), np.asfortranarray(edges[None]))
        context.delete_global(name)
        context.load_globals(folder)


def _integration(
    found: list[tuple[int, float, float]],
    calls: int,
    seconds: float,
    overhead: float,
    weighting: str,
    progress: Progress | None,
) -> Integration:
    """Put the table together; progress comes at the end, when a package gives it."""
    rows: list[Iteration] = []
    for number, (each, estimate, error) in enumerate(found, start=1):
        rows.append(Iteration(each, estimate, error, True, *combine(found[:number], weighting)))
    result = Integration(
        estimate=rows[-1].combined_estimate,
        error=rows[-1].combined_error,
        calls=calls,
        seconds=seconds,
        overhead_seconds=max(0.0, overhead),
        iterations=tuple(rows),
    )
    if progress is not None:
        progress(result)
    return result
