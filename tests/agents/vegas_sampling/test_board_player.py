"""The board of integrators from the command line's side: comparison, and what a run leaves."""

from __future__ import annotations

import numpy as np

from hepgym.agents.players import Order, player
from hepgym.agents.vegas_sampling.playing import make_plan, play, seconds_played
from hepgym.leaderboards.board import Board
from hepgym.leaderboards.scores.vegas_sampling import BUDGETS
from hepgym.leaderboards.tasks import load_test_data, task

TASK = task("VegasSampling-v0")


def test_the_comparison_shows_the_whole_board():
    entries = Board(TASK.id).entries()
    assert {"plain", "vegas", "vegas-plus"} <= {entry.agent for entry in entries}
    found = player(TASK).compare(TASK, lambda *_: None)
    suite = load_test_data(TASK)["integrands"]
    assert found.columns[3:] == tuple(entry.label for entry in entries)
    assert all(len(row) == len(found.columns) for row in found.rows)
    rows = len(BUDGETS) + 2
    assert len(found.rows) == rows * len(suite.members) + len(TASK.columns)
    plain = next(n for n, entry in enumerate(entries, start=3) if entry.agent == "plain")
    first = found.rows[0]
    recomputed = entries[plain - 3].recomputed
    assert first[:2] == ("gauss-4d", "0.2M")
    assert first[plain].startswith(str(recomputed["S/gauss-4d/200000"]))
    assert found.rows[3][plain].split()[0] == f"{recomputed['rsd/gauss-4d'].value:.3g}"
    assert found.rows[-len(TASK.columns)][plain] == str(recomputed["S"])


def test_a_resumed_run_counts_all_of_its_time(tmp_path):
    suite = load_test_data(TASK)["integrands"]
    settings = {"integrands": "gauss-4d", "budgets": 200_000}
    plan = make_plan(suite, "vegas", **settings)
    once = play(plan, suite, tmp_path / "cells")
    seconds = seconds_played(plan, tmp_path / "cells")
    assert seconds > 0.0
    assert "seconds" not in once
    outcome = player(TASK).run(TASK, Order("vegas", settings, None, tmp_path), lambda *_: None)
    assert outcome.submission.manifest.wall_time_s == seconds
    name = "estimate/gauss-4d/200000"
    assert np.array_equal(outcome.submission.predictions[name], once[name])
