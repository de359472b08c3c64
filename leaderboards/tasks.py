"""The tasks that have a board. A new task is one entry in ``TASKS`` and one score module."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Protocol, cast

from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from .bootstrap import Estimate

_TASK_ID = r"^[A-Za-z][A-Za-z0-9]*(-[A-Za-z0-9]+)?-v[0-9]+$"
_DATASET_ID = r"^[a-z_]+/[A-Za-z0-9-]+-v[0-9]+$"


class Score(Protocol):
    """What a score module returns: named numbers with errors."""

    def metrics(self) -> dict[str, Estimate]:
        """Every metric by name."""
        ...


class ScoreModule(Protocol):
    """What a module in ``scores`` holds.

    Attributes
    ----------
    PREDICTION_KINDS
        The kinds of predictions that can be scored, and whether an agent that plays the task's
        environment can make them.
    """

    PREDICTION_KINDS: Mapping[str, bool]

    def hashes(self, datasets: Mapping[str, str], split: str) -> dict[str, str]:
        """Role to SHA-256 of the content of the official data, without loading them."""
        ...

    def load(self, datasets: Mapping[str, str], split: str) -> Mapping[str, Any]:
        """Role to the official data; ``DatasetError`` if their content is another."""
        ...

    def evaluate(
        self,
        kind: str,
        predictions: Mapping[str, NDArray[Any]],
        data: Mapping[str, Any],
        **parameters: float,
    ) -> Score:
        """Score predictions on the test data; ``ValueError`` if they do not fit the data."""
        ...


class Task(BaseModel):
    """A task with a board.

    A task changes its version, and starts an empty board, when a score could change: new data,
    another split or another score definition.

    Attributes
    ----------
    id
        Name and version; for a game the id of its environment.
    title
        One line for people.
    datasets
        Role ("signal", "background") to data set id.
    split
        The split that is scored.
    kinds
        The kinds of predictions that the board takes; empty for all that the score knows.
    score
        Name of the module in ``hepgym.leaderboards.scores``.
    parameters
        Keyword arguments of the score module's ``evaluate``.
    primary
        The metric that orders the board.
    direction
        Whether a low or a high value of it is better.
    columns
        The metrics that a table of the board shows, the primary one first.
    baselines
        Names of the reference agents that every board of this task shows.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    id: Annotated[str, Field(pattern=_TASK_ID)]
    title: Annotated[str, Field(min_length=1)]
    datasets: dict[str, Annotated[str, Field(pattern=_DATASET_ID)]]
    split: Literal["train", "validation", "test"] = "test"
    kinds: tuple[str, ...] = ()
    score: Annotated[str, Field(pattern=r"^[a-z_]+$")]
    parameters: dict[str, Annotated[float, Field(allow_inf_nan=False)]]
    primary: str
    direction: Literal["lower is better", "higher is better"]
    columns: tuple[str, ...]
    baselines: tuple[str, ...]


_GROOMERS = ("plain", "mmdt", "soft-drop", "recursive-soft-drop", "dynamical")
_GROOMING_COLUMNS = ("loss", "window", "median", "f_bkg", "narrowest_loss")

