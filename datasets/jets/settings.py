"""Settings of the jet samples: processes, levels, and which seed makes which jets.

The physics settings are those of the public JetsGame samples (arXiv:1903.09644,
DOI 10.5281/zenodo.2602515). A sample is made of chunks, each with a Pythia seed of its own, so
that it depends neither on who generates which chunk nor on how many chunks there are.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Literal

from ..errors import DatasetError

Process = Literal["W", "QCD", "top"]
Level = Literal["parton", "hadron", "truth", "detector"]

PROCESSES: dict[Process, tuple[str, ...]] = {
    "W": ("WeakDoubleBoson:ffbar2WW = on", "24:onMode = off", "24:onIfAny = 1 2 3 4 5"),
    "QCD": ("HardQCD:all = on",),
    "top": (
        "Top:gg2ttbar = on",
        "Top:qqbar2ttbar = on",
        "24:onMode = off",
        "24:onIfAny = 1 2 3 4 5",
    ),
}
LEVELS: dict[Level, tuple[str, ...]] = {
    "parton": ("HadronLevel:all = off", "PartonLevel:MPI = off"),
    "hadron": ("PartonLevel:MPI = off",),
    "truth": (),
    "detector": (),
}
MATCHABLE = ("parton", "truth", "detector")
"""Levels that can be had of the same event; hadron level has no multiparton interactions."""

WEAK_B_HADRONS = (511, 521, 531, 541, 5122, 5132, 5232, 5332)
NEUTRINOS = (12, 14, 16)

SPLITS = ("train", "validation", "test")
SEEDS_PER_SPLIT = 300_000_000
"""Pythia accepts seeds up to 900,000,000: each split owns a third of them."""
CHUNKS_PER_SEED = 20_000
CHUNK_JETS = 1000
MAX_SEED = SEEDS_PER_SPLIT // CHUNKS_PER_SEED - 1


@dataclass(frozen=True)
class GeneratorSettings:
    """What distinguishes one sample of jets from another.

    Attributes
    ----------
    process
        W (WW pairs), QCD (dijets) or top (top pairs); W bosons decay to quarks.
    pt_min
        Smallest jet transverse momentum in GeV. Pythia's ``PhaseSpace:pTHatMin`` is 0.8 of it,
        as in the published 500 GeV samples.
    level
        parton (no hadronisation, no multiparton interactions), hadron (no multiparton
        interactions), truth (everything on) or detector (what a detector makes of truth, see
        `detector`).
    neutrinos
        Count neutrinos among the jets' constituents, as the public samples do.
    pi0_decays, b_decays
        Let neutral pions and weakly decaying B hadrons decay; stable in the public samples.
    matched
        Keep only the jets that have a partner in the selection at this other level of the same
        event, see `pairing`. Two samples with levels exchanged and the same seed hold the same
        jets in the same order. Multiparton interactions are then on; partons that come from them
        are not counted.
    """

    process: Process
    pt_min: float
    level: Level = "truth"
    neutrinos: bool = True
    pi0_decays: bool = False
    b_decays: bool = False
    matched: Level | None = None

    radius: float = dataclasses.field(default=1.0, init=False)
    rapidity_max: float = dataclasses.field(default=2.5, init=False)
    jets_per_event: int = dataclasses.field(default=2, init=False)

    def __post_init__(self) -> None:
        if self.process not in PROCESSES:
            raise DatasetError(f"process {self.process!r} is none of {', '.join(PROCESSES)}")
        if self.level not in LEVELS:
            raise DatasetError(f"level {self.level!r} is none of {', '.join(LEVELS)}")
        if self.matched is not None and not (
            self.level in MATCHABLE and self.matched in MATCHABLE and self.level != self.matched
        ):
            raise DatasetError(
                f"{self.level} cannot be matched with {self.matched}: give two different ones of "
                f"{', '.join(MATCHABLE)}"
            )
        if not 20 <= self.pt_min <= 5000:
            raise DatasetError(f"pt_min = {self.pt_min} GeV is outside 20 to 5000 GeV")

    def variant(self) -> tuple[str, ...]:
        """Level and the switches that differ from the public samples, as in file names."""
        return (
            self.level,
            *((f"matched-{self.matched}",) if self.matched else ()),
            *(() if self.neutrinos else ("noneutrinos",)),
            *(("pi0decays",) if self.pi0_decays else ()),
            *(("bdecays",) if self.b_decays else ()),
        )

    def pythia_commands(self) -> tuple[str, ...]:
        """Return the lines given to Pythia, without its seed."""
        # Matched levels are those of one event: it is hadronised once its partons are known.
        level = ("HadronLevel:all = off",) if self.matched else LEVELS[self.level]
        stable = (() if self.pi0_decays else (111,)) + (() if self.b_decays else WEAK_B_HADRONS)
        return (
            "Beams:idA = 2212",
            "Beams:idB = 2212",
            "Beams:eCM = 14000.",
            "Tune:pp = 5",
            f"PhaseSpace:pTHatMin = {0.8 * self.pt_min:g}",
            *PROCESSES[self.process],
            *level,
            *(f"{particle}:mayDecay = off" for particle in stable),
        )


def pythia_seed(split: str, seed: int, chunk: int) -> int:
    """Pythia's seed for one chunk of a sample; splits never share a seed.

    Parameters
    ----------
    split
        train, validation or test.
    seed
        The sample's seed, 0 to ``MAX_SEED``.
    chunk
        Number of the chunk, 0 to ``CHUNKS_PER_SEED - 1``.

    Returns
    -------
    int

    Raises
    ------
    DatasetError
        If a value is outside its range.
    """
    if split not in SPLITS:
        raise DatasetError(f"split {split!r} is none of {', '.join(SPLITS)}")
    if not 0 <= seed <= MAX_SEED:
        raise DatasetError(f"seed {seed} is outside 0 to {MAX_SEED}")
    if not 0 <= chunk < CHUNKS_PER_SEED:
        raise DatasetError(
            f"one seed makes at most {CHUNKS_PER_SEED * CHUNK_JETS} jets: use another seed for more"
        )
    return 1 + SPLITS.index(split) * SEEDS_PER_SPLIT + seed * CHUNKS_PER_SEED + chunk


def chunk_sizes(jets: int) -> list[int]:
    """Jets in each chunk of a sample of ``jets`` jets."""
    full, rest = divmod(jets, CHUNK_JETS)
    return [CHUNK_JETS] * full + ([rest] if rest else [])
