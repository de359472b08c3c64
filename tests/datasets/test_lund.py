"""The primary Lund plane, by hand and against the published histograms."""

from __future__ import annotations

import gzip
import math

import numpy as np
import pytest

from hepgym.datasets import DatasetError, load_trees
from hepgym.datasets.jets.clustering import cluster
from hepgym.datasets.jets.lund import (
    LundPlane,
    lund_plane,
    primary_points,
    projection_with_error,
    read_published,
)
from hepgym.datasets.jets.settings import GeneratorSettings

X_EDGES = np.linspace(0, 7, 15)
Y_EDGES = np.linspace(-4, 7, 12)
PUBLISHED = {"W": "WW", "QCD": "QCD", "top": "Top"}


def massless(pt, phi):
    return [pt * math.cos(phi), pt * math.sin(phi), 0.0, pt]


# --- by hand


def test_points_of_a_jet():
    """Two emissions off the hard branch are primary; the splitting of a soft one is not."""
    wide, close = [massless(20, -0.6), massless(10, -0.62)], massless(5, 0.01)
    momenta = np.array([massless(400, 0.0), *wide, close])
    trees = cluster(np.array([0, 4]), momenta)
    soft = momenta[1] + momenta[2]
    hard = momenta[0] + momenta[3]
    delta = math.atan2(hard[1], hard[0]) - math.atan2(soft[1], soft[0])
    expected = [
        (-math.log(delta), math.log(math.hypot(*soft[:2]) * delta)),
        (-math.log(0.01), math.log(5 * 0.01)),
    ]
    np.testing.assert_allclose(primary_points(trees), expected, rtol=1e-9)


def test_points_come_jet_after_jet(qcd_trees):
    points = primary_points(qcd_trees)
    assert len(points) == qcd_trees.primary.sum()
    ends = np.cumsum([qcd_trees.select([j]).primary.sum() for j in range(20)])
    for j, end in enumerate(ends):
        own = primary_points(qcd_trees.select([j]))
        np.testing.assert_array_equal(points[end - len(own) : end], own)


def test_density_counts_splittings_per_jet_and_area(w_trees):
    x_edges = np.array([0.0, 0.5, 2.0, 7.0])
    y_edges = np.array([-4.0, -1.0, 0.0, 3.0, 7.0])
    plane = lund_plane(w_trees, x_edges, y_edges)
    assert plane.density.shape == (3, 4)
    x, y = primary_points(w_trees).T
    inside = ((x >= 0.5) & (x < 2.0) & (y >= 0.0) & (y < 3.0)).sum()
    assert plane.density[1, 2] == pytest.approx(inside / 1000 / 1.5 / 3.0)
    # twice the jets, the same density
    twice = lund_plane(w_trees.select(np.tile(np.arange(1000), 2)), x_edges, y_edges)
    np.testing.assert_allclose(twice.density, plane.density)


def test_density_of_no_jets(w_trees):
    plane = lund_plane(w_trees.select([]), X_EDGES, Y_EDGES)
    np.testing.assert_array_equal(plane.density, 0)


def test_projections_weigh_bins_by_their_area():
    plane = LundPlane(
        np.array([[1.0, 2.0], [0.0, 3.0]]), np.array([0.0, 1.0, 3.0]), np.array([0.0, 1.0, 5.0])
    )
    # entries: [[1, 8], [0, 24]]
    np.testing.assert_allclose(plane.projection(0), [9 / 33, 24 / 33])
    np.testing.assert_allclose(plane.projection(1), [1 / 33, 32 / 33])


@pytest.mark.parametrize("axis", [0, 1])
def test_share_agrees_with_the_plane(top_trees, axis):
    plane = lund_plane(top_trees, X_EDGES, Y_EDGES)
    share, error = projection_with_error(top_trees, plane, axis)
    assert share.shape == error.shape == (len((X_EDGES, Y_EDGES)[axis]) - 1,)
    assert share.sum() == pytest.approx(1)
    np.testing.assert_allclose(share, plane.projection(axis), atol=1e-12)
    assert (error > 0)[share > 0].all()


@pytest.mark.parametrize("axis", [0, 1])
def test_errors_are_those_of_resampled_jets(top_trees, random, axis):
    """The bootstrap over jets knows that splittings of one jet belong together."""
    plane = lund_plane(top_trees, X_EDGES, Y_EDGES)
    share, error = projection_with_error(top_trees, plane, axis)
    again = [
        projection_with_error(top_trees.select(random.integers(0, 1000, 1000)), plane, axis)[0]
        for _ in range(100)
    ]
    used = share > 0.02
    assert used.sum() > 5
    np.testing.assert_allclose(np.std(again, axis=0)[used], error[used], rtol=0.3)
    assert np.mean(np.std(again, axis=0)[used] / error[used]) == pytest.approx(1, abs=0.1)


def test_errors_shrink_with_more_jets(top_trees):
    plane = lund_plane(top_trees, X_EDGES, Y_EDGES)
    share, error = projection_with_error(top_trees, plane, 0)
    four_times = top_trees.select(np.tile(np.arange(1000), 4))
    same, smaller = projection_with_error(four_times, plane, 0)
    np.testing.assert_allclose(same, share)
    np.testing.assert_allclose(smaller, error / 2)


# --- files


def write_histogram(path, x_edges, y_edges, density, name="2d_histlund-lnpt"):
    lines = ["# some run", "# 2d_other [nb]", "0 1 2 0 1 2 5", f"# {name} [nb/units]"]
    for i in range(len(x_edges) - 1):
        for j in range(len(y_edges) - 1):
            x, y = x_edges[i : i + 2], y_edges[j : j + 2]
            lines.append(f"{x[0]} {x.mean()} {x[1]} {y[0]} {y.mean()} {y[1]} {density[i, j]}")
        lines.append("")
    lines += ["# 2d_next", "9 9 9 9 9 9 9"]
    with gzip.open(path, "wt") as file:
        file.write("\n".join(lines))


