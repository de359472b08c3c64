"""Levels of trust: what the board runs itself, and what it makes of the outcome."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from hepgym.agents.jet_grooming import make_groomer
from hepgym.agents.jet_grooming.playing import play_test_set
from hepgym.agents.players import Order, player
from hepgym.datasets.catalogue import SPECS
from hepgym.datasets.unweighting import produce_events
from hepgym.leaderboards.board import Board
from hepgym.leaderboards.service import commands
from hepgym.leaderboards.service.archives.packing import pack
from hepgym.leaderboards.service.service import open_service
from hepgym.leaderboards.service.settings import Limits, ServiceSettings
from hepgym.leaderboards.service.storage import handing_in
from hepgym.leaderboards.service.storage.accounts import Account
from hepgym.leaderboards.service.trust import Checks, Fresh, Rerun, awaiting_rerun
from hepgym.leaderboards.service.workers import fresh_events
from hepgym.leaderboards.service.workers.jobs import agreement
from hepgym.leaderboards.service.workers.loop import Stop, work
from hepgym.leaderboards.submission import evaluate_predictions, write_submission
from hepgym.leaderboards.tasks import load_test_data, task

TASK = task("JetGrooming-v0")
RUNNER = "hepgym.agents.rerun"
ME = Account(None, "anonymous", "submitter")
CUT = 0.08
REFRESHED = (
    "JetGrooming-v0",
    "JetDomains-QCD2W-v0",
    "LundImages-v0",
    "Unweighting-v0",
    "VegasSampling-v0",
)


@pytest.fixture
def settings(tmp_path) -> ServiceSettings:
    return ServiceSettings(
        folder=tmp_path / "service", shipped=False, anonymous="submitter", runner=RUNNER, draw=False
    )


@pytest.fixture
def service(settings):
    with open_service(settings) as opened:
        yield opened


@pytest.fixture
def submit(service, tmp_path):
    """Hand a folder in, do all jobs, and return the row of the board."""

    def submit(folder, attachments=None, account=ME):
        archive = tmp_path / "archive"
        archive.write_bytes(pack(folder, attachments))
        handed, _ = handing_in.hand_in(service.database, service.settings, archive, account)
        work(service.settings, stop=Stop(), until_empty=True)
        return service.views.row(handed.task, handed.entry)

    return submit


@pytest.fixture(scope="session")
def mmdt():
    """Predictions of a reference agent and their score."""
    play = play_test_set(TASK, make_groomer("mmdt", z_cut=0.05), load_test_data(TASK))
    return {"agent": "mmdt", "predictions": play.predictions(), "score": play.score}


def test_a_reference_agent_is_run_again_and_refreshed(service, submit, write, mmdt):
    row = submit(write(0, **mmdt, hyperparameters={"z_cut": 0.05}))
    assert row.entry.trust == "re-run"
    assert row.checks.rerun.how == "reference agent"
    assert row.checks.rerun.agreement == 1.0
    assert row.checks.rerun.metrics == row.entry.recomputed
    # The same agent with predictions that are not its own.
    lying = submit(write(1, **mmdt, hyperparameters={"z_cut": 0.3}))
    assert lying.entry.trust == "recomputed"
    assert not lying.checks.rerun.passed
    assert 0.5 < lying.checks.rerun.agreement < 0.9999

    commands.refresh(TASK.id, size=20, settings=service.settings)
    work(service.settings, stop=Stop(), until_empty=True)
    row = service.views.row(TASK.id, row.entry.id)
    assert row.entry.trust == "fresh"
    (fresh,) = row.checks.fresh
    assert fresh.events == {"signal": 20, "background": 20}
    assert fresh.seed > 0
    difference, error = row.gap
    assert error > 0
    assert abs(difference) < 6 * error
    assert service.views.row(TASK.id, lying.entry.id).entry.trust == "recomputed"
    # It is written in the folder, which is all that an index is made from.
    assert service.boards.checks(TASK.id, row.entry.id) == row.checks


@pytest.mark.slow
def test_the_seed_makes_the_same_events_again(service, submit, write, mmdt):
    """Slow: Pythia starts twice for each dataset."""
    row = submit(write(10, **mmdt, hyperparameters={"z_cut": 0.05}))
    commands.refresh(TASK.id, size=20, settings=service.settings)
    work(service.settings, stop=Stop(), until_empty=True)
    (fresh,) = service.views.row(TASK.id, row.entry.id).checks.fresh
    assert fresh.metrics["loss"] == _score_again(fresh.seed, 20)


def _score_again(seed, size):
    from hepgym.agents.jet_grooming.playing import play_test_set as play
    from hepgym.datasets import spec
    from hepgym.datasets.jets.clustering import cluster
    from hepgym.datasets.jets.generation import generate_chunk
    from hepgym.datasets.jets.production import Sample

    data = {}
    for role, dataset_id in TASK.datasets.items():
        sample = Sample(dataset_id, spec(dataset_id).settings, "test", size, seed)
        ((pythia_seed, jets),) = sample.chunks()
        chunk = generate_chunk(sample.settings, pythia_seed, jets)
        offsets = np.concatenate([[0], np.cumsum(chunk.counts)])
        data[role] = cluster(offsets, chunk.constituents)
    return play(TASK, make_groomer("mmdt", z_cut=0.05), data).score.loss


@pytest.fixture
def onnx_cut(tmp_path):
    """Model that removes a branch if z < CUT, as ONNX."""
    onnx = pytest.importorskip("onnx", reason="needs the extra onnx")
    pytest.importorskip("onnxruntime", reason="needs the extra onnx")

    def write(cut=CUT, name="model.onnx", **changes):
        helper, numbers = onnx.helper, onnx.numpy_helper
        weights = np.zeros((5, 2), np.float32)
        weights[0, 1] = -1.0
        graph = helper.make_graph(
            [helper.make_node("Gemm", ["state", "w", "b"], ["q"])],
            "cut",
            [helper.make_tensor_value_info("state", onnx.TensorProto.FLOAT, ["n", 5])],
            [helper.make_tensor_value_info("q", onnx.TensorProto.FLOAT, ["n", 2])],
            [
                numbers.from_array(weights, "w"),
                numbers.from_array(np.array([0.0, np.log(cut)], np.float32), "b"),
            ],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        file = tmp_path / name
        file.write_bytes(model.SerializeToString())
        return file

    return write


def test_an_onnx_model_is_run(service, submit, write, onnx_cut):
    row = submit(write(2), [onnx_cut()])
    assert row.checks.rerun.how == "model.onnx"
    assert row.entry.trust == "re-run"
    assert row.checks.rerun.agreement >= 0.9999
    # Nobody else can spoil it with another model, and a model that fits later can be handed in.
    folder = write(2, description="the same run by somebody else", overwrite=True)
    again = submit(folder, [onnx_cut(0.5)], Account(None, "anonymous", "submitter"))
    assert again.entry.trust == "re-run"


@pytest.mark.slow
def test_another_model_than_the_one_that_predicted(submit, write, onnx_cut):
    row = submit(write(3), [onnx_cut(0.3)])
    assert row.entry.trust == "recomputed"
    assert not row.checks.rerun.passed


def test_a_broken_model_leaves_the_entry_as_it_was(submit, write, tmp_path):
    pytest.importorskip("onnxruntime", reason="needs the extra onnx")
    file = tmp_path / "model.onnx"
    file.write_bytes(b"\x08" + bytes(500))
    row = submit(write(4), [file])
    assert row.entry.trust == "recomputed"
    assert "cannot be loaded" in row.checks.rerun.error


@pytest.mark.slow
def test_a_keras_model_is_run_in_safe_mode_without_network(submit, write, tmp_path):
    """Slow: TensorFlow starts within the limits of a job, which no worker has loaded before."""
    file = tmp_path / "model.keras"
    code = f"""
