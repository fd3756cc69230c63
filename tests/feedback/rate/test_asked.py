"""Pictures that are chosen for what their votes teach: which come first, and that rates do not count them."""

import random
from collections.abc import Callable
from itertools import count, pairwise

import numpy as np
import pytest
from sqlalchemy import Engine
from sqlmodel import select

from feedback.check.version_check import How, Judged, make_check
from feedback.figures.summary import standing, version_rows
from feedback.figures.trend import windows
from feedback.pool.tally import differences
from feedback.rate.queue import next_images
from feedback.rate.terms import Terms
from feedback.rate.votes import Press, record_votes
from feedback.versions import promote
from store.engine import reading, writing
from store.tables import Image, Origin, PictureScore, Verdict
from tests.feedback.rate.queues import NOON
from tests.feedback.rating import pool_ids

REQUEST = count()


@pytest.fixture
def checked(any_engine: Engine, publish_version: Callable) -> Engine:
    """A store whose v1 and v2 have checks: the chance of a reject is 1/2 at the score 0, and rises with it."""
    chance = np.random.default_rng(0)
    flags = [bool(n % 2) for n in range(300)]
    told = [
        Judged(float(chance.normal(1.5 * (2 * flag - 1))), flag, f"prompt {n % 60}") for n, flag in enumerate(flags)
    ]
    check = make_check(How((800,), 2, 4), told).with_cut([0.0, 1.0]).as_json()
    publish_version(any_engine, 1, check=check)
    publish_version(any_engine, 2, check=check)
    promote(any_engine, 2)
    return any_engine


def score(engine: Engine, version: int, scores: dict[int, float]) -> None:
    with writing(engine) as session:
        session.add_all(
            PictureScore(image_id=image, version=version, score=value, is_out_of_sample=True)
            for image, value in scores.items()
        )


def give(engine: Engine, images: int, share: float, rater: str = "ann") -> list[int]:
    terms = Terms(1, 600, ask_share=share)
    return [shown.image_id for shown in next_images(engine, rater, terms, count=images, now=NOON)]


def vote(engine: Engine, image: int, verdict: Verdict, share: float) -> None:
    press = Press(f"asked {next(REQUEST)}", image, verdict)
    [receipt] = record_votes(engine, "ann", [press], Terms(1, 600, ask_share=share), now=lambda: NOON)
    assert not receipt.refused


def test_pictures_that_the_checks_doubt_come_first(checked: Engine, fill: Callable) -> None:
    sure, unsure, contradicted, unscored = fill(checked, images=4, version=2, origin=Origin.asked)
    fill(checked, images=20, version=2)
    score(checked, 2, {sure: 3.0, unsure: 0.4, contradicted: 3.0})
    score(checked, 1, {sure: 3.0, unsure: 0.4, contradicted: -3.0})
    order = []
    while len(order) < 4:
        [image] = give(checked, 1, 0.9)
        if image in (sure, unsure, contradicted, unscored):
            order.append(image)
        vote(checked, image, Verdict.keep, 0.9)
    assert order == [contradicted, unsure, sure, unscored]


def test_they_are_about_the_share_of_what_is_shown(checked: Engine, fill: Callable) -> None:
    asked = set(fill(checked, images=150, version=2, origin=Origin.asked))
    fill(checked, images=150, version=2)
    shown = []
    while len(shown) < 120:
        shown += (hand := give(checked, 10, 0.3))
        for image in hand:
            vote(checked, image, Verdict.keep, 0.3)
    assert 0.2 < len(asked & set(shown)) / len(shown) < 0.4


def test_a_rater_gets_work_while_there_is_any(checked: Engine, fill: Callable) -> None:
    asked, at_random = fill(checked, images=3, version=2, origin=Origin.asked), fill(checked, images=2, version=2)
    assert sorted(give(checked, 9, 0.3)) == sorted(asked + at_random)


def test_without_a_share_the_queue_gives_what_it_always_gave(checked: Engine, fill: Callable) -> None:
    images = fill(checked, images=40, version=2)
    first = give(checked, 8, 0.0)
    score(checked, 2, {image: 0.0 for image in images if image not in first})
    assert give(checked, 8, 0.0) == first


def test_rates_stay_those_of_a_random_sample_however_the_queue_chooses(checked: Engine, fill: Callable) -> None:
    """Raters are asked about wrong pictures as much as the queue can; the rate is that of the random ones."""
    chance = random.Random(1)
    at_random = fill(checked, images=80, version=2)
    wrong = set(chance.sample(at_random, 24))
    asked = fill(checked, images=80, version=2, origin=Origin.asked)
    wrong |= set(asked[:60])
    score(checked, 2, {image: 0.0 if image in wrong else 3.0 for image in at_random + asked})
    judged = []
    for _ in range(100):
        [image] = give(checked, 1, 0.5)
        judged.append(image)
        vote(checked, image, Verdict.reject if image in wrong else Verdict.keep, 0.5)
    sampled, chosen = set(judged) & set(at_random), set(judged) & set(asked)
    assert chosen <= wrong
    [row] = [row for row in version_rows(checked) if row.number == 2]
    assert (row.judged, row.rejected, row.votes) == (len(sampled), len(sampled & wrong), len(sampled))
    assert row.interval.low < 24 / 80 < row.interval.high
    assert sum(window.rejects.whole for window in windows(checked)) == len(sampled)
    found = standing(checked)
    assert (found.votes, found.judged, found.rejects) == (100, 100, len(set(judged) & wrong))
    assert set(pool_ids(checked)) == set(judged)
    assert differences(checked) == []


def test_which_random_pictures_are_shown_does_not_depend_on_their_scores(checked: Engine, fill: Callable) -> None:
    at_random = fill(checked, images=60, version=2)
    fill(checked, images=60, version=2, origin=Origin.asked)
    score(checked, 2, {image: image % 7 - 3.0 for image in at_random})
    with reading(checked) as session:
        place = {image.id: image.shuffle for image in session.exec(select(Image))}
    shown = [image for image in give(checked, 40, 0.5) if image in at_random]
    order = sorted(at_random, key=place.__getitem__)
    places = sorted(order.index(image) for image in shown)
    gaps = [b - a for a, b in pairwise(places)]
    assert sum(gap > 1 for gap in gaps) <= 1, "they are neighbours in the shuffled queue, from some start on"
