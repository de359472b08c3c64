"""Model, sum rules, constraints and chi2, against plain double precision and known limits."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import beta as euler_beta

from hepgym.datasets.parton_distributions import load_evolution
from hepgym.datasets.parton_distributions.bases import EVOLUTION, FITTED
from hepgym.datasets.parton_distributions.grid import lambert_grid
from hepgym.datasets.parton_distributions.point_errors import PointErrors
from hepgym.datasets.parton_distributions.sum_rules import sum_rules
from hepgym.envs.pdf_fit import constraints, kernels, preprocessing
from hepgym.envs.pdf_fit.fit_data import FitData
from hepgym.envs.pdf_fit.lecture_model import PARAMETERS, lecture_model, node_of_parameter
from hepgym.envs.pdf_fit.problem import fit_problem
from hepgym.envs.pdf_fit.sum_rules import COLUMNS, normalisations, sum_rule_weights, sums

X = lambert_grid()


@pytest.fixture(scope="module")
def exponents():
    return preprocessing.draw(np.random.default_rng(1))


def plain_network(w, x):
    """One 2-5-3-1 network, written out in double precision."""
    first, second = w[:10].reshape(5, 2), w[15:30].reshape(3, 5)
    out = []
    for point in x:
        hidden = 1 / (1 + np.exp(-(first @ [point, np.log(point)] + w[10:15])))
        hidden = 1 / (1 + np.exp(-(second @ hidden + w[30:33])))
        out.append(w[33:36] @ hidden + w[36])
    return np.array(out)


def test_model_is_the_lecture_s(exponents, random):
    parameters = random.normal(size=(2, PARAMETERS))
    f = lecture_model(X, exponents)(parameters)
    for vector, values in zip(parameters, f, strict=True):
        plain = np.array([plain_network(w, X) for w in vector.reshape(8, 37)])
        plain *= X ** (1 - exponents.alpha[:, None]) * (1 - X) ** exponents.beta[:, None]
        factors, _ = normalisations(plain, sum_rule_weights(X))
        for name in FITTED:
            row = EVOLUTION.index(name)
            exact = plain[FITTED.index(name)] * factors[FITTED.index(name)]
            np.testing.assert_allclose(values[row], exact, rtol=2e-3, atol=2e-4 * abs(exact).max())
        assert np.array_equal(values[EVOLUTION.index("V15")], values[EVOLUTION.index("V")])


def test_many_vectors_are_single_vectors(exponents, random):
    parameters = random.normal(size=(200, PARAMETERS)).astype(np.float32)
    model = lecture_model(X, exponents)
    together = model(parameters)
    for number in (0, 79, 80, 199):
        np.testing.assert_allclose(
            together[number], model(parameters[number][None])[0], rtol=1e-3, atol=1e-4
        )


def test_sum_rules_are_those_that_are_checked(exponents, random):
    f, deviation = lecture_model(X, exponents).with_sum_rules(random.normal(size=(50, PARAMETERS)))
    assert deviation.max() < 1e-5
    assert sum_rules(f, X).largest_violation().max() < 1e-5


def test_integrals_of_known_functions():
    """x^a (1 - x)^b integrates to Euler's beta function, above and below the grid together."""
    a, b = 0.4, 3.0
    values = np.tile(X**a * (1 - X) ** b, (8, 1))
    weights = sum_rule_weights(X)
    factors, _ = normalisations(values, weights)
    expected = 3 / euler_beta(a, b + 1)
    assert factors[FITTED.index("V")] == pytest.approx(expected, rel=1e-5)
    momentum = euler_beta(a + 1, b + 1)
    assert factors[FITTED.index("g")] == pytest.approx((1 - momentum) / momentum, rel=1e-5)
    assert sums(values[COLUMNS], weights)[0] == pytest.approx(momentum, rel=1e-5)
    assert factors[FITTED.index("T3")] == 1


def test_compiled_sum_rules_are_those_of_single_fits(random):
    """Also where x f changes its sign between the two smallest points."""
    values = random.normal(size=(200, 8, len(X)))
    weights = sum_rule_weights(X)
    factors, deviation = np.ones((200, 8)), np.empty(200)
    kernels.normalise(
        values,
        weights.weight,
        weights.log_step,
        weights.below,
        weights.moment,
        factors,
        deviation,
    )
    np.testing.assert_allclose(factors, normalisations(values, weights)[0], rtol=1e-9)
    assert deviation.max() < 1e-9


def test_exponents_stay_in_their_ranges():
    draws = [preprocessing.draw(np.random.default_rng(seed)) for seed in range(300)]
    for number, name in enumerate(FITTED):
        for ranges, values in (
            (preprocessing.SMALL_X, [one.alpha[number] for one in draws]),
            (preprocessing.LARGE_X, [one.beta[number] for one in draws]),
        ):
            low, high = ranges[name]
            assert low <= min(values) < low + 0.05 * (high - low)
            assert high - 0.05 * (high - low) < max(values) <= high


