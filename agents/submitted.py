"""Networks that come with a submission: Keras 3 files in safe mode, and ONNX files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

KERAS_MODEL = "model.keras"
ONNX_MODEL = "model.onnx"
REFERENCE = "reference agent"
"""How an entry that comes without a network can be run."""


@dataclass(frozen=True)
class Network:
    """A network that somebody handed in.

    Attributes
    ----------
    file
        Its name, for messages.
    inputs
        Shape of each input; None where any size fits.
    call
        Maps a list of float32 arrays, one for each input, to a list of arrays.
    """

    file: str
    inputs: tuple[tuple[int | None, ...], ...]
    call: Callable[[list[NDArray[np.float32]]], list[Any]]

    def __call__(self, *arrays: NDArray[Any]) -> list[NDArray[np.float32]]:
        """Run it.

        Raises
        ------
        ValueError
            If it cannot take these arrays, or gives numbers that are not finite.
        """
        given = [np.ascontiguousarray(array, np.float32) for array in arrays]
        try:
            made = [np.asarray(one, np.float32) for one in self.call(given)]
        except Exception as error:
            # A network may ask for anything, and fails in many ways if it does not get it.
            raise ValueError(f"{self.file} cannot be run: {_sentence(error)}") from None
        if not all(np.isfinite(one).all() for one in made):
            raise ValueError(f"{self.file} gives numbers that are not finite")
        return made


def network_file(attachments: Path) -> Path | None:
    """Find the network among the files that came with a submission."""
    for name in (KERAS_MODEL, ONNX_MODEL):
        if (attachments / name).is_file():
            return attachments / name
    return None


def way_to_run(attachments: Path, *, reference: bool) -> str | None:
    """Say how an entry can be run: by the network that came with it, or else by its name.

    Parameters
    ----------
    attachments
        Folder of what came with the entry.
    reference
        Whether it is a reference agent that comes with the package.

    Returns
    -------
    str or None
        File name of the network, `REFERENCE`, or None if there is no way.
    """
    file = network_file(attachments)
    if file is not None:
        return file.name
    return REFERENCE if reference else None


def load_network(file: Path) -> Network:
    """Load a network without running any code that it may hold.

    Raises
    ------
    ValueError
        If it cannot be loaded.
    """
    return _keras_network(file) if file.name == KERAS_MODEL else _onnx_network(file)


def _keras_network(file: Path) -> Network:
    from ..backend import keras

    try:
        model = keras().saving.load_model(file, compile=False, safe_mode=True)
        inputs = tuple(tuple(one.shape) for one in model.inputs)
    except Exception as error:
        # Keras fails in many ways on a file that is no model.
        raise ValueError(f"{file.name} cannot be loaded in safe mode: {_sentence(error)}") from None

    def call(arrays: list[NDArray[np.float32]]) -> list[Any]:
        made = model(arrays[0] if len(arrays) == 1 else arrays, training=False)
        return list(made) if isinstance(made, list | tuple) else [made]

    return Network(file.name, inputs, call)


def _onnx_network(file: Path) -> Network:
    try:
        import onnxruntime  # type: ignore[import-untyped]
    except ImportError:
        raise ValueError("running ONNX models needs onnxruntime: install hepgym[onnx]") from None

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    try:
        # From memory: the model has no folder, and thus no files that it could refer to.
        session = onnxruntime.InferenceSession(
            file.read_bytes(), options, providers=["CPUExecutionProvider"]
        )
        given = session.get_inputs()
    except Exception as error:
        raise ValueError(f"{file.name} cannot be loaded: {_sentence(error)}") from None
    inputs = tuple(
        tuple(size if isinstance(size, int) else None for size in one.shape) for one in given
    )
    names = [one.name for one in given]
    return Network(
        file.name,
        inputs,
        lambda arrays: list(session.run(None, dict(zip(names, arrays, strict=True)))),
    )


def _sentence(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