import numpy as np
from hepgym.backend import keras

model = keras().Sequential([keras().Input((5,)), keras().layers.Dense(2)])
weights = np.zeros((5, 2), np.float32)
weights[0, 1] = -1.0
model.layers[0].set_weights([weights, np.array([0.0, {float(np.log(CUT))}], np.float32)])
model.save({str(file)!r})
"""
    subprocess.run([sys.executable, "-c", code], check=True)
    row = submit(write(5), [file])
    assert row.checks.rerun.error == ""
    assert row.checks.rerun.how == "model.keras"
    assert row.entry.trust == "re-run"


def test_a_submission_that_needs_too_much_is_refused(tmp_path, settings, write):
    limited = settings.model_copy(update={"limits": Limits(cpu_s=1, wall_s=0.05, memory_mb=4000)})
    service = open_service(limited)
    archive = tmp_path / "archive"
    archive.write_bytes(pack(write(6)))
    handed, _ = handing_in.hand_in(service.database, limited, archive, ME)
    work(limited, stop=Stop(), until_empty=True)
    with service.database.read() as session:
        found = handing_in.find_handed(session, handed.id)
    assert found.state == "refused"
    assert "ran for more than 0.05 s" in found.reason
    service.database.close()


def test_too_many_in_the_queue(tmp_path, settings, write):
    limited = settings.model_copy(update={"pending_per_user": 1})
    service = open_service(limited)
    archive = tmp_path / "archive"
    archive.write_bytes(pack(write(7)))
    handing_in.hand_in(service.database, limited, archive, ME)
    archive.write_bytes(pack(write(8)))
    with pytest.raises(handing_in.TooManyPendingError, match="1 of your submissions"):
        handing_in.hand_in(service.database, limited, archive, ME)
    service.database.close()


@pytest.fixture
def entries():
    """Entries with given losses, each added an hour after the one before."""
    template = Board(TASK.id).best()
    start = datetime(2026, 1, 1, tzinfo=UTC)

    def make(*losses):
        found = []
        for number, (loss, trust) in enumerate(losses):
            score = template.recomputed["loss"]
            half = 0.1
            changed = type(score)(loss, half, loss - half, loss + half, loss - 0.2, loss + 0.2)
            found.append(
                template.model_copy(
                    update={
                        "id": f"e{number}",
                        "trust": trust,
                        "added": start + timedelta(hours=number),
                        "recomputed": {**template.recomputed, "loss": changed},
                    }
                )
            )
        return found

    return make


@pytest.mark.parametrize(
    ("losses", "waiting"),
    [
        ([(5.0, "recomputed")], set()),
        # Within the combined interval, 0.1 * sqrt(2).
        ([(5.0, "re-run"), (4.9, "recomputed")], set()),
        ([(5.0, "re-run"), (4.8, "recomputed")], {"e1"}),
        ([(5.0, "re-run"), (4.8, "re-run")], set()),
        ([(5.0, "re-run"), (4.8, "fresh")], set()),
        ([(5.0, "re-run"), (6.0, "recomputed")], set()),
        # A waiting entry is no mark for those that follow.
        ([(5.0, "re-run"), (1.0, "recomputed"), (4.5, "recomputed")], {"e1", "e2"}),
        ([(5.0, "re-run"), (4.0, "re-run"), (4.5, "recomputed")], set()),
    ],
)
def test_awaiting_rerun(entries, losses, waiting):
    assert awaiting_rerun(entries(*losses), TASK) == waiting


def test_trust_follows_from_the_checks(entries):
    (entry,) = entries((5.0, "recomputed"))
    now = datetime.now(UTC)
    good = Rerun(how="x", agreement=1.0, passed=True, metrics={}, seconds=1.0, done=now)
    bad = good.model_copy(update={"passed": False})
    fresh = Fresh(seed=1, events={}, metrics=entry.recomputed, done=now)
    assert Checks().trust == "recomputed"
    assert Checks(rerun=good).trust == "re-run"
    assert Checks(rerun=good, fresh=(fresh,)).trust == "fresh"
    assert Checks(rerun=bad, fresh=(fresh,)).trust == "recomputed"


def test_agreement():
    bits, numbers = np.array([True, False, True, True]), np.array([1.0, 2.0])
    assert agreement({"a": bits}, {"a": bits}) == 1.0
    assert agreement({"a": bits}, {"a": ~bits}) == 0.0
    assert agreement({"a": bits}, {"a": np.array([True, False, True, False])}) == 0.75
    assert agreement({"a": numbers}, {"a": numbers * (1 + 1e-5)}) == 1.0
    assert agreement({"a": numbers}, {"a": numbers * 1.01}) == 0.0
    assert agreement({"a": bits}, {"b": bits}) == 0.0
    assert agreement({"a": bits}, {"a": bits[:2]}) == 0.0


def test_tasks_without_a_generator_cannot_be_refreshed(service):
    with pytest.raises(ValueError, match="PDFFit-v0 cannot be refreshed"):
        commands.refresh("PDFFit-v0", size=100, settings=service.settings)
    with pytest.raises(ValueError, match="size is 9999 but must be at least 10000"):
        commands.refresh("JetDomains-QCD2W-v0", size=9999, settings=service.settings)
    with pytest.raises(ValueError, match="size is 9999 but must be at least 10000"):
        commands.refresh("LundImages-v0", size=9999, settings=service.settings)


def test_images_of_fresh_jets_are_made_as_the_official_ones(tmp_path):
    lund = task("LundImages-v0")
    (one,) = lund.datasets.values()
    (tmp_path / "jets.root").symlink_to(SPECS[one].bundled_file("test"))
    official, fresh = load_test_data(lund)["samples"], fresh_events.load(lund, tmp_path)["samples"]
    assert np.array_equal(fresh.test, official.test)
    assert np.array_equal(fresh.train, official.train)


@pytest.mark.parametrize("name", REFRESHED)
def test_no_secret_seed_makes_public_data(name):
    public = {one.seed for one in SPECS.values()}
    assert not public & {fresh_events.draw_seed(task(name)) for _ in range(2000)}


def test_fresh_weighted_events(service, submit, tmp_path):
    """A surrogate's score moves with the events, by some errors at most."""
    unweighting = task("Unweighting-v0")
    data = load_test_data(unweighting)
    play = {"kind": "single-stage", "predictions": {"weight": np.ones(len(data["events"]), "f4")}}
    score = evaluate_predictions(unweighting, **play, data=data)
    folder = tmp_path / "submission"
    write_submission(
        folder, unweighting, agent="single-stage", score=score, wall_time_s=0.1, **play
    )
    row = submit(folder)
    assert row.entry.trust == "re-run"
    commands.refresh(unweighting.id, size=300, settings=service.settings)
    work(service.settings, stop=Stop(), until_empty=True)
    row = service.views.row(unweighting.id, row.entry.id)
    (fresh,) = row.checks.fresh
    assert (row.entry.trust, fresh.events) == ("fresh", {"events": 300})
    sample = produce_events(300, split="test", seed=fresh.seed, output=tmp_path / "again.npz")
    again = evaluate_predictions(
        unweighting, "single-stage", {"weight": np.ones(300, np.float32)}, {"events": sample}
    )
    assert fresh.metrics["f_eff"] == again.f_eff


