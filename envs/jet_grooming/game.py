"""The grooming game on flat arrays: tables of jets and the kernels that play them.

Both environments play with the same kernel, so that the same jets and actions give the same
trajectories to the last bit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from ...datasets.jets.trees import (
    STATE_HIGH,
    STATE_LOW,
    ClusteringTrees,
    mass,
    node_children,
    node_momenta,
    node_states,
)
from .reward import GroomingReward, mass_reward, shaping
from .visiting import LN_DELTA, plan_visits

BACKGROUND = 0
SIGNAL = 1

_CACHE_LINE = 64  # bytes
_WORD = 64  # bits

# Position of the only bit that is set in a word, by de Bruijn multiplication.
_DE_BRUIJN = np.uint64(0x03F79D71B4CB0A89)
_BIT_POSITION = np.zeros(_WORD, np.int64)
for _bit in range(_WORD):
    _BIT_POSITION[(((1 << _bit) * int(_DE_BRUIJN)) % (1 << 64)) >> 58] = _bit


class JetTable(NamedTuple):
    """Signal jets followed by background jets, nodes in visiting order.

    ``softer``, ``state``, ``node`` and ``shaping`` are columns of one block of memory in which each
    node fills one cache line: thousands of games that walk through different jets wait for memory
    before anything else.

    Attributes
    ----------
    first
        int64, shape (jets + 1,): jet ``j`` owns the nodes ``first[j]:first[j + 1]``.
    softer
        float64, shape (nodes, 4): four-momentum of each node's softer branch in GeV.
    state
        float32, shape (nodes, 5): node states.
    shaping
        float32, shape (nodes, 2): the reward's part that depends on the action (keep, remove).
    word_first
        int64, shape (jets + 1,): jet ``j`` with n nodes owns ``word_first[j]:word_first[j + 1]``
        of the next column, ceil(n / 64) words for each of its nodes.
    branch
        uint64: the nodes in each node's softer branch as a set of bits, one for each place in the
        jet's visiting order. Padded, so that a longest row can be read at every place.
    node
        int32, shape (nodes,): the node's index in its jet's tree.
    momentum
        float64, shape (jets, 4): four-momentum of the ungroomed jet in GeV.
    mass_parameters
        float64, shape (5,): see `reward.mass_reward`.
    signals
        int64, shape (1,): number of signal jets.
    """

    first: NDArray[np.int64]
    softer: NDArray[np.float64]
    state: NDArray[np.float32]
    node: NDArray[np.int32]
    shaping: NDArray[np.float32]
    word_first: NDArray[np.int64]
    branch: NDArray[np.uint64]
    momentum: NDArray[np.float64]
    mass_parameters: NDArray[np.float64]
    signals: NDArray[np.int64]


class JetSource(NamedTuple):
    """What a jet's rows in the table are made from when the jet is first played.

    Making them all takes longer than reading the jets. They are apart from the table because
    every array beside it slows the playing kernel down.

    Attributes
    ----------
    offsets, constituents, softer_size
        The clustering trees, see `ClusteringTrees`.
    shaping_parameters
        float64, shape (7,): see `reward.shaping`.
    ready
        bool, shape (jets,): whether the jet's rows are filled in.
    origin
        int32, shape (nodes,): how each node of a jet that is ready is reached, see
        `visiting.visit_plan`.
    """

    offsets: NDArray[np.int64]
    constituents: NDArray[np.float64]
    softer_size: NDArray[np.int32]
    shaping_parameters: NDArray[np.float64]
    ready: NDArray[np.bool_]
    origin: NDArray[np.int32]


class Episodes(NamedTuple):
    """State of the episodes being played, one row for each environment.

    Attributes
    ----------
    jet
        int64, shape (envs,): the jet, a row of ``JetTable.momentum``.
    first, word_first, visits
        int64, shape (envs,): the jet's first node, its first word in ``JetTable.branch``, and its
        number of nodes.
    place
        int64, shape (envs,): place of the current node in the jet's visiting order.
    momentum
        float64, shape (envs, 4): four-momentum of the jet as groomed so far, in GeV.
    alive
        uint64, shape (envs, words): the places that are not in a removed branch, as bits.
    action
        uint8, shape (envs, longest): what was decided at each node visited so far.
    """

    jet: NDArray[np.int64]
    first: NDArray[np.int64]
    word_first: NDArray[np.int64]
    visits: NDArray[np.int64]
    place: NDArray[np.int64]
    momentum: NDArray[np.float64]
    alive: NDArray[np.uint64]
    action: NDArray[np.uint8]


@dataclass(frozen=True)
class GroomingGame:
    """The jets that an environment draws from, ready to be played.

    Attributes
    ----------
    table, source
        The jets.
    plain_mass
        float64, shape (jets,): mass of the ungroomed jets in GeV.
    playable_signal, playable_background
        int64: jets with at least one splitting, as rows of ``table.momentum``.
    """

    table: JetTable
    source: JetSource
    plain_mass: NDArray[np.float64]
    playable_signal: NDArray[np.int64]
    playable_background: NDArray[np.int64]

    def __setstate__(self, state: dict[str, Any]) -> None:
        # Pickling stores each column by itself; bring them together again.
        self.__dict__.update(state)
        names = ("softer", "state", "node", "shaping")
        columns: dict[str, Any] = dict(zip(names, _interleaved(len(self.table.node)), strict=True))
        for name, column in columns.items():
            column[:] = getattr(self.table, name)
        self.__dict__["table"] = self.table._replace(**columns)

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
            word_first=np.zeros(envs, np.int64),
            visits=np.zeros(envs, np.int64),
            place=np.zeros(envs, np.int64),
            momentum=np.zeros((envs, 4)),
            alive=np.zeros((envs, words(longest)), np.uint64),
            action=np.zeros((envs, longest), np.uint8),
        )

    def draw(self, random: np.random.Generator, p_bkg: float, number: int) -> NDArray[np.int64]:
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
            raise ValueError(
                f"{kind} jet {jet} has a single constituent: there is nothing to decide"
            )
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
    counts = np.concatenate(nodes)
    total = int(counts.sum())
    word_first = np.concatenate([[0], np.cumsum(counts * words(counts))])
    momentum = np.concatenate([trees.jet_momenta for trees in samples])
    softer, state, node, gain = _interleaved(total)
    table = JetTable(
        first=np.concatenate([[0], np.cumsum(counts)]),
        softer=softer,
        state=state,
        shaping=gain,
        word_first=word_first,
        branch=np.zeros(word_first[-1] + words(counts.max()), np.uint64),
        node=node,
        momentum=momentum,
        mass_parameters=reward.mass_parameters(),
        signals=np.array([len(signal)]),
    )
    source = JetSource(
        offsets=np.concatenate([signal.offsets, signal.offsets[-1] + background.offsets[1:]]),
        constituents=np.concatenate([trees.constituents for trees in samples]),
        softer_size=np.concatenate([trees.softer_size for trees in samples]),
        shaping_parameters=reward.shaping_parameters(),
        ready=np.zeros(len(counts), np.bool_),
        origin=np.empty(total, np.int32),
    )
    return GroomingGame(
        table=table,
        source=source,
        plain_mass=mass(momentum),
        playable_signal=np.flatnonzero(nodes[0]),
        playable_background=len(signal) + np.flatnonzero(nodes[1]),
    )


def words(nodes: Any) -> Any:
    """Words of 64 bits that hold a bit for each of ``nodes`` nodes, elementwise."""
    return (nodes + _WORD - 1) // _WORD


@numba.njit(cache=True)
def softer_branches(node_offsets, softer_size, order):  # type: ignore[no-untyped-def]
    """Nodes in each softer branch as bits, see ``JetTable.branch``."""
    total = 0
    longest = 1
    for j in range(len(node_offsets) - 1):
        n = node_offsets[j + 1] - node_offsets[j]
        total += n * ((n + 63) // 64)
        longest = max(longest, n)
    out = np.zeros(total, np.uint64)
    place_of = np.empty(longest, np.int64)
    row = 0
    for j in range(len(node_offsets) - 1):
        first = node_offsets[j]
        n = node_offsets[j + 1] - first
        width = (n + 63) // 64
        for place in range(n):
            place_of[order[first + place] - first] = place
        for place in range(n):
            node = order[first + place]
            # The nodes of the softer branch follow directly, one less than its constituents.
            for inside in range(node + 1, node + softer_size[node]):
                gone = place_of[inside - first]
                out[row + gone // 64] |= np.uint64(1) << np.uint64(gone % 64)
            row += width
    return out


def _interleaved(
    nodes: int,
) -> tuple[NDArray[np.float64], NDArray[np.float32], NDArray[np.int32], NDArray[np.float32]]:
    """Columns ``softer``, ``state``, ``node`` and ``shaping``, one cache line for each node."""
    # empty, not zeros: only then does NumPy ask for huge pages, which spare address lookups.
    memory = np.empty((nodes + 1) * _CACHE_LINE, np.uint8)
    start = -memory.ctypes.data % _CACHE_LINE
    lines = memory[start : start + nodes * _CACHE_LINE].reshape(nodes, _CACHE_LINE)
    return (
        lines.view(np.float64)[:, :4],
        lines.view(np.float32)[:, 8:13],
        lines.view(np.int32)[:, 13],
        lines.view(np.float32)[:, 14:16],
    )


@numba.njit(cache=True)
def _fill_in(table, source, jet):  # type: ignore[no-untyped-def]
    """Fill in a jet's rows of the table."""
    constituents = source.constituents[source.offsets[jet] : source.offsets[jet + 1]]
    first = table.first[jet]
    nodes = table.first[jet + 1] - first
    softer_size = source.softer_size[first : first + nodes]
    offsets = np.array([0, nodes + 1])
    node_offsets = np.array([0, nodes])
    total, softer = node_momenta(offsets, node_offsets, constituents, softer_size)
    state = node_states(total, softer, STATE_LOW, STATE_HIGH)
    gain = shaping(state, source.shaping_parameters)
    harder_child, softer_child = node_children(offsets, node_offsets, softer_size)
    order, origin = plan_visits(node_offsets, harder_child, softer_child, state[:, LN_DELTA])
    for place in range(nodes):
        row = first + place
        node = order[place]
        for c in range(4):
            table.softer[row, c] = softer[node, c]
        for c in range(state.shape[1]):
            table.state[row, c] = state[node, c]
        table.shaping[row, 0] = gain[node, 0]
        table.shaping[row, 1] = gain[node, 1]
        table.node[row] = node
        source.origin[row] = origin[place]
    branch = softer_branches(node_offsets, softer_size, order)
    table.branch[table.word_first[jet] : table.word_first[jet + 1]] = branch
    source.ready[jet] = True


