"""The examples run."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from hepgym.leaderboards.submission import read_submission, verify

EXAMPLES = Path(__file__).parent.parent / "examples"


@pytest.mark.skipif(
    importlib.util.find_spec("stable_baselines3") is None,
    reason="stable-baselines3 is not installed: pip install '.[sb3]'",
)
def test_stable_baselines3_trains_and_submits(tmp_path):
    done = subprocess.run(
        [
            sys.executable,
            EXAMPLES / "stable_baselines3_ppo.py",
            "--steps=512",
            "--envs=16",
            f"--output={tmp_path}",
        ],
        capture_output=True,
        text=True,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    submission = read_submission(tmp_path / "submission")
    assert submission.manifest.agent == "stable-baselines3-ppo"
    verify(submission)


def test_tuning_on_validation_against_tuning_on_folds(tmp_path, capsys):
    """Two short fits of few points, then the same call again, which finds them."""
    spec = importlib.util.spec_from_file_location("overfitting", EXAMPLES / "pdf_overfitting.py")
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    call = ["--epochs", "20", "40", "--replicas=1", "--thin=8", f"--output={tmp_path}"]
    example.main(call)
    first = capsys.readouterr().out
    assert first.startswith("20 epochs: training")
    assert (tmp_path / "overfitting.png").stat().st_size > 10_000
    written = sorted(tmp_path.glob("trial_*.json"))
    assert [file.name for file in written] == ["trial_0_1_8_20.json", "trial_0_1_8_40.json"]
    # The criteria are made to disagree: validation likes 20 epochs, folds like 40.
    short, long = (json.loads(file.read_text()) for file in written)
    for trial, liked in ((short, "validation"), (long, "left_out")):
        trial[liked] = np.zeros_like(trial[liked]).tolist()
        trial["test"] = [1.25 if trial is short else 1.0] * 4
        written[trial is long].write_text(json.dumps(trial))
    example.main(call)
    again = capsys.readouterr().out
    assert again.count("validation choose 20 epochs, chi2 1.250, folds choose 40 epochs") == 4
    assert "what the choice by validation costs: 0.250 +- 0.000" in again
    with pytest.raises(SystemExit):
        example.main(["--epochs", "20"])
    assert "give at least two different lengths" in capsys.readouterr().err
