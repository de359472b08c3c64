"""The command ``hepgym``: thin, every piece of work is a function of the package.

Heavy packages are imported by the commands that need them, so that ``--help`` is immediate.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import datasets
from .datasets.jets.settings import SPLITS
from .version import __version__

if TYPE_CHECKING:
    from rich.progress import Progress

    from .agents.jet_grooming import Groomer
    from .agents.tuning import Trial
    from .leaderboards.board import Entry
    from .leaderboards.tasks import Task

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

TaskId = Annotated[str, typer.Argument(metavar="TASK", help="Task id, e.g. JetGrooming-v0.")]
Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder of a submission.")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="A parameter of the agent; repeatable."),
]


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


@app.command()
def run(
    task: TaskId,
    agent: Annotated[str, typer.Option(help="A reference agent; `hepgym agents list` shows them.")],
    settings: Settings = None,
    model: Annotated[
        Path | None, typer.Option(help="Folder of a trained dqn; default the one that is shipped.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="Folder for the results; default runs/TASK/AGENT.")
    ] = None,
    author: Annotated[list[str] | None, typer.Option(help="For the submission.")] = None,
    description: Annotated[str, typer.Option(help="For the submission.")] = "",
    overwrite: Annotated[
        bool, typer.Option(help="Replace another submission in the output folder.")
    ] = False,
) -> None:
    """Play a task's test set with an agent: score, submission folder and figures.

    Example:  hepgym run JetGrooming-v0 --agent soft-drop --set z_cut=0.1 --set beta=1
    """
    from .agents.jet_grooming.playing import run as play
    from .leaderboards.board import Board
    from .leaderboards.tasks import task as find_task

    own = find_task(task)
    groomer = _groomer(task, agent, settings, model)
    folder = output or Path("runs") / task / agent
    board = Board(task)
    played, submission, figures = play(
        own,
        groomer,
        folder,
        authors=author or [],
        description=description,
        overwrite=overwrite,
    )
    _show_score(own, submission.manifest.claimed, str(groomer), board.best())
    print(
        f"groomed {played.score.signal_jets + played.score.background_jets} jets "
        f"in {played.seconds:.2f} s"
    )
    print(f"submission: {folder / 'submission'}")
    for figure in figures:
        print(f"figure:     {figure}")
    print(f"hand it in: hepgym submit {folder / 'submission'}")


@app.command()
def train(
    task: TaskId,
    agent: Annotated[str, typer.Option(help="Agent that learns: dqn.")] = "dqn",
    preset: Annotated[
        str,
        typer.Option(help="Settings to start from: reference (tuned) or published (GroomRL's)."),
    ] = "reference",
    settings: Settings = None,
    output: Annotated[
        Path | None, typer.Option(help="Folder of the training; default runs/TASK/train-AGENT.")
    ] = None,
    restart: Annotated[
        bool, typer.Option(help="Start over, delete what the folder holds.")
    ] = False,
) -> None:
    """Train an agent on a task's train split; validation decides which weights are kept.

    Interrupt it when you like: the same command goes on where it stopped. All settings are
    described in `hepgym.agents.jet_grooming.dqn.DQNSettings`.

    Example:  hepgym train JetGrooming-v0 --set seed=1
    """
    from .leaderboards.tasks import task as find_task

    _choice("agent", agent, ("dqn",))
    _choice("preset", preset, ("reference", "published"))
    find_task(task)
    from .agents.jet_grooming.dqn import published_settings, reference_settings
    from .agents.jet_grooming.dqn import train as learn

    make = reference_settings if preset == "reference" else published_settings
    folder = output or Path("runs") / task / f"train-{agent}"
    learn(make(task, **_parsed(settings)), folder, resume=not restart, progress=True)
    print(f"model and reward curve: {folder}")
    print(f"play the test set:      hepgym run {task} --agent {agent} --model {folder}")


@agents_app.command("import-groomrl")
def agents_import_groomrl(
    architecture: Annotated[Path, typer.Argument(help="The published model's .json.")],
    weights: Annotated[Path, typer.Argument(help="Its weights, .h5 (Keras 2).")],
    output: Annotated[Path, typer.Option(help="Folder for the model.")],
    task: Annotated[str, typer.Option(help="Task it was trained for.")] = "JetGrooming-v0",
) -> None:
    """Import a published GroomRL model; nothing in its files is executed."""
    from .agents.jet_grooming.dqn import import_groomrl

    import_groomrl(architecture, weights, task=task).save(output)
    print(f"model: {output}; play: hepgym run {task} --agent dqn --model {output}")


@agents_app.command("export-onnx")
def agents_export_onnx(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder of a dqn model.")],
    output: Annotated[Path, typer.Option(help="ONNX file.")] = Path("model.onnx"),
) -> None:
    """Write a model as ONNX (needs the extra onnx)."""
    from .agents.jet_grooming.dqn import DQNGroomer, export_onnx

    print(f"ONNX: {export_onnx(DQNGroomer.load(folder), output)}")


@agents_app.command("list")
def agents_list() -> None:
    """List the reference agents and their parameters."""
    from rich.table import Table

    from .agents.jet_grooming import GROOMERS, make_groomer

    table = Table("agent", "parameters and defaults", "what it does", title="Jet grooming")
    for name, kind in GROOMERS.items():
        parameters = ", ".join(f"{k}={v}" for k, v in make_groomer(name).parameters.items())
        table.add_row(name, parameters, (kind.__doc__ or "").splitlines()[0])
    _console().print(table)


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
    workers: Annotated[int, typer.Option(help="Processes; the trials do not depend on it.")] = 1,
    scheduler: Annotated[
        str | None, typer.Option(help="Dask: tcp://host:port, slurm or htcondor.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="Folder of the scan; default runs/TASK/tune-AGENT.")
    ] = None,
) -> None:
    """Tune an agent's settings on a task's validation data with hyperopt.

    Interrupt it when you like: the same command goes on where it stopped.

    Example:  hepgym tune JetGrooming-v0 --agent recursive-soft-drop --evals 100
    """
    from .agents.tuning import read_space
    from .agents.tuning import tune as search
    from .leaderboards.tasks import task as find_task

    if agent is None and space is None:
        raise ValueError("--agent or --space is missing")
    searched = read_space(space or agent or "")
    if agent not in (None, searched.agent):
        raise ValueError(f"{space} is a search space for {searched.agent}, not for --agent {agent}")
    folder = output or Path("runs") / task / f"tune-{searched.agent}"
    with _progress("trials") as progress:
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
def evaluate(folder: Folder) -> None:
    """Recompute the score of a submission and hold its claims against it; changes nothing."""
    from .leaderboards.submission import read_submission, verify
    from .leaderboards.tasks import task as find_task

    submission = read_submission(folder)
    score = verify(submission)
    manifest = submission.manifest
    _show_score(find_task(manifest.task), score.metrics(), manifest.label, None)
    print("the claims agree with the predictions")


@app.command()
def submit(folder: Folder) -> None:
    """Put a submission on the local board, after recomputing its score.

    The board is a folder of JSON; HEPGYM_BOARD says where, by default the user's data folder.
    """
    from .leaderboards.board import Board
    from .leaderboards.submission import read_submission

    submission = read_submission(folder)
    board = Board(submission.manifest.task)
    entry = board.add(submission)
    place = [one.id for one in board.entries()].index(entry.id) + 1
    print(
        f"{entry.id} is number {place} of {len(board.entries())} on the board of {entry.task}: "
        f"{board.task.primary} = {entry.recomputed[board.task.primary]}"
    )


@app.command()
def leaderboard(
    task: Annotated[
        str | None, typer.Argument(metavar="TASK", help="Task id; all tasks if left out.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Entries as JSON.")] = False,
) -> None:
    """Show a board, or the best entry of every task."""
    from rich.markup import escape
    from rich.table import Table

    from .leaderboards.board import Board
    from .leaderboards.tasks import TASKS

    boards = [Board(one) for one in ([task] if task else TASKS)]
    if as_json:
        entries = [entry.model_dump(mode="json") for b in boards for entry in b.entries()]
        print(json.dumps(entries, indent=2))
        return
    if not task:
        table = Table("task", "entries", "best agent", "score", title="Tasks")
        for board in boards:
            best = board.best()
            table.add_row(
                board.task.id,
                str(len(board.entries())),
                escape(best.label) if best else "-",
                str(best.recomputed[board.task.primary]) if best else "-",
            )
        _console().print(table)
        return
    _show_board(boards[0].task, boards[0].entries())


@app.command()
def compare() -> None:
    """Groom the official W, top and QCD test sets with every classical groomer.

    This is the table in docs/jet_grooming.md.
    """
    from rich.table import Table

    from .agents.jet_grooming import GROOMERS, make_groomer
    from .agents.jet_grooming.comparison import compare as make_table

    groomers = [make_groomer(name) for name in GROOMERS]
    with _progress() as progress:
        bar = progress.add_task("grooming", total=len(groomers))
        rows = make_table(
            groomers,
            lambda groomer: progress.update(bar, advance=1, description=str(groomer)),
        )
    table = Table("groomer", title="Windows and medians in GeV, on the official test sets")
    for column in (
        "L(W)",
        "window",
        "median",
        "f_bkg",
        "L(top)",
        "window",
        "median",
        "f_bkg",
        "QCD median",
    ):
        table.add_column(column, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(
            str(row.groomer),
            *(
                str(value)
                for score in (row.w, row.top)
                for value in (score.loss, score.window, score.median, score.f_bkg)
            ),
            f"{row.qcd_median:.1f}",
        )
    _console().print(table)


@data_app.command("list")
def data_list() -> None:
    """List the datasets."""
    from rich.table import Table

    table = Table("id", "bundled splits (jets)", "description", title="Datasets")
    for name, spec in datasets.SPECS.items():
        splits = ", ".join(f"{split} ({one.jets})" for split, one in spec.bundled.items())
        table.add_row(name, splits or "none: generate it", spec.description)
    _console().print(table)


@data_app.command("generate")
def data_generate(
    dataset: Annotated[str, typer.Argument(help="Dataset id, e.g. jets/W-500GeV.")],
    size: Annotated[int, typer.Option(help="Number of jets.")],
    split: Annotated[str, typer.Option(help=f"One of {', '.join(SPLITS)}.")] = "train",
    level: Annotated[str, typer.Option(help="parton, hadron or truth.")] = "truth",
    seed: Annotated[int, typer.Option(help="Another seed gives other jets.")] = 0,
    workers: Annotated[int, typer.Option(help="Processes; the jets do not depend on it.")] = 1,
    scheduler: Annotated[
        str | None, typer.Option(help="Dask: tcp://host:port, slurm or htcondor.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="ROOT file; default in the cache folder.")
    ] = None,
    neutrinos: Annotated[bool, typer.Option(help="Count neutrinos as constituents.")] = True,
    pi0_decays: Annotated[bool, typer.Option(help="Let neutral pions decay.")] = False,
    b_decays: Annotated[bool, typer.Option(help="Let B hadrons decay.")] = False,
    nodes: Annotated[
        str, typer.Option(help="Columns of the tree: full, or topology (a third of the size).")
    ] = "full",
    container: Annotated[str, typer.Option(help="ttree or rntuple.")] = "ttree",
) -> None:
    """Generate jets with Pythia 8 and FastJet into a ROOT file.

    Interrupt it when you like: the same command goes on where it stopped.

    Example:  hepgym data generate jets/W-500GeV --split train --size 500000 --workers 2
    """
    import dataclasses

    from .datasets.jets.production import Sample, produce

    _choice("nodes", nodes, ("full", "topology"))
    _choice("container", container, ("ttree", "rntuple"))
    spec = datasets.spec(dataset)
    settings = dataclasses.replace(
        spec.settings,
        level=level,  # type: ignore[arg-type]  # GeneratorSettings checks it
        neutrinos=neutrinos,
        pi0_decays=pi0_decays,
        b_decays=b_decays,
    )
    sample = Sample(spec.id, settings, split, size, seed)
    file = output or spec.generated_file(settings, split, size, seed)
    with _progress("jets") as progress:
        bar = progress.add_task(f"{spec.id} {level} {split}", total=size)
        written = produce(
            sample,
            file,
            workers=workers,
            scheduler=scheduler,
            nodes=nodes,  # type: ignore[arg-type]
            container=container,  # type: ignore[arg-type]
            progress=lambda ready, _: progress.update(bar, completed=ready),
        )
    print(f"{written.jets} jets, {written.bytes / 1e6:.1f} MB: {written.path}")
    print(f"content sha256 {written.sha256}")


@data_app.command("convert")
def data_convert(
    source: Annotated[Path, typer.Argument(help="JetsGame file, e.g. WW_500GeV.json.gz.")],
    output: Annotated[
        Path | None, typer.Option(help="ROOT file; default beside the source.")
    ] = None,
    limit: Annotated[int | None, typer.Option(help="Convert the first jets only.")] = None,
) -> None:
    """Convert a file of the public JetsGame data to ROOT, with clustering trees."""
    from rich.markup import escape

    from .datasets.jets import jetsgame

    name = source.name.removesuffix(".gz").removesuffix(".json")
    file = output or source.with_name(f"{name}.root")
    with _progress("jets") as progress:
        bar = progress.add_task(escape(source.name), total=limit)
        written = jetsgame.convert(
            source,
            file,
            limit=limit,
            progress=lambda done, _: progress.update(bar, completed=done),
        )
    print(f"{written.jets} jets, {written.bytes / 1e6:.1f} MB: {written.path}")


@board_app.command("rebuild")
def board_rebuild(
    output: Annotated[
        Path | None, typer.Option(help="Folder of boards; default the one that is shipped.")
    ] = None,
) -> None:
    """Play every task with its classical groomers and write the entries of its board."""
    from .agents.jet_grooming.baselines import rebuild
    from .leaderboards.board import SHIPPED_BOARDS

    with _progress() as progress:
        bar = progress.add_task("playing", total=None)
        entries = rebuild(
            output or SHIPPED_BOARDS,
            lambda done, total: progress.update(bar, completed=done, total=total),
        )
    print(f"{len(entries)} entries in {output or SHIPPED_BOARDS}")


@board_app.command("verify")
def board_verify(task: TaskId) -> None:
    """Recompute the score of every entry of a board from its stored predictions."""
    from .leaderboards.board import Board
    from .leaderboards.tasks import load_test_data

    board = Board(task)
    data = load_test_data(board.task)
    for entry in board.entries():
        board.recompute(entry, data)
        print(f"{entry.id}: {entry.recomputed[board.task.primary]} recomputed")


@plot_app.command("masses")
def plot_masses(
    folder: Folder,
    output: Annotated[Path, typer.Option(help="png, pdf or svg.")] = Path("mass-spectra.png"),
) -> None:
    """Draw the groomed mass spectra of signal and background with the signal window."""
    from .leaderboards.figures.jet_grooming import save_mass_spectra
    from .leaderboards.submission import read_submission

    print(f"figure: {save_mass_spectra(read_submission(folder), output)}")


@plot_app.command("lund")
def plot_lund(
    folder: Folder,
    role: Annotated[str, typer.Option(help="signal or background.")] = "signal",
    output: Annotated[Path, typer.Option(help="png, pdf or svg.")] = Path("lund-planes.png"),
) -> None:
    """Draw the primary Lund plane before and after grooming."""
    from .leaderboards.figures.jet_grooming import save_lund_planes
    from .leaderboards.submission import read_submission

    _choice("role", role, ("signal", "background"))
    print(f"figure: {save_lund_planes(read_submission(folder), role, output)}")


def _groomer(task: str, agent: str, settings: list[str] | None, model: Path | None) -> Groomer:
    """Make a groomer from its parameters, or load a trained one from its folder."""
    from .agents.jet_grooming import make_groomer

    if agent != "dqn":
        if model:
            raise ValueError(f"--model is for the agent dqn, not for {agent}")
        return make_groomer(agent, **_parsed(settings))
    if settings:
        raise ValueError("--set is for untrained agents: a model brings its settings")
    from .agents.jet_grooming.dqn import DQNGroomer, reference_models

    return DQNGroomer.load(model or reference_models(task)[0])


def _show_score(task: Task, metrics: Any, title: str, best: Entry | None) -> None:
    from rich.markup import escape
    from rich.table import Table

    table = Table("metric", escape(title), "68 % interval", title=f"{task.id}: {task.title}")
    if best:
        table.add_column(f"best on the board: {escape(best.label)}")
    for name, value in metrics.items():
        row = [name, str(value), f"[{value.low68:.4g}, {value.high68:.4g}]"]
        if best:
            row.append(str(best.recomputed[name]))
        table.add_row(*row, style="bold" if name == task.primary else None)
    _console().print(table)


def _show_board(task: Task, entries: list[Entry]) -> None:
    from rich.markup import escape
    from rich.table import Table

    table = Table("#", "agent", title=f"{task.id}: {task.title} ({task.direction})")
    metrics = ("loss", "window", "median", "f_bkg", "narrowest_loss")
    for name in metrics:
        table.add_column(name, justify="right", no_wrap=True)
    for name in ("trust", "added"):
        table.add_column(name)
    for place, entry in enumerate(entries, start=1):
        table.add_row(
            str(place),
            escape(entry.label) + ("" if entry.in_game else " (outside the game)"),
            *(str(entry.recomputed[name]) for name in metrics),
            entry.trust,
            f"{entry.added:%Y-%m-%d}",
        )
    _console().print(table)


def _parsed(settings: list[str] | None) -> dict[str, Any]:
    """Parameters from NAME=VALUE; a value that is not JSON is a string."""
    parsed: dict[str, Any] = {}
    for setting in settings or []:
        name, equals, value = setting.partition("=")
        if not equals or not name:
            raise ValueError(f"--set {setting!r} is not of the form NAME=VALUE")
        try:
            parsed[name] = json.loads(value)
        except json.JSONDecodeError:
            parsed[name] = value
    return parsed


def _choice(option: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f"--{option} {value!r} is none of {', '.join(choices)}")


def _console() -> Any:
    from rich.console import Console

    # Tables go into files and pipes as they go to a wide terminal.
    return Console(width=None if sys.stdout.isatty() else 160, emoji=False)


def _progress(unit: str = "") -> Progress:
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns: list[Any] = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()]
    if unit:
        columns.append(_rate_column(unit))
    return Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=_stderr())


def _stderr() -> Any:
    from rich.console import Console

    return Console(stderr=True)


def _rate_column(unit: str) -> Any:
    """Column with the rate of a progress bar."""
    from rich.progress import ProgressColumn
    from rich.text import Text

    class RateColumn(ProgressColumn):
        def render(self, task: Any) -> Text:
            return Text(f"{task.speed:.0f} {unit}/s" if task.speed else f"- {unit}/s")

    return RateColumn()
