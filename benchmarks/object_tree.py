"""The grooming game written down plainly: one object per node, a priority queue, parent links.

This is how the published environment works (arXiv:1903.09644): reset builds the tree of a jet
from its clustering, step pops a node, and a removal is subtracted from every ancestor. It shares
no code with the compiled kernels and serves as their reference, in speed and in results.
"""

from __future__ import annotations

import heapq
import math

import fastjet
from fastjet._swig import ClusterSequence


class Node:
    """A splitting of a jet: a harder branch, a softer branch, and the state between them."""

    def __init__(self, jet: fastjet.PseudoJet, parent: Node | None) -> None:
        self.momentum = [jet.px(), jet.py(), jet.pz(), jet.E()]
        self.parent = parent
        a, b = fastjet.PseudoJet(), fastjet.PseudoJet()
        jet.has_parents(a, b)
        if a.pt2() < b.pt2():
            a, b = b, a
        self.delta = a.delta_R(b)
        z = b.pt() / (a.pt() + b.pt())
        dphi = a.phi_std() - b.phi_std()
        dphi -= 2 * math.pi * round(dphi / (2 * math.pi))
        self.state = (
            math.log(z),
            math.log(self.delta),
            math.atan((a.rap() - b.rap()) / dphi),
            math.log(jet.m()) if jet.m() > 0 else -10.0,
            math.log(b.pt() * self.delta),
        )
        self.softer_momentum = [b.px(), b.py(), b.pz(), b.E()]
        self.harder = Node(a, self) if splits(a) else None
        self.softer = Node(b, self) if splits(b) else None


def splits(jet: fastjet.PseudoJet) -> bool:
    """Whether a branch splits further."""
    return bool(jet.has_parents(fastjet.PseudoJet(), fastjet.PseudoJet()))


class ObjectTreeEnv:
    """Play one jet given by its constituents; the reward is that of the published W settings."""

    def __init__(self, mass_target: float = 80.385) -> None:
        fastjet._swig.ClusterSequence.set_fastjet_banner_stream(None)
        self.definition = fastjet.JetDefinition(fastjet.cambridge_algorithm, 1000.0)
        self.mass_target = mass_target

    def reset(self, constituents: list[list[float]], signal: bool) -> tuple[float, ...]:
        """Cluster the jet and return the state of its first node."""
        self.signal = signal
        particles = [fastjet.PseudoJet(*p) for p in constituents]
        self.sequence = ClusterSequence(particles, self.definition)
        self.root = Node(self.sequence.inclusive_jets()[0], None)
        self.queue: list[tuple[float, int, Node]] = []
        self.queued = 0
        self._push(self.root)
        return self._pop()

    def step(self, action: int) -> tuple[tuple[float, ...] | None, float, bool]:
        """Decide at the current node; returns next state, reward, terminated."""
        node = self.current
        if action == 1:
            ancestor: Node | None = node
            while ancestor is not None:
                ancestor.momentum = [
                    p - q for p, q in zip(ancestor.momentum, node.softer_momentum, strict=True)
                ]
                ancestor = ancestor.parent
        elif node.softer is not None:
            self._push(node.softer)
        if node.harder is not None:
            self._push(node.harder)
        reward = self._mass_reward() + 0.1534 * self._shaping(node, action)
        if not self.queue:
            return None, reward, True
        return self._pop(), reward, False

    def mass(self) -> float:
        """Mass of the jet as groomed so far, in GeV."""
        px, py, pz, energy = self.root.momentum
        m2 = (energy + pz) * (energy - pz) - px * px - py * py
        return math.copysign(math.sqrt(abs(m2)), m2)

    def _push(self, node: Node) -> None:
        heapq.heappush(self.queue, (-node.delta, self.queued, node))
        self.queued += 1

    def _pop(self) -> tuple[float, ...]:
        self.current = heapq.heappop(self.queue)[2]
        return self.current.state

    def _mass_reward(self) -> float:
        m = self.mass()
        if self.signal:
            return 1.0 / (math.pi * (1.0 + ((m - self.mass_target) / 2.0) ** 2))
        return 1.804 * max(m, 0.0) / 8.0 * math.exp(-max(m, 0.0) / 8.0)

    @staticmethod
    def _shaping(node: Node, action: int) -> float:
        ln_z, ln_delta = node.state[:2]
        if action == 1:
            return min(1.0, math.exp(0.5923 * ln_delta + 0.1811 * (-0.9164 - ln_z)))
        return max(0.0, 1.0 - math.exp(0.6501 * ln_delta + 0.3292 * (-3.5272 - ln_z)))
