"""What an integrand is: a function on the unit hypercube whose integral is known."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
from numba import types
from numpy.typing import ArrayLike, NDArray

BLOCK = 256
"""Largest number of points that a kernel is given at once: eight axes of them fit the L1 cache."""

KERNEL_SIGNATURE = types.void(types.float64[:, ::1], types.float64[::1])
KERNEL_TYPE = types.FunctionType(KERNEL_SIGNATURE)
"""Type of a kernel for compiled code that takes one as an argument."""

Function = Callable[[NDArray[np.float64]], ArrayLike]


@dataclass(frozen=True)
class Reference:
    """A known value of an integral.

    Attributes
    ----------
    value
        The integral over the unit hypercube, in the integrand's units.
    error
        Standard error of ``value``; 0 if it is exact.
    how
        How it was obtained.
    """

    value: float
    error: float = 0.0
    how: str = "closed form"


@dataclass(frozen=True, eq=False)
class Integrand:
    """A function on the unit hypercube, from NumPy, compiled code and, if given, TensorFlow.

    At least one of ``kernel`` and ``function`` is given.

    Attributes
    ----------
    name
        Unique name in lower case.
    dim
        Number of dimensions.
    reference
        Known value of the integral, or None.
    cost
        Declared time for one point on one core, in microseconds.
    description, source
        What it is and where it is defined (arXiv id).
    kernel
        None or a numba function ``kernel(points, values)`` that fills ``values``, float64 (n,),
        from ``points``, float64 of shape (dim, n), C-contiguous and component-major so that loops
        over points vectorise; n is at most `BLOCK`. It keeps no state and may run in many threads.
    function
        None or a Python function from points, float64 (n, dim), to n values.
    tensorflow
        None or a function from a float64 tensor (n, dim) to a tensor (n,), differentiable.
    builtin
        Whether the integrand can be made again from its name in another process.
    """

    name: str
    dim: int
    reference: Reference | None
    cost: float
    description: str = ""
    source: str = ""
    kernel: Any = None
    function: Function | None = None
    tensorflow: Callable[[Any], Any] | None = None
    builtin: bool = False

    def __post_init__(self) -> None:
        if self.kernel is None and self.function is None:
            raise ValueError(f"integrand {self.name}: neither a kernel nor a function is given")
        if self.dim < 1:
            raise ValueError(f"integrand {self.name}: dim = {self.dim} is less than 1")

    def __call__(self, points: ArrayLike) -> NDArray[np.float64]:
        """Evaluate the integrand.

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
            If the points have another shape or lie outside the unit hypercube, or a function of
            the user does not return one number for each.
        """
        array = np.ascontiguousarray(points, dtype=np.float64)
        if array.ndim != 2 or array.shape[1] != self.dim:
            raise ValueError(
                f"integrand {self.name} needs points of shape (n, {self.dim}), "
                f"but got shape {array.shape}"
            )
        inside = (array >= 0.0) & (array <= 1.0)
        if not inside.all():
            raise ValueError(
                f"integrand {self.name} got a coordinate {array[~inside][0]}: points must lie in "
                "[0, 1]"
            )
        if self.kernel is None:
            return self.evaluate(array)
        values = np.empty(len(array))
        _evaluate(self.kernel, array, values)
        return values

    def evaluate(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Call the Python function with points known to be good, and check its answer.

        Parameters
        ----------
        points
            float64, shape (n, dim).

        Returns
        -------
        numpy.ndarray
            float64, shape (n,).

        Raises
        ------
        ValueError
            If the function does not return n numbers.
        """
        assert self.function is not None
        try:
            values = np.asarray(self.function(points), dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise ValueError(f"integrand {self.name} failed: {error}") from error
        if values.shape != (len(points),):
            raise ValueError(
                f"integrand {self.name} returned shape {values.shape} for {len(points)} points: "
                f"it must return one number for each, shape ({len(points)},)"
            )
        return values

    def __reduce__(self) -> Any:
        """Pickle by name where that is enough, so that kernels need not travel."""
        if self.builtin:
            return _rebuild, (self.name,)
        return super().__reduce__()


def _rebuild(name: str) -> Integrand:
    # Imported by name: the registry knows this module, not the other way round.
    found: Integrand = importlib.import_module(".registry", __package__).integrand(name)
    return found


@numba.njit(types.void(KERNEL_TYPE, types.float64[:, ::1], types.float64[::1]), cache=True)
def _evaluate(kernel, points, values):  # type: ignore[no-untyped-def]
    dim = points.shape[1]
    buffer = np.empty(dim * BLOCK)
    for start in range(0, len(points), BLOCK):
        n = min(BLOCK, len(points) - start)
        block = buffer[: dim * n].reshape(dim, n)
        for i in range(n):
            for k in range(dim):
                block[k, i] = points[start + i, k]
        kernel(block, values[start : start + n])
