"""Files of jets with their clustering trees, and jets from a user's own ROOT file.

A jets file holds one TTree or RNTuple ``jets`` with one entry per jet:

================================  =======  ======================================================
branch                            type     content
================================  =======  ======================================================
constituents_px, _py, _pz, _E     float32  per constituent, GeV, in tree order
nodes_softer_size                 int16    per node, see `ClusteringTrees`
pythia_seed, event, rank          int32,   per jet, see `JetChunk`; -1 where unknown
                                  int32,
                                  int8
nodes_px, _py, _pz, _E            float32  per node, GeV
nodes_harder, nodes_softer        int32    per node, see `ClusteringTrees.children`
nodes_ln_z, _ln_Delta, _psi,      float32  per node, the node state
_ln_m, _ln_kt
================================  =======  ======================================================

and a string ``metadata`` with JSON. The last three rows are there for readers without this
package. They follow from the rest in about 10 microseconds a jet, and in double precision, so
this module never reads them and files written with ``nodes="topology"`` leave them out.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numba
import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import root_files
from ..errors import DatasetError
from ..root_files import split_path as split_path
from . import clustering
from .generation import JetChunk
from .trees import STATE_FIELDS, ClusteringTrees

if TYPE_CHECKING:
    import awkward as ak

Nodes = Literal["full", "topology"]
Progress = Callable[[int, int], object]

FORMAT = 1
TREE = "jets"
METADATA = "metadata"
MOMENTUM = ("px", "py", "pz", "E")
ORIGIN = ("pythia_seed", "event", "rank")

FIELDS: dict[str, str] = {name: f"constituents_{name}" for name in MOMENTUM}
"""Branches of the constituents that are read where the user names none."""

COORDINATES = (
    MOMENTUM,
    ("pt", "eta", "phi", "mass"),
    ("pt", "eta", "phi", "E"),
    ("pt", "y", "phi", "mass"),
    ("pt", "y", "phi", "E"),
)
"""Sets of quantities that give a four-momentum; y is the rapidity, eta the pseudorapidity."""

_SOFTER_SIZE = "nodes_softer_size"
_WRITE_JETS = 5000
"""Jets per basket or cluster: larger ones hardly compress better."""
_CLUSTER_JETS = 1000
"""Jets clustered between two calls of a progress function."""


class WrittenFile(NamedTuple):
    """A jets file that was written.

    Attributes
    ----------
    path
        The file.
    jets
        How many jets it holds.
    sha256
        Hash of the content, see `content_hash`.
    bytes
        Size of the file.
    """

    path: Path
    jets: int
    sha256: str
    bytes: int


def write(
    path: str | os.PathLike[str],
    chunks: Iterable[JetChunk],
    metadata: Mapping[str, object],
    *,
    nodes: Nodes = "full",
    container: root_files.Container = "ttree",
) -> WrittenFile:
    """Write a jets file, chunk by chunk, and check it by reading it back.

    The file appears under its name when it is complete; if anything fails, or the chunks stop
    with an exception, nothing is left behind and an older file of that name is untouched.

    Parameters
    ----------
    path
        The file to write, in an existing folder.
    chunks
        The jets. Content, hash and branches do not depend on how they are cut into chunks.
    metadata
        What else to say about the jets, of types that JSON knows. The number of jets, the content
        hash and the version of the format are added as "jets", "sha256" and "format".
    nodes
        full writes four-momenta, children and states of the nodes too, topology does not.
    container
        ttree is read by everything; rntuple (ROOT 6.34 or newer) is a fifth smaller.

    Returns
    -------
    WrittenFile

    Raises
    ------
    DatasetError
        If the jets are invalid, there are none, the metadata is not JSON or the file cannot be
        written.
    """
    path = Path(path)
    if nodes not in ("full", "topology"):
        raise DatasetError(f"nodes = {nodes!r} is neither 'full' nor 'topology'")
    _to_json(path, metadata)
    content = _ContentHash()
    with root_files.replacing(path) as temporary:
        with root_files.create(temporary, TREE, container) as file:
            for chunk in _larger(chunks):
                trees = _trees_of(chunk, f"the jets for {path}", content.jets)
                content.update(trees)
                file.extend(_columns(chunk, trees, nodes))
            if not content.jets:
                raise DatasetError(f"there are no jets to write to {path}")
            sha256 = content.hexdigest()
            summary = {"format": FORMAT, "jets": content.jets, "sha256": sha256}
            file.write_text(METADATA, _to_json(path, {**metadata, **summary}))
        found = _ContentHash()
        for trees in iterate(temporary):
            found.update(trees)
        if found.hexdigest() != sha256:
            raise DatasetError(
                f"{path} does not hold what was written to it: check the disk, and that the "
                "installed uproot is the one of constraints.txt"
            )
        size = temporary.stat().st_size
    return WrittenFile(path, content.jets, sha256, size)


def read(
    path: str | os.PathLike[str], *, start: int | None = None, stop: int | None = None
) -> ClusteringTrees:
    """Read the jets of a jets file.

    Parameters
    ----------
    path
        A file made by `write`.
    start, stop
        Range of jets, as in a slice.

    Returns
    -------
    ClusteringTrees

    Raises
    ------
    DatasetError
        If the file is absent, damaged, not a jets file, or holds an impossible jet.
    """
    with root_files.Table(path, TREE) as table:
        return _read(table, *table.bounds(start, stop))


def iterate(path: str | os.PathLike[str], jets_per_step: int = 10_000) -> Iterator[ClusteringTrees]:
    """Read a jets file piece by piece, for files larger than memory.

    Parameters
    ----------
    path
        A file made by `write`.
    jets_per_step
        Jets of each piece but the last.

    Yields
    ------
    ClusteringTrees

    Raises
    ------
    DatasetError
        As `read`.
    """
    with root_files.Table(path, TREE) as table:
        for start, stop in _steps(0, table.entries, jets_per_step):
            yield _read(table, start, stop)


def is_jets_file(path: str | os.PathLike[str]) -> bool:
    """Whether a ROOT file holds jets with their trees, as `write` makes it.

    Parameters
    ----------
    path
        A ROOT file.

    Returns
    -------
    bool

    Raises
    ------
    DatasetError
        If the file is absent, damaged or not a ROOT file.
    """
    if TREE not in root_files.table_names(path):
        return False
    with root_files.Table(path, TREE) as table:
        return _SOFTER_SIZE in table.branches()


def read_origin(
    path: str | os.PathLike[str], *, start: int | None = None, stop: int | None = None
) -> dict[str, NDArray[np.integer]]:
    """Where each jet of a jets file comes from.

    Parameters
    ----------
    path
        A file made by `write`.
    start, stop
        Range of jets, as in a slice.

    Returns
    -------
    dict
        pythia_seed (int32), event (int32) and rank (int8), each of shape (jets,), see `JetChunk`;
        -1 where unknown.

    Raises
    ------
    DatasetError
        If the file is absent, damaged or not a jets file.
    """
    import awkward as ak

    branches = [root_files.Branch(name, "integer", jagged=False) for name in ORIGIN]
    with root_files.Table(path, TREE) as table:
        columns = table.read(branches, start=start, stop=stop)
    return {name: ak.to_numpy(column) for name, column in columns.items()}


def read_metadata(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read what a jets file says about itself.

    Parameters
    ----------
    path
        A file made by `write`.

    Returns
    -------
    dict
        The metadata given to `write` with "jets", "sha256" and "format".

    Raises
    ------
    DatasetError
        If the file is absent, damaged or not a jets file.
    """
    text = root_files.read_text(path, METADATA)
    try:
        metadata = json.loads(text)
    except ValueError:
        metadata = None
    if not isinstance(metadata, dict):
        raise DatasetError(
            f"{path}, object {METADATA!r} is not a JSON object: the file was not written by this "
            "package, or not completely"
        )
    return metadata


