"""The examples run."""

from __future__ import annotations

import importlib.util
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
