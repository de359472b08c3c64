"""Train the network of `grid_network` on integrands whose weights are known without noise.

For the integrands of the training split the mean squared weight in each bin follows from a formula
(`hepgym.envs.vegas_sampling.optimum`). A network that gives the share p_b to bin b makes the next
grid's mean squared weight proportional to sum_b S_b / p_b, with the true squared weights S_b; that
is the loss, over its smallest value (sum_b sqrt(S_b))^2. Games are played by VEGAS first, then by
the network itself, so that it learns from the grids that it makes (S. Ross et al., AISTATS 2011).
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....backend import keras, tensorflow
from ....envs.vegas_sampling.actions import CELLS, physical
from ....envs.vegas_sampling.game import (
    BINS,
    begin_many,
    new_episodes,
    observe_many,
    play_many_grids,
)
from ....envs.vegas_sampling.optimum import bin_moments, squared
from ....envs.vegas_sampling.setup import NUMBERS, checked_budget, empty_observation
from ...whole_files import whole_file, write_whole
from .base import Policy
from .evaluation import Evaluation, evaluate_policy, mean_difference, play
from .grid_network import CHANNELS, DILATIONS, GridNetworkPolicy, Schedule, channels
from .schedules import Vegas, VegasOnGrid

Progress = Callable[[int, dict[str, float]], None]
"""Called after each round with its number and what the log says."""

SCHEDULES = tuple(
    Schedule(growth, iterations, warm_up)
    for growth, iterations, warm_up in (
        (1.2, 20, 5), (1.2, 16, 3), (1.5, 12, 4), (1.5, 10, 3), (2.0, 8, 3), (2.0, 7, 2),
        (2.5, 6, 2), (3.0, 5, 2), (4.0, 4, 1), (4.0, 5, 2),
    )
)  # fmt: skip
"""Schedules of calls that are tried after the training."""


@dataclass(frozen=True)
class GridTrainingSettings:
    """Settings of a training.

    Attributes
    ----------
    budget
        Calls of the integrand in a game; those of the training run from a quarter of it to four
        times as many.
    rounds
        Rounds of playing and learning.
    games
        Games of a round.
    steps, batch
        Gradient steps of a round, and axes in each.
    width
        Filters in each hidden layer.
    learning_rate
        At the start; it falls to zero by a cosine.
    validation_games
        Games of a validation after each round, on the split "validation".
    schedule_games
        Games that choose the schedule in the end, on the training split.
    seed
        Non-negative integer.
    """

    budget: int = 20_000
    rounds: int = 2
    games: int = 80
    steps: int = 200
    batch: int = 192
    width: int = 24
    learning_rate: float = 2e-3
    validation_games: int = 60
    schedule_games: int = 50
    seed: int = 1

    def __post_init__(self) -> None:
        checked_budget(self.budget)
        for name in ("rounds", "games", "steps", "batch", "width", "schedule_games"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} = {getattr(self, name)} is less than 1")
        if self.validation_games < 2 or self.seed < 0:
            raise ValueError("validation_games must be at least 2 and seed not negative")


def train(
    settings: GridTrainingSettings,
    folder: str | PathLike[str],
    *,
    progress: Progress | None = None,
) -> GridNetworkPolicy:
    """Train, or go on with a training that was interrupted.

    Parameters
    ----------
    settings
        Settings of the training.
    folder
        Gets ``grid-training.json`` and ``round.npz`` (state after each round), ``log.jsonl`` and
        at the end ``grid-network.npz``. A training with the same settings that it holds is
        continued.
    progress
        Called after each round.

    Returns
    -------
    GridNetworkPolicy

    Raises
    ------
    ValueError
        If the folder holds a training with other settings.
    """
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    done = _done(target / "grid-training.json", settings)
    network = _Network(settings)
    if done:
        network.restore(target / "round.npz")
    usual = None
    for number in range(done, settings.rounds):
        random = np.random.default_rng([settings.seed, number])
        seen, damped, truth = _lessons(settings, network.policy() if number else None, random)
        loss = network.learn(seen, damped, truth, number, random)
        if usual is None:
            usual = _judge(settings, Vegas())
        own = _judge(settings, network.policy())
        numbers = {
            "round": number + 1,
            "axes": len(seen),
            "loss": loss,
            "score": own.median.value,
            "validation_difference": mean_difference(own.games, usual.games),
        }
        network.save(target / "round.npz")
        write_whole(
            target / "grid-training.json",
            json.dumps({"settings": dataclasses.asdict(settings), "rounds": number + 1}),
        )
        with (target / "log.jsonl").open("a") as log:
            log.write(json.dumps(numbers) + "\n")
        if progress is not None:
            progress(number + 1, numbers)
    policy = network.policy(_best_schedule(settings, network))
    policy.save(target / "grid-network.npz")
    return policy


def _judge(settings: GridTrainingSettings, policy: Policy) -> Evaluation:
    return evaluate_policy(
        policy,
        budget=settings.budget,
        episodes=settings.validation_games,
        split="validation",
    )


def _lessons(
    settings: GridTrainingSettings, player: GridNetworkPolicy | None, random: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Play games and note what is seen of every axis, and the square roots of its true weights."""
    parts: list[tuple[Any, ...]] = []
    shares = 8
    games = -(-settings.games // shares)
    for _ in range(shares):
        budget = int(settings.budget * 4.0 ** random.uniform(-1.0, 1.0))
        schedule = SCHEDULES[random.integers(len(SCHEDULES))]
        policy: Policy = (
            VegasOnGrid(alpha=float(random.uniform(0.5, 2.5)), iterations=schedule.iterations)
            if player is None
            else GridNetworkPolicy(player.layers, schedule)
        )
        parts += _play(policy, games, budget, random)
    seen, damped, truth = (np.concatenate(column) for column in zip(*parts, strict=True))
    return seen, damped, truth


def _play(
    policy: Policy, games: int, budget: int, random: np.random.Generator
) -> list[tuple[Any, ...]]:
    episodes = new_episodes(games)
    integrands, streams = random.integers(NUMBERS, size=(2, games))
    begin_many(episodes, np.arange(games), budget, 0, integrands, streams)
    squares = [squared(row) for row in episodes.parameters]
    idle, terminated = np.zeros(games, np.bool_), np.zeros(games, np.bool_)
    parts: list[tuple[Any, ...]] = []
    while True:
        playing = np.flatnonzero(~idle)
        if not len(playing):
            return parts
        observation = empty_observation(games)
        observe_many(episodes, *observation.values())
        observation = {name: values[playing] for name, values in observation.items()}
        if episodes.iterations[playing[0]]:
            rows, axes = np.nonzero(observation["axes"])
            seen, damped, _ = channels(observation, rows, axes)
            moments = [
                bin_moments(squares[game], episodes.edges[game, : squares[game].dim])
                for game in playing
            ]
            truth = np.sqrt(np.maximum(np.concatenate(moments), 0.0))
            truth /= truth.sum(axis=1, keepdims=True)
            parts.append((seen, damped, truth.astype(np.float32)))
        actions = np.zeros((games, CELLS + 2))
        actions[playing] = physical(policy.act(observation), (len(playing), CELLS + 2))
        play_many_grids(episodes, idle, budget, actions, np.zeros(games), terminated)
        idle |= terminated


class _Network:
    """The network in Keras, with its optimiser."""

    def __init__(self, settings: GridTrainingSettings) -> None:
        self._settings = settings
        module, tf = keras(), tensorflow()
        module.utils.set_random_seed(settings.seed)
        layers = [module.layers.Input((BINS, CHANNELS))]
        for dilation in DILATIONS[:-1]:
            layers.append(
                module.layers.Conv1D(
                    settings.width, 5, padding="same", dilation_rate=dilation, activation="relu"
                )
            )
        # Zeros: at first nothing is corrected, and the grids are those of VEGAS.
        layers.append(
            module.layers.Conv1D(1, 1, dilation_rate=DILATIONS[-1], kernel_initializer="zeros")
        )
        self._model = module.Sequential(layers)
        self._optimiser = module.optimizers.Adam(settings.learning_rate, global_clipnorm=1.0)
        self._optimiser.build(self._model.trainable_variables)

        def step(seen: Any, damped: Any, truth: Any) -> Any:
            with tf.GradientTape() as tape:
                log_share = tf.nn.log_softmax(damped + self._model(seen)[:, :, 0])
                # With truth = sqrt(S) / sum sqrt(S): log of sum S / p over its smallest value.
                excess = tf.reduce_logsumexp(
                    2.0 * tf.math.log(tf.maximum(truth, 1e-8)) - log_share, axis=1
                )
                loss = tf.reduce_mean(excess)
            variables = self._model.trainable_variables
            self._optimiser.apply_gradients(
                zip(tape.gradient(loss, variables), variables, strict=True)
            )
            return loss

        self._step = tf.function(step, reduce_retracing=True)

    def learn(
        self,
        seen: NDArray[np.float32],
        damped: NDArray[np.float32],
        truth: NDArray[np.float32],
        number: int,
        random: np.random.Generator,
    ) -> float:
        """Make a round's gradient steps; the mean loss of the last tenth of them."""
        own, losses = self._settings, []
        for step in range(own.steps):
            done = (number + step / own.steps) / own.rounds
            self._optimiser.learning_rate = own.learning_rate * 0.5 * (1.0 + np.cos(np.pi * done))
            some = random.integers(len(seen), size=own.batch)
            losses.append(float(self._step(seen[some], damped[some], truth[some])))
        return float(np.mean(losses[-max(own.steps // 10, 1) :]))

    def policy(self, schedule: Schedule | None = None) -> GridNetworkPolicy:
        """Take the network out."""
        arrays = self._model.get_weights()
        layers = list(zip(arrays[::2], arrays[1::2], strict=True))
        return GridNetworkPolicy(
            layers, schedule, {"method": "truth", **dataclasses.asdict(self._settings)}
        )

    def save(self, path: Path) -> None:
        variables = [*self._model.get_weights(), *(v.numpy() for v in self._optimiser.variables)]
        with whole_file(path) as part, part.open("wb") as file:
            np.savez(file, *variables, allow_pickle=False)

    def restore(self, path: Path) -> None:
        with np.load(path, allow_pickle=False) as file:
            stored = [file[f"arr_{number}"] for number in range(len(file.files))]
        count = len(self._model.get_weights())
        self._model.set_weights(stored[:count])
        for variable, value in zip(self._optimiser.variables, stored[count:], strict=True):
            variable.assign(value)


def _best_schedule(settings: GridTrainingSettings, network: _Network) -> Schedule:
    """Play the same training integrands with every schedule."""
    random = np.random.default_rng([settings.seed, settings.rounds])
    integrands, streams = random.integers(NUMBERS, size=(2, settings.schedule_games))
    usual = play(Vegas(), integrands, streams, budget=settings.budget)
    gains = [
        mean_difference(
            play(network.policy(schedule), integrands, streams, budget=settings.budget), usual
        )
        for schedule in SCHEDULES
    ]
    return SCHEDULES[int(np.argmin(gains))]


def _done(path: Path, settings: GridTrainingSettings) -> int:
    if not path.exists():
        return 0
    try:
        state = json.loads(path.read_text())
        stored, rounds = GridTrainingSettings(**state["settings"]), int(state["rounds"])
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{path} is not the state of a training: {error}") from None
    if stored != settings:
        raise ValueError(
            f"{path} is the state of a training with other settings: choose another folder"
        )
    return rounds
