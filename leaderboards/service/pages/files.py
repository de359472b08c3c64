"""What lies beside entries and datasets, read for their pages."""

from __future__ import annotations

import re
from pathlib import Path

from ....datasets import DatasetError, spec
from ...board import Entry
from ...tasks import TASKS, Task
from ...untrusted import SubmissionError
from ..archives.attachments import training_log
from ..archives.contents import TRAINING_LOG
from ..boards import Boards
from ..views import read_curves
from .rendering import EntryFiles

_FIGURE = re.compile(r"[A-Za-z0-9_-]{1,80}\.png")


def entry_files(boards: Boards, drawn: Path, entry: Entry) -> EntryFiles:
    """Find what was drawn of an entry and what came with it."""
    subject = f"{entry.task}/{entry.id}"
    attached = boards.attachments(entry.task, entry.id)
    attachments = sorted(file.name for file in attached.iterdir()) if attached.is_dir() else []
    training = []
    if TRAINING_LOG in attachments:
        try:
            training = training_log((attached / TRAINING_LOG).read_bytes())
        except SubmissionError:
            training = []
    figures = [file.name for file in sorted((drawn / subject).glob("*.png"))]
    return EntryFiles(read_curves(drawn, subject), figures, training, attachments)


def figure_file(drawn: Path, task: str, entry: str, name: str) -> Path | None:
    """Find a figure; None if there is none of that name."""
    file = drawn / task / entry / name
    return file if _FIGURE.fullmatch(name) and file.is_file() else None


def dataset_facts(dataset_id: str) -> list[tuple[str, str]]:
    """Tell what is known of a dataset: splits with their hashes, settings of the generator.

    Raises
    ------
    ValueError
        If no task uses such a dataset.
    """
    if not tasks_with(dataset_id):
        raise ValueError(f"no task uses a dataset {dataset_id[:100]!r}")
    try:
        found = spec(dataset_id)
    except DatasetError:
        # Not every dataset is in the catalogue of jets; its own page of the docs describes it.
        return []
    facts = [("description", found.description)]
    facts += [
        (f"{name} split", f"{split.jets} jets, SHA-256 {split.sha256}")
        for name, split in found.bundled.items()
    ]
    return [*facts, ("Pythia", "; ".join(found.settings.pythia_commands()))]


def tasks_with(dataset_id: str) -> list[Task]:
    """Tasks that use a dataset."""
    return [task for task in TASKS.values() if dataset_id in task.datasets.values()]
