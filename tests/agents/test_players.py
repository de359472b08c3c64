"""Every task can be listed, run and compared from the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from hepgym.agents.players import Order, player, players
from hepgym.leaderboards.tasks import TASKS


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS.keys())
def test_every_task_has_a_player(task):
    own = player(task)
    assert own in players()
    cards = {card.name: card for card in own.cards()}
    assert set(task.baselines) <= cards.keys()
    for card in cards.values():
        assert card.name == card.name.lower()
        assert card.summary
        assert "\n" not in card.summary


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS.keys())
def test_unknown_agents_are_refused(task, tmp_path):
    order = Order("no-such-agent", {}, None, tmp_path / "out")
    with pytest.raises(ValueError, match="no-such-agent") as refusal:
        player(task).run(task, order, lambda done, total, words: None)
    assert "choose one of" in str(refusal.value)
    assert not (tmp_path / "out" / "submission").exists()


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS.keys())
def test_unknown_learners_are_refused(task, tmp_path):
    with pytest.raises(ValueError, match=r"no-such-agent"):
        player(task).train(task, "no-such-agent", tmp_path, {}, preset=None, resume=True)


def test_titles():
    titles = [one.TITLE for one in players()]
    assert len(set(titles)) == len(titles)


def test_orders_are_plain_data():
    order = Order("agent", {"a": 1}, None, Path("x"))
    assert (order.workers, order.scheduler, order.overwrite) == (1, None, False)
