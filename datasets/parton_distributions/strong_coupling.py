"""The strong coupling at next-to-leading order, solved exactly.

With a = alpha_s / 4 pi: da / dln mu2 = -a^2 (beta0 + beta1 a). Four flavours below the bottom
quark's mass, five above; the coupling is continuous there at this order.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .settings import ALPHA_S_MZ, M_BOTTOM, M_Z


def beta(flavours: int) -> tuple[float, float]:
    """First two coefficients of the beta function, for a = alpha_s / 4 pi."""
    return 11.0 - 2.0 / 3.0 * flavours, 102.0 - 38.0 / 3.0 * flavours


def alpha_s(q: ArrayLike) -> NDArray[np.float64]:
    """Compute the strong coupling.

    Parameters
    ----------
    q
        Scales in GeV, at least 1.

    Returns
    -------
    numpy.ndarray
        float64, same shape.

    Raises
    ------
    ValueError
        If a scale is below 1 GeV.
    """
    scales = np.asarray(q, np.float64)
    if scales.size and not scales.min() >= 1.0:
        raise ValueError(f"q is {scales.min():g} GeV: perturbation theory needs at least 1 GeV")
    high = _run(ALPHA_S_MZ / (4.0 * np.pi), M_Z, np.maximum(scales, M_BOTTOM), 5)
    at_bottom = float(_run(ALPHA_S_MZ / (4.0 * np.pi), M_Z, np.array(M_BOTTOM), 5))
    low = _run(at_bottom, M_BOTTOM, np.minimum(scales, M_BOTTOM), 4)
    return 4.0 * np.pi * np.where(scales < M_BOTTOM, low, high)


def _run(
    start: float, q_start: float, q: NDArray[np.float64], flavours: int
) -> NDArray[np.float64]:
    """Newton's method for 1/a + b ln(b a / (1 + b a)) = beta0 ln mu2 + constant, in 1/a."""
    beta0, beta1 = beta(flavours)
    b = beta1 / beta0

    def left(inverse: NDArray[np.float64] | float) -> NDArray[np.float64]:
        return np.asarray(inverse - b * np.log1p(inverse / b))

    target = left(1.0 / start) + 2.0 * beta0 * np.log(q / q_start)
    inverse = np.full_like(target, 1.0 / start)
    for _ in range(30):
        inverse = inverse - (left(inverse) - target) * (b + inverse) / inverse
    return 1.0 / inverse
