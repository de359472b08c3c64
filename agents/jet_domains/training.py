"""Training of CycleGAN: one compiled step for both generators and discriminators."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...backend import keras, tensorflow
from ...datasets.jets.image_transform import ImageTransform
from ...datasets.jets.lund_images import average_images
from ...leaderboards.image_distances import distances
from ...leaderboards.scores.jet_domains import ACTIVE, JETS_PER_IMAGE
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
from .cyclegan import CycleGAN, compact, read_settings
from .networks import build_discriminator, build_generator
from .settings import CycleGANSettings
from .translator import Images

LOSSES = ("discriminator", "adversarial", "cycle", "identity")


def train(
    settings: CycleGANSettings,
    jets: Mapping[str, Images],
    validation: Mapping[str, Images],
    folder: Path,
    *,
    resume: bool = True,
    show: Show | None = None,
) -> CycleGAN:
    """Train, or go on with an unfinished training.

    Kept are the weights of the epoch with the lowest gLund losses of translated validation images,
    both added. The folder receives the generators (``a_to_b.keras``, ``b_to_a.keras``),
    ``transform.npz``, ``settings.json``, ``log.jsonl``, a sheet of sample images for each epoch,
    ``losses.png`` and, at the end, ``summary.json``. Ctrl-C writes a checkpoint first; a training
    that is resumed ends with the same weights as one that was never stopped.

    Parameters
    ----------
    settings
        All hyperparameters.
    jets
        "A" and "B" to train images of single jets, shape (jets, 24, 24); unpaired.
    validation
        "A" and "B" to averaged images that decide which weights are kept.
    folder
        Folder of this training.
    resume
        Whether to go on with what the folder holds; a finished training is just loaded.
    show
        Called after each step.

    Returns
    -------
    CycleGAN

    Raises
    ------
    ValueError
        If the folder holds a training with other settings.
    KeyboardInterrupt
        After Ctrl-C or SIGTERM, once the checkpoint is written.
    """
    open_folder(folder, settings, read_settings, resume=resume)
    if (folder / SUMMARY_FILE).exists():
        return CycleGAN.load(folder)
    folder.mkdir(parents=True, exist_ok=True)
    write_settings(folder, CycleGAN.name, settings)
    training = Training(settings, jets, validation, folder)
    with interruptible() as stop:
        training.run(stop, show or (lambda step, steps, numbers: None))
    return CycleGAN.load(folder)


class Training(StepTraining):
    """A training with all that changes during it; see `train` for the arguments.

    Attributes
    ----------
    generators, discriminators
        Two networks each, of (A to B, B to A) and (A, B).
    step
        Compiled function of batches of preprocessed images of A and B, float32 of shape
        (n, 24, 24, 1): one step; it returns the losses in the order of `LOSSES`.
    """

    def __init__(
        self,
        settings: CycleGANSettings,
        jets: Mapping[str, Images],
        validation: Mapping[str, Images],
        folder: Path,
    ) -> None:
        super().__init__(folder)
        self.settings = settings
        self._jets = jets
        self._validation = validation
        first = [self._epoch_images(role, 0) for role in ("A", "B")]
        scaling: Any = settings.scaling
        self._transform = ImageTransform(scaling, settings.zca).fit(np.concatenate(first))
        # What is kept is what is trained with.
        compact(self._transform)
        self.generators = [build_generator(settings, k) for k in (0, 1)]
        self._averaged = [build_generator(settings, k) for k in (0, 1)]
        self.discriminators = [build_discriminator(settings, k) for k in (0, 1)]
        self._generator_weights = trainable_weights(self.generators)
        self._discriminator_weights = trainable_weights(self.discriminators)
        self._optimisers = [self._optimiser(), self._optimiser()]
        self._optimisers[0].build(self._generator_weights)
        self._optimisers[1].build(self._discriminator_weights)
        self.step = tensorflow().function(self._step_once, autograph=False)
        self._best = math.inf
        self._take_up()

    def run(self, stop: Any, show: Show) -> None:
        """Take all steps that are left, or stop with a checkpoint once ``stop`` is set."""
        settings = self.settings
        steps = settings.epochs * settings.steps_per_epoch
        begun = time.perf_counter() - self._seconds
        batches: tuple[int, NDArray[np.float32], NDArray[np.float32]] | None = None
        while self._step < steps:
            epoch, place = divmod(self._step, settings.steps_per_epoch)
            if batches is None or batches[0] != epoch:
                a, b = (
                    self._transform.transform(self._epoch_images(role, epoch))[..., None]
                    for role in ("A", "B")
                )
                batches = (epoch, a, b)
            chosen = slice(place * settings.batch_size, (place + 1) * settings.batch_size)
            losses = self.step(batches[1][chosen], batches[2][chosen]).numpy()
            self._step += 1
            self._seconds = time.perf_counter() - begun
            numbers = dict(zip(LOSSES, map(float, losses), strict=True))
            if self._step % settings.steps_per_epoch == 0:
                numbers |= self._end_of_epoch(epoch)
            self._log(numbers)
            show(self._step, steps, numbers)
            if stop.is_set():
                self._checkpoint()
                raise KeyboardInterrupt
        self._finish()

    def _epoch_images(self, role: str, epoch: int) -> Images:
        """Averages over random jets, others in each epoch."""
        seed = [self.settings.seed, epoch, "AB".index(role)]
        number = int(np.random.SeedSequence(seed).generate_state(1)[0])
        return average_images(
            self._jets[role],
            JETS_PER_IMAGE,
            number,
            number=self.settings.steps_per_epoch * self.settings.batch_size,
        )

    def _optimiser(self) -> Any:
        settings = self.settings
        rate: Any = keras().optimizers.schedules.CosineDecay(
            settings.learning_rate,
            decay_steps=settings.epochs * settings.steps_per_epoch,
            alpha=settings.final_learning_rate / settings.learning_rate,
        )
        return keras().optimizers.Adam(rate, beta_1=settings.beta1)

    def _step_once(self, a: Any, b: Any) -> Any:
        """One step of discriminators, then one of generators; gives the losses.

        The generators do not change while the discriminators learn: one pass of each over images
        of both domains gives translations for both steps, and the identity loss.
        """
        tf = tensorflow()
        ab, ba = self.generators
        judge_a, judge_b = self.discriminators
        settings = self.settings
        identity = tf.constant(0.0)
        with tf.GradientTape() as tape:
            if settings.lambda_identity:
                fake_b, same_b = tf.split(ab(tf.concat([a, b], 0), training=True), 2)
                fake_a, same_a = tf.split(ba(tf.concat([b, a], 0), training=True), 2)
                identity = tf.reduce_mean(tf.abs(same_a - a)) + tf.reduce_mean(tf.abs(same_b - b))
            else:
                fake_b, fake_a = ab(a, training=True), ba(b, training=True)
            if settings.dither:
                fake_a, fake_b = self._as_drawn(fake_a, 0), self._as_drawn(fake_b, 1)
            with tape.stop_recording():
                discriminator = self._step_discriminators(((a, fake_a), (b, fake_b)))
            adversarial = sum(
                tf.reduce_mean(tf.square(judge(fake, training=True) - 1.0))
                for judge, fake in ((judge_a, fake_a), (judge_b, fake_b))
            )
            cycle = tf.reduce_mean(tf.abs(ba(fake_b, training=True) - a)) + tf.reduce_mean(
                tf.abs(ab(fake_a, training=True) - b)
            )
            loss = adversarial + settings.lambda_cycle * cycle + settings.lambda_identity * identity
            if settings.lambda_mean:
                loss += settings.lambda_mean * sum(
                    _squared_mean(true - fake) for true, fake in ((a, fake_a), (b, fake_b))
                )
        self._optimisers[0].apply(
            tape.gradient(loss, self._generator_weights), self._generator_weights
        )
        for averaged, weight in zip(
            trainable_weights(self._averaged), self._generator_weights, strict=True
        ):
            averaged.assign(settings.average * averaged + (1.0 - settings.average) * weight)
        return tf.stack([discriminator, adversarial, cycle, identity])

    def _as_drawn(self, fake: Any, number: int) -> Any:
        """Show images as the translator gives them: clipped and rounded, then preprocessed again.

        The gradient is that of the images before ("straight-through", arXiv:1308.3432).
        """
        tf = tensorflow()
        transform = self._transform
        offset, scale, active = map(
            _constant, (transform.offset_, transform.scale_, transform.active_)
        )
        back = tf.reshape(fake, (-1, fake.shape[1] * fake.shape[2]))
        if transform.zca:
            back = tf.matmul(back, _constant(transform.dewhiten_)) + _constant(transform.mean_)
        back = (back * scale + offset) * active
        step = tf.cast(self._optimisers[0].iterations.value, tf.int32)
        lift = tf.random.stateless_uniform(tf.shape(back), (self.settings.seed, 2 * step + number))
        drawn = tf.floor(tf.clip_by_value(back, 0.0, 1.0) * JETS_PER_IMAGE + lift) / JETS_PER_IMAGE
        drawn = (drawn - offset) / scale
        if transform.zca:
            drawn = tf.matmul(drawn - _constant(transform.mean_), _constant(transform.whiten_))
        return fake + tf.stop_gradient(tf.reshape(drawn, tf.shape(fake)) - fake)

    def _step_discriminators(self, pairs: Any) -> Any:
        """Teach both discriminators true images (1) from translated ones (0); gives the loss."""
        tf = tensorflow()
        loss = tf.constant(0.0)
        with tf.GradientTape() as tape:
            for judge, (true, fake) in zip(self.discriminators, pairs, strict=True):
                verdicts = tf.split(judge(tf.concat([true, fake], 0), training=True), 2)
                for verdict, label in zip(verdicts, (1.0, 0.0), strict=True):
                    loss += 0.25 * tf.reduce_mean(tf.square(verdict - label))
        weights = self._discriminator_weights
        self._optimisers[1].apply(tape.gradient(loss, weights), weights)
        return loss

    def _translator(self) -> CycleGAN:
        return CycleGAN((self._averaged[0], self._averaged[1]), self._transform, self.settings)

    def _end_of_epoch(self, epoch: int) -> dict[str, float]:
        """Look at validation images; save the weights if they are the best so far."""
        from .figures import save_samples

        translator = self._translator()
        if self.settings.calibration:
            translator.calibrate(self._jets)
        made = {
            "A": translator.b_to_a(self._validation["B"]),
            "B": translator.a_to_b(self._validation["A"]),
        }
        save_samples(
            self._validation,
            made,
            self.folder / f"samples-{epoch + 1:03}.png",
            f"epoch {epoch + 1}",
        )
        numbers = {}
        for role in ("A", "B"):
            pair = self._validation[role], made[role]
            even = [np.full((1, len(images)), 1.0 / len(images)) for images in pair]
            found = distances(*pair, *even, active=ACTIVE)
            numbers[f"validation_error_{role}"] = float(found["error_mean"][0])
            numbers[f"validation_glund_{role}"] = float(found["glund"][0])
        loss = numbers["validation_glund_A"] + numbers["validation_glund_B"]
        if loss < self._best or epoch == 0:
            self._best = loss
            translator.save(self.folder)
        return numbers

    def _state(self) -> dict[str, list[Any]]:
        return {
            "generators": trainable_weights(self.generators),
            "averaged": trainable_weights(self._averaged),
            "discriminators": trainable_weights(self.discriminators),
            "optimisers": [v for optimiser in self._optimisers for v in optimiser.variables],
        }

    def _values(self) -> dict[str, Any]:
        return {**super()._values(), "best": self._best}

    def _take_values(self, values: dict[str, Any]) -> None:
        super()._take_values(values)
        self._best = values["best"]

    def _finish(self) -> None:
        from .figures import save_losses

        save_losses(self.folder / LOG_FILE, self.folder / "losses.png")
        self._summarise(2 * self._step * self.settings.batch_size)


def _squared_mean(differences: Any) -> Any:
    """Square of the mean of images, averaged over pixels, without bias from their spread.

    It is the product of the means of two halves: the square of one mean would be smaller for
    translations that are all alike.
    """
    tf = tensorflow()
    even, odd = (tf.reduce_mean(differences[k::2], axis=0) for k in (0, 1))
    return tf.reduce_mean(even * odd)


def _constant(array: NDArray[Any]) -> Any:
    return tensorflow().constant(array.astype(np.float32))
