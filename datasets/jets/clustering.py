"""FastJet: finding jets in events and reclustering their constituents.

FastJet does the physics. Its clustering history is read in one piece per jet and turned into
flat arrays by compiled code, because walking it through Python objects costs milliseconds a jet.
FastJet manual: arXiv:1111.6097.
"""

from __future__ import annotations

import ctypes
import itertools
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .trees import ClusteringTrees, order_from_history

if TYPE_CHECKING:
    import awkward as ak

# fastjet::ClusterSequence::history_element: int parent1, parent2, child, jetp_index and two
# doubles (fastjet/ClusterSequence.hh).
_HISTORY_BYTES = 32

RECLUSTERING_RADIUS = 1000.0
"""C/A radius, FastJet's largest: it joins all constituents of a jet but for any along the beam."""


def find_jets(
    particles: ak.Array, radius: float, pt_min: float, rapidity_max: float, hardest: int
) -> tuple[NDArray[np.int64], ak.Array]:
    """Find the hardest anti-kt jets of each event.

    Parameters
    ----------
    particles
        Events of particles, a jagged array of records px, py, pz, E in GeV.
    radius
        Jet radius R.
    pt_min
        Smallest transverse momentum of a jet in GeV.
    rapidity_max
        Largest absolute rapidity of a jet.
    hardest
        How many jets are kept of each event: the hardest of those inside the cuts.

    Returns
    -------
    event : int64, shape (jets,)
        The event of each jet; the harder jet of an event comes first.
    index : awkward array of int64, shape (jets, var)
        The jet's constituents as positions in the event.
    """
    import awkward as ak
    import fastjet

    silence_banner()
    definition = fastjet.JetDefinition(fastjet.antikt_algorithm, radius)
    sequence = fastjet.ClusterSequence(particles, definition)
    jets = sequence.inclusive_jets(min_pt=pt_min)
    index = sequence.constituent_index(min_pt=pt_min)
    rapidity = 0.5 * np.log((jets.E + jets.pz) / (jets.E - jets.pz))
    inside = np.abs(rapidity) < rapidity_max
    jets, index = jets[inside], index[inside]
    order = ak.argsort(np.hypot(jets.px, jets.py), axis=1, ascending=False)[:, :hardest]
    event = np.repeat(np.arange(len(jets)), ak.to_numpy(ak.num(order)))
    return event, ak.flatten(index[order], axis=1)


def ranks(event: NDArray[np.int64]) -> NDArray[np.int64]:
    """Place of each jet in its event, 0 or 1, of the events in the order of `find_jets`."""
    return np.concatenate([[0], np.where(np.diff(event) == 0, 1, 0)])[: len(event)]


def gather(
    particles: ak.Array, event: NDArray[np.int64], index: ak.Array
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Momenta of the constituents of jets.

    Parameters
    ----------
    particles
        As for `find_jets`.
    event, index
        What it gave.

    Returns
    -------
    counts : int64, shape (jets,)
    momenta : float64, shape (constituents, 4)
        px, py, pz, E in GeV, jet after jet.
    """
    import awkward as ak

    chosen = particles[event][index]
    columns = [ak.to_numpy(ak.flatten(chosen[name])) for name in ("px", "py", "pz", "E")]
    return ak.to_numpy(ak.num(chosen)), np.stack(columns, axis=-1)


def cluster(offsets: NDArray[np.int64], momenta: NDArray[np.float64]) -> ClusteringTrees:
    """Recluster the constituents of jets with Cambridge/Aachen.

    Parameters
    ----------
    offsets
        int64, shape (jets + 1,): where each jet's constituents begin.
    momenta
        float64, shape (constituents, 4): px, py, pz, E in GeV, in any order.

    Returns
    -------
    ClusteringTrees

    Raises
    ------
    RuntimeError
        If FastJet's history is not laid out as its header says.
    """
    import fastjet

    silence_banner()
    definition = fastjet.JetDefinition(fastjet.cambridge_algorithm, RECLUSTERING_RADIUS)
    parents = [np.empty((0, 2), np.int32)]
    rows = momenta.tolist()
    bounds = offsets.tolist()
    for start, stop in itertools.pairwise(bounds):
        if stop - start > 1:
            parents.append(_recombinations(rows[start:stop], definition))
    order, softer_size = order_from_history(offsets, momenta, np.concatenate(parents))
    return ClusteringTrees(offsets, np.ascontiguousarray(momenta[order]), softer_size)


def _recombinations(particles: list[list[float]], definition: Any) -> NDArray[np.int32]:
    """Parents of each recombination, int32 of shape (particles - 1, 2)."""
    import fastjet
    from fastjet._swig import ClusterSequence

    sequence = ClusterSequence([fastjet.PseudoJet(*p) for p in particles], definition)
    # history() is an opaque pointer to std::vector<history_element>, whose first two words are
    # the addresses of its begin and its end.
    begin, end = (ctypes.c_size_t * 2).from_address(int(sequence.history()))
    if end - begin != 2 * len(particles) * _HISTORY_BYTES:
        raise RuntimeError(
            f"FastJet's history of {len(particles)} particles has {end - begin} bytes instead of "
            f"{2 * len(particles) * _HISTORY_BYTES}: this fastjet version is not supported, "
            "install the one in constraints.txt"
        )
    raw = ctypes.string_at(begin, end - begin)
    history = np.frombuffer(raw, np.int32).reshape(-1, _HISTORY_BYTES // 4)
    steps = history[len(particles) :, :2]
    if (steps[:-1, 1] < 0).any():
        return _join_all(particles, steps.tolist())
    return steps[:-1]


def _join_all(particles: list[list[float]], steps: list[list[int]]) -> NDArray[np.int32]:
    """Recombinations where FastJet left branches alone, as they are farther apart than its radius.

    That is where a constituent goes along the beam: its rapidity is beyond 1e5. A step with a
    negative second parent leaves a branch alone; here the nearest two of them are joined until one
    is left.
    """
    import fastjet

    branches = [fastjet.PseudoJet(*p) for p in particles]
    pairs: list[tuple[int, int]] = []

    def join(a: int, b: int) -> int:
        pairs.append((a, b))
        branches.append(branches[a] + branches[b])
        return len(branches) - 1

    number = list(range(len(particles)))
    alone: list[int] = []
    for first, second in steps:
        if second < 0:
            alone.append(number[first])
            number.append(-1)
        else:
            number.append(join(number[first], number[second]))
    while len(alone) > 1:
        a, b = min(
            itertools.combinations(alone, 2),
            key=lambda pair: branches[pair[0]].squared_distance(branches[pair[1]]),
        )
        alone = [*(one for one in alone if one not in (a, b)), join(a, b)]
    return np.array(pairs, np.int32)


def silence_banner() -> None:
    """Keep FastJet from printing its banner into the user's output."""
    from fastjet._swig import ClusterSequence

    ClusterSequence.set_fastjet_banner_stream(None)
