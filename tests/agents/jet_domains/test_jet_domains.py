"""Translators: controls, and a small CycleGAN from training to translation."""

import json
import threading

import numpy as np
import pytest

from hepgym.agents.jet_domains import CONTROLS, IdentityMap, NoiseFloor, QuantileMap
from hepgym.agents.jet_domains.calibration import calibrated_thresholds, even_averages, rounded
from hepgym.agents.jet_domains.cyclegan import CycleGAN
from hepgym.agents.jet_domains.networks import build_discriminator, build_generator
from hepgym.agents.jet_domains.settings import CycleGANSettings, reference_settings
from hepgym.agents.jet_domains.training import Training, train
from hepgym.backend import tensorflow
from hepgym.datasets.jets.lund_images import average_images, lund_images

SMALL = reference_settings(
    epochs=2,
    images_per_epoch=96,
    batch_size=32,
    generator_filters=4,
    discriminator_filters=4,
    average=0.5,
)


@pytest.fixture(scope="module")
def jets(w_trees, qcd_trees):
    return {"A": lund_images(qcd_trees), "B": lund_images(w_trees)}


@pytest.fixture(scope="module")
def averages(jets):
    return {role: average_images(images, 20, seed=5, number=400) for role, images in jets.items()}


@pytest.fixture(scope="module")
def trained(jets, averages, tmp_path_factory):
    folder = tmp_path_factory.mktemp("training")
    return train(SMALL, jets, averages, folder), folder


def relative_error(true, made):
    """Mean relative error of the average image over populated pixels."""
    average = true.mean(axis=0)
    populated = average > 0.05
    return np.abs(made.mean(axis=0)[populated] / average[populated] - 1.0).mean()


def test_controls(averages):
    assert list(CONTROLS) == ["identity", "quantile-map", "noise-floor"]
    identity, quantile, floor = IdentityMap(), QuantileMap(), NoiseFloor()
    for control in (identity, quantile, floor):
        control.fit(averages)
    assert identity.a_to_b(averages["A"]) is averages["A"]
    np.testing.assert_array_equal(floor.a_to_b(averages["A"][:10]), averages["B"][:10])
    made = quantile.a_to_b(averages["A"])
    # Each pixel has the other domain's distribution.
    assert relative_error(averages["B"], averages["A"]) > 0.1
    assert relative_error(averages["B"], made) < 0.05
    np.testing.assert_allclose(made.std(axis=0), averages["B"].std(axis=0), atol=0.03)
    # Pixels are mapped independently: the number of active ones does not vary more than theirs.
    number, own = ((images > 0.025).sum(axis=(1, 2)) for images in (made, averages["A"]))
    assert number.std() < 1.5 * own.std()
    back = quantile.b_to_a(averages["B"])
    assert relative_error(averages["A"], back) < 0.05


def test_networks():
    """Published shapes: 24 x 24 images, verdicts on 3 x 3 patches; weights by seed and number."""
    published = CycleGANSettings()
    generator, judge = build_generator(published, 0), build_discriminator(published, 0)
    assert generator.output_shape == (None, 24, 24, 1)
    assert judge.output_shape == (None, 3, 3, 1)
    images = np.random.default_rng(0).normal(size=(5, 24, 24, 1)).astype(np.float32)
    assert np.abs(generator(images)).max() <= 1.0  # tanh
    small = CycleGANSettings(generator_filters=4)
    first, again = build_generator(small, 0), build_generator(small, 0)
    np.testing.assert_array_equal(first(images), again(images))
    assert np.abs(np.asarray(first(images)) - build_generator(small, 1)(images)).max() > 0.01
    # A residual generator begins as the identity.
    np.testing.assert_array_equal(build_generator(SMALL, 0)(images), images)


def test_training(trained, averages):
    translator, folder = trained
    rows = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [1, 2, 3, 4, 5, 6]
    assert all(np.isfinite(row["cycle"]) for row in rows)
    assert {"validation_error_B", "validation_glund_A"} <= set(rows[2])
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["steps"] == 6
    names = {file.name for file in folder.iterdir()}
    assert {"losses.png", "samples-001.png", "samples-002.png", "a_to_b.keras"} <= names
    assert "calibration.npy" in names
    made = translator.a_to_b(averages["A"][:7])
    assert made.shape == (7, 24, 24)
    assert made.dtype == np.float32
    assert 0.0 <= made.min() <= made.max() <= 1.0
    # Averages over 20 jets: rounded so, and as rarely hit as they should be.
    np.testing.assert_allclose(20 * made, np.round(20 * made), atol=1e-5)


def test_calibration(trained, jets):
    """Translations of train images have the other domain's distribution in every pixel.

    The networks have learnt nothing: without calibration averages are those of the source.
    """
    translator, _ = trained
    plain = CycleGAN(translator.generators, translator.transform, SMALL)
    for which, (source, target) in enumerate(("AB", "BA")):
        images = average_images(jets[source], 20, seed=50 + which, number=1500)
        made, without = ((one.a_to_b, one.b_to_a)[which](images) for one in (translator, plain))
        share = jets[target].mean(axis=0)
        # Both these images and those of the calibration are a choice of jets.
        error = np.sqrt(share * (1 - share) / 20 * (1 / 1500 + 1 / 4000)) + 1e-4
        assert np.abs((made.mean(axis=0) - share) / error).max() < 6
        assert np.abs((without.mean(axis=0) - share) / error).max() > 15
        # Averages over 20 jets: binomial.
        never = (1 - share) ** 20
        error = np.sqrt(never * (1 - never) * (1 / 1500 + 1 / 4000)) + 1e-3
        assert np.abs(((made == 0).mean(axis=0) - never) / error).max() < 6


