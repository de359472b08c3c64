"""How the shipped agents do on jets they were not trained on.

The agents trained on W and on top jets (truth level, 500 GeV), and Recursive Soft Drop, groom W,
top and QCD jets at other levels and transverse momenta. The samples are generated first, 3,000
jets each; --jets is for fewer at the other transverse momenta, which take longest:

    for process in W QCD top; do
        for level in parton hadron; do
            hepgym data generate jets/$process-500GeV --level $level --split test --size 3000
        done
        for pt in 200GeV 2TeV; do
            hepgym data generate jets/$process-$pt --split test --size 3000
        done
    done

Run:  python benchmarks/generalisation.py
"""

from __future__ import annotations

import argparse

import numpy as np

from hepgym.agents.jet_grooming import Groomer, make_groomer
from hepgym.agents.jet_grooming.trained import TRAINED, load_groomer, reference_models
from hepgym.datasets import load_trees
from hepgym.leaderboards.scores.jet_grooming import grooming_score

JETS = 3000
SAMPLES = [
    ("500GeV", "truth"),
    ("500GeV", "hadron"),
    ("500GeV", "parton"),
    ("200GeV", "truth"),
    ("2TeV", "truth"),
]
TARGETS = {"W": 80.385, "top": 173.2}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--jets", type=int, default=JETS, help="jets of a process at 200 GeV and 2 TeV"
    )
    few = parser.parse_args().jets
    agents: dict[str, Groomer] = {}
    for name in TRAINED:
        for task, process in (("JetGrooming-v0", "W"), ("JetGroomingTop-v0", "top")):
            # The best on the validation jets, if the agent comes with a model for the task.
            for folder in reference_models(task, name)[:1]:
                groomer = load_groomer(name, folder)
                agents[f"{groomer.symbol} trained on {process}"] = groomer
    agents["RSD(0.05, 1)"] = make_groomer("recursive-soft-drop")
    agents["plain"] = make_groomer("plain")
    print("| sample | agent | L(W) | window | median | L(top) | window | median | QCD median |")
    print("|---|---|---|---|---|---|---|---|---|")
    for momentum, level in SAMPLES:
        size = None if (momentum, level) == SAMPLES[0] else JETS if momentum == "500GeV" else few
        trees = {
            process: load_trees(
                f"jets/{process}-{momentum}-v1", split="test", level=level, size=size
            )
            for process in ("W", "top", "QCD")
        }
        for name, agent in agents.items():
            masses = {process: agent.groom(jets).mass for process, jets in trees.items()}
            row = [f"{momentum}, {level}", name]
            for process, target in TARGETS.items():
                score = grooming_score(masses[process], masses["QCD"], target)
                row += [str(score.loss), str(score.window), str(score.median)]
            row.append(f"{np.median(masses['QCD']):.1f}")
            print(f"| {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main()