def content_hash(trees: ClusteringTrees) -> str:
    """SHA-256 of jets, the same for the same jets in whatever file.

    Each of the columns counts (int32), px, py, pz, E (float32) and softer_size (int16) is hashed
    as little-endian bytes; the result is the hash of the lines "name:hash".

    Parameters
    ----------
    trees
        The jets; constituents are rounded to float32, as files hold them.

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    content = _ContentHash()
    content.update(trees)
    return content.hexdigest()


def to_chunk(trees: ClusteringTrees, origin: Mapping[str, ArrayLike] | None = None) -> JetChunk:
    """Jets in the form in which `write` takes them.

    Parameters
    ----------
    trees
        The jets; their constituents are rounded to float32.
    origin
        pythia_seed, event and rank of the jets, each of shape (jets,); -1 (unknown) where absent.

    Returns
    -------
    JetChunk

    Raises
    ------
    DatasetError
        If a jet has more than 32,767 constituents or the origin has another length.
    """
    counts = np.diff(trees.offsets).astype(np.int32)
    if len(counts) and counts.max() > np.iinfo(np.int16).max:
        jet = int(np.argmax(counts))
        raise DatasetError(
            f"jet {jet} has {counts[jet]} constituents, a jets file holds at most "
            f"{np.iinfo(np.int16).max} per jet: leave it out"
        )
    columns = {name: np.full(len(trees), -1) for name in ORIGIN}
    for name, values in (origin or {}).items():
        if name not in ORIGIN:
            raise DatasetError(f"origin has {name!r}, which is none of {', '.join(ORIGIN)}")
        columns[name] = np.asarray(values)
        if columns[name].shape != counts.shape:
            raise DatasetError(
                f"{name} has shape {columns[name].shape}, {len(counts)} jets need ({len(counts)},)"
            )
    return JetChunk(
        counts=counts,
        constituents=trees.constituents.astype(np.float32),
        softer_size=trees.softer_size.astype(np.int16),
        pythia_seed=columns["pythia_seed"].astype(np.int32),
        event=columns["event"].astype(np.int32),
        rank=columns["rank"].astype(np.int8),
    )


def read_constituents(
    path: str | os.PathLike[str],
    tree: str | None = None,
    fields: Mapping[str, str] | None = None,
    *,
    start: int | None = None,
    stop: int | None = None,
    progress: Progress | None = None,
) -> ClusteringTrees:
    """Read jets from any ROOT file and cluster them.

    Parameters
    ----------
    path
        The file, or "file.root:tree".
    tree
        Name of the TTree or RNTuple, one entry per jet; not needed if the file has only one.
    fields
        Branch of each quantity, for one of the sets of `COORDINATES`, such as ``{"pt": "part_pt",
        "eta": "part_eta", "phi": "part_phi", "mass": "part_m"}``. Branches are lists of float or
        double per jet, in GeV; `FIELDS` if None.
    start, stop
        Range of entries, as in a slice.
    progress
        Called with the jets done and the jets in all.

    Returns
    -------
    ClusteringTrees

    Raises
    ------
    DatasetError
        If the file is absent or damaged, a branch is missing or of the wrong type, or a jet is
        impossible: empty, not finite, or with negative energy or transverse momentum.
    """
    pieces = iterate_constituents(path, tree, fields, start=start, stop=stop, progress=progress)
    return _concatenate(list(pieces))


def iterate_constituents(
    path: str | os.PathLike[str],
    tree: str | None = None,
    fields: Mapping[str, str] | None = None,
    *,
    jets_per_step: int = 10_000,
    start: int | None = None,
    stop: int | None = None,
    progress: Progress | None = None,
) -> Iterator[ClusteringTrees]:
    """Read jets from any ROOT file and cluster them, piece by piece.

    Parameters
    ----------
    path, tree, fields, start, stop, progress
        As for `read_constituents`.
    jets_per_step
        Jets of each piece but the last.

    Yields
    ------
    ClusteringTrees

    Raises
    ------
    DatasetError
        As `read_constituents`.
    """
    file, named = split_path(path)
    fields = _checked_fields(FIELDS if fields is None else fields)
    branches = [root_files.Branch(name, "float") for name in fields.values()]
    with root_files.Table(file, tree if tree is not None else named) as table:
        first, end = table.bounds(start, stop)
        for low, high in _steps(first, end, jets_per_step):
            where = _Where({name: table.place(branch) for name, branch in fields.items()}, low)
            columns = table.read(branches, start=low, stop=high)
            offsets, values = _flat({name: columns[fields[name]] for name in fields}, where)
            momenta = _momenta(offsets, values, where)
            pieces = []
            for a, b in _steps(0, high - low, _CLUSTER_JETS):
                own = slice(offsets[a], offsets[b])
                pieces.append(clustering.cluster(offsets[a : b + 1] - offsets[a], momenta[own]))
                if progress is not None:
                    progress(low - first + b, end - first)
            yield _concatenate(pieces)


def to_awkward(trees: ClusteringTrees, origin: Mapping[str, ArrayLike] | None = None) -> ak.Array:
    """Jets as an awkward array with the behaviour of `vector`, without copying them.

    Parameters
    ----------
    trees
        The jets.
    origin
        More fields of the jets, each of shape (jets,), such as what `read_origin` returns.

    Returns
    -------
    awkward.Array
        One record per jet: ``constituents`` is a list of momenta (px, py, pz, E in GeV),
        ``nodes`` a list of momenta with ``harder``, ``softer``, ``softer_size`` and the node
        state, see `ClusteringTrees`.
    """
    import awkward as ak
    import vector

    vector.register_awkward()
    harder, softer = trees.children
    states = {name: trees.states[:, i] for i, name in enumerate(STATE_FIELDS)}
    nodes: dict[str, NDArray[Any]] = {
        "harder": harder,
        "softer": softer,
        "softer_size": trees.softer_size,
        **states,
    }
    fields = {
        "constituents": _momentum_lists(trees.offsets, trees.constituents, {}),
        "nodes": _momentum_lists(trees.node_offsets, trees.node_momenta, nodes),
    }
    for name, values in (origin or {}).items():
        fields[name] = ak.contents.NumpyArray(np.asarray(values))
    record = ak.contents.RecordArray(list(fields.values()), list(fields), length=len(trees))
    return ak.Array(record)


def from_awkward(array: ak.Array) -> ClusteringTrees:
    """Jets of an awkward array.

    Parameters
    ----------
    array
        What `to_awkward` returns, or a selection of its jets; or records with ``constituents``
        only, or lists of momenta, one list per jet. Momenta have any coordinates that `vector`
        knows, such as px, py, pz, E or pt, eta, phi, mass, in GeV. Without
        ``nodes.softer_size`` the jets are clustered.

    Returns
    -------
    ClusteringTrees

    Raises
    ------
    DatasetError
        If the array has another form or holds an impossible jet.
    """
    import awkward as ak
    import vector

    vector.register_awkward()
    names = ak.fields(array)
    wrapped = "constituents" in names
    prefix = "the array's field 'constituents.{}'" if wrapped else "the array's field '{}'"
    lists = array["constituents"] if wrapped else array
    if lists.ndim != 2 or not ak.fields(lists):
        raise DatasetError(
            f"the array is of type {ak.type(array)}, which is not a list of momenta per jet: give "
            "records with the field 'constituents', or lists of records px, py, pz, E"
        )
    where = _Where({name: prefix.format(name) for name in MOMENTUM}, 0)
    try:
        if not set(MOMENTUM) <= set(ak.fields(lists)):
            lists = ak.with_name(lists, "Momentum4D")
        columns = {name: getattr(lists, name) for name in MOMENTUM}
    except (AttributeError, TypeError):
        raise DatasetError(
            f"the array's constituents have the fields {', '.join(ak.fields(lists))}, which are "
            "not a four-momentum: name them px, py, pz, E or pt, eta, phi, mass"
        ) from None
    offsets, values = _flat(columns, where)
    momenta = _momenta(offsets, values, where)
    if not wrapped or "nodes" not in names or "softer_size" not in ak.fields(array["nodes"]):
        return clustering.cluster(offsets, momenta)
    place = "the array's field 'nodes.softer_size'"
    node_counts, softer_size = _lists(array["nodes"]["softer_size"], place)
    remedy = "leave the field 'nodes' out to cluster the jets again"
    _check_nodes(offsets, node_counts, softer_size, place, 0, remedy)
    return ClusteringTrees(offsets, momenta, softer_size.astype(np.int32))


class _Where(NamedTuple):
    """What to call each quantity and the first of some jets in an error message."""

    places: Mapping[str, str]
    first_jet: int


class _ContentHash:
    """The running hash of `content_hash`."""

    def __init__(self) -> None:
        names = ("counts", *MOMENTUM, "softer_size")
        self.jets = 0
        self._columns = {name: hashlib.sha256() for name in names}

    def update(self, trees: ClusteringTrees) -> None:
        self.jets += len(trees)
        columns: dict[str, NDArray[Any]] = {
            "counts": np.diff(trees.offsets).astype("<i4"),
            "softer_size": trees.softer_size.astype("<i2"),
        }
        for i, name in enumerate(MOMENTUM):
            columns[name] = trees.constituents[:, i].astype("<f4")
        for name, values in columns.items():
            self._columns[name].update(values.tobytes())

    def hexdigest(self) -> str:
        lines = [f"{name}:{digest.hexdigest()}\n" for name, digest in self._columns.items()]
        return hashlib.sha256("".join(lines).encode()).hexdigest()


def _to_json(path: Path, metadata: Mapping[str, object]) -> str:
    try:
        return json.dumps(dict(metadata), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise DatasetError(f"the metadata for {path} cannot be written as JSON: {error}") from None


def _steps(start: int, stop: int, size: int) -> Iterator[tuple[int, int]]:
    if size < 1:
        raise DatasetError(f"jets_per_step = {size} must be at least 1")
    for low in range(start, stop, size):
        yield low, min(low + size, stop)


def _larger(chunks: Iterable[JetChunk]) -> Iterator[JetChunk]:
    """Join chunks until they are worth a basket of their own."""
    waiting: list[JetChunk] = []
    for chunk in chunks:
        waiting.append(chunk)
        if sum(len(c.counts) for c in waiting) >= _WRITE_JETS:
            yield _joined(waiting)
            waiting = []
    if sum(len(c.counts) for c in waiting):
        yield _joined(waiting)


def _joined(chunks: list[JetChunk]) -> JetChunk:
    return JetChunk(*(np.concatenate(columns) for columns in zip(*chunks, strict=True)))


def _concatenate(pieces: list[ClusteringTrees]) -> ClusteringTrees:
    if len(pieces) == 1:
        return pieces[0]
    counts = [np.diff(piece.offsets) for piece in pieces]
    return ClusteringTrees(
        offsets=np.concatenate([[0], *counts]).cumsum().astype(np.int64),
        constituents=np.concatenate([np.empty((0, 4)), *(p.constituents for p in pieces)]),
        softer_size=np.concatenate([np.empty(0, np.int32), *(p.softer_size for p in pieces)]),
    )


def _trees_of(chunk: JetChunk, place: str, first_jet: int) -> ClusteringTrees:
    """Check a chunk that is about to be written and give its trees."""
    constituents = np.asarray(chunk.constituents)
    if constituents.dtype != np.float32 or constituents.shape != (int(chunk.counts.sum()), 4):
        raise DatasetError(
            f"{place}: constituents are {constituents.dtype} of shape {constituents.shape} and "
            f"must be float32 of shape ({int(chunk.counts.sum())}, 4): use to_chunk"
        )
    for name in ORIGIN:
        if getattr(chunk, name).shape != chunk.counts.shape:
            raise DatasetError(
                f"{place}: {name} has shape {getattr(chunk, name).shape}, "
                f"{len(chunk.counts)} jets need ({len(chunk.counts)},)"
            )
    offsets = np.concatenate([[0], np.cumsum(chunk.counts, dtype=np.int64)])
    where = _Where({name: f"{place}, {name}" for name in MOMENTUM}, first_jet)
    momenta = constituents.astype(np.float64)
    _check_momenta(offsets, {name: momenta[:, i] for i, name in enumerate(MOMENTUM)}, where)
    # A chunk does not say where the nodes of a jet end.
    if len(chunk.softer_size) != len(momenta) - len(chunk.counts):
        raise DatasetError(
            f"{place}: {len(momenta)} constituents in {len(chunk.counts)} jets make "
            f"{len(momenta) - len(chunk.counts)} nodes, not {len(chunk.softer_size)}: use to_chunk"
        )
    node_counts = np.diff(offsets) - 1
    remedy = "cluster the jets again"
    _check_nodes(
        offsets, node_counts, chunk.softer_size, f"{place}, softer_size", first_jet, remedy
    )
    return ClusteringTrees(offsets, momenta, chunk.softer_size.astype(np.int32))


def _columns(
    chunk: JetChunk, trees: ClusteringTrees, nodes: Nodes
) -> dict[str, ak.Array | NDArray[Any]]:
    """Columns of a jets file."""
    import awkward as ak

    def lists(offsets: NDArray[np.int64], fields: dict[str, NDArray[Any]]) -> ak.Array:
        contents = [ak.contents.NumpyArray(np.ascontiguousarray(f)) for f in fields.values()]
        record = ak.contents.RecordArray(contents, list(fields))
        return ak.Array(ak.contents.ListOffsetArray(ak.index.Index64(offsets), record))

    constituents = {name: chunk.constituents[:, i] for i, name in enumerate(MOMENTUM)}
    node_fields: dict[str, NDArray[Any]] = {"softer_size": chunk.softer_size}
    if nodes == "full":
        momenta = trees.node_momenta.astype(np.float32)
        states = trees.states.astype(np.float32)
        node_fields["harder"], node_fields["softer"] = trees.children
        node_fields.update({name: momenta[:, i] for i, name in enumerate(MOMENTUM)})
        node_fields.update({name: states[:, i] for i, name in enumerate(STATE_FIELDS)})
    return {
        "constituents": lists(trees.offsets, constituents),
        "nodes": lists(trees.node_offsets, node_fields),
        **{name: getattr(chunk, name) for name in ORIGIN},
    }


def _read(table: root_files.Table, start: int, stop: int) -> ClusteringTrees:
    branches = [root_files.Branch(name, "float") for name in FIELDS.values()]
    branches.append(root_files.Branch(_SOFTER_SIZE, "integer"))
    columns = table.read(branches, start=start, stop=stop)
    where = _Where({name: table.place(FIELDS[name]) for name in MOMENTUM}, start)
    offsets, values = _flat({name: columns[FIELDS[name]] for name in MOMENTUM}, where)
    momenta = _momenta(offsets, values, where)
    place = table.place(_SOFTER_SIZE)
    node_counts, softer_size = _lists(columns[_SOFTER_SIZE], place)
    remedy = "write the file again, or read its constituents alone with read_constituents"
    _check_nodes(offsets, node_counts, softer_size, place, start, remedy)
    return ClusteringTrees(offsets, momenta, softer_size.astype(np.int32))


def _lists(column: ak.Array, place: str) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """Lengths of the lists of a column, and their items in one array."""
    import awkward as ak

    try:
        counts = ak.to_numpy(ak.num(column, axis=1), allow_missing=False)
        values = ak.to_numpy(ak.flatten(column, axis=1), allow_missing=False)
    except (ValueError, TypeError):
        counts, values = np.empty(0), np.empty((0, 0))
    if values.ndim != 1 or values.dtype.kind not in "fiu":
        raise DatasetError(
            f"{place} is of type {ak.type(column)} and must be a list of numbers per jet, none "
            "of them missing: convert it"
        )
    return counts.astype(np.int64), values


def _flat(
    columns: Mapping[str, ak.Array], where: _Where
) -> tuple[NDArray[np.int64], dict[str, NDArray[np.float64]]]:
    """Offsets of the jets and the flat columns, which must have lists of equal lengths."""
    counts: NDArray[np.int64] | None = None
    values = {}
    for name, column in columns.items():
        own, flat = _lists(column, where.places[name])
        values[name] = flat.astype(np.float64)
        if counts is None:
            counts, first = own, name
        elif not np.array_equal(own, counts):
            jet = int(np.argmax(own != counts))
            raise DatasetError(
                f"{where.places[name]}, jet {where.first_jet + jet} has {own[jet]} constituents "
                f"but {first} has {counts[jet]}: use branches of the same constituents"
            )
    assert counts is not None
    return np.concatenate([[0], np.cumsum(counts)]), values


def _checked_fields(fields: Mapping[str, str]) -> dict[str, str]:
    """Check the mapping and put it in the order of `COORDINATES`."""
    for names in COORDINATES:
        if set(names) == set(fields):
            return {name: str(fields[name]) for name in names}
    sets = "; or ".join(", ".join(names) for names in COORDINATES)
    raise DatasetError(f"fields has {', '.join(fields) or 'nothing'} and must have {sets}")


def _momenta(
    offsets: NDArray[np.int64], values: dict[str, NDArray[np.float64]], where: _Where
) -> NDArray[np.float64]:
    """Check the columns and convert them to px, py, pz, E, shape (constituents, 4)."""
    _check_momenta(offsets, values, where)
    if set(values) != set(MOMENTUM):
        import vector

        columns = dict(values)
        with np.errstate(over="ignore", invalid="ignore"):
            if "y" in columns:
                # vector would take y for a Cartesian coordinate.
                y = columns.pop("y")
                if "E" in columns:
                    columns["pz"] = columns["E"] * np.tanh(y)
                else:
                    columns["pz"] = np.hypot(columns["pt"], columns["mass"]) * np.sinh(y)
            momentum = vector.array(columns)
            values = {name: getattr(momentum, name) for name in MOMENTUM}
        # Finite coordinates can still overflow: a pseudorapidity of 1000, say.
        longitudinal = where.places.get("y", where.places.get("eta", ""))
        _check_momenta(
            offsets, values, _Where(dict.fromkeys(MOMENTUM, longitudinal), where.first_jet)
        )
    momenta = np.empty((len(values["px"]), 4))
    for i, name in enumerate(MOMENTUM):
        momenta[:, i] = values[name]
    return momenta


def _check_momenta(
    offsets: NDArray[np.int64], values: Mapping[str, NDArray[np.float64]], where: _Where
) -> None:
    """Refuse jets without constituents and values that no particle has."""
    remedy = "correct it or leave the jet out"
    empty = np.diff(offsets) < 1
    if empty.any():
        jet = where.first_jet + int(np.argmax(empty))
        place = next(iter(where.places.values()))
        raise DatasetError(f"{place}, jet {jet} has no constituents: leave the jet out")
    for name, column in values.items():
        wrong = ~np.isfinite(column)
        reason = "must be finite"
        if not wrong.any() and name in ("E", "pt"):
            wrong = column < 0
            reason = "is negative"
        if wrong.any():
            index = int(np.argmax(wrong))
            jet = int(np.searchsorted(offsets, index, side="right")) - 1
            raise DatasetError(
                f"{where.places[name]}, jet {where.first_jet + jet}, constituent "
                f"{index - int(offsets[jet])}: {name} = {column[index]:g} {reason}, {remedy}"
            )


def _check_nodes(
    offsets: NDArray[np.int64],
    node_counts: NDArray[np.int64],
    softer_size: NDArray[np.integer],
    place: str,
    first_jet: int,
    remedy: str,
) -> None:
    """Refuse trees on which the kernels would leave their arrays."""
    counts = np.diff(offsets)
    if len(node_counts) != len(counts) or (node_counts != counts - 1).any():
        jet = int(np.argmax(node_counts != counts - 1)) if len(node_counts) == len(counts) else 0
        raise DatasetError(
            f"{place}, jet {first_jet + jet} has {node_counts[jet]} nodes, its {counts[jet]} "
            f"constituents need {counts[jet] - 1}: {remedy}"
        )
    jet, node, size = _first_bad_node(offsets, softer_size.astype(np.int64))
    if jet >= 0:
        value = softer_size[offsets[jet] - jet + node]
        raise DatasetError(
            f"{place}, jet {first_jet + jet}, node {node} says that {value} of its {size} "
            f"constituents are in the softer branch: {remedy}"
        )


def _momentum_lists(
    offsets: NDArray[np.int64], momenta: NDArray[np.float64], more: Mapping[str, NDArray[Any]]
) -> Any:
    import awkward as ak

    contents = [ak.contents.NumpyArray(momenta[:, i]) for i in range(4)]
    contents += [ak.contents.NumpyArray(column) for column in more.values()]
    record = ak.contents.RecordArray(
        contents, [*MOMENTUM, *more], parameters={"__record__": "Momentum4D"}
    )
    return ak.contents.ListOffsetArray(ak.index.Index64(offsets), record)


@numba.njit(cache=True)
def _first_bad_node(offsets, softer_size):  # type: ignore[no-untyped-def]
    """Jet, node and size of the first node with an impossible softer branch, or (-1, -1, -1).

    Where every softer branch has at least one constituent and leaves one to the harder branch,
    the nodes of a jet fill its range exactly and every jump stays inside.
    """
    longest = 1
    for j in range(len(offsets) - 1):
        longest = max(longest, offsets[j + 1] - offsets[j])
    size = np.empty(longest, np.int64)
    for j in range(len(offsets) - 1):
        n = offsets[j + 1] - offsets[j]
        first = offsets[j] - j
        size[0] = n
        for i in range(n - 1):
            soft = softer_size[first + i]
            if soft < 1 or soft >= size[i]:
                return j, i, size[i]
            if soft > 1:
                size[i + 1] = soft
            if size[i] - soft > 1:
                size[i + soft] = size[i] - soft
    return -1, -1, -1