def test_published_file(tmp_path):
    x_edges, y_edges = np.array([0.0, 0.2, 0.4, 0.6]), np.array([-5.0, -2.5, 0.0])
    density = np.arange(6.0).reshape(3, 2)
    write_histogram(tmp_path / "hist.dat.gz", x_edges, y_edges, density)
    plane = read_published(tmp_path / "hist.dat.gz")
    np.testing.assert_allclose(plane.x_edges, x_edges)
    np.testing.assert_allclose(plane.y_edges, y_edges)
    np.testing.assert_array_equal(plane.density, density)


def damage(path, kind):
    edges = np.array([0.0, 1.0, 2.0])
    write_histogram(
        path,
        edges,
        edges,
        np.ones((2, 2)),
        "2d_histlund-zabs" if kind == "table" else "2d_histlund-lnpt",
    )
    content = path.read_bytes()
    if kind == "absent":
        path.unlink()
    elif kind == "plain text":
        path.write_bytes(gzip.decompress(content))
    elif kind == "truncated":
        path.write_bytes(content[:-12])
    elif kind == "flipped":
        middle = len(content) // 2
        path.write_bytes(content[:middle] + bytes(20) + content[middle + 20 :])
    elif kind in ("word", "short row"):
        word = b"zero" if kind == "word" else b""
        text = gzip.decompress(content).replace(b"0.0 0.5", word, 1)
        path.write_bytes(gzip.compress(text))
    elif kind == "missing row":
        text = gzip.decompress(content).replace(b"1.0 1.5 2.0 1.0 1.5 2.0 1.0", b"")
        path.write_bytes(gzip.compress(text))


@pytest.mark.parametrize(
    "kind",
    ["absent", "plain text", "truncated", "flipped", "table", "word", "short row", "missing row"],
)
def test_damaged_file(tmp_path, kind):
    path = tmp_path / "hist.dat.gz"
    damage(path, kind)
    with pytest.raises(DatasetError, match="is not a gzipped histogram file with a table") as error:
        read_published(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


# --- the published histograms


@pytest.fixture(params=PUBLISHED)
def process(request):
    return request.param


@pytest.fixture
def published_file(process, reference_data):
    return reference_data / "jetsgame" / f"{PUBLISHED[process]}_500GeV_hist.dat.gz"


def agreement(process, published_file, jets):
    """Mean deviation and largest pull of each projection, over bins with more than 1 %."""
    trees = load_trees(f"jets/{process}-500GeV-v1", split="test").select(slice(0, jets))
    assert len(trees) == jets
    published = read_published(published_file)
    found = {}
    for axis, name in enumerate(("ln 1/Delta", "ln kt")):
        expected = published.projection(axis)
        share, error = projection_with_error(trees, published, axis)
        used = expected > 0.01
        assert used.sum() >= 15
        deviation = np.abs(share[used] / expected[used] - 1).mean()
        pull = np.abs((share[used] - expected[used]) / error[used]).max()
        found[name] = (deviation, pull)
    return found


def in_words(process, found):
    return f"{process}: " + "; ".join(
        f"{axis}: mean deviation {deviation:.2%}, largest pull {pull:.2f}"
        for axis, (deviation, pull) in found.items()
    )


def test_published_layout(published_file):
    """The table as the header describes it: 45 bins in ln 1/Delta, 33 in ln kt."""
    plane = read_published(published_file)
    assert plane.density.shape == (45, 33)
    np.testing.assert_allclose(plane.x_edges, np.linspace(0, 9, 46), atol=1e-4)
    np.testing.assert_allclose(plane.y_edges, np.linspace(-5, 8, 34), atol=1e-4)
    with gzip.open(published_file, "rt") as lines:
        rows = [line.split() for line in lines if line[:1].isdigit()]
    for row in map(np.array, rows[: 45 * 33 : 97]):
        x, y = float(row[1]), float(row[4])
        i = np.searchsorted(plane.x_edges, x) - 1
        j = np.searchsorted(plane.y_edges, y) - 1
        assert plane.density[i, j] == float(row[6])


def test_published_settings(process, published_file):
    """Whatever both we and the published header say about Pythia is the same."""
    with gzip.open(published_file, "rt") as lines:
        header = [line[2:].split(" = ") for line in lines if line.startswith("# ")]
    published = {pair[0]: pair[1].strip() for pair in header if len(pair) == 2}
    ours = dict(
        command.split(" = ") for command in GeneratorSettings(process, 500.0).pythia_commands()
    )
    common = ours.keys() & published.keys()
    assert {"Tune:pp", "PhaseSpace:pTHatMin"} < common
    assert len(common) > 2
    for name in common:
        if ours[name] in ("on", "off"):
            assert published[name] == ours[name]
        else:
            assert float(published[name]) == float(ours[name])


def test_lund_plane_is_the_published_one_for_2000_jets(process, published_file):
    found = agreement(process, published_file, 2000)
    assert all(pull < 4 for _, pull in found.values()), in_words(process, found)


@pytest.mark.slow
def test_lund_plane_is_the_published_one(process, published_file):
    """The acceptance test of the generator: 10,000 official test jets of each process."""
    found = agreement(process, published_file, 10_000)
    print(in_words(process, found))
    assert all(deviation < 0.025 for deviation, _ in found.values()), in_words(process, found)
    assert all(pull < 4 for _, pull in found.values()), in_words(process, found)
