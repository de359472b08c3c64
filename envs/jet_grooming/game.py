"""The grooming game on flat arrays: tables of jets and the kernels that play them.

Both environments play with the same kernel, so that the same jets and actions give the same
trajectories to the last bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from ...datasets.jets.trees import STATE_FIELDS, ClusteringTrees, mass
from .grooming import KEEP, REMOVE
from .reward import GroomingReward, mass_reward
from .visiting import visit_plan

BACKGROUND = 0
SIGNAL = 1
UNREACHED = 2
"""Status of a node inside a removed branch; the others are ``KEEP`` and ``REMOVE``."""


NODE = np.dtype(
    [
        ("softer", np.float64, (4,)),
        ("state", np.float32, (len(STATE_FIELDS),)),
        ("shaping", np.float32, (2,)),
        ("origin", np.int32),
    ]
)
"""All that a step needs of a node, 64 bytes: one cache line, because thousands of games that
walk through different jets wait for memory before anything else.

softer: four-momentum of the softer branch in GeV; state: the node state; shaping: the reward's
part that depends on the action (keep, remove); origin: see `visiting.visit_plan`.
"""


class JetTable(NamedTuple):
    """Signal jets followed by background jets, nodes in visiting order.

    Attributes
    ----------
    first
        int64, shape (jets + 1,): jet ``j`` owns the nodes ``first[j]:first[j + 1]``.
    nodes
        `NODE`, shape (nodes,).
    momentum
        float64, shape (jets, 4): four-momentum of the ungroomed jet in GeV.
    mass_parameters
        float64, shape (5,): see `reward.mass_reward`.
    signals
        int64, shape (1,): number of signal jets.
    """

    first: NDArray[np.int64]
    nodes: NDArray[np.void]
    momentum: NDArray[np.float64]
    mass_parameters: NDArray[np.float64]
    signals: NDArray[np.int64]


class Episodes(NamedTuple):
    """State of the episodes being played, one row for each environment.

    Attributes
    ----------
    jet
        int64, shape (envs,): the jet, a row of ``JetTable.momentum``.
    first, visits
        int64, shape (envs,): the jet's first node and its number of nodes.
    place
        int64, shape (envs,): place of the current node in the jet's visiting order.
    momentum
        float64, shape (envs, 4): four-momentum of the jet as groomed so far, in GeV.
    status
        uint8, shape (envs, longest): what became of each node visited so far.
    """

    jet: NDArray[np.int64]
    first: NDArray[np.int64]
    visits: NDArray[np.int64]
    place: NDArray[np.int64]
    momentum: NDArray[np.float64]
    status: NDArray[np.uint8]


@dataclass(frozen=True)
class GroomingGame:
    """The jets that an environment draws from, ready to be played.

    Attributes
    ----------
    table
        The jets.
    node
        int64, shape (nodes,): for each row of the table the node's index in its jet's tree.
    plain_mass
        float64, shape (jets,): mass of the ungroomed jets in GeV.
    playable_signal, playable_background
        int64: jets with at least one splitting, as rows of ``table.momentum``.
    """

    table: JetTable
    node: NDArray[np.int64]
    plain_mass: NDArray[np.float64]
    playable_signal: NDArray[np.int64]
    playable_background: NDArray[np.int64]

    @property
    def signals(self) -> int:
        """Number of signal jets."""
        return int(self.table.signals[0])

    def new_episodes(self, envs: int) -> Episodes:
        """Room for ``envs`` episodes, none of which has begun."""
        longest = int(np.diff(self.table.first).max(initial=1))
        return Episodes(
            jet=np.zeros(envs, np.int64),
            first=np.zeros(envs, np.int64),
            visits=np.zeros(envs, np.int64),
            place=np.zeros(envs, np.int64),
            momentum=np.zeros((envs, 4)),
            status=np.zeros((envs, longest), np.uint8),
        )

    def draw(
        self, random: np.random.Generator, p_bkg: float, number: int
    ) -> NDArray[np.int64]:
        """Draw jets with splittings; each is background with probability ``p_bkg``.

        Parameters
        ----------
        random
            Where the randomness comes from.
        p_bkg
            Probability of a background jet.
        number
            How many jets.

        Returns
        -------
        numpy.ndarray
            int64, shape (number,): rows of ``table.momentum``.
        """
        background = random.random(number) < p_bkg
        where = random.random(number)
        signal_pick = (where * len(self.playable_signal)).astype(np.int64)
        background_pick = (where * len(self.playable_background)).astype(np.int64)
        drawn = np.empty(number, np.int64)
        drawn[~background] = self.playable_signal[signal_pick[~background]]
        drawn[background] = self.playable_background[background_pick[background]]
        return drawn

    def locate(self, jet: int, label: int) -> int:
        """Row of the ``jet``-th signal (label 1) or background (label 0) jet.

        Raises
        ------
        ValueError
            If there is no such jet or nothing in it to decide.
        """
        if label not in (BACKGROUND, SIGNAL):
            raise ValueError(f"label {label!r} is neither 0 (background) nor 1 (signal)")
        number = self.signals if label == SIGNAL else len(self.plain_mass) - self.signals
        kind = "signal" if label == SIGNAL else "background"
        if not 0 <= jet < number:
            raise ValueError(f"there is no {kind} jet {jet}: the sample has jets 0 to {number - 1}")
        row = jet if label == SIGNAL else self.signals + jet
        if self.table.first[row + 1] == self.table.first[row]:
            raise ValueError(f"{kind} jet {jet} has a single constituent: there is nothing to decide")
        return row


def prepare(
    signal: ClusteringTrees, background: ClusteringTrees, reward: GroomingReward
) -> GroomingGame:
    """Bring jets into the form in which they are played.

    Parameters
    ----------
    signal, background
        The two samples.
    reward
        Parameters of the reward.

    Returns
    -------
    GroomingGame

    Raises
    ------
    ValueError
        If a sample has no jet with a splitting.
    """
    samples = (signal, background)
    nodes = [np.diff(trees.node_offsets) for trees in samples]
    for name, count in zip(("signal", "background"), nodes, strict=True):
        if not count.any():
            raise ValueError(f"the {name} sample has no jet with two or more constituents")
    plans = [visit_plan(trees) for trees in samples]
    rows = _cache_aligned(sum(int(count.sum()) for count in nodes))
    rows["state"] = np.concatenate(
        [t.states[order] for t, (order, _) in zip(samples, plans, strict=True)]
    )
    rows["softer"] = np.concatenate(
        [t.softer_momenta[order] for t, (order, _) in zip(samples, plans, strict=True)]
    )
    rows["origin"] = np.concatenate([origin for _, origin in plans])
    rows["shaping"] = reward.shaping(rows["state"])
    momentum = np.concatenate([trees.jet_momenta for trees in samples])
    table = JetTable(
        first=np.concatenate([[0], np.cumsum(np.concatenate(nodes))]),
        nodes=rows,
        momentum=momentum,
        mass_parameters=reward.mass_parameters(),
        signals=np.array([len(signal)]),
    )
    return GroomingGame(
        table=table,
        node=np.concatenate(
            [
                order - np.repeat(trees.node_offsets[:-1], count)
                for trees, (order, _), count in zip(samples, plans, nodes, strict=True)
            ]
        ),
        plain_mass=mass(momentum),
        playable_signal=np.flatnonzero(nodes[0]),
        playable_background=len(signal) + np.flatnonzero(nodes[1]),
    )


def _cache_aligned(nodes: int) -> NDArray[np.void]:
    """Uninitialised array of `NODE` that begins at a cache line."""
    line = NODE.itemsize
    memory = np.empty((nodes + 1) * line, np.uint8)
    start = -memory.ctypes.data % line
    return memory[start : start + nodes * line].view(NODE)


@numba.njit(cache=True)
def begin(table, episodes, env, jet):  # type: ignore[no-untyped-def]
    """Start the episode of environment ``env`` with the jet in row ``jet``."""
    episodes.jet[env] = jet
    episodes.first[env] = table.first[jet]
    episodes.visits[env] = table.first[jet + 1] - table.first[jet]
    episodes.place[env] = 0
    episodes.momentum[env] = table.momentum[jet]


@numba.njit(cache=True)
def play(table, episodes, env, action):  # type: ignore[no-untyped-def]
    """Decide at the current node of one environment and go on to the next surviving node.

    Returns
    -------
    reward : float64
    mass : float64, in GeV, negative where m^2 is
    terminated : bool
    """
    first = episodes.first[env]
    visits = episodes.visits[env]
    place = episodes.place[env]
    status = episodes.status[env]
    p = episodes.momentum[env]
    status[place] = action
    if action == REMOVE:
        softer = table.nodes[first + place].softer
        for c in range(4):
            p[c] -= softer[c]
    m2 = (p[3] + p[2]) * (p[3] - p[2]) - p[0] * p[0] - p[1] * p[1]
    m = np.sqrt(m2) if m2 >= 0.0 else -np.sqrt(-m2)
    reward = (
        mass_reward(m, episodes.jet[env] < table.signals[0], table.mass_parameters)
        + table.nodes[first + place].shaping[action]
    )
    place += 1
    while place < visits:
        way = table.nodes[first + place].origin
        parent = status[abs(way) - 1]
        if parent == KEEP or (parent == REMOVE and way > 0):
            break
        status[place] = UNREACHED
        place += 1
    episodes.place[env] = place
    return reward, m, place == visits


@numba.njit(cache=True)
def play_many(table, episodes, actions, idle, reward, mass, terminated):  # type: ignore[no-untyped-def]
    """Play one step in every environment that is not ``idle``."""
    for env in range(len(actions)):
        if not idle[env]:
            reward[env], mass[env], terminated[env] = play(table, episodes, env, actions[env])


@numba.njit(cache=True)
def begin_many(table, episodes, envs, jets):  # type: ignore[no-untyped-def]
    """Start the episodes of some environments."""
    for k in range(len(envs)):
        begin(table, episodes, envs[k], jets[k])


@numba.njit(cache=True)
def observe(table, episodes, node, observation, node_index):  # type: ignore[no-untyped-def]
    """Fill in the state of each environment's current node; zeros and -1 where none is left."""
    for env in range(len(observation)):
        if episodes.place[env] < episodes.visits[env]:
            row = episodes.first[env] + episodes.place[env]
            for c in range(observation.shape[1]):
                observation[env, c] = table.nodes[row].state[c]
            node_index[env] = node[row]
        else:
            observation[env] = 0.0
            node_index[env] = -1
