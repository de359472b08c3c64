"""Boards out and in: folder for git, static site, backup and restoration."""

from __future__ import annotations

import json
import shutil
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest

from hepgym.leaderboards.board import BoardError
from hepgym.leaderboards.service import commands
from hepgym.leaderboards.service.archives.packing import pack
from hepgym.leaderboards.service.service import open_service
from hepgym.leaderboards.service.settings import ServiceSettings
from hepgym.leaderboards.service.storage import handing_in, queue
from hepgym.leaderboards.service.storage.accounts import Account
from hepgym.leaderboards.service.storage.backup import BackupError
from hepgym.leaderboards.service.storage.tables import Table
from hepgym.leaderboards.service.workers.loop import Stop, work

TASK = "JetGrooming-v0"


@pytest.fixture
def settings(tmp_path) -> ServiceSettings:
    return ServiceSettings(folder=tmp_path / "service", shipped=False, rerun=False, draw=False)


@pytest.fixture
def filled(settings, write, tmp_path) -> ServiceSettings:
    """A service with one entry, one submission that waits, and an account."""
    commands.create_token(settings, "maria", "submitter", label="laptop")
    service = open_service(settings)
    account = Account(1, "maria", "submitter")
    log = tmp_path / "training.jsonl"
    log.write_text("".join(f'{{"step": {n}, "loss": {5 - n}}}\n' for n in range(3)))
    archive = tmp_path / "archive"
    for seed in (1, 2):
        archive.write_bytes(pack(write(seed), [log]))
        handing_in.hand_in(service.database, settings, archive, account)
        if seed == 1:
            work(settings, stop=Stop(), until_empty=True)
    service.database.close()
    return settings


def tree(folder: Path) -> dict[str, bytes]:
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def rows(settings) -> dict[str, list]:
    service = open_service(settings, synchronise=False)
    with service.database.read() as session:
        found = {
            table.name: sorted(map(repr, session.execute(table.select()).all()))
            for table in Table.metadata.sorted_tables
            if table.name != "revision"
        }
    service.database.close()
    return found


def test_boards_go_round(filled, tmp_path):
    entries, pages = commands.export(filled, tmp_path / "git", None)
    assert (entries, pages) == (1, 0)
    names = {Path(name).parts[1] for name in tree(tmp_path / "git")}
    assert {"attachments", "checks", "predictions"} < names
    other = ServiceSettings(folder=tmp_path / "other", shipped=False)
    assert commands.import_folder(other, tmp_path / "git") == 1
    commands.export(other, tmp_path / "again", None)
    assert tree(tmp_path / "again") == tree(tmp_path / "git")
    # Importing again adds nothing.
    assert commands.import_folder(other, tmp_path / "git") == 0


@pytest.mark.slow
def test_an_altered_board_is_not_imported(filled, tmp_path):
    commands.export(filled, tmp_path / "git", None)
    (entry,) = (tmp_path / "git" / TASK).glob("*.json")
    content = json.loads(entry.read_text())
    content["recomputed"]["loss"]["value"] -= 1.0
    entry.write_text(json.dumps(content))
    other = ServiceSettings(folder=tmp_path / "other", shipped=False)
    with pytest.raises(BoardError, match="predictions give"):
        commands.import_folder(other, tmp_path / "git")
    content["agent"] = "<b>"
    entry.write_text(json.dumps(content))
    with pytest.raises(BoardError, match="may not contain"):
        commands.import_folder(other, tmp_path / "git")
    shutil.rmtree(tmp_path / "git" / TASK)
    with pytest.raises(BoardError, match="holds no board"):
        commands.import_folder(other, tmp_path / "git")


class _Links(HTMLParser):
    def __init__(self):
        super().__init__()
        self.targets: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.targets += [value for name, value in attributes if name in ("href", "src")]


def test_the_static_site_is_whole(filled, tmp_path):
    service = open_service(filled)
    (row,) = service.views.table(TASK)
    with service.database.write() as session:
        queue.enqueue(session, "draw", f"{TASK}/{row.entry.id}")
    service.database.close()
    work(filled, stop=Stop(), until_empty=True)
    site = tmp_path / "site"
    _, pages = commands.export(filled.model_copy(update={"shipped": True}), None, site)
    files = sorted(site.rglob("*.html"))
    assert len(files) == pages
    missing = set()
    for file in files:
        page = _Links()
        page.feed(file.read_text())
        assert not page.tags & {"script", "form", "iframe"}
        for target in page.targets:
            if not target.startswith("#") and not (file.parent / unquote(target)).is_file():
                missing.add((file.name, target))
    assert not missing
    text = (site / "tasks" / TASK / f"{row.entry.id}.html").read_text()
    assert "<svg" in text
    assert "mass-spectra.png" in text


@pytest.mark.parametrize(
    "database_url",
    ["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)],
    indirect=True,
)
def test_backup_and_restoration(filled, tmp_path, database_url):
    """From SQLite into either database (slow); what waited for its score still does."""
    counts = commands.back_up(filled, tmp_path / "backup.tar")
    assert counts["submissions"] == 2
    other = ServiceSettings(
        folder=tmp_path / "restored",
        shipped=False,
        rerun=False,
        draw=False,
        database=database_url.replace("service.db", "restored.db"),
    )
    commands.restore(other, tmp_path / "backup.tar")
    before, after = rows(filled), rows(other)
    for name in ("users", "tokens", "submissions", "entries"):
        assert after[name] == before[name], name
    for name in ("boards", "uploads"):
        assert tree(other.folder / name) == tree(filled.folder / name)
    # It works: the waiting submission gets its score, new rows get new numbers.
    work(other, stop=Stop(), until_empty=True)
    assert len(list((other.boards / TASK).glob("*.json"))) == 2
    number, _ = commands.create_token(other, "new", "reader")
    assert number == 2
    with pytest.raises(BackupError, match="is not empty"):
        commands.restore(other, tmp_path / "backup.tar")


@pytest.mark.parametrize("content", [b"", b"no archive", b"x" * 20_000])
def test_no_backup(tmp_path, content):
    file = tmp_path / "backup.tar"
    file.write_bytes(content)
    with pytest.raises(BackupError, match="cannot be restored"):
        commands.restore(ServiceSettings(folder=tmp_path / "new"), file)


def test_the_index_follows_the_folder(filled):
    """The folder is the truth: what is deleted there is gone from the index."""
    (entry,) = (filled.boards / TASK).glob("*.json")
    entry.unlink()
    service = open_service(filled)
    assert service.views.table(TASK) == []
    service.database.close()
