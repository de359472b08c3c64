"""Commands about datasets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .. import datasets
from ..datasets.jets.settings import SPLITS
from .app import data_app
from .display import console, progress_bar
from .options import Scheduler, Workers, choice


@data_app.command("list")
def data_list() -> None:
    """List the datasets."""
    from rich.table import Table

    table = Table("id", "bundled splits (jets)", "description", title="Datasets")
    for name, spec in datasets.SPECS.items():
        splits = ", ".join(f"{split} ({one.jets})" for split, one in spec.bundled.items())
        table.add_row(name, splits or "none: generate it", spec.description)
    console().print(table)


@data_app.command("generate")
def data_generate(
    dataset: Annotated[str, typer.Argument(help="Dataset id, e.g. jets/W-500GeV.")],
    size: Annotated[int, typer.Option(help="Number of jets.")],
    split: Annotated[str, typer.Option(help=f"One of {', '.join(SPLITS)}.")] = "train",
    level: Annotated[str, typer.Option(help="parton, hadron, truth or detector.")] = "truth",
    seed: Annotated[int, typer.Option(help="Another seed gives other jets.")] = 0,
    workers: Workers = 1,
    scheduler: Scheduler = None,
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

    from ..datasets.jets.production import Sample, produce

    choice("nodes", nodes, ("full", "topology"))
    choice("container", container, ("ttree", "rntuple"))
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
    with progress_bar("jets") as progress:
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

    from ..datasets.jets import jetsgame

    name = source.name.removesuffix(".gz").removesuffix(".json")
    file = output or source.with_name(f"{name}.root")
    with progress_bar("jets") as progress:
        bar = progress.add_task(escape(source.name), total=limit)
        written = jetsgame.convert(
            source,
            file,
            limit=limit,
            progress=lambda done, _: progress.update(bar, completed=done),
        )
    print(f"{written.jets} jets, {written.bytes / 1e6:.1f} MB: {written.path}")
