"""Reference agents of the fits of parton distributions: n3fit, genetic algorithm, CMA-ES.

Importing this package is light; TensorFlow is loaded by the functions that need it.
"""

from __future__ import annotations

from .fitting import fit
from .plan import AGENTS, FitPlan, fit_plan
from .results import FitFolder, FittedReplica
from .running import FitOutcome, run

__all__ = [
    "AGENTS",
    "FitFolder",
    "FitOutcome",
    "FitPlan",
    "FittedReplica",
    "fit",
    "fit_plan",
    "run",
]
