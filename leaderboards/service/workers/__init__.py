"""Processes that score, draw and run what is in the queue."""
