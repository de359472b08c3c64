"""Settings of a service: where things are and how much anybody may use."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Role = Literal["reader", "submitter", "maintainer"]
"""What an account may do: look, hand in, or look after the boards and the accounts."""

ROLES: tuple[Role, ...] = ("reader", "submitter", "maintainer")
"""All roles; each may do what those before it may."""

_MB = 1_000_000


class Limits(BaseModel):
    """What one job of a worker may use.

    Attributes
    ----------
    cpu_s
        Seconds of processor time.
    wall_s
        Seconds of wall time.
    memory_mb
        Private memory (``RLIMIT_DATA``) in MB, beside what the worker holds when the job begins.
    file_mb
        Largest file that it may write, in MB.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    cpu_s: Annotated[int, Field(ge=1)] = 300
    wall_s: Annotated[float, Field(gt=0)] = 600.0
    memory_mb: Annotated[int, Field(ge=64)] = 4000
    file_mb: Annotated[int, Field(ge=1)] = 200


class ServiceSettings(BaseModel):
    """All that the server and its workers need to know.

    Attributes
    ----------
    folder
        Everything but the database lies here; with SQLite that too.
    database
        SQLAlchemy URL, for example ``postgresql+psycopg://user:password@host/name``; a file of
        SQLite in the folder if not given.
    shipped
        Whether the entries that come with the package are shown too.
    anonymous
        Role of a request without a token; None asks everybody for one.
    requests_per_minute
        Requests that one account, or one address without a valid token, may make in a minute, as
        many of them at once; 0 for any number.
    upload_bytes
        Largest archive that is accepted, and the most that it may unpack to.
    pending_per_user
        Submissions that one account may have in the queue at once.
    limits
        What scoring or drawing one entry may use.
    model_limits
        What running one model may use.
    draw
        Whether an entry is drawn as soon as it has been scored, not only when somebody looks.
    rerun
        Whether models are run as soon as their submission has been scored.
    runner
        ``module:function`` that runs models and reference agents, see ``workers.runner``. It
        comes from above: boards know no agent.
    lease_s
        A job whose worker has not been heard of for so long is given to another one.
    poll_s
        How often an idle worker looks for a job.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    folder: Path
    database: str = ""
    shipped: bool = True
    anonymous: Role | None = "reader"
    requests_per_minute: Annotated[int, Field(ge=0)] = 0
    upload_bytes: Annotated[int, Field(ge=1000)] = 64 * _MB
    pending_per_user: Annotated[int, Field(ge=1)] = 100
    limits: Limits = Limits()
    model_limits: Limits = Limits(cpu_s=1800, wall_s=1800.0, memory_mb=8000)
    draw: bool = True
    rerun: bool = True
    runner: str | None = None
    lease_s: Annotated[float, Field(gt=0)] = 30.0
    poll_s: Annotated[float, Field(gt=0)] = 0.5

    @property
    def database_url(self) -> str:
        """URL of the database."""
        return self.database or f"sqlite:///{self.folder.absolute() / 'service.db'}"

    @property
    def boards(self) -> Path:
        """Folder of boards: the source of truth."""
        return self.folder / "boards"

    @property
    def uploads(self) -> Path:
        """Accepted submissions that have not been scored yet."""
        return self.folder / "uploads"

    @property
    def incoming(self) -> Path:
        """Archives that are just arriving."""
        return self.folder / "incoming"

    @property
    def drawn(self) -> Path:
        """Figures and curves, which can be drawn again from the boards."""
        return self.folder / "drawn"

    @property
    def fresh(self) -> Path:
        """Newly generated events of running refreshes."""
        return self.folder / "fresh"

    @property
    def scratch(self) -> Path:
        """Working folders of the jobs."""
        return self.folder / "scratch"
