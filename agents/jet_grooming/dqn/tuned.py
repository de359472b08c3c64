"""Settings of the reference agents, where they differ from the published ones and why."""

from __future__ import annotations

from typing import Any

from .settings import DQNSettings, published_settings

_COMMON: dict[str, Any] = {
    # For W jets as good as ten layers of a hundred units (one run), and several times faster.
    "layers": 4,
    "units": 64,
    "dropout": 0.0,
    "standardise": True,
    # Few large batches, a falling learning rate and averaged weights: with the published schedule
    # the score jumps by several GeV from one validation to the next.
    "num_envs": 100,
    "steps_per_update": 10,
    "batch_size": 256,
    "learning_rate": 2e-3,
    "final_learning_rate": 2e-5,
    "average": 0.995,
    # The value of a node is an average over all that the policy does elsewhere in the jet, so the
    # jets played should look like those of the final, greedy policy.
    "exploration": 0.3,
    "final_exploration": 0.05,
    # Discounting undervalues an early removal, whose reward comes at all later nodes.
    "gamma": 1.0,
    "validate_every": 12_500,
}

_OWN: dict[str, dict[str, Any]] = {
    "JetGrooming-v0": {
        "steps": 250_000,
        "exploration_steps": 125_000,
        # With the published weights the background's reward dominates: an agent that collects
        # more reward than the published one has the worse score.
        "p_bkg": 0.1,
        "reward": {"sd_weight": 0.8, "ln_z1": -2.5},
    },
    "JetGroomingTop-v0": {
        "steps": 400_000,
        "exploration_steps": 200_000,
        "p_bkg": 0.05,
        # As wide as the mass window that can be reached; a narrow one gives no direction.
        "reward": {
            "mass_target": 180.0,
            "background_weight": 1.0,
            "shape": "gaussian",
            "mass_width": 20.0,
            "sd_weight": 0.3,
            "ln_z1": -2.5,
        },
    },
}


def reference_settings(task: str = "JetGrooming-v0", **changes: Any) -> DQNSettings:
    """Give the settings of the reference agent of a task, tuned on the validation split.

    Parameters
    ----------
    task
        Task id, for example "JetGroomingTop-v0".
    **changes
        Settings that differ, for example the seed.

    Returns
    -------
    DQNSettings

    Raises
    ------
    ValueError
        If the task or a setting is unknown, or a value is out of range.
    """
    return published_settings(task, **{**_COMMON, **_OWN.get(task, {}), **changes})
