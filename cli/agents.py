"""Commands about agents: list, import, export."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .app import agents_app
from .display import console


@agents_app.command("import-groomrl")
def agents_import_groomrl(
    architecture: Annotated[Path, typer.Argument(help="The published model's .json.")],
    weights: Annotated[Path, typer.Argument(help="Its weights, .h5 (Keras 2).")],
    output: Annotated[Path, typer.Option(help="Folder for the model.")],
    task: Annotated[str, typer.Option(help="Task it was trained for.")] = "JetGrooming-v0",
) -> None:
    """Import a published GroomRL model; nothing in its files is executed."""
    from ..agents.jet_grooming.dqn import import_groomrl

    import_groomrl(architecture, weights, task=task).save(output)
    print(f"model: {output}; play: hepgym run {task} --agent dqn --model {output}")


@agents_app.command("import-cyclejet")
def agents_import_cyclejet(
    folder: Annotated[
        Path, typer.Argument(help="With generatorAB.h5, generatorBA.h5 and the runcard.")
    ],
    output: Annotated[Path, typer.Option(help="Folder for the model.")],
    task: Annotated[
        str, typer.Option(help="Task whose train images the preprocessing is learnt from.")
    ] = "JetDomains-QCD2W-v0",
) -> None:
    """Import published CycleJet generators (Keras 2); nothing in their files is executed."""
    from ..agents.jet_domains.published import import_cyclejet
    from ..leaderboards.scores.jet_domains import TRAIN_IMAGES, load_images
    from ..leaderboards.tasks import task as find_task

    own = find_task(task)
    if own.score != "jet_domains":
        raise ValueError(f"{task} does not translate between domains of jets")
    import_cyclejet(folder, load_images(own.datasets, "train", TRAIN_IMAGES)).save(output)
    print(f"model: {output}; play: hepgym run {task} --agent cyclegan --model {output}")


@agents_app.command("export-onnx")
def agents_export_onnx(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder of a dqn model.")],
    output: Annotated[Path, typer.Option(help="ONNX file.")] = Path("model.onnx"),
) -> None:
    """Write a model as ONNX (needs the extra onnx)."""
    from ..agents.jet_grooming.dqn import DQNGroomer, export_onnx

    print(f"ONNX: {export_onnx(DQNGroomer.load(folder), output)}")


@agents_app.command("list")
def agents_list() -> None:
    """List the reference agents and their parameters."""
    from rich.table import Table

    from ..agents.players import players

    for family in players():
        table = Table("agent", "parameters and defaults", "what it does", title=family.TITLE)
        for card in family.cards():
            parameters = ", ".join(f"{name}={value}" for name, value in card.parameters.items())
            table.add_row(card.name, parameters, card.summary)
        console().print(table)
