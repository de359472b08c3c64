"""Figures of results, one module per family of tasks."""
