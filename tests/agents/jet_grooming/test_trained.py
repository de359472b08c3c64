"""Agents that learn, by name."""

from __future__ import annotations

import numpy as np
import pytest

from hepgym.agents.jet_grooming.dqn import DQNGroomer, published_settings
from hepgym.agents.jet_grooming.networks.network import build_network
from hepgym.agents.jet_grooming.policy_gradient import PolicyGradientGroomer, reference_settings
from hepgym.agents.jet_grooming.trained import (
    PRESETS,
    TRAINED,
    best_model,
    load_groomer,
    load_model,
    reference_models,
    train,
)


def save(folder, name):
    """Untrained agents of both kinds, which decide something."""
    if name == "dqn":
        settings = published_settings(layers=1, units=4)
        groomer = DQNGroomer(build_network(settings), settings)
    else:
        settings = reference_settings(layers=1, units=4)
        ones = np.ones(settings.components, np.float32)
        groomer = PolicyGradientGroomer(build_network(settings, (ones, ones)), settings)
    groomer.save(folder)
    return groomer


@pytest.mark.parametrize("name", list(TRAINED))
def test_folder_says_which_agent_it_holds(tmp_path, w_trees, name):
    jets = w_trees.select(slice(0, 50))
    expected = save(tmp_path, name).groom(jets).decisions
    for groomer in (load_model(tmp_path), load_groomer(name, tmp_path)):
        assert groomer.name == name
        np.testing.assert_array_equal(groomer.groom(jets).decisions, expected)


def test_everything_has_a_preset_and_a_name():
    assert set(PRESETS) == set(TRAINED)
    assert best_model("JetGrooming-v0", "dqn") == reference_models("JetGrooming-v0", "dqn")[0]


def test_what_is_not_there_is_named(tmp_path):
    with pytest.raises(ValueError, match="no agent 'plain' learns; choose one of dqn, policy-grad"):
        train("JetGrooming-v0", "plain", tmp_path, {})
    with pytest.raises(ValueError, match="policy-gradient has no preset 'published'"):
        train("JetGrooming-v0", "policy-gradient", tmp_path, {}, preset="published")
    with pytest.raises(ValueError, match="policy-gradient has no setting 'gamma'"):
        train("JetGrooming-v0", "policy-gradient", tmp_path, {"gamma": 1.0})
    with pytest.raises(ValueError, match="no trained dqn for Chess-v0 comes with hepgym"):
        best_model("Chess-v0", "dqn")
    with pytest.raises(ValueError, match="is not the folder of a trained agent"):
        load_model(tmp_path)
    (tmp_path / "settings.json").write_text('{"agent": "alphago"}')
    with pytest.raises(ValueError, match="no agent 'alphago' learns"):
        load_model(tmp_path)
