"""What a submission says about itself: the content of ``submission.json``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue, model_validator

from .bootstrap import Estimate

MANIFEST_FILE = "submission.json"
PREDICTIONS_FILE = "predictions.npz"

MAX_MANIFEST_BYTES = 1_000_000
MAX_PREDICTIONS_BYTES = 64_000_000
"""Limit for the archive, and again for all that it unpacks to."""

_Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_Count = Annotated[int, Field(ge=0, le=8 * MAX_PREDICTIONS_BYTES)]
_Shape = Annotated[tuple[_Count, ...], Field(min_length=1, max_length=4)]
_Name = Annotated[str, Field(min_length=1, max_length=100)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class DatasetReference(_Strict):
    """The data that the predictions are for.

    Attributes
    ----------
    id
        For example "jets/W-500GeV-v1".
    split
        For example "test".
    sha256
        Hash of its content, as the catalogue gives it.
    """

    id: _Name
    split: _Name
    sha256: _Sha256


class PredictionsReference(_Strict):
    """Where the predictions are and what they mean.

    Attributes
    ----------
    file
        Always "predictions.npz".
    sha256
        Hash of that file.
    kind
        One of the score module's ``PREDICTION_KINDS``.
    sizes
        Name of each array of 0/1 values to the number of its values before packing.
    shapes
        Name of each array of numbers to its shape.
    """

    file: Literal["predictions.npz"]
    sha256: _Sha256
    kind: _Name
    sizes: dict[_Name, _Count] = {}
    shapes: dict[_Name, _Shape] = {}

    @model_validator(mode="after")
    def _names_differ(self) -> PredictionsReference:
        if both := sorted(self.sizes.keys() & self.shapes.keys()):
            raise ValueError(f"array {both[0]!r} stands in sizes and in shapes")
        return self


class Manifest(_Strict):
    """The content of ``submission.json``.

    Attributes
    ----------
    format
        Version of this layout.
    task
        Task id with version.
    datasets
        Role to the data that was predicted.
    agent
        Name of the agent.
    hyperparameters
        Whatever is needed to set the agent up again.
    seeds
        All seeds of training and evaluation; empty for an agent without randomness.
    package_versions
        Package to version.
    hepgym_version
        Version of this package.
    claimed
        Metric to the score that the submitter found.
    wall_time_s
        Seconds of playing the test set.
    created
        Time in UTC.
    predictions
        The file with the predictions.
    authors, description
        Free text.
    """

    format: Literal[1]
    task: _Name
    datasets: dict[_Name, DatasetReference]
    agent: _Name
    hyperparameters: dict[_Name, JsonValue]
    seeds: tuple[Annotated[int, Field(ge=0)], ...]
    package_versions: dict[_Name, _Name]
    hepgym_version: _Name
    claimed: dict[_Name, Estimate]
    wall_time_s: Annotated[float, Field(ge=0)]
    created: AwareDatetime
    predictions: PredictionsReference
    authors: tuple[_Name, ...] = ()
    description: Annotated[str, Field(max_length=10_000)] = ""

    @property
    def label(self) -> str:
        """One short line for tables and figures: the description's first, or the agent."""
        lines = self.description.strip().splitlines()
        return lines[0][:60] if lines else self.agent
