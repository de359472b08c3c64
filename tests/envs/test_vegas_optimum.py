"""The best grids of the game's integrands: formulas against simulation, and that they are best."""

from __future__ import annotations

import numpy as np
import pytest

from hepgym.envs.vegas_sampling.family import CORNER_PEAK, MIXTURE, PRODUCT_PEAK
from hepgym.envs.vegas_sampling.game import BINS, adapt, begin_many, new_episodes, play
from hepgym.envs.vegas_sampling.optimum import bin_moments, deviation, optimal_grid, squared

CALLS, GAMES = 200_000, 5


@pytest.fixture(scope="module")
def games():
    """One game for each of some integrands."""
    games = new_episodes(GAMES)
    begin_many(games, np.arange(GAMES), CALLS, 2, np.arange(GAMES), np.arange(GAMES))
    assert {MIXTURE, PRODUCT_PEAK, CORNER_PEAK} == set(games.parameters[:, 0].astype(int))
    return games


@pytest.mark.parametrize("game", range(GAMES))
def test_the_best_grid(games, game):
    dim = int(games.parameters[game, 1])
    square = squared(games.parameters[game])
    best = optimal_grid(square)
    assert (np.diff(best) > 0).all()
    moments = bin_moments(square, best)
    np.testing.assert_allclose(moments.sum(axis=1), moments[0].sum(), rtol=1e-12)
    expected = deviation(square, best, games.exact[game])

    # The game's own weights on this grid vary as the formula says.
    games.edges[game, :dim] = best
    play(games, game, CALLS, 0.0, True)
    seen = 10.0 ** games.statistics[game, 7]
    assert seen == pytest.approx(expected, rel=0.05)
    histogram = games.weights[game, :dim] / CALLS
    assert np.median(np.abs(histogram / moments - 1.0)) < 0.05

    # No other grid is better: neither VEGAS's next one nor any that differs a little.
    adapt(games, game, 1.5)
    assert deviation(square, games.edges[game, :dim].copy(), games.exact[game]) > expected
    random = np.random.default_rng(game)
    for size in (1e-3, 1e-2, 0.1):
        moved = best.copy()
        shift = random.uniform(-0.4, 0.4, (dim, BINS - 1)) * size
        moved[:, 1:-1] += shift * np.minimum(np.diff(best)[:, :-1], np.diff(best)[:, 1:])
        assert deviation(square, moved, games.exact[game]) > expected


def test_more_bins_follow_a_product_as_closely_as_one_likes(games):
    game = int(np.flatnonzero(games.parameters[:, 0] == PRODUCT_PEAK)[0])
    square = squared(games.parameters[game])
    few, many = (deviation(square, optimal_grid(square, n), games.exact[game]) for n in (128, 512))
    # The variation of the density inside a bin falls with the width of the bins.
    assert many == pytest.approx(few / 4, rel=0.1)
