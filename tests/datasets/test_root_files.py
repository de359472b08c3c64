"""ROOT files of any columns: round trips, and one clear error for each kind of bad file."""

from __future__ import annotations

import awkward as ak
import numpy as np
import pytest
import uproot

from hepgym.datasets import root_files
from hepgym.datasets.errors import DatasetError
from hepgym.datasets.root_files import Branch, Table

CONTAINERS = ("ttree", "rntuple")


def columns(entries: int, seed: int = 1) -> dict[str, ak.Array]:
    random = np.random.default_rng(seed)
    counts = random.integers(0, 5, entries)
    total = int(counts.sum())
    record = ak.zip(
        {
            "x": ak.unflatten(random.normal(size=total).astype(np.float32), counts),
            "n": ak.unflatten(random.integers(-9, 9, total).astype(np.int16), counts),
        }
    )
    return {"a": record, "id": np.arange(entries, dtype=np.int32), "w": random.random(entries)}


def make(path, container, pieces):
    with root_files.create(path, "events", container) as file:
        for piece in pieces:
            file.extend(piece)
        file.write_text("note", "long " * 1000)
    return path


@pytest.mark.parametrize("container", CONTAINERS)
def test_round_trip(tmp_path, container):
    pieces = [columns(50, 1), columns(70, 2), columns(1, 3)]
    path = make(tmp_path / "a.root", container, pieces)
    wanted = [Branch("a_x", "float"), Branch("a_n", "integer"), Branch("id", "integer", False)]
    with Table(path) as table:
        assert (table.name, table.entries) == ("events", 121)
        assert {"a_x", "a_n", "id", "w"} <= set(table.branches())
        read = table.read(wanted)
        part = table.read(wanted, start=40, stop=-1)
        assert len(table.read(wanted, start=7, stop=7)["a_x"]) == 0
    for name, array in (
        ("a_x", ak.concatenate([piece["a"].x for piece in pieces])),
        ("a_n", ak.concatenate([piece["a"].n for piece in pieces])),
        ("id", np.concatenate([piece["id"] for piece in pieces])),
    ):
        assert read[name].to_list() == array.tolist()
        assert part[name].to_list() == array[40:-1].tolist()
        assert ak.type(read[name]) == ak.type(ak.Array(array))
    assert root_files.read_text(path, "note") == "long " * 1000
    assert root_files.table_names(path) == ["events"]


def test_rntuple_floats_are_split_and_uproot_is_left_as_it_was(tmp_path):
    from uproot.writing import _cascadentuple

    before = dict(_cascadentuple._ak_primitive_to_num_dict)
    path = make(tmp_path / "a.root", "rntuple", [columns(50)])
    assert _cascadentuple._ak_primitive_to_num_dict == before
    with uproot.open(path) as file:
        types = {record.type for record in file["events"].column_records}
    assert uproot.const.rntuple_col_type_to_num_dict["splitreal32"] in types
    assert uproot.const.rntuple_col_type_to_num_dict["real32"] not in types


def test_rntuple_without_split_columns_still_holds_the_numbers(tmp_path, monkeypatch):
    from uproot.writing import _cascadentuple

    types = dict(_cascadentuple._ak_primitive_to_num_dict)

    class Other(dict):
        """A table of types that is no longer a plain dictionary with float32."""

        def __contains__(self, key):
            return key != "float32" and super().__contains__(key)

    monkeypatch.setattr(_cascadentuple, "_ak_primitive_to_num_dict", Other(types))
    piece = columns(50)
    path = make(tmp_path / "a.root", "rntuple", [piece])
    with Table(path) as table:
        assert table.read([Branch("a_x", "float")])["a_x"].to_list() == piece["a"].x.to_list()


def test_unknown_container(tmp_path):
    with (
        pytest.raises(DatasetError, match="'parquet' is none of ttree, rntuple"),
        root_files.create(tmp_path / "a.root", "events", "parquet"),
    ):
        pass


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("my.root", ("my.root", None)),
        ("my.root:events", ("my.root", "events")),
        ("my.root:folder/events", ("my.root", "folder/events")),
        ("my.root:", ("my.root", None)),
        ("run:7/my.root", ("run:7/my.root", None)),
    ],
)
def test_split_path_of_absent_files(source, expected):
    path, table = root_files.split_path(source)
    assert (str(path), table) == expected


def test_split_path_keeps_colons_of_existing_files(tmp_path):
    path = tmp_path / "run:7.root"
    make(path, "ttree", [columns(3)])
    assert root_files.split_path(str(path)) == (path, None)
    assert root_files.split_path(f"{path}:events") == (path, "events")
    assert root_files.split_path(path) == (path, None)
    with Table(path) as table:
        assert table.entries == 3


