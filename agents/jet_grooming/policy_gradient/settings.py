"""Settings of a training by policy gradient."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ....envs.jet_grooming.observation import CONTEXT, find_observation
from ....leaderboards.tasks import task as find_task

Shape = Literal["cauchy", "gaussian", "flat"]

_Count = Annotated[int, Field(gt=0)]
_Positive = Annotated[float, Field(gt=0)]


class PolicyGradientSettings(BaseModel):
    """Everything that decides the outcome of a training, besides the jets.

    Attributes
    ----------
    task
        Task id: gives the jets and the target mass.
    observation
        What the network sees, "node" or "context" as in the environment.
    state_dim
        Number of leading components of the observation that it sees; None for all.
    layers, units
        Number of hidden layers and units in each.
    steps
        Gradient steps.
    jets
        Jets in a gradient step.
    background
        Share of them that are background jets.
    learning_rate, final_learning_rate
        Of Adam; falls along half a cosine.
    average
        Decay, for each gradient step, of the running average of the weights that is validated and
        saved.
    mass_target
        Where the reward of signal jets is largest, in GeV.
    shape
        Of the reward as a function of x = abs(m - mass_target) / width: cauchy 1 / (1 + x^2),
        gaussian exp(-x^2 / 2), flat 1 / (1 + x^4).
    width, final_width
        Width of the reward in GeV; falls geometrically during the first half of the steps, so
        that jets far from the target feel it at the beginning.
    background_weight
        A background jet is rewarded as a signal jet times minus this.
    validate_every, checkpoint_every
        Gradient steps between validations, and between checkpoints.
    seed
        Seed of all random numbers.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    task: str = "JetGrooming-v0"
    observation: str = CONTEXT
    state_dim: int | None = None
    layers: _Count = 4
    units: _Count = 64
    steps: _Count = 600
    jets: Annotated[int, Field(ge=10)] = 200
    background: Annotated[float, Field(gt=0, lt=1)] = 0.4
    learning_rate: _Positive = 2e-3
    final_learning_rate: _Positive = 2e-5
    average: Annotated[float, Field(ge=0, lt=1)] = 0.98
    mass_target: _Positive = 80.385
    shape: Shape = "cauchy"
    width: _Positive = 20.0
    final_width: _Positive = 5.0
    background_weight: Annotated[float, Field(ge=0)] = 1.0
    validate_every: _Count = 100
    checkpoint_every: _Count = 200
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0

    # The network's other properties, as `dqn.network` and `dqn.onnx_export` ask for them.
    @property
    def architecture(self) -> Literal["dense"]:
        """Kind of the hidden layers."""
        return "dense"

    @property
    def standardise(self) -> bool:
        """Whether the observation is standardised: always."""
        return True

    @property
    def dueling(self) -> bool:
        """Whether the last layer is split: never, only the difference of the actions matters."""
        return False

    @property
    def dropout(self) -> float:
        """Share of units dropped while training: none."""
        return 0.0

    @property
    def components(self) -> int:
        """Number of components that the network sees."""
        return find_observation(self.observation).components(self.state_dim)

    def as_dict(self) -> dict[str, Any]:
        """Values in a form that JSON can hold; `from_dict` reads it."""
        return self.model_dump()

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> PolicyGradientSettings:
        """Make settings from a mapping, as it comes from JSON or a command line.

        Raises
        ------
        ValueError
            If a name is unknown or a value is of the wrong type or out of range.
        """
        try:
            settings = cls(**values)
        except ValidationError as errors:
            first = errors.errors(include_url=False)[0]
            name = ".".join(map(str, first["loc"]))
            if first["type"] == "extra_forbidden":
                raise ValueError(
                    f"policy-gradient has no setting {name!r}; its settings are "
                    f"{', '.join(cls.model_fields)}"
                ) from None
            raise ValueError(f"{name} is {first['input']!r}: {first['msg']}") from None
        find_task(settings.task)
        _ = settings.components
        return settings


_OWN: dict[str, dict[str, Any]] = {
    # Top's window is some three times as wide as that of W.
    "JetGroomingTop-v0": {"mass_target": 175.0, "width": 40.0, "final_width": 15.0},
}


def reference_settings(task: str = "JetGrooming-v0", **changes: Any) -> PolicyGradientSettings:
    """Give the settings of the reference agent of a task, chosen on the validation split.

    Parameters
    ----------
    task
        Task id, for example "JetGroomingTop-v0".
    **changes
        Settings that differ, for example the seed.

    Returns
    -------
    PolicyGradientSettings

    Raises
    ------
    ValueError
        If the task or a setting is unknown, or a value is out of range.
    """
    return PolicyGradientSettings.from_dict({"task": task, **_OWN.get(task, {}), **changes})
