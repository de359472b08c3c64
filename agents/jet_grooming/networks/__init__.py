"""What all groomers that learn have in common: network, training, files, log, validation.

Importing this package is light; TensorFlow is loaded by the functions that need it.
"""

from __future__ import annotations

from .groomer import TrainedGroomer
from .onnx_export import export_onnx
from .reference import reference_models
from .samples import Samples, load_samples
from .training import Training, train

__all__ = [
    "Samples",
    "TrainedGroomer",
    "Training",
    "export_onnx",
    "load_samples",
    "reference_models",
    "train",
]
