"""What learned policies look at: a few numbers that do not depend on the order of the axes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ....envs.vegas_sampling.game import BINS, STATISTICS
from ....envs.vegas_sampling.setup import Observation

AXIS_FEATURES = ("concentration", "weight_roughness", "log_peak_density", "grid_roughness")
"""Numbers computed on each axis, then averaged and maximised over the axes."""

USED = [number for number, name in enumerate(STATISTICS) if name != "budget"]
"""Statistics that are used. The budget is left out: policies are to play with other ones too."""

NAMES = (
    *(list(STATISTICS)[number] for number in USED),
    *(f"mean_{name}" for name in AXIS_FEATURES),
    *(f"largest_{name}" for name in AXIS_FEATURES),
)
"""Every feature, in order."""

# Brings every feature to a size of about one: value -> (value - centre) / scale.
_SCALING = {
    "dimension": (0.6, 0.25),
    "left": (0.5, 0.35),
    "iterations": (2.5, 1.5),
    "last_share": (0.1, 0.15),
    "last_counted": (0.5, 0.5),
    "last_alpha": (1.0, 0.8),
    "last_deviation": (0.1, 0.5),
    "last_change": (-0.1, 0.3),
    "last_peak": (1.0, 0.7),
    "movement": (0.3, 0.4),
    "counted": (0.3, 0.3),
    "counted_iterations": (1.5, 1.5),
    "quoted_score": (0.2, 0.7),
    "chi2": (0.3, 0.4),
    "pull": (0.0, 1.0),
    "mean_concentration": (0.3, 0.5),
    "mean_weight_roughness": (0.3, 0.3),
    "mean_log_peak_density": (1.2, 1.0),
    "mean_grid_roughness": (0.1, 0.15),
    "largest_concentration": (0.6, 0.7),
    "largest_weight_roughness": (0.5, 0.4),
    "largest_log_peak_density": (1.8, 1.2),
    "largest_grid_roughness": (0.2, 0.2),
}
CENTRE = np.array([_SCALING[name][0] for name in NAMES], np.float32)
SCALE = np.array([_SCALING[name][1] for name in NAMES], np.float32)
LARGEST = 5.0
"""Features are cut at this absolute value."""


def features(observation: Observation) -> NDArray[np.float32]:
    """Summarise observations.

    Per axis: the logarithm of 64 times the sum of squared shares of the weights (0 for equal
    weights), the mean absolute difference of neighbouring log weights (cut to 5), the logarithm
    of the largest grid density, and the mean absolute difference of neighbouring log densities.

    Parameters
    ----------
    observation
        Observations of n games.

    Returns
    -------
    numpy.ndarray
        float32, shape (n, len(NAMES)), of a size of about one.
    """
    weights, grid, axes = (observation[name] for name in ("weights", "grid", "axes"))
    share = np.exp(weights) / BINS
    per_axis = np.stack(
        [
            np.log(BINS * (share * share).sum(axis=2)),
            np.minimum(np.abs(np.diff(weights, axis=2)), 5.0).mean(axis=2),
            grid.max(axis=2),
            np.abs(np.diff(grid, axis=2)).mean(axis=2),
        ],
        axis=2,
    )
    # Axes that the integrand does not have are zero in every feature.
    mean = per_axis.sum(axis=1) / axes.sum(axis=1, keepdims=True)
    statistics = observation["statistics"][:, USED]
    values = np.concatenate([statistics, mean, per_axis.max(axis=1)], axis=1)
    return np.clip((values - CENTRE) / SCALE, -LARGEST, LARGEST).astype(np.float32)
