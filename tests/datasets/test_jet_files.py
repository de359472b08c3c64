"""Files of jets: nothing is lost, nothing impossible gets in, and nothing half-written stays."""

from __future__ import annotations

import json

import awkward as ak
import numpy as np
import pytest
import uproot

from hepgym.datasets import root_files
from hepgym.datasets.errors import DatasetError
from hepgym.datasets.jets import clustering, jet_files
from hepgym.datasets.jets.generation import JetChunk
from hepgym.datasets.jets.trees import STATE_FIELDS, ClusteringTrees

CONTAINERS = ("ttree", "rntuple")
PARTICLE_MASSES = np.array([0.0, 0.13957, 0.49368, 0.93827])


def toy_jets(jets: int = 60, seed: int = 5) -> ClusteringTrees:
    """Collimated particles of real masses; the first jets have one and two constituents."""
    random = np.random.default_rng(seed)
    counts = random.integers(1, 40, jets)
    counts[:2] = (1, 2)
    total = int(counts.sum())
    pt = random.exponential(10.0, total) + 0.1
    eta = np.repeat(random.uniform(-2, 2, jets), counts) + random.normal(0, 0.3, total)
    phi = np.repeat(random.uniform(-3, 3, jets), counts) + random.normal(0, 0.3, total)
    mass = random.choice(PARTICLE_MASSES, total)
    px, py, pz = pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta)
    energy = np.sqrt(px**2 + py**2 + pz**2 + mass**2)
    momenta = np.stack([px, py, pz, energy], axis=-1).astype(np.float32).astype(np.float64)
    return clustering.cluster(np.concatenate([[0], np.cumsum(counts)]), momenta)


@pytest.fixture(scope="module")
def trees() -> ClusteringTrees:
    return toy_jets()


@pytest.fixture(scope="module")
def origin(trees) -> dict[str, np.ndarray]:
    return {
        "pythia_seed": np.full(len(trees), 600_000_001, np.int32),
        "event": np.arange(len(trees), dtype=np.int32) // 2,
        "rank": (np.arange(len(trees)) % 2).astype(np.int8),
    }


@pytest.fixture(scope="module")
def chunk(trees, origin) -> JetChunk:
    return jet_files.to_chunk(trees, origin)


def pieces(trees, origin, size):
    for start in range(0, len(trees), size):
        jets = slice(start, start + size)
        own = {name: values[jets] for name, values in origin.items()}
        yield jet_files.to_chunk(trees.select(jets), own)


def assert_same(a: ClusteringTrees, b: ClusteringTrees) -> None:
    for name in ("offsets", "constituents", "softer_size"):
        left, right = getattr(a, name), getattr(b, name)
        assert left.dtype == right.dtype
        np.testing.assert_array_equal(left, right)


# Round trips


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("nodes", ["full", "topology"])
def test_round_trip(tmp_path, trees, origin, chunk, container, nodes):
    path = tmp_path / "jets.root"
    written = jet_files.write(path, [chunk], {"seed": 3}, nodes=nodes, container=container)
    assert written == (path, len(trees), jet_files.content_hash(trees), path.stat().st_size)
    assert_same(jet_files.read(path), trees)
    for name, values in jet_files.read_origin(path).items():
        np.testing.assert_array_equal(values, origin[name])
        assert values.dtype == origin[name].dtype
    assert jet_files.read_metadata(path) == {
        "seed": 3,
        "jets": len(trees),
        "sha256": written.sha256,
        "format": 1,
    }
    assert jet_files.is_jets_file(path)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("container", CONTAINERS)
def test_full_files_hold_the_nodes_for_other_readers(tmp_path, trees, chunk, container):
    path = tmp_path / "jets.root"
    jet_files.write(path, [chunk], {}, container=container)
    with uproot.open(path) as file:
        table = file["jets"]
        harder, softer = trees.children
        expected = {"harder": harder, "softer": softer, "softer_size": trees.softer_size}
        for i, name in enumerate(("px", "py", "pz", "E")):
            expected[name] = trees.node_momenta[:, i].astype(np.float32)
        for i, name in enumerate(STATE_FIELDS):
            expected[name] = trees.states[:, i].astype(np.float32)
        for name, values in expected.items():
            column = table[f"nodes_{name}"].array()
            np.testing.assert_array_equal(ak.flatten(column).to_numpy(), values)
            np.testing.assert_array_equal(ak.num(column), np.diff(trees.node_offsets))


