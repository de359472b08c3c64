"""What the network sees of x: x and ln x, or x scaled by how the data are spread."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..fit_data import FitData
from ..preprocessing import Preprocessing
from .settings import NeuralSettings

_NODES = 10


def network_inputs(settings: NeuralSettings, data: FitData) -> NDArray[np.float64]:
    """Find the inputs of the network at the points of the tables' grid.

    Parameters
    ----------
    settings
        With ``feature_scaling`` or without.
    data
        With the grid and the x of the measured points.

    Returns
    -------
    numpy.ndarray
        float64, shape (2, grid): x and ln x; with feature scaling shape (1, grid).

    Raises
    ------
    ValueError
        If feature scaling is asked for and the data do not say at which x they are.
    """
    if not settings.feature_scaling:
        return np.stack([data.x, np.log(data.x)])
    if data.measured_x is None:
        raise ValueError("feature_scaling needs the x of the measured points: measured_x is None")
    return scaled(data.x, np.concatenate([data.measured_x, data.x]))[None]


def scaled(x: NDArray[np.float64], sample: NDArray[np.float64]) -> NDArray[np.float64]:
    """Map x to -1 ... 1 so that a sample of x is spread evenly (arXiv:2111.02954).

    Monotonic cubic interpolation (PCHIP) in ln x of the sample's distribution at ten points.

    Parameters
    ----------
    x
        float64, shape (n,): within the range of the sample.
    sample
        float64: all from above 0 up to 1.

    Returns
    -------
    numpy.ndarray
        float64, shape (n,).
    """
    from scipy.interpolate import PchipInterpolator

    level = np.linspace(0.0, 1.0, _NODES)
    node = np.quantile(np.log(sample), level)
    kept = np.concatenate([[True], np.diff(node) > 0])
    return np.asarray(PchipInterpolator(node[kept], 2.0 * level[kept] - 1.0)(np.log(x)))


def preprocessing_factor(
    settings: NeuralSettings, exponents: Preprocessing, x: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Find what the network's output is multiplied with, float64, shape (8, n).

    With feature scaling beta is 0: NN(x) - NN(1) vanishes at x = 1 by itself.
    """
    if not settings.feature_scaling:
        return exponents.factor(x)
    return np.asarray(x ** (1.0 - exponents.alpha[:, None]))
