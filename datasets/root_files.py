"""ROOT files in and out: columns of TTrees and RNTuples as awkward arrays, through uproot.

Everything that can be wrong with a file ends in one `DatasetError` that names the file, the tree,
the branch and the entry. Nothing here knows what the columns mean.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import struct
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .errors import DatasetError

if TYPE_CHECKING:
    import awkward as ak

Container = Literal["ttree", "rntuple"]
CONTAINERS: tuple[Container, ...] = ("ttree", "rntuple")

_TABLE_CLASSES = ("TTree", "TNtuple", "TNtupleD", "ROOT::RNTuple")
_NUMBERS = {"float": ("float32", "float64"), "integer": ("int8", "int16", "int32", "int64")}

# Level 19 costs write time only. Behind split columns it saves 3 %, in plain ones hardly anything.
_ZSTD_LEVEL: dict[Container, int] = {"ttree": 9, "rntuple": 19}

# ROOT's number of the column type SplitReal32, see
# https://github.com/root-project/root/blob/master/tree/ntuple/doc/BinaryFormatSpecification.md
_SPLIT_REAL_32 = 0x18


class Branch(NamedTuple):
    """What a reader expects of a branch (of an RNTuple: a field).

    Attributes
    ----------
    name
        Its name in the file.
    number
        float (single or double precision) or integer (signed, any size).
    jagged
        A list per entry instead of one number.
    """

    name: str
    number: Literal["float", "integer"]
    jagged: bool = True


def split_path(source: str | os.PathLike[str]) -> tuple[Path, str | None]:
    """Split "my.root:events" into the file and the name of a tree in it.

    Parameters
    ----------
    source
        A path, or a path and a tree's name joined by a colon. An existing file whose own name
        holds colons is taken as it is; a path object is never split.

    Returns
    -------
    path : pathlib.Path
    table : str or None
        None where no tree is named.
    """
    if not isinstance(source, str) or Path(source).exists():
        return Path(source), None
    path, colon, table = source.rpartition(":")
    if colon and (Path(path).exists() or path.endswith(".root")):
        return Path(path), table or None
    return Path(source), None


class Table:
    """A TTree or RNTuple opened for reading; a context manager.

    Parameters
    ----------
    path
        The ROOT file.
    name
        Name of the TTree or RNTuple, with its directory if it is in one; None takes the only one.

    Attributes
    ----------
    path : pathlib.Path
    name : str
    entries : int

    Raises
    ------
    DatasetError
        If the file is absent, not a ROOT file, truncated or damaged, or holds no such table.
    """

    def __init__(self, path: str | os.PathLike[str], name: str | None = None) -> None:
        self.path = Path(path)
        self._file = _open(self.path)
        try:
            self.name = name if name is not None else self._only_table()
            self._object = self._find()
            with _damage_named(self.place()):
                self.entries = int(self._object.num_entries)
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Table:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def place(self, branch: str | None = None) -> str:
        """Where something is, for error messages."""
        tree = f"{self.path}, tree {self.name!r}"
        return tree if branch is None else f"{tree}, branch {branch!r}"

    def branches(self) -> list[str]:
        """Names of all branches."""
        return list(map(str, self._object.keys()))

    def bounds(self, start: int | None, stop: int | None) -> tuple[int, int]:
        """First entry and end of ``start:stop``, with the meaning that a Python slice gives it."""
        first, end, _ = slice(start, stop).indices(self.entries)
        return first, max(first, end)

    def read(
        self, branches: Sequence[Branch], *, start: int | None = None, stop: int | None = None
    ) -> dict[str, ak.Array]:
        """Read some branches.

        Parameters
        ----------
        branches
            What to read and of which type it must be.
        start, stop
            Range of entries, as in a slice.

        Returns
        -------
        dict
            Awkward array of each branch by name, one item per entry.

        Raises
        ------
        DatasetError
            If a branch is missing, of another type or damaged.
        """
        first, end = self.bounds(start, stop)
        return {branch.name: self._read(branch, first, end) for branch in branches}

    def _read(self, branch: Branch, first: int, end: int) -> ak.Array:
        import awkward as ak
        from uproot.exceptions import KeyInFileError

        place = self.place(branch.name)
        try:
            column = self._object[branch.name]
        except KeyInFileError:
            raise DatasetError(
                f"{self.place()} has no branch {branch.name!r}; it has "
                f"{_listed(self.branches())}: correct the name or map it with fields"
            ) from None
        with _damage_named(place):
            array = column.array(entry_start=first, entry_stop=end, library="ak")
            complete = len(array) == end - first
        if not complete:
            raise DatasetError(
                f"{place} has {first + len(array)} entries where the tree has {self.entries}: "
                "the file is damaged, copy or generate it again"
            )
        numbers = _NUMBERS[branch.number]
        kind = ak.type(array).content
        item = kind
        if branch.jagged and isinstance(kind, ak.types.ListType):
            item = kind.content
        elif branch.jagged:
            item = None
        if not isinstance(item, ak.types.NumpyType) or item.primitive not in numbers:
            shape = "a list of {} per entry" if branch.jagged else "one {} per entry"
            raise DatasetError(
                f"{place} is of type {kind} and must be {shape.format(' or '.join(numbers))}: "
                "name another branch or convert this one"
            )
        return array

    def _only_table(self) -> str:
        tables = _tables(self._file)
        if len(tables) == 1:
            return tables[0]
        if not tables:
            raise DatasetError(f"{self.path} holds no TTree and no RNTuple: use another file")
        raise DatasetError(
            f"{self.path} holds the trees {_listed(tables)}: say which, "
            f"as in {self.path.name}:{tables[0]}"
        )

    def _find(self) -> Any:
        from uproot.exceptions import KeyInFileError

        with _damage_named(self.place()):
            try:
                class_name = str(self._file.classname_of(self.name))
            except KeyInFileError:
                class_name = ""
        if class_name in _TABLE_CLASSES:
            with _damage_named(self.place()):
                return self._file[self.name]
        tables = _tables(self._file)
        present = f"it has {_listed(tables)}" if tables else "it has none"
        reason = f"{self.name!r} is a {class_name}" if class_name else f"no tree {self.name!r}"
        raise DatasetError(
            f"{self.path}: {reason}, a TTree or RNTuple is needed and {present}: correct the name"
        )


def table_names(path: str | os.PathLike[str]) -> list[str]:
    """Names of the TTrees and RNTuples in a ROOT file.

    Parameters
    ----------
    path
        The ROOT file.

    Returns
    -------
    list of str

    Raises
    ------
    DatasetError
        If the file is absent, not a ROOT file, truncated or damaged.
    """
    with _open(Path(path)) as file:
        return _tables(file)


def read_text(path: str | os.PathLike[str], name: str) -> str:
    """Read a string (TObjString) from a ROOT file.

    Parameters
    ----------
    path
        The ROOT file.
    name
        Name of the string in the file.

    Returns
    -------
    str

    Raises
    ------
    DatasetError
        If the file cannot be read or holds no such string.
    """
    from uproot.exceptions import KeyInFileError

    path = Path(path)
    with _open(path) as file, _damage_named(f"{path}, object {name!r}"):
        try:
            text = file[name]
        except KeyInFileError:
            text = None
        if not isinstance(text, str):
            raise DatasetError(
                f"{path} has no text object (TObjString) {name!r}: it was not written by this "
                "package, or not completely"
            )
        return str(text)


class Writer:
    """Appends columns to the one TTree or RNTuple of a new ROOT file; made by `create`."""

    def __init__(self, path: Path, file: Any, table: str, container: Container) -> None:
        self._path = path
        self._file = file
        self._table = table
        self._container = container
        self._object: Any = None
        self._split = False

    def extend(self, columns: Mapping[str, ak.Array | NDArray[Any]]) -> None:
        """Append entries.

        Parameters
        ----------
        columns
            Column by name, the same names and types at every call: one number, one list of
            numbers or one list of records of numbers per entry. Records ``a`` with a field ``b``
            become the branch ``a_b``; in a TTree all ``a_*`` share the counter ``na``.
        """
        import awkward as ak

        arrays = {name: ak.Array(column) for name, column in columns.items()}
        with _refusal_named(self._path):
            if self._container == "ttree":
                self._extend_ttree(arrays)
            else:
                self._extend_rntuple(arrays)

    def _extend_ttree(self, arrays: Mapping[str, ak.Array]) -> None:
        import awkward as ak

        if self._object is None:
            types = {name: ak.type(array).content for name, array in arrays.items()}
            self._object = self._file.mktree(self._table, types, initial_basket_capacity=100)
        self._object.extend(arrays)

    def _extend_rntuple(self, arrays: Mapping[str, ak.Array]) -> None:
        import awkward as ak

        flat: dict[str, ak.Array] = {}
        for name, array in arrays.items():
            if ak.fields(array):
                flat.update({f"{name}_{field}": array[field] for field in ak.fields(array)})
            else:
                flat[name] = array
        if self._object is None:
            form = _record_layout(flat).form
            with _split_float_columns() as self._split:
                self._object = self._file.mkrntuple(self._table, form)
        self._object.extend(ak.Array(_record_layout(flat, split=self._split)))

    def write_text(self, name: str, text: str) -> None:
        """Add a string (TObjString)."""
        with _refusal_named(self._path):
            self._file[name] = text


@contextlib.contextmanager
def create(path: str | os.PathLike[str], table: str, container: Container) -> Iterator[Writer]:
    """Create a ROOT file with one TTree or RNTuple, compressed with Zstandard.

    Float columns of an RNTuple are byte-split, as ROOT itself does by default: momenta take a
    fifth less space than in a TTree.

    Parameters
    ----------
    path
        The new file; an existing one is overwritten.
    table
        Name of the TTree or RNTuple.
    container
        ttree or rntuple.

    Yields
    ------
    Writer

    Raises
    ------
    DatasetError
        If the file cannot be written.
    """
    import uproot

    if container not in CONTAINERS:
        raise DatasetError(f"container {container!r} is none of {', '.join(CONTAINERS)}")
    path = Path(path)
    with _refusal_named(path):
        file = uproot.recreate(path, compression=uproot.ZSTD(_ZSTD_LEVEL[container]))
    with file:
        yield Writer(path, file, table, container)


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Write a file under another name in the same folder and rename it when it is complete.

    Parameters
    ----------
    path
        The file to make. It keeps its old content, or stays absent, if anything goes wrong.

    Yields
    ------
    pathlib.Path
        The name to write to.

    Raises
    ------
    DatasetError
        If the folder does not exist or the file cannot be put in place.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise DatasetError(f"{path} cannot be written: make the folder {path.parent} first")
    if path.is_dir():
        raise DatasetError(f"{path} cannot be written: it is a folder, give a file name")
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        yield temporary
        with _refusal_named(path):
            os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _open(path: Path) -> Any:
    """Open a ROOT file whose first bytes and length are right."""
    import uproot

    try:
        with path.open("rb") as stream:
            head = stream.read(20)
            size = stream.seek(0, os.SEEK_END)
    except FileNotFoundError:
        raise DatasetError(f"{path} does not exist: check the path") from None
    except IsADirectoryError:
        raise DatasetError(f"{path} is a folder: give a ROOT file in it") from None
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror}") from error
    if head[:4] != b"root":
        raise DatasetError(
            f"{path} is not a ROOT file, it begins with {head[:4]!r} instead of b'root': "
            "check the path"
        )
    # The header: "root", version, begin, end; the end has 8 bytes in files above 2 GB.
    end = 0
    if len(head) == 20:
        large = struct.unpack(">i", head[4:8])[0] >= 1_000_000
        end = struct.unpack(">q", head[12:20])[0] if large else struct.unpack(">i", head[12:16])[0]
    if len(head) < 20 or size < end:
        whole = f" of {end}" if end else ""
        raise DatasetError(
            f"{path} is truncated, it has {size}{whole} bytes: copy or generate it again"
        )
    with _damage_named(str(path)):
        # As a path object, so that uproot does not look for a tree's name behind a colon.
        return uproot.open(path)


@contextlib.contextmanager
def _damage_named(place: str) -> Iterator[None]:
    """Turn whatever uproot and the decompressors raise on damaged bytes into a DatasetError."""
    try:
        yield
    except (DatasetError, MemoryError):
        raise
    except Exception as error:
        lines = str(error).strip().splitlines()
        reason = f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
        raise DatasetError(
            f"{place} cannot be read, the file is damaged or of an unknown kind ({reason}): "
            "copy or generate it again"
        ) from error


@contextlib.contextmanager
def _refusal_named(path: Path) -> Iterator[None]:
    """Turn the system's refusal to write into a DatasetError."""
    try:
        yield
    except OSError as error:
        raise DatasetError(f"{path} cannot be written: {error.strerror or error}") from error


