"""What a groomer is, what it returns, and the one way in which node decisions are applied."""

from __future__ import annotations

import abc
from dataclasses import dataclass
from typing import Protocol

import numba
import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...datasets.jets.trees import ClusteringTrees, mass
from ...envs.jet_grooming.grooming import KEEP, REMOVE, groom
from ...envs.jet_grooming.observation import NODE, observe_trees
from ..parameters import Parameterised, Parameters


@dataclass(frozen=True, eq=False)
class GroomedJets:
    """Jets after grooming, and what was done to them.

    Exactly one of ``decisions`` and ``kept`` is given.

    Attributes
    ----------
    momenta
        float64, shape (jets, 4): groomed four-momenta px, py, pz, E in GeV.
    decisions
        uint8, shape (nodes,), of a groomer that plays the game: 1 where the softer branch of a
        node is removed, 0 where it is kept and at every node that is never reached.
    kept
        bool, shape (constituents,), of any other groomer: the constituents that survive.
    """

    momenta: NDArray[np.float64]
    decisions: NDArray[np.uint8] | None = None
    kept: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        if (self.decisions is None) == (self.kept is None):
            raise ValueError("groomed jets need either decisions or kept constituents, not both")

    @property
    def mass(self) -> NDArray[np.float64]:
        """float64, shape (jets,): groomed masses in GeV, negative where m^2 is."""
        return mass(self.momenta)


class Groomer(abc.ABC):
    """Something that grooms whole samples of jets.

    Attributes
    ----------
    name
        Identifier in lower case with hyphens, as in submissions.
    symbol
        Short name as in papers, used by ``str``.
    """

    name: str
    symbol: str

    @property
    @abc.abstractmethod
    def parameters(self) -> Parameters:
        """What it takes, together with the name, to make this groomer again."""

    @abc.abstractmethod
    def groom(self, trees: ClusteringTrees) -> GroomedJets:
        """Groom every jet.

        Parameters
        ----------
        trees
            The jets.

        Returns
        -------
        GroomedJets
        """

    def __str__(self) -> str:
        """Symbol and parameters as in papers; parameters that are None are left out."""
        values = [
            f"{name}={value:g}" if isinstance(value, float) else f"{name}={value}"
            for name, value in self.parameters.items()
            if value is not None
        ]
        return f"{self.symbol}({', '.join(values)})" if values else self.symbol


class ClassicalGroomer(Parameterised, Groomer):
    """A groomer given by a few numbers; subclasses are frozen dataclasses of `parameter` fields."""


class NodePolicy(Protocol):
    """A policy that looks at one node at a time."""

    def decide(self, states: NDArray[np.float32]) -> ArrayLike:
        """Decide at many nodes.

        Parameters
        ----------
        states
            float32, shape (n, components): what the environment shows at each node, by default the
            node state, columns as in ``trees.STATE_FIELDS``.

        Returns
        -------
        array_like
            Integer or bool, shape (n,): 1 removes the softer branch, 0 keeps it.
        """
        ...


class NodeGroomer(Groomer):
    """A groomer whose decisions depend on single nodes: it is a `NodePolicy`.

    Attributes
    ----------
    observation
        What it looks at, "node" or "context" as in the environment.
    """

    observation: str = NODE

    @abc.abstractmethod
    def decide(self, states: NDArray[np.float32]) -> ArrayLike:
        """Decide at many nodes, see `NodePolicy.decide`."""

    def groom(self, trees: ClusteringTrees) -> GroomedJets:
        """Groom every jet with one call of `decide` and one compiled pass.

        Parameters
        ----------
        trees
            The jets.

        Returns
        -------
        GroomedJets

        Raises
        ------
        ValueError
            If `decide` does not return one decision, 0 or 1, for each node.
        """
        return apply_decisions(trees, node_decisions(trees, self, self.observation))


