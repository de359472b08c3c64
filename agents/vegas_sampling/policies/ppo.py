"""Train a network by proximal policy optimisation (PPO, arXiv:1707.06347).

Stable-Baselines3 does the learning (the extra ``sb3``); the trained network is exported to a
`NetworkPolicy`, which needs NumPy only. The network first imitates a geometric schedule, so that
no time is lost on learning that iterations should grow.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ....envs.vegas_sampling.actions import action_space
from ....envs.vegas_sampling.setup import Observation, checked_budget
from ....envs.vegas_sampling.vector_env import VegasSamplingVectorEnv
from ...whole_files import whole_file, write_whole
from .base import Policy
from .evaluation import Evaluation, evaluate_policy, mean_difference
from .features import LARGEST, NAMES, features
from .imitation import demonstrations
from .network import NetworkPolicy
from .schedules import Vegas

if TYPE_CHECKING:
    from stable_baselines3 import PPO

Progress = Callable[[int, dict[str, float]], None]
"""Called after each round with the steps so far and what the log says."""


@dataclass(frozen=True)
class TrainingSettings:
    """Settings of a training.

    Attributes
    ----------
    budget
        Calls of the integrand in a game.
    steps
        Environment steps in all.
    games
        Games played side by side.
    steps_per_round
        Steps of each game between two updates.
    batch, epochs
        Samples in a gradient step, and passes through a round's samples.
    learning_rate
        At the start; it falls linearly to zero.
    clip, gae_lambda
        PPO's clipping range and the lambda of generalised advantage estimation.
    log_spread
        Logarithm of the standard deviation of the actions at the start.
    width
        Neurons in each of two hidden layers.
    imitation_steps
        Gradient steps of imitating the schedule.
    validation_every
        Rounds between two validations; the network with the best one is kept.
    validation_games
        Games of a validation, on the split "validation"; what counts is the mean difference to
        VEGAS's scores, see `evaluation.mean_difference`.
    seed
        Non-negative integer.
    """

    budget: int = 200_000
    steps: int = 100_000
    games: int = 96
    steps_per_round: int = 32
    batch: int = 512
    epochs: int = 8
    learning_rate: float = 3e-4
    clip: float = 0.2
    gae_lambda: float = 0.95
    log_spread: float = -1.6
    width: int = 64
    imitation_steps: int = 4000
    validation_every: int = 4
    validation_games: int = 100
    seed: int = 1

    def __post_init__(self) -> None:
        checked_budget(self.budget)
        for name in ("steps", "games", "steps_per_round", "batch", "epochs", "width"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} = {getattr(self, name)} is less than 1")
        if self.validation_every < 1 or self.validation_games < 2:
            raise ValueError("validation_every must be at least 1 and validation_games at least 2")
        if self.seed < 0 or self.imitation_steps < 0:
            raise ValueError("seed and imitation_steps must not be negative")

    @property
    def round_size(self) -> int:
        """Environment steps between two updates."""
        return self.games * self.steps_per_round


STRAYING = 0.1
"""Standard deviation of the actions around the schedule's while it is imitated."""


