"""The process that keras-rl2 has to itself; `train_keras_rl` starts it."""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from ..dqn.groomer import DQNGroomer
from ..networks.groomer import read_settings
from ..networks.progress import live_line, silent


def main(folder: Path, *, quiet: bool) -> None:
    """Train with the settings in a folder.

    Parameters
    ----------
    folder
        Folder of the training.
    quiet
        Whether to show nothing.
    """
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, frame: stop.set())
    settings = read_settings(folder, DQNGroomer)
    os.environ["TF_USE_LEGACY_KERAS"] = "1"
    from .session import run

    shown: Any = nullcontext(silent) if quiet else live_line(settings.steps)
    with shown as show:
        run(settings, folder, stop, show)


if __name__ == "__main__":
    main(Path(sys.argv[1]), quiet="--quiet" in sys.argv[2:])
