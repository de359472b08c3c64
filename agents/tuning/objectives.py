"""What is minimised: for each agent a function from settings to a loss on validation data."""

from __future__ import annotations

import functools
import json
import shlex
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from ...datasets.jets.trees import ClusteringTrees
from ...leaderboards.scores.jet_grooming import grooming_score
from ...leaderboards.tasks import Task, load_test_data
from ..jet_grooming import GROOMERS, Groomer, make_groomer

_RESAMPLES = 100
"""The bootstrap error of a trial is only looked at by people."""


@dataclass(frozen=True)
class Evaluation:
    """What an objective found.

    Attributes
    ----------
    loss
        What is minimised.
    details
        More about it, in a form that JSON can hold.
    command
        The command that runs the agent with these settings.
    """

    loss: float
    details: Mapping[str, Any] = field(default_factory=dict)
    command: str = ""


class Objective(Protocol):
    """A function from settings to a loss.

    It is called in this process or in a Dask worker, which imports it or receives it by value.
    """

    def __call__(
        self, task: Task, parameters: Mapping[str, Any], seed: int, folder: Path
    ) -> Evaluation:
        """Evaluate an agent on validation data.

        Parameters
        ----------
        task
            The task.
        parameters
            Settings of the agent; those left out take their defaults.
        seed
            Seed of the agent, 0 to 2^32 - 1.
        folder
            A folder for this trial alone, not made yet. An interrupted trial is called again with
            the same folder.

        Returns
        -------
        Evaluation

        Raises
        ------
        Exception
            Whatever goes wrong: the trial is recorded as failed.
        """
        ...


Maker = Callable[[Task, Mapping[str, Any], int, Path], Groomer]
"""Function of (task, parameters, seed, folder) that makes, and trains if need be, a groomer."""


def groomer_loss(
    make: Maker, task: Task, parameters: Mapping[str, Any], seed: int, folder: Path
) -> Evaluation:
    """Loss L of a groomer on the validation jets of a grooming task; the objective of groomers.

    Parameters
    ----------
    make
        Makes the groomer.
    task, parameters, seed, folder
        See `Objective`.

    Returns
    -------
    Evaluation
        With the metrics of ``GroomingScore`` as details.
    """
    groomer = make(task, parameters, seed, folder)
    jets = _validation_jets(task.id)
    score = grooming_score(
        groomer.groom(jets["signal"]).mass,
        groomer.groom(jets["background"]).mass,
        task.parameters["mass_target"],
        resamples=_RESAMPLES,
    )
    metrics = {name: asdict(value) for name, value in score.metrics().items()}
    return Evaluation(score.loss.value, metrics, _run_command(task, groomer))


def _classical(
    name: str, task: Task, parameters: Mapping[str, Any], seed: int, folder: Path
) -> Groomer:
    return make_groomer(name, **parameters)


def _dqn_loss(task: Task, parameters: Mapping[str, Any], seed: int, folder: Path) -> Evaluation:
    """Loss of a DQN trained with the published settings but for ``parameters``."""
    from ..jet_grooming.dqn import published_settings, train

    def trained(task: Task, parameters: Mapping[str, Any], seed: int, folder: Path) -> Groomer:
        settings = published_settings(task.id, seed=seed, **parameters)
        return train(settings, folder, progress=False)

    return _trained_loss("dqn", trained, task, parameters, seed, folder)


def _policy_gradient_loss(
    task: Task, parameters: Mapping[str, Any], seed: int, folder: Path
) -> Evaluation:
    """Loss of a policy trained with the reference settings but for ``parameters``."""
    from ..jet_grooming.policy_gradient import reference_settings, train

    def trained(task: Task, parameters: Mapping[str, Any], seed: int, folder: Path) -> Groomer:
        settings = reference_settings(task.id, **{"seed": seed, **parameters})
        return train(settings, folder, progress=False)

    return _trained_loss("policy-gradient", trained, task, parameters, seed, folder)


def _trained_loss(
    agent: str, make: Maker, task: Task, parameters: Mapping[str, Any], seed: int, folder: Path
) -> Evaluation:
    command = ["hepgym", "run", task.id, "--agent", agent, "--model", str(folder)]
    found = groomer_loss(make, task, parameters, seed, folder)
    return replace(found, command=shlex.join(command))


