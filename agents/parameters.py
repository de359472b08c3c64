"""Parameters of agents: dataclass fields with the values that they may take."""

from __future__ import annotations

import dataclasses
import numbers
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

Parameters = dict[str, float | int | str | None]
"""Parameters of an agent in a form that JSON can hold."""


@dataclass(frozen=True)
class Allowed:
    """The numbers that a parameter may be.

    Attributes
    ----------
    condition
        The condition in words or symbols.
    holds
        The same as a function of a number; False for NaN.
    whole
        Whether the parameter is an integer.
    optional
        Whether None is allowed too.
    """

    condition: str
    holds: Callable[[Any], bool]
    whole: bool = False
    optional: bool = False

    def admits(self, value: Any) -> bool:
        """Whether a value is of the right type and within the condition."""
        if value is None:
            return self.optional
        kind = numbers.Integral if self.whole else numbers.Real
        return type(value) is not bool and isinstance(value, kind) and self.holds(value)

    def plain(self, value: Any) -> float | int:
        """Turn a NumPy scalar into a Python number, which JSON can hold."""
        return int(value) if self.whole else float(value)

    def __str__(self) -> str:
        kind = "an integer" if self.whole else "a number"
        return f"{kind} with {self.condition}{' or None' if self.optional else ''}"


@dataclass(frozen=True)
class Choice:
    """The words that a parameter may be."""

    words: tuple[str, ...]

    def admits(self, value: Any) -> bool:
        """Whether a value is one of the words."""
        return isinstance(value, str) and value in self.words

    def plain(self, value: Any) -> str:
        """Give the word itself."""
        return str(value)

    def __str__(self) -> str:
        return " or ".join(map(repr, self.words))


def parameter(default: float | int | str | None, allowed: Allowed | Choice) -> Any:
    """Field of a dataclass with its default and the values that it may take."""
    return dataclasses.field(default=default, metadata={"allowed": allowed})


class Parameterised:
    """Something given by a name and a few numbers or words.

    Subclasses are dataclasses; their fields made by `parameter` are the parameters.

    Attributes
    ----------
    name
        Identifier in lower case with hyphens.
    """

    name: str

    @classmethod
    def parameter_fields(cls) -> tuple[dataclasses.Field[Any], ...]:
        """Return the fields that hold the parameters."""
        every = dataclasses.fields(cls)  # type: ignore[arg-type]
        return tuple(field for field in every if "allowed" in field.metadata)

    @property
    def parameters(self) -> Parameters:
        """Name and value of each parameter."""
        return {field.name: getattr(self, field.name) for field in self.parameter_fields()}

    def __post_init__(self) -> None:
        for field in self.parameter_fields():
            allowed = field.metadata["allowed"]
            value = getattr(self, field.name)
            if not allowed.admits(value):
                raise ValueError(f"{self.name}: {field.name} is {value!r} but must be {allowed}")
            if value is not None:
                object.__setattr__(self, field.name, allowed.plain(value))


Kind = TypeVar("Kind", bound=Parameterised)


def make(
    what: str, kinds: Mapping[str, type[Kind]], name: str, parameters: Mapping[str, Any]
) -> Kind:
    """Make one of several kinds of things from its name.

    Parameters
    ----------
    what
        What they are, for messages.
    kinds
        All of them.
    name
        A key of ``kinds``.
    parameters
        Its parameters; those left out take their defaults.

    Raises
    ------
    ValueError
        If there is no such kind or parameter, or a value is out of range.
    """
    if name not in kinds:
        raise ValueError(f"there is no {what} {name!r}; choose one of {', '.join(kinds)}")
    known = [field.name for field in kinds[name].parameter_fields()]
    for parameter in parameters:
        if parameter not in known:
            choices = f"its parameters are {', '.join(known)}" if known else "it has none"
            raise ValueError(f"{what} {name} has no parameter {parameter!r}; {choices}")
    return kinds[name](**parameters)
