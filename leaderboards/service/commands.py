"""What the command line calls: plain arguments in, results out, no printing."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..board import local_boards
from ..tasks import task as find_task
from .boards import Boards
from .client import Client
from .exchange import export_boards, export_site, import_boards
from .service import Service, open_service
from .settings import Role, ServiceSettings
from .storage import accounts, backup, index, queue
from .storage.accounts import Account, TokenInfo

DATABASE_VARIABLE = "HEPGYM_DATABASE"

_LOCAL = Account(None, "command line", "maintainer")


def service_folder(folder: Path | None = None) -> Path:
    """Folder of a service: as given, or ``service`` beside the user's own boards."""
    return folder or local_boards().parent / "service"


def settings_for(
    folder: Path | None = None, database: str | None = None, **more: Any
) -> ServiceSettings:
    """Make the settings of a service.

    Parameters
    ----------
    folder
        Its folder, by default beside the user's own boards.
    database
        URL of its database; by default what the variable ``HEPGYM_DATABASE`` holds, and without
        one SQLite in the folder.
    **more
        Fields of `ServiceSettings`.

    Returns
    -------
    ServiceSettings
    """
    url = database or os.environ.get(DATABASE_VARIABLE, "")
    return ServiceSettings(folder=service_folder(folder), database=url, **more)


def serve(
    settings: ServiceSettings,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    workers: int = 1,
    ready: Callable[[str], None] | None = None,
) -> None:
    """Run a server with its workers until it is told to stop; see `supervision.serve`."""
    from .supervision import serve as run

    run(settings, host, port, workers, ready)


def local_role(host: str, require_token: bool) -> Role | None:
    """Role of somebody without a token: may submit on this machine only, look from elsewhere.

    Parameters
    ----------
    host
        Address on which the server listens.
    require_token
        Whether everybody needs a token, for looking too.
    """
    from .supervision import is_loopback

    if require_token:
        return None
    return "submitter" if is_loopback(host) else "reader"


def default_rate(host: str) -> int:
    """Give the requests a minute of each account and address: any number on this machine only.

    Parameters
    ----------
    host
        Address on which the server listens.
    """
    from .supervision import is_loopback

    return 0 if is_loopback(host) else 600


def work(settings: ServiceSettings, *, until_empty: bool = False) -> int:
    """Be one worker of a service that runs elsewhere; return the number of jobs done.

    It needs the same folder, on a shared file system, and the same database.
    """
    from .logs import log_to_stderr
    from .workers.loop import work as run

    log_to_stderr()
    return run(settings, until_empty=until_empty)


def submit(
    folder: Path,
    server: str,
    *,
    token: str | None = None,
    attachments: list[Path] | None = None,
    wait_s: float = 600.0,
    waiting: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """Hand a submission in to a server and wait for its score; see `Client.submit`.

    Returns
    -------
    dict
        ``submission``, the API's ``Submission``; ``entry``, the API's ``EntrySummary`` or None;
        ``url``, the page to look at.
    """
    client = Client(server, token)
    handed = client.submit(folder, attachments, wait_s=wait_s, waiting=waiting)
    entry = None
    url = f"{client.server}{handed['url']}"
    if handed["state"] == "scored":
        entries = client.entries(handed["task"])
        entry = next(one for one in entries if one["id"] == handed["entry"])
        url = f"{client.server}/tasks/{handed['task']}/entries/{handed['entry']}"
    return {"submission": handed, "entry": entry, "url": url}


def leaderboard(
    server: str, task: str | None = None, *, token: str | None = None
) -> list[dict[str, Any]]:
    """Read a board, or all tasks, from a server: its API's ``EntrySummary`` or ``TaskSummary``."""
    client = Client(server, token)
    return client.tasks() if task is None else client.entries(task)


def refresh(
    task: str,
    *,
    size: int = 10_000,
    server: str | None = None,
    token: str | None = None,
    settings: ServiceSettings | None = None,
) -> str:
    """Have a board refreshed with events from a secret seed, by a server or a local service.

    Returns
    -------
    str
        Name of the round. Workers do the rest.
    """
    own = find_task(task)
    if server is not None:
        return Client(server, token).refresh(task, size)
    from .workers.jobs import request_refresh

    with (
        open_service(settings or settings_for()) as service,
        service.database.write() as session,
    ):
        return request_refresh(session, own, size, _LOCAL)


def rerun(task: str, settings: ServiceSettings) -> int:
    """Queue a run of every entry of a board that the board has not run yet; return how many."""
    own = find_task(task)
    with open_service(settings) as service:
        waiting = [row for row in service.views.table(own.id) if row.checks.rerun is None]
        with service.database.write() as session:
            for row in waiting:
                subject = f"{own.id}/{row.entry.id}"
                queue.enqueue(session, "rerun", subject, priority=queue.LATER, again=True)
    return len(waiting)


def export(settings: ServiceSettings, folder: Path | None, site: Path | None) -> tuple[int, int]:
    """Write the boards of a service to a folder, and as a static site.

    Returns
    -------
    entries, pages : int
        How many were written.
    """
    boards = Boards(settings.boards, shipped=settings.shipped)
    entries = 0 if folder is None else export_boards(boards, folder)
    pages = 0 if site is None else export_site(boards, settings.drawn, site)
    return entries, pages


def import_folder(
    settings: ServiceSettings,
    folder: Path,
    *,
    trust: bool = True,
    progress: Callable[[int, int, str], None] | None = None,
) -> int:
    """Add the entries of a folder of boards to a service; return how many were new."""
    with open_service(settings, synchronise=False) as service:
        try:
            return len(import_boards(service.boards, folder, trust=trust, progress=progress))
        finally:
            # Whatever was added before an error is shown.
            with service.database.write() as session:
                index.synchronise(session, service.boards)


def back_up(settings: ServiceSettings, file: Path) -> dict[str, int]:
    """Write a backup of a service, which may run; see `storage.backup.back_up`."""
    return backup.back_up(settings, file)


def restore(settings: ServiceSettings, file: Path) -> dict[str, int]:
    """Restore a backup into an empty service; see `storage.backup.restore`."""
    counts = backup.restore(settings, file)
    with open_service(settings):
        return counts


def create_token(
    settings: ServiceSettings,
    user: str,
    role: Role,
    *,
    label: str = "",
    days: float | None = None,
) -> tuple[int, str]:
    """Make an account if needed, give it a role, and make a token for it.

    Returns
    -------
    id : int
        For revoking it.
    token : str
        To be shown once.
    """
    with _accounts(settings) as service, service.database.write() as session:
        accounts.add_user(session, user, role)
        return accounts.create_token(session, user, label=label, days=days)


def list_tokens(settings: ServiceSettings) -> list[TokenInfo]:
    """All tokens of a service, without their secrets."""
    with _accounts(settings) as service, service.database.read() as session:
        return accounts.list_tokens(session)


def revoke_token(settings: ServiceSettings, token_id: int) -> None:
    """Make a token of a service useless at once."""
    with _accounts(settings) as service, service.database.write() as session:
        accounts.revoke_token(session, token_id)


def _accounts(settings: ServiceSettings) -> Service:
    return open_service(settings, synchronise=False)