def node_decisions(
    trees: ClusteringTrees, policy: NodePolicy, observation: str = NODE
) -> NDArray[np.uint8]:
    """Ask a policy about every node of a sample in one call.

    The states are rounded to float32 first, as in the environment's observations, so that both
    decide alike.

    Parameters
    ----------
    trees
        The jets.
    policy
        The policy.
    observation
        What it looks at, "node" or "context" as in the environment.

    Returns
    -------
    numpy.ndarray
        uint8, shape (nodes,): 1 removes the softer branch of a node, 0 keeps it.

    Raises
    ------
    ValueError
        If the policy does not return one decision, 0 or 1, for each node.
    """
    states = observe_trees(trees, observation)
    answer = np.asarray(policy.decide(states))
    if answer.shape != (len(states),):
        raise ValueError(
            f"the policy returned an array of shape {answer.shape} for {len(states)} nodes: it "
            f"must return one action for each, shape ({len(states)},)"
        )
    if answer.dtype.kind == "b":
        return answer.astype(np.uint8)
    # A policy asked about no node cannot know which type to return.
    if len(answer) and answer.dtype.kind not in "iu":
        raise ValueError(
            f"the policy returned values of type {answer.dtype}: actions must be integers, "
            f"{KEEP} (keep) or {REMOVE} (remove)"
        )
    wrong = (answer != KEEP) & (answer != REMOVE)
    if wrong.any():
        raise ValueError(
            f"the policy returned the action {answer[wrong][0]}: actions must be {KEEP} (keep) "
            f"or {REMOVE} (remove)"
        )
    return answer.astype(np.uint8)


def apply_decisions(trees: ClusteringTrees, decisions: NDArray[np.uint8]) -> GroomedJets:
    """Groom jets with given decisions.

    Parameters
    ----------
    trees
        The jets.
    decisions
        uint8, shape (nodes,): 1 removes the softer branch of a node, 0 keeps it.

    Returns
    -------
    GroomedJets
        With the decisions in canonical form.
    """
    momenta = groom(trees, decisions)
    return GroomedJets(momenta, decisions=canonical_decisions(trees, decisions))


def canonical_decisions(trees: ClusteringTrees, decisions: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Decisions with 0 at every node that is never reached.

    Decisions inside a removed branch have no effect. With them set to 0, decisions are equal if
    and only if they groom the same branches away.

    Parameters
    ----------
    trees
        The jets.
    decisions
        uint8, shape (nodes,): 0 or 1 for each node.

    Returns
    -------
    numpy.ndarray
        uint8, shape (nodes,).
    """
    out: NDArray[np.uint8] = _canonical_decisions(trees.node_offsets, trees.softer_size, decisions)
    return out


@numba.njit(cache=True)
def _canonical_decisions(node_offsets, softer_size, decisions):  # type: ignore[no-untyped-def]
    out = np.zeros(len(decisions), np.uint8)
    for j in range(len(node_offsets) - 1):
        i = node_offsets[j]
        while i < node_offsets[j + 1]:
            if decisions[i] == REMOVE:
                out[i] = REMOVE
                i += softer_size[i]
            else:
                i += 1
    return out


def remove_until(trees: ClusteringTrees, stop: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Decisions that strip a jet along its chain of harder branches.

    Parameters
    ----------
    trees
        The jets.
    stop
        bool, shape (nodes,). Softer branches are removed, from the root on, until the first node
        where this is True; a jet without one is stripped down to a single constituent.

    Returns
    -------
    numpy.ndarray
        uint8, shape (nodes,), in canonical form.
    """
    out: NDArray[np.uint8] = _remove_until(trees.node_offsets, trees.softer_size, stop)
    return out


@numba.njit(cache=True)
def _remove_until(node_offsets, softer_size, stop):  # type: ignore[no-untyped-def]
    out = np.zeros(len(stop), np.uint8)
    for j in range(len(node_offsets) - 1):
        i = node_offsets[j]
        # Jumping past the softer branch of the last node on the chain leaves the jet.
        while i < node_offsets[j + 1] and not stop[i]:
            out[i] = REMOVE
            i += softer_size[i]
    return out
