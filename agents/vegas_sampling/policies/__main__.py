"""Commands of the game of VEGAS: train policies, evaluate, limit, plot.

Run:  python -m hepgym.agents.vegas_sampling.policies evaluate vegas geometric linear ppo
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from ....envs.vegas_sampling.family import KINDS
from ....envs.vegas_sampling.game import BINS
from . import POLICIES, make_policy, parse_policy
from .evaluation import BUDGET, EPISODES, Evaluation, evaluate_policy
from .figures import learning_curve
from .learning import LEARNERS, learn
from .limit import find_limit

_COMMANDS = {"search": "linear", "train": "ppo", "train-grid": "grid-network"}


def main(arguments: list[str] | None = None) -> None:
    """Run a command."""
    parser = argparse.ArgumentParser(prog="python -m hepgym.agents.vegas_sampling.policies")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, policy in _COMMANDS.items():
        command = commands.add_parser(name, help=LEARNERS[policy].summary)
        command.add_argument("--output", type=Path, required=True, help="folder of the run")
        for setting, default in LEARNERS[policy].defaults().items():
            option = f"--{setting.replace('_', '-')}"
            command.add_argument(option, type=type(default), default=default, help="%(default)s")
    command = commands.add_parser("evaluate", help="play held-out integrands")
    command.add_argument(
        "policy",
        nargs="+",
        help=f"one of {', '.join(POLICIES)}; vegas:alpha=0.5 sets a parameter; a file of a "
        "trained policy (.json or .npz) takes its place",
    )
    command.add_argument("--budget", type=int, default=BUDGET, help="%(default)s")
    command.add_argument("--episodes", type=int, default=EPISODES, help="%(default)s")
    command.add_argument("--split", default="test", help="%(default)s")
    command.add_argument("--seed", type=int, default=0, help="%(default)s")
    command.add_argument("--output", type=Path, help="JSON file for the scores of all games")
    command = commands.add_parser("limit", help="the best grids there are, and games on them")
    command.add_argument("--budget", type=int, default=BUDGET, help="%(default)s")
    command.add_argument("--episodes", type=int, default=EPISODES, help="%(default)s")
    command.add_argument("--split", default="test", help="%(default)s")
    command.add_argument("--seed", type=int, default=0, help="%(default)s")
    command.add_argument("--bins", type=int, nargs="+", default=[BINS], help="%(default)s")
    command.add_argument("--iterations", type=int, nargs="+", default=[1], help="%(default)s")
    command.add_argument("--output", type=Path, help="JSON file for the integrands' deviations")
    command = commands.add_parser("plot", help="draw the learning curve of a search or training")
    command.add_argument("folder", type=Path, help="folder of the run")
    command.add_argument("--output", type=Path, required=True, help="picture to write")
    options = vars(parser.parse_args(arguments))
    name = options.pop("command")
    try:
        if name == "evaluate":
            _evaluate(**options)
        elif name == "limit":
            _limit(**options)
        elif name == "plot":
            learning_curve(options["folder"], options["output"])
        else:
            _learn(_COMMANDS[name], options.pop("output"), options)
    except (ValueError, OSError, ImportError) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("interrupted: the same command goes on from here")


def _learn(name: str, output: Path, values: dict[str, Any]) -> None:
    policy: Any = learn(name, output, values)
    print(f"policy: {output / LEARNERS[name].files[0]}")
    judged = {"budget": policy.origin["budget"], "split": "validation"}
    _table([evaluate_policy(one, **judged) for one in (make_policy("vegas"), policy)])


def _evaluate(
    policy: list[str], budget: int, episodes: int, split: str, seed: int, output: Path | None
) -> None:
    policies = [parse_policy(word) for word in policy]
    evaluations = []
    for each in policies:
        evaluations.append(
            evaluate_policy(each, budget=budget, episodes=episodes, split=split, seed=seed)
        )
        if output is not None:
            output.parent.mkdir(parents=True, exist_ok=True)
            output.write_text(json.dumps([_plain(e) for e in evaluations], indent=1) + "\n")
    _table(evaluations)


def _limit(
    budget: int,
    episodes: int,
    split: str,
    seed: int,
    bins: list[int],
    iterations: list[int],
    output: Path | None,
) -> None:
    rows = []
    for number in bins:
        found = find_limit(
            budget=budget,
            episodes=episodes,
            split=split,
            seed=seed,
            bins=number,
            iterations=iterations,
        )
        expected, spread = found.expected()
        kinds = "  ".join(f"{kind} {value:.3f}" for kind, value in found.by_kind().items())
        middle = np.median(np.log10(found.deviation))
        print(
            f"{number} bins: median of log10(deviation / mean) {middle:.3f} ({kinds}); "
            f"expected median score {expected:.3f} +- {spread:.3f}"
        )
        if found.played:
            _table(list(found.played.values()))
        columns = zip(found.kind.tolist(), found.dimension.tolist(), found.deviation.tolist(),
                      strict=True)  # fmt: skip
        rows += [
            {"bins": number, "integrand": i, "kind": KINDS[k], "dimension": d, "deviation": s}
            for i, (k, d, s) in enumerate(columns)
        ]
        if output is not None:
            output.parent.mkdir(parents=True, exist_ok=True)
            output.write_text(json.dumps(rows, indent=1) + "\n")


def _plain(evaluation: Evaluation) -> dict[str, Any]:
    content = dataclasses.asdict(evaluation)
    games = {name: getattr(evaluation.games, name).tolist() for name in content["games"]}
    return content | {"games": games}


def _table(evaluations: list[Evaluation]) -> None:
    """Print medians and differences to the first VEGAS, or else to the first policy."""
    first = evaluations[0]
    usual = next((e for e in evaluations if e.policy == "vegas" and e.parameters["alpha"] == 1.5),
                 first)  # fmt: skip
    print(
        f"{first.split} split, {len(first.games.score)} games, budget {first.budget:,}, seed "
        f"{first.seed}; median score, paired difference to {usual.policy}, 95 % intervals"
    )
    for e in evaluations:
        words = ",".join(f"{k}={v}" for k, v in e.parameters.items())
        m, d = e.median, e.difference(usual)
        kinds = "  ".join(f"{kind} {value:.2f}" for kind, value in e.by_kind().items())
        print(
            f"{e.policy + (f':{words}' if words else ''):58s} {m.value:6.3f} [{m.low95:.3f}, "
            f"{m.high95:.3f}]  {d.value:+.3f} [{d.low95:+.3f}, {d.high95:+.3f}]  "
            f"coverage {e.coverage():.2f}  iterations {e.games.iterations.mean():.1f}  {kinds}"
        )


if __name__ == "__main__":
    main()
