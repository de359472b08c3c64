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
from hepgym.leaderboards.tasks import TASKS, load_test_data, task
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
        assert len(one.spread) in (0, len(one.values))
    assert len({one.title for one in found.histograms}) == len(found.histograms) > 0
    return {one.title: one for one in found.histograms}


def test_which_families_have_curves():
    drawn = {one.score for one in TASKS.values() if drawer(one) is not None}
    assert drawn == {one.score for one in TASKS.values()}


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


@pytest.fixture(scope="module")
def pdf_data():
    return load_test_data(task("PDFFit-v0"))


def test_replicas_beside_their_reference(pdf_data):
    """Two replicas, 10 % above and below NNPDF3.1: the mean is the reference, with a band."""
    reference = pdf_data["data"].reference
    entry = shipped("PDFFit-v0", "n3fit", xf=np.stack([0.9 * reference, 1.1 * reference]))
    found = curves("PDFFit-v0", entry, pdf_data)
    gluon = found["x g at Q = 1.65 GeV"]
    assert gluon.values == pytest.approx(gluon.reference)
    assert gluon.spread == pytest.approx(0.1 * np.sqrt(2.0) * np.abs(gluon.values), abs=1e-5)
    assert gluon.edges[0] >= -4.0
    assert gluon.edges[-1] == 0.0
    [chi2] = (one for title, one in found.items() if title.startswith("chi2"))
    assert chi2.values == pytest.approx(chi2.reference)
    assert len(chi2.values) == 15
    assert len(found) == 9


def test_closure_fits_beside_their_law(pdf_data):
    """Fits that scatter around the law as much as their replicas do have normal pulls."""
    law = pdf_data["data"].law
    random = np.random.default_rng(1)
    sigma = 0.05 * (1.0 + np.abs(law))
    centre = law + sigma * random.normal(size=(400, 1, *law.shape))
    xf = centre + sigma * random.normal(size=(400, 30, *law.shape))
    entry = shipped("PDFClosure-v0", "n3fit", xf=xf)
    found = curves("PDFClosure-v0", entry, pdf_data)
    [pulls] = (one for title, one in found.items() if title.startswith("Fits"))
    width = np.diff(pulls.edges)
    assert sum(pulls.values * width) == pytest.approx(1.0, abs=1e-4)
    assert sum(pulls.reference * width) == pytest.approx(1.0, abs=1e-4)
    # Some 11,000 pulls, alike within a fit at neighbouring points of the grid.
    assert np.abs(np.subtract(pulls.values, pulls.reference)).max() < 0.05
    sea = found["x Sigma at Q = 1.65 GeV"]
    assert sea.values == pytest.approx(sea.reference, abs=5 * max(sea.spread) / 20)
