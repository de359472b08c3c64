"""The list of environments that `gymnasium.make` knows once hepgym is imported."""

from __future__ import annotations

from typing import Any

import gymnasium

_JET_GROOMING = {
    "entry_point": "hepgym.envs.jet_grooming.env:JetGroomingEnv",
    "vector_entry_point": "hepgym.envs.jet_grooming.vector_env:JetGroomingVectorEnv",
}

JET_GROOMING: dict[str, dict[str, Any]] = {
    "JetGrooming-v0": _JET_GROOMING,
    "JetGroomingTop-v0": _JET_GROOMING
    | {
        "kwargs": {
            "signal": "jets/top-500GeV-v1",
            "reward": {"mass_target": 173.2, "background_weight": 1.0},
            "p_bkg": 0.2,
        }
    },
}

VEGAS_SAMPLING: dict[str, dict[str, Any]] = {
    "VegasSampling-v0": {
        "entry_point": "hepgym.envs.vegas_sampling.env:VegasSamplingEnv",
        "vector_entry_point": "hepgym.envs.vegas_sampling.vector_env:VegasSamplingVectorEnv",
    },
    "VegasGrid-v0": {
        "entry_point": "hepgym.envs.vegas_sampling.grid_env:VegasGridEnv",
        "vector_entry_point": "hepgym.envs.vegas_sampling.grid_env:VegasGridVectorEnv",
    },
}

PDF_FIT: dict[str, dict[str, Any]] = {
    "PDFFit-v0": {
        "entry_point": "hepgym.envs.pdf_fit.env:PDFFitEnv",
        "vector_entry_point": "hepgym.envs.pdf_fit.vector_env:PDFFitVectorEnv",
    },
    "PDFFitHyper-v0": {
        "entry_point": "hepgym.envs.pdf_fit.hyper_env:PDFFitHyperEnv",
        "vector_entry_point": "hepgym.envs.pdf_fit.hyper_env:PDFFitHyperVectorEnv",
    },
}

ENVIRONMENTS: dict[str, dict[str, Any]] = JET_GROOMING | VEGAS_SAMPLING | PDF_FIT
"""Every environment: its id and what `gymnasium.register` takes."""


def register_environments() -> None:
    """Register every environment of `ENVIRONMENTS` with Gymnasium."""
    for name, arguments in ENVIRONMENTS.items():
        gymnasium.register(id=name, **arguments)
