"""Figures of a groomed sample: mass spectra, and Lund planes before and after."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...datasets.jets.lund import primary_points
from ...datasets.jets.trees import ClusteringTrees, mass
from ..scores.jet_grooming import GroomingScore, groomed_masses
from ..submission import Submission, evaluate
from ..tasks import load_test_data, task
from .style import BACKGROUND, PLAIN, SIGNAL, hep_figure, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LUND_JETS = 2000
"""Jets that are clustered again for the Lund plane of groomers that only say what survives."""

_LUND_X = np.linspace(0, 7, 36)
_LUND_Y = np.linspace(-4, 7, 45)


def save_figures(
    submission: Submission,
    folder: Path,
    data: Mapping[str, ClusteringTrees] | None = None,
    suffix: str = "png",
) -> list[Path]:
    """Draw all figures of a submission.

    Parameters
    ----------
    submission
        The submission, as read from its folder.
    folder
        Where the figures go.
    data
        Role to jets; the task's test data if not given.
    suffix
        File format: png, pdf or svg.

    Returns
    -------
    list of pathlib.Path
        The files.
    """
    data = load_test_data(task(submission.manifest.task)) if data is None else data
    return [
        save_mass_spectra(submission, folder / f"mass-spectra.{suffix}", data),
        *(
            save_lund_planes(submission, role, folder / f"lund-planes-{role}.{suffix}", data)
            for role in data
        ),
    ]


def save_mass_spectra(
    submission: Submission, file: Path, data: Mapping[str, ClusteringTrees] | None = None
) -> Path:
    """Draw the groomed mass spectra of a submission; arguments as for `save_figures`."""
    manifest = submission.manifest
    own = task(manifest.task)
    data = load_test_data(own) if data is None else data
    score = evaluate(submission, data)
    assert isinstance(score, GroomingScore)
    signal, background = (
        Spectra(
            _process(own.datasets[role]),
            mass(data[role].jet_momenta),
            groomed_masses(manifest.predictions.kind, submission.predictions[role], data[role]),
        )
        for role in ("signal", "background")
    )
    return draw_mass_spectra(
        signal,
        background,
        (score.w_min.value, score.w_max.value),
        f"{manifest.task}, {manifest.label}: L = {score.loss} GeV",
        file,
    )


def save_lund_planes(
    submission: Submission,
    role: str,
    file: Path,
    data: Mapping[str, ClusteringTrees] | None = None,
) -> Path:
    """Draw the Lund planes of a submission's signal or background before and after grooming."""
    manifest = submission.manifest
    own = task(manifest.task)
    trees = (load_test_data(own) if data is None else data)[role]
    predictions = submission.predictions[role]
    if manifest.predictions.kind == "decisions":
        # The chain of harder branches is always walked to its end: what is left of it are the
        # nodes where both branches stay.
        before = primary_points(trees)
        after = before[~predictions[trees.primary]]
    else:
        kept = predictions[: trees.offsets[min(_LUND_JETS, len(trees))]]
        trees = trees.select(slice(0, _LUND_JETS))
        before = primary_points(trees)
        after = primary_points(_recluster(trees, kept))
    return draw_lund_planes(
        before,
        after,
        len(trees),
        f"{_process(own.datasets[role])} jets, {manifest.label}",
        file,
    )


def _recluster(trees: ClusteringTrees, kept: NDArray[np.bool_]) -> ClusteringTrees:
    """Trees of the surviving constituents."""
    from ...datasets.jets.clustering import cluster

    counts = np.add.reduceat(kept, trees.offsets[:-1])
    return cluster(np.concatenate([[0], np.cumsum(counts)]), trees.constituents[kept])


def _process(dataset_id: str) -> str:
    """Process in the name of a dataset: W, QCD or top."""
    return dataset_id.partition("/")[2].partition("-")[0]


@dataclass(frozen=True)
class Spectra:
    """Jet masses of one sample in GeV, float64 of shape (jets,), before and after grooming."""

    name: str
    plain: NDArray[np.float64]
    groomed: NDArray[np.float64]


