"""The commands that a stranger types."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import httpx
import pytest
from typer.testing import CliRunner

from hepgym.cli import app

TASK = "JetGrooming-v0"


@pytest.fixture
def hepgym(tmp_path, monkeypatch):
    monkeypatch.setenv("HEPGYM_BOARD", str(tmp_path / "boards"))
    monkeypatch.delenv("HEPGYM_DATABASE", raising=False)

    def run(*arguments) -> str:
        done = CliRunner().invoke(app, [str(one) for one in arguments], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.output

    return run


def test_submit_and_look(hepgym, server, write):
    folder = write(500)
    shown = hepgym("submit", folder, "--server", server.url)
    assert f"of {TASK}: {server.url}/tasks/{TASK}/entries/cut-" in shown
    entries = json.loads(hepgym("leaderboard", TASK, "--server", server.url, "--json"))
    assert any(one["label"] == "Cut on z, seed 500" for one in entries)
    assert "Cut on z, seed 500" in hepgym("leaderboard", TASK, "--server", server.url)
    assert TASK in hepgym("leaderboard", "--server", server.url)


def test_serve_stops_in_order(tmp_path):
    environment = {**os.environ, "HEPGYM_BOARD": str(tmp_path / "boards")}
    command = [sys.executable, "-m", "hepgym", "serve", "--port", "0", "--workers", "0"]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
    ) as process:
        url = process.stdout.readline().split()[1]
        assert httpx.get(f"{url}/health").json()["status"] == "ok"
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
    assert (tmp_path / "service" / "service.db").is_file()


def test_tokens(hepgym):
    made = hepgym("board", "token", "create", "maria", "--role", "maintainer", "--label", "laptop")
    assert "hepgym_" in made
    assert "laptop" in hepgym("board", "token", "list")
    hepgym("board", "token", "revoke", "1")
    assert "revoked" in hepgym("board", "token", "list")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("leaderboard", "--server", "http://127.0.0.1:9"), "hepgym serve"),
        (("board", "token", "create", "m", "--role", "king"), "none of reader"),
        (("board", "export"), "name a FOLDER"),
        (("board", "refresh", "Chess-v0"), "unknown task"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(hepgym, arguments, sentence):
    with pytest.raises((ValueError, OSError), match=sentence):
        hepgym(*arguments)
