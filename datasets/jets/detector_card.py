"""A detector's parameters, read from a YAML card and checked."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..errors import DatasetError

CMS_CARD = Path(__file__).parent / "cards" / "cms.yaml"

_Share = Annotated[float, Field(ge=0, le=1)]
_Positive = Annotated[float, Field(gt=0)]
_NotNegative = Annotated[float, Field(ge=0)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Magnet(_Strict):
    """Solenoid and inner face of the calorimeter: tesla and metres."""

    field: _NotNegative
    radius: _Positive
    half_length: _Positive


class Tracking(_Strict):
    """Tracks of one kind of particle.

    Attributes
    ----------
    efficiency
        Rows (|eta| up to, pT up to, probability).
    resolution
        Rows (|eta| up to, a, b): sigma(pT) / pT = sqrt(a^2 + (b pT)^2).
    """

    efficiency: tuple[tuple[_Positive, _Positive, _Share], ...]
    resolution: tuple[tuple[_Positive, _NotNegative, _NotNegative], ...]


class Tracks(_Strict):
    """Tracks of each kind of charged particle."""

    charged_hadrons: Tracking
    electrons: Tracking
    muons: Tracking


class Calorimeter(_Strict):
    """One calorimeter.

    Attributes
    ----------
    energy_min, significance_min
        A tower, or its excess over the tracks that point to it, below this energy in GeV or below
        so many standard deviations is dropped.
    default_share, shares
        Share of a particle's energy that it sees, by absolute PDG code.
    towers
        Rows (|eta| from, to, width, number of towers around).
    resolution
        Rows (|eta| up to, s0, s2, eta0, c, s, n):
        sigma(E) = (s0 + s2 (|eta| - eta0)^2) sqrt((c E)^2 + s^2 E + n^2).
    """

    energy_min: _NotNegative
    significance_min: _NotNegative
    default_share: _Share
    shares: dict[int, _Share]
    towers: tuple[tuple[_NotNegative, _Positive, _Positive, Annotated[int, Field(gt=0)]], ...]
    resolution: tuple[
        tuple[_Positive, _NotNegative, float, float, _NotNegative, _NotNegative, _NotNegative],
        ...,
    ]


class DetectorCard(_Strict):
    """A detector."""

    name: str
    magnet: Magnet
    tracks: Tracks
    ecal: Calorimeter
    hcal: Calorimeter


def read_card(file: Path = CMS_CARD) -> DetectorCard:
    """Read a detector card.

    Parameters
    ----------
    file
        YAML; default the CMS-like card that comes with hepgym.

    Returns
    -------
    DetectorCard

    Raises
    ------
    DatasetError
        Naming the field, if the file is no such card.
    """
    import yaml

    try:
        return DetectorCard.model_validate(yaml.safe_load(file.read_text()))
    except ValidationError as errors:
        first = errors.errors(include_url=False)[0]
        field = ".".join(map(str, first["loc"]))
        raise DatasetError(f"{file}: field {field!r}: {first['msg']}") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise DatasetError(f"{file} cannot be read as a detector card: {reason}") from None
