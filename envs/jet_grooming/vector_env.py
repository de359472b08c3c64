"""The jet grooming game for thousands of jets at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import ArrayLike, NDArray

from .game import SIGNAL
from .kernels import begin_many, observe, play_many
from .observation import NODE
from .reward import W_REWARD, GroomingReward
from .setup import Source, grooming_reward, load_game, observation_space, probability

Info = dict[str, Any]


class JetGroomingVectorEnv(VectorEnv[NDArray[np.float32], NDArray[np.integer[Any]], NDArray[Any]]):
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
        super().__init__()
        if num_envs < 1:
            raise ValueError(f"num_envs = {num_envs} is less than 1")
        if render_mode is not None and render_mode not in self.metadata["render_modes"]:
            raise ValueError(f"render_mode {render_mode!r} is none of rgb_array, ansi")
        self.num_envs = num_envs
        self.render_mode = render_mode
        self.autoreset_mode = AutoresetMode(autoreset_mode)
        self.metadata = {**self.metadata, "autoreset_mode": self.autoreset_mode}
        self.p_bkg = probability(p_bkg)
        self.reward = grooming_reward(reward)
        self.single_observation_space = observation_space(observation, state_dim)
        self.single_action_space = gymnasium.spaces.Discrete(2)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.game = load_game(signal, background, split, self.reward, observation)
        self.episodes = self.game.new_episodes(num_envs)
        self._state_dim = int(self.single_observation_space.shape[0])
        self._begun = False
        self._ended = np.ones(num_envs, np.bool_)
        self._mass = np.zeros(num_envs)

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], Info]:
        """Start new jets in all games, or in those of ``options["reset_mask"]``.

        Raises
        ------
        ValueError
            If the options are unknown, of the wrong shape, or name no such jet.
        """
        if isinstance(seed, list):
            raise ValueError(
                "the native vector environment takes one integer seed for all its games, not a list"
            )
        super().reset(seed=seed)
        options = options or {}
        unknown = [name for name in options if name not in ("jet", "label", "reset_mask")]
        if unknown:
            raise ValueError(
                f"reset has no option {unknown[0]!r}; it has jet, label and reset_mask"
            )
        mask = self._reset_mask(options)
        games = np.flatnonzero(mask)
        self._begin(games, self._named_jets(options, len(games)))
        self._begun = self._begun or bool(mask.all())
        observation, node = self._observe()
        return observation, self._info(node, mask)

    def step(
        self, actions: NDArray[np.integer[Any]]
    ) -> tuple[NDArray[np.float32], NDArray[Any], NDArray[Any], NDArray[Any], Info]:
        """Decide at the current node of every game.

        Raises
        ------
        gymnasium.error.ResetNeeded
            Before the first reset; with autoreset disabled also if a game has ended.
        gymnasium.error.InvalidAction
            If the actions are not ``num_envs`` integers 0 or 1.
        """
        if not self._begun:
            raise gymnasium.error.ResetNeeded("call reset() before step()")
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
        idle = self._ended
        if self.autoreset_mode == AutoresetMode.DISABLED and idle.any():
            raise gymnasium.error.ResetNeeded(
                f"game {int(idle.argmax())} has ended: reset it with the option reset_mask"
            )
        reward = np.zeros(self.num_envs)
        terminated = np.zeros(self.num_envs, np.bool_)
        play_many(self.game.table, self.episodes, actions, idle, reward, self._mass, terminated)
        final: Info = {}
        if self.autoreset_mode == AutoresetMode.SAME_STEP:
            if terminated.any():
                final = self._final(terminated)
                self._begin(np.flatnonzero(terminated))
        else:
            if idle.any():
                self._begin(np.flatnonzero(idle))
            self._ended = terminated.copy()
        observation, node = self._observe()
        info = self._info(node, np.ones(self.num_envs, np.bool_))
        return observation, reward, terminated, np.zeros(self.num_envs, np.bool_), info | final

    def render(self) -> tuple[Any, ...] | None:
        """Render every game, see `JetGroomingEnv.render`."""
        if self.render_mode is None:
            gymnasium.logger.warn(
                'nothing is rendered: make the environment with render_mode="rgb_array" or "ansi"'
            )
            return None
        if not self._begun:
            raise gymnasium.error.ResetNeeded("there is no jet to render: call reset() first")
        from . import rendering

        show = rendering.draw if self.render_mode == "rgb_array" else rendering.write
        return tuple(
            show(rendering.jet_view(self.game, self.episodes, env)) for env in range(self.num_envs)
        )

    def _reset_mask(self, options: dict[str, Any]) -> NDArray[np.bool_]:
        mask = np.asarray(options.get("reset_mask", np.ones(self.num_envs, np.bool_)))
        if mask.shape != (self.num_envs,) or mask.dtype != np.bool_ or not mask.any():
            raise ValueError(
                f"the reset option reset_mask must be {self.num_envs} booleans, at least one true"
            )
        return mask

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

    def _begin(self, games: NDArray[np.int64], jets: NDArray[np.int64] | None = None) -> None:
        if jets is None:
            jets = self.game.draw(self.np_random, self.p_bkg, len(games))
        begin_many(self.game.table, self.game.source, self.episodes, games, jets)
        self._mass[games] = self.game.plain_mass[jets]
        self._ended[games] = False

    def _observe(self) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        observation = np.empty((self.num_envs, self._state_dim), np.float32)
        node = np.empty(self.num_envs, np.int64)
        observe(self.game.observation, self.game.table.node, self.episodes, observation, node)
        return observation, node

    def _info(self, node: NDArray[np.int64], given: NDArray[np.bool_]) -> Info:
        jet = self.episodes.jet
        label = (jet < self.game.signals).astype(np.int64)
        values = {
            "mass": self._mass.copy(),
            "plain_mass": self.game.plain_mass[jet],
            "node": node,
            "jet": np.where(label, jet, jet - self.game.signals),
            "label": label,
        }
        return values | {f"_{name}": given.copy() for name in values}

    def _final(self, ended: NDArray[np.bool_]) -> Info:
        # A jet that has ended has no current node: its observation is zero and its node -1.
        return {
            "final_obs": np.zeros((self.num_envs, self._state_dim), np.float32),
            "_final_obs": ended.copy(),
            "final_info": self._info(np.full(self.num_envs, -1), ended),
            "_final_info": ended.copy(),
        }
