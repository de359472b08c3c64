"""Boards: verified entries only, each once, and all of them recomputable."""

import json
import threading

import numpy as np
import pytest

from hepgym.datasets.jets.trees import ClusteringTrees
from hepgym.leaderboards import board as board_module
from hepgym.leaderboards.board import Board, BoardError, Entry, local_boards
from hepgym.leaderboards.submission import (
    evaluate_predictions,
    read_submission,
    write_submission,
)
from hepgym.leaderboards.tasks import task
from hepgym.leaderboards.untrusted import SubmissionError

TASK = task("JetGrooming-v0")
HASHES = {"signal": "a" * 64, "background": "b" * 64}
JETS = 40


def two_prong_jets(seed):
    """Jets of two particles: one node each."""
    rng = np.random.default_rng(seed)
    pt = rng.uniform(50, 500, (JETS, 2))
    phi = rng.uniform(0, 0.5, (JETS, 2))
    momenta = np.stack([pt * np.cos(phi), pt * np.sin(phi), 0 * pt, pt * 1.01], axis=-1)
    return ClusteringTrees(
        np.arange(0, 2 * JETS + 1, 2), momenta.reshape(-1, 4), np.ones(JETS, np.int32)
    )


@pytest.fixture(scope="module")
def data():
    return {"signal": two_prong_jets(1), "background": two_prong_jets(2)}


@pytest.fixture
def write(tmp_path, data):
    def write(agent="Plain", seed=0, kind="decisions", **changes):
        """Write a submission of random decisions."""
        rng = np.random.default_rng(seed)
        size = JETS if kind == "decisions" else 2 * JETS
        predictions = {role: rng.random(size) < 0.5 for role in data}
        score = evaluate_predictions(TASK, kind, predictions, data)
        folder = tmp_path / "handed-in" / f"{agent}-{seed}-{kind}"
        write_submission(
            folder,
            TASK,
            agent=agent,
            kind=kind,
            predictions=predictions,
            score=score,
            seeds=[seed],
            wall_time_s=0.1,
            hashes=HASHES,
            **changes,
        )
        return folder

    return write


@pytest.fixture
def board(tmp_path):
    return Board("JetGrooming-v0", tmp_path / "boards", shipped=None)


def snapshot(folder):
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_an_empty_board(board):
    assert board.entries() == []
    assert board.best() is None
    assert not board.folder.exists()


def test_an_entry(board, write, data):
    folder = write("Mass Drop", hyperparameters={"z_cut": 0.1})
    entry = board.add(folder, data, HASHES)
    assert board.entries() == [entry]
    assert board.best() == entry
    assert entry.agent == "Mass Drop"
    assert entry.in_game
    assert entry.trust == "recomputed"
    manifest = read_submission(folder).manifest
    assert entry.claimed == manifest.claimed
    assert entry.recomputed == board.recompute(entry, data).metrics()
    # JSON for people, in the order claimed, recomputed
    content = json.loads((board.folder / f"{entry.id}.json").read_text())
    assert content["hyperparameters"] == {"z_cut": 0.1}
    assert content["recomputed"]["loss"]["value"] == pytest.approx(
        content["claimed"]["loss"]["value"], rel=1e-6
    )
    assert content["datasets"]["signal"]["sha256"] == HASHES["signal"]


def test_recomputed_values_order_the_board(board, write, data):
    """A claim may differ within the tolerance, and must not decide."""
    for seed in range(6):
        board.add(write(seed=seed), data, HASHES)
    entries = board.entries()
    losses = [entry.recomputed["loss"].value for entry in entries]
    assert len(set(losses)) == 6
    assert losses == sorted(losses)
    assert board.best() == entries[0]


def test_claimed_and_recomputed_stay_apart(board, write, data):
    folder = write()
    path = folder / "submission.json"
    content = json.loads(path.read_text())
    content["claimed"]["loss"]["value"] *= 1 + 5e-7
    path.write_text(json.dumps(content))
    entry = board.add(folder, data, HASHES)
    assert entry.claimed["loss"].value == content["claimed"]["loss"]["value"]
    assert entry.recomputed["loss"].value != entry.claimed["loss"].value


def test_groomers_outside_the_game_are_marked(board, write, data):
    assert not board.add(write(kind="kept"), data, HASHES).in_game


def test_twice_is_one_entry(board, write, data):
    folder = write()
    first = board.add(folder, data, HASHES)
    before = snapshot(board.folder)
    assert board.add(folder, data, HASHES) == first
    # the same run, timed again
    write(description="again")
    assert board.add(folder, data, HASHES) == first
    assert snapshot(board.folder) == before


def test_same_predictions_of_two_agents_are_two_entries(board, write, data):
    board.add(write("One"), data, HASHES)
    board.add(write("Two"), data, HASHES)
    assert {entry.agent for entry in board.entries()} == {"One", "Two"}
    assert len(list((board.folder / "predictions").iterdir())) == 1


def tamper_claim(folder):
    path = folder / "submission.json"
    content = json.loads(path.read_text())
    content["claimed"]["loss"]["value"] = 0.5
    path.write_text(json.dumps(content))


def tamper_predictions(folder):
    path = folder / "predictions.npz"
    path.write_bytes(path.read_bytes()[:-1] + b"\1")


def remove_predictions(folder):
    (folder / "predictions.npz").unlink()


@pytest.mark.parametrize("tamper", [tamper_claim, tamper_predictions, remove_predictions])
@pytest.mark.parametrize("seed", [0, 1], ids=["entry exists", "new entry"])
def test_a_refusal_leaves_no_trace(board, write, data, tamper, seed):
    board.add(write(seed=0), data, HASHES)
    before = snapshot(board.folder.parent)
    folder = write(seed=seed)
    tamper(folder)
    with pytest.raises(SubmissionError):
        board.add(folder, data, HASHES)
    assert snapshot(board.folder.parent) == before


