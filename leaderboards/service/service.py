"""A service's parts in one place, and how it is made ready."""

from __future__ import annotations

from dataclasses import dataclass

from .boards import Boards
from .settings import ServiceSettings
from .storage import index
from .storage.database import Database
from .storage.handing_in import clear_incoming
from .views import Views


@dataclass(frozen=True)
class Service:
    """What requests are answered from.

    Attributes
    ----------
    settings, database, boards, views
        The parts.
    """

    settings: ServiceSettings
    database: Database
    boards: Boards
    views: Views

    def __enter__(self) -> Service:
        """Use it in a ``with`` statement."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close its connections to the database."""
        self.database.close()


def open_service(settings: ServiceSettings, *, synchronise: bool = True) -> Service:
    """Make folders and tables if needed, and the index of the boards anew.

    Parameters
    ----------
    settings
        Of the service.
    synchronise
        Whether to read the folder of boards.

    Returns
    -------
    Service

    Raises
    ------
    DatabaseError
        If the database cannot be used.
    BoardError
        If a board cannot be read.
    """
    for folder in (settings.boards, settings.uploads, settings.incoming, settings.scratch):
        folder.mkdir(parents=True, exist_ok=True)
    database = Database(settings.database_url)
    database.migrate()
    boards = Boards(settings.boards, shipped=settings.shipped)
    if synchronise:
        clear_incoming(settings)
        with database.write() as session:
            index.synchronise(session, boards)
    return Service(settings, database, boards, Views(database))
