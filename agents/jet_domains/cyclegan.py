"""CycleGAN as a translator: two generators and the preprocessing, in a folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ...backend import keras
from ...datasets.jets.image_transform import ImageTransform
from ...datasets.jets.lund_images import PIXELS
from ...leaderboards.scores.jet_domains import JETS_PER_IMAGE
from .. import training_folder
from .calibration import calibrated_thresholds, even_averages, lifted, rounded
from .settings import CycleGANSettings
from .translator import Images, Translator

TRANSFORM_FILE = "transform.npz"
GENERATOR_FILES = ("a_to_b.keras", "b_to_a.keras")
THRESHOLDS_FILE = "calibration.npy"

_BATCH = 500


class CycleGAN(Translator):
    """Translation by generators trained to fool discriminators and to invert each other.

    Parameters
    ----------
    generators
        Keras models A to B and B to A on preprocessed images (n, 24, 24, 1).
    transform
        The preprocessing.
    settings
        How they were made.
    thresholds
        Calibrated thresholds of rounding, float32 of shape (2, 20, 24, 24), A to B and B to A, see
        `calibration`; None without calibration.
    """

    name = "cyclegan"
    summary = "CycleGAN with U-Net generators; --model FOLDER of a training."

    def __init__(
        self,
        generators: tuple[Any, Any],
        transform: ImageTransform,
        settings: CycleGANSettings,
        thresholds: Images | None = None,
    ) -> None:
        self.generators = generators
        self.transform = transform
        self.settings = settings
        self.thresholds = thresholds

    @property
    def parameters(self) -> dict[str, float | int | str | bool | None]:
        """Settings of the training."""
        return self.settings.as_dict()

    def a_to_b(self, images: Images) -> Images:
        """Translate images of A."""
        return self._translate(0, images)

    def b_to_a(self, images: Images) -> Images:
        """Translate images of B."""
        return self._translate(1, images)

    def calibrate(self, jets: Mapping[str, Images]) -> None:
        """Give translations of train images the other domain's distribution in each pixel.

        Parameters
        ----------
        jets
            "A" and "B" to train images of single jets, shape (jets, 24, 24).
        """
        found = []
        for which, (source, target) in enumerate((("A", "B"), ("B", "A"))):
            smooth = self._smooth(which, even_averages(jets[source], self.settings.seed))
            random = np.random.default_rng([self.settings.seed, which, 1])
            values = lifted(smooth, random.random(smooth.shape, np.float32))
            found.append(calibrated_thresholds(values, jets[target].mean(axis=0)))
        self.thresholds = np.stack(found)

    def _translate(self, which: int, images: Images) -> Images:
        smooth = self._smooth(which, images)
        # Occupancies are shares of jets.
        back = smooth.clip(0.0, 1.0)
        if not self.settings.dither:
            return np.asarray(back, np.float32)
        lift = np.random.default_rng([self.settings.seed, which]).random(back.shape)
        if self.thresholds is not None:
            return rounded(lifted(smooth, lift), self.thresholds[which])
        return np.asarray(np.floor(back * JETS_PER_IMAGE + lift) / JETS_PER_IMAGE, np.float32)

    def _smooth(self, which: int, images: Images) -> Images:
        """Translate without clipping and rounding."""
        there = self.transform.transform(images)[..., None]
        made = [
            np.asarray(self.generators[which](there[k : k + _BATCH], training=False))[..., 0]
            for k in range(0, len(there), _BATCH)
        ]
        return self.transform.inverse_transform(np.concatenate(made))

    def save(self, folder: Path) -> None:
        """Write everything into a folder, which is made if needed."""
        folder.mkdir(parents=True, exist_ok=True)
        training_folder.write_settings(folder, self.name, self.settings)
        self.transform.save(folder / TRANSFORM_FILE)
        for generator, file in zip(self.generators, GENERATOR_FILES, strict=True):
            generator.save(folder / file)
        if self.thresholds is not None:
            np.save(folder / THRESHOLDS_FILE, self.thresholds)

    @classmethod
    def load(cls, folder: Path) -> CycleGAN:
        """Read a translator from a folder, without running any code found there.

        Raises
        ------
        ValueError
            If the folder does not hold one.
        """
        from . import layers  # noqa: F401 - registers what the files name

        settings = read_settings(folder)
        generators = []
        for name in GENERATOR_FILES:
            if not (folder / name).is_file():
                raise ValueError(f"{folder} has no file {name}: the training is not finished")
            generators.append(
                keras().saving.load_model(folder / name, compile=False, safe_mode=True)
            )
        transform = ImageTransform.load(folder / TRANSFORM_FILE)
        found = _read_thresholds(folder / THRESHOLDS_FILE) if settings.calibration else None
        return cls((generators[0], generators[1]), transform, settings, found)


def _read_thresholds(file: Path) -> Images:
    try:
        found = np.load(file, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise ValueError(f"{file} cannot be used: {error}") from None
    if found.shape != (2, JETS_PER_IMAGE, PIXELS, PIXELS) or np.isnan(found).any():
        raise ValueError(f"{file} does not hold the thresholds of two translations")
    return np.asarray(found, np.float32)


def compact(transform: ImageTransform) -> None:
    """Round the matrices of a transform to float32, half of what a model's files take."""
    if transform.zca:
        transform.whiten_ = transform.whiten_.astype(np.float32)
        transform.dewhiten_ = transform.dewhiten_.astype(np.float32)


def read_settings(folder: Path) -> CycleGANSettings:
    """Read the settings of a training from its folder, see `training_folder.read_settings`."""
    known = {CycleGAN.name: CycleGANSettings.from_dict}
    settings: CycleGANSettings = training_folder.read_settings(folder, known)
    return settings
