"""The grooming game: the jets that an environment draws from, and episodes in progress."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...datasets.jets.trees import ClusteringTrees, mass
from .observation import CONTEXT, CONTEXT_FIELDS, NODE
from .reward import GroomingReward
from .tables import Episodes, JetSource, JetTable, interleaved, words

BACKGROUND = 0
SIGNAL = 1


@dataclass(frozen=True)
class GroomingGame:
    """The jets that an environment draws from, ready to be played.

    Attributes
    ----------
    table, source
        The jets.
    plain_mass
        float64, shape (jets,): mass of the ungroomed jets in GeV.
    playable_signal, playable_background
        int64: jets with at least one splitting, as rows of ``table.momentum``.
    """

    table: JetTable
    source: JetSource
    plain_mass: NDArray[np.float64]
    playable_signal: NDArray[np.int64]
    playable_background: NDArray[np.int64]

    def __setstate__(self, state: dict[str, Any]) -> None:
        # Pickling stores each column by itself; bring them together again.
        self.__dict__.update(state)
        names = ("softer", "state", "node", "shaping")
        columns: dict[str, Any] = dict(zip(names, interleaved(len(self.table.node)), strict=True))
        for name, column in columns.items():
            column[:] = getattr(self.table, name)
        self.__dict__["table"] = self.table._replace(**columns)

    @property
    def observation(self) -> NDArray[np.float32]:
        """float32, shape (nodes, components): what the agent sees, nodes as in ``table``.

        Rows of jets that have not been played yet are not filled in.
        """
        return self.source.context if len(self.source.context) else self.table.state

    @property
    def signals(self) -> int:
        """Number of signal jets."""
        return int(self.table.signals[0])

    def new_episodes(self, envs: int) -> Episodes:
        """Room for ``envs`` episodes, none of which has begun."""
        longest = int(np.diff(self.table.first).max(initial=1))
        return Episodes(
            jet=np.zeros(envs, np.int64),
            first=np.zeros(envs, np.int64),
            word_first=np.zeros(envs, np.int64),
            visits=np.zeros(envs, np.int64),
            place=np.zeros(envs, np.int64),
            momentum=np.zeros((envs, 4)),
            alive=np.zeros((envs, words(longest)), np.uint64),
            action=np.zeros((envs, longest), np.uint8),
        )

    def draw(self, random: np.random.Generator, p_bkg: float, number: int) -> NDArray[np.int64]:
        """Draw jets with splittings; each is background with probability ``p_bkg``.

        Parameters
        ----------
        random
            Where the randomness comes from.
        p_bkg
            Probability of a background jet.
        number
            How many jets.

        Returns
        -------
        numpy.ndarray
            int64, shape (number,): rows of ``table.momentum``.
        """
        background = random.random(number) < p_bkg
        where = random.random(number)
        signal_pick = (where * len(self.playable_signal)).astype(np.int64)
        background_pick = (where * len(self.playable_background)).astype(np.int64)
        drawn = np.empty(number, np.int64)
        drawn[~background] = self.playable_signal[signal_pick[~background]]
        drawn[background] = self.playable_background[background_pick[background]]
        return drawn

    def locate(self, jet: int, label: int) -> int:
        """Row of the ``jet``-th signal (label 1) or background (label 0) jet.

        Raises
        ------
        ValueError
            If there is no such jet or nothing in it to decide.
        """
        if label not in (BACKGROUND, SIGNAL):
            raise ValueError(f"label {label!r} is neither 0 (background) nor 1 (signal)")
        number = self.signals if label == SIGNAL else len(self.plain_mass) - self.signals
        kind = "signal" if label == SIGNAL else "background"
        if not 0 <= jet < number:
            raise ValueError(f"there is no {kind} jet {jet}: the sample has jets 0 to {number - 1}")
        row = jet if label == SIGNAL else self.signals + jet
        if self.table.first[row + 1] == self.table.first[row]:
            raise ValueError(
                f"{kind} jet {jet} has a single constituent: there is nothing to decide"
            )
        return row


def prepare(
    signal: ClusteringTrees,
    background: ClusteringTrees,
    reward: GroomingReward,
    observation: str = NODE,
) -> GroomingGame:
    """Bring jets into the form in which they are played.

    Parameters
    ----------
    signal, background
        The two samples.
    reward
        Parameters of the reward.
    observation
        What the agent will see.

    Returns
    -------
    GroomingGame

    Raises
    ------
    ValueError
        If a sample has no jet with a splitting.
    """
    samples = (signal, background)
    nodes = [np.diff(trees.node_offsets) for trees in samples]
    for name, count in zip(("signal", "background"), nodes, strict=True):
        if not count.any():
            raise ValueError(f"the {name} sample has no jet with two or more constituents")
    counts = np.concatenate(nodes)
    total = int(counts.sum())
    word_first = np.concatenate([[0], np.cumsum(counts * words(counts))])
    momentum = np.concatenate([trees.jet_momenta for trees in samples])
    softer, state, node, gain = interleaved(total)
    table = JetTable(
        first=np.concatenate([[0], np.cumsum(counts)]),
        softer=softer,
        state=state,
        shaping=gain,
        word_first=word_first,
        branch=np.zeros(word_first[-1] + words(counts.max()), np.uint64),
        node=node,
        momentum=momentum,
        mass_parameters=reward.mass_parameters(),
        signals=np.array([len(signal)]),
    )
    source = JetSource(
        offsets=np.concatenate([signal.offsets, signal.offsets[-1] + background.offsets[1:]]),
        constituents=np.concatenate([trees.constituents for trees in samples]),
        softer_size=np.concatenate([trees.softer_size for trees in samples]),
        shaping_parameters=reward.shaping_parameters(),
        ready=np.zeros(len(counts), np.bool_),
        origin=np.empty(total, np.int32),
        context=np.empty((total if observation == CONTEXT else 0, len(CONTEXT_FIELDS)), np.float32),
    )
    return GroomingGame(
        table=table,
        source=source,
        plain_mass=mass(momentum),
        playable_signal=np.flatnonzero(nodes[0]),
        playable_background=len(signal) + np.flatnonzero(nodes[1]),
    )
