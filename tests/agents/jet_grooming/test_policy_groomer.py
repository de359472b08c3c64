"""Policies of other libraries as groomers."""

from __future__ import annotations

import numpy as np
import pytest

from hepgym.agents.jet_grooming import NodeGroomer, PolicyGroomer, RecursiveSoftDrop
from hepgym.envs.jet_grooming.observation import observe_trees

RSD = RecursiveSoftDrop()


class Predictor:
    """A policy as in Stable-Baselines3; it explores unless told not to."""

    def predict(self, observation, state=None, episode_start=None, deterministic=False):
        if not deterministic:
            raise AssertionError("the policy was asked to explore")
        return RSD.decide(np.atleast_2d(observation)).reshape(observation.shape[:-1]), state


@pytest.mark.parametrize(
    "groomer",
    [
        PolicyGroomer(RSD.decide),
        PolicyGroomer(lambda states: RSD.decide(states).astype(bool)),
        PolicyGroomer(lambda states: RSD.decide(states).tolist()),
        PolicyGroomer(lambda state: int(RSD.decide(state[None])[0]), vectorised=False),
        PolicyGroomer(Predictor()),
        PolicyGroomer(Predictor(), vectorised=False),
    ],
    ids=["integers", "booleans", "list", "one at a time", "predict", "predict one at a time"],
)
def test_wrapped_policy_equals_the_groomer(w_trees, groomer):
    sample = w_trees.select(slice(0, 100))
    direct, wrapped = RSD.groom(sample), groomer.groom(sample)
    assert np.array_equal(wrapped.decisions, direct.decisions)
    assert np.array_equal(wrapped.momenta, direct.momenta)
    assert direct.decisions.any()


@pytest.mark.parametrize("state_dim", [2, 3, 5])
@pytest.mark.parametrize("vectorised", [True, False])
def test_policy_sees_what_the_environment_shows(w_trees, state_dim, vectorised):
    sample = w_trees.select(slice(0, 20))
    seen = []

    def policy(observation):
        seen.append(observation.copy())
        return np.zeros(observation.shape[:-1], np.int64)

    PolicyGroomer(policy, vectorised=vectorised, state_dim=state_dim).groom(sample)
    nodes = len(sample.softer_size)
    assert len(seen) == (1 if vectorised else nodes)
    assert all(observation.dtype == np.float32 for observation in seen)
    expected = sample.states[:, :state_dim].astype(np.float32)
    assert np.array_equal(np.reshape(seen, (nodes, state_dim)), expected)


def test_policy_sees_the_context_if_it_was_trained_on_it(w_trees):
    sample = w_trees.select(slice(0, 20))
    seen = []

    def policy(observation):
        seen.append(observation.copy())
        return observation[:, 0] < np.log(0.1)

    groomer = PolicyGroomer(policy, observation="context", parameters={"seed": 1})
    groomed = groomer.groom(sample)
    np.testing.assert_array_equal(seen[0], observe_trees(sample, "context"))
    assert groomer.parameters == {"observation": "context", "seed": 1}
    on_nodes = PolicyGroomer(lambda states: states[:, 0] < np.log(0.1))
    assert on_nodes.parameters == {}
    np.testing.assert_array_equal(on_nodes.groom(sample).decisions, groomed.decisions)


def test_a_policy_cannot_change_the_jets(w_trees):
    before = w_trees.states.copy()

    def vandal(states):
        states[:] = 0.0
        return np.zeros(len(states), int)

    PolicyGroomer(vandal).groom(w_trees)
    assert np.array_equal(w_trees.states, before)


def test_name_and_parameters_are_the_users():
    groomer = PolicyGroomer(RSD.decide, name="my-agent", parameters={"layers": 3, "rate": 1e-3})
    assert groomer.name == "my-agent"
    assert groomer.parameters == {"layers": 3, "rate": 1e-3}
    assert str(groomer) == "my-agent(layers=3, rate=0.001)"
    assert str(PolicyGroomer(RSD.decide)) == "policy"


@pytest.mark.parametrize(
    ("policy", "vectorised", "message"),
    [
        (lambda s: np.zeros(len(s) - 1, int), True, r"shape \(\d+,\) for \d+ nodes"),
        (lambda s: np.zeros((len(s), 1), int), True, r"shape \(\d+, 1\) for \d+ nodes"),
        (lambda s: 0, True, r"shape \(\) for \d+ nodes"),
        (lambda s: np.full(len(s), 2), True, r"the action 2: actions must be 0 \(keep\) or 1"),
        (lambda s: np.full(len(s), -1), True, "the action -1"),
        (lambda s: np.full(len(s), 256), True, "the action 256"),
        (lambda s: np.zeros(len(s)), True, "values of type float64: actions must be integers"),
        (lambda s: np.full(len(s), np.nan), True, "values of type float64"),
        (lambda s: ["keep"] * len(s), True, "values of type <U4"),
        (lambda s: [0, 1], False, r"shape \(2,\) for one observation"),
        (lambda s: 3, False, "the action 3"),
        (lambda s: 0.0, False, "values of type float64"),
    ],
)
def test_bad_actions_are_refused(w_trees, policy, vectorised, message):
    groomer = PolicyGroomer(policy, vectorised=vectorised)
    with pytest.raises(ValueError, match=message):
        groomer.groom(w_trees.select(slice(0, 3)))


class KerasLike:
    def predict(self, x, batch_size=32):
        return np.zeros((len(x), 2))


class NoState:
    def predict(self, observation, **options):
        return np.zeros(len(observation), int)


def test_bad_policies_are_refused(w_trees):
    with pytest.raises(ValueError, match="a str is not a policy"):
        PolicyGroomer("recursive-soft-drop")
    with pytest.raises(ValueError, match="KerasLike has no argument deterministic: wrap"):
        PolicyGroomer(KerasLike())
    with pytest.raises(ValueError, match="NoState returned a ndarray: it must return a pair"):
        PolicyGroomer(NoState()).groom(w_trees.select(slice(0, 3)))
    for state_dim in (1, 6, "5"):
        with pytest.raises(ValueError, match="must be 2 to 5"):
            PolicyGroomer(RSD.decide, state_dim=state_dim)


def test_a_faulty_subclass_is_refused_too(w_trees):
    class Faulty(NodeGroomer):
        name = symbol = "faulty"

        @property
        def parameters(self):
            return {}

        def decide(self, states):
            return np.zeros(3, int)

    with pytest.raises(ValueError, match="one action for each"):
        Faulty().groom(w_trees)
