"""The experiments' numbers: central values, every named error, kinematics.

Read from the package nnpdf-data, which holds them as published, in the variant that NNPDF4.0 used
(arXiv:2109.02653, section 2). What comes out is cited by experiment in
docs/parton_distributions.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..settings import M_PROTON, Q2_CUT, W2_CUT
from .coefficients import Observable

_AS_PUBLISHED = "legacy"
_WITH_NUCLEAR_ERRORS = "legacy_dw"
_NMC_BEAMS = np.array([90.0, 120.0, 200.0, 280.0])  # muon energies in GeV

# Kinds of systematic errors that are not the name of a common source.
_UNCORRELATED = "UNCORR"
_WITHIN_SET = "CORR"

PROTON = (1.0, 1.0)
DEUTERON = (1.0, 2.0)
LEAD = (82.0, 208.0)

_F2 = Observable("F2", "EM", "electron")
_MUON = Observable("XSHERANCAVG", "EM", "electron")


class Measurement(NamedTuple):
    """A set of data and where its numbers are.

    Attributes
    ----------
    name
        Ours.
    experiment, process, year
        For grouping: who measured, "NC" or "CC", when it was published.
    reference
        arXiv number, or the journal where there is none.
    folder, entry, variant
        Of the package nnpdf-data.
    observable
        What the coefficient functions are computed for.
    targets
        Protons and nucleons of the target; two for the ratio of the first to the second.
    """

    name: str
    experiment: str
    process: str
    year: int
    reference: str
    folder: str
    entry: str
    variant: str
    observable: Observable
    targets: tuple[tuple[float, float], ...]


def _fixed_target(
    name: str,
    process: str,
    year: int,
    reference: str,
    source: str,
    observable: Observable,
    *targets: tuple[float, float],
    variant: str = _WITH_NUCLEAR_ERRORS,
) -> Measurement:
    folder, entry = source.split("/")
    experiment = name.partition("-")[0]
    return Measurement(
        name, experiment, process, year, reference, folder, entry, variant, observable, targets
    )


def _hera(name: str, process: str, source: str, lepton: str) -> Measurement:
    folder, entry = source.split("/")
    observable = Observable(f"XSHERA{process}", process, lepton)
    return Measurement(
        name,
        "HERA",
        process,
        2015,
        "arXiv:1506.06042",
        folder,
        entry,
        _AS_PUBLISHED,
        observable,
        (PROTON,),
    )


_NMC_RATIO = "Nucl. Phys. B487 (1997) 3, hep-ex/9611022"
_NMC_PROTON = "Nucl. Phys. B483 (1997) 3, hep-ph/9610231"
_SLAC = "Phys. Lett. B282 (1992) 475"
_BCDMS_PROTON = "Phys. Lett. B223 (1989) 485"
_BCDMS_DEUTERON = "Phys. Lett. B237 (1990) 592"
_CHORUS = "Phys. Lett. B632 (2006) 65"
_NEUTRINO = Observable("XSCHORUSCC", "CC", "neutrino")
_ANTINEUTRINO = Observable("XSCHORUSCC", "CC", "antineutrino")

MEASUREMENTS = (
    _fixed_target("NMC-dp", "NC", 1997, _NMC_RATIO, "NMC_NC_NOTFIXED/EM-F2", _F2, DEUTERON, PROTON),
    _fixed_target(
        "NMC-p",
        "NC",
        1997,
        _NMC_PROTON,
        "NMC_NC_NOTFIXED_P/EM-SIGMARED",
        _MUON,
        PROTON,
        variant=_AS_PUBLISHED,
    ),
    _fixed_target("SLAC-p", "NC", 1992, _SLAC, "SLAC_NC_NOTFIXED_P/EM-F2", _F2, PROTON),
    _fixed_target("SLAC-d", "NC", 1992, _SLAC, "SLAC_NC_NOTFIXED_D/EM-F2", _F2, DEUTERON),
    _fixed_target("BCDMS-p", "NC", 1989, _BCDMS_PROTON, "BCDMS_NC_NOTFIXED_P/EM-F2", _F2, PROTON),
    _fixed_target(
        "BCDMS-d", "NC", 1990, _BCDMS_DEUTERON, "BCDMS_NC_NOTFIXED_D/EM-F2", _F2, DEUTERON
    ),
    _fixed_target(
        "CHORUS-nu", "CC", 2006, _CHORUS, "CHORUS_CC_NOTFIXED_PB/NU-SIGMARED", _NEUTRINO, LEAD
    ),
    _fixed_target(
        "CHORUS-nubar",
        "CC",
        2006,
        _CHORUS,
        "CHORUS_CC_NOTFIXED_PB/NB-SIGMARED",
        _ANTINEUTRINO,
        LEAD,
    ),
    _hera("HERA-NC-em", "NC", "HERA_NC_318GEV/EM-SIGMARED", "electron"),
    _hera("HERA-NC-ep-460", "NC", "HERA_NC_225GEV/EP-SIGMARED", "positron"),
    _hera("HERA-NC-ep-575", "NC", "HERA_NC_251GEV/EP-SIGMARED", "positron"),
    _hera("HERA-NC-ep-820", "NC", "HERA_NC_300GEV/EP-SIGMARED", "positron"),
    _hera("HERA-NC-ep-920", "NC", "HERA_NC_318GEV/EP-SIGMARED", "positron"),
    _hera("HERA-CC-em", "CC", "HERA_CC_318GEV/EM-SIGMARED", "electron"),
    _hera("HERA-CC-ep", "CC", "HERA_CC_318GEV/EP-SIGMARED", "positron"),
)
"""The fifteen sets, in the order of the table of data."""


@dataclass(frozen=True)
class Points:
    """One set after cuts. Arrays are float64, shape (points,) unless stated.

    Attributes
    ----------
    x, q2, y
        Bjorken x, Q2 in GeV2, inelasticity (0 where it is not given and not needed).
    central, stat
        Value and statistical error.
    uncorrelated_additive, uncorrelated_multiplicative
        Further errors of single points, the second as a fraction of the value.
    additive, multiplicative
        Name of a common source to its effect of one standard deviation, the second as a fraction
        of the value. Sources of one set only carry the set's name.
    """

    x: NDArray[np.float64]
    q2: NDArray[np.float64]
    y: NDArray[np.float64]
    central: NDArray[np.float64]
    stat: NDArray[np.float64]
    uncorrelated_additive: NDArray[np.float64]
    uncorrelated_multiplicative: NDArray[np.float64]
    additive: dict[str, NDArray[np.float64]]
    multiplicative: dict[str, NDArray[np.float64]]


def read(measurement: Measurement) -> Points:
    """Read a set and apply the cuts.

    Parameters
    ----------
    measurement
        Which.

    Returns
    -------
    Points

    Raises
    ------
    ImportError
        If nnpdf-data is not installed (extra ``pdf-build``).
    ValueError
        If it holds a kind of error that is not known here.
    """
    found = _common_data(measurement)
    x, q2, third = np.asarray(found.kinematics, np.float64).T
    central = np.asarray(found.central_values, np.float64)
    keep = (q2 > Q2_CUT) & (q2 * (1.0 - x) / x > W2_CUT)
    y = _nmc_inelasticity(x, q2, third) if measurement.name == "NMC-p" else third
    sources: dict[str, dict[str, NDArray[np.float64]]] = {"ADD": {}, "MULT": {}}
    alone = {"ADD": np.zeros_like(central), "MULT": np.zeros_like(central)}
    table = np.asarray(found.systematics_table, np.float64)
    kinds = zip(found.systype_table["treatment"], found.systype_table["name"], strict=True)
    for number, (treatment, name) in enumerate(kinds):
        effect = table[:, number] / (1.0 if treatment == "ADD" else 100.0)
        if name == _UNCORRELATED:
            alone[treatment] = np.hypot(alone[treatment], effect)
        elif name == _WITHIN_SET:
            sources[treatment][f"{measurement.name}:{number}"] = effect[keep]
        elif name in ("SKIP", "THEORYCORR", "THEORYUNCORR"):
            raise ValueError(f"{measurement.name}: errors of kind {name} are not known here")
        else:
            sources[treatment][name] = effect[keep]
    return Points(
        x=x[keep],
        q2=q2[keep],
        y=y[keep],
        central=central[keep],
        stat=np.asarray(found.stat_errors, np.float64)[keep],
        uncorrelated_additive=alone["ADD"][keep],
        uncorrelated_multiplicative=alone["MULT"][keep],
        additive=sources["ADD"],
        multiplicative=sources["MULT"],
    )


def _common_data(measurement: Measurement) -> Any:
    import nnpdf_data
    from nnpdf_data.commondataparser import load_commondata, parse_new_metadata

    folder = Path(nnpdf_data.__file__).parent / "commondata" / measurement.folder
    return load_commondata(
        parse_new_metadata(folder / "metadata.yaml", measurement.entry, variant=measurement.variant)
    )


def _nmc_inelasticity(
    x: NDArray[np.float64], q2: NDArray[np.float64], root_s: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Inelasticity from the beam's energy: the third column of NMC's table is sqrt(s), rounded."""
    energy = root_s**2 / (2.0 * M_PROTON)
    beam = _NMC_BEAMS[np.abs(energy[:, None] - _NMC_BEAMS).argmin(axis=1)]
    return q2 / (2.0 * M_PROTON * beam * x)
