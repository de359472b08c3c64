"""The HTTP side: JSON API, accounts, limits, metrics."""
