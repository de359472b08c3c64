"""Jets from the ROOT files of Delphes (arXiv:1307.6346): its energy flow, clustered as elsewhere.

The tree ``Delphes`` has one entry per event and split branches of objects. Read are

===================  ==============  ==========================
object               branches        what it is
===================  ==============  ==========================
EFlowTrack           PT, Eta, Phi    tracks
EFlowPhoton          ET, Eta, Phi    energy of neutral photons
EFlowNeutralHadron   ET, Eta, Phi    energy of neutral hadrons
===================  ==============  ==========================

with the names ``EFlowTrack.PT`` and so on. All are taken as massless, as `detector` gives them.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .. import root_files
from ..errors import DatasetError
from . import clustering
from .generation import visible_on_grid
from .settings import GeneratorSettings
from .trees import ClusteringTrees

if TYPE_CHECKING:
    import awkward as ak

TREE = "Delphes"
OBJECTS = {"EFlowTrack": "PT", "EFlowPhoton": "ET", "EFlowNeutralHadron": "ET"}
"""Objects of the energy flow, and the branch of each that holds the transverse momentum."""

_EVENTS_PER_STEP = 1000
_ETA_MAX = 50.0


def read(
    path: str | os.PathLike[str], tree: str | None = None, *, pt_min: float = 500.0
) -> tuple[ClusteringTrees, dict[str, NDArray[np.integer]]]:
    """Find and recluster the jets of a Delphes file.

    Parameters
    ----------
    path
        The file.
    tree
        Name of the tree; "Delphes" if None.
    pt_min
        Smallest transverse momentum of a jet in GeV. Radius, rapidity and number of jets are those
        of the other samples: anti-kt, R = 1, |y| < 2.5, the two hardest of an event.

    Returns
    -------
    trees : ClusteringTrees
    origin : dict
        "event", the entry of each jet, and "rank", its place in its event.

    Raises
    ------
    DatasetError
        If the file is absent or damaged, has no such tree or branches, a value is impossible, or
        there is no jet.
    """
    if not pt_min > 0:
        raise DatasetError(f"pt_min = {pt_min} GeV must be positive")
    selection = GeneratorSettings("QCD", 500.0)
    branches = [
        root_files.Branch(f"{name}.{quantity}", "float")
        for name, pt in OBJECTS.items()
        for quantity in (pt, "Eta", "Phi")
    ]
    events: list[NDArray[np.int64]] = []
    counts: list[NDArray[np.int64]] = []
    momenta: list[NDArray[np.float64]] = []
    with root_files.Table(path, TREE if tree is None else tree) as table:
        for start in range(0, table.entries, _EVENTS_PER_STEP):
            columns = table.read(branches, start=start, stop=start + _EVENTS_PER_STEP)
            particles, entry = _energy_flow(columns, table, start)
            if not len(particles):
                continue
            event, index = clustering.find_jets(
                particles,
                selection.radius,
                pt_min,
                selection.rapidity_max,
                selection.jets_per_event,
            )
            count, rows = visible_on_grid(*clustering.gather(particles, event, index))
            events.append(entry[event])
            counts.append(count)
            momenta.append(rows)
        if not sum(map(len, events)):
            raise DatasetError(
                f"{table.place()} has no jet with pT > {pt_min:g} GeV in {table.entries} events: "
                "give a smaller pt_min"
            )
    event = np.concatenate(events)
    offsets = np.concatenate([[0], np.cumsum(np.concatenate(counts))])
    trees = clustering.cluster(offsets, np.concatenate(momenta))
    return trees, {"event": event, "rank": clustering.ranks(event)}


def _energy_flow(
    columns: dict[str, ak.Array], table: root_files.Table, start: int
) -> tuple[ak.Array, NDArray[np.int64]]:
    """Particles of each event that has any, and the entries of these events."""
    import awkward as ak

    pieces = []
    for name, pt in OBJECTS.items():
        names = [f"{name}.{quantity}" for quantity in (pt, "Eta", "Phi")]
        counts = [ak.to_numpy(ak.num(columns[one])) for one in names]
        for one, count in zip(names[1:], counts[1:], strict=True):
            if not np.array_equal(count, counts[0]):
                entry = start + int(np.argmax(count != counts[0]))
                raise DatasetError(
                    f"{table.place(one)}, entry {entry} has another length than {names[0]}: the "
                    "file is damaged, make it again"
                )
        values = [ak.to_numpy(ak.flatten(columns[one])).astype(np.float64) for one in names]
        limits = ((0.0, np.inf), (-_ETA_MAX, _ETA_MAX), (-np.inf, np.inf))
        for one, value, (low, high) in zip(names, values, limits, strict=True):
            wrong = ~(np.isfinite(value) & (value >= low) & (value <= high))
            if wrong.any():
                place = int(np.argmax(wrong))
                entry = start + int(np.searchsorted(np.cumsum(counts[0]), place, "right"))
                raise DatasetError(
                    f"{table.place(one)}, entry {entry} holds {value[place]:g}: no particle has "
                    "that, leave the event out"
                )
        magnitude, eta, phi = values
        rows = {
            "px": magnitude * np.cos(phi),
            "py": magnitude * np.sin(phi),
            "pz": magnitude * np.sinh(eta),
            "E": magnitude * np.cosh(eta),
        }
        pieces.append(ak.unflatten(ak.zip(rows), counts[0]))
    particles = ak.concatenate(pieces, axis=1)
    filled = ak.to_numpy(ak.num(particles)) > 0
    return particles[filled], start + np.flatnonzero(filled)
