"""The trained agent, known by its settings."""

from __future__ import annotations

from ...parameters import Parameters
from ..networks.groomer import TrainedGroomer
from .settings import DQNSettings


class DQNGroomer(TrainedGroomer):
    """A groomer whose network returns the Q values of keeping and of removing the softer branch.

    Parameters
    ----------
    network
        Keras model: float32 states (n, components) to Q values (n, 2).
    settings
        How it was made.
    """

    name = "dqn"
    symbol = "DQN"
    settings_type = DQNSettings

    @property
    def parameters(self) -> Parameters:
        """Settings of the training, those of the reward with the prefix ``reward_``."""
        values = self.settings.as_dict()
        reward = values.pop("reward")
        return {**values, **{f"reward_{name}": value for name, value in reward.items()}}

    def __str__(self) -> str:
        """Architecture and seed."""
        own = self.settings
        return f"{self.symbol}({own.architecture} {own.layers}x{own.units}, seed={own.seed})"