def test_a_refusal_does_not_even_make_the_folder(board, write, data):
    with pytest.raises(SubmissionError, match="sha256"):
        board.add(write(), data, {"signal": "c" * 64, "background": "d" * 64})
    assert not board.folder.parent.exists()


def test_wrong_board(tmp_path, write, data):
    other = Board("JetGroomingTop-v0", tmp_path / "boards", shipped=None)
    with pytest.raises(SubmissionError, match="is for JetGrooming-v0, not for the board of Jet"):
        other.add(write(), data, HASHES)


def test_unknown_task(tmp_path):
    with pytest.raises(ValueError, match="unknown task 'Go-v0'"):
        Board("Go-v0", tmp_path)


def test_simultaneous_adds(board, write, data):
    """Eight threads hand in the same folder and four others, all at once."""
    folders = [write(seed=0)] * 8 + [write(seed=seed) for seed in range(1, 5)]
    barrier = threading.Barrier(len(folders))
    failures = []

    def add(folder):
        barrier.wait()
        try:
            board.add(folder, data, HASHES)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=add, args=(folder,)) for folder in folders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    entries = board.entries()
    assert sorted(entry.seeds[0] for entry in entries) == [0, 1, 2, 3, 4]
    for entry in entries:
        board.recompute(entry, data)
    names = {path.suffix for path in board.folder.rglob("*") if path.is_file()}
    assert names == {".json", ".npz"}


def test_added_while_verifying(board, write, data, monkeypatch):
    """Somebody else adds the same submission between our check and our write."""
    folder = write()
    original = board_module._write

    def slow_write(path, content):
        monkeypatch.setattr(board_module, "_write", original)
        board.add(folder, data, HASHES)
        original(path, content)

    monkeypatch.setattr(board_module, "_write", slow_write)
    board.add(folder, data, HASHES)
    assert len(board.entries()) == 1


def test_a_write_that_fails_leaves_a_board_that_reads(board, write, data, monkeypatch):
    board.add(write(seed=0), data, HASHES)

    def fail(_):
        raise OSError("No space left on device")

    monkeypatch.setattr(board_module.os, "fsync", fail)
    with pytest.raises(OSError, match="No space"):
        board.add(write(seed=1), data, HASHES)
    monkeypatch.undo()
    assert len(board.entries()) == 1
    assert not list(board.folder.rglob(".*"))
    board.add(write(seed=1), data, HASHES)
    assert len(board.entries()) == 2


def test_shipped_and_own_entries(tmp_path, write, data):
    shipped = Board("JetGrooming-v0", tmp_path / "shipped", shipped=None)
    known = shipped.add(write(seed=0), data, HASHES)
    before = snapshot(tmp_path / "shipped")
    mine = Board("JetGrooming-v0", tmp_path / "mine", shipped=tmp_path / "shipped")
    assert mine.entries() == [known]
    assert mine.add(write(seed=0), data, HASHES) == known
    assert not mine.folder.exists()
    own = mine.add(write(seed=1), data, HASHES)
    assert {entry.id for entry in mine.entries()} == {known.id, own.id}
    mine.recompute(known, data)
    mine.recompute(own, data)
    assert snapshot(tmp_path / "shipped") == before


def test_shipped_boards_read():
    for task_id in ("JetGrooming-v0", "JetGroomingTop-v0"):
        for path in (board_module.SHIPPED_BOARDS / task_id).glob("*.json"):
            assert isinstance(Board(task_id, path.parent.parent)._read(path), Entry)


def test_local_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("HEPGYM_BOARD", str(tmp_path))
    assert local_boards() == tmp_path
    assert Board("JetGrooming-v0").folder == tmp_path / "JetGrooming-v0"
    monkeypatch.delenv("HEPGYM_BOARD")
    assert local_boards().name == "boards"
    assert "hepgym" in str(local_boards())


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda text: text[:100], "is not JSON"),
        (lambda text: text.replace('"trust": "recomputed"', '"trust": "fresh air"'), "'trust'"),
        (lambda text: text.replace('"in_game": true,', ""), "field 'in_game' is missing"),
        (lambda text: text.replace('"id": "plain-', '"id": "other-'), "it holds entry 'other-"),
        (lambda text: text.replace('"task": "JetGrooming-v0"', '"task": "Go-v0"'), "of 'Go-v0'"),
        (lambda _: "\0", "is not JSON"),
    ],
)
def test_damaged_entry(board, write, data, damage, message):
    entry = board.add(write(), data, HASHES)
    path = board.folder / f"{entry.id}.json"
    path.write_text(damage(path.read_text()))
    with pytest.raises(BoardError, match=message) as error:
        board.entries()
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_damaged_predictions_are_noticed(board, write, data):
    entry = board.add(write(), data, HASHES)
    path = board.folder / "predictions" / f"{entry.predictions.sha256}.npz"
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(BoardError, match=rf"^{entry.id}: predictions.npz: its SHA-256"):
        board.recompute(entry, data)
    path.unlink()
    with pytest.raises(BoardError, match="missing from the board"):
        board.recompute(entry, data)


def test_an_improved_entry_is_noticed(board, write, data):
    """Editing the board by hand shows as soon as somebody recomputes."""
    entry = board.add(write(), data, HASHES)
    path = board.folder / f"{entry.id}.json"
    content = json.loads(path.read_text())
    content["recomputed"]["loss"]["value"] = 0.1
    path.write_text(json.dumps(content))
    [edited] = board.entries()
    with pytest.raises(BoardError, match=r"'loss\.value' is claimed to be 0\.1, but"):
        board.recompute(edited, data)
