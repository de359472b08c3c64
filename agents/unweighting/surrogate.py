"""The surrogate: a small network for ln |M|^2, and its training."""

from __future__ import annotations

import json
import time
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...backend import keras, tensorflow
from ...datasets.unweighting import EventSample
from ..checkpoint import read_checkpoint, write_checkpoint
from ..players import Progress
from .features import FEATURES, features
from .settings import SurrogateSettings

MODEL_FILE = "model.keras"
SETTINGS_FILE = "settings.json"
LOG_FILE = "log.jsonl"
CHECKPOINT_FILE = "checkpoint.npz"
FORMAT = 1

_CHUNK = 16_384
_CHECKPOINT_SECONDS = 5.0


class Surrogate:
    """Predicts event weights: exact phase-space weight times an estimate of |M|^2.

    Parameters
    ----------
    network
        Keras model: features (n, FEATURES) to ln(|M|^2 GeV^4), shape (n, 1).
    settings
        How it was trained.
    """

    name = SurrogateSettings.name

    def __init__(self, network: Any, settings: SurrogateSettings) -> None:
        self.network = network
        self.settings = settings
        tf = tensorflow()
        self._compiled = tf.function(
            network, input_signature=[tf.TensorSpec((None, FEATURES), tf.float32)], autograph=False
        )

    def weights(self, events: EventSample) -> NDArray[np.float64]:
        """Surrogate weights of events.

        Parameters
        ----------
        events
            The events; their exact squared amplitudes are not looked at.

        Returns
        -------
        numpy.ndarray
            float64, shape (n,), in pb.
        """
        seen = features(events.momenta)
        out = np.empty(len(seen))
        for first in range(0, len(seen), _CHUNK):
            here = slice(first, first + _CHUNK)
            out[here] = self._compiled(seen[here]).numpy()[:, 0]
        weights: NDArray[np.float64] = events.phase_space_weights * np.exp(out)
        return weights

    def save(self, folder: str | PathLike[str]) -> None:
        """Write ``model.keras`` and ``settings.json`` into a folder, which is made if needed."""
        target = Path(folder)
        target.mkdir(parents=True, exist_ok=True)
        self.network.save(target / MODEL_FILE)
        _write_settings(target / SETTINGS_FILE, self.settings)

    @classmethod
    def load(cls, folder: str | PathLike[str]) -> Surrogate:
        """Read a surrogate from a folder, without running any code found there.

        Raises
        ------
        ValueError
            If the folder does not hold one.
        """
        source = Path(folder)
        for file in (SETTINGS_FILE, MODEL_FILE):
            if not (source / file).is_file():
                raise ValueError(f"{source} is not the folder of a surrogate: it has no {file}")
        settings = read_settings(source)
        try:
            network = keras().saving.load_model(source / MODEL_FILE, compile=False, safe_mode=True)
        except (KeyError, TypeError, ValueError, OSError) as error:
            raise ValueError(f"{source / MODEL_FILE} cannot be read: {error}") from None
        if network.input_shape != (None, FEATURES) or network.output_shape != (None, 1):
            raise ValueError(
                f"{source / MODEL_FILE} maps {network.input_shape} to {network.output_shape}, not "
                f"(None, {FEATURES}) to (None, 1)"
            )
        return cls(network, settings)


def train(
    settings: SurrogateSettings,
    events: EventSample,
    validation: EventSample,
    folder: str | PathLike[str],
    *,
    progress: Progress | None = None,
) -> Surrogate:
    """Train a surrogate, or go on with an unfinished training.

    The folder receives ``model.keras``, ``settings.json`` and ``log.jsonl`` (a JSON line for each
    epoch: losses on training and validation events). A checkpoint is written every few
    seconds; a training that was interrupted goes on from it and ends with the same network.

    Parameters
    ----------
    settings
        All hyperparameters.
    events, validation
        What is learnt from, and what is only watched.
    folder
        Folder of this training. A finished one is just loaded.
    progress
        Called after each epoch.

    Returns
    -------
    Surrogate

    Raises
    ------
    ValueError
        If the folder holds a training with other settings.
    """
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    if (target / SETTINGS_FILE).exists():
        other = read_settings(target)
        if other != settings:
            changed = [k for k, v in settings.parameters.items() if other.parameters[k] != v]
            raise ValueError(
                f"{target} holds a training with other settings ({', '.join(changed)}): choose "
                "another folder or the same settings"
            )
        if (target / MODEL_FILE).exists():
            return Surrogate.load(target)
    network = Training(settings, events, validation, target).run(progress)
    surrogate = Surrogate(network, settings)
    surrogate.save(target)
    (target / CHECKPOINT_FILE).unlink(missing_ok=True)
    return surrogate


