"""The observation "context": against a plain recursion, and the same in every way to get it."""

from __future__ import annotations

import math
import pickle

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode

import hepgym  # noqa: F401  (registers the environments)
from hepgym.datasets.jets.trees import STATE_FIELDS, ClusteringTrees, mass
from hepgym.envs.jet_grooming.env import JetGroomingEnv
from hepgym.envs.jet_grooming.observation import (
    CONTEXT_FIELDS,
    OBSERVATIONS,
    observe_trees,
)
from hepgym.envs.jet_grooming.vector_env import JetGroomingVectorEnv
from hepgym.envs.registration import JET_GROOMING

COLUMN = {name: i for i, name in enumerate(CONTEXT_FIELDS)}


def ln_mass(momenta):
    value = float(mass(momenta.sum(axis=0)))
    return math.log(value) if value > 0 else -math.inf


def walk(trees, jet):
    """Rows of CONTEXT_FIELDS for the nodes of a jet, by recursion over constituents."""
    constituents = trees.constituents[trees.offsets[jet] : trees.offsets[jet + 1]]
    states = trees.states[trees.node_offsets[jet] : trees.node_offsets[jet + 1]]
    sizes = trees.softer_size[trees.node_offsets[jet] : trees.node_offsets[jet + 1]]
    everything = constituents.sum(axis=0)
    rows = {}

    def descend(node, members, above, softer, level):
        """Visit a node that owns ``members`` and return the set of nodes in it."""
        if len(members) == 1:
            return set()
        soft = members[: sizes[node]], members[sizes[node] :]
        row = dict(zip(STATE_FIELDS, states[node], strict=True))
        row["jet_ln_pt"] = math.log(math.hypot(everything[0], everything[1]))
        row["jet_ln_m"] = ln_mass(constituents)
        row["jet_ln_n"] = math.log(len(constituents))
        for name, value in zip(STATE_FIELDS, states[above[-1]] if above else [0] * 5, strict=True):
            row[f"parent_{name}"] = value
        row["in_softer"] = float(softer)
        row["ln_depth"] = math.log(1 + len(above))
        row["level"] = level
        for name, own in zip(("softer", "harder"), soft, strict=True):
            value = ln_mass(constituents[own]) if len(own) > 1 else -math.inf
            row[f"{name}_ln_m"] = max(value, -2.0)
        inside = {
            "in_softer": descend(node + 1, soft[0], [*above, node], True, level + 1),
            "in_harder": descend(node + sizes[node], soft[1], [*above, node], False, level),
            "here": {node},
        }
        rows[node] = row, inside
        return set().union(*inside.values())

    descend(0, np.arange(len(constituents)), [], False, 0)
    ranked = sorted(rows, key=lambda node: -states[node][4])
    for row, inside in rows.values():
        for name, place in (("hardest", 0), ("second", 1)):
            found = ranked[place] if place < len(ranked) else None
            for field in ("ln_z", "ln_Delta", "ln_m", "ln_kt"):
                value = 0.0 if found is None else states[found][STATE_FIELDS.index(field)]
                row[f"{name}_{field}"] = value
            for flag, nodes in inside.items():
                row[f"{name}_{flag}"] = float(found in nodes)
            assert name == "second" or not row["hardest_in_softer"]
    return np.array([[rows[node][0][name] for name in CONTEXT_FIELDS] for node in sorted(rows)])


def test_context_is_the_one_described(w_trees, top_trees):
    for trees in (w_trees, top_trees):
        found = observe_trees(trees, "context")
        assert found.dtype == np.float32
        for jet in range(40):
            rows = slice(*trees.node_offsets[jet : jet + 2])
            # Masses of nearly massless branches differ by rounding.
            np.testing.assert_allclose(found[rows], walk(trees, jet), rtol=2e-5, atol=2e-4)
    # Nothing stands still, and the flags are what they say.
    found = observe_trees(w_trees, "context")
    assert (found.std(axis=0) > 0.01).all()
    flags = found[:, [COLUMN[f"hardest_{name}"] for name in ("here", "in_harder")]]
    assert set(flags.sum(axis=1)) == {0.0, 1.0}
    assert flags[:, 0].sum() == len(w_trees)
    root = w_trees.node_offsets[:-1]
    assert not found[root][:, COLUMN["parent_ln_z"] : COLUMN["in_softer"] + 1].any()


