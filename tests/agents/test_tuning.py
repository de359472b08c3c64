"""Tuning: declarative spaces, trials that survive everything, the same scan wherever it runs."""

from __future__ import annotations

import json
import os
import sys
import time
import types
from pathlib import Path

import numpy as np
import pytest

from hepgym.agents.jet_grooming import make_groomer
from hepgym.agents.tuning import objectives, read_space, tune
from hepgym.agents.tuning.objectives import Evaluation
from hepgym.datasets import load_trees
from hepgym.leaderboards.scores.jet_grooming import grooming_score
from hepgym.leaderboards.tasks import task

TASK = task("JetGrooming-v0")
SPACE = """
agent: soft-drop
parameters:
  z_cut: {distribution: loguniform, low: 0.01, high: 0.4}
  beta: {distribution: uniform, low: 0, high: 3}
"""


@pytest.fixture
def space(tmp_path):
    def write(text: str = SPACE):
        file = tmp_path / "space.yaml"
        file.write_text(text)
        return read_space(file)

    return write


def outcome(scan) -> list:
    """What a scan found, without the time that it took."""
    return [(t.number, t.settings, t.seed, t.loss, t.error is None) for t in scan.trials]


def test_every_trial_is_on_disk_and_the_best_is_ready_to_run(space, tmp_path):
    folder = tmp_path / "scan"
    scan = tune(TASK, space(), folder, evals=8)
    files = sorted((folder / "trials").glob("*.json"))
    assert len(files) == len(scan.trials) == 8
    stored = [json.loads(file.read_text()) for file in files]
    assert min(one["loss"] for one in stored) == scan.best.loss
    runcard = (folder / "best.yaml").read_text()
    assert "hepgym run JetGrooming-v0 --agent soft-drop --set z_cut=" in runcard
    names = {file.name for file in (folder / "figures").iterdir()}
    assert {"loss-z_cut.png", "loss-beta.png"} <= names


def test_the_loss_is_that_on_the_validation_split(space, tmp_path):
    best = tune(TASK, space(), tmp_path / "scan", evals=2).best
    groomer = make_groomer("soft-drop", **best.settings)
    masses = [
        groomer.groom(load_trees(name, split="validation")).mass for name in TASK.datasets.values()
    ]
    score = grooming_score(*masses, TASK.parameters["mass_target"], resamples=2)
    assert best.loss == pytest.approx(score.loss.value, rel=1e-12)


def test_interrupted_scan_goes_on_as_if_nothing_had_happened(space, tmp_path):
    whole = tune(TASK, space(), tmp_path / "whole", evals=12, batch=3)

    def interrupt(finished, best):
        if finished == 7:
            raise KeyboardInterrupt

    folder = tmp_path / "stopped"
    with pytest.raises(KeyboardInterrupt):
        tune(TASK, space(), folder, evals=12, batch=3, progress=interrupt)
    assert len(list((folder / "trials").glob("*.json"))) == 7
    assert outcome(tune(TASK, space(), folder, evals=12, batch=3)) == outcome(whole)


def test_seeds_and_algorithms_differ(space, tmp_path):
    losses = [
        [t.loss for t in tune(TASK, space(text), tmp_path / str(k), evals=4, seed=seed).trials]
        for k, (text, seed) in enumerate(
            [(SPACE, 0), (SPACE, 1), (SPACE + "algorithm: random\n", 0)]
        )
    ]
    assert losses[0] != losses[1]
    for algorithm in ("tpe", "anneal", "random"):
        text = SPACE + f"algorithm: {algorithm}\n"
        scan = tune(TASK, space(text), tmp_path / algorithm, evals=25, batch=5)
        assert scan.best.loss == min(t.loss for t in scan.trials)


def test_failed_trials_are_recorded_and_do_not_stop_the_scan(space, tmp_path):
    # z_cut must be below 0.5
    text = SPACE.replace("loguniform, low: 0.01, high: 0.4", "uniform, low: 0.3, high: 0.9")
    scan = tune(TASK, space(text), tmp_path / "scan", evals=16, seed=3)
    failed = [trial for trial in scan.trials if trial.loss is None]
    assert 0 < len(failed) < 16
    assert all("z_cut" in trial.error for trial in failed)
    assert all(trial.settings["z_cut"] >= 0.5 for trial in failed)


def test_killed_worker_loses_no_trial_and_counts_none_twice(space, tmp_path, monkeypatch):
    """One of two Dask workers dies in the middle; the result is that of one process."""
    marker = tmp_path / "killed"
    calls = tmp_path / "calls"
    calls.mkdir()

    def loss(task, parameters, seed, folder: Path) -> Evaluation:
        time.sleep(0.05)
        if folder.name.endswith("5") and not marker.exists():
            marker.touch()
            os._exit(1)
        (calls / folder.name).touch()
        return Evaluation((parameters["z_cut"] - 0.1) ** 2 + parameters["beta"])

    monkeypatch.setitem(objectives.OBJECTIVES, "soft-drop", loss)
    together = tune(TASK, space(), tmp_path / "two", evals=12, batch=4, workers=2)
    assert marker.exists()
    alone = tune(TASK, space(), tmp_path / "one", evals=12, batch=4)
    assert outcome(together) == outcome(alone)
    assert [trial.number for trial in together.trials] == list(range(12))
    assert len(list(calls.iterdir())) == 12


