"""Which points train, validate and test: per replica, in folds, by age, by scale."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..errors import DatasetError
from .data import DISData

FOLDS = 4

_FOLD_OF_SET = {
    "HERA-CC-em": 0,
    "HERA-NC-ep-460": 0,
    "NMC-p": 0,
    "CHORUS-nu": 1,
    "HERA-NC-ep-920": 1,
    "BCDMS-p": 1,
    "HERA-CC-ep": 2,
    "HERA-NC-ep-575": 2,
    "NMC-dp": 2,
    "CHORUS-nubar": 3,
    "HERA-NC-ep-820": 3,
    # NNPDF4.0 keeps the next four in no fold, always in the training; here every point is in one.
    "HERA-NC-em": 0,
    "SLAC-p": 2,
    "SLAC-d": 2,
    "BCDMS-d": 3,
}
"""Folds of NNPDF4.0 (arXiv:2109.02653, section 3.3): each holds charged and neutral currents, small
and large x."""

_PURPOSE = 0x7461  # keeps the streams of masks apart from those of replicas


def training_mask(data: DISData, fraction: float, seed: int, replica: int = 0) -> NDArray[np.bool_]:
    """Choose the points on which a replica is trained; the others validate it.

    The fraction is taken of each set, rounded, and at least one point of it.

    Parameters
    ----------
    data
        The data.
    fraction
        Above 0, at most 1: 0.75 in NNPDF4.0.
    seed
        Non-negative integer.
    replica
        Number of the replica. Its mask does not depend on which other masks were drawn.

    Returns
    -------
    numpy.ndarray
        bool, shape (points,).

    Raises
    ------
    DatasetError
        If the fraction, the seed or the replica's number is out of range.
    """
    if not 0.0 < fraction <= 1.0:
        raise DatasetError(f"fraction is {fraction}: it must be above 0 and at most 1")
    if seed < 0 or replica < 0:
        raise DatasetError(f"seed {seed} and replica {replica} must not be negative")
    stream = np.random.PCG64(np.random.SeedSequence((seed, replica, _PURPOSE)))
    mask = np.zeros(len(data), np.bool_)
    # One raw number per point: the raw stream never changes between versions of NumPy.
    order = stream.random_raw(len(data))
    for number in range(len(data.sets)):
        rows = np.flatnonzero(data.set_index == number)
        if rows.size:
            chosen = max(1, int(np.floor(fraction * rows.size + 0.5)))
            mask[rows[np.argsort(order[rows], kind="stable")[:chosen]]] = True
    return mask


def k_folds(data: DISData) -> NDArray[np.int64]:
    """Deal whole sets into four folds, balanced in process and kinematics.

    Sets that are not among the bundled ones go, largest first, to the fold with the fewest points.

    Parameters
    ----------
    data
        The data.

    Returns
    -------
    numpy.ndarray
        int64, shape (points,): the fold of each point, 0 to 3.
    """
    sizes = np.bincount(data.set_index, minlength=len(data.sets))
    fold_of_set = np.full(len(data.sets), -1)
    for number, name in enumerate(data.set_names):
        fold_of_set[number] = _FOLD_OF_SET.get(name, -1)
    filled = np.array([sizes[fold_of_set == fold].sum() for fold in range(FOLDS)])
    unknown = map(int, np.flatnonzero(fold_of_set < 0))
    for number in sorted(unknown, key=lambda n: (-int(sizes[n]), n)):
        smallest = int(filled.argmin())
        fold_of_set[number] = smallest
        filled[smallest] += sizes[number]
    return fold_of_set[data.set_index]


def before_hera(data: DISData) -> NDArray[np.bool_]:
    """Mark the points that were measured without HERA.

    A fit of these, asked for the others, is the chronological test ("future test",
    arXiv:2103.08606): fixed targets reach down to x = 0.003 only, HERA to 0.00006.

    Parameters
    ----------
    data
        The data.

    Returns
    -------
    numpy.ndarray
        bool, shape (points,).
    """
    old = np.array([info.experiment != "HERA" for info in data.sets], np.bool_)
    return old[data.set_index]


def above_q2(data: DISData, q2: float = 10.0) -> NDArray[np.bool_]:
    """Mark the points at or above a scale, where masses of quarks matter less.

    Parameters
    ----------
    data
        The data.
    q2
        In GeV2.

    Returns
    -------
    numpy.ndarray
        bool, shape (points,).
    """
    return data.q2 >= q2
