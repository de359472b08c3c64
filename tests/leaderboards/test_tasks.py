import pytest
from pydantic import ValidationError

from hepgym.datasets import DatasetError, catalogue
from hepgym.datasets.jets import jet_files
from hepgym.leaderboards import tasks
from hepgym.leaderboards.tasks import TASKS, Task, score_module, task


@pytest.mark.parametrize(
    ("task_id", "signal", "target"),
    [
        ("JetGrooming-v0", "jets/W-500GeV-v1", 80.385),
        ("JetGroomingTop-v0", "jets/top-500GeV-v1", 173.2),
    ],
)
def test_published_settings(task_id, signal, target):
    found = task(task_id)
    assert found.datasets == {"signal": signal, "background": "jets/QCD-500GeV-v1"}
    assert found.split == "test"
    assert found.parameters == {"mass_target": target}
    assert found.direction == "lower is better"


@pytest.mark.parametrize("entry", TASKS.values(), ids=TASKS.keys())
def test_every_task_is_complete(entry):
    assert TASKS[entry.id] is entry
    module = score_module(entry)
    assert module.PREDICTION_KINDS
    assert set(module.PREDICTION_KINDS.values()) <= {True, False}
    assert callable(module.evaluate)


def test_unknown_task():
    with pytest.raises(ValueError, match=r"unknown task 'Jet-v9', known tasks: JetGrooming-v0, "):
        task("Jet-v9")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", "JetGrooming"),
        ("id", "../JetGrooming-v0"),
        ("datasets", {"signal": "jets/../secret"}),
        ("split", "all"),
        ("score", "os.path"),
        ("parameters", {"mass_target": float("nan")}),
        ("direction", "smaller"),
        ("colour", "red"),
    ],
)
def test_fields_are_validated(field, value):
    content = task("JetGrooming-v0").model_dump() | {field: value}
    with pytest.raises(ValidationError, match=field):
        Task(**content)


def test_frozen():
    with pytest.raises(ValidationError, match="frozen"):
        task("JetGrooming-v0").primary = "window"


def test_hashes_and_data_come_from_the_catalogue():
    top = task("JetGroomingTop-v0")
    hashes = tasks.dataset_hashes(top)
    assert hashes == {
        "signal": catalogue.spec("jets/top-500GeV-v1").sha256("test"),
        "background": catalogue.spec("jets/QCD-500GeV-v1").sha256("test"),
    }
    data = tasks.load_test_data(top)
    assert {role: jet_files.content_hash(trees) for role, trees in data.items()} == hashes
    assert {role: len(trees) for role, trees in data.items()} == dict.fromkeys(data, 10_000)


def test_data_that_are_not_the_official_ones_are_refused(monkeypatch):
    other = catalogue.BundledSplit(10_000, "0" * 64)
    spec = catalogue.spec("jets/W-500GeV-v1")
    monkeypatch.setitem(spec.bundled, "test", other)
    with pytest.raises(DatasetError, match="test split of jets/W-500GeV-v1 is not the official"):
        tasks.load_test_data(task("JetGrooming-v0"))
