"""``python -m hepgym`` is the command ``hepgym``."""

from .cli import main

main()
