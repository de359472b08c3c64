"""What is left of a scan: the best runcard, and figures of the loss against each parameter."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from ...leaderboards.figures.style import BACKGROUND, SIGNAL, hep_figure, save
from ...leaderboards.tasks import Task
from ..whole_files import write_whole
from .space import Choice, LogUniform, Searched, Space
from .trial import Trial, best_trial

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BEST_FILE = "best.yaml"


def write_results(folder: Path, task: Task, space: Space, trials: Sequence[Trial]) -> list[Path]:
    """Write ``best.yaml`` and ``figures/``; nothing if all trials failed.

    Parameters
    ----------
    folder
        Folder of the scan.
    task, space
        What was tuned.
    trials
        All trials in order.

    Returns
    -------
    list of pathlib.Path
        The files.
    """
    best = best_trial(trials)
    if best is None:
        return []
    write_whole(folder / BEST_FILE, _runcard(task, space, best, len(trials)))
    figures = [_draw_history(folder / "figures" / "loss-trial.png", trials, best)]
    for name, parameter in space.searched.items():
        file = folder / "figures" / f"loss-{name}.png"
        figures.append(_draw_parameter(file, name, parameter, trials, best))
    return [folder / BEST_FILE, *figures]


def _runcard(task: Task, space: Space, best: Trial, evals: int) -> str:
    lines = [
        f"# Best of {evals} trials ({space.algorithm}), number {best.number}; the loss is that on "
        "the validation data."
    ]
    if best.command:
        lines.append(f"# Run it on the test data:  {best.command}")
    card: dict[str, Any] = {
        "task": task.id,
        "agent": space.agent,
        "seed": best.seed,
        "loss": best.loss,
        "settings": best.settings,
    }
    return "\n".join(lines) + "\n" + yaml.safe_dump(card, sort_keys=False, allow_unicode=True)


def _draw_history(file: Path, trials: Sequence[Trial], best: Trial) -> Path:
    finished = [trial for trial in trials if trial.loss is not None]
    losses = [trial.loss for trial in finished]
    with hep_figure(6, 4) as figure:
        axes = figure.subplots()
        _draw_points(axes, [trial.number for trial in finished], finished, best.number, best)
        axes.step(
            [trial.number for trial in finished],
            np.minimum.accumulate(np.array(losses, np.float64)),
            where="post",
            color=SIGNAL,
            label="best so far",
        )
        failed = [trial.number for trial in trials if trial.loss is None]
        if failed:
            axes.plot(
                failed,
                np.full(len(failed), 0.97),
                "x",
                color=BACKGROUND,
                transform=axes.get_xaxis_transform(),
                label=f"failed ({len(failed)})",
            )
        axes.set_xlabel("trial")
        axes.legend(loc="upper right")
        return save(figure, file)


def _draw_parameter(
    file: Path, name: str, parameter: Searched, trials: Sequence[Trial], best: Trial
) -> Path:
    finished = [trial for trial in trials if trial.loss is not None]
    with hep_figure(6, 4) as figure:
        axes = figure.subplots()
        if isinstance(parameter, Choice):
            # Side by side, or trials with the same value would hide each other.
            spread = 0.3 * (np.arange(len(trials)) * 0.618 % 1 - 0.5)
            places = [trial.point[name] + spread[trial.number] for trial in finished]
            star = float(best.point[name] + spread[best.number])
            axes.set_xticks(range(len(parameter.values)), map(str, parameter.values))
            axes.set_xlim(-0.5, len(parameter.values) - 0.5)
            axes.minorticks_off()
        else:
            places = [_number(trial.settings[name]) for trial in finished]
            star = _number(best.settings[name])
            if isinstance(parameter, LogUniform):
                axes.set_xscale("log")
        _draw_points(axes, places, finished, star, best)
        axes.set_xlabel(name)
        return save(figure, file)


def _draw_points(
    axes: Axes, places: Sequence[float], finished: Sequence[Trial], star: float, best: Trial
) -> None:
    losses = np.array([trial.loss for trial in finished], np.float64)
    if losses.min() > 0:
        # A scan is interesting near its best loss, and bad trials are very bad.
        axes.set_yscale("log")
    axes.scatter(places, losses, s=16, color=SIGNAL, alpha=0.6)
    axes.plot(star, float(best.loss or 0.0), "*", ms=14, color=BACKGROUND)
    axes.set_ylabel("loss on validation data")
    axes.set_title(f"best: {best.loss:.4g}", loc="right", fontsize=12)


def _number(value: Any) -> float:
    return float(value)
