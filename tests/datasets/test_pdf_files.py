"""Files of data: round trips, a user's own data, and what is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest

from hepgym.datasets import DatasetError, parton_distributions
from hepgym.datasets.parton_distributions.data import DISData, SetInfo
from hepgym.datasets.parton_distributions.files import (
    content_hash,
    to_arrays,
    write_data,
    write_npz,
    write_root,
)


@pytest.fixture(scope="module")
def data():
    return parton_distributions.load()


def test_npz_round_trip(data, tmp_path):
    file = tmp_path / "folder" / "data.npz"
    digest = write_data(file, data)
    assert content_hash(to_arrays(parton_distributions.load(file))) == digest
    assert content_hash(to_arrays(parton_distributions.load(file.parent))) == digest
    again = tmp_path / "again.npz"
    write_data(again, data)
    assert again.read_bytes() == file.read_bytes()


@pytest.mark.parametrize("names", [["NMC", "CHORUS"], ["SLAC-d"], ["HERA-CC-em"]])
def test_root_round_trip(data, tmp_path, names):
    """Without ratios, without additive sources, without any: branches may be empty."""
    part = data.select(data.in_sets(names))
    file = tmp_path / "data.root"
    write_root(file, part)
    assert content_hash(to_arrays(parton_distributions.load(file))) == content_hash(to_arrays(part))


def test_own_data_and_tables(tmp_path):
    """A user's set with one source of error and a table on a coarser grid."""
    grid = np.geomspace(1e-4, 1.0, 7)
    mine = DISData(
        sets=(SetInfo("mine", "EIC", "NC", 2031, "none yet"),),
        set_index=np.zeros(3, np.int64),
        x=np.array([0.01, 0.1, 0.3]),
        q2=np.full(3, 25.0),
        y=np.zeros(3),
        central=np.array([1.0, 2.0, 3.0]),
        stat=np.full(3, 0.1),
        uncorrelated_additive=np.zeros(3),
        uncorrelated_multiplicative=np.zeros(3),
        additive_names=(),
        additive=np.zeros((3, 0)),
        multiplicative_names=("luminosity",),
        multiplicative=np.full((3, 1), 0.02),
        table=np.ones((3, 9, 7), np.float32),
        ratio_rows=np.zeros(0, np.int64),
        denominator=np.zeros((0, 9, 7), np.float32),
        x_grid=grid,
    )
    for name in ("mine.npz", "mine.root"):
        file = tmp_path / name
        (write_data if name.endswith(".npz") else write_root)(file, mine)
        loaded = parton_distributions.load(file)
        assert loaded.set_names == ("mine",)
        np.testing.assert_allclose(loaded.predict(np.ones((9, 7))), 63.0)


def change(arrays, name, value):
    return {**arrays, name: value}


def described(arrays, **changes):
    description = json.loads(str(arrays["description"])) | changes
    return {**arrays, "description": np.array(json.dumps(description))}


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda a: {k: v for k, v in a.items() if k != "stat"}, "array 'stat' is missing"),
        (lambda a: {k: v for k, v in a.items() if k != "description"}, "text 'description'"),
        (lambda a: change(a, "description", np.array("{")), "not JSON"),
        (lambda a: described(a, format="other"), "format must be 'hepgym-dis-1'"),
        (lambda a: described(a, evolution_basis=["g"]), "evolution_basis must be Sigma"),
        (lambda a: described(a, sets=[{"name": "x"}]), "lacks or misspells"),
        (lambda a: change(a, "x", a["x"][:-1]), "array 'x' has type float64 and shape"),
        (lambda a: change(a, "table", a["table"][:, :8]), "array 'table' has type"),
        (lambda a: change(a, "set_index", a["x"]), "array 'set_index' has type float64"),
        (
            lambda a: change(a, "central", a["central"] * np.nan),
            "holds a number that is not finite",
        ),
        (lambda a: change(a, "x", a["x"] + 1), r"x\[0\] must lie between 0 and 1"),
        (lambda a: change(a, "q2", -a["q2"]), r"q2\[0\] must be positive"),
        (lambda a: change(a, "stat", -a["stat"]), r"stat\[0\] must not be negative"),
        (lambda a: change(a, "set_index", a["set_index"] + 99), r"set_index\[0\] must be 0 to 14"),
        (lambda a: change(a, "x_grid", a["x_grid"][::-1]), "x_grid"),
        (lambda a: change(a, "ratio_rows", a["ratio_rows"][::-1]), "ratio_rows"),
        (
            lambda a: (
                change(a, "stat", a["stat"] * 0)
                | {k: v * 0 for k, v in a.items() if k.startswith("uncorrelated")}
            ),
            "covariance would be singular",
        ),
    ],
)
def test_spoiled_files(data, tmp_path, spoil, message):
    file = tmp_path / "spoiled.npz"
    write_npz(file, spoil(to_arrays(data.select(np.arange(0, len(data), 50)))))
    with pytest.raises(DatasetError, match=message) as caught:
        parton_distributions.load(file)
    assert "spoiled.npz" in str(caught.value)


def test_damaged_and_foreign_files(data, tmp_path):
    file = tmp_path / "data.npz"
    write_data(file, data.select(np.arange(50)))
    file.write_bytes(file.read_bytes()[:2000])
    with pytest.raises(DatasetError, match="not an archive of arrays, or damaged"):
        parton_distributions.load(file)
    root = tmp_path / "data.root"
    root.write_bytes(b"not root")
    with pytest.raises(DatasetError, match="not a ROOT file of points and tables"):
        parton_distributions.load(root)
    np.savez(tmp_path / "pickled.npz", x=np.array([{}], object))
    with pytest.raises(DatasetError, match="not an archive of arrays"):
        parton_distributions.load(tmp_path / "pickled.npz")