def test_topology_files_hold_no_more_than_needed(tmp_path, chunk):
    small, large = tmp_path / "small.root", tmp_path / "large.root"
    jet_files.write(small, [chunk], {}, nodes="topology")
    jet_files.write(large, [chunk], {}, nodes="full")
    with root_files.Table(small) as table:
        nodes = [name for name in table.branches() if name.startswith("nodes_")]
    assert nodes == ["nodes_softer_size"]
    assert small.stat().st_size < 0.6 * large.stat().st_size


def test_hash_depends_on_the_jets_alone(tmp_path, trees, origin, monkeypatch):
    monkeypatch.setattr(jet_files, "_WRITE_JETS", 16)
    hashes = set()
    for size in (1, 7, 60):
        for container in CONTAINERS:
            path = tmp_path / f"{container}{size}.root"
            about = {"size": size}
            written = jet_files.write(path, pieces(trees, origin, size), about, container=container)
            assert_same(jet_files.read(path), trees)
            hashes.add(written.sha256)
    assert hashes == {jet_files.content_hash(trees)}


def test_hash_sees_every_column(trees):
    hashes = {jet_files.content_hash(trees)}
    for column in range(4):
        momenta = trees.constituents.copy()
        momenta[100, column] = np.nextafter(np.float32(momenta[100, column]), np.float32(1e9))
        changed = ClusteringTrees(trees.offsets, momenta, trees.softer_size)
        hashes.add(jet_files.content_hash(changed))
    offsets = trees.offsets.copy()
    offsets[10] += 1
    sizes = trees.softer_size
    hashes.add(jet_files.content_hash(ClusteringTrees(offsets, trees.constituents, sizes)))
    other = ClusteringTrees(trees.offsets, trees.constituents, sizes[::-1])
    hashes.add(jet_files.content_hash(other))
    assert len(hashes) == 7


@pytest.mark.parametrize("container", CONTAINERS)
def test_ranges_and_iteration(tmp_path, trees, origin, container, monkeypatch):
    monkeypatch.setattr(jet_files, "_WRITE_JETS", 16)
    path = tmp_path / "jets.root"
    jet_files.write(path, pieces(trees, origin, 5), {}, container=container)
    for start, stop in ((0, 1), (3, 40), (None, -7), (50, 1000), (9, 9)):
        assert_same(jet_files.read(path, start=start, stop=stop), trees.select(slice(start, stop)))
    assert jet_files.read_origin(path, start=30, stop=33)["event"].tolist() == [15, 15, 16]
    for size in (1, 13, 60, 1000):
        steps = list(jet_files.iterate(path, size))
        assert [len(step) for step in steps[:-1]] == [size] * (len(steps) - 1)
        start = 0
        for step in steps:
            assert_same(step, trees.select(slice(start, start + len(step))))
            start += len(step)
        assert start == len(trees)
    with pytest.raises(DatasetError, match="jets_per_step = 0"):
        list(jet_files.iterate(path, 0))


# Writing fails cleanly


@pytest.mark.parametrize("container", CONTAINERS)
def test_failure_leaves_nothing_behind(tmp_path, trees, origin, container, monkeypatch):
    monkeypatch.setattr(jet_files, "_WRITE_JETS", 10)

    def breaking():
        yield from list(pieces(trees, origin, 10))[:3]
        raise KeyboardInterrupt

    path = tmp_path / "jets.root"
    with pytest.raises(KeyboardInterrupt):
        jet_files.write(path, breaking(), {}, container=container)
    assert list(tmp_path.iterdir()) == []
    path.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt):
        jet_files.write(path, breaking(), {}, container=container)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_was_written_is_read_back(tmp_path, chunk, trees, monkeypatch):
    other = toy_jets(seed=6)
    monkeypatch.setattr(jet_files, "iterate", lambda path: iter([other]))
    with pytest.raises(DatasetError, match="does not hold what was written"):
        jet_files.write(tmp_path / "jets.root", [chunk], {})
    assert list(tmp_path.iterdir()) == []


