"""The command ``hepgym``: thin, every piece of work is a function of the package.

Heavy packages are imported by the commands that need them, so that ``--help`` is immediate.
"""

from . import agents, boards, data, playing, plots, service  # noqa: F401  (each registers its commands)
from .app import app, main

__all__ = ["app", "main"]