@numba.njit(cache=True)
def begin(table, source, episodes, env, jet):  # type: ignore[no-untyped-def]
    """Start the episode of environment ``env`` with the jet in row ``jet``."""
    if not source.ready[jet]:
        _fill_in(table, source, jet)
    episodes.jet[env] = jet
    episodes.first[env] = table.first[jet]
    episodes.word_first[env] = table.word_first[jet]
    episodes.visits[env] = table.first[jet + 1] - table.first[jet]
    episodes.place[env] = 0
    episodes.momentum[env] = table.momentum[jet]
    episodes.alive[env] = ~np.uint64(0)


@numba.njit(cache=True, error_model="numpy", inline="always")
def _decide(
    softer,
    gain,
    branch,
    mass_parameters,
    signals,
    jets,
    firsts,
    word_firsts,
    lengths,
    places,
    momentum,
    alive,
    taken,
    env,
    action,
):  # type: ignore[no-untyped-def]
    """Play one step of one environment, see `play`."""
    # Elements are addressed one by one: a view of a row costs more than the arithmetic.
    first = firsts[env]
    visits = lengths[env]
    place = places[env]
    jet = jets[env]
    node = first + place
    taken[env, place] = action
    # Multiplied rather than branched upon: the processor cannot guess an action.
    px = momentum[env, 0] - action * softer[node, 0]
    py = momentum[env, 1] - action * softer[node, 1]
    pz = momentum[env, 2] - action * softer[node, 2]
    energy = momentum[env, 3] - action * softer[node, 3]
    momentum[env, 0] = px
    momentum[env, 1] = py
    momentum[env, 2] = pz
    momentum[env, 3] = energy
    m2 = (energy + pz) * (energy - pz) - px * px - py * py
    m = math.copysign(math.sqrt(abs(m2)), m2)
    reward = mass_reward(m, jet < signals, mass_parameters) + gain[node, action]
    # The next node is the lowest bit above this place that is still alive. Words are treated
    # alike, without a branch that depends on the jet: wrong guesses of the processor would cost
    # more than all the rest.
    width = (visits + 63) >> 6
    row = word_firsts[env] + place * width
    word = place >> 6
    above = ~np.uint64(1) << np.uint64(place & 63)
    removed = np.uint64(0) - np.uint64(action)
    place = visits
    for k in range(alive.shape[1] - 1, -1, -1):
        own = np.uint64(0) - np.uint64(k < width)
        left = alive[env, k] & ~(branch[row + k] & removed & own)
        alive[env, k] = left
        ahead = above if k == word else np.uint64(0) - np.uint64(k > word)
        bits = left & ahead
        lowest = bits & (np.uint64(0) - bits)
        bit = _BIT_POSITION[(lowest * _DE_BRUIJN) >> np.uint64(58)]
        place = (k << 6) + bit if bits else place
    place = min(place, visits)
    places[env] = place
    return reward, m, place == visits


