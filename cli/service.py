"""Commands of the leaderboard service: the server, its boards, backups and tokens."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .app import app, board_app
from .display import console, progress_when_needed
from .options import TaskId, choice

if TYPE_CHECKING:
    from ..leaderboards.service.settings import ServiceSettings

token_app = typer.Typer(no_args_is_help=True, help="Accounts and tokens of a service.")
board_app.add_typer(token_app, name="token")

RUNNER = "hepgym.agents.rerun"
"""Module that runs models for a service: boards know no agents, so it is named here."""

ServiceFolder = Annotated[
    Path | None,
    typer.Option("--folder", help="Folder of the service; default beside your own boards."),
]
DatabaseUrl = Annotated[
    str | None,
    typer.Option(
        "--database",
        help="postgresql+psycopg://...; default HEPGYM_DATABASE, else SQLite in the folder.",
    ),
]
Server = Annotated[str | None, typer.Option(help="URL of a server, e.g. http://127.0.0.1:8000.")]
Token = Annotated[str | None, typer.Option(help="Token for the server; default HEPGYM_TOKEN.")]


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on.")] = 8000,
    workers: Annotated[int, typer.Option(help="Processes that score; 0 if they run apart.")] = 1,
    folder: ServiceFolder = None,
    database: DatabaseUrl = None,
    require_token: Annotated[
        bool, typer.Option(help="Ask everybody for a token, for looking too.")
    ] = False,
    rate: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Requests a minute of each account or address; 0 for any number. "
            "Default 600, but any number on this machine.",
        ),
    ] = None,
) -> None:
    """Serve the boards: web pages, API, and workers that score what is handed in.

    On this machine nobody needs an account. Ctrl-C stops it in order; nothing is ever lost.
    """
    from ..leaderboards.service import commands

    settings = commands.settings_for(
        folder,
        database,
        anonymous=commands.local_role(host, require_token),
        requests_per_minute=commands.default_rate(host) if rate is None else rate,
        runner=RUNNER,
    )
    commands.serve(
        settings,
        host=host,
        port=port,
        workers=workers,
        ready=lambda url: print(f"boards: {url}  (Ctrl-C stops)", flush=True),
    )


@app.command()
def worker(
    folder: ServiceFolder = None,
    database: DatabaseUrl = None,
    until_empty: Annotated[bool, typer.Option(help="Stop when the queue is empty.")] = False,
) -> None:
    """Be one worker of a service: same folder, same database, any machine."""
    from ..leaderboards.service import commands

    jobs = commands.work(_settings(folder, database), until_empty=until_empty)
    print(f"{jobs} jobs done")


@board_app.command("refresh")
def board_refresh(
    task: TaskId,
    size: Annotated[int, typer.Option(help="Events of each dataset.")] = 10_000,
    server: Server = None,
    token: Token = None,
    folder: ServiceFolder = None,
    database: DatabaseUrl = None,
) -> None:
    """Score every entry that can be run on new events, from a seed that nobody has seen."""
    from ..leaderboards.service import commands

    settings = None if server else _settings(folder, database)
    name = commands.refresh(task, size=size, server=server, token=token, settings=settings)
    print(f"queued as {name}; workers of the service do the rest")


@board_app.command("rerun")
def board_rerun(task: TaskId, folder: ServiceFolder = None, database: DatabaseUrl = None) -> None:
    """Run every entry of a board that can be run, and compare its predictions."""
    from ..leaderboards.service import commands

    count = commands.rerun(task, _settings(folder, database))
    print(f"{count} entries queued; workers of the service do the rest")


@board_app.command("export")
def board_export(
    output: Annotated[
        Path | None, typer.Argument(metavar="FOLDER", help="Folder of JSON and files, for git.")
    ] = None,
    site: Annotated[Path | None, typer.Option(help="Folder for a static web site.")] = None,
    folder: ServiceFolder = None,
) -> None:
    """Write all boards of a service into a folder, and as a static web site."""
    from ..leaderboards.service import commands

    if output is None and site is None:
        raise ValueError("name a FOLDER, or a --site, or both")
    entries, pages = commands.export(_settings(folder, None), output, site)
    if output:
        print(f"{entries} entries: {output}")
    if site:
        print(f"{pages} pages: {site / 'index.html'}")


@board_app.command("import")
def board_import(
    source: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder of boards.")],
    trust: Annotated[
        bool, typer.Option(help="Take over what that board says of re-runs and fresh events.")
    ] = True,
    folder: ServiceFolder = None,
    database: DatabaseUrl = None,
) -> None:
    """Add the entries of a folder of boards to a service; every score is recomputed."""
    from ..leaderboards.service import commands

    with progress_when_needed() as progress:
        count = commands.import_folder(
            _settings(folder, database), source, trust=trust, progress=progress
        )
    print(f"{count} new entries")


@board_app.command("backup")
def board_backup(
    file: Annotated[Path, typer.Argument(metavar="FILE.tar", help="The backup.")],
    folder: ServiceFolder = None,
    database: DatabaseUrl = None,
) -> None:
    """Write database and boards of a service into one file; the service may run."""
    from ..leaderboards.service import commands

    counts = commands.back_up(_settings(folder, database), file)
    print(f"{file}: {', '.join(f'{count} {name}' for name, count in counts.items())}")


@board_app.command("restore")
def board_restore(
    file: Annotated[Path, typer.Argument(metavar="FILE.tar", help="The backup.")],
    folder: ServiceFolder = None,
    database: DatabaseUrl = None,
) -> None:
    """Restore a backup into an empty folder and database, of either kind."""
    from ..leaderboards.service import commands

    counts = commands.restore(_settings(folder, database), file)
    print(f"restored {', '.join(f'{count} {name}' for name, count in counts.items())}")


@token_app.command("create")
def token_create(
    user: Annotated[str, typer.Argument(help="Name of the account; made if needed.")],
    role: Annotated[str, typer.Option(help="reader, submitter or maintainer.")] = "submitter",
    label: Annotated[str, typer.Option(help="What the token is for.")] = "",
    days: Annotated[float | None, typer.Option(help="Days until it expires.")] = None,
    folder: ServiceFolder = None,
    database: DatabaseUrl = None,
) -> None:
    """Make a token. It is shown once; the service keeps its hash."""
    from ..leaderboards.service import commands
    from ..leaderboards.service.settings import ROLES

    choice("role", role, ROLES)
    number, token = commands.create_token(
        _settings(folder, database),
        user,
        role,  # type: ignore[arg-type]
        label=label,
        days=days,
    )
    print(f"token {number} of {user} ({role}): {token}")


@token_app.command("list")
def token_list(folder: ServiceFolder = None, database: DatabaseUrl = None) -> None:
    """List all tokens, without their secrets."""
    from datetime import UTC, datetime

    from rich.markup import escape
    from rich.table import Table

    from ..leaderboards.service import commands

    def day(time: float | None) -> str:
        return "-" if time is None else f"{datetime.fromtimestamp(time, UTC):%Y-%m-%d}"

    table = Table("token", "account", "role", "label", "created", "expires", "state")
    for one in commands.list_tokens(_settings(folder, database)):
        table.add_row(
            str(one.id),
            escape(one.user),
            one.role,
            escape(one.label),
            day(one.created),
            day(one.expires),
            "revoked" if one.revoked else "valid",
        )
    console().print(table)


@token_app.command("revoke")
def token_revoke(
    number: Annotated[int, typer.Argument(metavar="TOKEN", help="Number of the token.")],
    folder: ServiceFolder = None,
    database: DatabaseUrl = None,
) -> None:
    """Make a token useless at once."""
    from ..leaderboards.service import commands

    commands.revoke_token(_settings(folder, database), number)
    print(f"token {number} is revoked")


def submit_to(
    server: str, folder: Path, token: str | None, attachments: list[Path] | None, wait_s: float
) -> None:
    """Hand a submission in to a server, for `hepgym submit --server`."""
    from ..leaderboards.service import commands

    with progress_when_needed() as progress:
        result = commands.submit(
            folder,
            server,
            token=token,
            attachments=attachments,
            wait_s=wait_s,
            waiting=lambda number: progress(0, 1, f"waiting for the score of {number[:12]}"),
        )
    entry: dict[str, Any] | None = result["entry"]
    if entry is None:
        print(f"handed in, not scored yet: {result['url']}")
    else:
        print(f"{entry['id']} is number {entry['place']} of {entry['task']}: {result['url']}")


def show_board_of(server: str, task: str | None, token: str | None, as_json: bool) -> None:
    """Show a server's board, for `hepgym leaderboard --server`."""
    from rich.markup import escape
    from rich.table import Table

    from ..leaderboards.bootstrap import Estimate
    from ..leaderboards.service import commands

    found = commands.leaderboard(server, task, token=token)
    if as_json:
        print(json.dumps(found, indent=2))
        return
    if task is None:
        table = Table("task", "entries", "best agent", "score", title=f"Tasks on {server}")
        for one in found:
            best = one["best"]
            score = str(Estimate(**best["metrics"][one["task"]["primary"]])) if best else "-"
            label = escape(best["label"]) if best else "-"
            table.add_row(one["task"]["id"], str(one["entries"]), label, score)
        console().print(table)
        return
    from ..leaderboards.tasks import task as find_task

    columns = find_task(task).columns
    table = Table("#", "agent", title=f"{task} on {server}")
    for name in columns:
        table.add_column(name, justify="right", no_wrap=True)
    for name in ("trust", "added"):
        table.add_column(name)
    for entry in found:
        scores = entry["metrics"]
        table.add_row(
            str(entry["place"]),
            escape(entry["label"]),
            *(str(Estimate(**scores[name])) if name in scores else "-" for name in columns),
            entry["trust"] + (", awaiting re-run" if entry["awaiting_rerun"] else ""),
            entry["added"][:10],
        )
    console().print(table)


def _settings(folder: Path | None, database: str | None) -> ServiceSettings:
    from ..leaderboards.service import commands

    return commands.settings_for(folder, database, runner=RUNNER)
