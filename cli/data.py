"""Commands about datasets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .. import datasets
from ..datasets.jets.settings import SPLITS
from .app import data_app
from .display import console, progress_bar, progress_when_needed
from .options import Scheduler, Workers, choice


@data_app.command("list")
def data_list() -> None:
    """List the datasets."""
    from rich.table import Table

    from ..datasets import parton_distributions
    from ..datasets.integrands.suite import SUITES
    from ..datasets.unweighting import events

    table = Table("id", "bundled", "description", title="Datasets")
    for name, spec in datasets.SPECS.items():
        splits = ", ".join(f"{split} ({one.jets} jets)" for split, one in spec.bundled.items())
        table.add_row(name, splits or "none: generate it", spec.description)
    for name, fits in parton_distributions.SPECS.items():
        table.add_row(name, f"{fits.points} points", fits.description)
    splits = ", ".join(events.SPLITS)
    table.add_row(events.ID, splits, "weighted events gg -> ttgg with matrix elements")
    for name in SUITES:
        table.add_row(name, "yes", "integrands with known integrals")
    console().print(table)


@data_app.command("generate")
def data_generate(
    dataset: Annotated[str, typer.Argument(help="Dataset id, e.g. jets/W-500GeV.")],
    size: Annotated[int, typer.Option(help="Number of jets or events.")],
    split: Annotated[str, typer.Option(help=f"One of {', '.join(SPLITS)}.")] = "train",
    level: Annotated[
        str | None,
        typer.Option(help="parton, hadron, truth or detector; default that of the dataset."),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Another seed gives others; default that of the dataset.")
    ] = None,
    workers: Workers = 1,
    scheduler: Scheduler = None,
    output: Annotated[
        Path | None, typer.Option(help="File to write; default in the cache folder.")
    ] = None,
    neutrinos: Annotated[bool, typer.Option(help="Count neutrinos as constituents.")] = True,
    pi0_decays: Annotated[bool, typer.Option(help="Let neutral pions decay.")] = False,
    b_decays: Annotated[bool, typer.Option(help="Let B hadrons decay.")] = False,
    nodes: Annotated[
        str, typer.Option(help="Columns of the tree: full, or topology (a third of the size).")
    ] = "full",
    container: Annotated[str, typer.Option(help="ttree or rntuple.")] = "ttree",
) -> None:
    """Generate jets with Pythia 8 and FastJet into a ROOT file, or events into an NPZ file.

    Interrupt it when you like: the same command goes on where it stopped. Events
    (events/gg-ttgg-1500GeV) know --size, --split, --seed, --workers, --scheduler and --output.

    Example:  hepgym data generate jets/W-500GeV --split train --size 500000 --workers 2
    """
    if dataset.startswith("events/"):
        _generate_events(dataset, size, split, seed or 0, workers, scheduler, output)
        return
    import dataclasses

    from ..datasets.jets.production import Sample, produce

    choice("nodes", nodes, ("full", "topology"))
    choice("container", container, ("ttree", "rntuple"))
    spec = datasets.spec(dataset)
    level = spec.settings.level if level is None else level
    seed = spec.seed if seed is None else seed
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


@data_app.command("build")
def data_build(
    dataset: Annotated[str, typer.Argument(help="pdf-dis.")],
    output: Annotated[Path, typer.Option(help="Folder for the files.")],
    only: Annotated[
        str | None, typer.Option(help="The long part for one set only, to spread the work.")
    ] = None,
) -> None:
    """Build data that come with hepgym from their sources (needs the extra pdf-build).

    pdf-dis: measurements of deep-inelastic scattering, tables that predict them, evolution.
    Interrupt it when you like: the same command goes on where it stopped.
    """
    if dataset != "pdf-dis":
        raise ValueError(f"there is nothing to build for {dataset!r}: only pdf-dis is built")
    from ..datasets.parton_distributions.builder.build import build

    with progress_when_needed() as progress:
        hashes = build(
            output, only=only, progress=lambda what, done, total: progress(done, total, what)
        )
    for name, digest in hashes.items():
        print(f"{output / name}: content sha256 {digest}")


@data_app.command("export")
def data_export(
    dataset: Annotated[
        str, typer.Argument(help="Id or file of data for PDF fits, e.g. what pdf-dis builds.")
    ],
    output: Annotated[Path, typer.Option(help="ROOT file.")],
) -> None:
    """Write data and tables of PDF fits as a ROOT file.

    Example:  hepgym data export parton_distributions/DIS-NLO-v1 --output dis.root
    """
    from ..datasets import parton_distributions
    from ..datasets.parton_distributions.files import write_root

    if output.suffix != ".root":
        raise ValueError(f"--output {output} does not end in .root")
    data = parton_distributions.load(dataset)
    write_root(output, data)
    print(f"{len(data)} points: {output}")


def _generate_events(
    dataset: str,
    size: int,
    split: str,
    seed: int,
    workers: int,
    scheduler: str | None,
    output: Path | None,
) -> None:
    from ..datasets import unweighting
    from ..datasets.unweighting.production import produce_events

    if dataset not in (unweighting.ID, unweighting.ID.rpartition("-v")[0]):
        raise ValueError(f"there is no dataset {dataset!r}; events are {unweighting.ID}")
    with progress_bar("events") as progress:
        bar = progress.add_task(f"{unweighting.ID} {split}", total=size)
        sample = produce_events(
            size,
            split=split,
            seed=seed,
            output=output,
            workers=workers,
            scheduler=scheduler,
            progress=lambda ready, _: progress.update(bar, completed=ready),
        )
    value, error = sample.cross_section()
    print(f"{len(sample)} events, cross section {value:.4g} +- {error:.2g} pb")
    print(f"content sha256 {sample.sha256()}")
