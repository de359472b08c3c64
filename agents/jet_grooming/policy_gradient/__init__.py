"""Policy gradient on the final mass, with the exact effect of every decision.

Importing this package is light; TensorFlow is loaded by the functions that need it.
"""

from __future__ import annotations

from .groomer import PolicyGradientGroomer
from .settings import PolicyGradientSettings, reference_settings
from .training import train

__all__ = [
    "PolicyGradientGroomer",
    "PolicyGradientSettings",
    "reference_settings",
    "train",
]
