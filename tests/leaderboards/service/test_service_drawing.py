"""Histograms of entries of every family that has them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hepgym.datasets.integrands.suite import load_suite
from hepgym.datasets.unweighting import load_events
from hepgym.leaderboards.board import Board
from hepgym.leaderboards.scores.jet_domains import Domains
from hepgym.leaderboards.scores.lund_images import Samples
from hepgym.leaderboards.service.boards import Boards
from hepgym.leaderboards.service.drawing.curves import drawer
from hepgym.leaderboards.submission import Submission
from hepgym.leaderboards.tasks import TASKS, task
from hepgym.leaderboards.untrusted import unpack


def shipped(name, agent, **changes) -> Submission:
    entry = next(one for one in Board(name).entries() if one.agent == agent)
    content = Boards(Path("none")).predictions(entry).read_bytes()
    return Submission(entry, {**unpack(content, entry.predictions), **changes}, content)


def curves(name, submission, data):
    found = drawer(task(name)).entry_curves(task(name), submission, data)
    for one in found.histograms:
        assert len(one.edges) == len(one.values) + 1
        assert np.all(np.diff(one.edges) > 0)
        assert np.isfinite(one.values).all()
        assert len(one.reference) in (0, len(one.values))
    assert len({one.title for one in found.histograms}) == len(found.histograms) > 0
    return {one.title: one for one in found.histograms}


def test_which_families_have_curves():
    drawn = {one.score for one in TASKS.values() if drawer(one) is not None}
    assert drawn == {"jet_grooming", "jet_domains", "lund_images", "unweighting", "vegas_sampling"}


def test_translated_images():
    """Identity: what is shown as made is the source, what is shown as true is the target."""
    images = {role: np.zeros((40, 24, 24), np.float32) for role in "AB"}
    images["A"][:, 3, 20] = 1.0
    images["B"][:, 3, 10] = 0.5
    made = {"A_to_B": images["A"], "B_to_A": images["B"]}
    name = "JetDomains-QCD2W-v0"
    data = {"domains": Domains(images, None, None)}
    found = curves(name, shipped(name, "identity", **made), data)
    kt = found["A to B: ln kt"]
    assert (np.argmax(kt.values), np.argmax(kt.reference)) == (20, 10)
    assert (sum(kt.values), sum(kt.reference)) == (1.0, 0.5)
    delta = found["A to B: ln 1/Delta"]
    assert np.argmax(delta.values) == np.argmax(delta.reference) == 3
    active = found["B to A: active pixels"]
    assert active.values[0] == active.reference[0] == 1.0


def test_generated_images():
    true, made = np.zeros((2, 30, 24, 24), np.bool_)
    true[:, 3, 10] = True
    made[:10, 3, 20] = made[:, 5, 20] = True
    name = "LundImages-v0"
    entry = shipped(name, "gaussian", images=made.reshape(-1))
    found = curves(name, entry, {"samples": Samples(true, true)})
    kt, delta, active = (found[one] for one in ("ln kt", "ln 1/Delta", "active pixels"))
    assert (np.argmax(kt.values), np.argmax(kt.reference)) == (20, 10)
    assert (sum(kt.values), sum(kt.reference)) == (pytest.approx(4 / 3, abs=1e-5), 1.0)
    assert (np.argmax(delta.values), np.argmax(delta.reference)) == (5, 3)
    assert active.values[1:3] == pytest.approx([2 / 3, 1 / 3], abs=1e-5)
    assert active.reference[1] == 1.0


def test_a_surrogate_that_knows_everything_is_a_peak():
    name = "Unweighting-v0"
    events = load_events("test")
    perfect = shipped(name, "constant", weight=events.weights.astype(np.float32))
    one, other = curves(name, perfect, {"events": events}).values()
    for histogram in (one, other):
        width = histogram.edges[1] - histogram.edges[0]
        assert max(histogram.values) * width == pytest.approx(1.0, abs=1e-3)
        assert sum(histogram.values) * width == pytest.approx(1.0, abs=1e-6)
        assert sum(histogram.reference) * width == pytest.approx(1.0, abs=1e-6)
        assert max(histogram.reference) * width < 0.2


def test_what_integrators_gain():
    name = "VegasSampling-v0"
    data = {"integrands": load_suite("integrands/board-v1")}
    entry = shipped(name, "plain")
    for histogram in curves(name, entry, data).values():
        # Plain Monte Carlo gains nothing; twenty seeds know S to a tenth.
        assert np.abs(histogram.values).max() < 0.3
    one = {key: value for key, value in entry.predictions.items() if "gauss-4d" in key}
    small = Submission(entry.manifest, one, entry.archive)
    found = curves(name, small, data)["Gain over plain Monte Carlo with 4 million calls"]
    assert np.count_nonzero(found.values) == 1
