"""Clustering trees of jets as flat arrays, and the kernels that build them.

A jet with n constituents is declustered into n - 1 nodes (splittings). Nodes are stored in
pre-order with the *softer* branch first, and constituents in the order in which that walk meets
them. The whole topology then fits into one integer per node, ``softer_size``, the number of
constituents in its softer branch: node ``i`` covers a contiguous range of constituents, its
softer branch is the node ``i + 1`` (or a constituent), its harder branch the node
``i + softer_size[i]`` (or a constituent), and removing the softer branch means jumping from ``i``
to ``i + softer_size[i]``.

Definitions: arXiv:1903.09644, section 2, and arXiv:1807.04758.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

STATE_FIELDS = ("ln_z", "ln_Delta", "psi", "ln_m", "ln_kt")
"""The node state of GroomRL, in the order in which published networks expect it."""

STATE_LOW = np.array([-25.0, -25.0, -math.pi / 2, -10.0, -25.0])
STATE_HIGH = np.array([0.0, 12.0, math.pi / 2, 12.0, 12.0])
"""Bounds of the node state; values beyond them (ln 0, say) are set to the bound."""


@dataclass(frozen=True)
class ClusteringTrees:
    """Clustering trees of many jets in flat arrays.

    Attributes
    ----------
    offsets
        int64, shape (jets + 1,). Jet ``j`` owns constituents ``offsets[j]:offsets[j + 1]``.
    constituents
        float64, shape (constituents, 4): px, py, pz, E in GeV, in tree order.
    softer_size
        int32, shape (nodes,). Number of constituents in the softer branch of each node.
    """

    offsets: NDArray[np.int64]
    constituents: NDArray[np.float64]
    softer_size: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @functools.cached_property
    def node_offsets(self) -> NDArray[np.int64]:
        """int64, shape (jets + 1,): jet ``j`` owns ``node_offsets[j]:node_offsets[j + 1]``."""
        counts = np.maximum(np.diff(self.offsets) - 1, 0)
        return np.concatenate([[0], np.cumsum(counts)])

    @functools.cached_property
    def _momenta(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return node_momenta(self.offsets, self.node_offsets, self.constituents, self.softer_size)

    @property
    def node_momenta(self) -> NDArray[np.float64]:
        """float64, shape (nodes, 4): four-momentum px, py, pz, E of each node in GeV."""
        return self._momenta[0]

    @property
    def softer_momenta(self) -> NDArray[np.float64]:
        """float64, shape (nodes, 4): four-momentum of each node's softer branch in GeV."""
        return self._momenta[1]

    @functools.cached_property
    def jet_momenta(self) -> NDArray[np.float64]:
        """float64, shape (jets, 4): four-momentum of each jet in GeV."""
        return _jet_momenta(self.offsets, self.constituents)

    @functools.cached_property
    def states(self) -> NDArray[np.float64]:
        """float64, shape (nodes, 5): the columns of ``STATE_FIELDS``, clipped to the bounds."""
        return node_states(self.node_momenta, self.softer_momenta, STATE_LOW, STATE_HIGH)

    @functools.cached_property
    def children(self) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Harder and softer child of each node, two int32 arrays of shape (nodes,).

        A value ``c >= 0`` is a node, counted from the jet's first node; ``c < 0`` is the
        constituent ``-c - 1``, counted from the jet's first constituent.
        """
        return node_children(self.offsets, self.node_offsets, self.softer_size)

    @functools.cached_property
    def jet_of_node(self) -> NDArray[np.int64]:
        """int64, shape (nodes,): the jet that each node belongs to."""
        return np.repeat(np.arange(len(self)), np.diff(self.node_offsets))

    @functools.cached_property
    def primary(self) -> NDArray[np.bool_]:
        """bool, shape (nodes,): whether the node lies on the jet's chain of harder branches."""
        return _primary(self.offsets, self.node_offsets, self.softer_size)

    def select(self, jets: NDArray[np.integer] | slice) -> ClusteringTrees:
        """Trees of some of the jets, in the order asked for.

        Parameters
        ----------
        jets
            Jet indices or a slice.

        Returns
        -------
        ClusteringTrees
        """
        index = np.arange(len(self))[jets]
        sizes = np.diff(self.offsets)[index]
        nodes = np.diff(self.node_offsets)[index]
        return ClusteringTrees(
            offsets=np.concatenate([[0], np.cumsum(sizes)]),
            constituents=self.constituents[_ranges(self.offsets[index], sizes)],
            softer_size=self.softer_size[_ranges(self.node_offsets[index], nodes)],
        )


