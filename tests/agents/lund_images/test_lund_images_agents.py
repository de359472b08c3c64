"""Generators of Lund images: controls, and small trainings of every model."""

import json
import threading
from contextlib import contextmanager

import numpy as np
import pytest

import hepgym.agents.lund_images.figures as figures
import hepgym.agents.lund_images.training as training_module
from hepgym.agents.lund_images import CONTROLS, GaussianCopula, IndependentPixels, NoiseFloor
from hepgym.agents.lund_images.settings import SETTINGS, FlowMatchingSettings, VAESettings
from hepgym.agents.lund_images.trained import TrainedGenerator
from hepgym.agents.lund_images.training import train
from hepgym.datasets.jets.lund_images import lund_images

SMALL = {"steps": 50, "batch_size": 16, "units": 16, "decay": 0.5, "learning_rate": 1e-2}
MORE = {
    "vae": {"latent": 2},
    "lsgan": {"latent": 4, "average": 8, "whitened": 1},
    "wgan-gp": {"latent": 4, "critic_steps": 2, "average": 1, "whitened": 0},
    "flow-matching": {"blocks": 1, "sampling_steps": 10},
}


DRAWN = "vae"


def leave_out_figures(patch):
    """Sheets of samples cost most of a training of seconds: one training draws them."""
    for name in ("save_samples", "save_losses"):
        patch.setattr(figures, name, lambda *arguments: None)


@pytest.fixture(scope="module")
def images(qcd_trees):
    return lund_images(qcd_trees) > 0


