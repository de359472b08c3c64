"""Steps per second of the grooming environments, against their limit and a plain implementation.

Run on one core:  taskset -c 0 python benchmarks/jet_grooming.py
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numba
import numpy as np
from object_tree import ObjectTreeEnv

from hepgym.agents.jet_grooming import make_groomer
from hepgym.datasets import load_trees
from hepgym.envs.jet_grooming.env import JetGroomingEnv
from hepgym.envs.jet_grooming.vector_env import JetGroomingVectorEnv

JETS = "jets/W-500GeV-v1", "jets/QCD-500GeV-v1"


def rate(play: Callable[[], int], repeats: int) -> tuple[float, float, float]:
    """Minimum, median and maximum of steps per second over some repeats, after a warm-up."""
    for _ in range(5):
        # Jets are prepared when they are first played: let most of them have been.
        play()
    rates = []
    for _ in range(repeats):
        start = time.perf_counter()
        steps = play()
        rates.append(steps / (time.perf_counter() - start))
    return min(rates), float(np.median(rates)), max(rates)


def vector(num_envs: int, steps: int, mode: str) -> Callable[[], int]:
    envs = JetGroomingVectorEnv(num_envs, mode, split="train")
    envs.reset(seed=0)
    actions = np.random.default_rng(0).integers(0, 2, (steps, num_envs))

    def play() -> int:
        for action in actions:
            envs.step(action)
        return actions.size

    return play


def single(steps: int) -> Callable[[], int]:
    env = JetGroomingEnv(split="train")
    env.reset(seed=0)
    actions = np.random.default_rng(0).integers(0, 2, steps).tolist()

    def play() -> int:
        for action in actions:
            if env.step(action)[2]:
                env.reset()
        return steps

    return play


def object_tree(jets: int) -> Callable[[], int]:
    """Play plainly; the time includes building the tree of each jet, as published."""
    trees = load_trees(JETS[0], split="train").select(slice(0, jets))
    constituents = [
        trees.constituents[a:b].tolist()
        for a, b in zip(trees.offsets[:-1], trees.offsets[1:], strict=True)
    ]
    actions = np.random.default_rng(0).integers(0, 2, 1_000_000).tolist()
    env = ObjectTreeEnv()

    def play() -> int:
        steps = 0
        for jet in constituents:
            env.reset(jet, signal=True)
            terminated = False
            while not terminated:
                terminated = env.step(actions[steps])[2]
                steps += 1
        return steps

    return play


@numba.njit(cache=True)
def _fetch(softer, state, shaping, rows, observation, reward):  # type: ignore[no-untyped-def]
    for env in range(len(rows)):
        row = rows[env]
        for c in range(5):
            observation[env, c] = state[row, c]
        reward[env] = shaping[row, 0] + softer[row, 3]
        rows[env] = row + 1 if row + 1 < len(state) else 0


def memory_limit(num_envs: int, steps: int) -> Callable[[], int]:
    """Nothing but fetching each game's next node and writing observation and reward."""
    table = JetGroomingVectorEnv(1, split="train").game.table
    rows = np.random.default_rng(0).integers(0, len(table.state), num_envs)

    def play() -> int:
        for _ in range(steps):
            observation, reward = np.empty((num_envs, 5), np.float32), np.empty(num_envs)
            _fetch(table.softer, table.state, table.shaping, rows, observation, reward)
        return steps * num_envs

    return play


def seconds_for_grooming(jets: int) -> tuple[float, float, float]:
    """Seconds to groom ``jets`` W jets by Recursive Soft Drop, the jets being in memory."""
    trees = load_trees(JETS[0], split="test")
    trees = trees.select(np.arange(jets) % len(trees))
    _ = trees.states, trees.softer_momenta, trees.jet_momenta
    groomer = make_groomer("recursive-soft-drop")
    groomer.groom(trees.select(slice(0, 10)))
    times = []
    for _ in range(5):
        start = time.perf_counter()
        groomer.groom(trees)
        times.append(time.perf_counter() - start)
    return min(times), float(np.median(times)), max(times)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    rows = {
        "vector, 4096 jets, NextStep": rate(vector(4096, 200, "NextStep"), repeats),
        "vector, 4096 jets, SameStep": rate(vector(4096, 200, "SameStep"), repeats),
        "memory limit, 4096 jets": rate(memory_limit(4096, 200), repeats),
        "single": rate(single(50_000), repeats),
        "object trees": rate(object_tree(100), repeats),
    }
    print(f"{'steps/s':30s} {'min':>12s} {'median':>12s} {'max':>12s}")
    for name, values in rows.items():
        print(f"{name:30s} " + " ".join(f"{v:12,.0f}" for v in values))
    plain = rows["object trees"][1]
    for name in ("vector, 4096 jets, NextStep", "single"):
        print(f"{name} / object trees: {rows[name][1] / plain:,.0f}")
    low, median, high = seconds_for_grooming(50_000)
    print(f"RSD on 50,000 jets: {median:.3f} s ({low:.3f} to {high:.3f})")


if __name__ == "__main__":
    main()
