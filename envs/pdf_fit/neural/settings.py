"""Hyperparameters of fits by gradient descent."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, get_type_hints

OPTIMIZERS = ("Nadam", "Adam", "Amsgrad", "Adadelta", "RMSprop", "SGD")
ACTIVATIONS = ("tanh", "sigmoid", "relu", "elu", "softplus", "linear")
INITIALIZERS = ("glorot_normal", "glorot_uniform", "random_uniform", "random_normal")


@dataclass(frozen=True)
class NeuralSettings:
    """Hyperparameters; the defaults are NNPDF4.0's (arXiv:2109.02653, table 3.1).

    Attributes
    ----------
    units
        Units of the hidden layers; the output layer has 8.
    activation, initializer
        Of the hidden layers, names as in Keras.
    dropout
        Fraction of the last hidden layer's units left out in each epoch.
    optimizer, learning_rate, clipnorm
        Optimiser as in Keras (``Amsgrad`` is Adam with amsgrad) and the norm to which the gradient
        of each replica's weight matrices is clipped; 0 does not clip.
    epochs
        The most epochs.
    patience
        Training stops when the validation chi2 has had no new minimum for this fraction of epochs.
    threshold
        chi2 per point, training and validation, above which a state of the fit is not kept.
    validate_every
        Epochs between two looks at the validation chi2.
    positivity, positivity_end
        Multiplier of the positivity penalty in the first and last epochs; it grows every 100
        epochs by the same factor.
    integrability, integrability_end
        The same for integrability.
    feature_scaling
        The network sees x scaled by the distribution of the data's x instead of x and ln x, its
        value at x = 1 is subtracted, and beta is 0.
    """

    units: tuple[int, ...] = (25, 20)
    activation: str = "tanh"
    initializer: str = "glorot_normal"
    dropout: float = 0.0
    optimizer: str = "Nadam"
    learning_rate: float = 2.621e-3
    clipnorm: float = 6.073e-6
    epochs: int = 17_000
    patience: float = 0.1
    threshold: float = 3.5
    validate_every: int = 10
    positivity: float = 184.8
    positivity_end: float = 1e6
    integrability: float = 10.0
    integrability_end: float = 100.0
    feature_scaling: bool = False

    def __post_init__(self) -> None:
        hints = get_type_hints(type(self))
        for field in fields(self):
            value = getattr(self, field.name)
            if hints[field.name] is float and type(value) is int:
                object.__setattr__(self, field.name, value := float(value))
            if field.name == "units":
                continue
            if type(value) is not hints[field.name]:
                raise ValueError(
                    f"{field.name} is {value!r} but must be of type {hints[field.name].__name__}"
                )
        given: Any = self.units
        units = tuple(given) if isinstance(given, tuple | list) else ()
        if not units or not all(type(u) is int and 1 <= u <= 1000 for u in units):
            raise ValueError(f"units is {self.units!r} but must be integers from 1 to 1000")
        object.__setattr__(self, "units", units)
        for name, allowed in (
            ("activation", ACTIVATIONS),
            ("initializer", INITIALIZERS),
            ("optimizer", OPTIMIZERS),
        ):
            if getattr(self, name) not in allowed:
                raise ValueError(
                    f"{name} is {getattr(self, name)!r} but must be one of {', '.join(allowed)}"
                )
        limits = {
            "dropout": (0.0, 0.9),
            "learning_rate": (1e-8, 100.0),
            "clipnorm": (0.0, math.inf),
            "epochs": (1, 10_000_000),
            "patience": (0.0, 1.0),
            "threshold": (0.0, math.inf),
            "validate_every": (1, self.epochs),
            "positivity": (0.0, math.inf),
            "positivity_end": (self.positivity, math.inf),
            "integrability": (0.0, math.inf),
            "integrability_end": (self.integrability, math.inf),
        }
        for name, (low, high) in limits.items():
            if not low <= getattr(self, name) <= high:
                raise ValueError(
                    f"{name} is {getattr(self, name)!r} but must be between {low:g} and {high:g}"
                )

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> NeuralSettings:
        """Make settings from names and values, as they come from JSON or a command line.

        Raises
        ------
        ValueError
            If there is no such setting or a value is not allowed.
        """
        known = [field.name for field in fields(cls)]
        for name in values:
            if name not in known:
                raise ValueError(f"there is no setting {name!r}: there are {', '.join(known)}")
        return cls(**values)

    def to_json(self) -> dict[str, Any]:
        """Names and values in a form that JSON can hold."""
        return asdict(self) | {"units": list(self.units)}

    @property
    def inputs(self) -> int:
        """Number of inputs of the network."""
        return 1 if self.feature_scaling else 2

    def growth(self, first: float, last: float) -> float:
        """Factor by which a multiplier grows every 100 epochs."""
        return (last / first) ** (100 / self.epochs) if first > 0 else 1.0
