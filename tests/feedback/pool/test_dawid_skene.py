import random

import pytest

from feedback.pool.dawid_skene import dawid_skene

CROWD_KIT = [0.994172, 0.986363, 0.000008, 0.994172, 0.000001, 0.986363, 0.994172, 0.000002, 0.811604, 0.477584]
"""crowd-kit 1.4.2, DawidSkene(n_iter=1500, tol=0), chance of a reject for the first ten images of `votes(7)`."""


def votes(seed: int, errors: tuple[float, ...] = (0.1, 0.2, 0.3, 0.45), images: int = 60) -> list:
    chance = random.Random(seed)
    truth = [chance.random() < 0.4 for _ in range(images)]
    return [
        (image, rater, truth[image] != (chance.random() < error))
        for image in range(images)
        for rater, error in enumerate(errors)
        if chance.random() < 0.9
    ]


def test_it_agrees_with_crowd_kit():
    found = dawid_skene(votes(7), smoothing=0)
    assert [found.reject[image] for image in range(10)] == pytest.approx(CROWD_KIT, abs=0.002)


def test_it_finds_the_careless_rater_and_outvotes_a_majority_of_them():
    chance = random.Random(1)
    truth = [n % 3 == 0 for n in range(300)]
    errors = {1: 0.05, 2: 0.05, 3: 0.5, 4: 0.5, 5: 0.5}
    given = [(n, rater, truth[n] != (chance.random() < e)) for n in range(300) for rater, e in errors.items()]
    found = dawid_skene(given)
    assert min(found.accuracy[1], found.accuracy[2]) > 0.9
    assert max(found.accuracy[rater] for rater in (3, 4, 5)) < 0.65
    majority = [sum(said for image, _, said in given if image == n) > 2 for n in range(300)]
    right = sum((found.reject[n] > 0.5) == truth[n] for n in range(300))
    assert right > sum(a == b for a, b in zip(majority, truth, strict=True)) + 20


def test_without_votes_there_is_no_consensus():
    assert dawid_skene([]) == ({}, {})


def test_a_single_rater_is_believed_and_smoothing_keeps_doubt():
    found = dawid_skene([(7, 3, True), (8, 3, False)], smoothing=0)
    assert found.reject == pytest.approx({7: 1.0, 8: 0.0}, abs=1e-6)
    assert found.accuracy == pytest.approx({3: 1.0}, abs=1e-6)
    doubtful = dawid_skene([(7, 3, True), (8, 3, False)])
    assert 0.5 < doubtful.reject[7] < 1 and 0 < doubtful.reject[8] < 0.5
    assert doubtful.reject[7] == pytest.approx(1 - doubtful.reject[8])


def test_where_all_votes_are_alike_all_pictures_are():
    found = dawid_skene([(image, rater, True) for image in range(9) for rater in (1, 2)])
    assert min(found.reject.values()) > 0.9
    assert set(found.accuracy) == {1, 2}


def test_the_names_of_pictures_and_raters_are_only_names():
    plain, renamed = dawid_skene(votes(3)), dawid_skene([(9000 - i, 70 + r, said) for i, r, said in votes(3)])
    assert renamed.reject == pytest.approx({9000 - i: chance for i, chance in plain.reject.items()})
    assert renamed.accuracy == pytest.approx({70 + r: right for r, right in plain.accuracy.items()})
    assert plain.accuracy[0] > plain.accuracy[3]
