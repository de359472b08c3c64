"""Commands that play: run, train, tune, compare."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .app import app
from .display import console, progress_bar, progress_when_needed, show_score
from .options import Scheduler, Settings, TaskId, Workers, parsed

if TYPE_CHECKING:
    from ..agents.tuning import Trial


@app.command()
def run(
    task: TaskId,
    agent: Annotated[str, typer.Option(help="A reference agent; `hepgym agents list` shows them.")],
    settings: Settings = None,
    model: Annotated[
        Path | None, typer.Option(help="Folder of a trained agent; default what is shipped.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="Folder for the results; default runs/TASK/AGENT.")
    ] = None,
    author: Annotated[list[str] | None, typer.Option(help="For the submission.")] = None,
    description: Annotated[str, typer.Option(help="For the submission.")] = "",
    overwrite: Annotated[
        bool, typer.Option(help="Replace another submission in the output folder.")
    ] = False,
    replicas: Annotated[
        int | None, typer.Option(help="Replicas that a fit makes; short for --set replicas=N.")
    ] = None,
    workers: Workers = 1,
    scheduler: Scheduler = None,
) -> None:
    """Play a task's test set with an agent: score, submission folder and figures.

    Example:  hepgym run JetGrooming-v0 --agent soft-drop --set z_cut=0.1 --set beta=1
    """
    from ..agents.players import Order, player
    from ..leaderboards.board import Board
    from ..leaderboards.tasks import task as find_task

    own = find_task(task)
    folder = output or Path("runs") / task / agent
    board = Board(task)
    changes = parsed(settings)
    if replicas is not None:
        if "replicas" in changes:
            raise ValueError("replicas is given twice: take --replicas or --set replicas")
        changes["replicas"] = replicas
    order = Order(
        agent=agent,
        settings=changes,
        model=model,
        folder=folder,
        authors=author or [],
        description=description,
        overwrite=overwrite,
        workers=workers,
        scheduler=scheduler,
    )
    with progress_when_needed() as progress:
        outcome = player(own).run(own, order, progress)
    show_score(own, outcome.submission.manifest.claimed, outcome.label, board.best())
    for line in outcome.lines:
        print(line)
    print(f"submission: {folder / 'submission'}")
    for figure in outcome.figures:
        print(f"figure:     {figure}")
    print(f"hand it in: hepgym submit {folder / 'submission'}")


@app.command()
def train(
    task: TaskId,
    agent: Annotated[str, typer.Option(help="An agent that learns, e.g. dqn.")] = "dqn",
    preset: Annotated[
        str | None,
        typer.Option(
            help="Settings to start from; dqn has reference (tuned, the default) and published "
            "(GroomRL's)."
        ),
    ] = None,
    settings: Settings = None,
    output: Annotated[
        Path | None, typer.Option(help="Folder of the training; default runs/TASK/train-AGENT.")
    ] = None,
    restart: Annotated[
        bool, typer.Option(help="Start over, delete what the folder holds.")
    ] = False,
) -> None:
    """Train an agent on a task's train split; validation decides which weights are kept.

    Interrupt it when you like: the same command goes on where it stopped. Each agent's page in the
    docs describes its settings.

    Example:  hepgym train JetGrooming-v0 --agent dqn --set seed=1
    """
    from ..agents.players import player
    from ..leaderboards.tasks import task as find_task

    own = find_task(task)
    folder = output or Path("runs") / task / f"train-{agent}"
    player(own).train(own, agent, folder, parsed(settings), preset=preset, resume=not restart)
    print(f"model and curves:  {folder}")
    print(f"play the test set: hepgym run {task} --agent {agent} --model {folder}")


@app.command()
def tune(
    task: TaskId,
    agent: Annotated[
        str | None, typer.Option(help="Name of the agent; default that of the search space.")
    ] = None,
    space: Annotated[
        str | None,
        typer.Option(
            metavar="FILE.yaml", help="Search space; default the agent's that comes with hepgym."
        ),
    ] = None,
    evals: Annotated[int, typer.Option(help="Trials in all.")] = 100,
    seed: Annotated[int, typer.Option(help="Another seed gives other trials.")] = 0,
    batch: Annotated[
        int, typer.Option(help="Trials suggested together: at most so many run at once.")
    ] = 4,
    workers: Workers = 1,
    scheduler: Scheduler = None,
    output: Annotated[
        Path | None, typer.Option(help="Folder of the scan; default runs/TASK/tune-AGENT.")
    ] = None,
) -> None:
    """Tune an agent's settings on a task's validation data with hyperopt.

    Interrupt it when you like: the same command goes on where it stopped.

    Example:  hepgym tune JetGrooming-v0 --agent recursive-soft-drop --evals 100
    """
    from ..agents.tuning import read_space
    from ..agents.tuning import tune as search
    from ..leaderboards.tasks import task as find_task

    if agent is None and space is None:
        raise ValueError("--agent or --space is missing")
    searched = read_space(space or agent or "")
    if agent not in (None, searched.agent):
        raise ValueError(f"{space} is a search space for {searched.agent}, not for --agent {agent}")
    folder = output or Path("runs") / task / f"tune-{searched.agent}"
    with progress_bar("trials") as progress:
        bar = progress.add_task(searched.agent, total=evals)

        def show(finished: int, best: Trial | None) -> None:
            lowest = f"best loss {best.loss:.4g}" if best else "no loss yet"
            progress.update(bar, completed=finished, description=f"{searched.agent}: {lowest}")

        scan = search(
            find_task(task),
            searched,
            folder,
            evals=evals,
            seed=seed,
            batch=batch,
            workers=workers,
            scheduler=scheduler,
            progress=show,
        )
    failed = [trial for trial in scan.trials if trial.loss is None]
    if failed:
        print(f"{len(failed)} of {len(scan.trials)} trials failed, the first: {failed[0].error}")
    if scan.best is None:
        raise ValueError(f"no trial succeeded: {folder / 'trials'} holds the reasons")
    print(f"best loss on validation data: {scan.best.loss:.4g} in trial {scan.best.number}")
    for name, value in scan.best.settings.items():
        print(f"  {name}: {value}")
    for file in scan.files:
        print(f"wrote {file}")
    if scan.best.command:
        print(f"run it on the test data: {scan.best.command}")


@app.command()
def compare(
    task: Annotated[str, typer.Argument(metavar="TASK", help="Task id.")] = "JetGrooming-v0",
) -> None:
    """Show a task's agents side by side.

    For grooming, every classical groomer plays the official W, top and QCD test sets; for
    integrators, the entries of the board on every integrand and budget.
    """
    from rich.markup import escape
    from rich.table import Table

    from ..agents.players import player
    from ..leaderboards.tasks import task as find_task

    own = find_task(task)
    with progress_when_needed() as progress:
        found = player(own).compare(own, progress)
    table = Table(title=escape(found.title))
    for number, column in enumerate(found.columns):
        table.add_column(escape(column), justify="right" if number else "left", no_wrap=number > 0)
    for row in found.rows:
        table.add_row(*map(escape, row))
    console().print(table)