def test_bad_requests_to_write(tmp_path, chunk):
    path = tmp_path / "jets.root"
    for arguments, options, message in (
        (([], {}), {}, "no jets to write"),
        (([chunk], {"a": object()}), {}, "metadata .* JSON"),
        (([chunk], {"a": float("nan")}), {}, "metadata .* JSON"),
        (([chunk], {}), {"nodes": "none"}, "nodes = 'none'"),
        (([chunk], {}), {"container": "hdf5"}, "'hdf5' is none of"),
    ):
        with pytest.raises(DatasetError, match=message):
            jet_files.write(path, *arguments, **options)
    with pytest.raises(DatasetError, match="make the folder"):
        jet_files.write(tmp_path / "absent" / "jets.root", [chunk], {})
    assert list(tmp_path.iterdir()) == []


def changed(chunk: JetChunk, **columns) -> JetChunk:
    """A chunk with single values changed: name=(index, value)."""
    new = {}
    for name, (index, value) in columns.items():
        new[name] = getattr(chunk, name).copy()
        new[name][index] = value
    return chunk._replace(**new)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: changed(c, constituents=((3, 1), np.nan)), r"py, jet 2, constituent 0: .*nan"),
        (lambda c: changed(c, constituents=((0, 3), -1)), r"E, jet 0, constituent 0: .*negative"),
        (lambda c: changed(c, softer_size=(0, 2)), r"softer_size, jet 1, node 0 .* 2 of its 2"),
        (lambda c: changed(c, softer_size=(0, 0)), r"softer_size, jet 1, node 0 .* 0 of its 2"),
        (lambda c: c._replace(softer_size=c.softer_size[1:]), r"make \d+ nodes, not"),
        (lambda c: c._replace(rank=c.rank[1:]), r"rank has shape"),
        (lambda c: c._replace(constituents=c.constituents[1:]), r"must be float32 of shape"),
        (lambda c: c._replace(constituents=c.constituents.astype(float)), r"are float64"),
        (
            lambda c: c._replace(
                counts=np.append(c.counts, np.int32(0)),
                **{name: np.append(getattr(c, name), 0) for name in jet_files.ORIGIN},
            ),
            r"jet 60 has no constituents",
        ),
    ],
)
def test_impossible_jets_are_not_written(tmp_path, chunk, change, message):
    path = tmp_path / "jets.root"
    with pytest.raises(DatasetError, match=message):
        jet_files.write(path, [change(chunk)], {})
    assert list(tmp_path.iterdir()) == []


def test_to_chunk_checks_its_input(trees):
    with pytest.raises(DatasetError, match="event has shape"):
        jet_files.to_chunk(trees, {"event": [1, 2]})
    with pytest.raises(DatasetError, match="'weight', which is none of"):
        jet_files.to_chunk(trees, {"weight": np.ones(len(trees))})
    chunk = jet_files.to_chunk(trees)
    assert (chunk.rank == -1).all()
    many = 40_000
    long = ClusteringTrees(np.array([0, many]), np.ones((many, 4)), np.ones(many - 1, np.int32))
    with pytest.raises(DatasetError, match="jet 0 has 40000 constituents"):
        jet_files.to_chunk(long)


# Reading bad files


def write_raw(path, trees, container="ttree", name="jets", **replaced):
    """A jets file without the checks of `write`; None leaves a branch out."""
    counts, nodes = np.diff(trees.offsets), np.diff(trees.node_offsets)
    columns = {
        f"constituents_{component}": ak.unflatten(
            trees.constituents[:, i].astype(np.float32), counts
        )
        for i, component in enumerate(("px", "py", "pz", "E"))
    }
    columns["nodes_softer_size"] = ak.unflatten(trees.softer_size.astype(np.int16), nodes)
    columns.update(replaced)
    columns = {key: column for key, column in columns.items() if column is not None}
    with uproot.recreate(path) as file:
        if container == "ttree":
            file.mktree(name, columns)
        else:
            file.mkrntuple(name, ak.zip(columns, depth_limit=1))
    return path


def column(trees, component, jet, constituent, value):
    """The column of one momentum component with one value changed."""
    values = trees.constituents[:, component].astype(np.float32)
    values[trees.offsets[jet] + constituent] = value
    return ak.unflatten(values, np.diff(trees.offsets))


