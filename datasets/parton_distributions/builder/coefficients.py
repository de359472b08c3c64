"""Coefficient functions of deep-inelastic scattering folded with the grid's polynomials.

yadism (arXiv:2401.15187) does the integrals, in the zero-mass scheme at next-to-leading order with
target-mass corrections. Everything is computed for protons, once for all points that need the
same number; heavier targets follow from isospin. What is finished is kept in a folder, so that an
interrupted run goes on where it stopped.
"""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..grid import DEGREE, lambert_grid

ORDERS = 2
"""Powers of a_s = alpha_s / 4 pi: 0 and 1."""

PIDS = (22, -6, -5, -4, -3, -2, -1, 21, 1, 2, 3, 4, 5, 6)
"""Particle numbers of the columns, yadism's order."""

_CHUNK = 12  # values of Q2 between two savings

THEORY = {
    "PTO": 1,
    "FNS": "ZM-VFNS",
    "NfFF": 5,
    "TMC": 1,
    "MP": 0.938,
    "mc": 1.51,
    "mb": 4.92,
    "mt": 172.5,
    "kcThr": 1.0,
    "kbThr": 1.0,
    "ktThr": 1.0,
    "Q0": 1.65,
    "nf0": 4,
    "MZ": 91.1876,
    "MW": 80.398,
    "GF": 1.1663787e-05,
    "SIN2TW": 0.23126,
    "alphaqed": 0.0077553,
    "CKM": [0.97428, 0.2253, 0.00347, 0.2252, 0.97345, 0.041, 0.00862, 0.0403, 0.999152],
    "IC": 1,
    "QED": 0,
    "RenScaleVar": False,
    "FactScaleVar": False,
    "n3lo_cf_variation": 0,
}
"""What yadism is told, in its words: theory settings of NNPDF4.0 (arXiv:2109.02653)."""


class Observable(NamedTuple):
    """What is measured at a point, in yadism's words.

    Attributes
    ----------
    name
        F2 or a reduced cross section.
    process
        EM, NC or CC.
    projectile
        electron, positron, neutrino or antineutrino.
    """

    name: str
    process: str
    projectile: str


def coefficients(
    observable: Observable,
    x: NDArray[np.float64],
    q2: NDArray[np.float64],
    y: NDArray[np.float64],
    folder: Path,
    advance: Callable[[int], None],
) -> NDArray[np.float64]:
    """Coefficient functions folded with the grid's polynomials, for a proton.

    Parameters
    ----------
    observable
        What is measured.
    x, q2, y
        Bjorken x, Q2 in GeV2, inelasticity; float64, shape (points,).
    folder
        Where finished pieces are kept and looked for.
    advance
        Called with the number of points that are finished.

    Returns
    -------
    numpy.ndarray
        float64, shape (points, ORDERS, 14, grid points): the observable is their product with
        a_s^order and f_pid(x_k, Q2).
    """
    if observable.projectile == "antineutrino":
        # Charge conjugation: what an antineutrino sees in quarks a neutrino sees in antiquarks.
        neutrino = coefficients(
            observable._replace(projectile="neutrino"), x, q2, y, folder, advance
        )
        return neutrino[:, :, [PIDS.index(-pid if abs(pid) <= 6 else pid) for pid in PIDS]]
    # F2 does not depend on y: points of several experiments share it.
    key_y = np.zeros_like(y) if observable.name == "F2" else y
    points, where = np.unique(np.stack([q2, x, key_y], axis=1), axis=0, return_inverse=True)
    out = np.empty((len(points), ORDERS, len(PIDS), len(lambert_grid())))
    done = 0
    for chunk in _chunks(points[:, 0]):
        out[chunk] = _finished(observable, points[chunk], folder)
        reached = int(np.isin(where, np.arange(chunk.stop)).sum())
        advance(reached - done)
        done = reached
    return out[where.reshape(-1)]


def _chunks(sorted_q2: NDArray[np.float64]) -> Iterator[slice]:
    """Cut into runs with few values of Q2: yadism shares work within a Q2."""
    starts = np.flatnonzero(np.diff(sorted_q2, prepend=-1.0))[::_CHUNK]
    for start, stop in zip(starts, [*starts[1:], len(sorted_q2)], strict=True):
        yield slice(int(start), int(stop))


def _finished(
    observable: Observable, points: NDArray[np.float64], folder: Path
) -> NDArray[np.float64]:
    question = json.dumps(
        [THEORY, observable, DEGREE, metadata.version("yadism"), metadata.version("eko")]
    )
    digest = hashlib.sha256(question.encode() + points.tobytes() + lambert_grid().tobytes())
    file = folder / f"{observable.name}-{digest.hexdigest()[:24]}.npy"
    if file.exists():
        return np.load(file)
    values = _compute(observable, points)
    folder.mkdir(parents=True, exist_ok=True)
    partial = file.with_suffix(f".{os.getpid()}.partial")
    with open(partial, "wb") as stream:
        np.save(stream, values)
    partial.replace(file)
    return values


def _compute(observable: Observable, points: NDArray[np.float64]) -> NDArray[np.float64]:
    import yadism
    import yadism.log
    from scipy.integrate import IntegrationWarning

    yadism.log.silent_mode = True
    kinematics = [
        {"x": float(x), "Q2": float(q2), "y": float(y)}
        if observable.name != "F2"
        else {"x": float(x), "Q2": float(q2)}
        for q2, x, y in points
    ]
    name = f"{observable.name}_total"
    card: dict[str, Any] = {
        "prDIS": observable.process,
        "ProjectileDIS": observable.projectile,
        "TargetDIS": "proton",
        "PolarizationDIS": 0.0,
        "PropagatorCorrection": 0.0,
        "NCPositivityCharge": None,
        "interpolation_xgrid": lambert_grid().tolist(),
        "interpolation_is_log": True,
        "interpolation_polynomial_degree": DEGREE,
        "observables": {name: kinematics},
    }
    with warnings.catch_warnings():
        # yadism asks for 1e-13 and hears that rounding allows a little less.
        warnings.simplefilter("ignore", IntegrationWarning)
        output = yadism.run_yadism(dict(THEORY), card)
    return np.stack([_orders(result.orders) for result in output[name]])


def _orders(found: dict[tuple[int, int, int, int], Any]) -> NDArray[np.float64]:
    return np.stack([found[(order, 0, 0, 0)][0] for order in range(ORDERS)])


def of_target(values: NDArray[np.float64], z: float, a: float) -> NDArray[np.float64]:
    """Coefficient functions of a nucleus without nuclear effects: isospin swaps u and d.

    Parameters
    ----------
    values
        Those of the proton, shape (..., 14, grid points).
    z, a
        Protons and nucleons.

    Returns
    -------
    numpy.ndarray
        float64, same shape, per nucleon.
    """
    out = values.copy()
    for sign in (-1, 1):
        d, u = PIDS.index(sign), PIDS.index(2 * sign)
        out[..., d, :] = (z * values[..., d, :] + (a - z) * values[..., u, :]) / a
        out[..., u, :] = (z * values[..., u, :] + (a - z) * values[..., d, :]) / a
    return out
