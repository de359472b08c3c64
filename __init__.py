"""hepgym: Gymnasium environments, datasets, agents and leaderboards for high-energy physics.

Importing the package registers its environments with Gymnasium and loads nothing heavy.
"""

from . import datasets, envs
from .envs.registration import register_environments
from .version import __version__

__all__ = ["__version__", "datasets", "envs"]

register_environments()