@numba.njit(cache=True, error_model="numpy")
def play(table, episodes, env, action):  # type: ignore[no-untyped-def]
    """Decide at the current node of one environment and go on to the next surviving node.

    Returns
    -------
    reward : float64
    mass : float64, in GeV, negative where m^2 is
    terminated : bool
    """
    return _decide(
        table.softer,
        table.shaping,
        table.branch,
        table.mass_parameters,
        table.signals[0],
        episodes.jet,
        episodes.first,
        episodes.word_first,
        episodes.visits,
        episodes.place,
        episodes.momentum,
        episodes.alive,
        episodes.action,
        env,
        action,
    )


@numba.njit(cache=True, error_model="numpy")
def play_many(table, episodes, actions, idle, reward, mass, terminated):  # type: ignore[no-untyped-def]
    """Play one step in every environment that is not ``idle``."""
    # The arrays are taken out of their tuples once: inside the loop each would be counted as one
    # more reference at every step, which costs more than the step.
    softer, gain, branch = table.softer, table.shaping, table.branch
    mass_parameters, signals = table.mass_parameters, table.signals[0]
    jets, firsts, word_firsts = episodes.jet, episodes.first, episodes.word_first
    lengths, places = episodes.visits, episodes.place
    momentum, alive, taken = episodes.momentum, episodes.alive, episodes.action
    for env in range(len(actions)):
        if not idle[env]:
            reward[env], mass[env], terminated[env] = _decide(
                softer,
                gain,
                branch,
                mass_parameters,
                signals,
                jets,
                firsts,
                word_firsts,
                lengths,
                places,
                momentum,
                alive,
                taken,
                env,
                actions[env],
            )


@numba.njit(cache=True)
def begin_many(table, source, episodes, envs, jets):  # type: ignore[no-untyped-def]
    """Start the episodes of some environments."""
    for k in range(len(envs)):
        begin(table, source, episodes, envs[k], jets[k])


@numba.njit(cache=True)
def observe(table, episodes, observation, node_index):  # type: ignore[no-untyped-def]
    """Fill in the state of each environment's current node; zeros and -1 where none is left."""
    for env in range(len(observation)):
        if episodes.place[env] < episodes.visits[env]:
            row = episodes.first[env] + episodes.place[env]
            for c in range(observation.shape[1]):
                observation[env, c] = table.state[row, c]
            node_index[env] = table.node[row]
        else:
            for c in range(observation.shape[1]):
                observation[env, c] = 0.0
            node_index[env] = -1
