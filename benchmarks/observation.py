"""What a better observation is worth: the same agent, settings and seeds on two observations.

The policy gradient agent is trained with the observations "node" and "context" and grooms the
official test set. The difference of two agents with the same seed is taken resample by resample of
the same jets (paired bootstrap). Trainings are kept in --runs, and taken up from there.

Run:  python benchmarks/observation.py --task JetGroomingTop-v0 --seeds 1 2 3
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from hepgym.agents.jet_grooming import Groomer
from hepgym.agents.jet_grooming.policy_gradient import reference_settings, train
from hepgym.leaderboards.bootstrap import estimate
from hepgym.leaderboards.scores.jet_grooming import grooming_score, resampled_quantities
from hepgym.leaderboards.tasks import load_test_data, task

OBSERVATIONS = ("node", "context")


def masses(groomer: Groomer, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Groomed masses of the signal and background test jets of a task."""
    data = load_test_data(task(name))
    return groomer.groom(data["signal"]).mass, groomer.groom(data["background"]).mass


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--task", default="JetGroomingTop-v0")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--runs", type=Path, default=Path("runs/observation"))
    arguments = parser.parse_args()
    name = arguments.task
    target = task(name).parameters["mass_target"]
    print("| seed | observation | L | window | median | f_bkg | training |")
    print("|---|---|---|---|---|---|---|")
    losses: dict[str, list[float]] = {observation: [] for observation in OBSERVATIONS}
    differences = []
    for seed in arguments.seeds:
        resampled = {}
        for observation in OBSERVATIONS:
            folder = arguments.runs / f"{name}-{observation}-seed{seed}"
            settings = reference_settings(name, observation=observation, seed=seed)
            groomed = masses(train(settings, folder, progress=False), name)
            score = grooming_score(*groomed, target)
            losses[observation].append(score.loss.value)
            resampled[observation] = resampled_quantities(*groomed, target)["loss"]
            seconds = json.loads((folder / "summary.json").read_text())["seconds"]
            row = (score.loss, score.window, score.median, score.f_bkg, f"{seconds:.0f} s")
            print(f"| {seed} | {observation} | {' | '.join(map(str, row))} |", flush=True)
        change = losses["context"][-1] - losses["node"][-1]
        differences.append(
            f"seed {seed}: {estimate(change, resampled['context'] - resampled['node'])}"
        )
    for observation in OBSERVATIONS:
        print(f"median L with {observation}: {np.median(losses[observation]):.2f}")
    print(f"context - node: {'; '.join(differences)} GeV")


if __name__ == "__main__":
    main()
