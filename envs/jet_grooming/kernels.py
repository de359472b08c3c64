"""The compiled moves of the grooming game.

Both environments play with the same kernel, so that the same jets and actions give the same
trajectories to the last bit.
"""

from __future__ import annotations

import math

import numba
import numpy as np

from .reward import mass_reward
from .tables import fill_in

# Position of the only bit that is set in a word, by de Bruijn multiplication.
_DE_BRUIJN = np.uint64(0x03F79D71B4CB0A89)
_BIT_POSITION = np.zeros(64, np.int64)
for _bit in range(64):
    _BIT_POSITION[(((1 << _bit) * int(_DE_BRUIJN)) % (1 << 64)) >> 58] = _bit


@numba.njit(cache=True)
def begin(table, source, episodes, env, jet):  # type: ignore[no-untyped-def]
    """Start the episode of environment ``env`` with the jet in row ``jet``."""
    if not source.ready[jet]:
        fill_in(table, source, jet)
    episodes.jet[env] = jet
    episodes.first[env] = table.first[jet]
    episodes.word_first[env] = table.word_first[jet]
    episodes.visits[env] = table.first[jet + 1] - table.first[jet]
    episodes.place[env] = 0
    episodes.momentum[env] = table.momentum[jet]
    episodes.alive[env] = ~np.uint64(0)


@numba.njit(cache=True, error_model="numpy", inline="always")
def _decide(  # type: ignore[no-untyped-def]
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
):
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
def observe(shown, node, episodes, observation, node_index):  # type: ignore[no-untyped-def]
    """Fill in what is shown of each environment's current node; zeros and -1 where none is left."""
    for env in range(len(observation)):
        if episodes.place[env] < episodes.visits[env]:
            row = episodes.first[env] + episodes.place[env]
            for c in range(observation.shape[1]):
                observation[env, c] = shown[row, c]
            node_index[env] = node[row]
        else:
            for c in range(observation.shape[1]):
                observation[env, c] = 0.0
            node_index[env] = -1