def node_column(trees, jet, node, value):
    values = trees.softer_size.astype(np.int16)
    values[trees.node_offsets[jet] + node] = value
    return ak.unflatten(values, np.diff(trees.node_offsets))


def without_last(array, jet):
    lists = array.to_list()
    lists[jet].pop()
    return ak.values_astype(ak.Array(lists), ak.flatten(array).type.content.primitive)


@pytest.mark.parametrize("container", CONTAINERS)
def test_raw_files_are_read(tmp_path, trees, container):
    assert_same(jet_files.read(write_raw(tmp_path / "a.root", trees, container)), trees)


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (
            lambda t: {"constituents_pz": column(t, 2, 7, 1, np.nan)},
            r"branch 'constituents_pz', jet 7, constituent 1: pz = nan must be finite",
        ),
        (
            lambda t: {"constituents_px": column(t, 0, 0, 0, -np.inf)},
            r"branch 'constituents_px', jet 0, constituent 0: px = -inf must be finite",
        ),
        (
            lambda t: {"constituents_E": column(t, 3, 59, 0, -1.5)},
            r"branch 'constituents_E', jet 59, constituent 0: E = -1.5 is negative",
        ),
        (
            lambda t: {"constituents_py": without_last(column(t, 1, 0, 0, 1.0), 8)},
            r"branch 'constituents_py', jet 8 has \d+ constituents but px has \d+",
        ),
        (
            lambda t: {"nodes_softer_size": node_column(t, 5, 0, 1000)},
            r"branch 'nodes_softer_size', jet 5, node 0 says that 1000 of its \d+",
        ),
        (
            lambda t: {"nodes_softer_size": node_column(t, 5, 2, -3)},
            r"branch 'nodes_softer_size', jet 5, node 2 says that -3 of its",
        ),
        (
            lambda t: {"nodes_softer_size": node_column(t, 5, 2, 0)},
            r"branch 'nodes_softer_size', jet 5, node 2 says that 0 of its",
        ),
        (
            lambda t: {"nodes_softer_size": without_last(node_column(t, 0, 0, 1), 9)},
            r"branch 'nodes_softer_size', jet 9 has \d+ nodes, its \d+ constituents need",
        ),
        (lambda t: {"constituents_pz": None}, r"no branch 'constituents_pz'; it has"),
        (lambda t: {"nodes_softer_size": None}, r"no branch 'nodes_softer_size'"),
        (
            lambda t: {"constituents_E": np.arange(len(t), dtype=np.float32)},
            r"branch 'constituents_E' is of type float32 and must be a list",
        ),
        (
            lambda t: {"constituents_E": ak.values_astype(column(t, 3, 0, 0, 1), np.int32)},
            r"branch 'constituents_E' is of type var \* int32",
        ),
    ],
)
def test_impossible_files_are_refused(tmp_path, trees, container, bad, message):
    path = write_raw(tmp_path / "bad.root", trees, container, **bad(trees))
    with pytest.raises(DatasetError, match=rf"{path}, tree 'jets'.*{message}") as caught:
        jet_files.read(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("container", CONTAINERS)
def test_empty_jets_are_refused(tmp_path, trees, container):
    lists = {
        f"constituents_{name}": ak.values_astype(ak.Array([[1.0], [], [2.0]]), np.float32)
        for name in ("px", "py", "pz", "E")
    }
    nodes = ak.unflatten(np.empty(0, np.int16), [0, 0, 0])
    path = write_raw(tmp_path / "a.root", trees, container, nodes_softer_size=nodes, **lists)
    with pytest.raises(DatasetError, match=r"branch 'constituents_px', jet 1 has no constituents"):
        jet_files.read(path)


def test_errors_count_jets_from_the_start_of_the_file(tmp_path, trees):
    bad = {"constituents_E": column(trees, 3, 41, 2, np.nan)}
    path = write_raw(tmp_path / "bad.root", trees, **bad)
    with pytest.raises(DatasetError, match="jet 41, constituent 2"):
        jet_files.read(path, start=30)
    with pytest.raises(DatasetError, match="jet 41, constituent 2"):
        list(jet_files.iterate(path, 20))
    assert len(jet_files.read(path, stop=41)) == 41


def test_random_trees_never_leave_their_arrays(trees):
    """What the check lets through is a tree: every node is reached once, every leaf is inside."""
    random = np.random.default_rng(11)
    accepted = 0
    for _ in range(3000):
        n = int(random.integers(2, 7))
        sizes = random.integers(0, n + 1, n - 1)
        jet, _, _ = jet_files._first_bad_node(np.array([0, n]), sizes)
        seen, leaves, stack = [], [], [(0, 0, n)]
        valid = True
        while stack and valid:
            node, leaf, size = stack.pop()
            if size == 1:
                leaves.append(leaf)
                continue
            soft = int(sizes[node]) if node < n - 1 else 0
            valid = 1 <= soft < size
            seen.append(node)
            stack.append((node + soft, leaf + soft, size - soft))
            stack.append((node + 1, leaf, soft))
        assert (jet == -1) == valid
        if valid:
            accepted += 1
            assert sorted(seen) == list(range(n - 1))
            assert leaves == list(range(n))
    assert 100 < accepted < 2900


@pytest.mark.parametrize("container", CONTAINERS)
def test_files_of_another_kind(tmp_path, trees, chunk, container):
    path = write_raw(tmp_path / "a.root", trees, container, name="events")
    with pytest.raises(DatasetError, match=r"no tree 'jets'.* it has 'events'"):
        jet_files.read(path)
    with pytest.raises(DatasetError, match=r"no text object .* 'metadata'"):
        jet_files.read_metadata(path)
    assert not jet_files.is_jets_file(path)
    path.write_text("px,py,pz,E")
    for reader in (
        jet_files.read,
        jet_files.read_metadata,
        jet_files.read_origin,
        jet_files.is_jets_file,
        jet_files.read_constituents,
    ):
        with pytest.raises(DatasetError, match="not a ROOT file"):
            reader(path)
        with pytest.raises(DatasetError, match="does not exist"):
            reader(tmp_path / "absent.root")
    jet_files.write(path, [chunk], {}, container=container)
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(DatasetError, match="truncated"):
        jet_files.read(path)


@pytest.mark.parametrize("text", ["{broken", "[1, 2]"])
def test_metadata_that_is_no_json_object(tmp_path, text):
    path = tmp_path / "a.root"
    with uproot.recreate(path) as file:
        file["metadata"] = text
    with pytest.raises(DatasetError, match=r"a.root, object 'metadata' is not a JSON object"):
        jet_files.read_metadata(path)


# A user's own files


def user_columns(trees: ClusteringTrees) -> dict[str, ak.Array]:
    """Every quantity that a user's file may have, in double precision."""
    px, py, pz, _ = trees.constituents.T
    mass = np.random.default_rng(1).choice(PARTICLE_MASSES, len(px))
    pt, energy = np.hypot(px, py), np.sqrt(px**2 + py**2 + pz**2 + mass**2)
    flat = {
        "px": px,
        "py": py,
        "pz": pz,
        "E": energy,
        "pt": pt,
        "eta": np.arcsinh(pz / pt),
        "phi": np.arctan2(py, px),
        "y": np.arctanh(pz / energy),
        "mass": mass,
    }
    return {f"p_{name}": ak.unflatten(v, np.diff(trees.offsets)) for name, v in flat.items()}


@pytest.mark.parametrize("container", CONTAINERS)
def test_all_coordinates_give_the_same_jets(tmp_path, trees, container):
    path = tmp_path / "my.root"
    doubles = user_columns(trees)
    floats = {name.upper(): ak.values_astype(v, np.float32) for name, v in doubles.items()}
    columns = {**doubles, **floats}
    with uproot.recreate(path) as file:
        if container == "ttree":
            file.mktree("events", columns)
        else:
            file.mkrntuple("events", ak.zip(columns, depth_limit=1))
    momenta = np.stack(
        [ak.flatten(doubles[f"p_{name}"]).to_numpy() for name in jet_files.MOMENTUM], axis=-1
    )
    expected = clustering.cluster(trees.offsets, momenta)
    for names in jet_files.COORDINATES:
        fields = {name: f"p_{name}" for name in names}
        found = jet_files.read_constituents(f"{path}:events", fields=fields)
        np.testing.assert_array_equal(found.offsets, expected.offsets)
        np.testing.assert_array_equal(found.softer_size, expected.softer_size)
        np.testing.assert_allclose(found.constituents, expected.constituents, rtol=1e-9, atol=1e-9)
        single = {name: branch.upper() for name, branch in fields.items()}
        found = jet_files.read_constituents(path, "events", single)
        np.testing.assert_allclose(found.jet_momenta, expected.jet_momenta, rtol=1e-5, atol=1e-4)


def test_momenta_are_clustered_from_any_order(tmp_path, trees):
    random = np.random.default_rng(2)
    columns = {f"constituents_{name}": [] for name in ("px", "py", "pz", "E")}
    for start, stop in zip(trees.offsets[:-1], trees.offsets[1:], strict=True):
        order = start + random.permutation(stop - start)
        for i, name in enumerate(columns):
            columns[name].append(trees.constituents[order, i])
    path = tmp_path / "my.root"
    with uproot.recreate(path) as file:
        file.mktree("particles", {name: ak.Array(lists) for name, lists in columns.items()})
    assert_same(jet_files.read_constituents(path), trees)
    assert_same(
        jet_files.read_constituents(path, "particles", start=10, stop=30),
        trees.select(slice(10, 30)),
    )
    steps = list(jet_files.iterate_constituents(path, jets_per_step=25, start=5))
    assert [len(step) for step in steps] == [25, 25, 5]
    assert_same(steps[1], trees.select(slice(30, 55)))


def test_progress_counts_jets(tmp_path, trees, monkeypatch):
    monkeypatch.setattr(jet_files, "_CLUSTER_JETS", 10)
    path = write_raw(tmp_path / "a.root", trees)
    calls = []
    jet_files.read_constituents(path, start=20, progress=lambda *call: calls.append(call))
    assert calls == [(10, 40), (20, 40), (30, 40), (40, 40)]
    assert len(jet_files.read_constituents(path, start=60)) == 0


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"px": "p_px", "py": "p_py", "pz": "p_pz"}, "fields has px, py, pz and must have px"),
        ({"pt": "p_pt", "eta": "p_eta", "phi": "p_phi", "E": "p_E", "mass": "p_mass"}, "must have"),
        ({}, "fields has nothing"),
        ({"px": "p_px", "py": "p_py", "pz": "p_pz", "E": "energy"}, "no branch 'energy'"),
        ({"px": "p_px", "py": "p_py", "pz": "p_pz", "E": "number"}, "branch 'number' is of type"),
        (
            {"pt": "bad_pt", "eta": "p_eta", "phi": "p_phi", "mass": "p_mass"},
            "branch 'bad_pt', jet 3, constituent 0: pt = -1 is negative",
        ),
        (
            {"pt": "p_pt", "eta": "bad_eta", "phi": "p_phi", "mass": "p_mass"},
            "branch 'bad_eta', jet 3, constituent 0: .* = .*inf must be finite",
        ),
        (
            {"pt": "p_pt", "y": "bad_eta", "phi": "p_phi", "mass": "p_mass"},
            "branch 'bad_eta', jet 3, constituent 0: .* = .*inf must be finite",
        ),
        (
            {"pt": "p_pt", "eta": "p_eta", "phi": "other", "mass": "p_mass"},
            r"branch 'other', jet 1 has 1 constituents but pt has 2",
        ),
    ],
)
def test_bad_mappings_and_values(tmp_path, trees, fields, message):
    columns = user_columns(trees)
    for name, value in (("pt", -1.0), ("eta", 2000.0)):
        flat = ak.flatten(columns[f"p_{name}"]).to_numpy().copy()
        flat[trees.offsets[3]] = value
        columns[f"bad_{name}"] = ak.unflatten(flat, np.diff(trees.offsets))
    columns["number"] = np.diff(trees.offsets)
    columns["other"] = without_last(columns["p_phi"], 1)
    path = tmp_path / "my.root"
    with uproot.recreate(path) as file:
        file.mktree("events", columns)
    with pytest.raises(DatasetError, match=message):
        jet_files.read_constituents(path, "events", fields)


