"""The score as a reward: how much L falls when one jet's mass moves.

L = (w_max - w_min) / 5 + |m_target - w_med| + 20 f_bkg depends on a whole sample. Its influence
function, the derivative with respect to the share of jets at a mass, turns it into a reward for
single jets: a quantile q_p moves by (p - [m < q_p]) / f(q_p) for a jet added at m, where f is the
density of masses.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LOW, MIDDLE, HIGH = 0.2, 0.5, 0.8
"""Quantiles of the signal's mass in the score: both ends of the window, and its median."""

_WINDOW_WEIGHT, _BACKGROUND_WEIGHT = 1 / 5, 20.0

_BAND = 0.04  # densities are means over a quantile plus or minus this
_NEAR = 5.0  # GeV; the background's density is a mean over an edge plus or minus this
_NARROWEST = 0.25  # GeV; a narrower band is taken as so wide: the samples are small
_LARGEST = 60.0  # GeV; an edge in a tail would otherwise outweigh everything else
_CLOSE = 0.5  # GeV; the median's pull fades when it is as near to the target


@dataclass(frozen=True)
class Influence:
    """Rewards for single jets in the neighbourhood of a sample.

    Attributes
    ----------
    low, middle, high
        Edges of the window and the median of the sample, in GeV.
    low_weight, middle_weight, high_weight
        By how much L falls, in GeV, when the share of signal jets below that mass grows by one;
        for ``low`` the share above it.
    background
        Share of background jets in the window.
    target
        The mass to reach in GeV.
    """

    low: float
    middle: float
    high: float
    low_weight: float
    middle_weight: float
    high_weight: float
    background: float
    target: float

    @property
    def loss(self) -> float:
        """The sample's L in GeV."""
        window = _WINDOW_WEIGHT * (self.high - self.low)
        return window + abs(self.target - self.middle) + _BACKGROUND_WEIGHT * self.background

    def signal_reward(self, mass: NDArray[np.float64], softness: float) -> NDArray[np.float64]:
        """Reward of signal jets, in GeV of L.

        Parameters
        ----------
        mass
            float64, any shape: groomed masses in GeV.
        softness
            Width in GeV over which steps are smoothed, so that jets far away feel them too.
        """
        return (
            self.high_weight * _below(mass, self.high, softness)
            - self.low_weight * _below(mass, self.low, softness)
            + self.middle_weight * _below(mass, self.middle, softness)
        )

    def background_reward(self, mass: NDArray[np.float64], softness: float) -> NDArray[np.float64]:
        """Reward of background jets; arguments as for `signal_reward`."""
        inside = _below(mass, self.high, softness) - _below(mass, self.low, softness)
        return -_BACKGROUND_WEIGHT * inside


def influence(
    signal: NDArray[np.float64], background: NDArray[np.float64], target: float
) -> Influence:
    """Influence function of the score of a sample.

    Parameters
    ----------
    signal, background
        float64: groomed masses in GeV.
    target
        The mass to reach in GeV.

    Returns
    -------
    Influence
    """

    def quantile(p: float) -> tuple[float, float]:
        """Quantile of the signal's mass and the density there."""
        before, at, after = np.quantile(signal, (p - _BAND, p, p + _BAND))
        return float(at), 2 * _BAND / max(float(after - before), 2 * _NARROWEST)

    def pull(edge: float, density: float) -> float:
        """Weight of an edge: a narrower window also holds less background."""
        there = float(np.mean(np.abs(background - edge) < _NEAR)) / (2 * _NEAR)
        return min((_WINDOW_WEIGHT + _BACKGROUND_WEIGHT * there) / density, _LARGEST)

    (low, at_low), (middle, at_middle), (high, at_high) = map(quantile, (LOW, MIDDLE, HIGH))
    return Influence(
        low=low,
        middle=middle,
        high=high,
        low_weight=pull(low, at_low),
        middle_weight=float(np.tanh((middle - target) / _CLOSE)) * min(1 / at_middle, _LARGEST),
        high_weight=pull(high, at_high),
        background=float(np.mean((background > low) & (background < high))),
        target=target,
    )


def _below(mass: NDArray[np.float64], edge: float, softness: float) -> NDArray[np.float64]:
    """One where a mass is below an edge, zero above, smoothly."""
    below: NDArray[np.float64] = 0.5 * (1.0 + np.tanh(0.5 * (edge - mass) / softness))
    return below
