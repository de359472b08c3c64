"""The builder, with the packages of the extra ``pdf-build`` where they are installed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from hepgym.datasets import DatasetError, parton_distributions
from hepgym.datasets.parton_distributions.builder import build as builder
from hepgym.datasets.parton_distributions.builder import coefficients, dglap
from hepgym.datasets.parton_distributions.builder.coefficients import PIDS, of_target
from hepgym.datasets.parton_distributions.builder.dglap import _transforms
from hepgym.datasets.parton_distributions.builder.experiments import MEASUREMENTS
from hepgym.datasets.parton_distributions.builder.nuclear import pivoted_factor, reduce_families
from hepgym.datasets.parton_distributions.grid import interpolation, lambert_grid
from hepgym.datasets.parton_distributions.settings import M_BOTTOM

needs_packages = pytest.mark.skipif(
    any(find_spec(name) is None for name in ("nnpdf_data", "yadism", "ekore")),
    reason="the packages of the extra pdf-build are not installed",
)
BUILT_WITH = {"nnpdf-data": "4.1.5", "yadism": "0.13.12", "eko": "0.15.7"}


def test_missing_packages_are_named(monkeypatch, tmp_path):
    def absent(name):
        raise builder.PackageNotFoundError(name)

    monkeypatch.setattr(builder, "version", absent)
    with pytest.raises(DatasetError, match="nnpdf-data is not installed: `pip install"):
        builder.build(tmp_path)


def test_isospin_of_targets(random):
    proton = random.normal(size=(2, len(PIDS), 4))
    np.testing.assert_array_equal(of_target(proton, 1, 1), proton)
    neutron = of_target(proton, 0, 1)
    np.testing.assert_array_equal(neutron[:, PIDS.index(2)], proton[:, PIDS.index(1)])
    np.testing.assert_array_equal(neutron[:, PIDS.index(-1)], proton[:, PIDS.index(-2)])
    np.testing.assert_array_equal(neutron[:, PIDS.index(3)], proton[:, PIDS.index(3)])
    np.testing.assert_allclose(of_target(proton, 1, 2), (proton + neutron) / 2)


def test_fewer_sources_have_the_same_covariance(random):
    x = np.linspace(0, 1, 60)
    smooth = np.stack([np.sin((1 + number % 5) * x + number) for number in range(100)], axis=1)
    factor = pivoted_factor(smooth, np.full(60, 1e-9))
    assert factor.shape[1] < 20
    np.testing.assert_allclose(factor @ factor.T, smooth @ smooth.T, atol=1e-7)
    names = ("lumi", *(f"NUCLEAR{number}" for number in range(100)))
    effects = np.concatenate([random.normal(size=(60, 1)), smooth], axis=1)
    kept, reduced = reduce_families(names, effects, np.ones(60))
    assert kept[:2] == ("lumi", "NUCLEAR:0")
    assert len(kept) == reduced.shape[1] < 20
    np.testing.assert_allclose(reduced @ reduced.T, effects @ effects.T, atol=1e-4)


@pytest.mark.slow
@needs_packages
def test_shipped_files_are_what_the_builder_makes(tmp_path):
    """Slow: ten minutes. HEPGYM_PDF_BUILD may name a folder with the pieces of an earlier build."""
    for name, expected in BUILT_WITH.items():
        if version(name) != expected:
            pytest.skip(f"{name} is {version(name)}, the files were built with {expected}")
    seen = []
    earlier = os.environ.get("HEPGYM_PDF_BUILD")
    hashes = builder.build(
        tmp_path,
        work_folder=Path(earlier) if earlier else None,
        progress=lambda *step: seen.append(step),
    )
    assert hashes == parton_distributions.spec(parton_distributions.DEFAULT_ID).sha256
    assert {what for what, done, total in seen if done == total} >= {
        "published numbers",
        "evolution",
        "evolution to other scales",
        "coefficient functions CHORUS-nu",
    }


@pytest.mark.slow
@needs_packages
def test_interrupted_build_goes_on(tmp_path, monkeypatch):
    """Slow: coefficient functions are computed once, whatever happens in between."""
    calls = []
    compute = coefficients._compute

    def counted(observable, points):
        calls.append(points.tobytes())
        if len(calls) == 2:
            raise KeyboardInterrupt
        return compute(observable, points)

    monkeypatch.setattr(coefficients, "_compute", counted)
    with pytest.raises(KeyboardInterrupt):
        builder.build(tmp_path, only="SLAC-p")
    assert builder.build(tmp_path, only="SLAC-p") == {}
    assert calls.count(calls[0]) == 1
    before = len(calls)
    builder.build(tmp_path, only="SLAC-p")
    assert len(calls) == before
    with pytest.raises(DatasetError, match="there is no set 'SLAC'"):
        builder.build(tmp_path, only="SLAC")


@pytest.mark.slow
@needs_packages
def test_antineutrinos_by_charge_conjugation(tmp_path):
    (chorus,) = (entry for entry in MEASUREMENTS if entry.name == "CHORUS-nubar")
    x, q2, y = np.array([0.1]), np.array([20.0]), np.array([0.5])
    found = coefficients.coefficients(chorus.observable, x, q2, y, tmp_path, lambda _: None)
    direct = coefficients._compute(chorus.observable, np.stack([q2, x, y], axis=1))
    np.testing.assert_array_equal(found, direct)


EKO_SCALES = [2.5, 4.5, 100.0]
EKO_MOMENTS = [(2.0, 0.0), (1.7, 1.3), (4.0, 6.0)]
EKO_ROWS = [8, 25, 40]
EKO_COLUMNS = [8, 10, 27, 42]

_EKO = """
import json, sys
import numpy as np
from eko import couplings, interpolation, mellin
from eko.kernels import EvoMethods, non_singlet, singlet
from eko.quantities.couplings import CouplingEvolutionMethod, CouplingsInfo
from eko.quantities.heavy_quarks import QuarkMassScheme
from ekore.anomalous_dimensions.unpolarized import space_like

