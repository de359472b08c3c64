"""Deep Q-learning groomer: the reference agent of the grooming tasks (arXiv:1903.09644).

Importing this package is light; TensorFlow is loaded by the functions that need it.
"""

from __future__ import annotations

from ..networks import Samples, export_onnx, load_samples, reference_models
from .groomer import DQNGroomer
from .published import import_groomrl
from .settings import DQNSettings, published_settings
from .training import train
from .tuned import reference_settings

__all__ = [
    "DQNGroomer",
    "DQNSettings",
    "Samples",
    "export_onnx",
    "import_groomrl",
    "load_samples",
    "published_settings",
    "reference_models",
    "reference_settings",
    "train",
]
