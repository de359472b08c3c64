"""VEGAS in TensorFlow: one compiled graph does an iteration's batches, on a CPU or a GPU.

The idea is VegasFlow's (arXiv:2002.12921). The squared weights are summed by bin with
``unsorted_segment_sum`` instead of a product with a one-hot matrix, which takes most of the time
there, and the graph is compiled by XLA, which fuses the rest.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...backend import tensorflow
from ...datasets.integrands import Integrand
from ...envs.vegas_sampling import grid
from ...envs.vegas_sampling.random import checked_seed
from ..parameters import Allowed, parameter
from .base import checked_count
from .pieces import Workplace
from .vegas import Vegas


@dataclass(eq=False)
class VegasTensorFlow(Vegas):
    """VEGAS as a TensorFlow graph.

    An integrand without a TensorFlow form is called from the graph through ``tf.numpy_function``:
    slower, and without XLA and gradients.

    Attributes
    ----------
    batch
        Points of one run of the graph: few fit a CPU's cache, many fill a GPU.
    """

    batch: int = parameter(
        16_384, Allowed("1 <= batch <= 2^24", lambda n: 1 <= n <= 2**24, whole=True)
    )
    _graphs: dict[Any, Callable[..., Any]] = field(default_factory=dict, init=False, repr=False)

    name = "vegas-tf"
    summary = "VEGAS as a compiled TensorFlow graph, on CPU or GPU"

    def _iterate(
        self,
        workplace: Workplace,
        integrand: Integrand,
        calls: int,
        seed: np.uint64,
        stream: np.uint64,
    ) -> tuple[float, float, float]:
        tf = tensorflow()

        if workplace.client is not None:
            raise ValueError("vegas-tf runs in one process: it takes no Dask client")
        edges = self._state["edges"]
        key = (integrand, len(edges))
        if key not in self._graphs:
            self._graphs.clear()
            self._graphs[key] = self._graph(integrand)
        graph = self._graphs[key]
        cuts = tf.constant(edges)
        total, square = 0.0, 0.0
        histogram = np.zeros((len(edges), self.bins))
        parts = []
        for number, start in enumerate(range(0, calls, self.batch)):
            numbers = [seed.astype(np.int64), (stream + np.uint64(number)).astype(np.int64)]
            parts.append(
                graph(cuts, tf.constant(numbers, tf.int64), min(self.batch, calls - start))
            )
        for part_total, part_square, part_histogram in parts:
            total += float(part_total)
            square += float(part_square)
            histogram += part_histogram.numpy()
        grid.refine(edges, histogram, self.alpha)
        mean = total / calls
        return mean, max(square / calls - mean * mean, 0.0) / (calls - 1), 0.0

    def _graph(self, integrand: Integrand) -> Callable[..., Any]:
        tf = tensorflow()

        dim, bins, batch = integrand.dim, self.bins, self.batch
        function = integrand.tensorflow or _through_numpy(integrand)

        @tf.function(  # type: ignore[untyped-decorator, unused-ignore]
            input_signature=[
                tf.TensorSpec((dim, bins + 1), tf.float64),
                tf.TensorSpec((2,), tf.int64),
                tf.TensorSpec((), tf.int32),
            ],
            jit_compile=integrand.tensorflow is not None,
        )
        def run(edges: Any, seed: Any, count: Any) -> Any:
            points, jacobian, places = _map(edges, seed, batch)
            weights = function(points) * jacobian
            # The last batch of an iteration is filled up with points that do not count.
            weights = tf.where(tf.range(batch) < count, weights, tf.zeros_like(weights))
            squares = weights * weights
            histogram = tf.math.unsorted_segment_sum(
                tf.reshape(tf.broadcast_to(squares[:, None], (batch, dim)), (-1,)),
                tf.reshape(places, (-1,)),
                dim * bins,
            )
            sums = tf.reduce_sum(weights), tf.reduce_sum(squares)
            return (*sums, tf.reshape(histogram, (dim, bins)))

        found: Callable[..., Any] = run
        return found

    def _evaluating(
        self, integrand: Integrand, calls: int, seed: int, workers: int, measured: float
    ) -> float:
        tf = tensorflow()

        points = tf.constant(self.sample(self.batch, seed)[0])
        function = integrand.tensorflow or _through_numpy(integrand)
        compiled = tf.function(function, jit_compile=integrand.tensorflow is not None)
        compiled(points)
        times = []
        for _ in range(3):
            start = time.perf_counter()
            compiled(points).numpy()
            times.append(time.perf_counter() - start)
        return calls * min(times) / self.batch

    def gradient(
        self,
        function: Callable[[Any], Any],
        variables: Sequence[Any],
        calls: int,
        seed: int = 0,
    ) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
        """Differentiate an integral with respect to parameters of its integrand.

        The points come from the grid as `integrate` has left it, which does not depend on the
        parameters: the derivative of the estimate is an unbiased estimate of the derivative.

        Parameters
        ----------
        function
            The integrand from a float64 tensor (n, dim) to (n,), using the variables.
        variables
            ``tf.Variable`` of float64.
        calls
            Evaluations, at least two batches; what does not fill a batch is left out.
        seed
            Same seed, same result.

        Returns
        -------
        list of (value, error)
            float64 arrays of the shape of each variable, the error from the spread of the batches.

        Raises
        ------
        ValueError
            If `integrate` has not been called, there are too few calls, or the function does not
            depend on a variable.
        """
        tf = tensorflow()

        edges = tf.constant(self._trained()["edges"])
        batch = self.batch
        batches = checked_count("calls", calls) // batch
        if batches < 2:
            raise ValueError(f"calls = {calls} do not fill two batches of {batch}")

        @tf.function(jit_compile=True)  # type: ignore[untyped-decorator, unused-ignore]
        def differentiate(numbers: Any) -> Any:
            points, jacobian, _ = _map(edges, numbers, batch)
            with tf.GradientTape() as tape:
                integral = tf.reduce_mean(function(points) * jacobian)
            return tape.gradient(integral, list(variables))

        start = int(checked_seed(seed).astype(np.int64))
        found = [
            differentiate(tf.constant([start, -1 - number], tf.int64)) for number in range(batches)
        ]
        if any(value is None for value in found[0]):
            raise ValueError("the function does not depend on one of the variables")
        columns = [np.array([row[v].numpy() for row in found]) for v in range(len(variables))]
        return [
            (np.asarray(c.mean(axis=0)), np.asarray(c.std(axis=0, ddof=1) / np.sqrt(batches)))
            for c in columns
        ]


def _map(edges: Any, seed: Any, count: int) -> tuple[Any, Any, Any]:
    """Points of the grid, their Jacobians, and the places of their bins in a flat histogram."""
    tf = tensorflow()

    dim, bins = edges.shape[0], edges.shape[1] - 1
    uniform = tf.random.stateless_uniform((count, dim), seed, dtype=tf.float64, alg="philox")
    scaled = uniform * bins
    bin_of = tf.cast(scaled, tf.int32)
    places = bin_of + tf.range(dim, dtype=tf.int32) * bins
    low = tf.gather(tf.reshape(edges[:, :-1], (-1,)), places)
    width = tf.gather(tf.reshape(edges[:, 1:] - edges[:, :-1], (-1,)), places)
    points = low + (scaled - tf.cast(bin_of, tf.float64)) * width
    return points, tf.reduce_prod(width * bins, axis=1), places


def _through_numpy(integrand: Integrand) -> Callable[[Any], Any]:
    tf = tensorflow()

    def evaluate(points: Any) -> Any:
        values = tf.numpy_function(integrand, [points], tf.float64)
        return tf.ensure_shape(values, (points.shape[0],))

    return evaluate
