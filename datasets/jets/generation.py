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
from . import clustering, pairing
from .settings import MATCHABLE, NEUTRINOS, GeneratorSettings

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


def visible(
    counts: NDArray[np.int64], momenta: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Leave out particles without transverse momentum, which have no rapidity.

    Parameters
    ----------
    counts
        int64, shape (jets,): constituents of each jet.
    momenta
        float64, shape (constituents, 4): px, py, pz, E in GeV.

    Returns
    -------
    counts, momenta
        The same of what is left.
    """
    seen = np.hypot(momenta[:, 0], momenta[:, 1]) > 0
    left = np.add.reduceat(seen, np.cumsum(counts) - counts) if len(counts) else counts
    return left, momenta[seen]


def visible_on_grid(
    counts: NDArray[np.int64], momenta: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Round momenta, see `to_grid`, then as `visible`: less than 15 keV becomes nothing."""
    return visible(counts, to_grid(momenta).astype(np.float64))


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
    if "detector" in (settings.level, settings.matched):
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
        found_jets, batch_size = _next_batch(pythia, settings, card, random)
        particles, event, index, rank = found_jets
        count, rows = clustering.gather(particles, event, index)
        count, rows = visible_on_grid(count, rows) if grid else visible(count, rows)
        events.append(first_event + event)
        ranks.append(rank)
        sizes.append(count)
        momenta.append(rows)
        found += len(event)
        first_event += batch_size

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


class _Jets(NamedTuple):
    """Jets of a batch of events, see `clustering.find_jets`."""

    particles: ak.Array
    event: NDArray[np.int64]
    index: ak.Array
    rank: NDArray[np.int64]

    def select(self, jets: NDArray[np.int64]) -> _Jets:
        return _Jets(self.particles, self.event[jets], self.index[jets], self.rank[jets])

    def directions(self) -> NDArray[np.float64]:
        """Rapidity and azimuth, shape (jets, 2)."""
        import awkward as ak

        chosen = self.particles[self.event][self.index]
        px, py, pz, energy = (
            ak.to_numpy(ak.sum(chosen[name], axis=1)) for name in ("px", "py", "pz", "E")
        )
        return np.stack([np.arctanh(pz / energy), np.arctan2(py, px)], axis=-1)


def _next_batch(
    pythia: Any, settings: GeneratorSettings, card: DetectorCard | None, random: np.random.Generator
) -> tuple[_Jets, int]:
    """Jets of the next events, and how many events these are."""
    import awkward as ak

    if settings.matched is None:
        batch = pythia.nextBatch(_EVENTS_PER_BATCH)
        particles = batch.prt[batch.prt.status > 0]
        columns = {
            "px": particles.p.px,
            "py": particles.p.py,
            "pz": particles.p.pz,
            "E": particles.p.e,
            "id": particles.id,
        }
        detector = card if settings.level == "detector" else None
        events = ak.zip(columns)
        return _find_jets(pythia, settings, events, detector, random), len(batch)
    pair = pairing.next_events(pythia, _EVENTS_PER_BATCH)
    # In this order whichever of the two is asked for, so that both give the same jets.
    levels = sorted((settings.level, settings.matched), key=MATCHABLE.index)
    jets = [
        _find_jets(
            pythia,
            settings,
            pair.partons if level == "parton" else pair.particles,
            card if level == "detector" else None,
            random,
        )
        for level in levels
    ]
    partners = pairing.match(
        (jets[0].event, jets[1].event), (jets[0].directions(), jets[1].directions())
    )
    own = levels.index(settings.level)
    return jets[own].select(partners[own]), len(pair.partons)


def _find_jets(
    pythia: Any,
    settings: GeneratorSettings,
    particles: ak.Array,
    card: DetectorCard | None,
    random: np.random.Generator,
) -> _Jets:
    """Jets of events: records px, py, pz, E and id, as a detector sees them if there is one."""
    import awkward as ak

    if not settings.neutrinos:
        flavour = np.abs(particles.id)
        others = (flavour != neutrino for neutrino in NEUTRINOS)
        particles = particles[functools.reduce(operator.and_, others)]
    momenta = particles[["px", "py", "pz", "E"]]
    if card:
        momenta = _reconstruct(pythia, particles.id, momenta, card, random)
    event, index = clustering.find_jets(
        momenta, settings.radius, settings.pt_min, settings.rapidity_max, settings.jets_per_event
    )
    return _Jets(ak.Array(momenta), event, index, clustering.ranks(event))


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
