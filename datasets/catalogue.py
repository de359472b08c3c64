"""The datasets that have an id: what they are, how they are made, and where their files lie."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from .errors import DatasetError
from .jets.settings import SPLITS, GeneratorSettings, Level, Process

_BUNDLED = Path(__file__).parent / "bundled"

_MOMENTA = {"200GeV": 200.0, "500GeV": 500.0, "2TeV": 2000.0}

_LEVEL_SEEDS: dict[Level, int] = {"parton": 1, "hadron": 2, "detector": 3}
_PAIRED_SEED = 4
_PAIRED_LEVELS: tuple[tuple[Level, Level], ...] = (("parton", "detector"), ("detector", "parton"))


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
        What the generator is asked for.
    bundled
        The splits that come with the package.
    seed
        Seed of the bundled sample. Levels have different ones, so that no event is in two of them.
    """

    id: str
    description: str
    settings: GeneratorSettings
    bundled: dict[str, BundledSplit]
    seed: int = 0

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

    def generated_file(self, settings: GeneratorSettings, split: str, size: int, seed: int) -> Path:
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


_BUNDLED_SPLITS: dict[str, dict[str, BundledSplit]] = {
    "jets/W-500GeV-v1": {
        "test": BundledSplit(
            10000, "a965b509b8bd64c870b0b7c0af99ee7243b3803934a921c6ac8e1b22c37e5682"
        ),
        "validation": BundledSplit(
            5000, "598a2c2dd1b2a1e5b7b62a260e767230a0da2650f1ee76e78e2963975c24f6e3"
        ),
        "train": BundledSplit(
            12000, "6aded51ecf4b34011930f6a5f60b1860a047683a9046a21025bc4ca3977efe83"
        ),
    },
    "jets/QCD-500GeV-v1": {
        "test": BundledSplit(
            10000, "b81a74af652689c3b778b2cc08a9c12fb1d7da583e6c194afa0f26f654352753"
        ),
        "validation": BundledSplit(
            5000, "630066f159765b703ff39705cafd41b0e1f98b3a61eedbfd91f002e81221134e"
        ),
        "train": BundledSplit(
            12000, "02bf2c89ecdae73a59664e4a1be02e65326ead5dc55e35a6779b14b9a94e59ad"
        ),
    },
    "jets/QCD-500GeV-parton-v1": {
        "test": BundledSplit(
            5000, "cc0b6f6e3c3cfa83b1faf5883b14225107d2639190ed6f484e0e9c63c69cc48d"
        ),
        "validation": BundledSplit(
            1500, "625f32cca0f469adb8124b06e92faeca3f4dc88eb4e96f93178f7332531e4061"
        ),
        "train": BundledSplit(
            5000, "b45be16845c9a607168e633eca6fc3224d0ccaa2e9738438f07c77246c0c11e1"
        ),
    },
    "jets/QCD-500GeV-detector-v1": {
        "test": BundledSplit(
            5000, "9043e519267e4506a576843c0f4b3de2c787a008ec34a3a28705dccc747734b5"
        ),
        "validation": BundledSplit(
            1500, "61ebf879456f27a73a5674486cc08fe34a90a846fb43368beca8234f8070bd5a"
        ),
        "train": BundledSplit(
            5000, "27cab4b2ad44a8eb4b05e3bd9373cc75467f0400a951093d37bc9d02595295bf"
        ),
    },
    "jets/QCD-500GeV-parton-of-detector-v1": {
        "test": BundledSplit(
            1500, "4b31ad455a1eed5da07d45a2d685043cc8a5e29ebd5e4015a1397c9234c9dc34"
        ),
    },
    "jets/QCD-500GeV-detector-of-parton-v1": {
        "test": BundledSplit(
            1500, "8f63912c7b2a928726e3b95cd8b34ce266dc39150702a6a2af0c5f888ddc6607"
        ),
    },
    "jets/top-500GeV-v1": {
        "test": BundledSplit(
            10000, "aad7c38adc9a186b07fba9421fafc5449db5da098ba6d859d88f43bd123efd05"
        ),
        "validation": BundledSplit(
            5000, "338b4947c24a586a140ce693ac0c484b3a2625fe65d4084dfc7f7ca619fd0840"
        ),
        "train": BundledSplit(
            12000, "d38ff6f7b04cefe2c001aa7c410f99d308d8c4581d721053014ff08573f0e8cf"
        ),
    },
}


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
        for level, seed in _LEVEL_SEEDS.items():
            identity = f"jets/{process}-500GeV-{level}-v1"
            specs[identity] = DatasetSpec(
                id=identity,
                description=f"{decays[process]}, the same at {level} level",
                settings=GeneratorSettings(process, 500.0, level),
                bundled=_BUNDLED_SPLITS.get(identity, {}),
                seed=seed,
            )
    for level, partner in _PAIRED_LEVELS:
        identity = f"jets/QCD-500GeV-{level}-of-{partner}-v1"
        specs[identity] = DatasetSpec(
            id=identity,
            description=f"{level} level of the jets of {partner}-of-{level}, for scoring",
            settings=GeneratorSettings("QCD", 500.0, level, matched=partner),
            bundled=_BUNDLED_SPLITS.get(identity, {}),
            seed=_PAIRED_SEED,
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
