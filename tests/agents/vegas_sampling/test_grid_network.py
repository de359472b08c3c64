"""The network that makes whole grids: what it computes, how it is trained, what it reaches."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from hepgym.agents.vegas_sampling.policies import (
    GridNetworkPolicy,
    Vegas,
    VegasOnGrid,
    evaluate_policy,
    load_policy,
    make_policy,
    shipped,
)
from hepgym.agents.vegas_sampling.policies.grid_network import CHANNELS, DILATIONS, convolve
from hepgym.agents.vegas_sampling.policies.grid_training import (
    GridTrainingSettings,
    _Network,
    train,
)
from hepgym.envs.vegas_sampling.game import BINS

FEW = GridTrainingSettings(
    budget=4000, rounds=2, games=8, steps=5, batch=16, width=4, validation_games=4, schedule_games=2
)


def zeros(width=4):
    sizes = [CHANNELS, *[width] * (len(DILATIONS) - 1), 1]
    places = [5] * (len(DILATIONS) - 1) + [1]
    return [
        (np.zeros((k, a, b), np.float32), np.zeros(b, np.float32))
        for k, a, b in zip(places, sizes[:-1], sizes[1:], strict=True)
    ]


def test_a_network_that_corrects_nothing_is_vegas():
    network = GridNetworkPolicy(zeros())
    schedule = network.schedule
    games = evaluate_policy(network, budget=20_000, episodes=20).games
    vegas = VegasOnGrid()
    # The same grids; its calls are those of the geometric schedule.
    vegas.__dict__["act"] = lambda o: np.concatenate(
        [VegasOnGrid().act(o)[:, :-2], schedule.plan().act(o)[:, 1:]], axis=1
    )
    other = evaluate_policy(vegas, budget=20_000, episodes=20).games
    assert np.array_equal(games.iterations, other.iterations)
    # Bins without weight are not quite empty for the network.
    assert np.median(np.abs(games.score - other.score)) < 0.05


def test_the_layers_are_those_of_keras(random):
    network = _Network(FEW)
    arrays = network._model.get_weights()
    network._model.set_weights([random.normal(size=a.shape) for a in arrays])
    seen = random.normal(size=(3, BINS, CHANNELS)).astype(np.float32)
    values = seen
    for number, (kernel, biases) in enumerate(network.policy().layers):
        values = convolve(values, kernel, biases, DILATIONS[number])
        if number < len(DILATIONS) - 1:
            values = np.maximum(values, 0.0)
    np.testing.assert_allclose(values, network._model(seen).numpy(), rtol=1e-3, atol=1e-3)


def test_training_goes_on_where_it_was_interrupted(tmp_path):
    whole = train(FEW, tmp_path / "whole")

    class InterruptionError(Exception):
        pass

    def interrupt(number, numbers):
        raise InterruptionError

    with pytest.raises(InterruptionError):
        train(FEW, tmp_path / "parts", progress=interrupt)
    rounds = []
    parts = train(FEW, tmp_path / "parts", progress=lambda n, numbers: rounds.append(n))
    assert rounds == [2]
    for one, other in zip(whole.layers, parts.layers, strict=True):
        np.testing.assert_allclose(one[0], other[0], rtol=1e-4, atol=1e-6)
    log = [json.loads(line) for line in (tmp_path / "parts/log.jsonl").read_text().splitlines()]
    assert [entry["round"] for entry in log] == [1, 2]
    stored = load_policy(tmp_path / "parts")
    assert isinstance(stored, GridNetworkPolicy)
    assert stored.schedule == parts.schedule
    assert stored.parameters == {"seed": 1}
    assert np.array_equal(stored.layers[0][0], parts.layers[0][0])
    with pytest.raises(ValueError, match="training with other settings"):
        train(dataclasses.replace(FEW, seed=2), tmp_path / "parts")
    (tmp_path / "parts/grid-training.json").write_text("{}")
    with pytest.raises(ValueError, match="not the state of a training"):
        train(FEW, tmp_path / "parts")


@pytest.mark.parametrize(("budget", "gain"), [(20_000, 0.0), (5_000, -0.1)])
def test_the_shipped_network_beats_vegas(budget, gain):
    """On integrands of the validation split."""
    settings = {"episodes": 60, "split": "validation", "budget": budget}
    trained = evaluate_policy(make_policy("grid-network"), **settings)
    assert trained.difference(evaluate_policy(Vegas(), **settings)).high95 < gain


def test_files_and_bad_networks(tmp_path):
    assert shipped("grid-network").stat().st_size < 100_000
    assert isinstance(load_policy(shipped("grid-network")), GridNetworkPolicy)
    assert load_policy(shipped("ppo")).name == "ppo"
    for bad in (zeros()[:-1], [*zeros()[:-1], zeros()[0]]):
        with pytest.raises(ValueError, match="layer"):
            GridNetworkPolicy(bad)
    (tmp_path / "broken.npz").write_bytes(b"PK")
    with pytest.raises(ValueError, match=r"broken.npz holds no grid network"):
        GridNetworkPolicy.load(tmp_path / "broken.npz")
    with pytest.raises(ValueError, match=r"must hold one of linear.json"):
        load_policy(tmp_path)
    for values, message in (({"rounds": 0}, "rounds = 0"), ({"seed": -1}, "seed")):
        with pytest.raises(ValueError, match=message):
            GridTrainingSettings(**values)
