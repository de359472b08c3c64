"""Fits of replicas by gradient descent: bits, physics, resuming, workers that die."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest

from hepgym.agents.pdf_fit import FitFolder, FittedReplica, fit, fit_plan, fitting
from hepgym.datasets.parton_distributions.sum_rules import sum_rules
from hepgym.leaderboards.scores.pdf_fit import left_out_chi2

SETS = ("SLAC-p", "NMC-dp", "HERA-CC-em", "HERA-CC-ep")
SHORT = {
    "epochs": 400,
    "units": (6, 5),
    "validate_every": 5,
    "threshold": 1e6,
    "positivity": 1e6,
    "positivity_end": 1e7,
}


@pytest.fixture(scope="module")
def plan():
    return fit_plan(settings=SHORT, sets=SETS, batch=3)


@pytest.fixture(scope="module")
def fitted(plan, tmp_path_factory):
    folder = tmp_path_factory.mktemp("fit")
    return folder, fit(plan, folder, 2)


def test_fits_get_better(fitted):
    for replica in fitted[1]:
        assert (np.diff(replica.history[:, 0]) == 5).all()
        assert replica.history[-1, 1] < 0.2 * replica.history[0, 1]
        assert replica.f.shape == (9, 50)


def test_sum_rules_hold(plan, fitted):
    x = plan.problem().data.x
    for replica in fitted[1]:
        assert sum_rules(replica.f, x).largest_violation() < 1e-6


def test_numbers_are_those_of_double_precision(plan, fitted):
    """The graph's float32 chi2 at the best epoch against the plain formula."""
    problem = plan.problem()
    for replica in fitted[1]:
        assert replica.best_epoch > 0
        row = replica.history[:, 0] == replica.best_epoch
        assert replica.history[row, 1] == pytest.approx(replica.training, rel=2e-3)
        assert replica.history[row, 2] == pytest.approx(replica.validation, rel=2e-3)
        # restored weights: no other acceptable look was lower
        assert replica.validation <= replica.history[:, 2].max()
        exact = problem.data.chi2(replica.f.reshape(1, -1), errors=problem.experimental) / len(
            problem.data
        )
        assert replica.experimental == pytest.approx(exact[0])


def test_resumed_without_fitting_again(plan, fitted, monkeypatch):
    folder, replicas = fitted
    monkeypatch.setattr(fitting, "fit_piece", None)
    again = fit(plan, folder, 2)
    assert [np.array_equal(a.f, b.f) for a, b in zip(again, replicas, strict=True)] == [True] * 2


def test_same_bits_elsewhere_and_after_a_worker_died(plan, fitted, tmp_path, monkeypatch):
    """A worker is killed while it fits: another one takes over, with the same bits."""
    monkeypatch.setenv("HEPGYM_TEST_MARK", str(tmp_path / "died"))
    from hepgym.cluster import client

    with client(1) as dask:

        def die_once(piece):
            mark = Path(os.environ["HEPGYM_TEST_MARK"])
            if not mark.exists():
                mark.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            return fitting.fit_piece(plan, piece)

        found = dask.submit(die_once, (1, 2), pure=False).result()
    assert (tmp_path / "died").exists()
    for one, other in zip(found, fitted[1], strict=True):
        assert np.array_equal(one.f, other.f)
        assert np.array_equal(one.parameters, other.parameters)


def test_log_beside_each_replica(fitted):
    folder, replicas = fitted
    log = json.loads((folder / "replicas" / "replica_0001.json").read_text())
    assert log["number"] == 1
    assert log["history"] == replicas[0].history.tolist()


def test_folder_refuses(plan, fitted, tmp_path):
    folder, _ = fitted
    with pytest.raises(ValueError, match="holds another fit, with seed = 0 instead of 1"):
        FitFolder(folder, fit_plan(settings=SHORT, sets=SETS, batch=3, seed=1))
    with pytest.raises(ValueError, match="holds no fit"):
        FitFolder(tmp_path)
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    (copy / "replicas" / "replica_0002.npz").write_bytes(b"PK\x03\x04 not much")
    with pytest.raises(ValueError, match=r"replica_0002.npz is damaged, remove it"):
        FitFolder(copy).read_all()
    assert FitFolder(copy).read(1).number == 1


