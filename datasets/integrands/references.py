"""Integrals of the physics integrands, established in two ways each; see docs/integrands.md."""

from __future__ import annotations

from .integrand import Reference

REFERENCES: dict[str, Reference] = {}
"""Values of the integrals; ``python benchmarks/integrands.py NAME`` computes them again."""
