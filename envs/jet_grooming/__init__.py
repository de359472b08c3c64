"""Jet grooming as a game (GroomRL, arXiv:1903.09644)."""

from .grooming import groom
from .reward import TOP_REWARD, W_REWARD, GroomingReward

__all__ = ["TOP_REWARD", "W_REWARD", "GroomingReward", "groom"]
