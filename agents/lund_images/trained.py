"""A trained generator in a folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...backend import keras, tensorflow
from .. import training_folder
from .generator import Images, LundGenerator
from .models import MODELS, Model
from .pixels import Pixels
from .settings import SETTINGS, GeneratorSettings

NETWORK_FILE = "generator.keras"

_BATCH = 1000


class TrainedGenerator(LundGenerator):
    """Images from a trained model.

    Parameters
    ----------
    model
        The model; its first network is the trained one.
    pixels
        What its vectors are.
    """

    def __init__(self, model: Model, pixels: Pixels) -> None:
        self.model = model
        self.pixels = pixels
        self.name = model.settings.name
        self.summary = model.settings.summary
        self._sample = tensorflow().function(lambda seed: model.sample(_BATCH, seed))

    @property
    def parameters(self) -> dict[str, float | int | str | bool | None]:
        """Settings of the training."""
        return self.model.settings.as_dict()

    def generate(self, number: int, seed: int) -> Images:
        """Make images."""
        tf = tensorflow()
        random = np.random.default_rng(seed)
        out = np.zeros((number, *self.pixels.active.shape), np.bool_)
        for start in range(0, number, _BATCH):
            # Always whole batches: fewer images are a prefix of more.
            own = tf.constant(random.integers(2**31 - 1, size=2), tf.int32)
            vectors = np.asarray(self._sample(own))
            if not self.model.draws_pixels:
                chance = self.pixels.probabilities(vectors)
                vectors = random.random(chance.shape, np.float32) < chance
            made = self.pixels.images(vectors.astype(bool))
            out[start : start + _BATCH] = made[: number - start]
        return out

    def save(self, folder: Path) -> None:
        """Write everything into a folder, which is made if needed."""
        folder.mkdir(parents=True, exist_ok=True)
        training_folder.write_settings(folder, self.name, self.model.settings)
        self.pixels.save(folder)
        self.model.networks[0].save(folder / NETWORK_FILE)

    @classmethod
    def load(cls, folder: Path) -> TrainedGenerator:
        """Read a generator from a folder, without running any code found there.

        Raises
        ------
        ValueError
            If the folder does not hold one.
        """
        settings = read_settings(folder)
        file = folder / NETWORK_FILE
        if not file.is_file():
            raise ValueError(f"{folder} has no file {NETWORK_FILE}: the training is not finished")
        pixels = Pixels.load(folder)
        model = MODELS[settings.name](settings, pixels.number)
        try:
            trained = keras().saving.load_model(file, compile=False, safe_mode=True)
            model.networks[0].set_weights(trained.get_weights())
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise ValueError(f"{file} cannot be used: {error}") from None
        return cls(model, pixels)


def read_settings(folder: Path) -> GeneratorSettings:
    """Read the settings of a training from its folder, see `training_folder.read_settings`."""
    known = {name: kind.from_dict for name, kind in SETTINGS.items()}
    settings: GeneratorSettings = training_folder.read_settings(folder, known)
    return settings
