"""Keras and TensorFlow are imported without what they do not need."""

from __future__ import annotations

import sys

import pytest

from hepgym import backend


def test_packages_are_hidden_only_for_a_while():
    sys.modules.pop("colorsys", None)
    with backend._as_if_missing("colorsys", "json"):
        with pytest.raises(ImportError):
            import colorsys
        import json  # it was imported before: it stays
    assert json.dumps([1]) == "[1]"
    import colorsys

    assert colorsys.rgb_to_hsv(1.0, 1.0, 1.0) == (0.0, 0.0, 1.0)