TASKS: dict[str, Task] = {
    task.id: task
    for task in (
        Task(
            id="JetGrooming-v0",
            title="Groom boosted W jets against QCD jets",
            datasets={"signal": "jets/W-500GeV-v1", "background": "jets/QCD-500GeV-v1"},
            score="jet_grooming",
            parameters={"mass_target": 80.385},
            primary="loss",
            direction="lower is better",
            columns=_GROOMING_COLUMNS,
            baselines=_GROOMERS,
        ),
        Task(
            id="JetGroomingTop-v0",
            title="Groom boosted top jets against QCD jets",
            datasets={"signal": "jets/top-500GeV-v1", "background": "jets/QCD-500GeV-v1"},
            score="jet_grooming",
            parameters={"mass_target": 173.2},
            primary="loss",
            direction="lower is better",
            columns=_GROOMING_COLUMNS,
            baselines=_GROOMERS,
        ),
        Task(
            id="JetDomains-QCD2W-v0",
            title="Translate Lund images between QCD and W jets, unpaired",
            datasets={"A": "jets/QCD-500GeV-v1", "B": "jets/W-500GeV-v1"},
            score="jet_domains",
            parameters={},
            primary="cyclejet",
            direction="lower is better",
            columns=(
                "cyclejet",
                "error_mean_A_to_B",
                "error_mean_B_to_A",
                "auc_A_to_B",
                "auc_B_to_A",
            ),
            baselines=("identity", "quantile-map", "noise-floor"),
        ),
        Task(
            id="JetDomains-Parton2Detector-v0",
            title="Translate Lund images between parton and detector level, unpaired",
            datasets={
                "A": "jets/QCD-500GeV-parton-v1",
                "B": "jets/QCD-500GeV-detector-v1",
                "paired_A": "jets/QCD-500GeV-parton-of-detector-v1",
                "paired_B": "jets/QCD-500GeV-detector-of-parton-v1",
            },
            score="jet_domains",
            parameters={},
            primary="cyclejet",
            direction="lower is better",
            columns=(
                "cyclejet",
                "error_mean_A_to_B",
                "error_mean_B_to_A",
                "auc_A_to_B",
                "auc_B_to_A",
                "paired_A_to_B",
                "paired_B_to_A",
            ),
            baselines=("identity", "quantile-map", "noise-floor"),
        ),
        Task(
            id="LundImages-v0",
            title="Generate Lund images of QCD jets",
            datasets={"jets": "jets/QCD-500GeV-v1"},
            score="lund_images",
            parameters={},
            primary="glund",
            direction="lower is better",
            columns=("glund", "glund_train", "w1_active", "error_mean", "auc"),
            baselines=("noise-floor", "independent-pixels", "gaussian"),
        ),
        Task(
            id="VegasSampling-v0",
            title="Integrate 22 functions and cross sections within budgets of calls",
            datasets={"integrands": "integrands/board-v1"},
            score="vegas_sampling",
            parameters={},
            primary="S",
            direction="lower is better",
            columns=("S", "S_200000", "S_1000000", "S_4000000", "failing", "missing"),
            baselines=("plain", "vegas", "vegas-plus"),
        ),
        Task(
            id="Unweighting-v0",
            title="Surrogates for unweighting gg -> ttgg events in two stages",
            datasets={"events": "events/gg-ttgg-1500GeV-v1"},
            score="unweighting",
            parameters={"time_ratio": 0.01, "share": 0.01, "strict_share": 0.001},
            primary="f_eff",
            direction="higher is better",
            columns=("f_eff", "eps_1", "eps_2", "kish", "f_eff_strict"),
            baselines=("single-stage", "constant"),
        ),
        Task(
            id="PDFFit-v0",
            title="Fit parton distributions to deep-inelastic scattering",
            datasets={"data": "parton_distributions/DIS-NLO-v1"},
            kinds=("replicas",),
            score="pdf_fit",
            parameters={},
            primary="chi2",
            direction="lower is better",
            columns=(
                "chi2",
                "chi2_t0",
                "kfold_chi2",
                "before_hera_chi2_pdf",
                "replicas",
                "postfit",
            ),
            baselines=("n3fit", "genetic", "cma-es"),
        ),
        Task(
            id="PDFClosure-v0",
            title="Closure tests of fits of parton distributions",
            datasets={"data": "parton_distributions/DIS-NLO-v1"},
            kinds=("closure",),
            score="pdf_fit",
            parameters={},
            primary="R_bv_off",
            direction="lower is better",
            columns=("R_bv_off", "R_bv", "xi_1sigma", "xi_pdf", "delta_chi2"),
            baselines=("n3fit",),
        ),
    )
}
"""All tasks by id."""


def task(task_id: str) -> Task:
    """Find a task.

    Parameters
    ----------
    task_id
        For example "JetGrooming-v0".

    Returns
    -------
    Task

    Raises
    ------
    ValueError
        If there is no such task.
    """
    if task_id not in TASKS:
        raise ValueError(f"unknown task {task_id!r}, known tasks: {', '.join(TASKS)}")
    return TASKS[task_id]


def score_module(task: Task) -> ScoreModule:
    """Import the score module of a task."""
    module: Any = importlib.import_module(f".scores.{task.score}", __package__)
    return cast(ScoreModule, module)


def dataset_hashes(task: Task) -> dict[str, str]:
    """Role to SHA-256 of the content of the task's test data, from the catalogue."""
    return score_module(task).hashes(task.datasets, task.split)


def load_test_data(task: Task) -> dict[str, Any]:
    """Role to the data on which the task is scored.

    Raises
    ------
    DatasetError
        If their content is not that of the catalogue.
    """
    return dict(score_module(task).load(task.datasets, task.split))
