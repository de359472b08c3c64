"""Translators between domains of jets: controls, and CycleGAN."""

from __future__ import annotations

from .controls import IdentityMap, NoiseFloor, QuantileMap
from .translator import Images, Translator

__all__ = ["CONTROLS", "IdentityMap", "Images", "NoiseFloor", "QuantileMap", "Translator"]

CONTROLS: dict[str, type[Translator]] = {
    control.name: control for control in (IdentityMap, QuantileMap, NoiseFloor)
}
"""Translators that need no training, by name."""
