"""The command ``hepgym`` itself: its groups, and how it ends."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from ..version import __version__

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
data_app = typer.Typer(no_args_is_help=True, help="List, generate and convert datasets.")
board_app = typer.Typer(no_args_is_help=True, help="Look after the boards that are shipped.")
plot_app = typer.Typer(no_args_is_help=True, help="Draw a submission's figures, one at a time.")
agents_app = typer.Typer(no_args_is_help=True, help="List, import and export agents.")
app.add_typer(agents_app, name="agents")
app.add_typer(data_app, name="data")
app.add_typer(board_app, name="board")
app.add_typer(plot_app, name="plot")


def main() -> None:
    """Run the command; an expected error is one sentence, not a traceback."""
    try:
        app(standalone_mode=True)
    except (ValueError, OSError, ConnectionError) as error:
        if os.environ.get("HEPGYM_DEBUG"):
            raise
        sys.exit(f"error: {' '.join(str(error).split())}")
    except SystemExit as stop:
        # Typer turns Ctrl-C into this status.
        if stop.code == 130:
            print(
                "interrupted: what was finished is kept, the same command goes on from there",
                file=sys.stderr,
            )
        raise


def _version(show: bool) -> None:
    if show:
        print(f"hepgym {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Environments, datasets, agents and leaderboards for machine learning in HEP theory.

    Start with:  hepgym run JetGrooming-v0 --agent recursive-soft-drop
    """
