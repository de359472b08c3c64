"""The datasets that have an id: what they are, how they are made, and where their files lie."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from .errors import DatasetError
from .jets.settings import SPLITS, GeneratorSettings, Process

_BUNDLED = Path(__file__).parent / "bundled"

_MOMENTA = {"200GeV": 200.0, "500GeV": 500.0, "2TeV": 2000.0}


@dataclass(frozen=True)
class BundledSplit:
    """A split that comes with the package.

    Attributes
    ----------
    jets
        Number of jets.
    sha256
        Hash of the content, see `hepgym.datasets.jets.jet_files.content_hash`.
    """

    jets: int
    sha256: str


@dataclass(frozen=True)
class DatasetSpec:
    """A versioned dataset.

    Attributes
    ----------
    id
        For example ``jets/W-500GeV-v1``.
    description
        One line for people.
    settings
        What the generator is asked for, at truth level.
    bundled
        The splits that come with the package.
    """

    id: str
    description: str
    settings: GeneratorSettings
    bundled: dict[str, BundledSplit]

    def sha256(self, split: str) -> str:
        """Content hash of a bundled split.

        Raises
        ------
        DatasetError
            If the split is not bundled.
        """
        return self._bundled(split).sha256

    def bundled_file(self, split: str) -> Path:
        """ROOT file of a bundled split.

        Raises
        ------
        DatasetError
            If the split is not bundled.
        """
        self._bundled(split)
        return _BUNDLED / self.id / f"{split}.root"

    def generated_file(
        self, settings: GeneratorSettings, split: str, size: int, seed: int
    ) -> Path:
        """Where `hepgym data generate` puts a sample unless told otherwise."""
        name = "-".join([*settings.variant(), split, str(size), f"seed{seed}"])
        return data_folder() / self.id / f"{name}.root"

    def _bundled(self, split: str) -> BundledSplit:
        if split not in SPLITS:
            raise DatasetError(f"{self.id} has no split {split!r}; it has {', '.join(SPLITS)}")
        if split not in self.bundled:
            raise DatasetError(
                f"{self.id} is not bundled: generate it with `hepgym data generate {self.id} "
                f"--split {split} --size 10000` and load it with size=10000"
            )
        return self.bundled[split]


_BUNDLED_SPLITS: dict[str, dict[str, BundledSplit]] = {}


def _specs() -> dict[str, DatasetSpec]:
    decays = {"W": "WW pairs, W to quarks", "QCD": "dijets", "top": "top pairs, W to quarks"}
    specs = {}
    for process in get_args(Process):
        for name, pt_min in _MOMENTA.items():
            identity = f"jets/{process}-{name}-v1"
            specs[identity] = DatasetSpec(
                id=identity,
                description=f"{decays[process]}, anti-kt R = 1 jets, pT > {pt_min:g} GeV, 14 TeV",
                settings=GeneratorSettings(process, pt_min),
                bundled=_BUNDLED_SPLITS.get(identity, {}),
            )
    return specs


SPECS: dict[str, DatasetSpec] = _specs()


def spec(dataset_id: str) -> DatasetSpec:
    """Look up a dataset.

    Parameters
    ----------
    dataset_id
        With version (``jets/W-500GeV-v1``) or without (the newest version).

    Returns
    -------
    DatasetSpec

    Raises
    ------
    DatasetError
        If there is no such dataset.
    """
    if dataset_id in SPECS:
        return SPECS[dataset_id]
    versions = [name for name in SPECS if re.sub(r"-v\d+$", "", name) == dataset_id]
    if not versions:
        raise DatasetError(
            f"there is no dataset {dataset_id!r}; there are {', '.join(SPECS)}, "
            "and a ROOT file is given as its path"
        )
    return SPECS[max(versions, key=lambda name: int(name.rpartition("-v")[2]))]


def data_folder() -> Path:
    """Folder of generated data: ``HEPGYM_DATA`` if set, otherwise the user's cache folder."""
    if folder := os.environ.get("HEPGYM_DATA"):
        return Path(folder)
    import platformdirs

    return Path(platformdirs.user_cache_dir("hepgym"))
