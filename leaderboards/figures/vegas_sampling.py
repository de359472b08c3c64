"""Figures of integrators: the score on every integrand."""

from __future__ import annotations

import math
from pathlib import Path

from ...datasets.integrands.suite import Suite
from ..scores.vegas_sampling import BUDGETS, SamplingScore
from ..submission import Submission
from .style import BACKGROUND, PLAIN, SIGNAL, hep_figure, save

_COLOURS = dict(zip(BUDGETS, ("#88ccee", SIGNAL, "#332288"), strict=True))


def save_scores(submission: Submission, score: SamplingScore, file: Path, suite: Suite) -> Path:
    """Draw S of every integrand and budget beside that of plain Monte Carlo.

    Parameters
    ----------
    submission
        What was played, for the title.
    score
        Its score.
    file
        Where the figure goes.
    suite
        The integrands.

    Returns
    -------
    pathlib.Path
        The file.
    """
    names = [*score.samples]
    with hep_figure(9, 2 + 0.36 * len(names)) as figure:
        axes = figure.subplots()
        for row, name in enumerate(names):
            plain = math.log10(suite.members[name].plain_rsd)
            label = "plain Monte Carlo" if row == 0 else None
            axes.plot([plain], [row], "|", color=PLAIN, ms=14, mew=2, label=label)
        for shift, budget in zip((-0.2, 0.0, 0.2), BUDGETS, strict=True):
            rows = [row for row, name in enumerate(names) if (name, budget) in score.cells]
            cells = [score.cells[names[row], budget] for row in rows]
            if not cells:
                continue
            values = [cell.S.value for cell in cells]
            errors = [
                [cell.S.value - cell.S.low68 for cell in cells],
                [cell.S.high68 - cell.S.value for cell in cells],
            ]
            axes.errorbar(
                values,
                [row + shift for row in rows],
                xerr=[[max(0.0, one) for one in side] for side in errors],
                fmt="o",
                ms=4,
                color=_COLOURS[budget],
                label=f"{budget / 1e6:g} million calls",
            )
            failed = [
                (value, row + shift)
                for value, row, cell in zip(values, rows, cells, strict=True)
                if not cell.passed
            ]
            if failed:
                x, y = zip(*failed, strict=True)
                axes.plot(x, y, "o", ms=10, mfc="none", mec=BACKGROUND, mew=1.5)
        axes.plot([], [], "o", ms=10, mfc="none", mec=BACKGROUND, mew=1.5, label="fails the gate")
        axes.set_yticks(range(len(names)), names)
        axes.set(xlabel=r"$S = \log_{10}(B^{1/2}\,\mathrm{RMS}(I/I_\mathrm{true}-1))$")
        axes.set_ylim(len(names) - 0.4, -0.6)
        axes.minorticks_off()
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
        title = f"{submission.manifest.task}, {submission.manifest.label}: S = {score.means['S']}"
        axes.set_title(title, fontsize=13, parse_math=False)
        return save(figure, file)