def remove_training(folder: Path) -> None:
    """Remove what `train` has written into a folder, so that it starts over."""
    for name in (MODEL_FILE, SETTINGS_FILE, LOG_FILE, CHECKPOINT_FILE):
        (folder / name).unlink(missing_ok=True)


class Training:
    """A training between any two epochs.

    Parameters
    ----------
    settings
        All hyperparameters.
    events, validation
        What is learnt from, and what is only watched.
    folder
        Where log and checkpoint go; a checkpoint is taken up.
    """

    def __init__(
        self,
        settings: SurrogateSettings,
        events: EventSample,
        validation: EventSample,
        folder: Path,
    ) -> None:
        self._settings = settings
        self._folder = folder
        seen = features(events.momenta)
        self._inputs = seen
        self._targets = np.log(events.matrix_elements).astype(np.float32)[:, None]
        self._importance = _importance(events, settings)
        self._watched = (
            features(validation.momenta),
            np.log(validation.matrix_elements).astype(np.float32)[:, None],
            _importance(validation, settings),
        )
        self._network = build_network(settings, seen, self._targets)
        self._optimiser = keras().optimizers.Adam(settings.learning_rate)
        self._optimiser.build(self._network.trainable_variables)
        tf = tensorflow()
        specs = [
            tf.TensorSpec((None, FEATURES), tf.float32),
            tf.TensorSpec((None, 1), tf.float32),
            tf.TensorSpec((None, 1), tf.float32),
        ]
        self._step = tf.function(self._gradient_step, input_signature=specs, autograph=False)
        self._loss = tf.function(self._mean_loss, input_signature=specs, autograph=False)
        self._epoch = 0
        self._seconds = 0.0
        if (folder / CHECKPOINT_FILE).exists():
            self._restore()

    def run(self, progress: Progress | None) -> Any:
        """Train to the end and give the network."""
        own = self._settings
        (self._folder / LOG_FILE).touch()
        lines = (self._folder / LOG_FILE).read_text().splitlines(keepends=True)
        (self._folder / LOG_FILE).write_text("".join(lines[: self._epoch]))
        _write_settings(self._folder / SETTINGS_FILE, own)
        begun = written = time.perf_counter()
        before = self._seconds
        steps = -(-len(self._inputs) // own.batch)
        while self._epoch < own.epochs:
            order = np.random.default_rng([own.seed, self._epoch]).permutation(len(self._inputs))
            total = 0.0
            for step in range(steps):
                chosen = order[step * own.batch : (step + 1) * own.batch]
                done = (self._epoch + step / steps) / own.epochs
                fall = 0.5 * (1.0 + np.cos(np.pi * done))
                self._optimiser.learning_rate = own.final_learning_rate + fall * (
                    own.learning_rate - own.final_learning_rate
                )
                total += float(
                    self._step(
                        self._inputs[chosen], self._targets[chosen], self._importance[chosen]
                    )
                )
            self._epoch += 1
            now = time.perf_counter()
            self._seconds = before + now - begun
            line = {
                "epoch": self._epoch,
                "loss": total / steps,
                "validation_loss": float(self._loss(*self._watched)),
                "seconds": round(self._seconds, 2),
            }
            with (self._folder / LOG_FILE).open("a") as log:
                log.write(json.dumps(line) + "\n")
            if now - written > _CHECKPOINT_SECONDS:
                self._checkpoint()
                written = now
            if progress is not None:
                words = f"loss {line['loss']:.3g}, validation {line['validation_loss']:.3g}"
                progress(self._epoch, own.epochs, words)
        return self._network

    def _gradient_step(self, inputs: Any, targets: Any, importance: Any) -> Any:
        tf = tensorflow()
        variables = self._network.trainable_variables
        with tf.GradientTape() as tape:
            loss = self._mean_loss(inputs, targets, importance)
        self._optimiser.apply(tape.gradient(loss, variables), variables)
        return loss

    def _mean_loss(self, inputs: Any, targets: Any, importance: Any) -> Any:
        return tensorflow().reduce_mean(importance * (self._network(inputs) - targets) ** 2)

    def _variables(self) -> list[Any]:
        return [*self._network.variables, *self._optimiser.variables]

    def _checkpoint(self) -> None:
        parts = {"variables": {str(i): v.numpy() for i, v in enumerate(self._variables())}}
        values = {"epoch": self._epoch, "seconds": self._seconds}
        write_checkpoint(self._folder / CHECKPOINT_FILE, parts, values)

    def _restore(self) -> None:
        parts, values = read_checkpoint(self._folder / CHECKPOINT_FILE)
        for i, variable in enumerate(self._variables()):
            variable.assign(parts["variables"][str(i)])
        self._epoch, self._seconds = values["epoch"], values["seconds"]


def build_network(
    settings: SurrogateSettings, inputs: NDArray[np.float32], targets: NDArray[np.float32]
) -> Any:
    """Build the network with fresh weights; it standardises features and answer itself.

    Parameters
    ----------
    settings
        Architecture and seed.
    inputs, targets
        float32, shapes (n, FEATURES) and (n, 1): training data, for means and variances.

    Returns
    -------
    keras.Model
    """
    layers = keras().layers
    seeds = np.random.SeedSequence(settings.seed).generate_state(settings.hidden + 1) >> 1
    x = inputs_layer = keras().Input((FEATURES,), name="features")
    # A feature that never changes, as the energy of fixed beams, has no variance to divide by.
    variance = np.maximum(inputs.var(axis=0, dtype=np.float64), 1e-12)
    mean = inputs.mean(axis=0, dtype=np.float64)
    x = layers.Normalization(mean=mean.tolist(), variance=variance.tolist(), name="standard")(x)
    for i in range(settings.hidden):
        x = layers.Dense(
            settings.units,
            activation="silu",
            kernel_initializer=keras().initializers.GlorotUniform(seed=int(seeds[i])),
            name=f"hidden_{i + 1}",
        )(x)
    x = layers.Dense(
        1,
        kernel_initializer=keras().initializers.GlorotUniform(seed=int(seeds[-1])),
        name="standard_answer",
    )(x)
    answer = layers.Rescaling(
        float(targets.std(dtype=np.float64)), float(targets.mean(dtype=np.float64)), name="answer"
    )(x)
    return keras().Model(inputs_layer, answer, name="surrogate")


def _importance(events: EventSample, settings: SurrogateSettings) -> NDArray[np.float32]:
    power = events.weights**settings.weight_power
    return (power / power.mean()).astype(np.float32)[:, None]


def _write_settings(file: Path, settings: SurrogateSettings) -> None:
    content = {"format": FORMAT, "agent": Surrogate.name, "settings": settings.parameters}
    file.write_text(json.dumps(content, indent=2) + "\n")


def read_settings(folder: Path) -> SurrogateSettings:
    """Read the settings of a training from its folder.

    Raises
    ------
    ValueError
        If there are none, or they cannot be used.
    """
    file = folder / SETTINGS_FILE
    try:
        content = json.loads(file.read_text())
        if (content["agent"], content["format"]) != (Surrogate.name, FORMAT):
            raise ValueError(f"agent {content['agent']!r}, format {content['format']!r}")
        return SurrogateSettings(**content["settings"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{file} cannot be used: {error}") from None
