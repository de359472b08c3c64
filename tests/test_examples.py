"""The examples run."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

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
    """One short trial on few points, then the same call again, which finds it."""
    spec = importlib.util.spec_from_file_location("overfitting", EXAMPLES / "pdf_overfitting.py")
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    call = ["--trials=1", "--epochs=20", "--replicas=1", "--thin=8", f"--output={tmp_path}"]
    # So short a fit is nowhere near positivity.
    with pytest.raises(SystemExit, match="no trial met positivity and integrability"):
        example.main(call)
    assert capsys.readouterr().out.startswith("trial 0: validation")
    (written,) = tmp_path.glob("trial_*.json")
    trial = json.loads(written.read_text())
    assert trial["k_fold"] == pytest.approx(sum(trial["folds"]) / 3)
    written.write_text(json.dumps(trial | {"acceptable": True}))
    example.main(call)
    assert "chosen by k_fold: trial 0" in capsys.readouterr().out
    assert (tmp_path / "overfitting.png").stat().st_size > 10_000