def test_replacing_keeps_the_old_file_when_anything_fails(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def fail():
        with root_files.replacing(path) as temporary:
            temporary.write_text("new")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert path.read_text() == "old"
    with root_files.replacing(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_replacing_needs_a_folder_and_a_file_name(tmp_path):
    absent = tmp_path / "absent" / "a.root"
    with pytest.raises(DatasetError, match="make the folder"), root_files.replacing(absent):
        pass
    with pytest.raises(DatasetError, match="is a folder"), root_files.replacing(tmp_path):
        pass


@pytest.mark.parametrize("container", CONTAINERS)
class TestBadFiles:
    @pytest.fixture
    def path(self, tmp_path, container):
        return make(tmp_path / "a.root", container, [columns(500)])

    def refused(self, path, *parts, name="events", branch=("a_x", "float")):
        with pytest.raises(DatasetError) as caught, Table(path, name) as table:
            table.read([Branch(*branch)])
        message = str(caught.value)
        assert str(path) in message
        for part in parts:
            assert part in message
        assert "\n" not in message

    def test_absent(self, path):
        self.refused(path.with_name("b.root"), "does not exist")

    def test_folder(self, path):
        self.refused(path.parent, "is a folder")

    def test_not_root(self, path):
        path.write_bytes(b"PK\x03\x04" + bytes(1000))
        self.refused(path, "not a ROOT file")

    def test_empty(self, path):
        path.write_bytes(b"")
        self.refused(path, "not a ROOT file")

    @pytest.mark.parametrize("keep", [10, 100, 0.5, 0.999])
    def test_truncated(self, path, keep):
        content = path.read_bytes()
        path.write_bytes(content[: int(keep * len(content)) if keep < 1 else keep])
        self.refused(path, "truncated", "copy or generate it again")

    def test_overwritten_inside(self, path):
        content = bytearray(path.read_bytes())
        content[150:-1] = bytes(len(content) - 151)
        path.write_bytes(content)
        self.refused(path)

    def test_overwritten_data(self, path):
        with Table(path) as table, uproot.open(path) as file:
            assert table.entries == 500
            if isinstance(file["events"], uproot.behaviors.TTree.TTree):
                branch = file["events"]["a_x"]
                start = branch.member("fBasketSeek")[0]
                stop = start + branch.member("fBasketBytes")[0]
            else:
                start, stop = 300, 2500
        content = bytearray(path.read_bytes())
        content[start + 100 : stop] = bytes(stop - start - 100)
        path.write_bytes(content)
        self.refused(path)

    def test_missing_table(self, path):
        self.refused(path, "no tree 'jets'", "it has 'events'", name="jets")

    def test_object_that_is_no_table(self, path):
        self.refused(path, "'note' is a TObjString", "it has 'events'", name="note")

    def test_missing_branch(self, path):
        self.refused(path, "'events'", "no branch 'pt'", "'a_x'", branch=("pt", "float"))

    def test_wrong_types(self, path):
        self.refused(path, "branch 'w'", "float64", "list", branch=("w", "float"))
        self.refused(path, "branch 'a_n'", "int16", branch=("a_n", "float"))
        self.refused(path, "branch 'a_x'", "float32", branch=("a_x", "integer"))
        self.refused(path, "branch 'a_x'", "one int8", branch=("a_x", "integer", False))

    def test_missing_text(self, path):
        for name in ("absent", "events"):
            with pytest.raises(DatasetError, match=f"a.root has no text object .* '{name}'"):
                root_files.read_text(path, name)


def test_tables_must_be_named_if_there_are_several(tmp_path):
    path = tmp_path / "two.root"
    with uproot.recreate(path) as file:
        file.mktree("one", {"x": np.arange(3.0)})
        file.mktree("in/two", {"x": np.arange(4.0)})
    with pytest.raises(DatasetError, match=r"trees 'one', 'in/two': say which, as in two.root:one"):
        Table(path)
    with Table(path, "in/two") as table:
        assert table.entries == 4


def test_file_without_tables(tmp_path):
    path = tmp_path / "h.root"
    with uproot.recreate(path) as file:
        file["h"] = np.histogram(np.arange(10.0))
    with pytest.raises(DatasetError, match="no TTree and no RNTuple"):
        Table(path)
    with pytest.raises(DatasetError, match="'h' is a TH1D"):
        Table(path, "h")


def test_strings_and_nested_lists_are_not_numbers(tmp_path):
    path = tmp_path / "s.root"
    with uproot.recreate(path) as file:
        file.mkrntuple("t", {"s": ak.Array(["a", "bc"]), "v": ak.Array([[[1.0]], [[2.0], []]])})
    for name in ("s", "v"):
        with pytest.raises(DatasetError, match=f"branch '{name}' is of type"), Table(path) as table:
            table.read([Branch(name, "float")])
