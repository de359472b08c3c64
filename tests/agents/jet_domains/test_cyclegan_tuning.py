"""The search space that comes with hepgym, and a scan of one tiny training."""

from pathlib import Path

import pytest
import yaml

from hepgym.agents.jet_domains.cyclegan import CycleGAN
from hepgym.agents.jet_domains.settings import CycleGANSettings, reference_settings
from hepgym.agents.tuning import read_space, tune
from hepgym.leaderboards.scores.jet_domains import evaluate, translations
from hepgym.leaderboards.tasks import load_test_data, task

TASK = task("JetDomains-QCD2W-v0")
TINY = {
    "agent": "cyclegan",
    "algorithm": "random",
    "fixed": {"epochs": 1, "images_per_epoch": 32, "batch_size": 16, "discriminator_filters": 2},
    "parameters": {"generator_filters": {"distribution": "choice", "values": [1, 2]}},
}


def test_shipped_space():
    """Every setting is one of CycleGAN's, and the published values lie inside."""
    space = read_space("cyclegan")
    published = CycleGANSettings().as_dict()
    for name, one in space.searched.items():
        value = published[name]
        inside = value in one.values if hasattr(one, "values") else one.low <= value <= one.high
        assert inside, name
    assert all(published[name] == value for name, value in space.fixed.items())


def test_small_scan_of_the_examples():
    """It is about the reference settings, but for length and calibration."""
    space = read_space(Path(__file__).parents[3] / "examples" / "cyclegan_small_scan.yaml")
    reference = reference_settings().as_dict()
    CycleGANSettings.from_dict(space.fixed)
    other = {name for name, value in space.fixed.items() if reference[name] != value}
    assert other == {"epochs", "images_per_epoch"}
    for name, one in space.searched.items():
        assert one.low <= reference[name] <= one.high, name


@pytest.mark.slow
def test_scan(tmp_path):
    """Slow: a training and all test images.

    The loss is the CycleJet loss on validation images; the model that the scan names has it.
    """
    (tmp_path / "space.yaml").write_text(yaml.safe_dump(TINY))
    best = tune(TASK, read_space(tmp_path / "space.yaml"), tmp_path / "scan", evals=1).best
    assert best is not None
    folder = best.command.split()[-1]
    assert best.command.startswith("hepgym run JetDomains-QCD2W-v0 --agent cyclegan --model ")
    data = load_test_data(TASK.model_copy(update={"split": "validation"}))
    model = CycleGAN.load(tmp_path.__class__(folder))
    made = translations(data["domains"].images, model.a_to_b, model.b_to_a)
    metrics = evaluate("translations", made, data, resamples=2).metrics()
    assert best.loss == pytest.approx(metrics["cyclejet"].value, rel=1e-4)


def test_other_tasks_are_refused(tmp_path):
    (tmp_path / "space.yaml").write_text(yaml.safe_dump(TINY))
    scan = tune(
        task("JetGrooming-v0"), read_space(tmp_path / "space.yaml"), tmp_path / "scan", evals=1
    )
    assert scan.best is None
    assert "it does not play JetGrooming-v0" in scan.trials[0].error
