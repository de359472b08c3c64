"""Hyperparameters of the generators."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from ..parameters import Allowed, Parameterised, parameter


def _whole(low: int, high: int) -> Allowed:
    return Allowed(f"{low} <= value <= {high}", lambda value: low <= value <= high, whole=True)


def _number(low: float, high: float) -> Allowed:
    return Allowed(f"{low:g} <= value <= {high:g}", lambda value: low <= value <= high)


@dataclass(frozen=True)
class GeneratorSettings(Parameterised):
    """What all generators share.

    Attributes
    ----------
    summary
        One line on the generator.
    PUBLISHED
        Published values that differ from the defaults (arXiv:1909.01359 and its public code).
    steps, batch_size
        Length of the training.
    average
        Images that networks see are averages over so many random jets; 1: single jets, whose
        pixels are on or off. Pixels of a made average are probabilities.
    whitened
        1: pixels are scaled and whitened (ZCA) for the networks; 0: they are as they are.
    units
        Width of the networks.
    learning_rate, beta1
        Of Adam; the rate falls to zero along half a cosine.
    decay
        Decay per step of the running average of the weights that is kept.
    seed
        Of all random numbers.
    """

    summary: ClassVar[str]
    PUBLISHED: ClassVar[Mapping[str, Any]] = {}

    steps: int = parameter(6000, _whole(1, 10_000_000))
    batch_size: int = parameter(128, _whole(1, 100_000))
    average: int = parameter(1, _whole(1, 10_000))
    whitened: int = parameter(0, _whole(0, 1))
    units: int = parameter(256, _whole(1, 10_000))
    learning_rate: float = parameter(1e-3, _number(1e-12, 10.0))
    beta1: float = parameter(0.9, _number(0.0, 0.9999))
    decay: float = parameter(0.998, _number(0.0, 0.999999))
    seed: int = parameter(0, _whole(0, 2**31 - 1))

    def as_dict(self) -> dict[str, Any]:
        """Values in a form that JSON can hold; `from_dict` reads it."""
        return dict(self.parameters)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Any:
        """Make settings from a mapping.

        Raises
        ------
        ValueError
            If a name is unknown or a value is of the wrong type or out of range.
        """
        known = [field.name for field in dataclasses.fields(cls)]
        for name in values:
            if name not in known:
                raise ValueError(
                    f"{cls.name} has no setting {name!r}; its settings are {', '.join(known)}"
                )
        return cls(**values)

    @classmethod
    def preset(cls, name: str | None, changes: Mapping[str, Any]) -> Any:
        """Make settings from a preset, "reference" or "published", and changes.

        Raises
        ------
        ValueError
            As for `from_dict`, and if there is no such preset.
        """
        presets: dict[str, Mapping[str, Any]] = {"reference": {}, "published": cls.PUBLISHED}
        if not cls.PUBLISHED:
            del presets["published"]
        if (name or "reference") not in presets:
            raise ValueError(
                f"{cls.name} has no preset {name!r}; choose one of {', '.join(presets)}"
            )
        return cls.from_dict({**presets[name or "reference"], **changes})


@dataclass(frozen=True)
class VAESettings(GeneratorSettings):
    """Variational autoencoder.

    Attributes
    ----------
    latent
        Dimensions of the latent space.
    kl_weight
        Weight of the Kullback-Leibler divergence; 1 is the bound on the likelihood.
    """

    name = "vae"
    summary: ClassVar[str] = "Variational autoencoder; trainable."
    PUBLISHED: ClassVar[Mapping[str, Any]] = {
        "average": 32,
        "whitened": 1,
        "batch_size": 32,
        "latent": 1000,
        "units": 384,
        "learning_rate": 4.226558919754773e-4,
    }

    latent: int = parameter(24, _whole(1, 10_000))
    kl_weight: float = parameter(1.0, _number(0.0, 1e6))


@dataclass(frozen=True)
class LSGANSettings(GeneratorSettings):
    """Generative adversarial network with least-squares losses.

    Attributes
    ----------
    latent
        Dimensions of the generator's input.
    """

    name = "lsgan"
    summary: ClassVar[str] = "Adversarial network with least-squares losses; trainable."
    PUBLISHED: ClassVar[Mapping[str, Any]] = {
        "batch_size": 32,
        "steps": 5000,
        "latent": 500,
        "units": 512,
    }

    steps: int = parameter(800, _whole(1, 10_000_000))
    average: int = parameter(32, _whole(1, 10_000))
    whitened: int = parameter(1, _whole(0, 1))
    learning_rate: float = parameter(2e-4, _number(1e-12, 10.0))
    beta1: float = parameter(0.5, _number(0.0, 0.9999))
    latent: int = parameter(256, _whole(1, 10_000))


@dataclass(frozen=True)
class WGANGPSettings(LSGANSettings):
    """Wasserstein network with gradient penalty.

    Attributes
    ----------
    critic_steps
        Steps of the critic for one of the generator.
    penalty
        Weight of the gradient penalty.
    """

    name = "wgan-gp"
    summary: ClassVar[str] = "Wasserstein adversarial network with gradient penalty; trainable."
    PUBLISHED: ClassVar[Mapping[str, Any]] = {
        "batch_size": 32,
        "latent": 800,
        "critic_steps": 7,
        "learning_rate": 9.577282099004918e-5,
    }

    steps: int = parameter(600, _whole(1, 10_000_000))
    critic_steps: int = parameter(3, _whole(1, 100))
    penalty: float = parameter(10.0, _number(0.0, 1e6))


@dataclass(frozen=True)
class FlowMatchingSettings(GeneratorSettings):
    """Discrete flow matching.

    Attributes
    ----------
    blocks
        Residual blocks of the network.
    sampling_steps
        Steps from a masked to a finished image.
    """

    name = "flow-matching"
    summary: ClassVar[str] = "Discrete flow matching from masked to finished images; trainable."

    steps: int = parameter(8000, _whole(1, 10_000_000))
    blocks: int = parameter(3, _whole(0, 100))
    sampling_steps: int = parameter(64, _whole(1, 10_000))

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.average != 1 or self.whitened:
            raise ValueError(
                "flow-matching is for pixels that are on or off: average must be 1 and whitened 0"
            )


SETTINGS: dict[str, type[GeneratorSettings]] = {
    kind.name: kind for kind in (VAESettings, LSGANSettings, WGANGPSettings, FlowMatchingSettings)
}
"""Settings of each generator by its name."""
