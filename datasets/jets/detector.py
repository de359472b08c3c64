"""A fast parametrised detector: tracks, calorimeter towers, and the energy flow of both.

The steps are those of Delphes (arXiv:1307.6346, sections 2 and 3). Particles come from the origin;
charged ones move on helices. Tracks are found with a probability and a resolution. Each calorimeter
sums what it sees in towers and smears it. Where a tower has significantly more energy than the
tracks that point to it, the excess becomes a neutral particle; otherwise tracks and tower are two
measurements of the same energy and are averaged.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .detector_card import Calorimeter, DetectorCard, Tracking

_ELECTRON, _MUON = 11, 13
_CURVATURE = 0.299792458
"""pT in GeV = this x field in T x radius in m, for unit charge."""

_ETA_MAX = 5.0

Floats = NDArray[np.float64]


class Particles(NamedTuple):
    """Stable particles of many events.

    Attributes
    ----------
    momenta
        float64, shape (n, 4): px, py, pz, E in GeV.
    pdg
        int64, shape (n,): PDG codes.
    charge
        float64, shape (n,): in units of the proton's.
    event
        int64, shape (n,): number of the event, not falling.
    """

    momenta: Floats
    pdg: NDArray[np.int64]
    charge: Floats
    event: NDArray[np.int64]


class EnergyFlow(NamedTuple):
    """What the detector reconstructs, ordered by event.

    Attributes
    ----------
    momenta
        float64, shape (n, 4): px, py, pz, E in GeV, massless.
    event
        int64, shape (n,).
    kind
        int8, shape (n,): 0 track, 1 photon (ECAL), 2 neutral hadron (HCAL).
    """

    momenta: Floats
    event: NDArray[np.int64]
    kind: NDArray[np.int8]


class _Tracks(NamedTuple):
    pt: Floats
    eta: Floats  # of the momentum at the origin
    phi: Floats
    at_eta: Floats  # where the particle reaches the calorimeter
    at_phi: Floats
    pdg: NDArray[np.int64]
    event: NDArray[np.int64]
    resolution: Floats  # sigma(E) / E

    @property
    def energy(self) -> Floats:
        return np.asarray(self.pt * np.cosh(self.eta))


def simulate(particles: Particles, card: DetectorCard, random: np.random.Generator) -> EnergyFlow:
    """Send particles through the detector.

    Parameters
    ----------
    particles
        Stable particles; neutrinos are not seen.
    card
        The detector.
    random
        Where the randomness comes from.

    Returns
    -------
    EnergyFlow
    """
    px, py, pz, energy = particles.momenta.T
    pt = np.hypot(px, py)
    moving = pt > 0.0
    particles = Particles(*(column[moving] for column in particles))
    px, py, pz, energy, pt = (column[moving] for column in (px, py, pz, energy, pt))
    eta, phi = np.arcsinh(pz / pt), np.arctan2(py, px)
    at_eta, at_phi = _propagate(pt, eta, phi, particles.charge, card)
    reached = np.abs(at_eta) < _ETA_MAX
    tracks = _find_tracks(particles, pt, eta, phi, at_eta, at_phi, reached, card, random)
    deposits = (at_eta[reached], at_phi[reached], particles.event[reached])
    pdg, seen = particles.pdg[reached], energy[reached]
    photons, tracks = _calorimeter(deposits, pdg, seen, tracks, card.ecal, random)
    neutrals, tracks = _calorimeter(deposits, pdg, seen, tracks, card.hcal, random)
    objects = (
        (tracks.pt, tracks.eta, tracks.phi, tracks.event, 0),
        (*photons, 1),
        (*neutrals, 2),
    )
    pt, eta, phi, event = (np.concatenate([one[k] for one in objects]) for k in range(4))
    kind = np.concatenate([np.full(len(one[0]), one[4], np.int8) for one in objects])
    order = np.argsort(event, kind="stable")
    momenta = np.stack(
        [pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta), pt * np.cosh(eta)], axis=1
    )
    return EnergyFlow(momenta[order], event[order].astype(np.int64), kind[order])


def _propagate(
    pt: Floats, eta: Floats, phi: Floats, charge: Floats, card: DetectorCard
) -> tuple[Floats, Floats]:
    """Where particles from the origin reach the calorimeter: eta and phi of the place."""
    magnet = card.magnet
    charged = (charge != 0.0) & (magnet.field > 0.0)
    at_eta, at_phi = eta.copy(), phi.copy()
    q, p, slope = charge[charged], pt[charged], np.sinh(eta[charged])
    radius = p / (_CURVATURE * magnet.field * np.abs(q))
    # Angle turned until the barrel is reached (never, for those that curl up) or the endcap.
    with np.errstate(divide="ignore"):
        barrel = np.where(
            2.0 * radius > magnet.radius,
            2.0 * np.arcsin(np.minimum(1.0, magnet.radius / (2.0 * radius))),
            np.inf,
        )
        endcap = magnet.half_length / (radius * np.abs(slope))
    # A particle that goes round in the barrel for ever is taken after one turn.
    turned = np.minimum(np.minimum(barrel, endcap), 2.0 * np.pi)
    chord = np.maximum(2.0 * radius * np.abs(np.sin(0.5 * turned)), 1e-6)
    at_eta[charged] = np.arcsinh(radius * slope * turned / chord)
    at_phi[charged] = _wrapped(phi[charged] - np.sign(q) * 0.5 * turned)
    return at_eta, at_phi


def _find_tracks(
    particles: Particles,
    pt: Floats,
    eta: Floats,
    phi: Floats,
    at_eta: Floats,
    at_phi: Floats,
    reached: NDArray[np.bool_],
    card: DetectorCard,
    random: np.random.Generator,
) -> _Tracks:
    flavour = np.abs(particles.pdg)
    charged = (particles.charge != 0.0) & reached
    probability, resolution = np.zeros(len(pt)), np.zeros(len(pt))
    kinds = (
        (card.tracks.electrons, charged & (flavour == _ELECTRON)),
        (card.tracks.muons, charged & (flavour == _MUON)),
        (
            card.tracks.charged_hadrons,
            charged & (flavour != _ELECTRON) & (flavour != _MUON),
        ),
    )
    for tracking, chosen in kinds:
        probability[chosen] = _efficiency(tracking, np.abs(eta[chosen]), pt[chosen])
        resolution[chosen] = _track_resolution(tracking, np.abs(eta[chosen]), pt[chosen])
    found = random.random(len(pt)) < probability
    smeared = _lognormal(pt[found], resolution[found] * pt[found], random)
    return _Tracks(
        pt=smeared,
        eta=eta[found],
        phi=phi[found],
        at_eta=at_eta[found],
        at_phi=at_phi[found],
        pdg=particles.pdg[found],
        event=particles.event[found],
        resolution=resolution[found],
    )


def _efficiency(tracking: Tracking, eta: Floats, pt: Floats) -> Floats:
    conditions = [(eta <= row[0]) & (pt <= row[1]) for row in tracking.efficiency]
    return np.select(conditions, [row[2] for row in tracking.efficiency], 0.0)


def _track_resolution(tracking: Tracking, eta: Floats, pt: Floats) -> Floats:
    conditions = [eta <= row[0] for row in tracking.resolution]
    return np.select(conditions, [np.hypot(row[1], row[2] * pt) for row in tracking.resolution])


def _calorimeter(
    deposits: tuple[Floats, Floats, NDArray[np.int64]],
    pdg: NDArray[np.int64],
    energy: Floats,
    tracks: _Tracks,
    calorimeter: Calorimeter,
    random: np.random.Generator,
) -> tuple[tuple[Floats, Floats, Floats, NDArray[np.int64]], _Tracks]:
    """Neutral particles (pt, eta, phi, event) that a calorimeter finds, and corrected tracks."""
    share = _shares(calorimeter, pdg)
    track_share = _shares(calorimeter, tracks.pdg)
    seen, pointing = share > 0.0, track_share > 0.0
    at_eta, at_phi, event = deposits[0][seen], deposits[1][seen], deposits[2][seen]
    towers = _Towers(calorimeter)
    cells = towers.cell(at_eta, at_phi, event)
    track_cells = towers.cell(
        tracks.at_eta[pointing], tracks.at_phi[pointing], tracks.event[pointing]
    )
    # A track whose particle was not seen here still has its tower.
    hit, place = np.unique(np.concatenate([cells, track_cells]), return_inverse=True)
    count = len(hit)
    true: Floats = np.bincount(place[: len(cells)], energy[seen] * share[seen], count).astype(float)
    track_energy = tracks.energy[pointing] * track_share[pointing]
    track_place = place[len(cells) :]
    charged = np.bincount(track_place, track_energy, count)
    charged_sigma = np.sqrt(
        np.bincount(track_place, (tracks.resolution[pointing] * track_energy) ** 2, count)
    )
    eta_low, eta_high, phi_low, phi_high, tower_event = towers.edges(hit)
    centre = np.abs(0.5 * (eta_low + eta_high))
    measured = _lognormal(true, _sigma(calorimeter, centre, true), random)
    sigma = _sigma(calorimeter, centre, measured)
    lit = (measured >= calorimeter.energy_min) & (measured >= calorimeter.significance_min * sigma)
    measured = np.where(lit, measured, 0.0)
    excess = np.maximum(measured - charged, 0.0)
    neutral = (excess > calorimeter.energy_min) & (
        excess > calorimeter.significance_min * np.hypot(sigma, charged_sigma)
    )
    # Two measurements of the same energy, each with its weight.
    both = (charged > 0.0) & (measured > 0.0) & ~neutral
    with np.errstate(divide="ignore", invalid="ignore"):
        best = (charged / charged_sigma**2 + measured / sigma**2) / (
            1.0 / charged_sigma**2 + 1.0 / sigma**2
        )
        scale = np.where(both & (charged_sigma > 0.0), best / charged, 1.0)
    new_pt = tracks.pt.copy()
    new_pt[pointing] *= scale[track_place]
    eta = random.uniform(eta_low, eta_high)[neutral]
    phi = random.uniform(phi_low, phi_high)[neutral]
    found = (excess[neutral] / np.cosh(eta), eta, phi, tower_event[neutral])
    return found, tracks._replace(pt=new_pt)


def _shares(calorimeter: Calorimeter, pdg: NDArray[np.int64]) -> Floats:
    flavour = np.abs(pdg)
    conditions = [flavour == code for code in calorimeter.shares]
    return np.select(conditions, [*calorimeter.shares.values()], calorimeter.default_share)


def _sigma(calorimeter: Calorimeter, eta: Floats, energy: Floats) -> Floats:
    rows = calorimeter.resolution
    return np.select(
        [eta <= row[0] for row in rows],
        [
            (s0 + s2 * (eta - eta0) ** 2) * np.sqrt((c * energy) ** 2 + s * s * energy + n * n)
            for _, s0, s2, eta0, c, s, n in rows
        ],
    )


class _Towers:
    """Numbers of towers: event x ring in eta x place around."""

    def __init__(self, calorimeter: Calorimeter) -> None:
        edges: list[float] = []
        around: list[int] = []
        for low, high, width, number in calorimeter.towers:
            steps = max(1, round((high - low) / width))
            rings = np.linspace(low, high, steps + 1)
            edges += [*rings[: -1 if high < calorimeter.towers[-1][1] else None]]
            around += [number] * steps
        self._edges = np.concatenate([-np.array(edges[:0:-1]), edges])
        self._around = np.array(around[::-1] + around)
        self._most = int(self._around.max())

    def cell(self, eta: Floats, phi: Floats, event: NDArray[np.int64]) -> NDArray[np.int64]:
        ring = np.clip(np.searchsorted(self._edges, eta, "right") - 1, 0, len(self._around) - 1)
        around = self._around[ring]
        place = np.minimum((phi + np.pi) / (2.0 * np.pi) * around, around - 1).astype(np.int64)
        return (event * len(self._around) + ring) * self._most + place

    def edges(
        self, cell: NDArray[np.int64]
    ) -> tuple[Floats, Floats, Floats, Floats, NDArray[np.int64]]:
        rest, place = np.divmod(cell, self._most)
        event, ring = np.divmod(rest, len(self._around))
        width = 2.0 * np.pi / self._around[ring]
        phi = place * width - np.pi
        return self._edges[ring], self._edges[ring + 1], phi, phi + width, event


def _lognormal(mean: Floats, sigma: Floats, random: np.random.Generator) -> Floats:
    """Positive numbers with this mean and standard deviation; zero stays zero."""
    normal = random.standard_normal(len(mean))
    safe = np.where(mean > 0.0, mean, 1.0)
    spread = np.sqrt(np.log1p((sigma / safe) ** 2))
    return np.where(mean > 0.0, safe * np.exp(spread * normal - 0.5 * spread**2), 0.0)


def _wrapped(phi: Floats) -> Floats:
    return np.asarray((phi + np.pi) % (2.0 * np.pi) - np.pi)
