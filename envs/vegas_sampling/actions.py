"""Actions of the game: numbers from -1 to 1 outside, physical quantities inside.

Algorithms that learn want actions of one size, so the spaces run from -1 to 1 in every component.
The functions here translate.
"""

from __future__ import annotations

import gymnasium
import numpy as np
from numpy.typing import ArrayLike, NDArray

from .family import MAX_DIM
from .game import BINS, MAX_ALPHA, MAX_LOGIT, MIN_LOG2_SHARE

CELLS = MAX_DIM * BINS
"""Bins of a whole grid."""


def action_space() -> gymnasium.spaces.Box:
    """Space of the actions of `VegasSampling-v0`: damping, log2 of the share, keep."""
    return gymnasium.spaces.Box(-1.0, 1.0, (3,))


def grid_action_space() -> gymnasium.spaces.Box:
    """Space of the actions of `VegasGrid-v0`: 8 x 64 logits, log2 of the share, keep."""
    return gymnasium.spaces.Box(-1.0, 1.0, (CELLS + 2,))


def sampling_action(
    alpha: ArrayLike, share: ArrayLike, keep: ArrayLike = True
) -> NDArray[np.float32]:
    """Make an action of `VegasSampling-v0` from physical quantities.

    Parameters
    ----------
    alpha
        Damping, 0 to 3.
    share
        Share of the remaining calls, above 0 and up to 1; below 2^-8 it counts as 2^-8.
    keep
        Whether the iteration counts.

    Returns
    -------
    numpy.ndarray
        float32, shape (..., 3): one action for each element of the broadcast arguments.

    Raises
    ------
    ValueError
        If a damping or share is out of range.
    """
    alpha = np.asarray(alpha, np.float64)
    if not ((alpha >= 0.0) & (alpha <= MAX_ALPHA)).all():
        raise ValueError(f"alpha must be between 0 and {MAX_ALPHA:g}")
    parts = np.broadcast_arrays(2.0 * alpha / MAX_ALPHA - 1.0, _share(share), _keep(keep))
    return np.stack(parts, axis=-1).astype(np.float32)


def grid_action(logits: ArrayLike, share: ArrayLike, keep: ArrayLike = True) -> NDArray[np.float32]:
    """Make an action of `VegasGrid-v0` from physical quantities.

    Parameters
    ----------
    logits
        Shape (..., 8, 64). Each axis is shifted so that its largest and smallest logits are
        opposite, which leaves the grid as it is; what lies beyond -10 and 10 is cut.
    share, keep
        As in `sampling_action`, shape (...).

    Returns
    -------
    numpy.ndarray
        float32, shape (..., 514).

    Raises
    ------
    ValueError
        If the shape of the logits is another or a share is out of range.
    """
    logits = np.asarray(logits, np.float64)
    if logits.shape[-2:] != (MAX_DIM, BINS):
        raise ValueError(f"logits must have shape (..., {MAX_DIM}, {BINS}), not {logits.shape}")
    middle = 0.5 * (logits.max(axis=-1, keepdims=True) + logits.min(axis=-1, keepdims=True))
    cells = np.clip((logits - middle) / MAX_LOGIT, -1.0, 1.0)
    cells = cells.reshape(*logits.shape[:-2], CELLS)
    rest = np.stack(np.broadcast_arrays(_share(share), _keep(keep)), axis=-1)
    rest = np.broadcast_to(rest, (*cells.shape[:-1], 2))
    return np.concatenate([cells, rest], axis=-1).astype(np.float32)


def _share(share: ArrayLike) -> NDArray[np.float64]:
    share = np.asarray(share, np.float64)
    if not ((share > 0.0) & (share <= 1.0)).all():
        raise ValueError("share must be above 0 and at most 1")
    return np.maximum(1.0 - 2.0 * np.log2(share) / MIN_LOG2_SHARE, -1.0)


def _keep(keep: ArrayLike) -> NDArray[np.float64]:
    return np.where(keep, 1.0, -1.0)


def physical(actions: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Translate actions for the compiled game; finite values outside the space are cut to it.

    Parameters
    ----------
    actions
        Numbers.
    shape
        Shape that they must have: (..., 3) or (..., 514).

    Returns
    -------
    numpy.ndarray
        float64, of that shape: damping or logits, log2 of the share, keep (counts if
        not negative).

    Raises
    ------
    gymnasium.error.InvalidAction
        If the shape is another or a value is not a finite number.
    """
    array = np.asarray(actions)
    if array.shape != shape or array.dtype.kind not in "fiu" or not np.isfinite(array).all():
        raise gymnasium.error.InvalidAction(
            f"actions must be finite numbers in an array of shape {shape}"
        )
    # Rounded to float32 first: single and vector environments then play the same action.
    out = np.clip(array.astype(np.float32), -1.0, 1.0).astype(np.float64)
    if array.shape[-1] == CELLS + 2:
        out[..., :CELLS] *= MAX_LOGIT
    else:
        out[..., 0] = 0.5 * MAX_ALPHA * (1.0 + out[..., 0])
    out[..., -2] = 0.5 * MIN_LOG2_SHARE * (1.0 - out[..., -2])
    return out
