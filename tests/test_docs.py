"""Every code block in README and docs runs as it stands."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)

# What .ci/run runs itself: installing, the main job, lint, types and these tests.
INSTALLS = ("python3 -m venv", ".venv/bin/", "bash .ci/run")
# Commands that take minutes.
SLOW = ("hepgym board rebuild",)


def blocks(language: str) -> list:
    found = []
    for page in PAGES:
        for number, match in enumerate(BLOCK.finditer(page.read_text()), start=1):
            if match[1] == language:
                found.append(pytest.param(match[2], id=f"{page.name}-{number}"))
    return found


@pytest.fixture
def environment(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HEPGYM_BOARD", str(tmp_path / "boards"))
    monkeypatch.setenv("HEPGYM_DATA", str(tmp_path / "data"))


def run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ, check=False)
    assert done.returncode == 0, f"{shlex.join(command)}\n{done.stdout}\n{done.stderr}"


def test_every_block_has_a_known_language():
    languages = {match[1] for page in PAGES for match in BLOCK.finditer(page.read_text())}
    assert languages == {"python", "bash"}


@pytest.mark.parametrize("code", blocks("python"))
def test_python_block(code, environment):
    run([sys.executable, "-W", "error", "-c", code])


def commands(code: str) -> list[str]:
    lines = [line.partition(" #")[0].strip() for line in code.splitlines()]
    return [line for line in lines if line]


@pytest.mark.parametrize("code", blocks("bash"))
def test_bash_block(code, environment):
    for line in commands(code):
        if line.startswith((*INSTALLS, *SLOW)):
            continue
        program, *arguments = shlex.split(line)
        if program == "hepgym":
            run([sys.executable, "-m", "hepgym", *arguments])
        else:
            assert program == "python", f"unknown command {line!r}"
            script = ROOT / arguments[0]
            assert script.exists()
            run([sys.executable, str(script), "--help"])


@pytest.mark.slow
def test_slow_commands(environment):
    slow = [
        line
        for block in blocks("bash")
        for line in commands(block.values[0])
        if line.startswith(SLOW)
    ]
    assert slow
    for line in slow:
        run([sys.executable, "-m", *shlex.split(line)])


def test_readme_commands_are_those_of_ci():
    marks = re.findall(r"<!-- ([\w-]+) -->\n```bash\n(.+)\n```", (ROOT / "README.md").read_text())
    assert [name for name, _ in marks] == ["main-job", "tests"]
    assert all(command.startswith("python3 -m venv .venv && ") for _, command in marks)
    assert marks[1][1].endswith(" && .venv/bin/pytest -n auto")


def test_links_lead_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name}: {target}"
