"""The jet grooming game for thousands of jets at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import ArrayLike, NDArray

from ..native_vector import Info, Mask, NativeVectorEnv
from .game import SIGNAL
from .kernels import begin_many, observe, play_many
from .observation import NODE
from .reward import W_REWARD, GroomingReward
from .setup import Source, grooming_reward, load_game, observation_space, probability


class JetGroomingVectorEnv(NativeVectorEnv[NDArray[np.float32], NDArray[np.integer[Any]]]):
    """Many independent jet grooming games, played by one compiled kernel.

    Given the same jets and actions each game is that of `JetGroomingEnv`, whose documentation
    describes actions, observations and rewards. All randomness comes from one generator, so a
    seeded vector environment is reproducible but draws other jets than as many seeded single
    environments.

    Parameters
    ----------
    num_envs
        Number of games.
    autoreset_mode
        What happens when a game has ended, as in Gymnasium: ``NextStep`` (default) starts the next
        jet at the following step, whose action is ignored and whose reward is zero; ``SameStep``
        starts it at once and puts the last observation and info into ``info["final_obs"]`` and
        ``info["final_info"]``; ``Disabled`` leaves it to ``reset(options={"reset_mask": mask})``.
    signal, background, split, reward, p_bkg, state_dim, render_mode, observation
        As in `JetGroomingEnv`.

    Notes
    -----
    ``reset`` takes the options ``jet`` and ``label``, integers or integer arrays with one value
    for each game that is reset. ``info`` holds arrays ``mass``, ``plain_mass``, ``node``, ``jet``
    and ``label``, and for each a mask ``_mass`` and so on of the games it is given for.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012 (an instance says its own autoreset mode)
        "render_modes": ["rgb_array", "ansi"],
        "render_fps": 4,
        "autoreset_mode": AutoresetMode.NEXT_STEP,
    }

    def __init__(
        self,
        num_envs: int = 1,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        signal: Source = "jets/W-500GeV-v1",
        background: Source = "jets/QCD-500GeV-v1",
        split: str = "train",
        reward: GroomingReward | Mapping[str, Any] = W_REWARD,
        p_bkg: float = 0.483,
        state_dim: int | None = None,
        render_mode: str | None = None,
        observation: str = NODE,
    ) -> None:
        super().__init__(
            num_envs,
            autoreset_mode,
            render_mode,
            observation_space(observation, state_dim),
            gymnasium.spaces.Discrete(2),
        )
        self.p_bkg = probability(p_bkg)
        self.reward = grooming_reward(reward)
        self.game = load_game(signal, background, split, self.reward, observation)
        self.episodes = self.game.new_episodes(num_envs)
        (self._state_dim,) = self.single_observation_space.shape or ()
        self._mass = np.zeros(num_envs)
        self._node = np.full(num_envs, -1)

    def _begin(self, envs: NDArray[np.int64], options: dict[str, Any]) -> None:
        unknown = [name for name in options if name not in ("jet", "label")]
        if unknown:
            raise ValueError(
                f"reset has no option {unknown[0]!r}; it has jet, label and reset_mask"
            )
        jets = self._named_jets(options, len(envs))
        if jets is None:
            jets = self.game.draw(self.np_random, self.p_bkg, len(envs))
        begin_many(self.game.table, self.game.source, self.episodes, envs, jets)
        self._mass[envs] = self.game.plain_mass[jets]

    def _checked_actions(self, actions: NDArray[np.integer[Any]]) -> NDArray[np.integer[Any]]:
        actions = np.asarray(actions)
        if (
            actions.shape != (self.num_envs,)
            or actions.dtype.kind not in "iub"
            or actions.max() > 1
            or actions.min() < 0
        ):
            raise gymnasium.error.InvalidAction(
                f"actions must be {self.num_envs} integers, each 0 (keep) or 1 (remove)"
            )
        return actions

    def _play(
        self, actions: NDArray[np.integer[Any]], idle: Mask
    ) -> tuple[NDArray[np.float64], Mask, Mask]:
        reward = np.zeros(self.num_envs)
        terminated = np.zeros(self.num_envs, np.bool_)
        play_many(self.game.table, self.episodes, actions, idle, reward, self._mass, terminated)
        return reward, terminated, np.zeros(self.num_envs, np.bool_)

    def _draw(self, env: int) -> Any:
        from . import rendering

        show = rendering.draw if self.render_mode == "rgb_array" else rendering.write
        return show(rendering.jet_view(self.game, self.episodes, env))

    def _named_jets(self, options: dict[str, Any], games: int) -> NDArray[np.int64] | None:
        if "jet" not in options:
            if "label" in options:
                raise ValueError("the reset option label needs the option jet")
            return None

        def per_game(name: str, values: ArrayLike) -> NDArray[np.integer[Any]]:
            array = np.asarray(values)
            if array.dtype.kind not in "iu" or array.shape not in ((), (games,)):
                raise ValueError(
                    f"the reset option {name} must be an integer or {games} integers, "
                    f"not {array.dtype} of shape {array.shape}"
                )
            return np.broadcast_to(array, (games,))

        jets = per_game("jet", options["jet"])
        labels = per_game("label", options.get("label", SIGNAL))
        return np.array(
            [self.game.locate(int(j), int(c)) for j, c in zip(jets, labels, strict=True)], np.int64
        )

    def _observe(self) -> NDArray[np.float32]:
        observation = np.empty((self.num_envs, self._state_dim), np.float32)
        self._node = np.empty(self.num_envs, np.int64)
        observe(self.game.observation, self.game.table.node, self.episodes, observation, self._node)
        return observation

    def _info(self, given: Mask, over: Mask) -> Info:
        jet = self.episodes.jet
        label = (jet < self.game.signals).astype(np.int64)
        values = {
            "mass": self._mass.copy(),
            "plain_mass": self.game.plain_mass[jet],
            "node": self._node,
            "jet": np.where(label, jet, jet - self.game.signals),
            "label": label,
        }
        return values | {f"_{name}": given.copy() for name in values}
