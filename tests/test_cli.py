"""The command `hepgym`: what each command does, and one sentence for each wrong input."""

from __future__ import annotations

import functools
import gzip
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import typing
from pathlib import Path

import numpy as np
import pytest

import hepgym
import hepgym.datasets
from hepgym.agents.jet_grooming import GROOMERS, baselines
from hepgym.cli import app, main
from hepgym.datasets.jets import jet_files
from hepgym.leaderboards.board import Board
from hepgym.leaderboards.submission import read_submission

TASK = "JetGrooming-v0"
# No default of any groomer, so that no shipped board has this entry.
Z_CUT = 0.0876


def commands(group, before=()):
    """All commands of the app, as the words that call them."""
    for one in group.registered_commands:
        yield [*before, one.name or one.callback.__name__]
    for one in group.registered_groups:
        yield from commands(one.typer_instance, (*before, one.name))


COMMANDS = list(commands(app))


class Result(typing.NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture(scope="module", autouse=True)
def official_data():
    """The official test sets are read once, not by every command."""
    with pytest.MonkeyPatch.context() as patch:
        load = functools.cache(hepgym.datasets.load_trees)
        patch.setattr(hepgym.datasets, "load_trees", load)
        yield


@pytest.fixture(autouse=True)
def own_folders(tmp_path, monkeypatch):
    """Boards, data and the working folder of a user who just arrived."""
    monkeypatch.setenv("HEPGYM_BOARD", str(tmp_path / "boards"))
    monkeypatch.setenv("HEPGYM_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("HEPGYM_DEBUG", raising=False)
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)


@pytest.fixture
def call(monkeypatch, capsys):
    """Run a command as the installed script does: status, standard output, standard error."""

    def call(*arguments) -> Result:
        monkeypatch.setattr(sys, "argv", ["hepgym", *map(str, arguments)])
        capsys.readouterr()
        code = 0
        message = ""
        try:
            main()
        except SystemExit as stop:
            # What the interpreter makes of an exit.
            code = stop.code if isinstance(stop.code, int) else 0 if stop.code is None else 1
            message = f"{stop.code}\n" if isinstance(stop.code, str) else ""
        out, err = capsys.readouterr()
        return Result(code, out, err + message)

    return call


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    """A submission of Soft Drop, made once by the command."""
    folder = tmp_path_factory.mktemp("played")
    done = subprocess.run(
        [
            *(sys.executable, "-W", "error", "-m", "hepgym", "run", TASK, "--agent", "soft-drop"),
            *("--set", f"z_cut={Z_CUT}", "--set", "beta=1", "--author", "Ada", "--author", "Emmy"),
            *("--output", str(folder)),
        ],
        capture_output=True,
        text=True,
        env={**os.environ, "HEPGYM_BOARD": str(folder / "boards")},
    )
    assert done.returncode == 0, done.stderr
    return folder, done


@pytest.fixture
def submission(played, tmp_path):
    """A copy of that submission to play with."""
    return shutil.copytree(played[0] / "submission", tmp_path / "submission")


@pytest.fixture
def two_groomers(monkeypatch):
    """Commands that play every groomer play two of them."""
    for name in list(GROOMERS):
        if name not in ("plain", "soft-drop"):
            monkeypatch.delitem(GROOMERS, name)
    monkeypatch.setattr(baselines, "_TUNED", {})


def edit(folder, **changes):
    path = folder / "submission.json"
    content = json.loads(path.read_text())
    content.update(changes)
    path.write_text(json.dumps(content))


def files(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def assert_refused(result, message):
    """One sentence on standard error, nothing else, and a status that scripts notice."""
    assert result.code == 1
    assert "Traceback" not in result.out + result.err
    *progress, error = result.err.splitlines()
    assert error.startswith("error: ")
    assert re.search(message, error), error
    # Only a progress bar may stand above it.
    assert not [line for line in progress if "error" in line.lower()]


# --- help


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help(call, command, flag):
    result = call(*command, flag)
    assert (result.code, result.err) == (0, "")
    assert re.search(rf"Usage: .*hepgym {' '.join(command)} ", result.out)
    assert len(result.out.splitlines()) > 5


def test_help_lists_every_command(call):
    assert len(COMMANDS) > 12
    for *group, name in COMMANDS:
        assert re.search(rf"│ {name} ", call(*group, "--help").out)


def test_nothing_asked_for_is_a_question_for_help(call):
    assert "Commands" in call().out


def test_version(call):
    assert call("--version") == (0, f"hepgym {hepgym.__version__}\n", "")


# --- run


def test_run(played):
    """Score beside the board's best, submission, figures, and where they are."""
    folder, done = played
    assert done.stderr == ""
    manifest = read_submission(folder / "submission").manifest
    assert manifest.agent == "soft-drop"
    assert manifest.hyperparameters == {"z_cut": Z_CUT, "beta": 1.0}
    assert manifest.authors == ("Ada", "Emmy")
    loss = manifest.claimed["loss"]
    assert f"│ loss             │ {loss}" in done.stdout
    assert f"[{loss.low68:.4g}, {loss.high68:.4g}]" in done.stdout
    assert f"SD(z_cut={Z_CUT}, beta=1)" in done.stdout
    assert "groomed 20000 jets in " in done.stdout
    assert f"hand it in: hepgym submit {folder / 'submission'}" in done.stdout
    figures = re.findall(r"^figure: +(.*)$", done.stdout, flags=re.MULTILINE)
    assert len(figures) == 3
    for figure in figures:
        assert figure.startswith(str(folder / "figures"))
        assert Path(figure).read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    best = Board(TASK, folder / "boards").best()
    assert ("best on the board" in done.stdout) == (best is not None)


def test_run_again(call, played, tmp_path, monkeypatch):
    """The same agent replaces its own folder; another one only when told to."""
    monkeypatch.setattr("hepgym.agents.jet_grooming.playing.save_figures", lambda *_: [])
    again = ["run", TASK, "--agent", "soft-drop", "--set", f"z_cut={Z_CUT}", "--output", tmp_path]
    shutil.copytree(played[0] / "submission", tmp_path / "submission")
    assert call(*again).code == 0
    other = ["run", TASK, "--agent", "plain", "--output", tmp_path]
    before = files(tmp_path / "submission")
    assert_refused(call(*other), "holds another submission: choose another folder or allow to")
    assert files(tmp_path / "submission") == before
    result = call(*other, "--overwrite")
    assert result.code == 0
    assert read_submission(tmp_path / "submission").manifest.agent == "plain"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["Go-v0", "--agent", "plain"], "unknown task 'Go-v0', known tasks: JetGrooming-v0"),
        ([TASK, "--agent", "alphago"], "there is no groomer 'alphago'; choose one of plain, "),
        ([TASK, "--agent", "soft-drop", "--set", "z_cut"], "--set 'z_cut' is not of the form NAME"),
        ([TASK, "--agent", "soft-drop", "--set", "=1"], "--set '=1' is not of the form NAME=VALUE"),
        ([TASK, "--agent", "soft-drop", "--set", "zcut=1"], "soft-drop has no parameter 'zcut'"),
        ([TASK, "--agent", "soft-drop", "--set", "z_cut=-1"], "z_cut is -1 but must be a number"),
        ([TASK, "--agent", "soft-drop", "--set", "z_cut=NaN"], "z_cut is nan but must be"),
        ([TASK, "--agent", "soft-drop", "--set", "z_cut=high"], "z_cut is 'high' but must be"),
        ([TASK, "--agent", "soft-drop", "--set", "z_cut=[1]"], r"z_cut is \[1\] but must be"),
        ([TASK, "--agent", "plain", "--set", "z_cut=1"], "plain has no parameter 'z_cut'; it has"),
        ([TASK, "--agent", "plain", "--replicas", "3"], "plain has no parameter 'replicas'"),
        (
            [TASK, "--agent", "plain", "--replicas", "3", "--set", "replicas=4"],
            "replicas is given twice: take --replicas or --set replicas",
        ),
        (["PDFFit-v0", "--agent", "n3fit", "--replicas", "0"], "replicas is 0 but must be 1 or"),
        (["PDFFit-v0", "--agent", "n3fit", "--set", "replicas=2.5"], "replicas is 2.5 but must"),
        (["PDFFit-v0", "--agent", "n3fit", "--set", "folds=yes"], "folds is 'yes' but must be"),
        (["PDFFit-v0", "--agent", "n3fit", "--set", "lhapdf=../x"], "no name for an LHAPDF set"),
        (["PDFFit-v0", "--agent", "n3fit", "--set", "seed=a"], "seed is 'a' but must be a whole"),
        (["PDFClosure-v0", "--agent", "n3fit", "--set", "fits=0"], "fits is 0 but must be 1"),
        ([TASK, "--agent", "plain", "--model", "."], "--model is for the agents dqn, "),
        ([TASK, "--agent", "dqn", "--set", "gamma=1"], "a model brings its settings"),
        ([TASK, "--agent", "dqn", "--model", "nowhere"], "nowhere"),
        ([TASK, "--agent", "plain", "--author", ""], "submission.json: field 'authors"),
        ([TASK, "--agent", "plain", "--description", "\x1b[2J"], "holds the control character"),
    ],
)
def test_run_refuses(call, tmp_path, arguments, message):
    assert_refused(call("run", *arguments, "--output", tmp_path / "out"), message)
    assert not (tmp_path / "out" / "submission").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "Go-v0"], "unknown task 'Go-v0', known tasks: JetGrooming-v0"),
        (["train", TASK, "--agent", "plain"], "no agent 'plain' learns; choose one of dqn"),
        (["train", TASK, "--set", "seed"], "--set 'seed' is not of the form NAME=VALUE"),
        (["compare", "everything"], "unknown task 'everything', known tasks"),
        (["tune", TASK], "--agent or --space is missing"),
        (["tune", "Go-v0", "--agent", "soft-drop"], "unknown task 'Go-v0'|search space"),
        (["tune", TASK, "--space", "nowhere.yaml"], "nowhere.yaml"),
    ],
)
def test_training_and_tuning_refuse(call, tmp_path, arguments, message):
    assert_refused(call(*arguments), message)
    assert not list((tmp_path / "work").iterdir())


