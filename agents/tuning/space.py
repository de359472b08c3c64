"""Search spaces: what may be tuned, written down as YAML and never evaluated as code."""

from __future__ import annotations

import math
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

Value = bool | int | float | str | None
"""What a setting may be: a scalar that JSON and YAML can hold."""

Coordinate = int | float
"""What a search algorithm handles: a number, for a choice the place of the value in the list."""


def _number(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("must be a number, not true or false")
    return value


def _scalar(value: object) -> object:
    if isinstance(value, str):
        try:
            number = float(value)
        except ValueError:
            return value
        # YAML 1.1 takes 1e-4 for text.
        raise ValueError(f"{value!r} is text: write the number as {number!r}")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("must be a finite number")
    return value


Real = Annotated[float, BeforeValidator(_number), Field(allow_inf_nan=False)]
Whole = Annotated[int, BeforeValidator(_number)]
Scalar = Annotated[Value, BeforeValidator(_scalar)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$")]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Choice(_Model):
    """One of a list of values, equally likely at first."""

    distribution: Literal["choice"]
    values: Annotated[tuple[Scalar, ...], Field(min_length=2)]

    def value(self, coordinate: Coordinate) -> Value:
        """Value of the setting at a coordinate."""
        return self.values[int(coordinate)]


class _Range(_Model):
    @model_validator(mode="after")
    def _ordered(self) -> _Range:
        low, high = self.low, self.high  # type: ignore[attr-defined]
        if not low < high:
            raise ValueError(f"low ({low:g}) must be less than high ({high:g})")
        return self


class Uniform(_Range):
    """A number between two others."""

    distribution: Literal["uniform"]
    low: Real
    high: Real

    def value(self, coordinate: Coordinate) -> Value:
        """Value of the setting at a coordinate."""
        return min(max(float(coordinate), self.low), self.high)


class LogUniform(_Range):
    """A positive number between two others, with a uniform logarithm."""

    distribution: Literal["loguniform"]
    low: Annotated[Real, Field(gt=0)]
    high: Real

    def value(self, coordinate: Coordinate) -> Value:
        """Value of the setting at a coordinate."""
        return min(max(float(coordinate), self.low), self.high)


class QUniform(_Range):
    """A multiple of a step between two multiples of it, both included, equally likely at first.

    It is an integer if the step is.
    """

    distribution: Literal["quniform"]
    low: Real
    high: Real
    step: Annotated[Real, Field(gt=0)]

    @model_validator(mode="after")
    def _whole_steps(self) -> QUniform:
        for name, bound in (("low", self.low), ("high", self.high)):
            steps = bound / self.step
            if abs(steps - round(steps)) > 1e-9 * max(1.0, abs(steps)):
                raise ValueError(f"{name} ({bound:g}) must be a multiple of step ({self.step:g})")
        return self

    def value(self, coordinate: Coordinate) -> Value:
        """Value of the setting at a coordinate."""
        nearest = min(max(round(coordinate / self.step) * self.step, self.low), self.high)
        # 3 * 0.1 is 0.30000000000000004; the user means 0.3.
        return int(nearest) if self.step.is_integer() else float(f"{nearest:.12g}")


class UniformInt(_Range):
    """An integer between two others, both included, equally likely at first."""

    distribution: Literal["uniformint"]
    low: Whole
    high: Whole

    def value(self, coordinate: Coordinate) -> Value:
        """Value of the setting at a coordinate."""
        return min(max(round(coordinate), self.low), self.high)


class Constant(_Model):
    """A value that is not tuned, for instance while others of the list are."""

    distribution: Literal["constant"]
    value: Scalar


Searched = Choice | Uniform | LogUniform | QUniform | UniformInt
Parameter = Annotated[Searched | Constant, Field(discriminator="distribution")]


class Space(_Model):
    """A search space.

    Attributes
    ----------
    agent
        Name of the agent.
    task
        Task id if the space is made for one task only.
    algorithm
        "tpe" (tree of Parzen estimators), "anneal" or "random".
    fixed
        Settings that are the same in every trial.
    parameters
        Settings that are tuned. A dot in a name reaches into a setting that is a mapping:
        ``reward.mass_width``.
    """

    agent: Annotated[str, Field(min_length=1)]
    task: str | None = None
    algorithm: Literal["tpe", "anneal", "random"] = "tpe"
    fixed: dict[Name, Scalar] = Field(default_factory=dict)
    parameters: dict[Name, Parameter]

    @field_validator("parameters")
    @classmethod
    def _something_to_search(cls, parameters: dict[str, Any]) -> dict[str, Any]:
        if all(isinstance(one, Constant) for one in parameters.values()):
            raise ValueError("nothing varies: give at least one parameter that is not constant")
        return parameters

    @model_validator(mode="after")
    def _each_name_once(self) -> Space:
        names = [*self.fixed, *self.parameters]
        for name in self.fixed:
            if name in self.parameters:
                raise ValueError(f"{name!r} is both fixed and a parameter: remove one of them")
        for name in names:
            for other in names:
                if other.startswith(f"{name}."):
                    raise ValueError(f"{name!r} and {other!r} overlap: remove one of them")
        return self

    @property
    def searched(self) -> dict[str, Searched]:
        """The parameters that vary."""
        return {name: one for name, one in self.parameters.items() if not isinstance(one, Constant)}

    def settings(self, point: Mapping[str, Coordinate]) -> dict[str, Value]:
        """Give every setting at a point: fixed, constant and searched ones, names with dots.

        Parameters
        ----------
        point
            Name of each searched parameter to its coordinate.

        Returns
        -------
        dict
            Name to value.
        """
        values: dict[str, Value] = dict(self.fixed)
        for name, one in self.parameters.items():
            values[name] = one.value if isinstance(one, Constant) else one.value(point[name])
        return values


def nested(settings: Mapping[str, Value]) -> dict[str, Any]:
    """Nest settings as an agent takes them: ``reward.shape`` is ``shape`` in ``reward``.

    Parameters
    ----------
    settings
        Names, with dots, to values.

    Returns
    -------
    dict
    """
    out: dict[str, Any] = {}
    for name, value in settings.items():
        *path, last = name.split(".")
        inner = out
        for part in path:
            inner = inner.setdefault(part, {})
        inner[last] = value
    return out


def example_spaces() -> dict[str, Path]:
    """Agent to the file of the search space that comes with the package."""
    folder = Path(str(resources.files(__package__) / "spaces"))
    return {file.stem: file for file in sorted(folder.glob("*.yaml"))}


def read_space(source: Path | str) -> Space:
    """Read and check a search space.

    Parameters
    ----------
    source
        A YAML file, or the name of one of `example_spaces`.

    Returns
    -------
    Space

    Raises
    ------
    ValueError
        If it is not a search space; the message names file, field and fix.
    OSError
        If the file cannot be read.
    """
    examples = example_spaces()
    file = Path(source)
    if str(source) in examples and not file.exists():
        file = examples[str(source)]
    elif not file.exists():
        raise FileNotFoundError(
            f"there is no search space {source}: give a YAML file or one of {', '.join(examples)}"
        )
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{file} is not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        raise ValueError(f"{file} holds no mapping: it must have the fields agent and parameters")
    try:
        return Space.model_validate(content)
    except ValidationError as errors:
        raise ValueError(f"{file}: {_sentence(errors)}") from None


def _sentence(errors: ValidationError) -> str:
    """First problem as one sentence that starts with the field."""
    first = errors.errors(include_url=False)[0]
    tags = set(DISTRIBUTIONS)
    # Pydantic puts the tag of the union and "[key]" between the names of the fields.
    location = [str(part) for part in first["loc"] if part not in tags and part != "[key]"]
    field = ".".join(location)
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        message = "there is no such field: remove it or correct its name"
    elif first["type"] == "union_tag_not_found":
        message = f"give it a distribution, one of {', '.join(DISTRIBUTIONS)}"
    elif first["type"] == "union_tag_invalid":
        field += ".distribution"
        message = f"must be one of {', '.join(DISTRIBUTIONS)}"
    elif first["type"] == "string_pattern_mismatch":
        message = "must be a name of letters, digits and underscores, parts joined by dots"
    return f"{field}: {message}" if field else message


DISTRIBUTIONS = ("choice", "uniform", "loguniform", "quniform", "uniformint", "constant")
