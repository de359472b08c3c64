"""Fit, look, export: what one command does."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...datasets.parton_distributions.export import export_lhapdf
from . import figures
from .fitting import fit
from .plan import fit_plan
from .results import FittedReplica, distributions, surviving

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, eq=False)
class FitOutcome:
    """What came of a run.

    Attributes
    ----------
    replicas
        All that were fitted.
    kept
        x f at Q0 of those that pass all vetoes, float64, shape (kept, 9, grid).
    chi2
        chi2 per point of the mean prediction of those, experimental covariance.
    chi2_t0
        The same with the covariance of the fit.
    table
        Set to number of points and chi2 per point.
    figures
        The files.
    lhapdf
        Folder of the LHAPDF set, if one was written.
    """

    replicas: list[FittedReplica]
    kept: NDArray[np.float64]
    chi2: float
    chi2_t0: float
    table: dict[str, tuple[int, float]]
    figures: list[Path]
    lhapdf: Path | None

    def lines(self) -> list[str]:
        """Tell the result in a few lines."""
        seconds = sum(replica.seconds for replica in self.replicas)
        return [
            f"{len(self.replicas)} replicas fitted, {len(self.kept)} pass all vetoes",
            f"chi2 per point of their mean: {self.chi2:.3f} experimental, {self.chi2_t0:.3f} t0",
            f"{seconds:.0f} s of fitting",
            *(f"{name}: {n} points, chi2 {chi2:.2f}" for name, (n, chi2) in self.table.items()),
        ]


def run(
    folder: str | os.PathLike[str],
    agent: str = "n3fit",
    replicas: int = 10,
    settings: Mapping[str, Any] | None = None,
    *,
    workers: int = 1,
    scheduler: str | None = None,
    lhapdf: str | None = None,
    progress: Progress | None = None,
    **arguments: Any,
) -> FitOutcome:
    """Fit replicas, draw the distributions, and export them as an LHAPDF set if asked.

    Parameters
    ----------
    folder
        Where everything goes; replicas that are there already are not fitted again.
    agent, settings
        See `fit_plan`.
    replicas
        How many.
    workers, scheduler, progress
        As for `fit`.
    lhapdf
        Name of the LHAPDF set, written into the folder, in place of what an earlier call wrote
        there; None writes none.
    **arguments
        Further attributes of `FitPlan`, such as ``data`` and ``seed``.

    Returns
    -------
    FitOutcome

    Raises
    ------
    ValueError
        If an argument is unknown or out of range, or no replica passes the vetoes.
    """
    if lhapdf is not None and not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", lhapdf):
        raise ValueError(f"{lhapdf!r} is no name for an LHAPDF set: use letters, digits, - and _")
    plan = fit_plan(agent, settings, **arguments)
    found = fit(plan, folder, replicas, workers=workers, scheduler=scheduler, progress=progress)
    good = surviving(found)
    if not good:
        raise ValueError(
            f"none of the {len(found)} replicas passes the vetoes: give the fit more epochs or "
            f"generations, or look at {Path(folder) / 'replicas'}"
        )
    f = distributions(good)
    problem = plan.problem()
    dis = problem.dis
    residual = dis.predict(f).mean(axis=0) - dis.central
    chi2, chi2_t0 = (
        float(np.square(errors.whitened(residual[:, None])).sum() / len(dis))
        for errors in (problem.experimental, problem.data.errors)
    )
    drawn = Path(folder) / "figures"
    pictures = [
        figures.save_bands(
            drawn / "distributions.png", {agent: f}, dis.x_grid, reference=problem.reference
        ),
        figures.save_partons(drawn / "partons_100GeV.png", {agent: f}),
        figures.save_chi2(drawn / "chi2.png", dis, {agent: f}),
        figures.save_data_theory(drawn / "data_theory.png", dis, f, agent),
        figures.save_replicas(
            drawn / "replicas.png", dis.x_grid, f, [one.experimental for one in good]
        ),
    ]
    written = None
    if lhapdf is not None:
        written = _export(Path(folder), lhapdf, f, f"hepgym {agent} fit")
    table = figures.chi2_table(dis, f)
    return FitOutcome(found, f, chi2, chi2_t0, table, pictures, written)


def _export(folder: Path, name: str, f: NDArray[np.float64], description: str) -> Path:
    """Write an LHAPDF set in place of one of the same name from an earlier call."""
    old = folder / name
    if not (old / f"{name}.info").is_file():
        return export_lhapdf(folder, name, f, description=description)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        new = export_lhapdf(scratch, name, f, description=description)
        shutil.rmtree(old)
        new.rename(old)
    return old