def _tables(file: Any) -> list[str]:
    with _damage_named(str(file.file_path)):
        classes = file.classnames(recursive=True, cycle=False)
    return [str(name) for name, kind in classes.items() if kind in _TABLE_CLASSES]


def _listed(names: Sequence[str], limit: int = 12) -> str:
    shown = ", ".join(repr(name) for name in names[:limit])
    return f"{shown} and {len(names) - limit} more" if len(names) > limit else shown or "none"


def _record_layout(columns: Mapping[str, ak.Array], split: bool = False) -> Any:
    """One record per entry, of columns in the simplest layout."""
    import awkward as ak

    contents = []
    for array in columns.values():
        layout = ak.to_packed(array).layout
        if split and isinstance(layout, ak.contents.ListOffsetArray):
            layout = ak.contents.ListOffsetArray(layout.offsets, _byte_split(layout.content))
        elif split:
            layout = _byte_split(layout)
        contents.append(layout)
    return ak.contents.RecordArray(contents, list(columns))


def _byte_split(layout: Any) -> Any:
    """Put the first bytes of all float32 first, then all second bytes, and so on."""
    import awkward as ak

    if not isinstance(layout, ak.contents.NumpyArray) or layout.data.dtype != np.float32:
        return layout
    values = np.ascontiguousarray(layout.data)
    bytes_first = np.ascontiguousarray(values.view(np.uint8).reshape(-1, 4).T)
    return ak.contents.NumpyArray(bytes_first.reshape(-1).view(np.float32))


@contextlib.contextmanager
def _split_float_columns() -> Iterator[bool]:
    """Make uproot declare float32 columns as split while it writes an RNTuple's header.

    uproot 5 reads ROOT's split columns but has no option to write them. Its writer makes one page
    of each column per call of ``extend``, so that splitting the bytes before the call is enough.
    Where its table of column types has another form, the columns stay plain and files are larger.

    Yields
    ------
    bool
        Whether the columns are declared as split.
    """
    from uproot.writing import _cascadentuple

    types = getattr(_cascadentuple, "_ak_primitive_to_num_dict", None)
    if not isinstance(types, dict) or "float32" not in types:
        yield False
        return
    plain = types["float32"]
    types["float32"] = _SPLIT_REAL_32
    try:
        yield True
    finally:
        types["float32"] = plain
