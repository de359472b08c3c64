"""The reader of LHAPDF grids: against Pythia's own, against polynomials, and on bad files."""

from __future__ import annotations

import numpy as np
import pytest

from hepgym.datasets import DatasetError
from hepgym.datasets.lhapdf_grid import LHAPDFGrid, pythia_grid, read_grid
from hepgym.datasets.lhapdf_interpolation import parton_densities

NAME = "NNPDF31_lo_as_0118"


@pytest.fixture(scope="module")
def grid() -> LHAPDFGrid:
    return pythia_grid(NAME)


@pytest.fixture(scope="module")
def pythia():
    """Return Pythia's x f as a function."""
    import pythia8mc

    generator = pythia8mc.Pythia("", False)
    for setting in (
        "Print:quiet = on",
        "ProcessLevel:all = off",
        f"PDF:pSet = LHAGrid1:{NAME}_0000.dat",
    ):
        assert generator.readString(setting)
    assert generator.init()
    densities = generator.getPDFPtr(2212)
    return np.vectorize(lambda code, x, q: densities.xf(int(code), x, q * q))


def scattered(grid, number):
    rng = np.random.default_rng(1)
    codes = rng.choice(grid.flavours, number)
    x = np.exp(rng.uniform(np.log(1e-8), np.log(0.99), number))
    return codes, x, np.exp(rng.uniform(np.log(1.7), np.log(9000), number))


def test_pythia_interpolation_is_pythias(grid, pythia):
    codes, x, q = scattered(grid, 20_000)
    ours = grid.xfxq(codes, x, q, clamp=True, interpolation="pythia")
    np.testing.assert_allclose(ours, pythia(codes, x, q), rtol=1e-9, atol=1e-12)


def test_lhapdf_interpolation_agrees_with_pythias(grid, pythia):
    """Exactly at the knots, to 1e-3 in nearly all places between, and in the mean over x."""
    x, q, codes = np.meshgrid(grid.x[40:-1], grid.q[2::5], grid.flavours, indexing="ij")
    np.testing.assert_allclose(
        grid.xfxq(codes, x, q, clamp=True), pythia(codes, x, q), rtol=1e-12, atol=1e-12
    )
    codes, x, _ = scattered(grid, 20_000)
    ours, theirs = grid.xfxq(codes, x, 173.0, clamp=True), pythia(codes, x, 173.0)
    assert np.mean(np.abs(ours - theirs) <= 1e-3 * theirs + 1e-5) > 0.98
    assert ours.sum() == pytest.approx(theirs.sum(), rel=1e-4)


def test_momentum_is_conserved(grid):
    x, weights = np.polynomial.legendre.leggauss(400)
    log_x = 0.5 * np.log(1e-9) * (1 - x)
    total = sum(
        (
            0.5 * -np.log(1e-9) * weights * np.exp(log_x) * grid.xfxq(code, np.exp(log_x), 173.0)
        ).sum()
        for code in grid.flavours
    )
    assert total == pytest.approx(1.0, abs=2e-3)


@pytest.mark.parametrize("interpolation", ["lhapdf", "pythia"])
def test_table_at_fixed_scale(grid, interpolation):
    log_x, table = grid.at_scale(173.0, interpolation=interpolation)
    densities = np.empty(len(grid.flavours))
    for x in [*np.geomspace(1e-9, 1, 200), *grid.x[::10], 1e-12]:
        parton_densities(log_x, table, x, densities)
        expected = grid.xfxq(grid.flavours, x, 173.0, clamp=True, interpolation=interpolation)
        np.testing.assert_allclose(densities, expected, rtol=1e-10, atol=1e-12)


def made(values, x=(1e-3, 1e-2, 0.2, 0.5, 1.0), q=((2.0, 3.0, 4.0, 5.0), (5.0, 10.0, 50.0, 100.0))):
    """Make a grid's text: one function per block of ln x and ln Q, for two flavours."""
    text = "PdfType: central\nFormat: lhagrid1\n---\n"
    for block, function in zip(q, values, strict=True):
        rows = "\n".join(
            f"{function(np.log(a), np.log(b))} {2 * function(np.log(a), np.log(b))}"
            for a in x
            for b in block
        )
        text += f"{' '.join(map(str, x))}\n{' '.join(map(str, block))}\n21 1\n{rows}\n---\n"
    return text