# Awkward arrays


def test_awkward_round_trip(trees, origin):
    array = jet_files.to_awkward(trees, origin)
    assert_same(jet_files.from_awkward(array), trees)
    assert array.event.to_list() == origin["event"].tolist()
    assert_same(jet_files.from_awkward(array[10:20]), trees.select(slice(10, 20)))
    chosen = np.array([40, 3, 3, 17])
    assert_same(jet_files.from_awkward(array[chosen]), trees.select(chosen))
    keep = array.event % 3 == 0
    assert_same(jet_files.from_awkward(array[keep]), trees.select(np.flatnonzero(keep)))


def test_awkward_arrays_share_memory_and_know_physics(trees):
    array = jet_files.to_awkward(trees)
    for owner, component in (("constituents", 0), ("constituents", 3), ("nodes", 2)):
        name = jet_files.MOMENTUM[component]
        flat = np.asarray(array.layout.content(owner).content.content(name).data)
        source = trees.constituents if owner == "constituents" else trees.node_momenta
        assert np.shares_memory(flat, source)
    split = np.diff(trees.offsets) > 1
    np.testing.assert_allclose(
        ak.to_numpy(array.nodes[split][:, 0].mass),
        [np.sqrt(m[3] ** 2 - (m[:3] ** 2).sum()) for m in trees.jet_momenta[split]],
        rtol=1e-6,
    )
    np.testing.assert_allclose(ak.flatten(array.nodes.ln_kt), trees.states[:, 4])
    inner = array.nodes[array.nodes.harder >= 0]
    assert ak.all(
        inner.harder == ak.local_index(array.nodes)[array.nodes.harder >= 0] + inner.softer_size
    )