def test_run_into_a_folder_of_somebody_else(call, tmp_path):
    (tmp_path / "submission").mkdir()
    (tmp_path / "submission" / "thesis.tex").write_text("")
    result = call("run", TASK, "--agent", "plain", "--output", tmp_path, "--overwrite")
    assert_refused(result, "holds files that are no submission: choose another folder")
    assert (tmp_path / "submission" / "thesis.tex").exists()


def test_run_into_a_file(call, tmp_path):
    (tmp_path / "out").write_text("")
    assert_refused(call("run", TASK, "--agent", "plain", "--output", tmp_path / "out"), "out")


def test_markup_and_formulas_are_text(call, submission):
    """Square brackets, emoji codes and dollars of a description are shown as they are."""
    text = r"[red]my[/red] :b: $\nonsense$ [/] [link=x]"
    edit(submission, description=text, agent="[bold]agent[/bold]")
    assert text in call("evaluate", submission).out
    assert call("plot", "masses", submission, "--output", "m.png").code == 0
    assert call("plot", "lund", submission, "--output", "l.png").code == 0
    assert call("submit", submission).code == 0
    assert text in call("leaderboard", TASK).out
    edit(submission, description="", agent="[bold]agent[/bold]", seeds=[1])
    assert call("submit", submission).code == 0
    assert "[bold]agent[/bold]" in call("leaderboard", TASK).out


