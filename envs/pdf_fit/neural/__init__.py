"""Fits of one neural network per replica by gradient descent, many replicas in one graph."""

from __future__ import annotations

from .settings import NeuralSettings

__all__ = ["NeuralSettings"]
