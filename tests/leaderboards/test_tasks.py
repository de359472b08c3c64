import sys
import types

import pytest
from pydantic import ValidationError

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


def test_hashes_and_data_come_from_the_datasets(monkeypatch):
    import hepgym.datasets

    catalogue = types.ModuleType("hepgym.datasets.catalogue")
    catalogue.spec = lambda dataset_id: types.SimpleNamespace(
        sha256=lambda split: f"{dataset_id} {split}"
    )
    monkeypatch.setitem(sys.modules, "hepgym.datasets.catalogue", catalogue)
    monkeypatch.setattr(hepgym.datasets, "catalogue", catalogue, raising=False)
    monkeypatch.setattr(
        hepgym.datasets, "load_trees", lambda name, split: (name, split), raising=False
    )
    top = task("JetGroomingTop-v0")
    assert tasks.dataset_hashes(top) == {
        "signal": "jets/top-500GeV-v1 test",
        "background": "jets/QCD-500GeV-v1 test",
    }
    assert tasks.load_test_data(top) == {
        "signal": ("jets/top-500GeV-v1", "test"),
        "background": ("jets/QCD-500GeV-v1", "test"),
    }
