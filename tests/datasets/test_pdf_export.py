"""Evolution by tables and LHAPDF sets."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
import yaml

from hepgym.datasets import DatasetError, parton_distributions
from hepgym.datasets.lhapdf_grid import pythia_grid, read_grid
from hepgym.datasets.lhapdf_set import write_set
from hepgym.datasets.parton_distributions import bases, export
from hepgym.datasets.parton_distributions.strong_coupling import alpha_s
from hepgym.datasets.parton_distributions.sum_rules import sum_rules


@pytest.fixture(scope="module")
def evolution():
    return parton_distributions.load_evolution()


@pytest.fixture(scope="module")
def law(evolution):
    return export.reference_law(evolution.x_grid)


def test_law_at_a_knot_is_the_grid_s(law, evolution):
    """At Q0, a knot of the grid, nothing compiled is needed; the numbers are the same."""
    grid = pythia_grid(export.REFERENCE_SET)
    partons = np.array(
        [
            grid.xfxq(pid, evolution.x_grid, 1.65)
            if pid in grid.flavours and abs(pid) != 5
            else np.zeros(len(evolution.x_grid))
            for pid in bases.PIDS
        ]
    )
    np.testing.assert_allclose(law, bases.from_flavours(partons)[:9], rtol=1e-12, atol=1e-14)
    between = export.from_lhapdf(grid, evolution.x_grid, 1.651)
    np.testing.assert_allclose(between, law, rtol=2e-2, atol=2e-2)


def test_no_evolution_is_the_identity(evolution, law):
    """The grid of evolved distributions holds every point of the grid at Q0."""
    np.testing.assert_allclose(evolution.x[::2], evolution.x_grid, rtol=1e-12)
    start = evolution.evolve(law, [0])[0]
    scale = np.abs(law).max(axis=1, keepdims=True)
    assert np.abs(start[:9, ::2] - law).max() < 2e-6 * scale.max()
    np.testing.assert_allclose(
        start[:9, ::2][:, :-1], law[:, :-1], rtol=1e-5, atol=1e-6 * scale.max()
    )


def test_sum_rules_hold_at_all_scales(evolution, law):
    """Momentum and quark numbers do not change with the scale."""
    at_start = sum_rules(law, evolution.x_grid)
    evolved = sum_rules(evolution.evolve(law), evolution.x)
    np.testing.assert_allclose(evolved.momentum, at_start.momentum, atol=5e-5)
    for name in ("valence", "valence3", "valence8"):
        np.testing.assert_allclose(getattr(evolved, name), getattr(at_start, name), atol=1e-3)
    # The photon, which is left out, carries 0.2 % of the momentum.
    assert at_start.momentum == pytest.approx(0.998, abs=5e-4)
    assert at_start.valence == pytest.approx(3.0, abs=1e-3)
    assert at_start.valence3 == pytest.approx(1.0, abs=1e-3)


def test_evolution_is_linear_and_moves_the_right_way(evolution, law, random):
    other = random.uniform(size=(9, 50))
    np.testing.assert_allclose(
        evolution.evolve(law + 2 * other)[5],
        evolution.evolve(law)[5] + 2 * evolution.evolve(other)[5],
        rtol=1e-8,
        atol=1e-8,
    )
    gluon = evolution.evolve(law)[:, bases.EVOLUTION.index("g")]
    low, high = np.searchsorted(evolution.x, [1e-3, 0.3])
    assert (np.diff(gluon[:, low]) > 0).all()
    assert (np.diff(gluon[:, high]) < 0).all()


def test_bottom_appears_at_its_threshold(evolution, law):
    flavours = bases.to_flavours(evolution.evolve(law))
    bottom = flavours[:, bases.PIDS.index(5)]
    middle = np.searchsorted(evolution.x, 0.01)
    below = evolution.q <= 4.92
    assert np.abs(bottom[below]).max() < 1e-5 * np.abs(flavours).max()
    assert (np.diff(bottom[~below, middle]) > 0).all()


def test_against_the_published_evolution(evolution, law):
    """NNPDF3.1 evolved by its authors: with another solution of the same equation and with QED,
    per cent apart at medium x."""
    grid = pythia_grid(export.REFERENCE_SET)
    flavours = bases.to_flavours(evolution.evolve(law))
    rows = (evolution.x > 3e-3) & (evolution.x < 0.2)
    for q in (17.0, 100.0, 1e4):
        place = evolution.position(q)
        for pid in (21, 1, 2, -1, -2):
            ours = flavours[place, bases.PIDS.index(pid), rows]
            theirs = grid.xfxq(pid, evolution.x[rows], q)
            np.testing.assert_allclose(ours, theirs, rtol=0.035)


def test_operator_gives_values_between_the_points(evolution, law):
    x = np.array([1e-4, 0.03, 0.3])
    operator = evolution.operator(100.0, x)
    assert operator.shape == (11, 3, 9, 50)
    values = np.einsum("enak,ak->en", operator, law)
    table = evolution.evolve(law, [evolution.position(100.0)])[0]
    for column, point in enumerate(x):
        near = np.interp(np.log(point), np.log(evolution.x), table[0])
        assert values[0, column] == pytest.approx(near, rel=0.02)


def test_export_is_a_complete_set(evolution, law, tmp_path):
    replicas = np.stack([law, 1.1 * law])
    seen = []
    folder = export.export_lhapdf(tmp_path, "hepgym_test", replicas, advance=seen.append)
    assert len(seen) == 3
    assert sorted(file.name for file in folder.iterdir()) == [
        "hepgym_test.info",
        "hepgym_test_0000.dat",
        "hepgym_test_0001.dat",
        "hepgym_test_0002.dat",
    ]
    info = yaml.safe_load((folder / "hepgym_test.info").read_text())
    assert info["NumMembers"] == 3
    assert info["ErrorType"] == "replicas"
    assert info["Flavors"] == list(bases.PIDS)
    np.testing.assert_allclose(info["AlphaS_Vals"], alpha_s(info["AlphaS_Qs"]), rtol=1e-9)
    assert info["AlphaS_Qs"].count(4.92) == 2
    central, first, second = (
        read_grid(folder / f"hepgym_test_{number:04d}.dat") for number in range(3)
    )
    assert central.header["PdfType"] == "central"
    assert second.header["PdfType"] == "replica"
    np.testing.assert_allclose(central.values, 1.05 * first.values, rtol=1e-6, atol=1e-12)
    assert list(first.q).count(4.92) == 2
    x = np.array([1e-4, 1e-2, 0.1, 0.4])
    for pid in (21, 2, -3, 4):
        np.testing.assert_allclose(
            first.xfxq(pid, evolution.x_grid[5:45:8], 1.65),
            bases.to_flavours(law)[bases.PIDS.index(pid), 5:45:8],
            rtol=2e-5,
            atol=1e-7,
        )
        exact = np.einsum("enak,ak->en", evolution.operator(100.0, x), law)
        exact = np.einsum("pe,ek->pk", bases.evolution_to_flavours(), exact)
        np.testing.assert_allclose(
            first.xfxq(pid, x, 100.0), exact[bases.PIDS.index(pid)], rtol=1e-3, atol=1e-5
        )


def test_knots_in_scale_are_close_enough(evolution, law, tmp_path):
    """Interpolation in Q: a set written with every second knot, read at the knots left out."""
    table = bases.to_flavours(evolution.evolve(law)).transpose(2, 0, 1)
    start = evolution.position(4.92)
    kept = np.arange(start, len(evolution.q), 2)
    folder = write_set(
        tmp_path, "coarse", lambda _: table[:, kept], 1, evolution.x, evolution.q[kept],
        bases.PIDS, {},
    )  # fmt: skip
    grid = read_grid(folder / "coarse_0000.dat")
    rows = (evolution.x > 1e-5) & (evolution.x < 0.5)
    for place in kept[1:-2] + 1:
        for pid in (21, 2, 4):
            found = grid.xfxq(pid, evolution.x[rows], evolution.q[place])
            # Twice the distance between knots: the set itself is several times better.
            np.testing.assert_allclose(
                found, table[rows, place, bases.PIDS.index(pid)], rtol=6e-3, atol=1e-6
            )


def test_pythia_reads_the_set(law, tmp_path):
    """An independent reader, with its own interpolation."""
    import pythia8mc

    folder = export.export_lhapdf(tmp_path, "hepgym_test", law[None])
    member = folder / "hepgym_test_0001.dat"
    pythia = pythia8mc.Pythia("", False)
    pythia.readString("Print:quiet = on")
    pythia.readString("ProcessLevel:all = off")
    assert pythia.readString(f"PDF:pSet = LHAGrid1:{member}")
    assert pythia.init()
    theirs = pythia.getPDFPtr(2212)
    ours = read_grid(member)
    for pid in (21, 2, -1, 3, 4):
        for x in (1e-4, 0.01, 0.3):
            assert theirs.xf(pid, x, 900.0) == pytest.approx(
                float(ours.xfxq(pid, x, 30.0, interpolation="pythia")), rel=1e-6
            )


def test_lhapdf_users_read_the_set(law, tmp_path):
    """NeoPDF, which reads LHAPDF's format as LHAPDF does, if it is installed (neopdf-hep)."""
    pytest.importorskip("neopdf", reason="neopdf-hep is not installed")
    export.export_lhapdf(tmp_path, "hepgym_test", law[None])
    code = (
        "import neopdf; member = neopdf.mkPDF('hepgym_test', 1); "
        "print(member.alphasQ2(91.2**2), *(member.xfxQ2(pid, x, q * q) for pid in (21, 2, -3, 4) "
        "for x in (1e-5, 0.01, 0.5) for q in (2.0, 30.0, 700.0)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"NEOPDF_DATA_PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    coupling, *values = map(float, done.stdout.split())
    assert coupling == pytest.approx(0.118, rel=1e-4)
    ours = read_grid(tmp_path / "hepgym_test" / "hepgym_test_0001.dat")
    pid, x, q = np.meshgrid([21, 2, -3, 4], [1e-5, 0.01, 0.5], [2.0, 30.0, 700.0], indexing="ij")
    np.testing.assert_allclose(values, ours.xfxq(pid, x, q).ravel(), rtol=1e-10)


def test_bad_exports(law, tmp_path):
    with pytest.raises(DatasetError, match="cannot name a set"):
        export.export_lhapdf(tmp_path, "../x", law[None])
    with pytest.raises(DatasetError, match="finite numbers of shape"):
        export.export_lhapdf(tmp_path, "x", law)
    with pytest.raises(DatasetError, match="finite numbers"):
        export.export_lhapdf(tmp_path, "x", law[None] * np.nan)
    export.export_lhapdf(tmp_path, "x", law[None])
    with pytest.raises(DatasetError, match="exists already"):
        export.export_lhapdf(tmp_path, "x", law[None])
    with pytest.raises(DatasetError, match="at least one member"):
        write_set(tmp_path, "y", lambda _: law, 0, [0.1, 1], [1, 2], [21], {})
    with pytest.raises(DatasetError, match="not among the knots"):
        write_set(tmp_path, "y", lambda _: law, 1, [0.1, 1], [1.0, 2.0], [21], {}, thresholds=[1.5])

    def interrupted(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_set(tmp_path, "y", interrupted, 1, [0.1, 1.0], [1.0, 2.0], [21], {})
    assert [file.name for file in tmp_path.iterdir()] == ["x"]


def test_bad_evolution(evolution):
    with pytest.raises(DatasetError, match="last two axes"):
        evolution.evolve(np.ones((9, 49)))
    with pytest.raises(DatasetError, match="no table for 77 GeV"):
        evolution.operator(77.0, [0.1])
