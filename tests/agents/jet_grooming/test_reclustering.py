"""Trimming and pruning against straightforward sequential recombination in NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from hepgym.agents.jet_grooming import Pruning, Trimming
from hepgym.datasets.jets.trees import mass


def pt(momenta):
    return np.hypot(momenta[..., 0], momenta[..., 1])


def distances_squared(momenta):
    px, py, pz, energy = momenta.T
    m2 = np.maximum((energy + pz) * (energy - pz) - px**2 - py**2, 0.0)
    y = np.copysign(1.0, pz) * np.log((energy + np.abs(pz)) / np.sqrt(px**2 + py**2 + m2))
    phi = np.arctan2(py, px)
    dphi = np.abs(phi[:, None] - phi)
    dphi = np.minimum(dphi, 2 * np.pi - dphi)
    return (y[:, None] - y) ** 2 + dphi**2


def recombine(momenta, i, j, members):
    """Put the sum of i and j in the place of i."""
    momenta[i] += momenta[j]
    members[i] |= members[j]
    return np.delete(momenta, j, axis=0), members[:j] + members[j + 1 :]


def trimmed_by_hand(momenta, radius, f_cut):
    total = momenta.sum(axis=0)
    momenta, members, kept = momenta.copy(), [{k} for k in range(len(momenta))], set()
    while len(momenta):
        pt2 = pt(momenta) ** 2
        d = np.minimum(pt2[:, None], pt2) * distances_squared(momenta) / radius**2
        np.fill_diagonal(d, pt2)
        i, j = sorted(np.unravel_index(d.argmin(), d.shape))
        if i != j:
            momenta, members = recombine(momenta, i, j, members)
            continue
        if pt(momenta[i]) >= f_cut * pt(total):
            kept |= members[i]
        momenta, members = np.delete(momenta, i, axis=0), members[:i] + members[i + 1 :]
    return kept


def pruned_by_hand(momenta, z_cut, factor):
    total = momenta.sum(axis=0)
    cut = factor * 2 * mass(total) / pt(total)
    momenta, members = momenta.copy(), [{k} for k in range(len(momenta))]
    while len(momenta) > 1:
        d = distances_squared(momenta)
        np.fill_diagonal(d, np.inf)
        i, j = sorted(np.unravel_index(d.argmin(), d.shape))
        softer = i if pt(momenta[i]) < pt(momenta[j]) else j
        if np.sqrt(d[i, j]) > cut and pt(momenta[softer]) < z_cut * pt(momenta[i] + momenta[j]):
            momenta = np.delete(momenta, softer, axis=0)
            members = members[:softer] + members[softer + 1 :]
        else:
            momenta, members = recombine(momenta, i, j, members)
    return members[0]


@pytest.mark.parametrize("kind", ["w_trees", "qcd_trees", "top_trees"])
@pytest.mark.parametrize(
    ("groomer", "by_hand", "parameters"),
    [
        (Trimming(), trimmed_by_hand, (0.2, 0.05)),
        (Trimming(0.3, 0.03), trimmed_by_hand, (0.3, 0.03)),
        (Pruning(), pruned_by_hand, (0.1, 0.5)),
        (Pruning(0.15, 0.8), pruned_by_hand, (0.15, 0.8)),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_keeps_the_right_constituents(kind, groomer, by_hand, parameters, request):
    sample = request.getfixturevalue(kind).select(slice(0, 30))
    groomed = groomer.groom(sample)
    for j in range(len(sample)):
        jet = slice(sample.offsets[j], sample.offsets[j + 1])
        momenta = sample.constituents[jet]
        kept = groomed.kept[jet]
        assert set(np.flatnonzero(kept)) == by_hand(momenta, *parameters)
        np.testing.assert_allclose(groomed.momenta[j], momenta[kept].sum(axis=0), rtol=1e-12)
    assert 0.2 < groomed.kept.mean() < 0.95


def test_trimming_can_remove_everything(qcd_trees):
    """A cut that no subjet passes leaves nothing, not the plain jet."""
    groomed = Trimming(R_sub=0.01, f_cut=0.9).groom(qcd_trees.select(slice(0, 50)))
    empty = groomed.momenta[:, 3] == 0.0
    assert empty.any()
    assert np.array_equal(groomed.momenta[empty], np.zeros((empty.sum(), 4)))
