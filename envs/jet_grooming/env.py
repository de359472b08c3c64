"""The jet grooming game for one jet at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from ..render_mode import checked_render_mode, warn_without_mode
from .game import SIGNAL
from .kernels import begin, play
from .observation import NODE
from .reward import W_REWARD, GroomingReward
from .setup import Source, grooming_reward, load_game, observation_space, probability

Info = dict[str, Any]


class JetGroomingEnv(gymnasium.Env[Any, Any]):
    """Groom a jet by deciding, node by node, which soft branches to remove.

    ## Description

    A jet is the tree of splittings that Cambridge/Aachen clustering finds in it. Contamination
    from initial-state radiation and multiparton interactions sits in soft branches at wide
    angles. The agent walks through the tree from wide to small angles and decides at each node
    whether to remove the softer of its two branches. A good groomer brings the mass of W (or top)
    jets to the particle's mass and the mass of QCD jets to small values. The game is that of
    GroomRL, arXiv:1903.09644, section 3.

    1. A jet is drawn: background with probability `p_bkg`, otherwise signal. Its root is queued.
    2. The node with the largest Delta in the queue becomes the current node.
    3. Action 1 removes its softer branch, action 0 keeps it; the harder branch, and the softer
       one if kept, are queued if they split further.
    4. The removed branch is subtracted from the jet, and the jet's mass gives the reward.

    ## Action Space

    `Discrete(2)`: 0 keeps both branches of the current node, 1 removes the softer one.

    ## Observation Space

    `Box(state_dim,)`, float32. With `observation="node"`, the default, it is the state of the
    current node, which splits into a harder branch a and a softer branch b (by transverse
    momentum).

    | Num | Observation | Min | Max |
    |-----|-------------|-----|-----|
    | 0 | ln z, z = pt_b / (pt_a + pt_b) | -25 | 0 |
    | 1 | ln Delta, Delta^2 = (y_a - y_b)^2 + (phi_a - phi_b)^2 | -25 | 12 |
    | 2 | psi = arctan((y_a - y_b) / (phi_a - phi_b)) | -pi/2 | pi/2 |
    | 3 | ln m/GeV, mass of the node before grooming | -10 | 12 |
    | 4 | ln kt/GeV, kt = pt_b Delta | -25 | 12 |

    With `observation="context"` the node is seen in its jet; further components follow.

    | Num | Observation | Min | Max |
    |-----|-------------|-----|-----|
    | 5, 6 | ln pt/GeV and ln m/GeV of the ungroomed jet | -10 | 12 |
    | 7 | ln n, number of the jet's constituents | 0 | 12 |
    | 8-12 | components 0-4 of the parent, zero at the root | as there | as there |
    | 13 | 1 in the parent's softer branch, otherwise 0 | 0 | 1 |
    | 14 | ln(1 + number of ancestors) | 0 | 12 |
    | 15 | softer branches on the way from the root: Lund plane's order - 1 | 0 | 100 |
    | 16, 17 | ln m/GeV of the harder and of the softer branch | -2 | 12 |
    | 18-21 | components 0, 1, 3, 4 of the jet's hardest (largest kt) node | as there | as there |
    | 22, 23 | 1 if that is this node; if it lies in its harder branch | 0 | 1 |
    | 24-29 | as 18-23 for the second hardest; zero if there is none | as there | as there |
    | 30 | 1 if the second hardest lies in this node's softer branch | 0 | 1 |

    All of it is known before the first action and stays as it is whatever the actions are. Values
    outside the bounds (the logarithm of zero, say) are set to the bound. When the jet has no node
    left the observation is zero. `state_dim` keeps the leading components only.

    ## Rewards

    R = R_M(m) + R_SD(action, Delta, z) / N_SD after each step, with the mass m of the jet as
    groomed so far: see `hepgym.envs.jet_grooming.GroomingReward` for formulas and parameters. The
    defaults of `JetGrooming-v0` are the published ones for W jets, those of `JetGroomingTop-v0`
    the published ones for top jets.

    ## Starting State

    The root node of a jet drawn at random. `reset(options={"jet": i})` plays the i-th signal jet,
    `reset(options={"jet": i, "label": 0})` the i-th background jet. Jets with a single
    constituent are never drawn.

    ## Episode End

    The episode terminates when no node is left to visit; it is never truncated. `info` holds
    `mass` (GeV, of the jet as groomed so far), `plain_mass` (GeV), `node` (index of the current
    node in the jet's tree, -1 at the end), `jet` (index in its sample) and `label` (1 signal, 0
    background).

    ## Arguments

    ```python
    import gymnasium
    import hepgym

    env = gymnasium.make("JetGrooming-v0", split="test", p_bkg=0.0, state_dim=5)
    ```

    - `signal`, `background`: dataset ids, paths of ROOT files (`"my.root:events"`) or
      `ClusteringTrees`.
    - `split`: `"train"` (default), `"validation"` or `"test"`.
    - `reward`: a `GroomingReward` or a mapping with some of its parameters.
    - `p_bkg`: probability of a background jet.
    - `state_dim`: number of leading components observed, all by default; 2 to 5 of the observation
      node, 6 to 31 of the observation context.
    - `observation`: `"node"` (default) or `"context"`; jets, actions, rewards and scores are the
      same, so an agent stands on the same board whatever it looks at.
    - `render_mode`: `"rgb_array"` draws the Lund plane of the jet with kept, removed and current
      nodes; `"ansi"` writes the tree.

    ## Vectorized environment

    `gymnasium.make_vec("JetGrooming-v0", num_envs=4096)` gives a native vector environment that
    plays millions of steps per second; see
    `hepgym.envs.jet_grooming.vector_env.JetGroomingVectorEnv`.

    ## Version History

    * v0: the published game, except that after a removal the harder child is queued (as in the
      published inference code and in Recursive Soft Drop) instead of the two grandchildren.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012 (Gymnasium declares it an instance's)
        "render_modes": ["rgb_array", "ansi"],
        "render_fps": 4,
    }

    def __init__(
        self,
        signal: Source = "jets/W-500GeV-v1",
        background: Source = "jets/QCD-500GeV-v1",
        split: str = "train",
        reward: GroomingReward | Mapping[str, Any] = W_REWARD,
        p_bkg: float = 0.483,
        state_dim: int | None = None,
        render_mode: str | None = None,
        observation: str = NODE,
    ) -> None:
        self.render_mode = checked_render_mode(render_mode, self.metadata)
        self.p_bkg = probability(p_bkg)
        self.reward = grooming_reward(reward)
        self.observation_space = observation_space(observation, state_dim)
        self.action_space = gymnasium.spaces.Discrete(2)
        self.game = load_game(signal, background, split, self.reward, observation)
        self.episodes = self.game.new_episodes(1)
        self._state_dim = int(self.observation_space.shape[0])
        self._playing = False
        self._begun = False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], Info]:
        """Start a jet; ``options`` may name it by ``jet`` and ``label``.

        Raises
        ------
        ValueError
            If the options name no such jet.
        """
        super().reset(seed=seed)
        options = options or {}
        unknown = [name for name in options if name not in ("jet", "label")]
        if unknown:
            raise ValueError(f"reset has no option {unknown[0]!r}; it has jet and label")
        if "jet" in options:
            jet = self.game.locate(int(options["jet"]), int(options.get("label", SIGNAL)))
        elif "label" in options:
            raise ValueError("the reset option label needs the option jet")
        else:
            jet = int(self.game.draw(self.np_random, self.p_bkg, 1)[0])
        begin(self.game.table, self.game.source, self.episodes, 0, jet)
        self._jet = jet
        self._first = int(self.game.table.first[jet])
        self._visits = int(self.game.table.first[jet + 1]) - self._first
        self._label = int(jet < self.game.signals)
        self._index = jet if self._label else jet - self.game.signals
        self._plain_mass = float(self.game.plain_mass[jet])
        self._playing = self._begun = True
        return self._observation(0), self._info(0, self._plain_mass)

    def step(self, action: int) -> tuple[NDArray[np.float32], float, bool, bool, Info]:
        """Decide at the current node: 0 keeps both branches, 1 removes the softer one.

        Raises
        ------
        gymnasium.error.ResetNeeded
            Before the first reset and after the end of an episode.
        gymnasium.error.InvalidAction
            If the action is neither 0 nor 1.
        """
        if not self._playing:
            raise gymnasium.error.ResetNeeded("the jet has no node left: call reset() first")
        if action not in (0, 1):
            raise gymnasium.error.InvalidAction(
                f"action {action!r} is neither 0 (keep) nor 1 (remove the softer branch)"
            )
        reward, mass, terminated = play(self.game.table, self.episodes, 0, int(action))
        self._playing = not terminated
        place = int(self.episodes.place[0])
        return self._observation(place), reward, terminated, False, self._info(place, mass)

    def render(self) -> Any:
        """Draw or write the jet as groomed so far.

        Returns
        -------
        numpy.ndarray or str or None
            uint8 of shape (height, width, 3) for ``rgb_array``, text for ``ansi``.
        """
        if self.render_mode is None:
            warn_without_mode(self.metadata)
            return None
        if not self._begun:
            raise gymnasium.error.ResetNeeded("there is no jet to render: call reset() first")
        from . import rendering

        view = rendering.jet_view(self.game, self.episodes, 0)
        return rendering.draw(view) if self.render_mode == "rgb_array" else rendering.write(view)

    def _observation(self, place: int) -> NDArray[np.float32]:
        if place < self._visits:
            return self.game.observation[self._first + place, : self._state_dim].copy()
        return np.zeros(self._state_dim, np.float32)

    def _info(self, place: int, mass: float) -> Info:
        return {
            "mass": mass,
            "plain_mass": self._plain_mass,
            "node": int(self.game.table.node[self._first + place]) if place < self._visits else -1,
            "jet": self._index,
            "label": self._label,
        }
