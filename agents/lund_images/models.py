"""The generators' networks, their losses, and how images are drawn from them.

A model owns its networks and gives one step of its training and one batch of vectors, both to be
compiled. All random numbers come from a seed that is handed in, so that a training that was
interrupted goes on exactly where it stopped.
"""

from __future__ import annotations

import abc
from typing import Any

from ...backend import keras, tensorflow
from .networks import denoiser, dense, time_features
from .settings import (
    FlowMatchingSettings,
    GeneratorSettings,
    LSGANSettings,
    VAESettings,
    WGANGPSettings,
)


class Model(abc.ABC):
    """A trainable generator.

    Parameters
    ----------
    settings
        Its hyperparameters.
    pixels
        Length of the vectors that it makes.

    Attributes
    ----------
    LOSSES
        Names of what a step gives.
    draws_pixels
        Whether what it makes is already on or off, and not a probability.
    networks
        All networks; the first is the one that images are made with.
    """

    LOSSES: tuple[str, ...]
    draws_pixels = False

    def __init__(self, settings: GeneratorSettings, pixels: int) -> None:
        self.settings = settings
        self.pixels = pixels
        self.networks: list[Any] = []
        self.optimisers: list[Any] = []

    @property
    def batches(self) -> int:
        """Batches that one step takes."""
        return 1

    @abc.abstractmethod
    def step(self, images: Any, seed: Any) -> Any:
        """Train on images.

        Parameters
        ----------
        images
            float32 tensor, shape (batches, batch size, pixels).
        seed
            int32 tensor, shape (2,).

        Returns
        -------
        Tensor
            The losses.
        """

    @abc.abstractmethod
    def sample(self, number: int, seed: Any) -> Any:
        """Make vectors, float32 tensor of shape (number, pixels)."""

    def _add(self, networks: list[Any], updates: int = 1) -> None:
        """Own networks that share an optimiser, which updates them so often in a step."""
        settings = self.settings
        rate = keras().optimizers.schedules.CosineDecay(
            settings.learning_rate, settings.steps * updates
        )
        optimiser = keras().optimizers.Adam(rate, beta_1=settings.beta1)
        optimiser.build([weight for one in networks for weight in one.trainable_variables])
        self.networks += networks
        self.optimisers.append(optimiser)

    @property
    def _binary(self) -> bool:
        """Whether images are single jets, with pixels that are on or off."""
        return self.settings.average == 1 and not self.settings.whitened

    def _noise(self, number: Any, length: int, seed: Any) -> Any:
        return tensorflow().random.stateless_normal((number, length), seed)


class VAE(Model):
    """Variational autoencoder (arXiv:1312.6114).

    For pixels that are on or off the decoder gives their probabilities and the loss is a bound on
    the likelihood; otherwise it gives values, and their squared error stands in its place.
    """

    LOSSES = ("reconstruction", "divergence")
    settings: VAESettings

    def __init__(self, settings: VAESettings, pixels: int) -> None:
        super().__init__(settings, pixels)
        units, latent, seed = settings.units, settings.latent, 10 * settings.seed
        decoder = dense("decoder", latent, (units, units), pixels, seed=seed)
        encoder = dense("encoder", pixels, (units, units), 2 * latent, seed=seed + 1)
        self._add([decoder, encoder])

    def step(self, images: Any, seed: Any) -> Any:
        """Train on images."""
        tf = tensorflow()
        decoder, encoder = self.networks
        weights = decoder.trainable_variables + encoder.trainable_variables
        image = images[0]
        with tf.GradientTape() as tape:
            mean, log_variance = tf.split(encoder(image, training=True), 2, axis=1)
            noise = tf.random.stateless_normal(tf.shape(mean), seed)
            made = decoder(mean + tf.exp(0.5 * log_variance) * noise, training=True)
            if self._binary:
                errors = tf.nn.sigmoid_cross_entropy_with_logits(labels=image, logits=made)
            else:
                errors = 0.5 * tf.square(image - made)
            reconstruction = tf.reduce_mean(tf.reduce_sum(errors, axis=1))
            divergence = 0.5 * tf.reduce_mean(
                tf.reduce_sum(tf.square(mean) + tf.exp(log_variance) - 1.0 - log_variance, axis=1)
            )
            loss = reconstruction + self.settings.kl_weight * divergence
        self.optimisers[0].apply(tape.gradient(loss, weights), weights)
        return tf.stack([reconstruction, divergence])

    def sample(self, number: int, seed: Any) -> Any:
        """Make vectors."""
        made = self.networks[0](self._noise(number, self.settings.latent, seed))
        return tensorflow().sigmoid(made) if self._binary else made


