"""Parton distributions from data as games (arXiv:1410.8849, arXiv:1907.05075)."""
