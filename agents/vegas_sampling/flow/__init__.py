"""Normalizing flow as a sampler (i-flow, arXiv:2001.05486; MadNIS, arXiv:2212.06172).

Importing this package is light; TensorFlow is loaded by the functions that need it.
"""

from __future__ import annotations

from .log import draw_log, read_log
from .sampler import FlowSampler
from .settings import FlowSettings

__all__ = ["FlowSampler", "FlowSettings", "draw_log", "read_log"]