def test_a_jet_of_one_splitting_has_no_second():
    trees = ClusteringTrees(
        np.array([0, 1, 3]),
        np.array([[500.0, 0, 0, 500], [30, 30, 9, 45], [300, 0, 0, 300]]),
        np.array([1], np.int32),
    )
    (row,) = observe_trees(trees, "context")
    assert row[COLUMN["hardest_here"]] == 1.0
    assert not row[COLUMN["second_ln_z"] :].any()
    assert row[COLUMN["jet_ln_n"]] == pytest.approx(math.log(2))
    assert row[COLUMN["harder_ln_m"]] == -2.0


def test_the_node_is_what_it_was(w_trees):
    np.testing.assert_array_equal(observe_trees(w_trees), w_trees.states.astype(np.float32))
    np.testing.assert_array_equal(
        observe_trees(w_trees, "context")[:, :5], w_trees.states.astype(np.float32)
    )


@pytest.mark.parametrize("name", list(JET_GROOMING))
def test_contract(name):
    env = gymnasium.make(name, split="test", observation="context")
    check_env(env.unwrapped, skip_render_check=True)
    envs = gymnasium.make_vec(name, num_envs=3, split="test", observation="context")
    observation, _ = envs.reset(seed=0)
    assert envs.observation_space.contains(observation)
    assert observation.shape == (3, len(CONTEXT_FIELDS))


@pytest.mark.parametrize("state_dim", [None, 8, 18])
def test_environments_show_what_policies_are_asked_about(w_trees, qcd_trees, random, state_dim):
    """Single, vector and batched observation are equal to the bit, and so is the game."""
    jets = {"signal": w_trees, "background": qcd_trees}
    context = {"observation": "context", "state_dim": state_dim}
    envs = JetGroomingVectorEnv(30, AutoresetMode.SAME_STEP, **jets, **context)
    plain = JetGroomingVectorEnv(30, AutoresetMode.SAME_STEP, **jets)
    single = JetGroomingEnv(**jets, **context)
    batched = [observe_trees(trees, "context")[:, :state_dim] for trees in (qcd_trees, w_trees)]
    starts = [trees.node_offsets for trees in (qcd_trees, w_trees)]
    observation, info = envs.reset(seed=1)
    plain.reset(seed=1)
    for _ in range(100):
        for k in range(30):
            label, jet, node = (int(info[name][k]) for name in ("label", "jet", "node"))
            row = batched[label][starts[label][jet] + node]
            np.testing.assert_array_equal(observation[k], row)
            assert envs.single_observation_space.contains(row)
        alone, _ = single.reset(options={"jet": jet, "label": label})
        np.testing.assert_array_equal(alone, batched[label][starts[label][jet]])
        actions = random.integers(0, 2, 30)
        observation, reward, ended, _, info = envs.step(actions)
        _, same_reward, same_ended, _, same_info = plain.step(actions)
        np.testing.assert_array_equal(reward, same_reward)
        np.testing.assert_array_equal(ended, same_ended)
        np.testing.assert_array_equal(info["mass"], same_info["mass"])
    thawed = pickle.loads(pickle.dumps(envs))
    for a, b in zip(envs.step(actions)[:3], thawed.step(actions)[:3], strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_end_is_zero_and_inside_the_space(w_trees, qcd_trees):
    env = JetGroomingEnv(signal=w_trees, background=qcd_trees, observation="context")
    env.reset(options={"jet": 0})
    terminated = False
    while not terminated:
        observation, _, terminated, _, _ = env.step(1)
    assert not observation.any()
    assert env.observation_space.contains(observation)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"observation": "jet"}, "observation 'jet' is none of node, context"),
        (
            {"observation": "context", "state_dim": 5},
            "must be 6 to 31 with the observation context",
        ),
        ({"observation": "context", "state_dim": 32}, "must be 6 to 31"),
        ({"state_dim": True}, "state_dim = True"),
    ],
)
def test_bad_arguments_are_named(w_trees, qcd_trees, arguments, message):
    with pytest.raises(ValueError, match=message):
        JetGroomingEnv(signal=w_trees, background=qcd_trees, **arguments)


def test_every_component_has_a_name_and_bounds():
    for observation in OBSERVATIONS.values():
        assert len(set(observation.fields)) == len(observation.fields)
        assert observation.low.shape == observation.high.shape == (len(observation.fields),)
        assert (observation.low < observation.high).all()
        # The observation of a jet that has ended is zero.
        assert ((observation.low <= 0) & (observation.high >= 0)).all()