def test_thresholds():
    """Binomial whatever the values were; a pixel that is never on stays off, and the reverse."""
    random = np.random.default_rng(3)
    values = random.normal(0.1, 0.2, (8000, 2, 2)).astype(np.float32)
    share = np.array([[0.3, 0.01], [0.0, 1.0]])
    made = rounded(values, calibrated_thresholds(values, share))
    np.testing.assert_allclose(made.mean(axis=0), share, atol=2e-4)
    np.testing.assert_allclose(made.var(axis=0), share * (1 - share) / 20, atol=2e-4)
    assert made[:, 1, 0].max() == 0.0
    assert made[:, 1, 1].min() == 1.0


def test_even_averages():
    """Each of 100 jets is equally often in 4000 images of 20."""
    images = even_averages(np.eye(100, dtype=np.float32).reshape(100, 10, 10), seed=1)
    assert images.shape == (4000, 10, 10)
    np.testing.assert_allclose(images.mean(axis=0), 0.01, rtol=1e-5)


def test_bad_calibration(trained, tmp_path):
    translator, _ = trained
    translator.save(tmp_path)
    np.save(tmp_path / "calibration.npy", np.zeros((2, 24, 24), np.float32))
    with pytest.raises(ValueError, match=r"calibration\.npy does not hold the thresholds"):
        CycleGAN.load(tmp_path)
    (tmp_path / "calibration.npy").unlink()
    with pytest.raises(ValueError, match=r"calibration\.npy cannot be used"):
        CycleGAN.load(tmp_path)


def test_rounding_as_in_training(jets, averages, tmp_path):
    """What discriminators see is what the translator gives, but for the random numbers."""
    training = Training(SMALL, jets, averages, tmp_path)
    fake = np.random.default_rng(0).normal(0, 1, (400, 24, 24, 1)).astype(np.float32)
    drawn = np.asarray(training._as_drawn(tensorflow().constant(fake), 0))[..., 0]
    seen = training._transform.inverse_transform(drawn)
    np.testing.assert_allclose(20 * seen, np.round(20 * seen), atol=0.02)
    smooth = np.clip(training._transform.inverse_transform(fake[..., 0]), 0, 1)
    assert np.abs(seen - smooth).max() < 0.05 + 1e-3
    # The expectation stays: 400 roundings, each off by less than 0.025 on average.
    assert np.abs((seen - smooth).mean(axis=0)).max() < 5 * 0.025 / np.sqrt(400)


def test_saved_and_loaded(trained, averages):
    translator, folder = trained
    again = CycleGAN.load(folder)
    assert again.settings == SMALL
    np.testing.assert_allclose(
        again.b_to_a(averages["B"][:9]), translator.b_to_a(averages["B"][:9]), atol=1e-6
    )


def test_interrupted_and_resumed(trained, jets, averages, tmp_path, monkeypatch):
    """The same weights as without the interruption."""
    from contextlib import contextmanager

    import hepgym.agents.jet_domains.training as module

    stop = threading.Event()

    @contextmanager
    def interruptible():
        yield stop

    monkeypatch.setattr(module, "interruptible", interruptible)

    def stop_soon(step, steps, numbers):
        if step == 4:
            stop.set()

    with pytest.raises(KeyboardInterrupt):
        train(SMALL, jets, averages, tmp_path, show=stop_soon)
    assert (tmp_path / "checkpoint.npz").exists()
    stop.clear()
    resumed = train(SMALL, jets, averages, tmp_path)
    translator, folder = trained
    for one, other in zip(resumed.generators, translator.generators, strict=True):
        for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)
    lines = [len((where / "log.jsonl").read_text().splitlines()) for where in (tmp_path, folder)]
    assert lines == [6, 6]


def test_refusals(trained, jets, averages, tmp_path):
    _, folder = trained
    with pytest.raises(ValueError, match="training with other settings"):
        train(reference_settings(seed=7), jets, averages, folder)
    with pytest.raises(ValueError, match=r"it has no settings\.json"):
        CycleGAN.load(tmp_path)
    (tmp_path / "settings.json").write_text("{}")
    with pytest.raises(ValueError, match="cannot be used"):
        CycleGAN.load(tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epochs": 0}, "epochs is 0 but must be from 1"),
        ({"epochs": 1.5}, "epochs is 1.5 but must be of type int"),
        ({"learning_rate": -1.0}, "learning_rate is -1.0"),
        ({"residual": 1}, "residual is 1 but must be of type bool"),
        ({"calibration": True}, "dither is false"),
        ({"colour": 1}, "cyclegan has no setting 'colour'"),
    ],
)
def test_bad_settings(changes, message):
    with pytest.raises(ValueError, match=message):
        CycleGANSettings.from_dict(changes)
