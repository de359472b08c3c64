"""The trained agent: grooms whole samples, and lives in a folder."""

from __future__ import annotations

from ...parameters import Parameters
from ..dqn.groomer import DQNGroomer
from .settings import PolicyGradientSettings


class PolicyGradientGroomer(DQNGroomer):
    """A groomer that removes a branch where its network prefers that.

    Network, files and decisions are those of `DQNGroomer`; what the network returns are
    preferences, whose difference is the log-odds of a removal, instead of values.

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
