"""The layout that the house keeps: packages, import directions, wheel content."""

from __future__ import annotations

import ast
import importlib
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import hepgym
from hepgym.envs.registration import ENVIRONMENTS

ROOT = Path(__file__).parent.parent
FLOORS = ["backend", "cluster", "datasets", "envs", "leaderboards", "agents", "cli"]
NOT_PACKAGED = {"tests", "benchmarks", "docs", "examples", "build", "dist"}


def sources() -> list[Path]:
    return [
        file
        for file in sorted(ROOT.rglob("*.py"))
        if not file.relative_to(ROOT).parts[0].startswith((".", *NOT_PACKAGED))
        and not any(part.endswith(".egg-info") for part in file.parts)
    ]


def test_every_package_is_listed():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    listed = set(project["tool"]["setuptools"]["packages"])
    on_disk = {".".join(("hepgym", *file.parent.relative_to(ROOT).parts)) for file in sources()}
    assert listed == on_disk
    assert all((file.parent / "__init__.py").exists() for file in sources())


def floor(module: str) -> int | None:
    """Floor of a module given relative to the package, or None for the root's own modules."""
    first = module.split(".")[0]
    return FLOORS.index(first) if first in FLOORS else None


def imports(file: Path) -> list[str]:
    """Modules of the package that a file imports, relative to the package."""
    package = [*file.relative_to(ROOT).parts[:-1]]
    found = []
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom):
            assert not (node.module or "").startswith("hepgym"), f"{file}: use relative imports"
            if node.level:
                base = package[: len(package) - node.level + 1]
                module = ".".join([*base, *((node.module or "").split(".") if node.module else [])])
                found += [module] if module else [alias.name for alias in node.names]
        elif isinstance(node, ast.Import):
            assert not any(alias.name.startswith("hepgym") for alias in node.names)
    return found


def test_imports_run_down_only():
    for file in sources():
        here = floor(file.relative_to(ROOT).with_suffix("").parts[0])
        if here is None:
            continue
        for module in imports(file):
            there = floor(module)
            assert there is None or there <= here, f"{file} imports {module} from a floor above"


def test_no_import_circles():
    graph = {}
    for file in sources():
        module = ".".join(file.relative_to(ROOT).with_suffix("").parts)
        graph[module.removesuffix(".__init__")] = imports(file)
    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " -> ".join((*path, module))
        if module in done or module not in graph:
            return
        for other in graph[module]:
            # A package's own modules may import the package they are exported from.
            if other != module and not module.startswith(other + "."):
                visit(other, (*path, module))
        done.add(module)

    for module in graph:
        visit(module, ())


@pytest.mark.parametrize("name", list(ENVIRONMENTS))
def test_registered_environments_are_documented(name):
    sections = [
        "Description",
        "Action Space",
        "Observation Space",
        "Rewards",
        "Starting State",
        "Episode End",
        "Arguments",
        "Vectorized environment",
        "Version History",
    ]
    module, _, environment = ENVIRONMENTS[name]["entry_point"].partition(":")
    documentation = getattr(importlib.import_module(module), environment).__doc__
    found = [line.strip().removeprefix("## ") for line in documentation.splitlines()]
    positions = [found.index(section) for section in sections]
    assert positions == sorted(positions)
    assert "vector_entry_point" in ENVIRONMENTS[name]


def test_registered_environments():
    assert list(ENVIRONMENTS) == [
        "JetGrooming-v0",
        "JetGroomingTop-v0",
        "VegasSampling-v0",
        "VegasGrid-v0",
        "PDFFit-v0",
        "PDFFitHyper-v0",
    ]


def test_version_is_stated_once():
    assert hepgym.__version__ == "0.1.0"
    assert f"version: {hepgym.__version__}" in (ROOT / "CITATION.cff").read_text()
    assert f"## {hepgym.__version__}" in (ROOT / "CHANGELOG.md").read_text()


@pytest.mark.slow
def test_wheel_holds_the_tree(tmp_path):
    """Slow: builds a wheel. Everything on disk is in it and nothing else."""
    tree = tmp_path / "tree"
    shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns(".git", ".venv*", "build"))
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--no-deps", "-q", "-w", tmp_path, tree], check=True
    )
    (wheel,) = tmp_path.glob("*.whl")
    packed = {
        name.removeprefix("hepgym/")
        for name in zipfile.ZipFile(wheel).namelist()
        if name.startswith("hepgym/")
    }
    data = {
        str(file.relative_to(ROOT))
        for pattern in (
            "datasets/bundled/**/*.root",
            "datasets/integrands/suites/*.json",
            "datasets/jets/cards/*.yaml",
            "datasets/bundled/events/**/*.npz",
            "datasets/bundled/parton_distributions/**/*.npz",
            "leaderboards/results/**/*.*",
            "leaderboards/service/pages/static/*.css",
            "leaderboards/service/pages/templates/*.html",
            "agents/jet_domains/models/**/*.*",
            "agents/jet_grooming/models/**/*.*",
            "agents/vegas_sampling/policies/models/*.*",
            "agents/unweighting/models/**/*.*",
            "agents/tuning/spaces/*.yaml",
        )
        for file in ROOT.glob(pattern)
    }
    assert packed == {str(file.relative_to(ROOT)) for file in sources()} | data | {"py.typed"}
