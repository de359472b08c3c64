"""The database: SQLite in a file, or PostgreSQL by its URL; tables come from migrations."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, OperationalError, SQLAlchemyError
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

_MIGRATIONS = Path(__file__).parent / "migrations"
_BUSY_MS = 30_000
_WRITES = "hepgym_writes"


class DatabaseError(OSError):
    """The database cannot be used; the message is one sentence."""


class Database:
    """A database that is up to date, and its sessions.

    Parameters
    ----------
    url
        SQLAlchemy URL.
    pooled
        Whether connections are kept open. A worker keeps none, because it forks.

    Raises
    ------
    DatabaseError
        If the URL is wrong, the driver is missing, or the database cannot be reached.
    """

    def __init__(self, url: str, *, pooled: bool = True) -> None:
        try:
            parsed = make_url(url)
        except ArgumentError:
            raise DatabaseError(
                "the database URL cannot be read: write postgresql+psycopg://user:password@host/"
                "name or sqlite:///file"
            ) from None
        self.backend = parsed.get_backend_name()
        options: dict[str, Any] = {} if pooled else {"poolclass": NullPool}
        if self.backend == "sqlite" and parsed.database:
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        try:
            self.engine = create_engine(parsed, **options)
        except ModuleNotFoundError as error:
            raise DatabaseError(
                f"the driver {error.name} is missing: install hepgym[postgres]"
            ) from None
        except SQLAlchemyError as error:
            raise DatabaseError(f"the database URL cannot be used: {error}") from None
        if self.backend == "sqlite":
            _prepare_sqlite(self.engine)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Give a session that only reads."""
        with Session(self.engine) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """Give a session whose changes are kept if the block ends without an error."""
        with (
            Session(self.engine.execution_options(**{_WRITES: True})) as session,
            session.begin(),
        ):
            yield session

    def migrate(self) -> None:
        """Bring the tables up to date; several processes may do so at once.

        Raises
        ------
        DatabaseError
            If the database cannot be reached, or was made by a newer version.
        """
        from alembic import command
        from alembic.util.exc import CommandError
        from sqlalchemy import text

        try:
            with self.engine.execution_options(**{_WRITES: True}).begin() as connection:
                if self.backend == "postgresql":
                    connection.execute(text("SELECT pg_advisory_xact_lock(20190322)"))
                command.upgrade(_alembic(connection), "head")
        except CommandError as error:
            raise DatabaseError(
                f"the tables of the database are not those of this version of hepgym ({error}): "
                "install the newer one"
            ) from None
        except OperationalError as error:
            raise DatabaseError(f"the database cannot be used: {_reason(error)}") from None

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def head_revision() -> str:
    """Name of the newest migration."""
    from alembic.script import ScriptDirectory

    head = ScriptDirectory.from_config(_alembic(None)).get_current_head()
    assert head is not None
    return head


def _alembic(connection: Connection | None) -> Any:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _prepare_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def configure(connection: Any, _: Any) -> None:
        # Transactions begin where this module says, not where the driver guesses.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in (
            f"busy_timeout={_BUSY_MS}",
            "journal_mode=WAL",
            # An accepted submission survives a power cut, too.
            "synchronous=FULL",
            "foreign_keys=ON",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # Writers take the lock at once: a reader that turns writer could fail half-way.
        writes = connection.get_execution_options().get(_WRITES, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _reason(error: OperationalError) -> str:
    return " ".join(str(error.orig).split())[:300]
