"""The suite of the board: its members are the package's integrands, its content is pinned."""

import dataclasses
import json
import math

import numpy as np
import pytest

from hepgym.datasets import DatasetError
from hepgym.datasets.integrands import suite as suite_module
from hepgym.datasets.integrands.suite import load_suite, suite_hash

BOARD = load_suite("integrands/board-v1")


@pytest.mark.parametrize("member", BOARD.members.values(), ids=BOARD.members.keys())
def test_members_are_the_integrands(member):
    found = member.integrand()
    assert (found.dim, found.cost) == (member.dim, member.cost)
    assert (found.reference.value, found.reference.error) == (member.value, member.error)


@pytest.mark.parametrize("name", ["gauss-4d", "oscillatory-8d", "polynomial-18d", "gg-tt"])
def test_spread_of_plain_monte_carlo(name, random):
    member = BOARD.members[name]
    values = member.integrand()(random.random((200_000, member.dim)))
    assert values.mean() == pytest.approx(
        member.value, abs=5 * values.std() / math.sqrt(len(values)) + 5 * member.error
    )
    assert values.std() / abs(member.value) == pytest.approx(member.plain_rsd, rel=0.1)


def test_references_are_precise_enough():
    """Samplers on the board reach about 1/30 of plain Monte Carlo's error at the largest budget."""
    for member in BOARD.members.values():
        reach = member.plain_rsd / 30 / math.sqrt(4_000_000)
        assert member.error / abs(member.value) < 10 * reach, member.name


def test_content_is_pinned(monkeypatch, tmp_path):
    members = dict(BOARD.members)
    members["gauss-4d"] = dataclasses.replace(members["gauss-4d"], value=2.0)
    assert suite_hash(members) != suite_hash(BOARD.members)
    file = tmp_path / "board-v1.json"
    file.write_text(json.dumps({"members": [vars(one) for one in members.values()]}))
    monkeypatch.setattr(suite_module, "_FOLDER", tmp_path)
    with pytest.raises(DatasetError, match="is not the official integrands/board-v1"):
        load_suite("integrands/board-v1")


def test_unknown_suite():
    with pytest.raises(DatasetError, match="there is no suite 'integrands/mine-v1'; there are"):
        load_suite("integrands/mine-v1")


def test_members_are_in_order_and_positive():
    assert list(BOARD.members) == [member.name for member in BOARD.members.values()]
    assert all(np.isfinite(m.value) and m.plain_rsd > 0 for m in BOARD.members.values())
