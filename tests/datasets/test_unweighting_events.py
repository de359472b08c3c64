"""The event set: its hash, what its columns are, determinism, files."""

from __future__ import annotations

import numpy as np
import pytest

from hepgym.datasets import DatasetError
from hepgym.datasets.integrands.multiparton import ttbar_squared
from hepgym.datasets.unweighting import (
    EventSample,
    load_events,
    produce_events,
    read_events,
    write_events,
)
from hepgym.datasets.unweighting.events import BUNDLED
from hepgym.datasets.unweighting.generation import generate_chunk


@pytest.fixture(scope="module")
def train() -> EventSample:
    return load_events("train")


@pytest.mark.parametrize(
    ("split", "size"), [("train", 60_000), ("validation", 20_000), ("test", 40_000)]
)
def test_bundled_splits_are_what_they_were(split, size):
    sample = load_events(split)
    assert len(sample) == size
    assert sample.sha256() == BUNDLED[split]


def test_columns(train):
    """Momenta balance, are on shell and pass the cuts; the amplitudes are those of the momenta."""
    momenta = train.momenta[:2000]
    np.testing.assert_allclose(momenta[:, :2].sum(axis=1), momenta[:, 2:].sum(axis=1), atol=1e-8)
    squares = momenta[..., 0] ** 2 - (momenta[..., 1:] ** 2).sum(axis=-1)
    np.testing.assert_allclose(squares[:, :4], 0, atol=1e-5)
    np.testing.assert_allclose(squares[:, 4:], 173.0**2, rtol=1e-9)
    pt = np.hypot(momenta[:, 2:, 1], momenta[:, 2:, 2])
    assert pt[:, :2].min() > 30
    energy, pz = momenta[:, 2:, 0], momenta[:, 2:, 3]
    rapidity = 0.5 * np.log((energy + pz) / (energy - pz))
    azimuth = np.arctan2(momenta[:, 2:, 2], momenta[:, 2:, 1])
    for a, b in [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3)]:
        turn = (azimuth[:, a] - azimuth[:, b] + np.pi) % (2 * np.pi) - np.pi
        assert np.hypot(rapidity[:, a] - rapidity[:, b], turn).min() > 0.4
    np.testing.assert_allclose(train.matrix_elements[:500], ttbar_squared(momenta[:500]), rtol=1e-6)
    assert train.weights.shape == (60_000,)
    assert np.all(train.weights > 0)


def test_splits_agree_and_differ(train):
    other = load_events("test")
    (a, da), (b, db) = train.cross_section(), other.cross_section()
    assert abs(a - b) < 4 * np.hypot(da, db)
    assert not np.intersect1d(train.points[:, 0], other.points[:, 0]).size > 500


def test_chunks_are_reproducible_and_begin_the_same_way(train):
    long, short = (generate_chunk("train", 0, 0, size) for size in (300, 100))
    np.testing.assert_array_equal(long.points[:100], short.points)
    np.testing.assert_array_equal(long.points, train.points[:300])
    np.testing.assert_allclose(long.matrix_elements, train.matrix_elements[:300], rtol=1e-6)
    assert short.trials < long.trials
    assert not np.array_equal(short.points, generate_chunk("train", 1, 0, 100).points)
    assert not np.array_equal(short.points, generate_chunk("train", 0, 1, 100).points)


def test_production_is_resumable(tmp_path, monkeypatch):
    """What an interrupted run left is used; the result is the same."""
    from hepgym.datasets.unweighting import generation, production

    monkeypatch.setattr(generation, "CHUNK", 100)
    whole = produce_events(250, split="test", output=tmp_path / "whole.npz")
    calls = []

    def interrupted(*arguments):
        calls.append(arguments)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return generate_chunk(*arguments)

    monkeypatch.setattr(production, "generate_chunk", interrupted)
    with pytest.raises(KeyboardInterrupt):
        produce_events(250, split="test", output=tmp_path / "parts.npz")
    assert not (tmp_path / "parts.npz").exists()
    seen = []
    again = produce_events(
        250, split="test", output=tmp_path / "parts.npz", progress=lambda *now: seen.append(now)
    )
    assert seen == [(100, 250), (200, 250), (250, 250)]
    assert again.sha256() == whole.sha256() == read_events(tmp_path / "parts.npz").sha256()
    assert [file.name for file in tmp_path.glob("parts*")] == ["parts.npz"]


def test_workers_do_not_matter(tmp_path, monkeypatch):
    monkeypatch.setenv("HEPGYM_DATA", str(tmp_path))
    one = produce_events(60, seed=3)
    two = produce_events(60, seed=3, workers=2, output=tmp_path / "two.npz")
    assert one.sha256() == two.sha256() == load_events(size=60, seed=3).sha256()


def test_bad_requests(tmp_path, monkeypatch):
    monkeypatch.setenv("HEPGYM_DATA", str(tmp_path))
    for call, message in [
        (lambda: load_events("all"), "no split"),
        (lambda: load_events(seed=1), "only seed 0"),
        (lambda: load_events(size=10), "produce_events"),
        (lambda: produce_events(0), "at least one"),
        (lambda: produce_events(10, split="all"), "no split"),
        (lambda: produce_events(10, seed=-1), "negative"),
        (lambda: read_events(tmp_path / "none.npz"), "cannot read"),
    ]:
        with pytest.raises(DatasetError, match=message):
            call()


def test_bad_files(tmp_path):
    good = EventSample(np.zeros((3, 8), np.float32), np.ones(3), 5)
    file = tmp_path / "events.npz"
    write_events(good, file)
    assert read_events(file).trials == 5
    file.write_bytes(file.read_bytes()[:50])
    with pytest.raises(DatasetError, match="cannot read"):
        read_events(file)
    for bad in (
        EventSample(np.zeros((3, 7), np.float32), np.ones(3), 5),
        EventSample(np.zeros((3, 8), np.float32), np.ones(2), 5),
        EventSample(np.zeros((3, 8), np.float32), np.ones(3), 2),
        EventSample(np.full((3, 8), 2, np.float32), np.ones(3), 5),
        EventSample(np.zeros((3, 8), np.float32), np.array([1, np.nan, 1]), 5),
    ):
        write_events(bad, file)
        with pytest.raises(DatasetError, match=r"fit|outside"):
            read_events(file)