def test_plan_refuses():
    for arguments, message in (
        ({"agent": "sgd"}, "there is no agent 'sgd'"),
        ({"level": "L3"}, "level is 'L3'"),
        ({"settings": {"epochs": 0}}, "epochs is 0"),
        ({"settings": {"optimizer": "Lion"}}, "optimizer is 'Lion'"),
        ({"settings": {"layers": 3}}, "there is no setting 'layers'"),
        ({"settings": {"units": 5}}, "units is 5 but must be integers from 1 to 1000"),
        ({"colour": 3}, "a plan has no 'colour'"),
        ({"batch": "x"}, "batch is 'x' but must be a whole number from 1"),
        ({"seed": -1}, "seed is -1 but must be a whole number from 0"),
        ({"training_fraction": 2}, "training_fraction is 2 but must be a number above 0"),
        ({"covariance": "t1"}, "covariance is 't1' but must be one of experimental, t0"),
    ):
        with pytest.raises(ValueError, match=message):
            fit_plan(**arguments)
    with pytest.raises(ValueError, match="give a positive number"):
        fit(fit_plan(), "nowhere", 0)


def test_run_draws_and_exports(fitted, monkeypatch):
    """One call; the replicas are there already. The exported set is what was fitted."""
    from hepgym.agents.pdf_fit import run
    from hepgym.datasets.lhapdf_grid import read_grid
    from hepgym.datasets.parton_distributions.export import from_lhapdf

    folder, _ = fitted
    monkeypatch.setattr(fitting, "fit_piece", None)
    outcome = run(folder, replicas=2, settings=SHORT, sets=SETS, batch=3, lhapdf="short")
    assert len(outcome.kept) == 2
    assert sum(points for points, _ in outcome.table.values()) > 200
    assert len(outcome.figures) == 5
    assert all(figure.stat().st_size > 10_000 for figure in outcome.figures)
    assert outcome.lines()[0] == "2 replicas fitted, 2 pass all vetoes"
    # The same call again: the set is written anew, nothing else is in the way.
    again = run(folder, replicas=2, settings=SHORT, sets=SETS, batch=3, lhapdf="short")
    assert again.lhapdf == outcome.lhapdf
    assert not [path.name for path in folder.iterdir() if path.name.startswith("tmp")]
    grid = read_grid(outcome.lhapdf / "short_0001.dat")
    x = np.array([1e-3, 0.01, 0.1, 0.3])
    from hepgym.datasets.parton_distributions.grid import interpolation

    exact = outcome.kept[0] / plan_grid(outcome) @ interpolation(x, plan_grid(outcome)).T * x
    np.testing.assert_allclose(from_lhapdf(grid, x), exact, rtol=5e-3, atol=5e-3)
    # An independent reader finds the fit's partons on the fit's grid.
    import pythia8mc

    from hepgym.datasets.parton_distributions.bases import PIDS, to_flavours

    pythia = pythia8mc.Pythia("", False)
    for setting in ("Print:quiet = on", "ProcessLevel:all = off"):
        pythia.readString(setting)
    assert pythia.readString(f"PDF:pSet = LHAGrid1:{outcome.lhapdf / 'short_0002.dat'}")
    assert pythia.init()
    theirs = pythia.getPDFPtr(2212)
    partons = to_flavours(outcome.kept[1])
    for pid in (21, 2, -2, 1, 3, 4):
        for point in (20, 30, 40):
            expected = partons[PIDS.index(pid), point]
            at_q0 = theirs.xf(pid, plan_grid(outcome)[point], 1.65**2 * (1 + 1e-9))
            assert at_q0 == pytest.approx(max(expected, 0.0), rel=2e-4, abs=2e-5)


def plan_grid(outcome):
    from hepgym.datasets.parton_distributions.grid import lambert_grid

    return lambert_grid(outcome.kept.shape[-1])


