"""Parameters of the flow sampler."""

from __future__ import annotations

from dataclasses import dataclass

from ...parameters import Allowed, Choice, Parameterised, parameter

LOSSES = ("kl", "variance", "kl+variance")

_COUNT = Allowed("a value of at least 1", lambda x: x >= 1, whole=True)
_SHARE = Allowed("0 <= value < 1", lambda x: 0 <= x < 1)
_POSITIVE = Allowed("value > 0", lambda x: x > 0)


@dataclass
class FlowSettings(Parameterised):
    """Everything that decides the outcome of a training, besides integrand, calls and seed.

    Attributes
    ----------
    bins, hidden, units, repeats
        Bins of each spline; hidden layers of the networks and units in each; how often the set of
        masks is used (arXiv:2001.05486: 16 bins).
    loss
        "kl": Kullback-Leibler divergence from the integrand to the density. "variance": variance
        of the weights relative to the squared mean. "kl+variance": the first plus half of the
        second; near the optimum both terms are equal.
    training_share
        Share of the calls that trains, the grid included. The rest makes the result.
    grid_share, grid_bins, grid_iterations, grid_alpha
        Share of the training calls for a VEGAS grid that the flow starts from, its bins,
        iterations and damping; without a share the flow starts from uniform points.
    batch
        Integrand calls between gradient steps, and points in a gradient step.
    steps
        Gradient steps after each batch of calls.
    window
        Batches of calls that gradient steps draw their points from, the latest included
        (buffered training, arXiv:2212.06172).
    learning_rate, final_learning_rate
        Adam's learning rate falls from the first to the second along half a cosine.
    uniform_share
        Share of the points that come from the grid alone and not from the flow, in training and
        in the result: bounds the weights where the flow has lost a region.
    """

    bins: int = parameter(16, Allowed("2 <= value <= 1000", lambda x: 2 <= x <= 1000, whole=True))
    hidden: int = parameter(2, _COUNT)
    units: int = parameter(64, _COUNT)
    repeats: int = parameter(1, _COUNT)
    loss: str = parameter("kl+variance", Choice(LOSSES))
    training_share: float = parameter(0.5, Allowed("0 < value < 1", lambda x: 0 < x < 1))
    grid_share: float = parameter(0.1, _SHARE)
    grid_bins: int = parameter(64, Allowed("value >= 2", lambda x: x >= 2, whole=True))
    grid_iterations: int = parameter(5, _COUNT)
    grid_alpha: float = parameter(0.7, Allowed("0 <= value <= 3", lambda x: 0 <= x <= 3))
    batch: int = parameter(2048, Allowed("value >= 16", lambda x: x >= 16, whole=True))
    steps: int = parameter(4, _COUNT)
    window: int = parameter(8, _COUNT)
    learning_rate: float = parameter(5e-3, _POSITIVE)
    final_learning_rate: float = parameter(2e-5, _POSITIVE)
    uniform_share: float = parameter(0.01, _SHARE)
