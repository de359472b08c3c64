"""The error that every reader and generator of this package raises on bad input."""


class DatasetError(ValueError):
    """Bad data or a bad request for data; the message names the place and the remedy."""
