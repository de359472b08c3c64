"""Submissions as one archive: packed by clients, read by a server that trusts nothing."""