def test_long_descriptions_are_cut(call, submission):
    edit(submission, description=f"\n{'long ' * 1000}\nsecond line")
    out = call("evaluate", submission).out
    assert "long long" in out
    assert "second line" not in out
    assert max(map(len, out.splitlines())) <= 160
    assert call("plot", "masses", submission, "--output", "m.png").code == 0


# --- agents, evaluate, submit, leaderboard


def test_agents(call):
    result = call("agents", "list")
    assert result.code == 0
    for name in GROOMERS:
        assert f"│ {name} " in result.out
    assert "z_cut=0.1, beta=1.0" in result.out


def test_evaluate(call, submission):
    before = files(submission.parent)
    result = call("evaluate", submission)
    assert (result.code, result.err) == (0, "")
    assert str(read_submission(submission).manifest.claimed["loss"]) in result.out
    assert "the claims agree with the predictions" in result.out
    assert files(submission.parent) == before


def test_submit_twice_is_one_entry(call, submission):
    shipped = len(Board(TASK).entries())
    first, second = call("submit", submission), call("submit", submission)
    assert first == second
    assert first.code == 0
    entries = Board(TASK).entries()
    assert len(entries) == shipped + 1
    name = read_submission(submission).id
    place = [entry.id for entry in entries].index(name) + 1
    assert f"{name} is number {place} of {shipped + 1} on the board of {TASK}: loss = " in first.out