def draw_mass_spectra(
    signal: Spectra,
    background: Spectra,
    window: tuple[float, float],
    title: str,
    file: Path,
    mass_max: float = 250.0,
) -> Path:
    """Draw the mass spectra of signal and background with the signal window shaded.

    Parameters
    ----------
    signal, background
        The masses.
    window
        Edges of the window in GeV that holds 60 % of the signal.
    title
        What did the grooming, and its score.
    file
        Where the figure goes.
    mass_max
        Right end of the mass axis in GeV.

    Returns
    -------
    pathlib.Path
        The file.
    """
    edges = np.linspace(0.0, mass_max, 101)
    with hep_figure(11, 4.8) as figure:
        figure.suptitle(title, fontsize=13, parse_math=False)
        panels = figure.subplots(1, 2)
        for axes, spectra, colour in zip(
            panels, (signal, background), (SIGNAL, BACKGROUND), strict=True
        ):
            _spectrum(axes, spectra.plain, edges, f"{spectra.name}, plain", PLAIN, filled=False)
            _spectrum(axes, spectra.groomed, edges, f"{spectra.name}, groomed", colour, filled=True)
            axes.axvspan(
                *window,
                color=SIGNAL,
                alpha=0.18,
                lw=0,
                label=f"window {window[0]:.1f} to {window[1]:.1f} GeV",
            )
            axes.set(xlim=(0, mass_max), xlabel="jet mass [GeV]", ylabel="share of jets per GeV")
            axes.margins(y=0.3)
            axes.legend(loc="upper right")
        return save(figure, file)


def _spectrum(
    axes: Axes,
    masses: NDArray[np.float64],
    edges: NDArray[np.float64],
    label: str,
    colour: str,
    *,
    filled: bool,
) -> None:
    import hist
    import mplhep

    histogram = hist.new.Var(edges).Double()
    histogram.fill(masses)
    mplhep.histplot(
        histogram.values() / len(masses) / np.diff(edges),
        edges,
        ax=axes,
        label=label,
        color=colour,
        histtype="fill" if filled else "step",
        alpha=0.6 if filled else 1.0,
    )


def draw_lund_planes(
    before: NDArray[np.float64],
    after: NDArray[np.float64],
    jets: int,
    title: str,
    file: Path,
) -> Path:
    """Draw the primary Lund plane before and after grooming.

    Parameters
    ----------
    before, after
        Primary splittings, shape (splittings, 2): ln 1/Delta and ln kt/GeV.
    jets
        Number of jets they come from.
    title
        Which jets, groomed by what.
    file
        Where the figure goes.

    Returns
    -------
    pathlib.Path
        The file.
    """
    area = (_LUND_X[1] - _LUND_X[0]) * (_LUND_Y[1] - _LUND_Y[0])
    densities = [
        np.histogram2d(points[:, 0], points[:, 1], [_LUND_X, _LUND_Y])[0] / jets / area
        for points in (before, after)
    ]
    with hep_figure(11, 4.8) as figure:
        figure.suptitle(title, fontsize=13, parse_math=False)
        panels = figure.subplots(1, 2, sharey=True)
        for axes, density, name in zip(panels, densities, ("plain", "groomed"), strict=True):
            mesh = axes.pcolormesh(
                _LUND_X, _LUND_Y, density.T, vmin=0, vmax=densities[0].max(), cmap="viridis"
            )
            axes.set(
                xlabel=r"$\ln(1/\Delta)$",
                xlim=(_LUND_X[0], _LUND_X[-1]),
                ylim=(_LUND_Y[0], _LUND_Y[-1]),
            )
            axes.text(0.96, 0.93, name, color="white", ha="right", transform=axes.transAxes)
        panels[0].set(ylabel=r"$\ln(k_t/\mathrm{GeV})$")
        figure.colorbar(mesh, ax=panels, label="splittings per jet and unit area")
        return save(figure, file)
