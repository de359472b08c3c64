"""Steps per second of the VEGAS environments, against what the integrals alone cost.

Seconds are those that the process has computed: nothing here uses more than one thread, and other
programs on the machine do not count.

The limit is what the calls cost if nothing else is done: random numbers and integrand, in blocks
that stay in the cache. "Kernel" adds map and sums, the work of an iteration.

Run on one core:  taskset -c 0 python benchmarks/vegas_env.py
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numba
import numpy as np

from hepgym.datasets.integrands.integrand import BLOCK
from hepgym.envs.vegas_sampling import family
from hepgym.envs.vegas_sampling.env import VegasSamplingEnv
from hepgym.envs.vegas_sampling.game import begin_many, new_episodes, play
from hepgym.envs.vegas_sampling.grid_env import VegasGridVectorEnv
from hepgym.envs.vegas_sampling.random import LANES, fill_uniform, seed_state
from hepgym.envs.vegas_sampling.vector_env import VegasSamplingVectorEnv

Work = Callable[[], tuple[int, int]]
"""Does some work and returns environment steps and calls of the integrand."""


def rate(work: Work, repeats: int) -> tuple[list[float], list[float]]:
    """Measure steps and calls per second: minimum, median, maximum over some repeats."""
    work()
    steps, calls = [], []
    for _ in range(repeats):
        start = time.process_time()
        done = work()
        seconds = time.process_time() - start
        steps.append(done[0] / seconds)
        calls.append(done[1] / seconds)
    return [[min(x), float(np.median(x)), max(x)] for x in (steps, calls)]


def vector(make: type[VegasSamplingVectorEnv], budget: int, games: int, steps: int) -> Work:
    """Play random actions; games that end begin again in the same step."""
    envs = make(games, "SameStep", budget=budget)
    envs.reset(seed=0)
    random = np.random.default_rng(0)
    actions = random.uniform(-1, 1, (steps, *envs.action_space.shape)).astype(np.float32)

    def work() -> tuple[int, int]:
        before = int((budget - envs.episodes.left).sum())
        ended = 0
        for action in actions:
            ended += int(envs.step(action)[2].sum())
        return games * steps, ended * budget + int((budget - envs.episodes.left).sum()) - before

    return work


def single(budget: int, steps: int) -> Work:
    env = VegasSamplingEnv(budget=budget)
    env.reset(seed=0)
    actions = np.random.default_rng(0).uniform(-1, 1, (steps, 3)).astype(np.float32)

    def work() -> tuple[int, int]:
        before, ended = budget - int(env.episodes.left[0]), 0
        for action in actions:
            if env.step(action)[2]:
                ended += 1
                env.reset()
        return steps, ended * budget + budget - int(env.episodes.left[0]) - before

    return work


def kernel(games: int, calls: int) -> Work:
    """One iteration in each game: random numbers, map, integrand, sums."""
    episodes = new_episodes(games)
    rows = np.arange(games)

    def work() -> tuple[int, int]:
        begin_many(episodes, rows, calls, 0, rows, rows)
        for row in range(games):
            play(episodes, row, calls, 0.0, True)
        return games, games * calls

    return work


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def _bare(parameters, calls):  # type: ignore[no-untyped-def]
    total = 0.0
    state = np.empty((4, LANES), np.uint64)
    values, work = np.empty(BLOCK), np.empty(BLOCK)
    for row in range(len(parameters)):
        dim = int(parameters[row, 1])
        x = np.empty(dim * BLOCK)
        seed_state(state, np.uint64(row), np.uint64(0))
        for _ in range(0, calls, BLOCK):
            fill_uniform(state, x)
            family.evaluate(parameters[row], x.reshape(dim, BLOCK), work, values)
            total += values[0]
    return total


def limit(games: int, calls: int) -> Work:
    """Nothing but random numbers and integrand, for the same integrands."""
    episodes = new_episodes(games)
    rows = np.arange(games)
    begin_many(episodes, rows, calls, 0, rows, rows)

    def work() -> tuple[int, int]:
        _bare(episodes.parameters, calls)
        return games, games * -(-calls // BLOCK) * BLOCK

    return work


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    rows: dict[str, Work] = {}
    for budget, steps in ((20_000, 40), (200_000, 8)):
        rows[f"VegasSampling-v0, 256 games, {budget:,}"] = vector(
            VegasSamplingVectorEnv, budget, 256, steps
        )
        rows[f"VegasGrid-v0, 256 games, {budget:,}"] = vector(
            VegasGridVectorEnv, budget, 256, steps
        )
        rows[f"VegasSampling-v0, single, {budget:,}"] = single(budget, 300)
    rows["kernel"] = kernel(256, 20_000)
    rows["limit: random numbers + integrand"] = limit(256, 20_000)
    print(f"{'':40s} {'steps/s: min':>12s} {'median':>9s} {'max':>9s} {'10^6 calls/s':>13s}")
    for name, work in rows.items():
        steps, calls = rate(work, repeats)
        shown = " ".join(f"{v:9,.0f}" for v in steps) if "games" in name or "single" in name else ""
        print(f"{name:40s}    {shown:29s} {calls[1] / 1e6:13.1f}")


if __name__ == "__main__":
    main()