def test_every_parameter_belongs_to_a_node():
    node = node_of_parameter()
    # two inputs and a bias, five inputs and a bias, three inputs and a bias
    assert np.bincount(node).tolist() == [3] * 5 + [6] * 3 + [4] + ([3] * 5 + [6] * 3 + [4]) * 7


def test_positivity_of_known_distributions():
    """A quark sea and gluon that are positive pass; a negative gluon does not."""
    table = load_evolution()
    rows = constraints.positivity_rows(table)
    assert rows.shape == (140, 450)
    sea = X**-0.1 * (1 - X) ** 4
    good = np.zeros((9, 50))
    good[EVOLUTION.index("Sigma")] = sea
    good[EVOLUTION.index("g")] = 3 * sea
    good[EVOLUTION.index("T15")] = sea
    penalty = constraints.Constraints(rows)
    assert penalty.positivity_penalty(good.reshape(-1)) < constraints.POSITIVITY_THRESHOLD
    good[EVOLUTION.index("g")] *= -1
    assert penalty.positivity_penalty(good.reshape(-1)) > 1


def test_integrability_looks_at_small_x():
    f = np.zeros((9, 50))
    f[EVOLUTION.index("T3"), :3] = [0.1, -0.2, 0.3]
    f[EVOLUTION.index("T8"), 5] = 7.0
    f[EVOLUTION.index("V"), 0] = 7.0
    assert constraints.integrability(f) == pytest.approx(0.6)


def made_up(random, ratios=3, points=12):
    """A few points with all kinds of correlations."""
    x = lambert_grid(6)
    root = random.normal(size=(points, points))
    return FitData(
        x=x,
        table=random.uniform(0.5, 1, (points, 54)),
        ratio=np.arange(ratios),
        denominator=random.uniform(0.5, 1, (ratios, 54)),
        central=random.normal(size=points),
        errors=PointErrors(random.uniform(0.5, 2, points), root),
        experiment=np.zeros(points, np.int64),
        experiments=("one",),
    )


@pytest.mark.parametrize("ratios", [0, 3, 12])
def test_quadratic_form_is_chi2(random, ratios):
    data = made_up(random, ratios)
    rows = np.array([0, 2, 3, 7, 8, 11])
    values = random.normal(size=12)
    form = data.quadratic_form(rows, values)
    f = random.uniform(0.5, 2, 54)
    predicted = data.table @ f
    if ratios:
        predicted[:ratios] /= data.denominator @ f
    residual = (predicted - values)[rows]
    exact = residual @ np.linalg.inv(data.errors.matrix()[np.ix_(rows, rows)]) @ residual
    z = np.concatenate([f, data.ratios(f)]) if ratios else f
    found = np.square(form.matrix @ z - form.target).sum() + form.constant
    assert found == pytest.approx(exact, rel=1e-5)
    assert data.chi2(f, rows, values) == pytest.approx(exact)
    assert form.values == 6


def test_fewer_values_never_need_more_rows(random):
    problem = fit_problem(sets=["NMC-dp", "SLAC-d", "HERA-CC-ep"])
    replica = problem.replica(4)
    training, validation = replica.forms(problem.data)
    assert len(training.target) <= problem.data.rank
    assert len(validation.target) <= problem.data.rank
    assert training.values + validation.values == len(problem.data)


def test_replicas_depend_on_their_number_alone():
    problem = fit_problem(sets=["SLAC-p"])
    one, other = problem.replica(3), fit_problem(sets=["SLAC-p"]).replica(3)
    assert np.array_equal(one.values, other.values)
    assert np.array_equal(one.training, other.training)
    assert np.array_equal(one.preprocessing.alpha, other.preprocessing.alpha)
    assert one.seed == other.seed != problem.replica(4).seed
    assert np.array_equal(problem.replica(0).values, problem.dis.central)
    with pytest.raises(ValueError, match="there is no replica -1"):
        problem.replica(-1)


def test_shapes_are_checked(random):
    data = made_up(random)
    with pytest.raises(ValueError, match="errors are those of 3 values, there are 12"):
        FitData(**{**data.__dict__, "errors": PointErrors(np.ones(3), np.ones((3, 1)))})
    with pytest.raises(ValueError, match=r"table has the shape \(3, 54\)"):
        FitData(**{**data.__dict__, "table": data.table[:3]})


def test_positivity_is_asked_for_where_nnpdf_asks():
    """The x of NNPDF4.0's positivity sets at Q2 = 5 GeV2, as published with nnpdf-data."""
    published = [
        5.0e-07, 1.940766723678e-06, 7.533150951473e-06, 2.924017738213e-05, 1.134967265154e-04,
        4.405413401349e-04, 1.709975946677e-03, 6.637328831201e-03, 2.576301385941e-02, 0.1,
        0.18, 0.26, 0.34, 0.42, 0.5, 0.58, 0.66, 0.74, 0.82, 0.9,
    ]  # fmt: skip
    np.testing.assert_allclose(constraints.POSITIVITY_X, published, rtol=1e-12)
    np.testing.assert_allclose(constraints.POSITIVITY_Q**2, 5.0)
