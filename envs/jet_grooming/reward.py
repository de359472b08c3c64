"""Reward of the grooming game (arXiv:1903.09644, section 3.1)."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Literal, get_args

import numba
import numpy as np
from numpy.typing import NDArray

Shape = Literal["cauchy", "gaussian", "exponential", "inverse"]
SHAPES: tuple[Shape, ...] = get_args(Shape)

_CAUCHY, _GAUSSIAN, _EXPONENTIAL = range(3)


@dataclass(frozen=True)
class GroomingReward:
    """Parameters of the reward R = R_M(m) + sd_weight * R_SD(action, Delta, z).

    The defaults are the published ones for W jets.

    Attributes
    ----------
    mass_target, mass_width
        Target mass and width Gamma of the signal's mass reward in GeV.
    shape
        Mass reward of signal jets with x = abs(m - mass_target) / mass_width: cauchy
        1 / (pi (1 + x^2)), gaussian exp(-x^2 / 2), exponential exp(-x), inverse
        min(1, 1 / (x + 0.5)).
    background_width, background_weight
        Gamma_bkg in GeV and 1/N_bkg of the background's mass reward
        background_weight * (m / Gamma_bkg) exp(-m / Gamma_bkg), zero where m^2 < 0.
    sd_weight
        1/N_SD, the weight of the Soft-Drop-like term.
    alpha1, beta1, ln_z1
        Reward of a removal: min(1, exp(alpha1 ln Delta + beta1 (ln_z1 - ln z))).
    alpha2, beta2, ln_z2
        Reward of keeping: max(0, 1 - exp(alpha2 ln Delta + beta2 (ln_z2 - ln z))).
    """

    mass_target: float = 80.385
    mass_width: float = 2.0
    shape: Shape = "cauchy"
    background_width: float = 8.0
    background_weight: float = 1.804
    sd_weight: float = 0.1534
    alpha1: float = 0.5923
    beta1: float = 0.1811
    ln_z1: float = -0.9164
    alpha2: float = 0.6501
    beta2: float = 0.3292
    ln_z2: float = -3.5272

    def __post_init__(self) -> None:
        if self.shape not in SHAPES:
            raise ValueError(f"reward shape {self.shape!r} is none of {', '.join(SHAPES)}")
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.name != "shape" and not math.isfinite(value):
                raise ValueError(f"reward parameter {field.name} = {value} is not a finite number")
        for name in ("mass_target", "mass_width", "background_width"):
            if getattr(self, name) <= 0:
                raise ValueError(
                    f"reward parameter {name} = {getattr(self, name)} GeV is not positive"
                )

    def mass_parameters(self) -> NDArray[np.float64]:
        """Return what `mass_reward` needs, float64 of shape (5,)."""
        return np.array(
            [
                SHAPES.index(self.shape),
                self.mass_target,
                self.mass_width,
                self.background_width,
                self.background_weight,
            ]
        )

    def shaping_parameters(self) -> NDArray[np.float64]:
        """Return what `shaping` needs, float64 of shape (7,)."""
        first = (self.alpha1, self.beta1, self.ln_z1)
        second = (self.alpha2, self.beta2, self.ln_z2)
        return np.array([self.sd_weight, *first, *second])


W_REWARD = GroomingReward()
TOP_REWARD = GroomingReward(mass_target=173.2, background_weight=1.0)


@numba.njit(cache=True)
def shaping(states, parameters):  # type: ignore[no-untyped-def]
    """Soft-Drop-like term R_SD / N_SD of the reward for both actions at each node.

    Parameters
    ----------
    states
        Shape (nodes, >= 2) with ln z and ln Delta in the first two columns.
    parameters
        As from ``GroomingReward.shaping_parameters``.

    Returns
    -------
    numpy.ndarray
        float64, shape (nodes, 2): reward for keeping and for removing the softer branch.
    """
    weight, alpha1, beta1, ln_z1, alpha2, beta2, ln_z2 = parameters
    out = np.empty((len(states), 2))
    for i in range(len(states)):
        ln_z = states[i, 0]
        ln_delta = states[i, 1]
        # The exponents are cut where min and max decide anyway, so that exp cannot overflow.
        keep = min(alpha2 * ln_delta + beta2 * (ln_z2 - ln_z), 0.0)
        remove = min(alpha1 * ln_delta + beta1 * (ln_z1 - ln_z), 0.0)
        out[i, 0] = weight * (1.0 - math.exp(keep))
        out[i, 1] = weight * math.exp(remove)
    return out


@numba.njit(cache=True, error_model="numpy", inline="always")
def mass_reward(mass, signal, parameters):  # type: ignore[no-untyped-def]
    """R_M of a jet mass in GeV; ``parameters`` as from ``GroomingReward.mass_parameters``."""
    # Both are computed: the processor cannot guess which jet is signal.
    return signal * _signal_reward(mass, parameters) + (1 - signal) * _background_reward(
        mass, parameters
    )


@numba.njit(cache=True, error_model="numpy", inline="always")
def _signal_reward(mass, parameters):  # type: ignore[no-untyped-def]
    x = abs(mass - parameters[1]) / parameters[2]
    if parameters[0] == _CAUCHY:
        return 1.0 / (math.pi * (1.0 + x * x))
    if parameters[0] == _GAUSSIAN:
        return math.exp(-0.5 * x * x)
    if parameters[0] == _EXPONENTIAL:
        return math.exp(-x)
    return min(1.0, 1.0 / (x + 0.5))


@numba.njit(cache=True, error_model="numpy", inline="always")
def _background_reward(mass, parameters):  # type: ignore[no-untyped-def]
    # Rounding can leave a massless jet with a slightly negative m^2.
    x = max(mass, 0.0) / parameters[3]
    return parameters[4] * x * math.exp(-x)
