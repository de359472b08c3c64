"""The policy gradient agent: credit and reward against brute force, and its training."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hepgym.agents.jet_grooming import policy_gradient
from hepgym.agents.jet_grooming.dqn import DQNGroomer, Samples, export_onnx
from hepgym.agents.jet_grooming.networks.log import read_log
from hepgym.agents.jet_grooming.policy_gradient import (
    PolicyGradientGroomer,
    PolicyGradientSettings,
    reference_settings,
    train,
)
from hepgym.agents.jet_grooming.policy_gradient.credit import counterfactual_masses
from hepgym.agents.jet_grooming.policy_gradient.training import mass_reward
from hepgym.datasets.jets.trees import ClusteringTrees, mass
from hepgym.envs.jet_grooming import groom
from hepgym.leaderboards.scores.jet_grooming import grooming_score

SMALL = PolicyGradientSettings(
    layers=1,
    units=8,
    steps=40,
    jets=40,
    learning_rate=1e-2,
    validate_every=10,
    checkpoint_every=15,
    seed=3,
)


@pytest.fixture(scope="module")
def samples(w_trees: ClusteringTrees, qcd_trees: ClusteringTrees) -> Samples:
    training, validation = slice(0, 200), slice(200, 300)
    return Samples(
        w_trees.select(training),
        qcd_trees.select(training),
        w_trees.select(validation),
        qcd_trees.select(validation),
    )


@pytest.fixture(scope="module")
def finished(samples: Samples, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("policy-gradient") / "finished"
    train(SMALL, folder, progress=False, samples=samples)
    return folder


def test_masses_are_those_of_grooming_with_one_decision_changed(w_trees, random):
    jets = np.array([7, 3, 3, 11])
    sample = w_trees.select(jets)
    decisions = random.random(len(sample.softer_size)) < 0.4
    masses, reached = counterfactual_masses(w_trees, jets, decisions)
    before = mass(groom(sample, decisions))
    for node, jet in enumerate(sample.jet_of_node):
        for action in (False, True):
            changed = decisions.copy()
            changed[node] = action
            groomed = mass(groom(sample, changed))[jet]
            if reached[node]:
                assert masses[node, int(action)] == pytest.approx(groomed, abs=1e-6)
            else:
                assert groomed == before[jet]
    assert 0 < reached.sum() < len(reached)


def score(signal_mass, background_mass, target=80.0):
    return grooming_score(signal_mass, background_mass, target, resamples=2).loss.value


def test_reward_is_largest_at_the_target_and_narrows():
    masses = np.array([-10.0, 60.0, 80.0, 85.0, 100.0])
    for shape, at_width in (("cauchy", 0.5), ("gaussian", np.exp(-0.5)), ("flat", 0.5)):
        settings = reference_settings(
            mass_target=80.0, width=20.0, final_width=5.0, shape=shape, steps=100
        )
        first, middle, last = (mass_reward(masses, settings, step) for step in (0, 50, 99))
        assert first[2] == last[2] == 1.0
        assert first[1] == pytest.approx(first[4])
        assert (first[1], last[3]) == pytest.approx((at_width, at_width))
        assert (last[[0, 1, 3, 4]] < first[[0, 1, 3, 4]]).all()
        np.testing.assert_array_equal(middle, last)


def test_credit_is_the_difference_that_a_decision_makes(w_trees, random):
    """Whatever the other decisions are, the credit is what this decision does to the reward."""
    jets = np.arange(3)
    sample = w_trees.select(jets)
    settings = reference_settings(width=20.0, final_width=20.0)
    probability = random.random(len(sample.softer_size))

    def reward(decisions):
        return mass_reward(mass(groom(sample, decisions)), settings, 0).sum()

    node, draws = int(sample.node_offsets[1]) + 1, 50
    slope, credit = [], []
    for _ in range(draws):
        decisions = random.random(len(probability)) < probability
        both = [reward(np.where(np.arange(len(decisions)) == node, a, decisions)) for a in (0, 1)]
        slope.append(both[1] - both[0])
        masses, reached = counterfactual_masses(w_trees, jets, decisions)
        rewards = mass_reward(masses[node], settings, 0)
        credit.append((rewards[1] - rewards[0]) * reached[node])
    np.testing.assert_allclose(credit, slope, atol=1e-9)


def weights(folder: Path) -> list[Any]:
    return [
        array
        for name in ("model.keras", "last.keras")
        for array in PolicyGradientGroomer.load(folder, name).network.get_weights()
    ]


def assert_same_training(one: Path, other: Path) -> None:
    for a, b in zip(weights(one), weights(other), strict=True):
        np.testing.assert_array_equal(a, b)
    assert read_log(one) == read_log(other)


def test_stopped_training_goes_on_bit_for_bit(finished, samples, tmp_path):
    def at(step: int, numbers: dict[str, float]) -> None:
        if step == 22:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(KeyboardInterrupt):
        train(SMALL, tmp_path, progress=at, samples=samples)
    steps: list[int] = []
    train(SMALL, tmp_path, progress=lambda step, numbers: steps.append(step), samples=samples)
    assert steps == list(range(23, 41))
    assert_same_training(finished, tmp_path)


def test_seeds_decide(finished, samples, tmp_path):
    train(SMALL, tmp_path / "same", progress=False, samples=samples)
    assert_same_training(finished, tmp_path / "same")
    other = SMALL.model_copy(update={"seed": 4})
    train(other, tmp_path / "other", progress=False, samples=samples)
    assert any(
        (a != b).any() for a, b in zip(weights(finished), weights(tmp_path / "other"), strict=True)
    )
    with pytest.raises(ValueError, match=r"other settings \(seed\)"):
        train(other, finished, progress=False, samples=samples)


def test_folder_holds_a_groomer(finished, samples):
    groomer = PolicyGradientGroomer.load(finished)
    assert groomer.settings == SMALL
    assert str(groomer) == "PG(context, 1x8, seed=3)"
    assert json.loads(json.dumps(groomer.parameters)) == groomer.parameters
    assert groomer.parameters["observation"] == "context"
    jets = samples.validation_signal
    decisions = groomer.groom(jets).decisions
    again = PolicyGradientGroomer.load(finished).groom(jets).decisions
    np.testing.assert_array_equal(again, decisions)
    summary = json.loads((finished / "summary.json").read_text())
    assert summary["gradient_steps"] == 40
    assert summary["jets_played"] == 1600
    assert (finished / "reward-curve.png").stat().st_size > 5000
    with pytest.raises(ValueError, match="agent 'policy-gradient' in format 1, not 'dqn'"):
        DQNGroomer.load(finished)


def test_onnx_gives_the_same_preferences(finished, tmp_path, w_trees):
    pytest.importorskip("onnx", reason="ONNX export needs the package onnx")
    runtime = pytest.importorskip("onnxruntime", reason="the check needs onnxruntime")
    from hepgym.envs.jet_grooming.observation import observe_trees

    groomer = PolicyGradientGroomer.load(finished)
    file = export_onnx(groomer, tmp_path / "model.onnx")
    session = runtime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    seen = observe_trees(w_trees.select(slice(0, 20)), "context")
    (values,) = session.run(["q"], {"state": seen})
    np.testing.assert_allclose(values, groomer.values(seen), atol=1e-4)


def test_it_learns_to_groom(samples, tmp_path):
    """A short training of a small network halves the loss of ungroomed jets."""
    settings = reference_settings(
        layers=2, units=32, steps=150, jets=60, learning_rate=1e-2, validate_every=50
    )
    groomer = train(settings, tmp_path, progress=False, samples=samples)

    def loss(masses: Any) -> float:
        return grooming_score(*masses, 80.385, resamples=2).loss.value

    jets = (samples.validation_signal, samples.validation_background)
    plain = loss([mass(trees.jet_momenta) for trees in jets])
    assert loss([groomer.groom(trees).mass for trees in jets]) < 0.5 * plain


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"layers": 0}, "layers is 0"),
        ({"units": 2.5}, "units is 2.5"),
        ({"learning_rate": float("nan")}, "learning_rate is nan"),
        ({"background": 1.0}, r"background is 1\.0"),
        ({"seed": -1}, "seed is -1"),
        ({"rate": 1}, "no setting 'rate'; its settings are task, observation"),
        ({"observation": "jet"}, "observation 'jet' is none of node, context"),
        ({"state_dim": 4}, "state_dim = 4"),
        ({"task": "Chess-v0"}, "unknown task 'Chess-v0'"),
    ],
)
def test_bad_settings_are_one_clear_sentence(changes, message):
    with pytest.raises(ValueError, match=message) as error:
        PolicyGradientSettings.from_dict(changes)
    assert "\n" not in str(error.value)


def test_settings_survive_json():
    settings = reference_settings("JetGroomingTop-v0", seed=7)
    again = PolicyGradientSettings.from_dict(json.loads(json.dumps(settings.as_dict())))
    assert again == settings
    assert settings.width != reference_settings().width


def test_importing_is_light():
    code = (
        f"import sys, {policy_gradient.__name__} as p; p.reference_settings();"
        "print([m for m in ('tensorflow', 'keras', 'matplotlib', 'rich') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
