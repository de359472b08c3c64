"""Masks and folds."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from hepgym.datasets import DatasetError, parton_distributions
from hepgym.datasets.parton_distributions import splits


@pytest.fixture(scope="module")
def data():
    return parton_distributions.load()


@pytest.mark.parametrize("fraction", [0.5, 0.75, 1.0])
def test_fraction_is_taken_of_each_set(data, fraction):
    mask = splits.training_mask(data, fraction, seed=1)
    for number in range(len(data.sets)):
        own = mask[data.set_index == number]
        assert abs(own.sum() - fraction * len(own)) <= 0.5


def test_masks_differ_between_replicas_and_do_not_depend_on_others(data):
    masks = [splits.training_mask(data, 0.75, seed=3, replica=replica) for replica in range(20)]
    assert len({mask.tobytes() for mask in masks}) == 20
    np.testing.assert_array_equal(masks[7], splits.training_mask(data, 0.75, seed=3, replica=7))
    assert (splits.training_mask(data, 0.75, seed=4, replica=7) != masks[7]).any()
    # Every point is chosen as often as the fraction says, within five standard deviations.
    frequency = np.mean(masks, axis=0)
    assert np.abs(frequency - 0.75).max() < 5 * np.sqrt(0.75 * 0.25 / 20)


def test_folds_hold_whole_sets_and_are_balanced(data):
    folds = splits.k_folds(data)
    assert set(folds) == {0, 1, 2, 3}
    for number in range(len(data.sets)):
        assert len(set(folds[data.set_index == number])) == 1
    for fold in range(4):
        rows = folds == fold
        assert rows.sum() > 400
        assert (data.x[rows] > 0.3).any()
        assert (data.x[rows] < 0.01).any()
        processes = {data.sets[number].process for number in set(data.set_index[rows])}
        assert processes == {"NC", "CC"}


def test_unknown_sets_fill_the_smallest_fold(data):
    renamed = tuple(dataclasses.replace(info, name=f"my-{info.name}") for info in data.sets)
    sizes = np.bincount(splits.k_folds(dataclasses.replace(data, sets=renamed)))
    assert sizes.sum() == len(data)
    assert sizes.max() - sizes.min() < 100


def test_chronological_split_and_scale(data):
    old = splits.before_hera(data)
    assert old.sum() == 1805
    assert data.x[old].min() > 0.002
    assert data.x[~old].min() < 1e-4
    assert splits.above_q2(data).sum() == 2317


@pytest.mark.parametrize(("fraction", "seed", "replica"), [(0.0, 0, 0), (1.5, 0, 0), (0.5, -1, 0)])
def test_bad_masks(data, fraction, seed, replica):
    with pytest.raises(DatasetError, match="must"):
        splits.training_mask(data, fraction, seed, replica)
