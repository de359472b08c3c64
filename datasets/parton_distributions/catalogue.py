"""The bundled datasets of parton distributions: where they are and what they must hold."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..errors import DatasetError

_BUNDLED = Path(__file__).parent.parent / "bundled"

DATA_FILE = "data.npz"
EVOLUTION_FILE = "evolution.npz"


@dataclass(frozen=True)
class PartonDataSpec:
    """A versioned dataset.

    Attributes
    ----------
    id
        For example ``parton_distributions/DIS-NLO-v1``.
    description
        One line for people.
    points
        Number of measured points.
    sha256
        File name to hash of its content, see `files.content_hash`.
    """

    id: str
    description: str
    points: int
    sha256: dict[str, str]

    @property
    def folder(self) -> Path:
        """Where the files are."""
        return _BUNDLED / self.id


DEFAULT_ID = "parton_distributions/DIS-NLO-v1"

SPECS = {
    spec.id: spec
    for spec in (
        PartonDataSpec(
            id=DEFAULT_ID,
            description="15 sets of deep-inelastic scattering with NLO zero-mass tables",
            points=2950,
            sha256={
                DATA_FILE: "f783fecdde84fa305309b149c349511818baa6adc699c55fe12a604cfb80024b",
                EVOLUTION_FILE: "b97a4c0cf7e1fa978351b0f6aa734b66f80aff586316223c247618f78e3338ad",
            },
        ),
    )
}
"""All bundled datasets by id."""


def spec(dataset_id: str) -> PartonDataSpec:
    """Look up a dataset.

    Raises
    ------
    DatasetError
        If there is no such dataset.
    """
    if dataset_id not in SPECS:
        raise DatasetError(f"there is no dataset {dataset_id!r}; there are {', '.join(SPECS)}")
    return SPECS[dataset_id]
