"""Keras on TensorFlow, imported when it is needed and without TensorFlow's start-up messages."""

from __future__ import annotations

import functools
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@functools.cache
def keras() -> Any:
    """Import Keras 3 with TensorFlow as its backend.

    Returns
    -------
    module

    Raises
    ------
    ValueError
        If the user has chosen another backend.
    """
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    tensorflow()
    import keras as module  # type: ignore[import-untyped]

    if module.backend.backend() != "tensorflow":
        raise ValueError(f"Keras runs on {module.backend.backend()}: set KERAS_BACKEND=tensorflow")
    return module


@functools.cache
def tensorflow() -> Any:
    """Import TensorFlow.

    Returns
    -------
    module
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    with _quiet_libraries(), _as_if_missing("matplotlib", "sklearn"):
        import tensorflow as module  # type: ignore[import-untyped]

        # Looks for accelerators, which has messages of its own.
        module.config.list_physical_devices()
    return module


@contextmanager
def _as_if_missing(*packages: str) -> Iterator[None]:
    """Let imports of packages fail, unless they have been imported before.

    TensorFlow imports Keras, which imports matplotlib and scikit-learn where it finds them, for a
    gallery of pictures and wrappers that are not used here: a second and 85 MB.
    """
    hidden = [name for name in packages if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


@contextmanager
def _quiet_libraries() -> Iterator[None]:
    """Drop what compiled libraries write to standard error, unless an import fails.

    TensorFlow 2.21 writes some messages before it looks at TF_CPP_MIN_LOG_LEVEL.
    """
    sys.stderr.flush()
    stream = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            held.seek(0)
            os.write(stream, held.read())
            raise
        finally:
            os.dup2(stream, 2)
            os.close(stream)
