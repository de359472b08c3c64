"""The DQN agent's parts: settings, memory, exploration, network, update rule, files, import."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hepgym.agents.jet_grooming.dqn import (
    DQNGroomer,
    DQNSettings,
    export_onnx,
    import_groomrl,
    published_settings,
    reference_settings,
)
from hepgym.agents.jet_grooming.dqn.exploration import explore
from hepgym.agents.jet_grooming.dqn.learner import Learner
from hepgym.agents.jet_grooming.dqn.replay import ReplayMemory, Transitions
from hepgym.agents.jet_grooming.networks.network import build_network
from hepgym.envs.jet_grooming import TOP_REWARD, W_REWARD

PUBLISHED = Path(__file__).parents[4] / "shared" / "data" / "groomrl"
JSON = PUBLISHED / "groomerW_final_model.json"
HDF5 = PUBLISHED / "groomerW_final_weights.h5"
needs_published = pytest.mark.skipif(
    not HDF5.exists(), reason="the published GroomRL weights are not here"
)

TINY = DQNSettings(layers=2, units=6, dropout=0.0, num_envs=10, batch_size=4)


def transitions(random: np.random.Generator, shape: tuple[int, ...], dim: int = 5) -> Transitions:
    return Transitions(
        random.normal(size=(*shape, dim)).astype(np.float32),
        random.integers(2, size=shape, dtype=np.uint8),
        random.normal(size=shape).astype(np.float32),
        random.normal(size=(*shape, dim)).astype(np.float32),
        random.random(shape) < 0.3,
    )


def test_defaults_are_the_published_ones():
    w, top = published_settings(), published_settings("JetGroomingTop-v0")
    assert (w.layers, w.units, w.dropout, w.dueling, w.double) == (10, 100, 0.05, True, False)
    assert (w.learning_rate, w.optimiser, w.policy, w.exploration) == (
        1.147e-4, "adam", "boltzmann", 1.0,
    )  # fmt: skip
    assert (w.target_update, w.warmup, w.replay, w.gamma, w.steps) == (
        1e-2, 500, 500_000, 0.99, 500_000,
    )  # fmt: skip
    assert (w.reward, w.p_bkg) == (W_REWARD, 0.483)
    assert (top.reward, top.p_bkg) == (TOP_REWARD, 0.2)


def test_reference_settings_are_for_the_task():
    for task in ("JetGrooming-v0", "JetGroomingTop-v0"):
        settings = reference_settings(task, seed=3)
        assert (settings.task, settings.seed) == (task, 3)
        assert settings.exploration_steps == settings.steps // 2
    assert reference_settings().reward.mass_target == W_REWARD.mass_target
    with pytest.raises(ValueError, match="task is 'Chess-v0'"):
        reference_settings("Chess-v0")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"layers": 0}, "layers is 0 but must be an integer more than 0"),
        ({"units": 2.5}, "units is 2.5 but must be an integer"),
        ({"dueling": 1}, "dueling is 1 but must be true or false"),
        ({"dropout": 1.0}, "dropout is 1.0 but must be a number at least 0 and less than 1"),
        ({"learning_rate": float("nan")}, "learning_rate is nan"),
        ({"learning_rate": None}, "learning_rate is None"),
        ({"seed": -1}, "seed is -1"),
        ({"optimiser": "lion"}, "optimiser is 'lion' but must be one of adam"),
        ({"task": "Chess-v0"}, "task is 'Chess-v0'"),
        ({"num_envs": 50, "steps_per_update": 7}, "multiple of steps_per_update"),
        ({"replay": 10}, "at least num_envs"),
        ({"policy": "epsilon", "exploration": 2.0}, "at most 1"),
        ({"final_exploration": 0.0}, "temperature, is 0"),
        ({"reward": {"mass_widht": 2.0}}, "no parameter 'mass_widht'"),
        ({"nb_steps": 5}, "no setting 'nb_steps'"),
    ],
)
def test_bad_settings_are_one_clear_sentence(changes, message):
    with pytest.raises(ValueError, match=message) as error:
        published_settings(**changes)
    assert "\n" not in str(error.value)


def test_settings_survive_json():
    settings = published_settings(
        "JetGroomingTop-v0", learning_rate=1, reward={"mass_width": 7.0}, final_exploration=0.1
    )
    assert DQNSettings.from_dict(json.loads(json.dumps(settings.as_dict()))) == settings
    assert settings.reward.mass_width == 7.0


def test_exploration_is_annealed():
    settings = DQNSettings(final_exploration=0.2, exploration_steps=1000)
    assert [settings.exploration_at(step) for step in (0, 500, 1000, 5000)] == pytest.approx(
        [1.0, 0.6, 0.2, 0.2]
    )


def test_memory_keeps_the_latest_and_survives_saving(random):
    memory = ReplayMemory(7, 5)
    rows = [transitions(random, (3,)) for _ in range(4)]
    for row in rows:
        memory.add(row)
    assert memory.size == 7
    every = Transitions(*(np.concatenate(column) for column in zip(*rows, strict=True)))
    latest = {float(value) for value in every.reward[-7:]}
    drawn = memory.sample(random, (50, 20))
    assert drawn.state.shape == (50, 20, 5)
    assert {float(value) for value in drawn.reward.ravel()} == latest
    # Columns stay together.
    of = {float(every.reward[i]): i for i in range(12)}
    index = np.array([of[float(value)] for value in drawn.reward.ravel()])
    for ours, theirs in zip(drawn, every, strict=True):
        np.testing.assert_array_equal(ours.reshape(1000, *ours.shape[2:]), theirs[index])

    copy = ReplayMemory(7, 5)
    copy.restore(memory.as_arrays())
    new = transitions(random, (2,))
    memory.add(new)
    copy.add(new)
    for ours, theirs in zip(memory.as_arrays().values(), copy.as_arrays().values(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (DQNSettings(exploration=0.5), 1 / (1 + np.exp(-0.3 / 0.5))),
        (DQNSettings(policy="epsilon", exploration=0.3), 0.85),
    ],
)
def test_exploration_has_the_right_frequencies(random, settings, expected):
    q = np.tile(np.array([1.0, 1.3], np.float32), (200_000, 1))
    actions = explore(settings, q, 0, random)
    assert actions.mean() == pytest.approx(expected, abs=0.005)


def test_boltzmann_survives_large_values(random):
    q = np.array([[1e4, -1e4], [-1e4, 1e4]], np.float32)
    np.testing.assert_array_equal(explore(DQNSettings(), q, 0, random), [0, 1])


def forward(
    settings: DQNSettings, arrays: list[NDArray[Any]], states: NDArray[np.floating]
) -> NDArray[np.float64]:
    """A dense network with a dueling head in plain NumPy."""
    x = states.astype(np.float64)
    for i in range(settings.layers):
        x = np.maximum(x @ arrays[2 * i] + arrays[2 * i + 1], 0)
    advantage, value = (x @ kernel + bias for kernel, bias in (arrays[-4:-2], arrays[-2:]))
    if advantage.shape[-1] == 1:
        advantage, value = value, advantage
    out: NDArray[np.float64] = value + advantage - advantage.mean(axis=-1, keepdims=True)
    return out


def test_network_is_the_one_described(random):
    network = build_network(TINY)
    states = random.normal(size=(9, 5)).astype(np.float32)
    expected = forward(TINY, network.get_weights(), states)
    np.testing.assert_allclose(network(states), expected, atol=1e-6)
    same, other = build_network(TINY), build_network(dataclasses.replace(TINY, seed=1))
    np.testing.assert_array_equal(network(states), same(states))
    assert (network(states) != other(states)).numpy().any()


@pytest.mark.parametrize("double", [False, True])
def test_update_follows_the_bellman_equation(random, double):
    settings = dataclasses.replace(
        TINY, double=double, optimiser="sgd", learning_rate=0.01, gamma=0.9, target_update=0.25
    )
    learner = Learner(settings)
    # Biases of zero would put dead units onto the kink of ReLU.
    for network in (learner.online, learner.target):
        network.set_weights([w + random.normal(0, 0.3, w.shape) for w in network.get_weights()])
    before = learner.online.get_weights()
    target = learner.target.get_weights()
    batch = transitions(random, (1, 64))
    state, action, reward, following, terminal = (column[0] for column in batch)

    next_values = forward(settings, target, following)
    chosen = forward(settings, before, following) if double else next_values
    best = next_values[np.arange(64), chosen.argmax(axis=1)]
    goal = reward + 0.9 * np.where(terminal, 0.0, best)

    def loss(arrays: list[NDArray[Any]]) -> float:
        value = forward(settings, arrays, state)[np.arange(64), action]
        return float(0.5 * np.mean((goal - value) ** 2))

    assert learner.update(batch) == pytest.approx(loss(before), rel=1e-5)
    after = learner.online.get_weights()
    for i, place in ((0, (1, 2)), (3, (4,)), (4, (2, 0))):
        shifted = [w.astype(np.float64) for w in before]
        shifted[i][place] += 1e-5
        slope = (loss(shifted) - loss(before)) / 1e-5
        assert after[i][place] - before[i][place] == pytest.approx(-0.01 * slope, abs=2e-6)
    for new, old, online in zip(learner.target.get_weights(), target, after, strict=True):
        np.testing.assert_allclose(new, old + 0.25 * (online - old), atol=1e-6)


def test_values_that_come_with_an_update_are_those_after_it(random):
    one, other = Learner(TINY), Learner(TINY)
    batch, states = transitions(random, (3, 4)), random.normal(size=(7, 5)).astype(np.float32)
    before = one.values(states)
    loss, values = one.update_and_value(batch, states)
    assert loss == other.update(batch)
    np.testing.assert_array_equal(values, other.values(states))
    assert (values != before).any()


def test_learner_is_restored_exactly(random):
    settings = dataclasses.replace(TINY, dropout=0.5, average=0.5)
    one, other = Learner(settings), Learner(dataclasses.replace(settings, seed=9))
    one.update(transitions(random, (3, 4)))
    other.restore(one.as_arrays())
    batch = transitions(random, (3, 4))
    assert one.update(batch) == other.update(batch)
    for a, b in zip(one.as_arrays().values(), other.as_arrays().values(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_groomer_lives_in_a_folder(tmp_path, w_trees):
    settings = dataclasses.replace(TINY, dropout=0.1, state_dim=3)
    groomer = DQNGroomer(build_network(settings), settings)
    groomer.save(tmp_path / "agent")
    again = DQNGroomer.load(tmp_path / "agent")
    jets = w_trees.select(slice(0, 100))
    np.testing.assert_array_equal(again.groom(jets).momenta, groomer.groom(jets).momenta)
    assert again.settings == settings
    assert json.loads(json.dumps(again.parameters)) == again.parameters
    assert again.parameters["seed"] == 0
    assert again.parameters["reward_mass_target"] == 80.385
    assert str(again) == "DQN(dense 2x6, seed=0)"


def test_decisions_do_not_depend_on_the_batch(w_trees):
    groomer = DQNGroomer(build_network(TINY), TINY)
    states = w_trees.states.astype(np.float32)[:9000]
    together, alone = groomer.values(states), groomer.values(states[8990:])
    np.testing.assert_allclose(together[8990:], alone, atol=1e-5)
    assert groomer.decide(states[:0]).shape == (0,)


def test_folders_that_are_no_agent_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"no settings\.json"):
        DQNGroomer.load(tmp_path)
    groomer = DQNGroomer(build_network(TINY), TINY)
    groomer.save(tmp_path)
    file = tmp_path / "settings.json"
    values = json.loads(file.read_text())
    values["settings"]["state_dim"] = 4
    file.write_text(json.dumps(values))
    with pytest.raises(ValueError, match="do not belong together"):
        DQNGroomer.load(tmp_path)
    file.write_text("{}")
    with pytest.raises(ValueError, match=r"settings\.json cannot be used"):
        DQNGroomer.load(tmp_path)
    file.write_text(json.dumps({**values, "settings": TINY.as_dict()}))
    (tmp_path / "model.keras").unlink()
    with pytest.raises(ValueError, match=r"no file model\.keras"):
        DQNGroomer.load(tmp_path)


def test_importing_is_light():
    code = (
        "import sys, hepgym.agents.jet_grooming.dqn as d; d.published_settings();"
        "print([m for m in ('tensorflow', 'keras', 'h5py', 'onnx', 'matplotlib', 'rich')"
        " if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "changes",
    [{}, {"dueling": False, "standardise": True, "state_dim": 3}, {"architecture": "lstm"}],
    ids=["dueling", "standardised", "lstm"],
)
def test_onnx_gives_the_same_values(tmp_path, random, changes):
    pytest.importorskip("onnx", reason="ONNX export needs the package onnx")
    runtime = pytest.importorskip("onnxruntime", reason="the check needs onnxruntime")
    settings = dataclasses.replace(TINY, **changes)
    dim = settings.state_dim
    standard = (np.linspace(-1, 1, dim, dtype=np.float32), np.linspace(1, 3, dim, dtype=np.float32))
    groomer = DQNGroomer(build_network(settings, standard), settings)
    file = export_onnx(groomer, tmp_path / "model.onnx")
    session = runtime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    states = random.normal(size=(50, 5)).astype(np.float32)
    (values,) = session.run(["q"], {"state": states[:, :dim]})
    np.testing.assert_allclose(values, groomer.values(states), atol=1e-5)


@needs_published
def test_published_network_is_reproduced(random, w_trees):
    import h5py

    groomer = import_groomrl(JSON, HDF5)
    states = w_trees.states.astype(np.float32)[:500]
    x = states.astype(np.float64)
    with h5py.File(HDF5) as file:
        for i in range(1, 13):
            layer = file[f"dense_{i}/dense_{i}"]
            x = x @ np.asarray(layer["kernel:0"], np.float64) + np.asarray(layer["bias:0"])
            x = np.maximum(x, 0) if i <= 10 else x
    expected = x[:, :1] + x[:, 1:] - x[:, 1:].mean(axis=1, keepdims=True)
    np.testing.assert_allclose(groomer.values(states), expected, atol=1e-4)


@needs_published
def test_published_network_has_its_score(tmp_path):
    from hepgym.agents.jet_grooming.playing import play_test_set
    from hepgym.leaderboards.tasks import task

    import_groomrl(JSON, HDF5).save(tmp_path)
    score = play_test_set(task("JetGrooming-v0"), DQNGroomer.load(tmp_path)).score
    # 11.2 GeV, 80.1 GeV and 3.76 on an independent sample of 6,000 jets; the window's bootstrap
    # error there is 0.4 GeV.
    assert score.window.value == pytest.approx(11.2, abs=1.2)
    assert score.median.value == pytest.approx(80.1, abs=0.1)
    assert score.loss.value == pytest.approx(3.76, abs=0.5)


def edited(tmp_path: Path, edit: Any) -> Path:
    content = json.loads(json.loads(JSON.read_text()))
    edit(content["config"]["layers"])
    file = tmp_path / "model.json"
    file.write_text(json.dumps(content))
    return file


def _other_activation(layers: list[Any]) -> None:
    layers[3]["config"]["activation"] = "tanh"


def _other_size(layers: list[Any]) -> None:
    layers[4]["config"]["units"] = 50


def _other_end(layers: list[Any]) -> None:
    layers[-1]["class_name"] = "Dense"
    layers[-1]["config"].update(units=2, activation="linear", use_bias=True)


def _branch(layers: list[Any]) -> None:
    layers[5]["inbound_nodes"][0][0][0] = "dense_1"


@needs_published
@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (_other_activation, "not a dense GroomRL model"),
        (_other_size, r"hidden layers have sizes \[50, 100\]"),
        (_other_end, "it ends with Dense 2, Dense 3, Dense 2"),
        (_branch, "not one chain"),
    ],
)
def test_other_models_are_refused(tmp_path, edit, message):
    with pytest.raises(ValueError, match=message):
        import_groomrl(edited(tmp_path, edit), HDF5)


@needs_published
def test_files_that_do_not_fit_are_refused(tmp_path):
    import h5py

    with pytest.raises(ValueError, match="cannot be read"):
        import_groomrl(HDF5, HDF5)
    with pytest.raises(ValueError, match="does not exist"):
        import_groomrl(JSON, tmp_path / "none.h5")
    with pytest.raises(ValueError, match="does not hold the weights"):
        import_groomrl(JSON, JSON)
    with h5py.File(HDF5) as source, h5py.File(tmp_path / "other.h5", "w") as copy:
        for name in source:
            source.copy(name, copy)
        del copy["dense_2/dense_2/kernel:0"]
        copy["dense_2/dense_2/kernel:0"] = np.zeros((100, 99), np.float32)
    with pytest.raises(ValueError, match="layer dense_2 has a kernel of shape"):
        import_groomrl(JSON, tmp_path / "other.h5")
