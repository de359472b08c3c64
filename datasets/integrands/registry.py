"""Integrands by name; each is built, and its code compiled, when it is first asked for."""

from __future__ import annotations

import dataclasses
import importlib
import math
import re
import threading
from collections.abc import Callable
from typing import Any

from .integrand import Function, Integrand, Reference

GENZ_DIMS = tuple(range(2, 17))

FAMILIES: dict[str, tuple[int, ...]] = {
    "gauss": GENZ_DIMS,
    "camel": GENZ_DIMS,
    "product-peak": GENZ_DIMS,
    "corner-peak": GENZ_DIMS,
    "discontinuous": GENZ_DIMS,
    "oscillatory": GENZ_DIMS,
    "polynomial": (18, 54, 96),
}
"""Families of analytic integrands and their dimensions: ``gauss-8d`` is one of the first."""

MODULES: dict[str, str] = {
    **{f"{family}-{dim}d": "analytic" for family, dims in FAMILIES.items() for dim in dims},
    "entangled-circles": "analytic",
    "annulus": "analytic",
    "ee-mumu": "leptonic",
    "gg-tt": "hadronic_two",
    "qq-tt": "hadronic_two",
    "gg-gg": "hadronic_two",
    "ee-qqg": "leptonic",
    "single-top": "hadronic_two",
    "vbf-h": "hadronic_three",
    "gg-ggg": "hadronic_three",
    "h-4l": "leptonic",
    "h-4l-mapped": "leptonic",
    "gg-ttg": "multiparton",
    "gg-ttg-helicity": "multiparton",
    "gg-ttgg": "multiparton",
    "gg-gggg-mhv": "multiparton",
    "gg-gggg": "multiparton",
}
"""Module of this package that has a function ``build(name)`` for each integrand."""

_built: dict[str, Integrand] = {}
_own: dict[str, Integrand] = {}
_lock = threading.Lock()


def names() -> list[str]:
    """Names of all integrands, the user's own last."""
    return [*MODULES, *_own]


def integrand(name: str) -> Integrand:
    """Give an integrand by its name.

    Parameters
    ----------
    name
        One of `names`, for example ``gauss-8d`` or ``gg-tt``.

    Returns
    -------
    Integrand

    Raises
    ------
    ValueError
        If there is no such integrand.
    """
    if name in _own:
        return _own[name]
    if name not in MODULES:
        raise ValueError(f"there is no integrand {name!r}; choose one of {_summary()}")
    with _lock:
        if name not in _built:
            module = importlib.import_module(f".{MODULES[name]}", __package__)
            _built[name] = dataclasses.replace(module.build(name), builtin=True)
        return _built[name]


def register(
    name: str,
    function: Function | None = None,
    *,
    dim: int,
    exact: float | None = None,
    error: float = 0.0,
    cost: float | None = None,
    description: str = "",
    kernel: Any = None,
    tensorflow: Callable[[Any], Any] | None = None,
) -> Integrand:
    """Add an integrand of one's own for this process; the same name again replaces it.

    Parameters
    ----------
    name
        Letters, digits, dots, underscores and hyphens; not the name of a shipped integrand.
    function
        Python function from points, float64 (n, dim) in the unit hypercube, to n values.
    dim
        Number of dimensions.
    exact, error
        The integral, if it is known, and its standard error (0 if exact).
    cost
        Time for one point in microseconds; 1 if not given.
    description
        What it is.
    kernel, tensorflow
        The same function for compiled code and for TensorFlow, see `Integrand`.

    Returns
    -------
    Integrand

    Raises
    ------
    ValueError
        If the name is taken or malformed, or neither function nor kernel is given.
    """
    if name in MODULES:
        raise ValueError(f"the name {name!r} belongs to a shipped integrand: choose another")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        raise ValueError(
            f"{name!r} cannot name an integrand: use letters, digits, dots, underscores, hyphens"
        )
    if exact is not None and not math.isfinite(exact):
        raise ValueError(f"integrand {name}: exact = {exact} is not finite")
    if not error >= 0.0:
        raise ValueError(f"integrand {name}: error = {error} is negative")
    reference = None if exact is None else Reference(float(exact), float(error), "given by user")
    _own[name] = Integrand(
        name,
        dim,
        reference,
        1.0 if cost is None else cost,
        description,
        "user",
        kernel=kernel,
        function=function,
        tensorflow=tensorflow,
    )
    return _own[name]


def _summary() -> str:
    """Names, with families of dimensions in short."""
    families = [
        f"{family}-{{d}}d (d from {dims[0]} to {dims[-1]})"
        if dims == tuple(range(dims[0], dims[-1] + 1))
        else f"{family}-{{d}}d (d = {', '.join(map(str, dims))})"
        for family, dims in FAMILIES.items()
    ]
    single = [name for name in names() if name.rpartition("-")[0] not in FAMILIES]
    return ", ".join([*families, *single])
