"""The trained agent, known by its settings."""

from __future__ import annotations

from ...parameters import Parameters
from ..networks.groomer import TrainedGroomer
from .settings import PolicyGradientSettings


class PolicyGradientGroomer(TrainedGroomer):
    """A groomer whose network returns preferences: their difference is the log-odds of a removal.

    Parameters
    ----------
    network
        Keras model: float32 observations (n, components) to preferences (n, 2).
    settings
        How it was made.
    """

    name = "policy-gradient"
    symbol = "PG"
    settings_type = PolicyGradientSettings

    @property
    def parameters(self) -> Parameters:
        """Settings of the training."""
        values: Parameters = self.settings.as_dict()
        return values

    def __str__(self) -> str:
        """Observation, architecture and seed."""
        own = self.settings
        return f"{self.symbol}({own.observation}, {own.layers}x{own.units}, seed={own.seed})"
