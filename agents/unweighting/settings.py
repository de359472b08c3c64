"""Parameters of a surrogate's training."""

from __future__ import annotations

from dataclasses import dataclass

from ..parameters import Allowed, Parameterised, parameter

_COUNT = Allowed("a value of at least 1", lambda x: x >= 1, whole=True)
_POSITIVE = Allowed("value > 0", lambda x: x > 0)


@dataclass(frozen=True)
class SurrogateSettings(Parameterised):
    """Everything that decides the outcome of a training, besides the events.

    Attributes
    ----------
    hidden, units
        Hidden layers of the network and units in each.
    epochs, batch
        Passes through the training events, and events in a gradient step.
    learning_rate, final_learning_rate
        Adam's learning rate falls from the first to the second along half a cosine.
    weight_power
        The squared error of ln w counts with the event's weight to this power: unweighting spends
        its time on events with large weights.
    seed
        Seed of weights and of the order of the events.
    """

    hidden: int = parameter(4, _COUNT)
    units: int = parameter(128, _COUNT)
    epochs: int = parameter(40, _COUNT)
    batch: int = parameter(512, _COUNT)
    learning_rate: float = parameter(2e-3, _POSITIVE)
    final_learning_rate: float = parameter(2e-6, _POSITIVE)
    weight_power: float = parameter(0.5, Allowed("0 <= value <= 1", lambda x: 0 <= x <= 1))
    seed: int = parameter(1, Allowed("0 <= value < 2^32", lambda x: 0 <= x < 2**32, whole=True))

    name = "surrogate"
