"""The board of integrators from the command line's side: comparison, and what a run leaves."""

from __future__ import annotations

import numpy as np
import pytest

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


def test_integrands_may_have_budgets_of_their_own(tmp_path):
    suite = load_test_data(TASK)["integrands"]
    own = {"annulus": [1_000_000, 200_000], "gauss-4d": 200_000}
    assert make_plan(suite, "vegas", budgets=2e5) == make_plan(suite, "vegas", budgets=[200_000])
    plan = make_plan(suite, "vegas", integrands=own)
    assert plan.cells() == [
        ("annulus", 200_000),
        ("annulus", 1_000_000),
        ("gauss-4d", 200_000),
    ]
    found = play(plan, suite, tmp_path)
    assert {name for name in found if name.startswith("estimate")} == {
        f"estimate/{name}/{budget}" for name, budget in plan.cells()
    }
    # Cells are found again when more are asked for, and the sample is that of the largest budget.
    few = play(make_plan(suite, "vegas", integrands="annulus", budgets=200_000), suite, tmp_path)
    assert len(list(tmp_path.iterdir())) == 3
    name = "estimate/annulus/200000"
    assert np.array_equal(few[name], found[name])
    assert not np.array_equal(few["points/annulus"], found["points/annulus"])
    most = make_plan(suite, "vegas", integrands="annulus", budgets=1_000_000)
    assert np.array_equal(play(most, suite, tmp_path)["points/annulus"], found["points/annulus"])


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"integrands": "gauss-3d"}, "'gauss-3d' is not in integrands/board-v1"),
        ({"integrands": 3}, "'3' is not in integrands/board-v1"),
        ({"integrands": []}, "integrands: there are none"),
        ({"budgets": 300_000}, "300000 for gauss-4d is none of 200000, 1000000, 4000000"),
        ({"budgets": []}, "there are none for gauss-4d"),
        ({"integrands": {"annulus": [1]}}, "1 for annulus is none of"),
        ({"integrands": {"annulus": 200_000}, "budgets": 200_000}, "one of the two must go"),
        ({"seeds": 19}, "seeds is 19 but must be an integer of at least 20"),
    ],
)
def test_wrong_orders_are_refused(settings, sentence):
    with pytest.raises(ValueError, match=sentence):
        make_plan(load_test_data(TASK)["integrands"], "vegas", **settings)
