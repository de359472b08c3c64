"""Functions on the unit hypercube with known integrals: analytic ones and matrix elements."""

from __future__ import annotations

from .integrand import Integrand, Reference
from .registry import integrand, names, register

__all__ = ["Integrand", "Reference", "integrand", "names", "register"]
