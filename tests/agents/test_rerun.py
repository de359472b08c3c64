"""Entries of every family that a board runs again, from their name or from a network."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from hepgym.agents import rerun
from hepgym.agents.players import Order, player
from hepgym.agents.submitted import KERAS_MODEL, ONNX_MODEL, REFERENCE, load_network
from hepgym.leaderboards.board import Board
from hepgym.leaderboards.scores.jet_domains import Domains
from hepgym.leaderboards.service.boards import Boards
from hepgym.leaderboards.service.workers.jobs import agreement
from hepgym.leaderboards.tasks import TASKS, load_test_data, task
from hepgym.leaderboards.untrusted import unpack

UNWEIGHTING, VEGAS, DOMAINS, LUND, FIT = (
    task(name)
    for name in (
        "Unweighting-v0",
        "VegasSampling-v0",
        "JetDomains-QCD2W-v0",
        "LundImages-v0",
        "PDFFit-v0",
    )
)


def entry(of, agent):
    return next(one for one in Board(of.id).entries() if one.agent == agent)


def stored(of, agent):
    one = entry(of, agent)
    file = Boards(Path("none")).predictions(one)
    return unpack(file.read_bytes(), one.predictions)


def same(of, manifest, one, other, data):
    return agreement(*(rerun.comparable(of, manifest, each, data) for each in (one, other)))


FAMILIES = (
    "jet_grooming",
    "jet_domains",
    "lund_images",
    "vegas_sampling",
    "unweighting",
    "pdf_fit",
)


@pytest.mark.parametrize("name", [one.id for one in TASKS.values() if one.score in FAMILIES])
def test_every_shipped_reference_agent_is_known(name, tmp_path):
    for one in Board(name).entries():
        assert rerun.how(TASKS[name], one, tmp_path) == REFERENCE, one.agent
        stranger = one.model_copy(update={"agent": "stranger"})
        assert rerun.how(TASKS[name], stranger, tmp_path) is None


@pytest.mark.parametrize("agent", ["single-stage", "constant"])
def test_controls_of_unweighting(agent, tmp_path):
    data = load_test_data(UNWEIGHTING)
    manifest = entry(UNWEIGHTING, agent)
    own = rerun.run(UNWEIGHTING, manifest, tmp_path, data)
    assert np.array_equal(own["weight"], np.ones(len(data["events"]), np.float32))


@pytest.mark.slow
def test_a_shipped_surrogate_gives_its_weights(tmp_path):
    """Slow: TensorFlow."""
    data = load_test_data(UNWEIGHTING)
    manifest = entry(UNWEIGHTING, "surrogate")
    own = rerun.run(UNWEIGHTING, manifest, tmp_path, data)
    assert same(UNWEIGHTING, manifest, stored(UNWEIGHTING, "surrogate"), own, data) == 1.0
    # Weights have no unit, but they are not arbitrary.
    scaled = {"weight": 7 * own["weight"]}
    assert same(UNWEIGHTING, manifest, scaled, own, data) == 1.0
    other = {"weight": own["weight"] ** 1.1}
    assert same(UNWEIGHTING, manifest, other, own, data) < 0.01
    # Another seed than that of the model is another agent.
    assert rerun.how(UNWEIGHTING, manifest.model_copy(update={"seeds": (2,)}), tmp_path) is None


@pytest.fixture
def linear(tmp_path):
    """ONNX network with one weight matrix for each input."""
    onnx = pytest.importorskip("onnx", reason="needs the extra onnx")
    pytest.importorskip("onnxruntime", reason="needs the extra onnx")
    helper, numbers = onnx.helper, onnx.numpy_helper

    def write(shapes, factors):
        nodes, inputs, outputs, weights = [], [], [], []
        for k, (shape, factor) in enumerate(zip(shapes, factors, strict=True)):
            weights.append(numbers.from_array(np.asarray(factor, np.float32), f"w{k}"))
            inputs.append(
                helper.make_tensor_value_info(f"x{k}", onnx.TensorProto.FLOAT, ["n", *shape])
            )
            outputs.append(
                helper.make_tensor_value_info(
                    f"y{k}", onnx.TensorProto.FLOAT, ["n", *shape[:-1], np.shape(factor)[-1]]
                )
            )
            nodes.append(helper.make_node("MatMul", [f"x{k}", f"w{k}"], [f"y{k}"]))
        graph = helper.make_graph(nodes, "linear", inputs, outputs, weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        (tmp_path / ONNX_MODEL).write_bytes(model.SerializeToString())
        return tmp_path

    return write


def test_a_network_for_unweighting(linear):
    from hepgym.agents.unweighting.features import FEATURES, features

    events = load_test_data(UNWEIGHTING)["events"]
    few = dataclasses.replace(
        events, points=events.points[:500], matrix_elements=events.matrix_elements[:500]
    )
    factor = np.linspace(-0.1, 0.1, FEATURES)[:, None]
    manifest = entry(UNWEIGHTING, "constant")
    folder = linear([(FEATURES,)], [factor])
    assert rerun.how(UNWEIGHTING, manifest, folder) == ONNX_MODEL
    own = rerun.run(UNWEIGHTING, manifest, folder, {"events": few})["weight"]
    expected = few.phase_space_weights * np.exp(features(few.momenta) @ factor)[:, 0]
    assert np.allclose(own, expected, rtol=1e-4)
    with pytest.raises(ValueError, match=r"features \(n, 15\) or momenta \(n, 6, 4\) are needed"):
        rerun.run(UNWEIGHTING, manifest, linear([(3,)], [np.ones((3, 1))]), {"events": few})
    wide = linear([(FEATURES,)], [np.ones((FEATURES, 2))])
    with pytest.raises(ValueError, match="one number for each is needed"):
        rerun.run(UNWEIGHTING, manifest, wide, {"events": few})


def test_a_network_for_jet_domains(linear):
    images = {
        role: np.random.default_rng(k).random((10, 24, 24), np.float32)
        for k, role in enumerate("AB")
    }
    data = {"domains": Domains(images, None, None)}  # type: ignore[arg-type]
    manifest = entry(DOMAINS, "identity")
    square = (24, 24)
    folder = linear([square, square], [2 * np.eye(24), 3 * np.eye(24)])
    assert rerun.how(DOMAINS, manifest, folder) == ONNX_MODEL
    own = rerun.run(DOMAINS, manifest, folder, data)
    for name, expected in {
        "A_to_B": 2 * images["A"],
        "B_to_A": 3 * images["B"],
        "A_cycle": 6 * images["A"],
        "B_cycle": 6 * images["B"],
    }.items():
        assert np.allclose(own[name], expected), name
    with pytest.raises(ValueError, match="needs two, images of A and of B"):
        rerun.run(DOMAINS, manifest, linear([square], [np.eye(24)]), data)


def test_files_that_an_entry_names_are_not_opened(tmp_path, monkeypatch):
    from hepgym.agents.jet_domains import player

    monkeypatch.setattr(player, "load_train_jets", lambda *_: pytest.fail("a file was opened"))
    data = {"domains": Domains({}, None, None)}  # type: ignore[arg-type]
    for name in ("train_a", "train_b"):
        settings = {name: str(tmp_path / "board.root")}
        manifest = entry(DOMAINS, "quantile-map").model_copy(update={"hyperparameters": settings})
        with pytest.raises(ValueError, match="files that the board does not have"):
            rerun.run(DOMAINS, manifest, tmp_path, data)


@pytest.mark.slow
@pytest.mark.parametrize("agent", ["identity", "quantile-map", "noise-floor"])
def test_controls_of_jet_domains(agent, tmp_path):
    """Slow: images of all jets."""
    data = load_test_data(DOMAINS)
    manifest = entry(DOMAINS, agent)
    own = rerun.run(DOMAINS, manifest, tmp_path, data)
    assert same(DOMAINS, manifest, stored(DOMAINS, agent), own, data) == 1.0


@pytest.mark.parametrize(
    "agent",
    [
        "independent-pixels",
        pytest.param("gaussian", marks=pytest.mark.slow),
        pytest.param("flow-matching", marks=pytest.mark.slow),
    ],
)
def test_a_generator_makes_its_images_again(agent, tmp_path):
    manifest = entry(LUND, agent)
    own = rerun.run(LUND, manifest, tmp_path, {})
    assert same(LUND, manifest, stored(LUND, agent), own, {}) == 1.0
    *trained, seed = manifest.seeds
    other = manifest.model_copy(update={"seeds": (*trained, seed + 1)})
    assert same(LUND, manifest, rerun.run(LUND, other, tmp_path, {}), own, {}) < 0.99
    with pytest.raises(ValueError, match="names no seed"):
        rerun.run(LUND, manifest.model_copy(update={"seeds": ()}), tmp_path, {})


def test_a_sampler_plays_its_seeds_or_fresh_ones(tmp_path):
    order = Order("vegas", {"integrands": "gauss-4d", "budgets": 200_000}, None, tmp_path / "run")
    made = player(VEGAS).run(VEGAS, order, lambda *_: None).submission
    data = load_test_data(VEGAS)
    own = rerun.run(VEGAS, made.manifest, tmp_path, data)
    assert same(VEGAS, made.manifest, made.predictions, own, data) == 1.0
    fresh, again, other = (
        rerun.run(VEGAS, made.manifest, tmp_path, data, seed)["estimate/gauss-4d/200000"]
        for seed in (5, 5, 6)
    )
    assert np.array_equal(fresh, again)
    # Seeds follow each other: those of a neighbouring refresh are the same but for one.
    assert np.array_equal(fresh[1:], other[:-1])
    assert not np.isin(fresh, own["estimate/gauss-4d/200000"]).any()
    assert np.isclose(fresh.mean(), data["integrands"].members["gauss-4d"].value, rtol=1e-3)
    # Seeds that were chosen are not played again.
    chosen = made.manifest.model_copy(update={"seeds": tuple(range(3, 23))})
    with pytest.raises(ValueError, match="only entries with seeds 1, 2"):
        rerun.run(VEGAS, chosen, tmp_path, data)


@pytest.mark.parametrize(
    ("of", "agent", "sentence"),
    [(VEGAS, "flow", "takes hours"), (FIT, "n3fit", "fits are not run again")],
)
def test_what_is_not_run_again_says_why(of, agent, sentence, tmp_path):
    manifest = Board(of.id).entries()[0].model_copy(update={"agent": agent})
    assert rerun.how(of, manifest, tmp_path) == REFERENCE
    with pytest.raises(ValueError, match=sentence):
        rerun.run(of, manifest, tmp_path, load_test_data(of) if of is VEGAS else {})


@pytest.mark.parametrize("name", [ONNX_MODEL, pytest.param(KERAS_MODEL, marks=pytest.mark.slow)])
def test_a_file_that_is_no_network(tmp_path, name):
    if name == ONNX_MODEL:
        pytest.importorskip("onnxruntime", reason="needs the extra onnx")
    (tmp_path / name).write_bytes(b"\x08" + bytes(500))
    with pytest.raises(ValueError, match="cannot be loaded"):
        load_network(tmp_path / name)