def test_generalisation_of_known_predictions(random):
    """Without spread the second chi2 is the first; with spread it is smaller."""
    from hepgym.agents.pdf_fit.methodology import generalisation
    from hepgym.datasets.parton_distributions import load
    from hepgym.datasets.parton_distributions.export import reference_law

    dis = load()
    dis = dis.select(dis.in_sets(["SLAC-p", "HERA-CC-em"]))
    law = reference_law(dis.x_grid)
    seen = dis.in_sets(["SLAC"])
    still = generalisation(dis, np.stack([law, law]), seen)
    assert still.unseen_with_pdf_error.value == pytest.approx(still.unseen.value)
    assert still.unseen.error == pytest.approx(0, abs=1e-12)
    spread = law * (1 + 0.1 * random.normal(size=(30, 9, 1)))
    moving = generalisation(dis, spread, seen)
    assert moving.unseen_with_pdf_error.value < moving.unseen.value
    assert moving.unseen.error > 0
    assert moving.points == (~seen).sum()
    rows = np.flatnonzero(~seen)
    expected = left_out_chi2(
        dis.central[rows],
        dis.predict(spread)[:, rows],
        dis.covariance()[np.ix_(rows, rows)],
    )
    found = (moving.unseen.value, moving.unseen_with_pdf_error.value)
    assert found == pytest.approx(expected)


def test_closure_universes_share_the_law():
    """Level 0 is the law; levels 1 and 2 have the same data, and only 2 has replicas."""
    plans = {level: fit_plan(level=level, universe=1, sets=SETS) for level in ("L0", "L1", "L2")}
    problems = {level: plan.problem() for level, plan in plans.items()}
    law = problems["L0"].reference
    exact = problems["L0"].dis.predict(law)
    np.testing.assert_allclose(problems["L0"].dis.central, exact, rtol=1e-12)
    assert np.array_equal(problems["L1"].dis.central, problems["L2"].dis.central)
    assert np.array_equal(problems["L1"].replica(5).values, problems["L1"].dis.central)
    assert not np.array_equal(problems["L2"].replica(5).values, problems["L2"].dis.central)
    noise = problems["L1"].dis.central - exact
    chi2 = noise @ np.linalg.solve(problems["L1"].data.errors.matrix(), noise) / len(noise)
    # some hundred points: five standard deviations
    assert chi2 == pytest.approx(1.0, abs=5 * np.sqrt(2 / len(noise)))


def test_closure_fits_go_on_until_enough_replicas_pass_the_vetoes(tmp_path, monkeypatch):
    """Replicas 2 and 5 violate positivity: 7 are fitted for 5, each of them once."""
    from hepgym.agents.pdf_fit import methodology

    asked: list[int] = []

    def made_up(plan, numbers, tell=None):
        asked.extend(numbers)
        return [
            FittedReplica(
                number=number,
                f=np.full((9, 50), float(number)),
                parameters=np.zeros(1, np.float32),
                history=np.zeros((0, 3)),
                epochs=1,
                best_epoch=1,
                training=1.0,
                validation=1.0,
                experimental=9.0 if number in stuck else 1.0,
                positivity=number not in bad,
                integrability=0.0,
                arc_length=np.ones(9),
                seconds=0.0,
            )
            for number in numbers
        ]

    monkeypatch.setattr(fitting, "fit_piece", made_up)
    bad, stuck = {2, 5}, set()
    arguments = {"settings": SHORT, "sets": SETS, "batch": 1}
    found = methodology.closure_fits(tmp_path / "some", 1, 5, **arguments)
    assert asked == [1, 2, 3, 4, 5, 6, 7]
    assert found.replicas[0, :, 0, 0].tolist() == [1, 3, 4, 6, 7]
    bad, stuck = set(), {7}
    found = methodology.closure_fits(tmp_path / "stuck", 1, 20, **arguments)
    assert found.replicas[0, :, 0, 0].tolist() == [n for n in range(1, 22) if n != 7]
    bad = set(range(20))
    with pytest.raises(ValueError, match=r"of 10 replicas in .* only 0 pass all vetoes"):
        methodology.closure_fits(tmp_path / "none", 1, 5, **arguments)


def test_k_fold_loss_refuses():
    from hepgym.agents.pdf_fit.methodology import k_fold_loss

    with pytest.raises(ValueError, match="statistic is 'median'"):
        k_fold_loss({}, statistic="median")
    with pytest.raises(ValueError, match="there is no setting 'depth'"):
        k_fold_loss({"depth": 3})
    with pytest.raises(ValueError, match="measure is 'phi' but must be one of chi2, phi2"):
        k_fold_loss({}, measure="phi")
    with pytest.raises(ValueError, match="penalty is 'speed'"):
        k_fold_loss({}, penalties=["speed"])
    with pytest.raises(ValueError, match="give replicas = 2 or more"):
        k_fold_loss({}, measure="phi2")
    with pytest.raises(ValueError, match="best is 0"):
        k_fold_loss({}, best=0)


