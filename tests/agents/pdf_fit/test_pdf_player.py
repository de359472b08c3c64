"""Fits from the command line: comparison with the published set."""

from __future__ import annotations

import pytest

from hepgym.agents.pdf_fit import player
from hepgym.leaderboards.tasks import task


def test_comparison_shows_the_published_set_beside_the_entries():
    """chi2 per point of NNPDF3.1 NLO as published for these data; its momentum lacks the photon."""
    table = player.compare(task("PDFFit-v0"), lambda *_: None)
    assert table.columns[-1] == player.REFERENCE_LABEL
    assert all(len(row) == len(table.columns) for row in table.rows)
    reference = {row[0]: row[-1] for row in table.rows}
    assert float(reference["chi2"]) == pytest.approx(1.235, abs=2e-3)
    assert float(reference["chi2_t0"]) == pytest.approx(1.284, abs=2e-3)
    assert float(reference["sum_rules"]) == pytest.approx(2.1e-3, abs=1e-4)
    assert reference["phi2"] == reference["replicas"] == "-"
