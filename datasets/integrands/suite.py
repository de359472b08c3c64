"""Suites: versioned lists of integrands on which samplers are compared."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..errors import DatasetError
from .integrand import Integrand
from .registry import integrand

_FOLDER = Path(__file__).parent / "suites"

SUITES = {
    "integrands/board-v1": "2d8132067cbde7b6ada67236fe86fe6203b5e03057ff2a530612d170b81e1c75",
}
"""Suite id to the SHA-256 of its content."""


@dataclass(frozen=True)
class SuiteMember:
    """An integrand of a suite, with what is known of it.

    Attributes
    ----------
    name
        Name of the integrand.
    dim
        Number of dimensions.
    value, error
        Reference value of the integral and its standard error; 0 if it is exact.
    plain_rsd
        Standard deviation over mean of the integrand under uniform points: what plain Monte Carlo
        has.
    cost
        Declared time for one point in microseconds.
    """

    name: str
    dim: int
    value: float
    error: float
    plain_rsd: float
    cost: float

    def integrand(self) -> Integrand:
        """Make the integrand."""
        return integrand(self.name)


@dataclass(frozen=True)
class Suite:
    """A versioned list of integrands.

    Attributes
    ----------
    id
        For example "integrands/board-v1".
    members
        Name to member, in the order of tables.
    """

    id: str
    members: Mapping[str, SuiteMember]


def suite_hash(members: Mapping[str, SuiteMember]) -> str:
    """SHA-256 of a suite's content: names, dimensions, references, costs."""
    content = [
        [m.name, m.dim, repr(m.value), repr(m.error), repr(m.plain_rsd), repr(m.cost)]
        for m in members.values()
    ]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def load_suite(suite_id: str) -> Suite:
    """Load a suite.

    Parameters
    ----------
    suite_id
        A key of `SUITES`.

    Returns
    -------
    Suite

    Raises
    ------
    DatasetError
        If there is no such suite, or its content is not that of `SUITES`.
    """
    if suite_id not in SUITES:
        raise DatasetError(f"there is no suite {suite_id!r}; there are {', '.join(SUITES)}")
    file = _FOLDER / f"{suite_id.partition('/')[2]}.json"
    rows = json.loads(file.read_text())["members"]
    members = {row["name"]: SuiteMember(**row) for row in rows}
    if suite_hash(members) != SUITES[suite_id]:
        raise DatasetError(
            f"{file} is not the official {suite_id}: its content hash differs, install hepgym again"
        )
    return Suite(suite_id, members)
