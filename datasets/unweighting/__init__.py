"""Weighted events gg -> t tbar g g for surrogates of matrix elements and unweighting."""

from __future__ import annotations

from .events import ID, EventSample, load_events, read_events, write_events
from .production import produce_events

__all__ = ["ID", "EventSample", "load_events", "produce_events", "read_events", "write_events"]
