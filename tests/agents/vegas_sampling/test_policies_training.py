"""Policies are found: the cross-entropy search and the training by PPO."""

from __future__ import annotations

import dataclasses
import importlib.util
import json

import numpy as np
import pytest

from hepgym.agents.vegas_sampling.policies import LinearPolicy, NetworkPolicy, imitation
from hepgym.agents.vegas_sampling.policies.__main__ import main
from hepgym.agents.vegas_sampling.policies.cross_entropy import SearchSettings, search, start
from hepgym.agents.vegas_sampling.policies.figures import learning_curve
from hepgym.agents.vegas_sampling.policies.ppo import TrainingSettings, train

SEARCH = SearchSettings(budget=1000, generations=4, population=8, elite=3, games=6, seed=2)
TRAINING = TrainingSettings(
    budget=1000,
    steps=512,
    games=16,
    steps_per_round=8,
    batch=64,
    epochs=2,
    width=8,
    imitation_steps=50,
    validation_every=2,
    validation_games=10,
)


@pytest.fixture(autouse=True)
def few_demonstrations(monkeypatch):
    monkeypatch.setattr(imitation, "GAMES", 16)
    monkeypatch.setattr(imitation, "STEPS", 30)


needs_sb3 = pytest.mark.skipif(
    importlib.util.find_spec("stable_baselines3") is None,
    reason="stable-baselines3 is not installed: pip install '.[sb3]'",
)


def test_search_goes_on_where_it_was_interrupted(tmp_path):
    seen = []
    whole = search(SEARCH, tmp_path / "whole", progress=lambda g, numbers: seen.append(g))
    assert seen == [1, 2, 3, 4]

    class InterruptionError(Exception):
        pass

    def interrupt(generation, numbers):
        if generation == 2:
            raise InterruptionError

    with pytest.raises(InterruptionError):
        search(SEARCH, tmp_path / "parts", progress=interrupt)
    parts = search(SEARCH, tmp_path / "parts")
    assert np.array_equal(whole.weights, parts.weights)
    assert not np.array_equal(whole.weights, start(SEARCH.seed)[0])
    assert np.array_equal(LinearPolicy.load(tmp_path / "parts/linear.json").weights, parts.weights)
    log = [json.loads(line) for line in (tmp_path / "parts/log.jsonl").read_text().splitlines()]
    assert [entry["generation"] for entry in log] == [1, 2, 3, 4]
    with pytest.raises(ValueError, match="search with other settings"):
        search(dataclasses.replace(SEARCH, seed=3), tmp_path / "parts")
    (tmp_path / "parts/search.json").write_text("{}")
    with pytest.raises(ValueError, match="not the state of a search"):
        search(SEARCH, tmp_path / "parts")


def test_search_improves(tmp_path):
    log = []
    settings = dataclasses.replace(SEARCH, budget=4000, generations=6, population=16, games=12)
    search(settings, tmp_path, progress=lambda g, numbers: log.append(numbers))
    assert log[-1]["mean_difference"] < log[0]["mean_difference"]


@needs_sb3
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_training_runs_and_goes_on(tmp_path):
    steps = []
    policy = train(TRAINING, tmp_path, progress=lambda n, numbers: steps.append(n))
    assert steps == [128, 256, 384, 512]
    log = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [("validation_median" in entry) for entry in log] == [False, True, False, True]
    stored = NetworkPolicy.load(tmp_path / "ppo.npz")
    assert all(
        np.array_equal(a, b) for a, b in zip(policy.layers[0], stored.layers[0], strict=True)
    )
    assert stored.origin["method"] == "ppo"
    learning_curve(tmp_path, tmp_path / "curve.png")
    assert (tmp_path / "curve.png").exists()
    # All rounds are done: nothing is played again.
    train(TRAINING, tmp_path, progress=lambda n, numbers: steps.append(n))
    assert len(steps) == 4
    with pytest.raises(ValueError, match="training with other settings"):
        train(dataclasses.replace(TRAINING, seed=9), tmp_path)


@needs_sb3
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_interrupted_training_continues(tmp_path):
    class InterruptionError(Exception):
        pass

    def interrupt(steps, numbers):
        if steps == 384:
            raise InterruptionError

    with pytest.raises(InterruptionError):
        train(TRAINING, tmp_path, progress=interrupt)
    steps = []
    train(TRAINING, tmp_path, progress=lambda n, numbers: steps.append(n))
    # From the last validation on.
    assert steps == [384, 512]


BAD = [
    (SearchSettings, {"elite": 40}, "elite = 40"),
    (SearchSettings, {"budget": 1}, "budget = 1"),
    (SearchSettings, {"games": 0}, "must be positive"),
    (SearchSettings, {"smoothing": 0.0}, "smoothing"),
    (TrainingSettings, {"steps": 0}, "steps = 0"),
    (TrainingSettings, {"validation_games": 1}, "validation_games"),
    (TrainingSettings, {"seed": -1}, "seed"),
]


@pytest.mark.parametrize(("settings", "values", "message"), BAD)
def test_bad_settings_are_named(settings, values, message):
    with pytest.raises(ValueError, match=message):
        settings(**values)


def test_commands(tmp_path, capsys):
    few = ["--budget=1000", "--seed=2"]
    main(["search", f"--output={tmp_path}", "--generations=1", "--population=3", "--elite=1",
          "--games=2", *few])  # fmt: skip
    assert "linear.json" in capsys.readouterr().out
    main(["evaluate", "plain", "vegas:alpha=1.5,iterations=4", str(tmp_path / "linear.json"),
          "--episodes=5", f"--output={tmp_path / 'new' / 'scores.json'}", *few])  # fmt: skip
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("test split, 5 games, budget 1,000, seed 2")
    assert [line.split()[0].split(":")[0] for line in lines[1:]] == ["plain", "vegas", "linear"]
    stored = json.loads((tmp_path / "new" / "scores.json").read_text())
    assert stored[1]["parameters"] == {"alpha": 1.5, "iterations": 4, "warm_up": 0}
    assert len(stored[2]["games"]["score"]) == 5
    main(["plot", str(tmp_path), f"--output={tmp_path / 'curve.png'}"])
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")
    for arguments, message in (
        (["plot", "nowhere", "--output=x.png"], "error: .*nowhere"),
        (["evaluate", "vega"], "error: there is no policy 'vega'"),
        (["evaluate", "vegas:alpha"], "error: 'alpha' in 'vegas:alpha' must be PARAMETER=NUMBER"),
        (["evaluate", "nowhere.json"], "error: .*nowhere.json"),
        (["search", f"--output={tmp_path}"], "error: .* search with other settings"),
    ):
        with pytest.raises(SystemExit, match=message):
            main(arguments)
