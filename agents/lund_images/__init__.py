"""Generators of Lund images: controls, and networks to train."""

from __future__ import annotations

from .controls import GaussianCopula, IndependentPixels, NoiseFloor
from .generator import Images, LundGenerator

__all__ = [
    "CONTROLS",
    "GaussianCopula",
    "Images",
    "IndependentPixels",
    "LundGenerator",
    "NoiseFloor",
]

CONTROLS: dict[str, type[LundGenerator]] = {
    control.name: control for control in (IndependentPixels, GaussianCopula, NoiseFloor)
}
"""Generators that need no training, by name."""