@pytest.fixture(scope="module", params=SETTINGS)
def trained(request, images, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    settings = SETTINGS[request.param].from_dict({**SMALL, **MORE[request.param]})
    with pytest.MonkeyPatch.context() as patch:
        if request.param != DRAWN:
            leave_out_figures(patch)
        return train(settings, images, images[:100], folder), folder, settings


@pytest.fixture
def without_figures(monkeypatch):
    leave_out_figures(monkeypatch)


def test_controls(images):
    """Frequencies of pixels are right; only the Gaussian one has any correlation."""
    assert list(CONTROLS) == ["independent-pixels", "gaussian", "noise-floor"]
    made = {}
    for name, kind in CONTROLS.items():
        control = kind()
        control.fit(images)
        made[name] = control.generate(4000, seed=3)
        assert made[name].dtype == bool
        np.testing.assert_array_equal(made[name][:50], control.generate(4000, 3)[:50])
        limit = 5 * np.sqrt(images.mean(axis=0) * (1 - images.mean(axis=0)) / 4000) + 1e-9
        if kind is not NoiseFloor:
            assert (np.abs(made[name].mean(axis=0) - images.mean(axis=0)) <= limit).all()
    assert made["noise-floor"].shape == images[:4000].shape
    truth = images.sum(axis=(1, 2)).var()
    independent = made[IndependentPixels.name].sum(axis=(1, 2)).var()
    gaussian = made[GaussianCopula.name].sum(axis=(1, 2)).var()
    assert truth < gaussian < independent


def test_training(trained, images):
    generator, folder, settings = trained
    rows = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    assert rows[-1]["step"] == settings.steps
    assert all(np.isfinite(value) for row in rows for value in row.values())
    # Far from all pixels being on half of the time, which is where untrained networks are.
    assert rows[-1]["validation_glund"] < 8
    names = {file.name for file in folder.iterdir()}
    assert {"summary.json", "generator.keras", "pixels.npy"} <= names
    drawn = {"losses.png", "samples-000050.png"} <= names
    assert drawn == (settings.name == DRAWN)
    made = generator.generate(1200, seed=1)
    assert made.shape == (1200, 24, 24)
    assert made.dtype == bool
    # Pixels that are never on stay off; fewer images are a prefix of more.
    assert not made[:, ~images.any(axis=0)].any()
    np.testing.assert_array_equal(generator.generate(70, seed=1), made[:70])
    assert (generator.generate(70, seed=2) != made[:70]).any()


def test_saved_and_loaded(trained):
    generator, folder, settings = trained
    again = TrainedGenerator.load(folder)
    assert again.model.settings == settings
    np.testing.assert_array_equal(again.generate(40, seed=5), generator.generate(40, seed=5))


def test_flow_matching_learns(tmp_path, without_figures):
    """A pixel that follows another one: the network finds out, pixel by pixel it cannot be seen."""
    random = np.random.default_rng(0)
    pairs = np.zeros((2000, 24, 24), bool)
    pairs[:, 5, 5] = random.random(2000) < 0.4
    pairs[:, 6, 6] = pairs[:, 5, 5]
    settings = FlowMatchingSettings(
        steps=250, batch_size=64, units=16, blocks=1, learning_rate=1e-2, sampling_steps=20
    )
    made = train(settings, pairs, pairs[:50], tmp_path).generate(2000, seed=0)
    assert made[:, 5, 5].mean() == pytest.approx(0.4, abs=0.06)
    # Both may be shown in one of the 20 steps, and are independent then.
    assert (made[:, 5, 5] == made[:, 6, 6]).mean() > 0.93


def test_interrupted_and_resumed(images, tmp_path, monkeypatch, without_figures):
    """The same weights as without the interruption."""
    settings = VAESettings(steps=110, batch_size=16, units=8, latent=2)
    whole = train(settings, images, images[:50], tmp_path / "whole")
    stop = threading.Event()

    @contextmanager
    def interruptible():
        yield stop

    monkeypatch.setattr(training_module, "interruptible", interruptible)

    def stop_soon(step, steps, numbers):
        if step == 50:
            stop.set()

    with pytest.raises(KeyboardInterrupt):
        train(settings, images, images[:50], tmp_path / "cut", show=stop_soon)
    assert (tmp_path / "cut" / "checkpoint.npz").exists()
    stop.clear()
    resumed = train(settings, images, images[:50], tmp_path / "cut")
    weights = (one.model.networks[0].get_weights() for one in (resumed, whole))
    for a, b in zip(*weights, strict=True):
        np.testing.assert_array_equal(a, b)
    assert not (tmp_path / "cut" / "checkpoint.npz").exists()


def test_refusals(trained, images, tmp_path):
    _, folder, settings = trained
    with pytest.raises(ValueError, match="training with other settings"):
        train(VAESettings(seed=7), images, images, folder)
    with pytest.raises(ValueError, match=r"it has no settings\.json"):
        TrainedGenerator.load(tmp_path)
    (tmp_path / "settings.json").write_text("{}")
    with pytest.raises(ValueError, match="cannot be used"):
        TrainedGenerator.load(tmp_path)
    with pytest.raises(ValueError, match=f"{settings.name} has no setting 'width'; its settings"):
        SETTINGS[settings.name].from_dict({"width": 3})


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("vae", {"steps": 0}, "vae: steps is 0 but must be an integer with 1 <= value"),
        ("lsgan", {"units": 2.5}, "lsgan: units is 2.5 but must be an integer"),
        ("wgan-gp", {"penalty": -1.0}, "wgan-gp: penalty is -1.0 but must be a number"),
        ("flow-matching", {"average": 32}, "average must be 1 and whitened 0"),
    ],
)
def test_bad_settings(name, changes, message):
    with pytest.raises(ValueError, match=message):
        SETTINGS[name].from_dict(changes)


def test_presets():
    published = SETTINGS["lsgan"].preset("published", {"seed": 4})
    assert (published.average, published.whitened, published.seed) == (32, 1, 4)
    assert SETTINGS["vae"].preset(None, {}) == VAESettings()
    with pytest.raises(ValueError, match="flow-matching has no preset 'published'"):
        SETTINGS["flow-matching"].preset("published", {})
