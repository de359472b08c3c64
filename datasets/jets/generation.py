"""Simulated jets: Pythia 8 events, anti-kt jets, reclustered constituents.

One chunk of a sample is one run of Pythia with a seed of its own; see `settings` for what is
generated and `production` for whole samples.
"""

from __future__ import annotations

import functools
import operator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import DatasetError
from . import clustering
from .settings import NEUTRINOS, GeneratorSettings

if TYPE_CHECKING:
    import awkward as ak

    from .detector_card import DetectorCard

_EVENTS_PER_BATCH = 100
_GRID = 2.0**16
_DETECTOR = 1  # second word of the seed, apart from Pythia's own numbers


class JetChunk(NamedTuple):
    """Consecutive jets of a sample with their clustering trees.

    Attributes
    ----------
    counts
        int32, shape (jets,): constituents of each jet.
    constituents
        float32, shape (constituents, 4): px, py, pz, E in GeV, in tree order; float64 only where
        rounding was switched off.
    softer_size
        int16, shape (nodes,): constituents in the softer branch of each node, in pre-order.
    pythia_seed, event, rank
        int32, int32, int8, shape (jets,): the Pythia seed, the event counted from that seed's
        first, and the place of the jet in its event (0 is the hardest).
    """

    counts: NDArray[np.int32]
    constituents: NDArray[np.float32] | NDArray[np.float64]
    softer_size: NDArray[np.int16]
    pythia_seed: NDArray[np.int32]
    event: NDArray[np.int32]
    rank: NDArray[np.int8]


def to_grid(momenta: NDArray[np.float64]) -> NDArray[np.float32]:
    """Round momenta to float32 and to multiples of 2^-16 GeV (15 keV).

    Sums of such numbers are exact in float64 whatever their order, so every way to groom a jet
    gives the same mass to the last bit; and the files compress better.
    """
    steps: NDArray[np.float32] = np.rint(momenta.astype(np.float32) * np.float32(_GRID))
    return steps / np.float32(_GRID)


def generate_chunk(
    settings: GeneratorSettings, seed: int, jets: int, *, grid: bool = True
) -> JetChunk:
    """Generate the first jets of one Pythia seed.

    Parameters
    ----------
    settings
        What to generate.
    seed
        Pythia's seed, see `settings.pythia_seed`.
    jets
        How many jets; fewer are a prefix of more.
    grid
        Round momenta to the grid of `to_grid`. Switched off only to measure what it costs; the
        constituents are then float64.

    Returns
    -------
    JetChunk

    Raises
    ------
    DatasetError
        If Pythia refuses its settings.
    """
    import awkward as ak
    import pythia8mc

    pythia = pythia8mc.Pythia("", False)
    for command in (
        *settings.pythia_commands(),
        "Print:quiet = on",
        "Random:setSeed = on",
        f"Random:seed = {seed}",
    ):
        if not pythia.readString(command):
            raise DatasetError(f"Pythia does not accept the setting {command!r}")
    if not pythia.init():
        raise DatasetError(f"Pythia could not be initialised with {settings}")
    card = None
    if settings.level == "detector":
        from .detector_card import read_card

        card = read_card()
    # The detector's randomness: batches follow each other, so fewer jets are a prefix of more.
    random = np.random.default_rng([seed, _DETECTOR])

    events: list[NDArray[np.int64]] = []
    ranks: list[NDArray[np.int64]] = []
    sizes: list[NDArray[np.int64]] = []
    momenta: list[NDArray[np.float64]] = []
    found = first_event = 0
    while found < jets:
        batch = pythia.nextBatch(_EVENTS_PER_BATCH)
        particles = batch.prt[batch.prt.status > 0]
        if not settings.neutrinos:
            flavour = np.abs(particles.id)
            others = (flavour != neutrino for neutrino in NEUTRINOS)
            particles = particles[functools.reduce(operator.and_, others)]
        p = ak.zip(
            {"px": particles.p.px, "py": particles.p.py, "pz": particles.p.pz, "E": particles.p.e}
        )
        if card:
            p = _reconstruct(pythia, particles.id, p, card, random)
        event, index = clustering.find_jets(
            p, settings.radius, settings.pt_min, settings.rapidity_max, settings.jets_per_event
        )
        chosen = p[event][index]
        columns = np.stack(
            [ak.to_numpy(ak.flatten(chosen[name])) for name in ("px", "py", "pz", "E")], axis=-1
        )
        count = ak.to_numpy(ak.num(chosen))
        if grid:
            columns = to_grid(columns).astype(np.float64)
        # A particle without transverse momentum (below the grid's 15 keV) has no rapidity.
        visible = np.hypot(columns[:, 0], columns[:, 1]) > 0
        count = np.add.reduceat(visible, np.cumsum(count) - count) if len(count) else count
        events.append(first_event + event)
        ranks.append(np.concatenate([[0], np.where(np.diff(event) == 0, 1, 0)])[: len(event)])
        sizes.append(count)
        momenta.append(columns[visible])
        found += len(event)
        first_event += len(batch)

    counts = np.concatenate(sizes)[:jets].astype(np.int64)
    offsets = np.concatenate([[0], np.cumsum(counts)])
    trees = clustering.cluster(offsets, np.concatenate(momenta)[: offsets[-1]])
    return JetChunk(
        counts=counts.astype(np.int32),
        constituents=trees.constituents.astype(np.float32) if grid else trees.constituents,
        softer_size=trees.softer_size.astype(np.int16),
        pythia_seed=np.full(jets, seed, np.int32),
        event=np.concatenate(events)[:jets].astype(np.int32),
        rank=np.concatenate(ranks)[:jets].astype(np.int8),
    )


def _reconstruct(
    pythia: Any,
    pdg: ak.Array,
    momenta: ak.Array,
    card: DetectorCard,
    random: np.random.Generator,
) -> ak.Array:
    """Energy flow of a batch of events, as records px, py, pz, E."""
    import awkward as ak

    from . import detector

    codes = ak.to_numpy(ak.flatten(pdg)).astype(np.int64)
    known, place = np.unique(codes, return_inverse=True)
    charge = np.array([pythia.particleData.charge(int(code)) for code in known])[place]
    columns = [ak.to_numpy(ak.flatten(momenta[name])) for name in ("px", "py", "pz", "E")]
    event = np.repeat(np.arange(len(pdg)), ak.to_numpy(ak.num(pdg)))
    seen = detector.simulate(
        detector.Particles(np.stack(columns, axis=1), codes, charge, event), card, random
    )
    counts = np.bincount(seen.event, minlength=len(pdg))
    px, py, pz, energy = np.ascontiguousarray(seen.momenta.T)
    return ak.unflatten(ak.zip({"px": px, "py": py, "pz": pz, "E": energy}), counts)
