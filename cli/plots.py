"""Commands that draw the figures of a submission, one at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .app import plot_app
from .options import Folder, choice


@plot_app.command("masses")
def plot_masses(
    folder: Folder,
    output: Annotated[Path, typer.Option(help="png, pdf or svg.")] = Path("mass-spectra.png"),
) -> None:
    """Draw the groomed mass spectra of signal and background with the signal window."""
    from ..leaderboards.figures.jet_grooming import save_mass_spectra
    from ..leaderboards.submission import read_submission

    print(f"figure: {save_mass_spectra(read_submission(folder), output)}")


@plot_app.command("lund")
def plot_lund(
    folder: Folder,
    role: Annotated[str, typer.Option(help="signal or background.")] = "signal",
    output: Annotated[Path, typer.Option(help="png, pdf or svg.")] = Path("lund-planes.png"),
) -> None:
    """Draw the primary Lund plane before and after grooming."""
    from ..leaderboards.figures.jet_grooming import save_lund_planes
    from ..leaderboards.submission import read_submission

    choice("role", role, ("signal", "background"))
    print(f"figure: {save_lund_planes(read_submission(folder), role, output)}")
