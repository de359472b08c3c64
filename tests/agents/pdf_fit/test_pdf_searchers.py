"""Black-box optimisers: they find minima, they play by the rules, they repeat themselves."""

from __future__ import annotations

import numpy as np
import pytest

from hepgym.agents.pdf_fit.search import fit_by, search
from hepgym.agents.pdf_fit.searchers import SETTINGS, make_searcher, search_settings
from hepgym.envs.pdf_fit.lecture_model import node_of_parameter
from hepgym.envs.pdf_fit.problem import fit_problem
from hepgym.envs.pdf_fit.vector_env import PDFFitVectorEnv


@pytest.fixture(scope="module")
def problem():
    return fit_problem(sets=["SLAC-p", "HERA-CC-em", "HERA-CC-ep"])


def found(problem, agent, generations, seed=5, **settings):
    chosen = search_settings(agent, settings)
    searcher = make_searcher(agent, chosen, seed)
    envs = PDFFitVectorEnv(
        searcher.size, "Disabled", data=problem, budget=generations, patience=None
    )
    return search(envs, searcher, 1, seed, generations, look=10)


@pytest.mark.parametrize(("agent", "generations"), [("genetic", 120), ("cma-es", 70)])
def test_learns_and_repeats(problem, agent, generations):
    """Searches with memory beat the one without on the same number of points."""
    size = {"genetic": "mutants", "cma-es": "population"}[agent]
    control = found(problem, "random", generations, population=16)
    one = found(problem, agent, generations, **{size: 16})
    again = found(problem, agent, generations, **{size: 16})
    assert np.array_equal(one.parameters, again.parameters)
    assert one.training < 0.8 * control.training
    assert (np.diff(one.history[:, 0]) == 10).all()


@pytest.mark.parametrize(("agent", "generations"), [("genetic", 150), ("cma-es", 20)])
def test_minimises_a_bowl(agent, generations):
    searcher = make_searcher(agent, SETTINGS[agent](), 0)
    first = None
    for _ in range(generations):
        points = searcher.ask()
        loss = np.square(points).sum(axis=1)
        searcher.tell(points, loss)
        first = first if first is not None else loss.min()
    assert loss.min() < 0.95 * first


def test_mutations_are_those_of_whole_nodes():
    searcher = make_searcher("genetic", SETTINGS["genetic"](mutants=200), 3)
    searcher.ask()
    parent = searcher._best
    moved = searcher.ask() != parent
    node = node_of_parameter()
    for number in range(72):
        own = moved[:, node == number]
        assert (own.all(axis=1) | ~own.any(axis=1)).all()
    mutated = np.array([moved[:, node == number].any(axis=1) for number in range(72)])
    # 14,400 nodes with probability 0.05: five standard deviations
    assert mutated.mean() == pytest.approx(0.05, abs=5 * np.sqrt(0.05 * 0.95 / mutated.size))


class Replay:
    """Asks for given points, one at a time."""

    size = 1

    def __init__(self, points):
        self._points = iter(points)

    def ask(self):
        return next(self._points)[None]

    def tell(self, points, loss):
        """Nothing to learn."""


def test_look_back_keeps_the_lowest_validation_among_positive_states(problem):
    """States of a genetic search, played again: what is kept is what the rule says."""
    envs = PDFFitVectorEnv(1, "Disabled", data=problem, budget=1000, patience=None)
    searcher = make_searcher("genetic", search_settings("genetic", {"mutants": 1}), 7)
    points = np.array([searcher.ask()[0] for _ in range(300)])
    states = []
    _, info = envs.reset(seed=0, options={"replica": 1})
    lowest = np.inf
    for number, point in enumerate(points, start=1):
        envs.step(np.asarray((point - info["parameters"]) / 200, np.float32))
        info = envs.population.info()
        loss = info["training"][0] + 10 * info["positivity_penalty"][0]
        if loss < lowest:
            lowest = loss
            states.append((not info["positivity"][0], info["validation"][0], number))
    assert len(states) > 2
    one = search(envs, Replay(points), 1, 0, 300, positivity=10.0)
    assert (one.validation, one.generation) == (pytest.approx(min(states)[1]), min(states)[2])
    assert one.generations == 300


def test_patience(problem):
    searcher = make_searcher("random", search_settings("random", {"population": 4}), 0)
    envs = PDFFitVectorEnv(4, "Disabled", data=problem, budget=500, patience=None)
    one = search(envs, searcher, 1, 0, 500, patience=5)
    assert one.generations <= one.generation + 6


def test_any_policy_can_fit(problem):
    envs = PDFFitVectorEnv(3, "Disabled", data=problem, budget=20, patience=None)
    random = np.random.default_rng(0)

    def policy(observation):
        assert observation.shape == (3, envs.single_observation_space.shape[0])
        return random.normal(0, 1e-3, (3, 296))

    one = fit_by(policy, envs, replica=2, seed=0, steps=15)
    assert np.isfinite(one.training)


def test_refusals(problem):
    with pytest.raises(ValueError, match="agent genetic has no setting 'sigma'"):
        search_settings("genetic", {"sigma": 1.0})
    with pytest.raises(ValueError, match="mutants is 0 but must be a positive integer"):
        search_settings("genetic", {"mutants": 0})
    with pytest.raises(ValueError, match="node_probability is 2"):
        search_settings("genetic", {"node_probability": 2.0})
    envs = PDFFitVectorEnv(3, "Disabled", data=problem, budget=20, patience=None)
    searcher = make_searcher("random", search_settings("random", {"population": 4}), 0)
    with pytest.raises(ValueError, match="asks for 4 points at a time, there are 3"):
        search(envs, searcher, 1, 0, 10)
