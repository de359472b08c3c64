"""The original stack, keras-rl2, as the historical baseline (arXiv:1903.09644).

Importing this package is light and changes nothing: keras-rl2 and Keras 2 run in a process of
their own, which `train_keras_rl` starts and from which only files come back.
"""

from __future__ import annotations

from .settings import keras_rl_settings
from .training import train_keras_rl

__all__ = ["keras_rl_settings", "train_keras_rl"]
