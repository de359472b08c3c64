"""Train an agent of Stable-Baselines3 on the grooming game and hand it in.

The environment is `gymnasium.make_vec("JetGrooming-v0")` as it is; Stable-Baselines3 has a vector
API of its own, which the adapter below speaks. Needs `pip install stable-baselines3`.

Run:  python examples/stable_baselines3_ppo.py --steps 500000 --output runs/ppo
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import VecEnv

import hepgym  # noqa: F401  (registers the environments)
from hepgym.agents.jet_grooming import PolicyGroomer
from hepgym.agents.jet_grooming.playing import run
from hepgym.leaderboards.tasks import task


class Adapter(VecEnv):
    """A Gymnasium vector environment as Stable-Baselines3 wants it."""

    def __init__(self, envs: gymnasium.vector.VectorEnv, seed: int) -> None:
        self.envs = envs
        self.first_seed: int | None = seed
        super().__init__(envs.num_envs, envs.single_observation_space, envs.single_action_space)

    def reset(self) -> np.ndarray:
        """Start new games everywhere."""
        observations, _ = self.envs.reset(seed=self.first_seed)
        self.first_seed = None
        return observations

    def step_async(self, actions: np.ndarray) -> None:
        """Remember the actions."""
        self.actions = actions

    def step_wait(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[dict[str, Any]]]:
        """Play them; games that end begin again in the same step."""
        observations, rewards, ended, truncated, info = self.envs.step(self.actions)
        infos: list[dict[str, Any]] = [{} for _ in ended]
        for game in np.flatnonzero(ended | truncated):
            infos[game] = {
                "terminal_observation": info["final_obs"][game],
                "TimeLimit.truncated": bool(truncated[game] and not ended[game]),
            }
        return observations, rewards.astype(np.float32), ended | truncated, infos

    def close(self) -> None:
        """Close the environments."""
        self.envs.close()

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """Return an attribute once for each game."""
        return [getattr(self.envs, attr_name)] * len(self._games(indices))

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Refuse: the games share everything."""
        raise NotImplementedError("the games of a native vector environment share their attributes")

    def env_method(self, method_name: str, *args: Any, indices: Any = None, **kwargs: Any) -> Any:
        """Refuse: there are no single environments."""
        raise NotImplementedError("a native vector environment has no single environments")

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        """Nothing is wrapped."""
        return [False] * len(self._games(indices))

    def _games(self, indices: Any) -> Sequence[int]:
        return range(self.num_envs)[:] if indices is None else list(self._get_indices(indices))


def main() -> None:
    """Train, play the test set, and write a submission."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=500_000, help="environment steps")
    parser.add_argument("--envs", type=int, default=64, help="games at a time")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", type=Path, default=Path("runs/ppo"))
    arguments = parser.parse_args()

    envs = gymnasium.make_vec(
        "JetGrooming-v0", num_envs=arguments.envs, split="train", autoreset_mode="SameStep"
    )
    hyperparameters = {"n_steps": 32, "batch_size": 512, "gamma": 0.99, "learning_rate": 3e-4}
    model = PPO(
        "MlpPolicy",
        Adapter(envs, arguments.seed),
        seed=arguments.seed,
        device="cpu",
        **hyperparameters,
    )
    model.learn(arguments.steps)
    groomer = PolicyGroomer(
        model,
        name="stable-baselines3-ppo",
        parameters={**hyperparameters, "steps": arguments.steps, "seed": arguments.seed},
    )
    play, _, figures = run(task("JetGrooming-v0"), groomer, arguments.output, overwrite=True)
    print(f"L = {play.score.loss} GeV; submission in {arguments.output / 'submission'}")
    for figure in figures:
        print(f"figure: {figure}")


if __name__ == "__main__":
    main()
