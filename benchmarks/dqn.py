"""Speed of training: the native DQN against keras-rl2, and the time to reach Recursive Soft Drop.

All with the published network (10 layers of 100 units, dueling):

- keras-rl2 and the native agent with the published schedule, one environment and one gradient step
  with 32 transitions for each of its steps;
- the native agent with the reference settings' schedule: 100 environments, one gradient step with
  256 transitions for every 10 steps. It trains for --steps, and the time is noted at which its loss
  on the validation jets is first below that of RSD(0.05, 1).

Run:  python benchmarks/dqn.py --steps 500000
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

from hepgym.agents.jet_grooming import make_groomer
from hepgym.agents.jet_grooming.dqn import reference_settings, train
from hepgym.agents.jet_grooming.keras_rl import keras_rl_settings, train_keras_rl
from hepgym.datasets import load_trees
from hepgym.leaderboards.scores.jet_grooming import grooming_score
from hepgym.leaderboards.tasks import task

TASK = task("JetGrooming-v0")


def rsd_loss() -> float:
    """Loss of RSD(0.05, 1) on the validation jets."""
    rsd = make_groomer("recursive-soft-drop")
    masses = [
        rsd.groom(load_trees(name, split="validation")).mass for name in TASK.datasets.values()
    ]
    return grooming_score(*masses, TASK.parameters["mass_target"], resamples=2).loss.value


def summary(folder: Path) -> dict[str, float]:
    """Read what a training wrote about itself."""
    return json.loads((folder / "summary.json").read_text())


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=500_000)
    parser.add_argument("--short", type=int, default=5_000, help="steps of the published schedule")
    arguments = parser.parse_args()
    target = rsd_loss()
    reached: list[tuple[int, float]] = []
    with tempfile.TemporaryDirectory() as scratch:
        published = keras_rl_settings(steps=arguments.short, validate_every=arguments.short)
        old, same, fast = (Path(scratch) / name for name in ("keras-rl2", "same", "fast"))
        train_keras_rl(published, old, progress=False)
        train(published, same, progress=False)
        settings = reference_settings(
            layers=10,
            units=100,
            dropout=0.05,
            learning_rate=1e-3,
            final_learning_rate=1e-5,
            steps=arguments.steps,
            exploration_steps=arguments.steps // 2,
            seed=1,
        )
        start = time.perf_counter()

        def watch(step: int, numbers: dict[str, float]) -> None:
            if not reached and numbers.get("validation_loss", target) < target:
                reached.append((step, time.perf_counter() - start))

        train(settings, fast, progress=watch)
        print("agent                               steps/s  gradient steps/s  seconds")
        for name, folder in (
            ("keras-rl2, published schedule", old),
            ("native, published schedule", same),
            ("native, reference schedule", fast),
        ):
            found = summary(folder)
            seconds = found["seconds"]
            print(
                f"{name:32s} {found['environment_steps'] / seconds:10.0f}"
                f" {found['gradient_steps'] / seconds:17.0f} {seconds:8.0f}"
            )
        best = summary(fast)["best"]
    print(f"RSD(0.05, 1) on the validation jets: L = {target:.2f}")
    for step, seconds in reached:
        print(f"native agent below it after {step} steps and {seconds:.0f} s")
    print(f"best validation loss of the native agent: {best}")


if __name__ == "__main__":
    main()
