"""The bundled data: what they are, what they predict, and how their errors combine."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from hepgym.datasets import DatasetError, parton_distributions
from hepgym.datasets.parton_distributions import bases, export
from hepgym.datasets.parton_distributions.catalogue import DATA_FILE, EVOLUTION_FILE
from hepgym.datasets.parton_distributions.evolution import to_arrays as evolution_arrays
from hepgym.datasets.parton_distributions.files import content_hash, to_arrays

POINTS = {
    "NMC-dp": 121,
    "NMC-p": 204,
    "SLAC-p": 33,
    "SLAC-d": 34,
    "BCDMS-p": 333,
    "BCDMS-d": 248,
    "CHORUS-nu": 416,
    "CHORUS-nubar": 416,
    "HERA-NC-em": 159,
    "HERA-NC-ep-460": 204,
    "HERA-NC-ep-575": 254,
    "HERA-NC-ep-820": 70,
    "HERA-NC-ep-920": 377,
    "HERA-CC-em": 42,
    "HERA-CC-ep": 39,
}

# chi2 per point of NNPDF3.1 NLO with the experimental covariance, measured elsewhere with tables
# made by yadism and EKO.
CHI2 = {
    "NMC-dp": 0.86,
    "NMC-p": 1.76,
    "SLAC-p": 0.95,
    "SLAC-d": 0.54,
    "BCDMS-p": 1.52,
    "BCDMS-d": 1.10,
    "CHORUS-nu": 1.00,
    "CHORUS-nubar": 0.86,
    "HERA-NC-em": 1.49,
    "HERA-NC-ep-460": 1.09,
    "HERA-NC-ep-575": 0.92,
    "HERA-NC-ep-820": 1.26,
    "HERA-NC-ep-920": 1.79,
    "HERA-CC-em": 1.14,
    "HERA-CC-ep": 1.17,
}


@pytest.fixture(scope="module")
def data():
    return parton_distributions.load()


@pytest.fixture(scope="module")
def law(data):
    return export.reference_law(data.x_grid)


def chi2_per_point(data, covariance, predictions, mask=None):
    rows = np.arange(len(data)) if mask is None else np.flatnonzero(mask)
    residuals = (data.central - predictions)[rows]
    return residuals @ np.linalg.solve(covariance[np.ix_(rows, rows)], residuals) / len(rows)


def test_content_is_that_of_the_catalogue(data):
    spec = parton_distributions.spec(parton_distributions.DEFAULT_ID)
    assert content_hash(to_arrays(data)) == spec.sha256[DATA_FILE]
    evolution = parton_distributions.load_evolution()
    assert content_hash(evolution_arrays(evolution)) == spec.sha256[EVOLUTION_FILE]
    assert len(data) == spec.points
    assert sum(file.stat().st_size for file in spec.folder.iterdir()) < 10_000_000


def test_sets_and_cuts(data):
    sizes = np.bincount(data.set_index)
    assert dict(zip(data.set_names, sizes, strict=True)) == POINTS
    assert (data.q2 > 3.49).all()
    assert (data.q2 * (1 - data.x) / data.x > 12.5).all()
    assert set(data.experiments) == {"NMC", "SLAC", "BCDMS", "CHORUS", "HERA"}
    np.testing.assert_array_equal(
        [data.experiments[number] for number in data.experiment_index],
        [data.sets[number].experiment for number in data.set_index],
    )


def test_inelasticity_is_that_of_the_beam(data):
    """y = Q2 / (x s): fixed at HERA by the beams' energies, and below 1 for NMC's muons."""
    rows = data.in_sets(["HERA-NC-ep-920"])
    s = data.q2[rows] / (data.x[rows] * data.y[rows])
    np.testing.assert_allclose(s, 4 * 27.5 * 920, rtol=0.02)
    rows = data.in_sets(["NMC-p"])
    energies = data.q2[rows] / (2 * 0.938 * data.x[rows] * data.y[rows])
    assert set(np.round(energies).astype(int)) == {90, 120, 200, 280}


def test_loading_needs_no_builder_and_nothing_heavy():
    code = (
        "import sys; import hepgym.datasets.parton_distributions as p; "
        "p.load(); p.load_evolution(); "
        "heavy = {'nnpdf_data', 'yadism', 'eko', 'ekore', 'numba', 'tensorflow', 'uproot'}; "
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_prediction_is_the_sum_over_the_table(data, random):
    xf = random.uniform(0.5, 1.5, size=(2, 9, 50))
    predictions = data.predict(xf)
    assert predictions.shape == (2, len(data))
    row = int(np.flatnonzero(data.in_sets(["BCDMS-p"]))[7])
    expected = sum(float(data.table[row, e, k]) * xf[1, e, k] for e in range(9) for k in range(50))
    assert predictions[1, row] == pytest.approx(expected, rel=1e-12)
    ratio = int(data.ratio_rows[3])
    expected = (data.table[ratio] * xf[0]).sum() / (data.denominator[3] * xf[0]).sum()
    assert predictions[0, ratio] == pytest.approx(expected, rel=1e-6)


def test_eight_distributions_mean_equal_charm(data, law):
    nine = law.copy()
    nine[bases.EVOLUTION.index("V15")] = nine[bases.EVOLUTION.index("V")]
    eight = np.stack([nine[bases.EVOLUTION.index(name)] for name in bases.FITTED])
    np.testing.assert_array_equal(data.predict(eight), data.predict(nine))


def test_coefficients_of_eight_distributions(data, law):
    """A table for the eight that are fitted gives what the whole table gives for the nine."""
    eight = np.stack([law[bases.EVOLUTION.index(name)] for name in bases.FITTED])
    folded = bases.onto_fitted(data.table.astype(np.float64))
    assert folded.shape == (len(data), 8, 50)
    np.testing.assert_allclose(
        np.einsum("iek,ek->i", folded, eight),
        np.einsum("iek,ek->i", data.table, bases.from_fitted(eight)),
        rtol=1e-12,
    )


def test_covariance_entry_by_entry(data, random):
    """Against the definition, written out for some pairs."""
    predictions = data.central * random.uniform(0.9, 1.1, len(data))
    for kind, given, scale in (
        ("experimental", None, data.central),
        ("t0", predictions, predictions),
    ):
        covariance = data.covariance(kind, given)
        for i, j in random.permutation(len(data))[:40].reshape(20, 2):
            expected = data.additive[i] @ data.additive[j]
            expected += (
                (data.multiplicative[i] * data.multiplicative[j]).sum() * scale[i] * scale[j]
            )
            assert covariance[i, j] == pytest.approx(
                expected
                if i != j
                else expected
                + data.stat[i] ** 2
                + data.uncorrelated_additive[i] ** 2
                + (data.uncorrelated_multiplicative[i] * scale[i]) ** 2,
                rel=1e-10,
                abs=1e-18,
            )


def test_sets_share_sources_of_error(data):
    covariance = data.covariance()
    errors = np.sqrt(np.diag(covariance))
    correlation = covariance / np.outer(errors, errors)

    def largest(one, other):
        return np.abs(correlation[np.ix_(data.in_sets([one]), data.in_sets([other]))]).max()

    assert largest("HERA-NC-ep-920", "HERA-CC-em") > 0.01
    assert largest("BCDMS-p", "BCDMS-d") > 0.3
    assert largest("NMC-dp", "BCDMS-d") > 0.3  # nuclear effects in the deuteron
    assert largest("BCDMS-p", "HERA-NC-em") == 0.0
    np.linalg.cholesky(correlation)  # raises if it is not positive definite


def test_chi2_of_nnpdf31(data, law):
    predictions = data.predict(law)
    experimental = data.covariance()
    t0 = data.covariance("t0", predictions)
    assert chi2_per_point(data, experimental, predictions) == pytest.approx(1.235, abs=0.002)
    assert chi2_per_point(data, t0, predictions) == pytest.approx(1.284, abs=0.002)
    high = data.q2 >= 10
    assert high.sum() == 2317
    assert chi2_per_point(data, t0, predictions, high) == pytest.approx(1.265, abs=0.002)


@pytest.mark.parametrize("name", POINTS)
def test_chi2_of_nnpdf31_per_set(data, law, name):
    found = chi2_per_point(data, data.covariance(), data.predict(law), data.in_sets([name]))
    assert found == pytest.approx(CHI2[name], abs=0.011)  # they are given with two digits


@pytest.mark.parametrize(
    ("name", "reference", "tolerance"),
    [
        ("HERA-CC-ep", "th405_HERACCEP", 0.006),
        ("BCDMS-p", "th405_BCDMSP", 0.015),
        ("HERA-NC-em", "th405_HERANCEM", 0.015),
    ],
)
def test_predictions_against_published_tables(
    data, law, reference_data, name, reference, tolerance
):
    """NNPDF's NLO tables expand the coupling and the evolution and treat charm's mass (not in CC):
    they differ a little."""
    file = reference_data / "nnpdf" / f"{reference}.npz"
    if not file.exists():
        pytest.skip(f"no published tables in {file}")
    with np.load(file) as published:
        tables, published_predictions = published["T"], published["pred"]
    ours = data.predict(law)[data.in_sets([name])]
    np.testing.assert_allclose(ours, published_predictions, rtol=tolerance)
    assert np.mean(ours / published_predictions) == pytest.approx(1.0, abs=0.0035)
    # Law, basis and grid are the same: their tables with our law give their predictions.
    folded = np.einsum("iek,ek->i", tables, law)
    np.testing.assert_allclose(folded, published_predictions, rtol=1e-7)


def test_select_keeps_everything_together(data, law):
    mask = (data.q2 > 20) & (data.x > 0.05)
    part = data.select(mask)
    assert len(part) == mask.sum()
    np.testing.assert_allclose(part.predict(law), data.predict(law)[mask], rtol=1e-12)
    np.testing.assert_allclose(
        part.covariance(), data.covariance()[np.ix_(mask, mask)], rtol=1e-12, atol=1e-20
    )
    rows = np.flatnonzero(mask)[::-1]
    np.testing.assert_allclose(data.select(rows).predict(law), data.predict(law)[rows], rtol=1e-12)
    assert part.set_names == data.set_names


def test_arrays_are_read_only(data):
    with pytest.raises(ValueError, match="read-only"):
        data.central[0] = 1.0


def test_new_central_values(data):
    shifted = data.with_central(data.central * 2)
    np.testing.assert_array_equal(shifted.central, data.central * 2)
    np.testing.assert_array_equal(shifted.multiplicative, data.multiplicative)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda data: data.predict(np.ones((7, 50))), "last two axes must be"),
        (lambda data: data.predict(np.ones(450)), "last two axes must be"),
        (lambda data: data.covariance("t1"), "must be 'experimental' or 't0'"),
        (lambda data: data.covariance("t0"), "needs predictions of shape"),
        (lambda data: data.covariance("experimental", data.central), "only kind 't0' uses them"),
        (lambda data: data.select(np.array([0, 0])), "different numbers from 0 to 2949"),
        (lambda data: data.select(np.array([0.5])), "a mask of shape"),
        (lambda data: data.in_sets(["H1"]), "there is no set or experiment 'H1'"),
        (lambda data: data.with_central([1.0]), "2950 finite numbers"),
        (lambda data: parton_distributions.load("parton_distributions/DIS-NLO-v9"), "there are"),
        (lambda data: parton_distributions.load("nowhere.npz"), "nowhere.npz does not exist"),
        (lambda data: parton_distributions.load("nowhere.root"), "nowhere.root does not exist"),
    ],
)
def test_bad_requests(data, call, message):
    with pytest.raises(DatasetError, match=message):
        call(data)