def _n3fit_loss(task: Task, parameters: Mapping[str, Any], seed: int, folder: Path) -> Evaluation:
    """Loss of the four folds of data that fits with these hyperparameters have not seen.

    Parameters ``k_fold.NAME`` are those of `k_fold_loss`, penalties with commas in between; the
    others are hyperparameters.
    """
    if task.score != "pdf_fit":
        raise ValueError(f"n3fit fits parton distributions, it does not play {task.id}")
    from ..pdf_fit.methodology import k_fold_loss

    fitted = {name: value for name, value in parameters.items() if name != "k_fold"}
    own = dict(parameters.get("k_fold", {}))
    if "penalties" in own:
        own["penalties"] = [name.strip() for name in own["penalties"].split(",")]
    loss, folds = k_fold_loss(fitted, seed=seed, **own)
    return Evaluation(loss, {"fold_chi2": folds}, _set_command(task, "n3fit", fitted))


def _cyclegan_loss(
    task: Task, parameters: Mapping[str, Any], seed: int, folder: Path
) -> Evaluation:
    """CycleJet loss on validation images of a CycleGAN trained with ``parameters``.

    Settings that are left out have their published values.
    """
    if task.score != "jet_domains":
        raise ValueError(f"cyclegan translates between domains of jets, it does not play {task.id}")
    from ...leaderboards.scores.jet_domains import evaluate, translations
    from ..jet_domains.player import learn
    from ..jet_domains.settings import CycleGANSettings

    # Settings hold seeds of 31 bits.
    settings = CycleGANSettings.from_dict({"seed": seed >> 1, **parameters})
    translator = learn(task, settings, folder)
    data = load_test_data(task.model_copy(update={"split": "validation"}))
    domains = data["domains"]
    made = translations(domains.images, translator.a_to_b, translator.b_to_a, domains.paired)
    metrics = evaluate("translations", made, data, resamples=_RESAMPLES).metrics()
    command = ["hepgym", "run", task.id, "--agent", "cyclegan", "--model", str(folder)]
    details = {name: asdict(value) for name, value in metrics.items()}
    return Evaluation(metrics["cyclejet"].value, details, shlex.join(command))


@functools.lru_cache(maxsize=1)
def _validation_jets(task_id: str) -> dict[str, ClusteringTrees]:
    from ...leaderboards.tasks import task

    return load_test_data(task(task_id).model_copy(update={"split": "validation"}))


def _run_command(task: Task, groomer: Groomer) -> str:
    return _set_command(task, groomer.name, groomer.parameters)


def _set_command(task: Task, agent: str, parameters: Mapping[str, Any]) -> str:
    settings = [
        part
        for name, value in parameters.items()
        for part in ("--set", f"{name}={json.dumps(value)}")
    ]
    return shlex.join(["hepgym", "run", task.id, "--agent", agent, *settings])


OBJECTIVES: dict[str, Objective] = {
    name: functools.partial(groomer_loss, functools.partial(_classical, name)) for name in GROOMERS
} | {
    "dqn": _dqn_loss,
    "policy-gradient": _policy_gradient_loss,
    "n3fit": _n3fit_loss,
    "cyclegan": _cyclegan_loss,
}
"""Agents that can be tuned, by name. An agent that learns is one more line: a function that trains
in ``folder`` and imports its framework only when it is called."""


def objective(agent: str, settings: Iterable[str] = ()) -> Objective:
    """Find the objective of an agent.

    Parameters
    ----------
    agent
        Name of the agent.
    settings
        Names of the settings that it will be given. Those of classical groomers are checked here;
        an agent that learns checks its own when it is called.

    Returns
    -------
    Objective

    Raises
    ------
    ValueError
        If the agent cannot be tuned or has no such setting.
    """
    if agent not in OBJECTIVES:
        raise ValueError(
            f"agent {agent!r} cannot be tuned, those that can are {', '.join(OBJECTIVES)}"
        )
    if agent in GROOMERS:
        known = [one.name for one in GROOMERS[agent].parameter_fields()]
        for name in settings:
            if name not in known:
                raise ValueError(
                    f"parameters.{name}: {agent} has no such parameter, it has "
                    f"{', '.join(known) or 'none'}"
                )
    return OBJECTIVES[agent]
