"""Importing the package and playing a step loads nothing heavy."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = {
    "tensorflow",
    "keras",
    "tf_keras",
    "distributed",
    "dask",
    "pythia8mc",
    "fastjet",
    "matplotlib",
    "hyperopt",
    "rl",
    "pydantic",
    "typer",
}

PLAY = """
import gymnasium, hepgym
env = gymnasium.make("JetGrooming-v0")
env.reset(seed=0)
env.step(1)
"""


PAGES = """
import tempfile
from pathlib import Path
from hepgym.leaderboards.service.pages import rendering
from hepgym.leaderboards.service.pages.links import LiveLinks
from hepgym.leaderboards.service.service import open_service
from hepgym.leaderboards.service.settings import ServiceSettings
from hepgym.leaderboards.tasks import TASKS

with tempfile.TemporaryDirectory() as folder:
    with open_service(ServiceSettings(folder=Path(folder))) as service:
        for name, task in TASKS.items():
            assert rendering.task_page(LiveLinks(), task, service.views.table(name), None)
"""


def modules_after(code: str) -> set[str]:
    report = "\nimport sys, json; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code + report], capture_output=True, text=True, check=True
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize("code", ["import hepgym", PLAY], ids=["import", "play"])
def test_heavy_packages_are_not_imported(code):
    assert not HEAVY & modules_after(code)


def test_import_alone_reads_no_data():
    assert not {"awkward", "uproot", "numba"} & modules_after("import hepgym")


def test_command_help_is_light():
    code = "import sys; sys.argv = ['hepgym', '--version']\nimport hepgym.cli"
    assert not (HEAVY - {"typer"}) & modules_after(code)


def test_pages_of_boards_need_no_data():
    """The first reader of a page does not wait for libraries of jets and integrands."""
    light = HEAVY - {"pydantic", "typer"} | {"awkward", "uproot", "numba", "scipy", "torch"}
    assert not light & modules_after(PAGES)
