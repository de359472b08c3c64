"""Training of a generator: one compiled step, whatever the model."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...backend import tensorflow
from ...datasets.jets.image_transform import ImageTransform
from ...datasets.jets.lund_images import average_images
from ...leaderboards.image_distances import distances
from ..interruption import interruptible
from ..progress import Show
from ..training_folder import (
    LOG_FILE,
    SUMMARY_FILE,
    StepTraining,
    open_folder,
    trainable_weights,
    write_settings,
)
from .generator import Images
from .models import MODELS
from .pixels import Pixels
from .settings import GeneratorSettings
from .trained import TrainedGenerator, read_settings

STEPS_PER_ROW = 50
"""Steps between two rows of the log, and for which batches are drawn together."""

_LOOKS = 5
"""Times that validation images are looked at."""

_LOOK_IMAGES = 2000
"""Images that are made for a look."""

_WHITENING_IMAGES = 10_000
_SECONDS_PER_CHECKPOINT = 30.0


def train(
    settings: GeneratorSettings,
    images: Images,
    validation: Images,
    folder: Path,
    *,
    resume: bool = True,
    show: Show | None = None,
) -> TrainedGenerator:
    """Train, or go on with an unfinished training.

    The folder receives the network (``generator.keras``), ``pixels.npy``, ``settings.json``,
    ``log.jsonl``, sheets of samples, ``losses.png`` and, at the end, ``summary.json``. Ctrl-C
    writes a checkpoint first, a kill loses half a minute; a training that is resumed ends with the
    same weights as one that was never stopped.

    Parameters
    ----------
    settings
        Hyperparameters, which say the model too.
    images
        Train images.
    validation
        Images that are only looked at.
    folder
        Folder of this training.
    resume
        Whether to go on with what the folder holds; a finished training is just loaded.
    show
        Called after each step.

    Returns
    -------
    TrainedGenerator

    Raises
    ------
    ValueError
        If the folder holds a training with other settings.
    KeyboardInterrupt
        After Ctrl-C or SIGTERM, once the checkpoint is written.
    """
    open_folder(folder, settings, read_settings, resume=resume)
    if (folder / SUMMARY_FILE).exists():
        return TrainedGenerator.load(folder)
    folder.mkdir(parents=True, exist_ok=True)
    write_settings(folder, settings.name, settings)
    training = _Training(settings, images, validation, folder)
    with interruptible() as stop:
        training.run(stop, show or (lambda step, steps, numbers: None))
    return TrainedGenerator.load(folder)


class _Training(StepTraining):
    def __init__(
        self, settings: GeneratorSettings, images: Images, validation: Images, folder: Path
    ) -> None:
        super().__init__(folder)
        self.settings = settings
        self._validation = validation
        self._pixels = Pixels(np.asarray(images.any(axis=0)), None)
        self._vectors = self._pixels.select(images)
        if settings.whitened:
            self._pixels.transform = ImageTransform().fit(self._averages(0, _WHITENING_IMAGES))
        kind = MODELS[settings.name]
        self._model = kind(settings, self._pixels.number)
        # The running average of the first network's weights makes the images.
        self._kept = kind(settings, self._pixels.number)
        self._generator = TrainedGenerator(self._kept, self._pixels)
        self._train_step = tensorflow().function(self._step_all)
        self._take_up()

    def run(self, stop: Any, show: Show) -> None:
        tf = tensorflow()
        steps = self.settings.steps
        begun = saved = time.perf_counter()
        before = self._seconds
        batches: tuple[int, NDArray[np.float32]] | None = None
        losses: list[Any] = []
        while self._step < steps:
            block, place = divmod(self._step, STEPS_PER_ROW)
            if batches is None or batches[0] != block:
                batches = block, self._batches(block)
            seed = tf.constant([self.settings.seed, 100 * self._step], tf.int32)
            # Early on the average is over the steps so far, not over the initial weights.
            decay = min(self.settings.decay, (1.0 + self._step) / (10.0 + self._step))
            decayed = tf.constant(decay, tf.float32)
            losses.append(self._train_step(batches[1][place], seed, decayed))
            self._step += 1
            self._seconds = before + time.perf_counter() - begun
            numbers: dict[str, float] = {}
            if self._step % STEPS_PER_ROW == 0 or self._step == steps:
                means = np.mean([np.asarray(one) for one in losses], axis=0)
                numbers = dict(zip(self._model.LOSSES, map(float, means), strict=True))
                losses = []
                look = max(STEPS_PER_ROW, steps // _LOOKS // STEPS_PER_ROW * STEPS_PER_ROW)
                if self._step % look == 0 or self._step == steps:
                    numbers |= self._look()
                self._log(numbers)
                # Only here, where no losses wait for a row.
                if time.perf_counter() - saved > _SECONDS_PER_CHECKPOINT:
                    self._checkpoint()
                    saved = time.perf_counter()
            show(self._step, steps, numbers)
            if stop.is_set() and self._step < steps and not losses:
                self._checkpoint()
                raise KeyboardInterrupt
        self._finish()

    def _step_all(self, images: Any, seed: Any, decay: Any) -> Any:
        losses = self._model.step(images, seed)
        kept, weights = self._kept.networks[0], self._model.networks[0]
        for average, weight in zip(
            kept.trainable_variables, weights.trainable_variables, strict=True
        ):
            average.assign(decay * average + (1.0 - decay) * weight)
        return losses

    def _averages(self, number: int, count: int) -> NDArray[np.float32]:
        """Averages over random jets, shape (count, pixels), other ones for each number."""
        seed = int(np.random.SeedSequence([self.settings.seed, number]).generate_state(1)[0])
        return average_images(
            self._vectors[:, None, :], self.settings.average, seed, number=count
        ).reshape(count, -1)

    def _batches(self, block: int) -> NDArray[np.float32]:
        """Batches of a block of steps, shape (steps, batches, batch size, pixels)."""
        shape = (STEPS_PER_ROW, self._model.batches, self.settings.batch_size)
        vectors = self._averages(block + 1, int(np.prod(shape)))
        return self._pixels.whiten(vectors).reshape(*shape, -1)

    def _look(self) -> dict[str, float]:
        """Save what there is, compare it with validation images."""
        from .figures import save_samples

        self._generator.save(self.folder)
        made = self._generator.generate(_LOOK_IMAGES, seed=1)
        name = f"samples-{self._step:06}.png"
        save_samples(self._validation, made, self.folder / name, f"step {self._step}")
        even = [np.full((1, len(images)), 1.0 / len(images)) for images in (self._validation, made)]
        found = distances(self._validation, made, *even, active=0.5)
        return {
            f"validation_{name}": float(found[name][0]) for name in ("glund", "image", "w1_active")
        }

    def _state(self) -> dict[str, list[Any]]:
        return {
            "networks": trainable_weights(self._model.networks),
            "kept": trainable_weights(self._kept.networks),
            "optimisers": [v for one in self._model.optimisers for v in one.variables],
        }

    def _finish(self) -> None:
        from .figures import save_losses

        save_losses(self.folder / LOG_FILE, self._model.LOSSES, self.folder / "losses.png")
        self._summarise(self._step * self._model.batches * self.settings.batch_size)