class LSGAN(Model):
    """Generative adversarial network with least-squares losses (arXiv:1611.04076).

    For pixels that are on or off, the discriminator sees pixels that are drawn with the generator's
    probabilities; gradients pass as if the probabilities had been seen (arXiv:1308.3432).
    """

    LOSSES: tuple[str, ...] = ("discriminator", "generator")
    settings: LSGANSettings

    def __init__(self, settings: LSGANSettings, pixels: int) -> None:
        super().__init__(settings, pixels)
        units, seed = settings.units, 10 * settings.seed
        hidden = (units, 2 * units)
        self._add([dense("generator", settings.latent, hidden, pixels, seed=seed)])
        self._add([dense("discriminator", pixels, hidden[::-1], 1, seed=seed + 1)], self.batches)

    def step(self, images: Any, seed: Any) -> Any:
        """Train on images."""
        tf = tensorflow()
        judge = self.networks[1]
        real, fake = images[0], self._fake(tf.shape(images)[1], seed)
        with tf.GradientTape() as tape:
            discriminator = 0.5 * tf.reduce_mean(tf.square(judge(real) - 1.0))
            discriminator += 0.5 * tf.reduce_mean(tf.square(judge(fake)))
        self._apply(1, tape, discriminator)
        with tf.GradientTape() as tape:
            fake = self._fake(tf.shape(real)[0], seed + 1)
            loss = 0.5 * tf.reduce_mean(tf.square(judge(fake) - 1.0))
        self._apply(0, tape, loss)
        return tf.stack([discriminator, loss])

    def sample(self, number: int, seed: Any) -> Any:
        """Make vectors."""
        made = self.networks[0](self._noise(number, self.settings.latent, seed))
        return tensorflow().sigmoid(made) if self._binary else made

    def _fake(self, number: Any, seed: Any) -> Any:
        """Make what the discriminator sees."""
        tf = tensorflow()
        made = self.sample(number, seed)
        if not self._binary:
            return made
        dice = tf.random.stateless_uniform(tf.shape(made), seed + 2)
        return made + tf.stop_gradient(tf.cast(dice < made, tf.float32) - made)

    def _apply(self, which: int, tape: Any, loss: Any) -> None:
        weights = self.networks[which].trainable_variables
        self.optimisers[which].apply(tape.gradient(loss, weights), weights)


class WGANGP(LSGAN):
    """Wasserstein network with gradient penalty (arXiv:1704.00028)."""

    LOSSES = ("distance", "penalty", "generator")
    settings: WGANGPSettings

    @property
    def batches(self) -> int:
        """Batches that one step takes: one for each step of the critic."""
        return self.settings.critic_steps

    def step(self, images: Any, seed: Any) -> Any:
        """Train on images."""
        tf = tensorflow()
        critic = self.networks[1]
        size = tf.shape(images)[1]
        distance = penalty = tf.constant(0.0)
        for k in range(self.batches):
            own = seed + 10 * (k + 1)
            real, fake = images[k], self._fake(size, own)
            share = tf.random.stateless_uniform((size, 1), own + 3)
            between = share * real + (1.0 - share) * fake
            with tf.GradientTape() as tape:
                with tf.GradientTape() as inner:
                    inner.watch(between)
                    verdict = critic(between)
                slope = tf.norm(inner.gradient(verdict, between), axis=1)
                penalty = tf.reduce_mean(tf.square(slope - 1.0))
                distance = tf.reduce_mean(critic(real)) - tf.reduce_mean(critic(fake))
                loss = self.settings.penalty * penalty - distance
            self._apply(1, tape, loss)
        with tf.GradientTape() as tape:
            loss = -tf.reduce_mean(critic(self._fake(size, seed)))
        self._apply(0, tape, loss)
        return tf.stack([distance, penalty, loss])


class FlowMatching(Model):
    """Discrete flow matching from masked to finished images (arXiv:2402.04997, arXiv:2407.15595).

    At time t each pixel is shown with probability t and masked otherwise. The network learns the
    probability that a masked pixel is on. Images are made by going from time 0 to 1 and showing
    masked pixels at the rate 1 / (1 - t), each drawn with its probability.
    """

    LOSSES = ("cross_entropy",)
    draws_pixels = True
    settings: FlowMatchingSettings

    def __init__(self, settings: FlowMatchingSettings, pixels: int) -> None:
        super().__init__(settings, pixels)
        self._add([denoiser(pixels, settings.units, settings.blocks, seed=10 * settings.seed)])

    def step(self, images: Any, seed: Any) -> Any:
        """Train on images."""
        tf = tensorflow()
        (network,) = self.networks
        image = images[0]
        size = tf.shape(image)[0]
        # Evenly spread times: less noise than independent ones.
        start = tf.random.stateless_uniform((), seed)
        time = (tf.cast(tf.range(size), tf.float32)[:, None] + start) / tf.cast(size, tf.float32)
        mask = tf.cast(tf.random.stateless_uniform(tf.shape(image), seed + 1) > time, tf.float32)
        weights = network.trainable_variables
        with tf.GradientTape() as tape:
            logits = network([image * (1.0 - mask), mask, time_features(time)], training=True)
            errors = tf.nn.sigmoid_cross_entropy_with_logits(labels=image, logits=logits)
            # The bound on the likelihood weighs with 1 / (1 - t), the inverse share of the masked.
            weight = 1.0 / tf.maximum(1.0 - time, 1.0 / self.pixels)
            loss = tf.reduce_mean(tf.reduce_sum(errors * mask * weight, axis=1))
        self.optimisers[0].apply(tape.gradient(loss, weights), weights)
        return tf.stack([loss])

    def sample(self, number: int, seed: Any) -> Any:
        """Make vectors."""
        tf = tensorflow()
        (network,) = self.networks
        steps = self.settings.sampling_steps
        shape = (number, self.pixels)
        image, mask = tf.zeros(shape), tf.ones(shape)
        for k in tf.range(steps):
            time = tf.fill((number, 1), tf.cast(k, tf.float32) / steps)
            probability = tf.sigmoid(network([image, mask, time_features(time)]))
            own = seed + tf.stack([0, 2 * k])
            on = tf.cast(tf.random.stateless_uniform(shape, own) < probability, tf.float32)
            rate = 1.0 / tf.cast(steps - k, tf.float32)
            dice = tf.random.stateless_uniform(shape, own + 1)
            shown = mask * tf.cast(dice < rate, tf.float32)
            image += shown * on
            mask -= shown
        return image


MODELS: dict[str, type[Model]] = {
    "vae": VAE,
    "lsgan": LSGAN,
    "wgan-gp": WGANGP,
    "flow-matching": FlowMatching,
}
"""Models by the name of their generator."""
