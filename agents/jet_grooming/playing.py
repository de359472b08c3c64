"""Playing the test set of a grooming task: from a groomer to a submission folder and figures."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...datasets.jets.trees import ClusteringTrees
from ...leaderboards.figures.jet_grooming import save_figures
from ...leaderboards.scores.jet_grooming import GroomingScore, grooming_score
from ...leaderboards.submission import Submission, write_submission
from ...leaderboards.tasks import Task, load_test_data
from .base import GroomedJets, Groomer


@dataclass(frozen=True)
class Play:
    """The test set of a task as groomed by an agent.

    Attributes
    ----------
    groomer
        The agent.
    groomed
        Role (signal, background) to groomed jets.
    score
        The score.
    seconds
        Wall time of grooming both samples.
    """

    groomer: Groomer
    groomed: dict[str, GroomedJets]
    score: GroomingScore
    seconds: float

    @property
    def kind(self) -> str:
        """Kind of predictions: decisions of the game, or kept constituents."""
        return "decisions" if self.groomed["signal"].decisions is not None else "kept"

    def predictions(self) -> dict[str, NDArray[np.bool_]]:
        """Role to predictions, bool, shape (nodes,) or (constituents,)."""
        return {
            role: np.asarray(jets.decisions if jets.kept is None else jets.kept, np.bool_)
            for role, jets in self.groomed.items()
        }


def play_test_set(
    task: Task, groomer: Groomer, data: dict[str, ClusteringTrees] | None = None
) -> Play:
    """Groom the test set of a task and score it.

    Parameters
    ----------
    task
        The task.
    groomer
        The agent.
    data
        Role to jets; the task's test data if not given.

    Returns
    -------
    Play
    """
    data = load_test_data(task) if data is None else data
    for trees in data.values():
        # Derived once per sample and not the groomer's work.
        _ = trees.states, trees.softer_momenta, trees.jet_momenta
    start = time.perf_counter()
    groomed = {role: groomer.groom(trees) for role, trees in data.items()}
    seconds = time.perf_counter() - start
    score = grooming_score(
        groomed["signal"].mass, groomed["background"].mass, task.parameters["mass_target"]
    )
    return Play(groomer, groomed, score, seconds)


def write_play(
    task: Task,
    play: Play,
    folder: Path,
    *,
    authors: Sequence[str] = (),
    description: str = "",
    overwrite: bool = False,
) -> Submission:
    """Write what was played as a submission folder; arguments as for `write_submission`."""
    seed = play.groomer.parameters.get("seed")
    return write_submission(
        folder,
        task,
        agent=play.groomer.name,
        kind=play.kind,
        predictions=play.predictions(),
        score=play.score,
        wall_time_s=play.seconds,
        hyperparameters=play.groomer.parameters,
        seeds=[] if seed is None else [int(seed)],
        authors=authors,
        description=description or str(play.groomer),
        overwrite=overwrite,
    )


def run(
    task: Task,
    groomer: Groomer,
    folder: Path,
    *,
    authors: Sequence[str] = (),
    description: str = "",
    overwrite: bool = False,
) -> tuple[Play, Submission, list[Path]]:
    """Play the test set, then write ``folder/submission`` and ``folder/figures``.

    Parameters
    ----------
    task, groomer
        What is played by whom.
    folder
        Where the results go.
    authors, description, overwrite
        See `write_submission`.

    Returns
    -------
    play : Play
    submission : Submission
    figures : list of pathlib.Path
    """
    data = load_test_data(task)
    play = play_test_set(task, groomer, data)
    submission = write_play(
        task,
        play,
        folder / "submission",
        authors=authors,
        description=description,
        overwrite=overwrite,
    )
    return play, submission, save_figures(submission, folder / "figures", data)