moments, scale, grid, rows, columns = json.loads(sys.argv[1])
running = couplings.Couplings(
    CouplingsInfo(alphas=0.118, alphaem=0.0075, ref=(91.2, 5)),
    (2, 0),
    CouplingEvolutionMethod.EXACT,
    masses=[1.51**2, 4.92**2, 172.5**2],
    hqm_scheme=QuarkMassScheme.POLE,
    thresholds_ratios=[1.0, 1.0, 1.0],
)
legs = [(4, 1.65, min(scale, 4.92))] + ([(5, 4.92, scale)] if scale > 4.92 else [])
legs = [(nf, *(running.a_s(q**2, nf_to=nf) for q in ends)) for nf, *ends in legs]


def kernels(n, steps):
    plus = minus = 1.0
    mixed = np.eye(2)
    for nf, a0, a1 in legs:
        alone = []
        for mode in (10101, 10201):
            gamma = space_like.gamma_ns((2, 0), mode, n, nf, (0,) * 7, False)
            alone.append(
                non_singlet.dispatcher((2, 0), EvoMethods.ITERATE_EXACT, gamma, a1, a0, nf)
            )
        plus, minus = alone[0] * plus, alone[1] * minus
        gamma = space_like.gamma_singlet((2, 0), n, nf, (0,) * 7, False)
        method = EvoMethods.ITERATE_EXACT
        mixed = singlet.dispatcher((2, 0), method, gamma, a1, a0, nf, steps, (10, 0)) @ mixed
    return np.array([plus, minus, *mixed.ravel()])


found = np.array([kernels(complex(*pair), 2000) for pair in moments])
basis = interpolation.InterpolatorDispatcher(grid, 4, mode_N=True)
nodes, weights = np.polynomial.legendre.leggauss(90)
elements = np.zeros((6, len(rows), len(columns)))
for row, k in enumerate(rows):
    log_x = np.log(grid[k])
    for t, weight in zip(0.75 + nodes / 4, weights / 4):
        path = mellin.Path(t, log_x, True)
        kernel = kernels(path.n, 60) * path.prefactor * path.jac * weight
        for column, j in enumerate(columns):
            elements[:, row, column] += (kernel * basis[j](path.n, log_x)).real
print(json.dumps([found.real.tolist(), found.imag.tolist(), elements.tolist()]))
"""


@pytest.mark.slow
@needs_packages
@pytest.mark.parametrize("q", EKO_SCALES)
def test_evolution_against_eko(q):
    """EKO's couplings, kernels, polynomials and path, not compiled; a minute a scale.

    Moments of the operators, and some of their elements in x. (EKO's own operator files are
    interpolated again at thresholds, and it takes ten minutes to compile before it makes one.)
    """
    grid = lambert_grid()
    question = [EKO_MOMENTS, q, grid.tolist(), EKO_ROWS, EKO_COLUMNS]
    done = subprocess.run(
        [sys.executable, "-c", _EKO, json.dumps(question)],
        env=os.environ | {"NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    real, imaginary, elements = json.loads(done.stdout.splitlines()[-1])
    n = np.array([complex(*pair) for pair in EKO_MOMENTS])
    flow = dglap._Flow(dglap.gammas(n, 4), 4, dglap._a(1.65))
    if q > M_BOTTOM:
        flow.to(dglap._a(M_BOTTOM))
        flow = flow.with_bottom(dglap.gammas(n, 5))
    flow.to(dglap._a(q))
    moments = np.array(real) + 1j * np.array(imaginary)
    # EKO integrates the coupling to about 1e-6.
    np.testing.assert_allclose(flow.in_moments()[:6].T, moments, rtol=2e-6, atol=1e-9)
    (kernels,) = dglap.Evolution(grid, grid).kernels([q])
    ours = kernels[:6][np.ix_(range(6), EKO_ROWS, EKO_COLUMNS)]
    # As parts of x f, whose size does not fall with x. Here EKO makes 60 steps: good to 6e-5.
    factor = grid[EKO_ROWS][:, None] / grid[EKO_COLUMNS]
    np.testing.assert_allclose(ours * factor, np.array(elements) * factor, rtol=1e-4, atol=1e-6)


def test_transforms_are_those_of_the_polynomials():
    """x^-N times the Mellin transform, by Gauss integration of the polynomials in x."""
    grid = lambert_grid(12, 1e-3)
    n = np.array([[1.7 + 0.9j, 0.6 + 3.0j]])
    below = np.log([grid[0] * (1 - 1e-9)])
    found = _transforms(n, below, np.log(grid))[0]
    nodes, weights = np.polynomial.legendre.leggauss(40)
    expected = np.zeros_like(found)
    for low, high in zip(np.log(grid[:-1]), np.log(grid[1:]), strict=True):
        log_x = (low + high) / 2 + (high - low) / 2 * nodes
        values = interpolation(np.exp(log_x), grid)
        for row, moment in enumerate(n[0]):
            kernel = np.exp(moment * (log_x - below)) * weights * (high - low) / 2
            expected[row] += kernel @ values
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)