def test_plain_arrays_are_clustered(trees):
    array = jet_files.to_awkward(trees)
    momenta = ak.without_parameters(array.constituents[["px", "py", "pz", "E"]])
    assert_same(jet_files.from_awkward(momenta), trees)
    assert_same(jet_files.from_awkward(momenta[:, ::-1]), trees)
    assert_same(jet_files.from_awkward(ak.zip({"constituents": momenta}, depth_limit=1)), trees)
    vectors = array.constituents
    other = ak.zip({"pt": vectors.pt, "eta": vectors.eta, "phi": vectors.phi, "mass": vectors.mass})
    found = jet_files.from_awkward(other)
    np.testing.assert_allclose(found.jet_momenta, trees.jet_momenta, rtol=1e-7, atol=1e-7)
    single = ak.values_astype(momenta, np.float32)
    assert jet_files.from_awkward(single).constituents.dtype == np.float64


def test_bad_awkward_arrays(trees):
    array = jet_files.to_awkward(trees)
    momenta = ak.without_parameters(array.constituents[["px", "py", "pz", "E"]])
    cut = ak.with_field(array, array.constituents[:, 1:], "constituents")
    nan = ak.with_field(momenta, ak.where(momenta.pz == momenta.pz[4, 0], np.nan, momenta.pz), "pz")
    missing = ak.mask(momenta, ak.num(momenta) != 5)
    sizes = ak.with_field(array.nodes, array.nodes.softer_size + 50, "softer_size")
    for bad, message in (
        (momenta[0], "not a list of momenta per jet"),
        (array.constituents.px, "not a list of momenta per jet"),
        (momenta[["px", "py"]], "fields px, py, which are not a four-momentum"),
        (momenta[["px", "py", "pz"]], "fields px, py, pz, which are not a four-momentum"),
        (cut, "jet 0 has no constituents"),
        (
            cut[ak.num(cut.constituents) > 0],
            "'nodes.softer_size', jet 0 has 1 nodes, its 1 constituents need 0: leave",
        ),
        (ak.with_field(array, sizes, "nodes"), "jet 1, node 0 says that 5. of its 2"),
        (nan, "field 'pz', jet 4, constituent 0: pz = nan must be finite"),
        (ak.with_field(momenta, -momenta.E, "E"), "'E', jet 0, constituent 0: E = .* is negative"),
        (missing, "none of them missing"),
    ):
        with pytest.raises(DatasetError, match=message):
            jet_files.from_awkward(bad)


def test_metadata_is_plain_json(tmp_path, chunk):
    path = tmp_path / "jets.root"
    jet_files.write(path, [chunk], {"text": "zażółć", "list": [1, 2.5, None]})
    with uproot.open(path) as file:
        assert json.loads(file["metadata"])["list"] == [1, 2.5, None]
    assert jet_files.read_metadata(path)["text"] == "zażółć"
