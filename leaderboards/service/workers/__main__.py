"""A worker as a process: reads its settings as JSON from standard input."""

from __future__ import annotations

import sys

from ..logs import log_to_stderr
from ..settings import ServiceSettings
from .loop import Stop, work


def main() -> None:
    """Work until told to stop, or until the server that started it is gone."""
    # The settings may hold the password of the database, which must not be seen in a list of
    # processes.
    settings = ServiceSettings.model_validate_json(sys.stdin.read())
    log_to_stderr()
    # Told by the server: one that dies while this process starts is not its parent any more.
    stop = Stop(parent=int(sys.argv[2]))
    stop.listen()
    work(settings, name=sys.argv[1], stop=stop)


if __name__ == "__main__":
    main()
