"""Histograms of jets: groomed masses of an entry; mass, pT and multiplicity of a dataset."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ....datasets import load_trees, spec
from ....datasets.jets.trees import ClusteringTrees, mass
from ...scores.jet_grooming import groomed_masses, resampled_quantities
from ...submission import Submission
from ...tasks import Task
from .curves import Curves, Histogram

_MASS_EDGES = np.linspace(0.0, 250.0, 101)
_DIGITS = 6


def entry_curves(task: Task, submission: Submission, data: Mapping[str, ClusteringTrees]) -> Curves:
    """Groomed mass spectra of signal and background, and the resampled loss."""
    kind = submission.manifest.predictions.kind
    masses = {
        role: groomed_masses(kind, submission.predictions[role], trees)
        for role, trees in data.items()
    }
    histograms = []
    for role, dataset_id in task.datasets.items():
        process = dataset_id.partition("/")[2].partition("-")[0]
        histograms.append(
            Histogram(
                title=f"{process} jets ({role})",
                x="groomed jet mass [GeV]",
                y="share of jets per GeV",
                edges=_MASS_EDGES.tolist(),
                values=_density(masses[role], _MASS_EDGES),
                reference=_density(mass(data[role].jet_momenta), _MASS_EDGES),
                reference_name="plain",
            )
        )
    resampled = resampled_quantities(
        masses["signal"], masses["background"], task.parameters["mass_target"]
    )
    return Curves(
        histograms=histograms,
        resampled=np.round(resampled[task.primary], _DIGITS).tolist(),
    )


def dataset_curves(dataset_id: str) -> Curves:
    """Mass, transverse momentum and multiplicity of the jets of a bundled test split."""
    found = spec(dataset_id)
    trees = load_trees(dataset_id, split="test")
    momenta = trees.jet_momenta
    pt = np.hypot(momenta[:, 0], momenta[:, 1])
    low = found.settings.pt_min
    shown = (
        ("Jet mass", "jet mass [GeV]", "GeV", mass(momenta), _MASS_EDGES),
        ("Transverse momentum", "jet pT [GeV]", "GeV", pt, np.linspace(low, 2.5 * low, 61)),
        (
            "Multiplicity",
            "constituents",
            "constituent",
            np.diff(trees.offsets).astype(np.float64),
            np.arange(-0.5, 201.0, 4.0),
        ),
    )
    return Curves(
        histograms=[
            Histogram(
                title=title,
                x=x,
                y=f"share of jets per {unit}",
                edges=edges.tolist(),
                values=_density(values, edges),
            )
            for title, x, unit, values, edges in shown
        ]
    )


def _density(values: NDArray[np.float64], edges: NDArray[np.float64]) -> list[float]:
    counts = np.histogram(values, edges)[0]
    return np.round(counts / len(values) / np.diff(edges), 8).tolist()
