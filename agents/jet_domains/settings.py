"""Settings of translators: the jets that they learn from, and hyperparameters of CycleGAN."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

_LIMITS: dict[str, tuple[float, float]] = {
    "epochs": (1, 10_000),
    "images_per_epoch": (1, 10_000_000),
    "batch_size": (1, 100_000),
    "generator_filters": (1, 1024),
    "discriminator_filters": (1, 1024),
    "lambda_cycle": (0.0, math.inf),
    "lambda_identity": (0.0, math.inf),
    "lambda_mean": (0.0, math.inf),
    "learning_rate": (1e-12, 10.0),
    "final_learning_rate": (0.0, 10.0),
    "beta1": (0.0, 0.9999),
    "average": (0.0, 0.999999),
    "seed": (0, 2**31 - 1),
    "train_jets": (0, 10_000_000),
}
_CHOICES = dict.fromkeys(
    ("normalisation", "discriminator_normalisation"), ("image", "channel", "none")
)


@dataclass(frozen=True)
class TrainJets:
    """Which jets a translator learns from; by default the bundled train jets.

    Attributes
    ----------
    train_jets
        So many train jets of each domain: the first of the bundled ones, or a larger sample that
        ``hepgym data generate ID --split train --size N`` made. 0: all bundled ones.
    train_a, train_b
        ROOT files of jets, as `hepgym.datasets.load` takes them, instead of ``train_jets``.
    train_a_sha256, train_b_sha256
        Content hashes of jets that are not just the bundled ones. Filled in when they are read; if
        given, the jets must have them.

    Raises
    ------
    ValueError
        If a value is of the wrong type or out of range.
    """

    agent: ClassVar[str] = "quantile-map"

    train_jets: int = 0
    train_a: str = ""
    train_b: str = ""
    train_a_sha256: str = ""
    train_b_sha256: str = ""

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            kind: Any = type(field.default)
            good = type(value) is kind or (kind is float and type(value) is int)
            if not good:
                raise ValueError(f"{field.name} is {value!r} but must be of type {kind.__name__}")
            if field.name in _LIMITS:
                low, high = _LIMITS[field.name]
                if not low <= value <= high:
                    raise ValueError(
                        f"{field.name} is {value!r} but must be from {low:g} to {high:g}"
                    )
            if value not in _CHOICES.get(field.name, (value,)):
                raise ValueError(
                    f"{field.name} is {value!r} but must be one of "
                    f"{', '.join(_CHOICES[field.name])}"
                )
            object.__setattr__(self, field.name, kind(value))

    @property
    def bundled(self) -> bool:
        """Whether these are all bundled train jets."""
        return not (self.train_jets or self.train_a or self.train_b)

    def with_hashes(self, hashes: Mapping[str, str]) -> Self:
        """Give the same settings with hashes, by the names of their fields."""
        return self.from_dict({**self.as_dict(), **hashes})

    def as_dict(self) -> dict[str, Any]:
        """Values in a form that JSON can hold; `from_dict` reads it."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Make settings from a mapping.

        Raises
        ------
        ValueError
            If a name is unknown or a value is out of range.
        """
        known = [field.name for field in dataclasses.fields(cls)]
        for name in values:
            if name not in known:
                raise ValueError(
                    f"{cls.agent} has no setting {name!r}; its settings are {', '.join(known)}"
                )
        return cls(**values)


@dataclass(frozen=True)
class CycleGANSettings(TrainJets):
    """Everything that decides the outcome of a training; fields of `TrainJets` name the jets.

    Defaults are the published values (arXiv:1909.01359, QCD to W).

    Attributes
    ----------
    epochs, images_per_epoch, batch_size
        Length of the training. Averages over random jets are drawn anew for each epoch.
    generator_filters, discriminator_filters
        Filters of the first layer.
    lambda_cycle, lambda_identity
        Weights of the cycle and the identity loss against the adversarial one.
    lambda_mean
        Weight of the squared difference of the average of a batch's translations and of its true
        images, as feature matching with pixels for features (arXiv:1606.03498). Published: 0.
    learning_rate, final_learning_rate, beta1
        Of Adam; the rate falls along half a cosine.
    normalisation, discriminator_normalisation
        Instance normalisation over "image" (all channels together, as published), over "channel"
        (each by itself), or "none".
    residual
        Whether generators add to the image instead of making it anew, without the tanh at their
        end. Published: no.
    average
        Decay per step of the running average of the generators' weights that is kept; 0 keeps the
        last weights, as published.
    coordinates
        Whether networks see, beside the image, where each pixel is (arXiv:1807.03247). Scaled and
        whitened images look the same everywhere. Published: no.
    dither
        Whether translations are rounded up or down at random to multiples of 1/20, as averages over
        20 jets are; their expectation stays. Discriminators then see them so. Published: no.
    calibration
        Whether the thresholds of rounding are then chosen so that translations of train images
        have the distribution of the other domain's train jets in each pixel; only with ``dither``.
        Published: no.
    scaling, zca
        Preprocessing, see `ImageTransform`.
    seed
        Of all random numbers.

    Raises
    ------
    ValueError
        If a value is of the wrong type or out of range.
    """

    agent: ClassVar[str] = "cyclegan"

    epochs: int = 3
    images_per_epoch: int = 20_000
    batch_size: int = 128
    generator_filters: int = 32
    discriminator_filters: int = 32
    lambda_cycle: float = 10.0
    lambda_identity: float = 2.0
    lambda_mean: float = 0.0
    learning_rate: float = 6.708541325527788e-3
    final_learning_rate: float = 6.708541325527788e-3
    beta1: float = 0.7
    normalisation: str = "image"
    discriminator_normalisation: str = "image"
    residual: bool = False
    average: float = 0.0
    coordinates: bool = False
    dither: bool = False
    calibration: bool = False
    scaling: str = "standard"
    zca: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.calibration and not self.dither:
            raise ValueError(
                "calibration is true but dither is false: without rounding there is nothing to "
                "calibrate, set calibration to false too"
            )

    @property
    def steps_per_epoch(self) -> int:
        """Gradient steps in an epoch."""
        return max(1, self.images_per_epoch // self.batch_size)


def reference_settings(**changes: Any) -> CycleGANSettings:
    """Give the settings of the board's models, found on validation images.

    Small residual generators that know where a pixel is, translations as discriminators see them
    rounded like the true images, average images matched by a loss of their own.
    """
    tuned: dict[str, Any] = {
        "epochs": 6,
        "images_per_epoch": 6400,
        "batch_size": 64,
        "generator_filters": 8,
        "discriminator_filters": 8,
        "lambda_identity": 0.5,
        "lambda_mean": 200.0,
        "learning_rate": 5e-4,
        "final_learning_rate": 1e-5,
        "beta1": 0.5,
        "residual": True,
        "average": 0.98,
        "coordinates": True,
        "dither": True,
        "calibration": True,
    }
    return CycleGANSettings.from_dict({**tuned, **changes})
