"""The field's plotting style, without touching the user's own settings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Colour-blind safe (Paul Tol's bright scheme).
SIGNAL = "#4477aa"
BACKGROUND = "#ee6677"
PLAIN = "#888888"


@contextmanager
def hep_figure(width: float, height: float) -> Iterator[Figure]:
    """Give an empty figure in mplhep's ATLAS style, drawn without a display.

    Parameters
    ----------
    width, height
        Size in inches.

    Yields
    ------
    matplotlib.figure.Figure
    """
    import matplotlib
    import mplhep
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with matplotlib.rc_context():
        matplotlib.rcParams.update(mplhep.style.ATLAS)
        matplotlib.rcParams.update(
            {"font.size": 13, "axes.labelsize": 15, "legend.fontsize": 12, "legend.frameon": False}
        )
        figure = Figure(figsize=(width, height), dpi=120, layout="constrained")
        FigureCanvasAgg(figure)
        yield figure


def save(figure: Figure, file: Path) -> Path:
    """Write a figure; the file's suffix decides the format.

    Returns
    -------
    pathlib.Path
        The file.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file)
    return file