def test_k_fold_loss_from_what_folds_say(monkeypatch):
    """Statistics, measures, penalties and the share of replicas, from made-up folds."""
    from hepgym.agents.pdf_fit.methodology import k_fold_loss
    from hepgym.envs.pdf_fit import k_fold

    folds = [
        k_fold.FoldFits(np.array([1.0, 2.0, 9.0]), 0.5, np.ones(3), 0.25, 0.0, 0.125),
        k_fold.FoldFits(np.array([3.0, 5.0, 4.0]), 0.25, np.ones(3), 0.0, 2.0, 0.25),
    ]
    monkeypatch.setattr(k_fold, "fold_fits", lambda *_, **__: folds)
    arguments = {"replicas": 3, "best": 0.67}
    assert k_fold_loss({}, **arguments) == (2.5, [1.5, 3.5])
    assert k_fold_loss({}, statistic="max", **arguments)[0] == 3.5
    assert k_fold_loss({}, statistic="std", **arguments)[0] == 1.0
    assert k_fold_loss({}, measure="phi2", **arguments)[0] == 3.0
    every = ["integrability", "saturation", "unfinished"]
    assert k_fold_loss({}, penalties=every, **arguments)[0] == pytest.approx(2.5 + 2.625 / 2)
    assert k_fold_loss({}, replicas=3, best=1.0)[1] == [4.0, 4.0]


def test_saturated_distributions_are_flat():
    from hepgym.datasets.parton_distributions.grid import lambert_grid
    from hepgym.envs.pdf_fit.k_fold import saturation

    x = lambert_grid()
    flat, steep = np.ones((1, 9, 50)), np.tile(x**-0.2, (1, 9, 1))
    assert saturation(flat, x)[0] > 1e6
    assert saturation(steep, x)[0] < 1.0


def test_same_bits_in_other_company(plan, fitted):
    """Neither the other replicas in the graph nor the place among them matters."""
    other = fitting.fit_piece(plan, (5, 2))
    assert [replica.number for replica in other] == [5, 2]
    assert np.array_equal(other[1].parameters, fitted[1][1].parameters)
    assert not np.array_equal(other[0].parameters, fitted[1][1].parameters)


def test_gradients_are_clipped_replica_by_replica(random):
    """As Keras clips the gradient of one network's matrix."""
    from keras.optimizers import SGD

    from hepgym.envs.pdf_fit.neural.engine import _clipped

    gradient = random.normal(size=(3, 4, 5)).astype(np.float32)
    gradient[1] *= 1e-3
    found = _clipped(gradient, 0.5).numpy()
    for replica in range(3):
        (one,) = SGD(clipnorm=0.5)._clip_gradients([gradient[replica]])
        np.testing.assert_allclose(found[replica], np.asarray(one), rtol=1e-6)
    assert np.array_equal(found[1], gradient[1])


def test_feature_scaling():
    """One input, spread evenly over the data; distributions vanish at 1 without (1 - x)^beta."""
    settings = SHORT | {"feature_scaling": True, "epochs": 100}
    (one,) = fitting.fit_piece(fit_plan(settings=settings, sets=SETS, batch=1), (1,))
    assert one.history[-1, 1] < 0.5 * one.history[0, 1]
    assert np.abs(one.f[:, -1]).max() == 0.0
    # kernels and biases of 1-6-5-8
    assert len(one.parameters) == 6 * 2 + 5 * 7 + 8 * 6
    row = one.history[:, 0] == one.best_epoch
    if row.any():
        assert one.history[row, 1] == pytest.approx(one.training, rel=2e-3)
    with pytest.raises(ValueError, match="feature_scaling is 1 but must be of type bool"):
        fit_plan(settings={"feature_scaling": 1})


def test_scaled_x_is_spread_like_the_data(random):
    from hepgym.envs.pdf_fit.neural.inputs import scaled

    sample = np.exp(-np.abs(random.normal(size=20_000)) * 4)
    values = scaled(np.sort(sample), sample)
    assert values[0] == pytest.approx(-1)
    assert values[-1] == pytest.approx(1)
    assert (np.diff(values) >= 0).all()
    # Ninths of the sample are ninths of the range.
    ends = np.exp(np.quantile(np.log(sample), np.arange(10) / 9))
    np.testing.assert_allclose(scaled(ends, sample), np.linspace(-1, 1, 10), atol=1e-9)
