"""Two levels of the same event: partons, and what becomes of them; and jets found in both.

A pair is for scoring only: it says what a jet of one level should have been translated to.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import awkward as ak

MATCHING_DISTANCE = 0.4
"""Largest distance in rapidity and azimuth of two jets that are the same one."""

_HARD_PROCESS = 0  # Pythia's number of the parton system of the hardest process


class TwoLevels(NamedTuple):
    """The same events before and after hadronisation.

    Attributes
    ----------
    partons, particles
        Awkward arrays of shape (events, var) of records px, py, pz, E in GeV and id. Partons are
        those of the hard process and its showers, without multiparton interactions and beam
        remnants; particles are all stable ones.
    """

    partons: ak.Array
    particles: ak.Array


def next_events(pythia: Any, number: int) -> TwoLevels:
    """Generate events at both levels.

    Parameters
    ----------
    pythia
        A generator that stops before hadronisation (``HadronLevel:all = off``).
    number
        How many to try; events that fail are left out.

    Returns
    -------
    TwoLevels
    """
    partons, particles = [], []
    for _ in range(number):
        if not pythia.next():
            continue
        systems = pythia.partonSystems
        event = pythia.event
        hard = [
            _row(event[systems.getOut(_HARD_PROCESS, k)])
            for k in range(systems.sizeOut(_HARD_PROCESS))
        ]
        if not pythia.forceHadronLevel():
            continue
        partons.append(hard)
        particles.append([_row(one) for one in pythia.event if one.isFinal()])
    return TwoLevels(_records(partons), _records(particles))


def match(
    event: tuple[NDArray[np.int64], NDArray[np.int64]],
    direction: tuple[NDArray[np.float64], NDArray[np.float64]],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Find the jets that two levels share.

    Two jets of an event are the same if each is the other's nearest and they are closer than
    ``MATCHING_DISTANCE``.

    Parameters
    ----------
    event
        For each level int64, shape (jets,): the event of each jet, not falling.
    direction
        For each level float64, shape (jets, 2): rapidity and azimuth.

    Returns
    -------
    first, second : int64, shape (pairs,)
        Positions of the partners, ordered as the jets of the first level.
    """
    if not (len(event[0]) and len(event[1])):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    rapidity = direction[0][:, None, 0] - direction[1][None, :, 0]
    azimuth = direction[0][:, None, 1] - direction[1][None, :, 1]
    azimuth = np.abs((azimuth + math.pi) % (2.0 * math.pi) - math.pi)
    distance = np.hypot(rapidity, azimuth)
    distance[event[0][:, None] != event[1][None, :]] = np.inf
    nearest, back = distance.argmin(axis=1), distance.argmin(axis=0)
    first = np.arange(len(nearest))
    same = (back[nearest] == first) & (distance[first, nearest] < MATCHING_DISTANCE)
    return first[same], nearest[same]


def _row(particle: Any) -> tuple[float, float, float, float, int]:
    return particle.px(), particle.py(), particle.pz(), particle.e(), particle.id()


def _records(events: list[list[tuple[float, float, float, float, int]]]) -> ak.Array:
    import awkward as ak

    rows = np.array([row for event in events for row in event], np.float64).reshape(-1, 5)
    columns = {name: rows[:, k].copy() for k, name in enumerate(("px", "py", "pz", "E"))}
    columns["id"] = rows[:, 4].astype(np.int64)
    return ak.unflatten(ak.zip(columns), [len(event) for event in events])
