"""The surrogate network: training that can be interrupted, files, command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from hepgym.agents.unweighting import SurrogateSettings, surrogate
from hepgym.datasets.unweighting import EventSample, load_events

SMALL = SurrogateSettings(hidden=2, units=32, epochs=4, batch=64)


def part(events, number):
    return EventSample(events.points[:number], events.matrix_elements[:number], number)


@pytest.fixture(scope="module")
def samples():
    return part(load_events("train"), 6_000), part(load_events("validation"), 2_000)


@pytest.fixture(scope="module")
def folder(samples, tmp_path_factory):
    target = tmp_path_factory.mktemp("surrogate")
    surrogate.train(SMALL, *samples, target)
    return target


def error(model, events):
    return np.std(np.log(model.weights(events) / events.weights))


def test_training_learns(samples, folder):
    model = surrogate.Surrogate.load(folder)
    # The logarithm of the squared amplitude itself spreads much more.
    assert error(model, samples[1]) < 0.5
    assert np.log(samples[1].matrix_elements).std() > 1.5
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [1, 2, 3, 4]
    assert lines[-1]["validation_loss"] < 0.5 * lines[0]["validation_loss"]


def test_interrupted_training_goes_on(samples, folder, tmp_path, monkeypatch):
    monkeypatch.setattr(surrogate, "_CHECKPOINT_SECONDS", 0.0)

    def stop(done, total, words):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        surrogate.train(SMALL, *samples, tmp_path, progress=stop)
    other = SurrogateSettings(hidden=2, units=32, epochs=5, batch=64)
    with pytest.raises(ValueError, match=r"holds a training with other settings \(epochs\)"):
        surrogate.train(other, *samples, tmp_path)
    again = surrogate.train(SMALL, *samples, tmp_path)
    expected = surrogate.Surrogate.load(folder)
    for one, two in zip(again.network.weights, expected.network.weights, strict=True):
        np.testing.assert_array_equal(one.numpy(), two.numpy())
    assert len((tmp_path / "log.jsonl").read_text().splitlines()) == 4
    assert not (tmp_path / "checkpoint.npz").exists()


def test_bad_folders(tmp_path, folder):
    with pytest.raises(ValueError, match="is not the folder of a surrogate"):
        surrogate.Surrogate.load(tmp_path)
    (tmp_path / "model.keras").write_bytes(b"no model")
    (tmp_path / "settings.json").write_text((folder / "settings.json").read_text())
    with pytest.raises(ValueError, match="cannot be read"):
        surrogate.Surrogate.load(tmp_path)
    (tmp_path / "settings.json").write_text('{"agent": "dqn", "format": 1}')
    with pytest.raises(ValueError, match=r"settings\.json cannot be used: agent 'dqn'"):
        surrogate.Surrogate.load(tmp_path)
    with pytest.raises(ValueError, match="units is 0 but must be"):
        SurrogateSettings(units=0)


def test_constant_features_do_no_harm(samples):
    inputs = np.ones((10, 15), np.float32)
    targets = np.arange(10, dtype=np.float32)[:, None]
    network = surrogate.build_network(SMALL, inputs, targets)
    assert np.isfinite(network(inputs).numpy()).all()


def test_shipped_model():
    shipped = Path(surrogate.__file__).parent / "models" / "Unweighting-v0" / "surrogate-seed1"
    model = surrogate.Surrogate.load(shipped)
    assert model.settings == SurrogateSettings()
    assert error(model, part(load_events("test"), 5_000)) < 0.1