def test_fresh_random_numbers_of_an_integrator(service, submit, tmp_path):
    sampling = task("VegasSampling-v0")
    order = Order("plain", {"integrands": "gauss-4d", "budgets": 200_000}, None, tmp_path / "run")
    player(sampling).run(sampling, order, lambda *_: None)
    row = submit(tmp_path / "run" / "submission")
    assert row.entry.trust == "re-run"
    assert row.checks.rerun.agreement == 1.0
    commands.refresh(sampling.id, size=100, settings=service.settings)
    work(service.settings, stop=Stop(), until_empty=True)
    row = service.views.row(sampling.id, row.entry.id)
    (fresh,) = row.checks.fresh
    assert (row.entry.trust, fresh.events) == ("fresh", {})
    name = "S/gauss-4d/200000"
    public, new = row.entry.recomputed[name], fresh.metrics[name]
    assert public.value != new.value
    assert abs(public.value - new.value) < 6 * np.hypot(public.error, new.error)


@pytest.mark.slow
def test_fresh_lund_images(service, submit, tmp_path):
    """Slow: 20 000 jets are generated, ten minutes."""
    domains = task("JetDomains-QCD2W-v0")
    player(domains).run(domains, Order("identity", {}, None, tmp_path), lambda *_: None)
    row = submit(tmp_path / "submission")
    commands.refresh(domains.id, size=10_000, settings=service.settings)
    work(service.settings, stop=Stop(), until_empty=True)
    row = service.views.row(domains.id, row.entry.id)
    assert row.entry.trust == "fresh"
    difference, error = row.gap
    assert 0 < abs(difference) < 6 * error


def test_asking_how_loads_no_network(tmp_path):
    """A worker asks and then forks: TensorFlow's threads would not survive that."""
    code = """
import sys
from pathlib import Path
from hepgym.agents.rerun import how
from hepgym.leaderboards.board import Board
board = Board("JetGrooming-v0")
found = {entry.agent: how(board.task, entry, Path("none")) for entry in board.entries()}
assert found["dqn"] == found["trimming"] == "reference agent", found
assert not {"tensorflow", "keras", "torch"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)


def test_boards_know_no_agent():
    """The runner comes by its name, from above."""
    assert importlib.util.find_spec(RUNNER) is not None