@pytest.mark.parametrize(
    ("scheduler", "kind"), [("slurm", "SLURMCluster"), ("htcondor", "HTCondorCluster")]
)
def test_batch_jobs_evaluate_the_same_trials(space, tmp_path, monkeypatch, scheduler, kind):
    """The batch system is played by a local cluster that starts without workers, as it does."""
    from distributed import LocalCluster

    asked = []

    class Jobs(LocalCluster):
        def __init__(self):
            super().__init__(n_workers=0, threads_per_worker=1, dashboard_address=None)

        def scale(self, n):
            asked.append(n)
            return super().scale(n)

    monkeypatch.setitem(sys.modules, "dask_jobqueue", types.SimpleNamespace(**{kind: Jobs}))
    jobs = tune(TASK, space(), tmp_path / "jobs", evals=4, batch=2, workers=2, scheduler=scheduler)
    assert asked[0] == 2
    assert outcome(jobs) == outcome(tune(TASK, space(), tmp_path / "here", evals=4, batch=2))


def test_example_spaces_are_valid():
    from hepgym.agents.tuning.space import example_spaces

    spaces = example_spaces()
    assert {"dqn", "soft-drop", "recursive-soft-drop"} <= set(spaces)
    for name, file in spaces.items():
        assert read_space(file).agent == name
    published = read_space("dqn").parameters
    assert list(published["state_dim"].values) == [2, 3, 4, 5]


def test_the_small_scan_of_the_examples_is_the_published_one():
    small = read_space(Path(__file__).parents[2] / "examples" / "published_scan_small.yaml")
    published = read_space("dqn")
    assert small.parameters == published.parameters
    assert small.algorithm == published.algorithm
    assert small.fixed["steps"] < published.fixed["steps"]


def test_dqn_is_tuned_like_the_rest(space, tmp_path):
    text = """
agent: dqn
fixed: {steps: 200, warmup: 50, layers: 1, validate_every: 100, num_envs: 10, batch_size: 8}
parameters:
  units: {distribution: uniformint, low: 4, high: 8}
"""
    (trial,) = tune(TASK, space(text), tmp_path / "scan", evals=1).trials
    assert trial.error is None
    assert np.isfinite(trial.loss)
    assert "--model" in trial.command


def test_policy_gradient_is_tuned_like_the_rest(space, tmp_path):
    text = """
agent: policy-gradient
fixed: {steps: 4, jets: 20, layers: 1, validate_every: 4}
parameters:
  units: {distribution: uniformint, low: 4, high: 8}
  shape: {distribution: choice, values: [cauchy, flat]}
"""
    (trial,) = tune(TASK, space(text), tmp_path / "scan", evals=1).trials
    assert trial.error is None
    assert np.isfinite(trial.loss)
    assert "--agent policy-gradient --model" in trial.command


BAD_SPACES = [
    ("agent: soft-drop", "parameters"),
    ("parameters: [", "space.yaml"),
    (SPACE.replace(": uniform", ": normal"), "parameters.beta.distribution: must be one of"),
    (SPACE.replace("low: 0, high: 3", "low: 4, high: 3"), "beta"),
    (SPACE.replace("low: 0.01", "low: -1"), "z_cut"),
    (SPACE.replace("high: 3", "high: .inf"), "beta"),
    (SPACE + "colour: red\n", "colour"),
    (SPACE + "algorithm: magic\n", "algorithm"),
    (SPACE + "fixed: {beta: 1}\n", "beta"),
    (SPACE + "fixed: {a: !!python/object/apply:os.system [ls]}\n", "space.yaml"),
]


@pytest.mark.parametrize(("text", "message"), BAD_SPACES)
def test_bad_spaces_are_refused_with_the_field(space, text, message):
    with pytest.raises(ValueError, match=message) as refusal:
        space(text)
    assert len(str(refusal.value).splitlines()) == 1


def test_requests_that_do_not_fit(space, tmp_path):
    folder = tmp_path / "scan"
    with pytest.raises(ValueError, match="cannot occupy 8 workers"):
        tune(TASK, space(), folder, evals=1, workers=8)
    with pytest.raises(ValueError, match="evals = 0"):
        tune(TASK, space(), folder, evals=0)
    with pytest.raises(ValueError, match="soft-drop has no such parameter"):
        tune(TASK, space(SPACE.replace("beta:", "gamma:")), folder, evals=1)
    with pytest.raises(ValueError, match="cannot be tuned"):
        tune(TASK, space(SPACE.replace("soft-drop", "sd")), folder, evals=1)
    tune(TASK, space(), folder, evals=1)
    with pytest.raises(ValueError, match="scan"):
        tune(TASK, space(SPACE.replace("0.4", "0.3")), folder, evals=2)


def test_fits_are_scored_by_folds(monkeypatch, tmp_path):
    import hepgym.agents.pdf_fit.methodology as methodology

    def loss(parameters, seed, **own):
        assert (parameters, seed) == ({"epochs": 10}, 3)
        assert own in ({}, {"statistic": "max", "penalties": ["saturation", "unfinished"]})
        return 1.25, [1.0, 1.5, 1.2, 1.3]

    monkeypatch.setattr(methodology, "k_fold_loss", loss)
    n3fit = objectives.objective("n3fit")
    found = n3fit(task("PDFFit-v0"), {"epochs": 10}, 3, tmp_path)
    assert (found.loss, found.details) == (1.25, {"fold_chi2": [1.0, 1.5, 1.2, 1.3]})
    assert found.command == "hepgym run PDFFit-v0 --agent n3fit --set epochs=10"
    k_fold = {"statistic": "max", "penalties": "saturation, unfinished"}
    again = n3fit(task("PDFFit-v0"), {"epochs": 10, "k_fold": k_fold}, 3, tmp_path)
    assert again.command == found.command
    with pytest.raises(ValueError, match="does not play JetGrooming-v0"):
        n3fit(task("JetGrooming-v0"), {}, 0, tmp_path)