def train(
    settings: TrainingSettings, folder: str | PathLike[str], *, progress: Progress | None = None
) -> NetworkPolicy:
    """Train, or go on with a training that was interrupted.

    Parameters
    ----------
    settings
        Settings of the training.
    folder
        Gets ``checkpoint.pt`` (plain tensors, after each validation), ``log.jsonl`` and
        ``ppo.npz``, the network with the best validation so far. A training with the same
        settings that it holds is continued; games after an interruption are drawn anew.
    progress
        Called after each round.

    Returns
    -------
    NetworkPolicy
        The network with the best validation.

    Raises
    ------
    ValueError
        If the folder holds a training with other settings.
    ImportError
        If Stable-Baselines3 is not installed.
    """
    try:
        import torch
    except ImportError as error:
        raise ImportError(
            "this training needs Stable-Baselines3: pip install hepgym[sb3]"
        ) from error

    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    record = _Record(target, settings)
    scores: list[float] = []
    model = _model(settings, record.done, scores)
    if record.done:
        state = torch.load(target / "checkpoint.pt", weights_only=True)
        model.policy.load_state_dict(state["policy"])
        model.policy.optimizer.load_state_dict(state["optimizer"])
    else:
        _imitate(model, settings)
        record.validate(model, 0, {})
    rounds = -(-settings.steps // settings.round_size)
    for number in range(record.done + 1, rounds + 1):
        start = time.perf_counter()
        model.learning_rate = settings.learning_rate * (1.0 - (number - 1) / rounds)
        model._setup_lr_schedule()
        scores.clear()
        model.learn(settings.round_size, reset_num_timesteps=number == record.done + 1)
        steps = number * settings.round_size
        numbers = {
            "steps": steps,
            "score": float(np.mean(scores or [np.nan])),
            "spread": float(model.policy.log_std.detach().exp().mean()),
            "steps_per_second": settings.round_size / (time.perf_counter() - start),
        }
        if number % settings.validation_every == 0 or number == rounds:
            record.validate(model, number, numbers)
        record.log(numbers)
        if progress is not None:
            progress(steps, numbers)
    return NetworkPolicy.load(target / "ppo.npz")


class _Record:
    """What a training leaves in its folder."""

    def __init__(self, folder: Path, settings: TrainingSettings) -> None:
        self.folder, self.settings = folder, settings
        self.done, self.best = 0, np.inf
        self._usual: Evaluation | None = None
        path = folder / "training.json"
        if path.exists():
            try:
                state = json.loads(path.read_text())
                stored = TrainingSettings(**state["settings"])
                self.done, self.best = int(state["rounds"]), float(state["best"])
            except (ValueError, TypeError, KeyError) as error:
                raise ValueError(f"{path} is not the state of a training: {error}") from None
            if stored != settings:
                raise ValueError(
                    f"{path} is the state of a training with other settings: choose another folder"
                )

    def validate(self, model: PPO, rounds: int, numbers: dict[str, float]) -> None:
        import torch

        policy = export(model, self.settings)
        result = self._play(policy)
        if self._usual is None:
            self._usual = self._play(Vegas())
        difference = mean_difference(result.games, self._usual.games)
        numbers["validation_median"] = result.median.value
        numbers["validation_difference"] = difference
        if difference < self.best:
            self.best = difference
            policy.save(self.folder / "ppo.npz")
        with whole_file(self.folder / "checkpoint.pt") as part:
            torch.save(
                {
                    "policy": model.policy.state_dict(),
                    "optimizer": model.policy.optimizer.state_dict(),
                },
                part,
            )
        state = {
            "settings": dataclasses.asdict(self.settings), "rounds": rounds, "best": self.best
        }  # fmt: skip
        write_whole(self.folder / "training.json", json.dumps(state))

    def _play(self, policy: Policy) -> Evaluation:
        return evaluate_policy(
            policy,
            budget=self.settings.budget,
            episodes=self.settings.validation_games,
            split="validation",
        )

    def log(self, numbers: dict[str, float]) -> None:
        with (self.folder / "log.jsonl").open("a") as file:
            file.write(json.dumps(numbers) + "\n")


def export(model: PPO, settings: TrainingSettings) -> NetworkPolicy:
    """Take the network out of a model of Stable-Baselines3."""

    def arrays(layer: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        weights, biases = layer.weight.detach().numpy(), layer.bias.detach().numpy()
        return weights.T.astype(np.float64), biases.astype(np.float64)

    hidden = [layer for layer in model.policy.mlp_extractor.policy_net if hasattr(layer, "weight")]
    layers = [arrays(layer) for layer in (*hidden, model.policy.action_net)]
    return NetworkPolicy(layers, {"method": "ppo", **dataclasses.asdict(settings)})


def _model(settings: TrainingSettings, rounds_done: int, scores: list[float]) -> PPO:
    from stable_baselines3 import PPO

    seed = int(np.random.default_rng([settings.seed, rounds_done]).integers(2**31))
    envs = VegasSamplingVectorEnv(settings.games, "SameStep", budget=settings.budget)
    return PPO(
        "MlpPolicy",
        _adapter(envs, seed, scores),
        learning_rate=settings.learning_rate,
        n_steps=settings.steps_per_round,
        batch_size=settings.batch,
        n_epochs=settings.epochs,
        gamma=1.0,
        gae_lambda=settings.gae_lambda,
        clip_range=settings.clip,
        policy_kwargs={
            "net_arch": [settings.width, settings.width],
            "log_std_init": settings.log_spread,
        },
        seed=settings.seed,
        device="cpu",
    )


def _imitate(model: PPO, settings: TrainingSettings) -> None:
    """Fit the network to the schedule's actions."""
    import torch

    inputs, targets = demonstrations(settings.seed, settings.budget, STRAYING)
    random = np.random.default_rng(settings.seed)
    x, y = torch.as_tensor(inputs), torch.as_tensor(targets)
    network = torch.nn.Sequential(model.policy.mlp_extractor.policy_net, model.policy.action_net)
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-3)
    for _ in range(settings.imitation_steps):
        some = torch.as_tensor(random.integers(len(x), size=512))
        loss = ((network(x[some]) - y[some]) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def _adapter(envs: VegasSamplingVectorEnv, seed: int, scores: list[float]) -> Any:
    """Give the vector environment, seen through features, the interface of Stable-Baselines3.

    Final scores are appended to ``scores``.
    """
    import gymnasium
    from stable_baselines3.common.vec_env import VecEnv

    space = gymnasium.spaces.Box(-LARGEST, LARGEST, (len(NAMES),))

    class Adapter(VecEnv):
        def __init__(self) -> None:
            self._first_seed: int | None = seed
            super().__init__(envs.num_envs, space, action_space())

        def reset(self) -> NDArray[np.float32]:
            observation, _ = envs.reset(seed=self._first_seed)
            self._first_seed = None
            return features(observation)

        def step_async(self, actions: NDArray[np.float32]) -> None:
            self._actions = actions

        def step_wait(self) -> Any:
            observation, reward, ended, _, info = envs.step(self._actions)
            infos: list[dict[str, Any]] = [{} for _ in ended]
            if ended.any():
                last: Observation = info["final_obs"]
                terminal = features(last)
                for game in np.flatnonzero(ended):
                    infos[game] = {"terminal_observation": terminal[game]}
                scores.extend(info["final_info"]["score"][ended].tolist())
            return features(observation), reward.astype(np.float32), ended, infos

        def close(self) -> None:
            envs.close()

        def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
            return [getattr(envs, attr_name)] * len(self._games(indices))

        def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
            raise NotImplementedError("the games share their attributes")

        def env_method(self, method_name: str, *a: Any, indices: Any = None, **k: Any) -> Any:
            raise NotImplementedError("there are no single environments")

        def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
            return [False] * len(self._games(indices))

        def _games(self, indices: Any) -> Sequence[int]:
            return range(envs.num_envs) if indices is None else list(self._get_indices(indices))

    return Adapter()
