"""Integrals of the physics integrands, established in two ways each; see docs/integrands.md."""

from __future__ import annotations

from .integrand import Reference

_QUADRATURE = "quadrature; VEGAS+ and Pythia 8 agree, see docs/integrands.md"
_MAPS = "VEGAS+ on two maps of phase space, see docs/integrands.md"
_FLOWS = "normalizing flows and VEGAS+ on two maps of phase space, see docs/integrands.md"

REFERENCES: dict[str, Reference] = {
    "ee-mumu": Reference(0.4530712955431948, how="closed form"),
    "gg-tt": Reference(490.3196, 0.0031, _QUADRATURE),
    "qq-tt": Reference(85.6232, 0.0012, _QUADRATURE),
    "gg-gg": Reference(566800.6, 3.0, _QUADRATURE),
    "ee-qqg": Reference(27.940636884691543, how="closed form but for one quadrature"),
    "single-top": Reference(192.8373, 0.0026, _QUADRATURE),
    "vbf-h": Reference(2.6618, 0.0005, _MAPS),
    "gg-ggg": Reference(228830.0, 100.0, _MAPS),
    "h-4l": Reference(2.3921653e-07, 1e-13, "quadrature over the masses of the two Z"),
    "h-4l-mapped": Reference(2.3921653e-07, 1e-13, "quadrature over the masses of the two Z"),
    "gg-ttg": Reference(45.17, 0.015, _MAPS),
    "gg-ttg-helicity": Reference(45.17, 0.015, _MAPS),
    "gg-gggg-mhv": Reference(21215.0, 20.0, _MAPS),
    "gg-ttgg": Reference(55.76, 0.07, _FLOWS),
    "gg-gggg": Reference(32945.0, 40.0, _FLOWS),
}
"""Values of the integrals; ``python benchmarks/integrands.py NAME`` computes them again."""
