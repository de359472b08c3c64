"""State of an unfinished training in one NPZ file, written so that it is never half there."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .whole_files import whole_file

Arrays = dict[str, NDArray[np.generic]]

_JSON = "json"

LAYOUT = 2
"""Version of what a training puts into its checkpoint."""


def write_checkpoint(file: Path, parts: dict[str, Arrays], values: dict[str, Any]) -> None:
    """Write a checkpoint.

    Parameters
    ----------
    file
        The file; an older checkpoint is replaced once the new one is complete.
    parts
        Name of a part to its arrays.
    values
        Anything that JSON can hold.
    """
    arrays = {f"{part}/{name}": array for part, own in parts.items() for name, array in own.items()}
    arrays[_JSON] = np.array(json.dumps({"layout": LAYOUT, **values}))
    with whole_file(file) as part, part.open("wb") as stream:
        np.savez(stream, **arrays)  # type: ignore[arg-type]
        stream.flush()
        os.fsync(stream.fileno())


def read_checkpoint(file: Path) -> tuple[dict[str, Arrays], dict[str, Any]]:
    """Read what `write_checkpoint` wrote.

    Returns
    -------
    parts : dict
    values : dict

    Raises
    ------
    ValueError
        If the file is not a checkpoint, or one of another layout.
    """
    parts: dict[str, Arrays] = {}
    try:
        # Opened here, because NumPy leaves a file open that turns out not to be an archive.
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
            values = json.loads(str(arrays[_JSON]))
            for key in arrays.files:
                part, _, name = key.partition("/")
                if name:
                    parts.setdefault(part, {})[name] = arrays[key]
    except (KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(
            f"{file} is not a checkpoint of a training ({error}): remove it to start over"
        ) from None
    # Layout 1 did not say so.
    layout = values.get("layout", 1) if isinstance(values, dict) else None
    if layout != LAYOUT:
        raise ValueError(
            f"{file} is a checkpoint of layout {layout}, this version of hepgym reads layout "
            f"{LAYOUT}: finish the training with the version that began it, or remove the file to "
            "start over"
        )
    return parts, values
