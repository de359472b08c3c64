"""Surrogates of event weights and two-stage unweighting (arXiv:2109.11964, arXiv:2301.13562).

Importing this package is light; TensorFlow is loaded by ``surrogate``, which needs it.
"""

from __future__ import annotations

from .closure import Closure, closure, observables
from .settings import SurrogateSettings
from .two_stage import Unweighted, maximum, unweight

__all__ = [
    "Closure",
    "SurrogateSettings",
    "Unweighted",
    "closure",
    "maximum",
    "observables",
    "unweight",
]
