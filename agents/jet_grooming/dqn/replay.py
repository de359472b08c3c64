"""Replay memory: a ring of transitions in flat arrays."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Transitions(NamedTuple):
    """Transitions, one row or batch of rows each.

    Attributes
    ----------
    state, next_state
        float32, shape (..., state_dim).
    action
        uint8, shape (...,).
    reward
        float32, shape (...,).
    terminal
        bool, shape (...,): nothing follows. False where an episode was merely cut off: its next
        state still has a value.
    """

    state: NDArray[np.float32]
    action: NDArray[np.uint8]
    reward: NDArray[np.float32]
    next_state: NDArray[np.float32]
    terminal: NDArray[np.bool_]


class ReplayMemory:
    """The last ``capacity`` transitions.

    Parameters
    ----------
    capacity
        Number of transitions kept; older ones are overwritten.
    state_dim
        Number of state components.
    """

    def __init__(self, capacity: int, state_dim: int) -> None:
        self.capacity = capacity
        self.size = 0
        self._next = 0
        self._rows = Transitions(
            state=np.zeros((capacity, state_dim), np.float32),
            action=np.zeros(capacity, np.uint8),
            reward=np.zeros(capacity, np.float32),
            next_state=np.zeros((capacity, state_dim), np.float32),
            terminal=np.zeros(capacity, np.bool_),
        )

    def add(self, transitions: Transitions) -> None:
        """Append transitions, at most ``capacity`` of them."""
        number = len(transitions.action)
        rows = (self._next + np.arange(number)) % self.capacity
        columns: tuple[NDArray[Any], ...] = self._rows
        for column, values in zip(columns, transitions, strict=True):
            column[rows] = values
        self._next = (self._next + number) % self.capacity
        self.size = min(self.size + number, self.capacity)

    def sample(self, random: np.random.Generator, shape: tuple[int, ...]) -> Transitions:
        """Draw transitions uniformly and with replacement.

        Parameters
        ----------
        random
            Where the randomness comes from.
        shape
            Shape of the draw.

        Returns
        -------
        Transitions
            Arrays whose shapes start with ``shape``.
        """
        rows = random.integers(self.size, size=shape)
        own = self._rows
        return Transitions(
            own.state[rows],
            own.action[rows],
            own.reward[rows],
            own.next_state[rows],
            own.terminal[rows],
        )

    def as_arrays(self) -> dict[str, NDArray[np.generic]]:
        """Content as arrays; `restore` reads them."""
        filled = {name: column[: self.size] for name, column in self._rows._asdict().items()}
        return {**filled, "next": np.array(self._next)}

    def restore(self, arrays: dict[str, NDArray[np.generic]]) -> None:
        """Take back the content of `as_arrays`."""
        self.size = len(arrays["action"])
        self._next = int(arrays["next"])
        for name, column in self._rows._asdict().items():
            column[: self.size] = arrays[name]
