"""Jets that many tests use."""

from __future__ import annotations

import importlib.util
import signal
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import hepgym.datasets
from hepgym.datasets.jets.trees import ClusteringTrees

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="session", autouse=True)
def _interruptible() -> None:
    """Jobs in a shell's background ignore Ctrl-C, and so would all that the tests start there."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def bundled(process: str, jets: int = 1000) -> ClusteringTrees:
    return hepgym.datasets.load_trees(f"jets/{process}-500GeV-v1", split="test").select(
        slice(0, jets)
    )


@pytest.fixture(scope="session")
def w_trees() -> ClusteringTrees:
    return bundled("W")


@pytest.fixture(scope="session")
def qcd_trees() -> ClusteringTrees:
    return bundled("QCD")


@pytest.fixture(scope="session")
def top_trees() -> ClusteringTrees:
    return bundled("top")


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(20190322)


@pytest.fixture(scope="session")
def object_tree() -> ModuleType:
    """The plain implementation of the game that the benchmarks compare with."""
    spec = importlib.util.spec_from_file_location(
        "object_tree", ROOT / "benchmarks" / "object_tree.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["object_tree"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def reference_data() -> Path:
    """Published reference data, beside the repository where they are available."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.exists():
        pytest.skip(f"no published reference data in {folder}")
    return folder
