"""Score of translations: the paired set, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest

from hepgym.datasets.jets.image_transform import ImageTransform
from hepgym.leaderboards.scores import jet_domains
from hepgym.leaderboards.scores.jet_domains import Domains, evaluate, translations
from hepgym.leaderboards.tasks import task


def draw(number, seed, scale):
    random = np.random.default_rng(seed)
    chance = scale * np.linspace(0.1, 0.5, 576).reshape(24, 24)
    return (random.binomial(20, chance, (number, 24, 24)) / 20).astype(np.float32)


@pytest.fixture(scope="module")
def domains():
    images = {"A": draw(120, 0, 1.0), "B": draw(120, 1, 0.5)}
    first = draw(40, 2, 1.0)
    # Both levels of the same jets: B is half of A and a little noise.
    paired = {"A": first, "B": 0.5 * first + 0.02 * draw(40, 3, 1.0)}
    transform = ImageTransform().fit(np.concatenate([*images.values()]))
    return Domains(images, transform, np.ones((24, 24), bool), paired)


def score(domains, a_to_b, b_to_a):
    made = translations(domains.images, a_to_b, b_to_a, domains.paired)
    return evaluate("translations", made, {"domains": domains}, resamples=20).metrics()


def test_pairs_tell_translations_from_other_images(domains):
    """Images of the target at random have its distribution, but are not the same jets."""
    right = score(domains, lambda images: 0.5 * images, lambda images: 2 * images)
    identity = score(domains, lambda images: images, lambda images: images)
    others = {"A": draw(120, 5, 1.0), "B": draw(120, 6, 0.5)}
    floor = score(
        domains,
        lambda images: others["B"][: len(images)],
        lambda images: others["A"][: len(images)],
    )
    name = "paired_A_to_B"
    expected = 0.02 * draw(40, 3, 1.0).sum() / domains.paired["B"].sum()
    assert right[name].value == pytest.approx(expected, rel=1e-3)
    assert 0 < right[name].error < 0.1 * right[name].value
    assert floor[name].value > 3 * right[name].value
    assert identity[name].value > 3 * right[name].value
    assert floor["error_mean_A_to_B"].value < 0.2


def test_pairs_are_scored_only_where_there_are_some(domains):
    alone = replace(domains, paired=None)
    made = translations(alone.images, lambda images: images, lambda images: images)
    found = evaluate("control", made, {"domains": alone}, resamples=5).metrics()
    assert not any(name.startswith("paired") for name in found)
    with pytest.raises(ValueError, match="array 'paired_A_to_B' is missing"):
        evaluate("control", made, {"domains": domains})
    made = translations(
        domains.images, lambda images: images, lambda images: images, domains.paired
    )
    with pytest.raises(ValueError, match="array 'paired_A_to_B' is unknown"):
        evaluate("control", made, {"domains": alone})
    made["paired_B_to_A"] = made["paired_B_to_A"][1:]
    with pytest.raises(ValueError, match=r"'paired_B_to_A' has shape \(39, 24, 24\) instead of"):
        evaluate("control", made, {"domains": domains})


def test_training_is_given_no_pairs(monkeypatch, tmp_path):
    """Whatever the training of a task asks for, the paired set is not in it."""
    from hepgym.agents.jet_domains import player, train_jets

    one = task("JetDomains-Parton2Detector-v0")
    assert {"paired_A", "paired_B"} < set(one.datasets)
    asked = []
    monkeypatch.setattr(
        jet_domains, "load_jets", lambda datasets, split: asked.append(dict(datasets)) or {}
    )
    monkeypatch.setattr(train_jets, "load_jets", jet_domains.load_jets)
    with pytest.raises((ValueError, KeyError, IndexError)):
        player.train(one, "cyclegan", tmp_path, {"epochs": 1}, preset=None, resume=True)
    pairs = {one.datasets["paired_A"], one.datasets["paired_B"]}
    assert asked
    assert not any(pairs & set(datasets.values()) for datasets in asked)
