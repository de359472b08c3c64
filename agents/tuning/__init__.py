"""Tuning the settings of any agent on the validation data of a task, with hyperopt and Dask."""

from __future__ import annotations

from .objectives import OBJECTIVES, Evaluation, Objective, groomer_loss
from .scan import Scan, tune
from .space import Space, example_spaces, read_space
from .trial import Trial

__all__ = [
    "OBJECTIVES",
    "Evaluation",
    "Objective",
    "Scan",
    "Space",
    "Trial",
    "example_spaces",
    "groomer_loss",
    "read_space",
    "tune",
]