def test_leaderboard(call, submission):
    before = call("leaderboard", TASK).out
    assert f"SD(z_cut={Z_CUT}, beta=1)" not in before
    call("submit", submission)
    result = call("leaderboard", TASK)
    assert (result.code, result.err) == (0, "")
    (line,) = [line for line in result.out.splitlines() if f"SD(z_cut={Z_CUT}" in line]
    assert str(read_submission(submission).manifest.claimed["loss"]) in line
    assert "recomputed" in line
    places = re.findall(r"^│ +(\d+) +│", result.out, flags=re.MULTILINE)
    assert [int(place) for place in places] == list(range(1, len(Board(TASK).entries()) + 1))


def test_leaderboard_as_json(call, submission):
    call("submit", submission)
    entries = json.loads(call("leaderboard", TASK, "--json").out)
    losses = [entry["recomputed"]["loss"]["value"] for entry in entries]
    assert losses == sorted(losses)
    assert read_submission(submission).id in [entry["id"] for entry in entries]
    everything = json.loads(call("leaderboard", "--json").out)
    assert {entry["id"] for entry in everything} >= {entry["id"] for entry in entries}


def test_all_leaderboards(call, submission):
    call("submit", submission)
    result = call("leaderboard")
    assert result.code == 0
    for task in ("JetGrooming-v0", "JetGroomingTop-v0"):
        board = Board(task)
        (line,) = [line for line in result.out.splitlines() if f"│ {task} " in line]
        assert f"│ {len(board.entries())} " in line
        if board.best():
            assert board.best().label in line


def claim_more(folder):
    claimed = json.loads((folder / "submission.json").read_text())["claimed"]
    claimed["loss"]["value"] = 0.5
    edit(folder, claimed=claimed)


def claim_other_data(folder):
    datasets = json.loads((folder / "submission.json").read_text())["datasets"]
    datasets["signal"]["sha256"] = "0" * 64
    edit(folder, datasets=datasets)


def flip_a_bit(folder):
    path = folder / "predictions.npz"
    content = bytearray(path.read_bytes())
    content[1000] ^= 1
    path.write_bytes(content)


def remove_predictions(folder):
    (folder / "predictions.npz").unlink()


def empty_manifest(folder):
    (folder / "submission.json").write_text("")


def add_code(folder):
    (folder / "agent.py").write_text("import os")