def mass(momenta: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mass of four-momenta, negative where m^2 is.

    Parameters
    ----------
    momenta
        float64, shape (..., 4): px, py, pz, E in GeV.

    Returns
    -------
    numpy.ndarray
        float64, shape (...): sign(m^2) sqrt(|m^2|) in GeV.
    """
    px, py, pz, energy = np.moveaxis(momenta, -1, 0)
    m2 = (energy + pz) * (energy - pz) - px * px - py * py
    return np.copysign(np.sqrt(np.abs(m2)), m2)


def _ranges(starts: NDArray[np.integer], sizes: NDArray[np.integer]) -> NDArray[np.int64]:
    """Concatenation of ``arange(start, start + size)``."""
    total = int(sizes.sum())
    before = np.cumsum(sizes) - sizes
    return np.repeat(starts - before, sizes) + np.arange(total)


@numba.njit(cache=True)
def order_from_history(offsets, momenta, parents):  # type: ignore[no-untyped-def]
    """Tree order of constituents and ``softer_size`` of nodes from clustering histories.

    Parameters
    ----------
    offsets
        int64, shape (jets + 1,): where each jet's constituents begin.
    momenta
        float64, shape (constituents, 4), in the order in which they were clustered.
    parents
        int32, shape (nodes, 2): for the k-th recombination of a jet with n constituents, its two
        parents; values below n are constituents, n + k is the result of recombination k.

    Returns
    -------
    order : int64, shape (constituents,), the constituents in tree order
    softer_size : int32, shape (nodes,), in pre-order, softer branch first
    """
    jets = len(offsets) - 1
    order = np.empty(offsets[-1], np.int64)
    softer_size = np.empty(len(parents), np.int32)
    longest = 1
    for j in range(jets):
        longest = max(longest, offsets[j + 1] - offsets[j])
    p = np.empty((2 * longest, 4))
    size = np.empty(2 * longest, np.int32)
    softer = np.empty(2 * longest, np.int32)
    harder = np.empty(2 * longest, np.int32)
    stack = np.empty(2 * longest, np.int32)
    first_node = 0
    for j in range(jets):
        first = offsets[j]
        n = offsets[j + 1] - first
        if n < 1:
            continue
        for k in range(n):
            p[k] = momenta[first + k]
            size[k] = 1
        for k in range(n - 1):
            a = parents[first_node + k, 0]
            b = parents[first_node + k, 1]
            if p[a, 0] ** 2 + p[a, 1] ** 2 < p[b, 0] ** 2 + p[b, 1] ** 2:
                a, b = b, a
            harder[n + k] = a
            softer[n + k] = b
            size[n + k] = size[a] + size[b]
            p[n + k] = p[a] + p[b]
        leaf = first
        node = first_node
        stack[0] = 2 * n - 2
        depth = 1
        while depth > 0:
            depth -= 1
            k = stack[depth]
            if k < n:
                order[leaf] = first + k
                leaf += 1
            else:
                softer_size[node] = size[softer[k]]
                node += 1
                stack[depth] = harder[k]
                stack[depth + 1] = softer[k]
                depth += 2
        first_node += n - 1
    return order, softer_size


@numba.njit(cache=True)
def _node_sizes(n, first_node, softer_size, size, leaf):  # type: ignore[no-untyped-def]
    """Size and first constituent of each node of one jet, both relative to the jet."""
    size[0] = n
    leaf[0] = 0
    for i in range(n - 1):
        soft = softer_size[first_node + i]
        hard = size[i] - soft
        if soft > 1:
            size[i + 1] = soft
            leaf[i + 1] = leaf[i]
        if hard > 1:
            size[i + soft] = hard
            leaf[i + soft] = leaf[i] + soft


@numba.njit(cache=True)
def node_momenta(offsets, node_offsets, constituents, softer_size):  # type: ignore[no-untyped-def]
    """Four-momenta of nodes and of their softer branches, see `ClusteringTrees`."""
    total = np.empty((len(softer_size), 4))
    softer = np.empty((len(softer_size), 4))
    longest = 1
    for j in range(len(offsets) - 1):
        longest = max(longest, offsets[j + 1] - offsets[j])
    size = np.empty(longest, np.int64)
    leaf = np.empty(longest, np.int64)
    for j in range(len(offsets) - 1):
        first = offsets[j]
        n = offsets[j + 1] - first
        node = node_offsets[j]
        _node_sizes(n, node, softer_size, size, leaf)
        for i in range(n - 2, -1, -1):
            soft = softer_size[node + i]
            hard = size[i] - soft
            for c in range(4):
                b = total[node + i + 1, c] if soft > 1 else constituents[first + leaf[i], c]
                a = (
                    total[node + i + soft, c]
                    if hard > 1
                    else constituents[first + leaf[i] + soft, c]
                )
                softer[node + i, c] = b
                total[node + i, c] = a + b
    return total, softer


@numba.njit(cache=True)
def _jet_momenta(offsets, constituents):  # type: ignore[no-untyped-def]
    out = np.zeros((len(offsets) - 1, 4))
    for j in range(len(out)):
        for k in range(offsets[j], offsets[j + 1]):
            for c in range(4):
                out[j, c] += constituents[k, c]
    return out


@numba.njit(cache=True)
def rapidity(pt2, pz, energy):  # type: ignore[no-untyped-def]
    """Rapidity as FastJet computes it, finite for massless and rounded momenta."""
    if pt2 == 0.0 and energy <= abs(pz):
        return math.copysign(1e5 + abs(pz), pz)
    m2 = max(0.0, (energy + pz) * (energy - pz) - pt2)
    y = 0.5 * math.log((pt2 + m2) / (energy + abs(pz)) ** 2)
    return -y if pz > 0.0 else y


@numba.njit(cache=True)
def node_states(total, softer, low, high):  # type: ignore[no-untyped-def]
    """Node states from four-momenta, clipped to the bounds, see `ClusteringTrees`."""
    out = np.empty((len(total), 5))
    for i in range(len(total)):
        bx, by, bz, be = softer[i]
        ax, ay, az, ae = total[i, 0] - bx, total[i, 1] - by, total[i, 2] - bz, total[i, 3] - be
        pta2 = ax * ax + ay * ay
        ptb2 = bx * bx + by * by
        pta = math.sqrt(pta2)
        ptb = math.sqrt(ptb2)
        dy = rapidity(pta2, az, ae) - rapidity(ptb2, bz, be)
        dphi = math.atan2(ay, ax) - math.atan2(by, bx)
        if dphi > math.pi:
            dphi -= 2.0 * math.pi
        elif dphi < -math.pi:
            dphi += 2.0 * math.pi
        delta = math.sqrt(dy * dy + dphi * dphi)
        m2 = (
            (total[i, 3] + total[i, 2]) * (total[i, 3] - total[i, 2])
            - total[i, 0] ** 2
            - total[i, 1] ** 2
        )
        z = ptb / (pta + ptb) if ptb > 0.0 else 0.0
        out[i, 0] = math.log(z) if z > 0.0 else low[0]
        out[i, 1] = math.log(delta) if delta > 0.0 else low[1]
        if dphi != 0.0:
            out[i, 2] = math.atan(dy / dphi)
        else:
            out[i, 2] = math.copysign(0.5 * math.pi, dy) if dy != 0.0 else 0.0
        out[i, 3] = 0.5 * math.log(m2) if m2 > 0.0 else low[3]
        out[i, 4] = out[i, 1] + math.log(ptb) if ptb > 0.0 else low[4]
        for c in range(5):
            out[i, c] = min(max(out[i, c], low[c]), high[c])
    return out


@numba.njit(cache=True)
def node_children(offsets, node_offsets, softer_size):  # type: ignore[no-untyped-def]
    """Harder and softer children, see `ClusteringTrees.children`."""
    harder = np.empty(len(softer_size), np.int32)
    softer = np.empty(len(softer_size), np.int32)
    longest = 1
    for j in range(len(offsets) - 1):
        longest = max(longest, offsets[j + 1] - offsets[j])
    size = np.empty(longest, np.int64)
    leaf = np.empty(longest, np.int64)
    for j in range(len(offsets) - 1):
        n = offsets[j + 1] - offsets[j]
        node = node_offsets[j]
        _node_sizes(n, node, softer_size, size, leaf)
        for i in range(n - 1):
            soft = softer_size[node + i]
            hard = size[i] - soft
            softer[node + i] = i + 1 if soft > 1 else -leaf[i] - 1
            harder[node + i] = i + soft if hard > 1 else -(leaf[i] + soft) - 1
    return harder, softer


@numba.njit(cache=True)
def _primary(offsets, node_offsets, softer_size):  # type: ignore[no-untyped-def]
    out = np.zeros(len(softer_size), np.bool_)
    for j in range(len(offsets) - 1):
        left = offsets[j + 1] - offsets[j]
        i = node_offsets[j]
        while left > 1:
            out[i] = True
            left -= softer_size[i]
            i += softer_size[i]
    return out