def test_thresholds_are_not_smeared(tmp_path):
    """What is linear in ln x and in ln Q is reproduced on both sides of a jump."""
    below, above = (lambda lx, lq: 3 + lx + lx * lq), (lambda lx, lq: 40 - lx + 7 * lq)
    file = tmp_path / "made.dat"
    file.write_text(made([below, above]))
    grid = read_grid(file)
    assert grid.flavours == (21, 1)
    x = np.geomspace(1e-3, 1, 30)
    for interpolation in ("lhapdf", "pythia"):
        for q, function in [(4.9, below), (2.0, below), (5.0, above), (5.1, above), (99.0, above)]:
            found = grid.xfxq([[0], [1]], x, q, interpolation=interpolation)
            expected = function(np.log(x), np.log(q))
            np.testing.assert_allclose(found, [expected, 2 * expected], rtol=1e-12)


def test_edges_are_frozen(grid):
    assert grid.xfxq(21, 1e-12, 10.0) == grid.xfxq(21, grid.x[0], 10.0)
    assert grid.xfxq(21, 0.1, 1.0) == pytest.approx(float(grid.xfxq(21, 0.1, grid.q[0])))
    assert grid.xfxq(21, 0.1, 1e6) == pytest.approx(float(grid.xfxq(21, 0.1, grid.q[-1])))
    assert grid.xfxq(2, 1.0, 10.0) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((6, 0.1, 10.0), "no parton 6"),
        ((21, 0.0, 10.0), "x must"),
        ((21, 1.1, 10.0), "x must"),
        ((21, np.nan, 10.0), "x must"),
        ((21, 0.1, -1.0), "Q must"),
    ],
)
def test_bad_requests(grid, arguments, message):
    with pytest.raises(DatasetError, match=message):
        grid.xfxq(*arguments)


def test_unknown_interpolation(grid):
    with pytest.raises(DatasetError, match="lhapdf or pythia"):
        grid.xfxq(21, 0.1, 10.0, interpolation="linear")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace("lhagrid1", "other"), "not a grid"),
        (lambda text: text.replace("---", "==="), "no header|not a grid"),
        (lambda text: text.replace("0.01 0.2", "0.2 0.01"), "increase"),
        (lambda text: text.replace("2.0 3.0", "2.0 x"), "could not convert"),
        (lambda text: text.replace("2.0 3.0 ", "2.0 "), "values where"),
        (lambda text: text.replace("21 1", "21 2", 1), "block 2"),
        (lambda text: text[: text.index("21 1")], "ends too early"),
        (lambda text: text.replace("5.0 10.0", "4.5 10.0"), "block to block"),
        (lambda text: text.replace("21 1\n", "21 1\nnan "), "values"),
    ],
)
def test_bad_files(tmp_path, change, message):
    file = tmp_path / "bad.dat"
    file.write_text(change(made([lambda lx, lq: 1 + lx, lambda lx, lq: 1 + lx])))
    with pytest.raises(DatasetError, match=message):
        read_grid(file)


def test_missing_files(tmp_path):
    with pytest.raises(DatasetError, match="cannot read"):
        read_grid(tmp_path / "none.dat")
    with pytest.raises(DatasetError, match="no parton distributions"):
        pythia_grid("CT10000")


def test_pythias_interpolation_needs_four_knots(tmp_path):
    file = tmp_path / "small.dat"
    file.write_text(made([lambda lx, lq: 1 + lx], q=((2.0, 3.0),)))
    grid = read_grid(file)
    assert grid.xfxq(21, 0.1, 2.5) == pytest.approx(1 + np.log(0.1))
    with pytest.raises(DatasetError, match="four knots"):
        grid.xfxq(21, 0.1, 2.5, interpolation="pythia")