@pytest.mark.parametrize("command", ["submit", "evaluate"])
@pytest.mark.parametrize(
    ("tamper", "message"),
    [
        (claim_more, r"'loss.value' is claimed to be 0.5, but the predictions give \d"),
        (claim_other_data, "'datasets.signal.sha256' is '000"),
        (flip_a_bit, "predictions.npz: its SHA-256 is"),
        (remove_predictions, "predictions.npz is missing"),
        (empty_manifest, "submission.json: is not JSON"),
        (add_code, "unexpected file 'agent.py'"),
        (shutil.rmtree, "is not a folder: a submission is a folder of data"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_tampered_submissions(call, submission, tmp_path, command, tamper, message):
    """Refused in one sentence, and the board stays as it was."""
    call("submit", submission)
    board, shown = files(tmp_path / "boards"), call("leaderboard", TASK)
    assert board
    tamper(submission)
    assert_refused(call(command, submission), message)
    assert files(tmp_path / "boards") == board
    assert call("leaderboard", TASK) == shown


def test_no_board_is_made_for_a_refusal(call, submission, tmp_path):
    claim_more(submission)
    assert_refused(call("submit", submission), "loss")
    assert not (tmp_path / "boards").exists()


def test_leaderboard_refuses(call, submission, tmp_path):
    assert_refused(call("leaderboard", "Go-v0"), "unknown task 'Go-v0'")
    call("submit", submission)
    (entry,) = (tmp_path / "boards" / TASK).glob("*.json")
    whole = entry.read_text()
    entry.write_text(whole[:500])
    assert_refused(call("leaderboard", TASK), f"damaged board entry {entry}")
    assert_refused(call("leaderboard", "--json"), "damaged board entry")
    entry.write_text(whole.replace('"recomputed"', '"guessed"'))
    assert_refused(call("leaderboard"), "damaged board entry")


# --- compare, board


def test_compare(call, two_groomers):
    result = call("compare")
    assert result.code == 0
    plain, soft_drop = (
        next(line for line in result.out.splitlines() if line.startswith(f"│ {name}"))
        for name in ("plain", "SD(z_cut=0.1")
    )
    numbers = [float(re.match(r"[\d.]+", cell.strip())[0]) for cell in plain.split("│")[2:-1]]
    # L, window, median, f_bkg of W and of top, and the QCD median, as in the published table
    expected = [39.5, 43.7, 104.5, 0.331, 26.2, 45.5, 188.1, 0.111]
    np.testing.assert_allclose(numbers[:8], expected, rtol=0.12)
    assert len(numbers) == 9
    assert plain != soft_drop
    assert "SD(" in result.err


def test_board_rebuild_and_verify(call, two_groomers, tmp_path, monkeypatch):
    monkeypatch.setattr("hepgym.agents.jet_grooming.baselines._TUNED", {})
    monkeypatch.setattr("hepgym.agents.jet_grooming.baselines.trained_agents", lambda task: [])
    folder = tmp_path / "rebuilt"
    grooming = ["--task", TASK, "--task", "JetGroomingTop-v0"]
    result = call("board", "rebuild", "--output", folder, *grooming)
    assert result.code == 0
    assert f"4 entries in {folder}" in result.out
    for task in (TASK, "JetGroomingTop-v0"):
        entries = Board(task, folder, shipped=None).entries()
        assert [entry.agent for entry in entries] == ["soft-drop", "plain"]
    before = files(folder)
    assert call("board", "rebuild", "--output", folder, *grooming).code == 0
    assert files(folder) == before

    monkeypatch.setenv("HEPGYM_BOARD", str(folder))
    monkeypatch.setattr("hepgym.leaderboards.board.Board.__init__", only_own_entries)
    result = call("board", "verify", TASK)
    assert result.code == 0
    assert result.out.count("recomputed") == 2
    path = folder / TASK / f"{entry_named('soft-drop', folder)}.json"
    path.write_text(path.read_text().replace('"value": ', '"value": 1', 1))
    content = json.loads(path.read_text())
    content["recomputed"]["loss"]["value"] /= 2
    path.write_text(json.dumps(content))
    result = call("board", "verify", TASK)
    assert_refused(result, r"'loss\.value' is claimed to be [\d.]+, but the predictions give")


def only_own_entries(board, task_id, folder=None, **_):
    original_init(board, task_id, folder, shipped=None)


original_init = Board.__init__


def entry_named(agent, folder):
    (name,) = [
        entry.id for entry in Board(TASK, folder, shipped=None).entries() if entry.agent == agent
    ]
    return name


def test_board_refuses(call, tmp_path):
    assert_refused(call("board", "verify", "Go-v0"), "unknown task 'Go-v0'")
    (tmp_path / "file").write_text("")
    assert_refused(call("board", "rebuild", "--output", tmp_path / "file"), "file")


def test_board_verify_without_predictions(call, submission, tmp_path):
    call("submit", submission)
    (predictions,) = (tmp_path / "boards" / TASK / "predictions").iterdir()
    predictions.unlink()
    assert_refused(call("board", "verify", TASK), "predictions/.* is missing from the board")


# --- plot


@pytest.mark.parametrize(
    ("arguments", "default"),
    [
        (["masses"], "mass-spectra.png"),
        (["lund"], "lund-planes.png"),
        (["lund", "--role", "background"], "lund-planes.png"),
    ],
)
def test_plot(call, submission, tmp_path, arguments, default):
    kind, *options = arguments
    result = call("plot", kind, submission, *options)
    assert result == (0, f"figure: {default}\n", "")
    assert (tmp_path / "work" / default).stat().st_size > 10_000


@pytest.mark.parametrize(("suffix", "magic"), [("pdf", b"%PDF"), ("svg", b"<?xml")])
def test_plot_formats(call, submission, suffix, magic):
    assert call("plot", "masses", submission, "--output", f"new/m.{suffix}").code == 0
    assert Path(f"new/m.{suffix}").read_bytes().startswith(magic)


@pytest.mark.parametrize("kind", ["masses", "lund"])
def test_plot_refuses(call, submission, tmp_path, kind):
    assert_refused(call("plot", kind, tmp_path / "nowhere"), "is not a folder")
    assert_refused(call("plot", kind, submission, "--output", "m.tiger"), "tiger")
    remove_predictions(submission)
    assert_refused(call("plot", kind, submission), "predictions.npz is missing")
    assert not list((tmp_path / "work").iterdir())


def test_plot_refuses_a_role(call, submission):
    result = call("plot", "lund", submission, "--role", "noise")
    assert_refused(result, "--role 'noise' is none of signal, background")


# --- data


def test_data_list(call):
    result = call("data", "list")
    assert result.code == 0
    for name in hepgym.datasets.SPECS:
        assert f"│ {name} " in result.out
    assert "test (10000 jets)" in result.out
    assert "none: generate it" in result.out


def test_data_generate(call, tmp_path):
    """A tiny sample goes where load finds it; all switches reach the generator."""
    sizes = ["--size", 4, "--level", "parton", "--split", "validation", "--seed", 2]
    result = call("data", "generate", "jets/W-500GeV", *sizes)
    assert result.code == 0
    file = tmp_path / "data/jets/W-500GeV-v1/parton-validation-4-seed2.root"
    trees = jet_files.read(file)
    megabytes = file.stat().st_size / 1e6
    digest = jet_files.content_hash(trees)
    assert result.out == f"4 jets, {megabytes:.1f} MB: {file}\ncontent sha256 {digest}\n"
    assert "jets/W-500GeV-v1 parton validation" in result.err
    assert "4/4" in result.err
    loaded = hepgym.datasets.load(
        "jets/W-500GeV", split="validation", level="parton", size=4, seed=2
    )
    assert len(loaded) == 4

    switches = ["--no-neutrinos", "--pi0-decays", "--b-decays"]
    formats = ["--nodes", "topology", "--container", "rntuple", "--output", "own.root"]
    result = call("data", "generate", "jets/W-500GeV", *sizes, *switches, *formats)
    assert result.code == 0
    settings = jet_files.read_metadata("own.root")["settings"]
    assert (settings["neutrinos"], settings["pi0_decays"], settings["b_decays"]) == (
        False,
        True,
        True,
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["jets/Z-500GeV"], "there is no dataset 'jets/Z-500GeV'"),
        (["jets/W-500GeV", "--level", "reco"], "level 'reco' is none of parton, hadron, truth"),
        (["jets/W-500GeV", "--split", "dev"], "split 'dev' is none of train, validation, test"),
        (["jets/W-500GeV", "--seed", "-1"], "seed -1 is outside 0 to 14999"),
        (["jets/W-500GeV", "--size", "0"], "a sample needs at least one jet, not size = 0"),
        (["jets/W-500GeV", "--size", "20000001"], "one seed makes at most 20000000 jets"),
        (["jets/W-500GeV", "--workers", "0"], "workers = 0 is less than 1"),
        (["jets/W-500GeV", "--nodes", "some"], "--nodes 'some' is none of full, topology"),
        (["jets/W-500GeV", "--container", "hdf5"], "--container 'hdf5' is none of ttree, rntuple"),
        (["jets/W-500GeV", "--scheduler", "pbs"], "scheduler 'pbs' is neither an address"),
        (["jets/W-500GeV", "--scheduler", "tcp://127.0.0.1:1"], "no Dask scheduler answers at"),
        (["jets/W-500GeV", "--output", "."], "is a folder: name a file to write"),
    ],
)
def test_data_generate_refuses(call, tmp_path, arguments, message):
    name, *options = arguments
    result = call("data", "generate", name, "--size", 3, "--level", "parton", *options)
    assert_refused(result, message)
    assert not list(tmp_path.rglob("*.root"))


def write_jetsgame(path, jets):
    with gzip.open(path, "wt") as file:
        file.write('"a header"\n')
        for momenta in jets:
            rows = [momenta.sum(axis=0), *momenta]
            keys = ("px", "py", "pz", "E")
            objects = [dict(zip(keys, map(float, row), strict=True)) for row in rows]
            file.write(json.dumps(objects) + "\n")


def test_data_convert(call, tmp_path, w_trees):
    """Into a file beside the source, or wherever told."""
    source = tmp_path / "WW_500GeV.json.gz"
    bounds = w_trees.offsets[:6]
    write_jetsgame(source, [w_trees.constituents[a:b] for a, b in itertools.pairwise(bounds)])
    result = call("data", "convert", source)
    assert result.code == 0
    output = tmp_path / "WW_500GeV.root"
    assert result.out.startswith("5 jets, ")
    assert result.out.endswith(f": {output}\n")
    trees = hepgym.datasets.load_trees(output)
    np.testing.assert_allclose(trees.jet_momenta, w_trees.jet_momenta[:5], rtol=1e-6)
    assert call("data", "convert", source, "--limit", 2, "--output", "two.root").code == 0
    assert len(hepgym.datasets.load_trees("two.root")) == 2


def test_data_convert_shows_names_as_they_are(call, tmp_path, w_trees):
    source = tmp_path / "[red]WW[x].json.gz"
    write_jetsgame(source, [w_trees.constituents[:10]])
    result = call("data", "convert", source)
    assert result.code == 0
    assert "[red]WW[x].json.gz" in result.err
    assert (tmp_path / "[red]WW[x].root").exists()


def test_data_convert_refuses(call, tmp_path, w_trees):
    good, bad = tmp_path / "good.json.gz", tmp_path / "bad.json.gz"
    write_jetsgame(good, [w_trees.constituents[:10]])
    assert_refused(call("data", "convert", tmp_path / "gone.json.gz"), "does not exist: check the")
    bad.write_text("[]")
    assert_refused(call("data", "convert", bad), "not gzip")
    bad.write_bytes(gzip.compress(b"{}\n"))
    assert_refused(call("data", "convert", bad), "line 1")
    assert_refused(call("data", "convert", good, "--limit", "0"), "limit = 0 must be at least 1")
    assert_refused(call("data", "convert", good, "--output", tmp_path), "folder")
    nowhere = tmp_path / "no" / "where.root"
    assert_refused(call("data", "convert", good, "--output", nowhere), "make the folder")
    assert not list(tmp_path.rglob("*.root"))


# --- the way out


@pytest.mark.parametrize(
    "arguments",
    [
        ["fly"],
        ["run"],
        ["run", TASK],
        ["run", TASK, "--agent"],
        ["agents", "all"],
        ["compare", TASK, TASK],
        ["compare", "--fast"],
        ["data", "list", "jets"],
        ["data", "generate", "jets/W-500GeV"],
        ["data", "generate", "jets/W-500GeV", "--size", "many"],
        ["board", "verify"],
        ["leaderboard", TASK, TASK],
    ],
    ids=" ".join,
)
def test_usage_errors(call, arguments):
    """Words that no command takes: one box with the reason, and status 2 as everywhere."""
    result = call(*arguments)
    assert result.code == 2
    assert result.out == ""
    assert result.err.count("─ Error ─") == 1
    assert "Traceback" not in result.err


def test_errors_as_the_shell_sees_them(tmp_path):
    """The real process: status 1, one line on standard error, nothing on standard output."""
    done = subprocess.run(
        [sys.executable, "-m", "hepgym", "evaluate", str(tmp_path / "nowhere")],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == (
        f"error: {str(tmp_path / 'nowhere')!r} is not a folder: a submission is a folder of data\n"
    )


def test_debugging_shows_the_traceback(call, monkeypatch, tmp_path):
    monkeypatch.setenv("HEPGYM_DEBUG", "1")
    with pytest.raises(ValueError, match="is not a folder"):
        call("evaluate", tmp_path / "nowhere")


def test_messages_are_one_line(call, monkeypatch):
    def fail(*_):
        raise OSError("first line\n  second line")

    monkeypatch.setattr("hepgym.leaderboards.untrusted.read_submission", fail, raising=False)
    monkeypatch.setattr("hepgym.leaderboards.submission.read_submission", fail)
    assert call("evaluate", ".").err == "error: first line second line\n"


def test_programming_errors_are_not_hidden(call, monkeypatch):
    def fail(*_):
        raise KeyError("bug")

    monkeypatch.setattr("hepgym.leaderboards.submission.read_submission", fail)
    with pytest.raises(KeyError):
        call("evaluate", ".")
