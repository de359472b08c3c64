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
from hepgym.datasets.parton_distributions import bases, export
from hepgym.datasets.parton_distributions.builder import build as builder
from hepgym.datasets.parton_distributions.builder import coefficients, dglap
from hepgym.datasets.parton_distributions.builder.coefficients import PIDS, of_target
from hepgym.datasets.parton_distributions.builder.dglap import Evolution, _transforms
from hepgym.datasets.parton_distributions.builder.experiments import MEASUREMENTS
from hepgym.datasets.parton_distributions.builder.nuclear import pivoted_factor, reduce_families
from hepgym.datasets.parton_distributions.evolution import EvolutionTable
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


_EKO_MOMENTS = """
import json, sys
import numpy as np
from eko import couplings
from eko.io.types import EvolutionMethod
from eko.kernels import EvoMethods, non_singlet, singlet
from eko.quantities.couplings import CouplingEvolutionMethod, CouplingsInfo
from eko.quantities.heavy_quarks import QuarkMassScheme
from ekore.anomalous_dimensions.unpolarized import space_like

moments = [complex(*pair) for pair in json.loads(sys.argv[1])]
scale = float(sys.argv[2])
running = couplings.Couplings(
    CouplingsInfo(alphas=0.118, alphaem=0.0075, ref=(91.2, 5)),
    (2, 0),
    CouplingEvolutionMethod.EXACT,
    masses=[1.51**2, 4.92**2, 172.5**2],
    hqm_scheme=QuarkMassScheme.POLE,
    thresholds_ratios=[1.0, 1.0, 1.0],
)
edges = [(1.65, 4), (min(scale, 4.92), 4)] + ([(4.92, 5), (scale, 5)] if scale > 4.92 else [])
out = []
for n in moments:
    plus = minus = 1.0
    mixed = np.eye(2)
    for (low, nf), (high, _) in zip(edges[::2], edges[1::2]):
        a0, a1 = (running.a_s(q**2, nf_to=nf) for q in (low, high))
        for mode in (10101, 10201):
            gamma = space_like.gamma_ns((2, 0), mode, n, nf, (0,) * 7, False)
            kernel = non_singlet.dispatcher((2, 0), EvoMethods.ITERATE_EXACT, gamma, a1, a0, nf)
            if mode == 10101:
                plus = kernel * plus
            else:
                minus = kernel * minus
        gamma = space_like.gamma_singlet((2, 0), n, nf, (0,) * 7, False)
        mixed = singlet.dispatcher(
            (2, 0), EvoMethods.ITERATE_EXACT, gamma, a1, a0, nf, 2000, (10, 0)
        ) @ mixed
    numbers = [plus, minus, *mixed.ravel()]
    out.append([[complex(z).real, complex(z).imag] for z in numbers])
print(json.dumps(out))
"""


@pytest.mark.slow
@needs_packages
@pytest.mark.parametrize("q", [2.5, 4.5, 100.0])
def test_moments_against_eko(q):
    """EKO's own couplings and kernels, not compiled, for some moments; half a minute."""
    moments = [(2.0, 0.0), (1.7, 1.3), (4.0, 6.0)]
    done = subprocess.run(
        [sys.executable, "-c", _EKO_MOMENTS, json.dumps(moments), str(q)],
        env=os.environ | {"NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    theirs = np.array(json.loads(done.stdout.splitlines()[-1]))
    theirs = theirs[..., 0] + 1j * theirs[..., 1]
    n = np.array([complex(*pair) for pair in moments])
    flow = dglap._Flow(dglap.gammas(n, 4), 4, dglap._a(1.65))
    if q > M_BOTTOM:
        flow.to(dglap._a(M_BOTTOM))
        flow = flow.with_bottom(dglap.gammas(n, 5))
    flow.to(dglap._a(q))
    ours = flow.in_moments()[:6].T
    # EKO integrates the coupling to about 1e-6.
    np.testing.assert_allclose(ours, theirs, rtol=2e-6, atol=1e-9)


EKO_SCALES = (2.5, 4.5, 100.0)


@pytest.fixture(scope="module")
def eko_operators(tmp_path_factory):
    """Operators of EKO with the same settings: scale to (pid out, x out, pid in, x in)."""
    eko = pytest.importorskip("eko")
    from eko.io import runcards

    masses = [[1.51, None], [4.92, None], [172.5, None]]
    theory = {
        "order": [2, 0],
        "couplings": {
            "alphas": 0.118,
            "alphaem": 0.007496,
            "ref": [91.2, 5],
            "em_running": False,
        },
        "heavy": {
            "masses": masses,
            "masses_scheme": "pole",
            "matching_ratios": [1.0, 1.0, 1.0],
        },
        "xif": 1.0,
        "n3lo_ad_variation": [0] * 7,
        "matching_order": [1, 0],
    }
    operator = {
        "init": [1.65, 4],
        "mugrid": [[q, 4 if q < 4.92 else 5] for q in EKO_SCALES],
        "xgrid": lambert_grid().tolist(),
        "configs": {
            "evolution_method": "iterate-exact",
            "ev_op_max_order": [10, 0],
            "ev_op_iterations": 60,
            "interpolation_polynomial_degree": 4,
            "interpolation_is_log": True,
            "scvar_method": None,
            "inversion_method": None,
            "n_integration_cores": 1,
            "polarized": False,
            "time_like": False,
        },
        "debug": {"skip_singlet": False, "skip_non_singlet": False},
    }
    archive = tmp_path_factory.mktemp("eko") / "eko.tar"
    eko.solve(
        runcards.TheoryCard.from_dict(theory), runcards.OperatorCard.from_dict(operator), archive
    )
    with eko.EKO.read(archive) as solved:
        return {
            round(float(point[0]) ** 0.5, 6): np.array(found.operator)
            for point, found in solved.items()
        }


@pytest.mark.slow
@needs_packages
@pytest.mark.parametrize("q", EKO_SCALES)
def test_evolution_against_eko(eko_operators, q):
    """Slow, minutes of compilation: below bottom's threshold, and above, where EKO interpolates."""
    from eko.basis_rotation import flavor_basis_pids

    grid = lambert_grid()
    law = export.reference_law(grid)
    flavours = dict(zip(bases.PIDS, bases.to_flavours(law) / grid, strict=True))
    start = np.stack([flavours.get(pid, np.zeros(len(grid))) for pid in flavor_basis_pids])
    theirs = np.einsum("ajbk,bk->aj", eko_operators[q], start) * grid
    (kernels,) = Evolution(grid, grid).kernels([q])
    table = EvolutionTable(np.array([q]), grid, grid, (kernels * grid[:, None] / grid)[None])
    ours = bases.to_flavours(table.evolve(law))[0]
    tolerance = 2e-6 if q < 4.92 else 5e-4
    for row, pid in enumerate(bases.PIDS):
        reference = theirs[flavor_basis_pids.index(pid)]
        # Relative to the value, or where it is tiny to a thousandth of its maximum.
        scale = np.abs(reference) + 1e-3 * np.abs(theirs).max()
        assert (np.abs(ours[row] - reference) / scale).max() < tolerance, pid


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
