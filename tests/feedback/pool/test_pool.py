"""What a retrain may train on."""

import random
from collections.abc import Callable

import pytest
from sqlalchemy import Engine, update

from feedback.pool.dawid_skene import dawid_skene
from feedback.pool.pool import Due, how_due, pool
from feedback.pool.split import split_of
from store.engine import reading, writing
from store.tables import Image, Origin, Role, Verdict
from tests.feedback.rating import KEEP, REJECT, pool_of, rate


def test_the_pool_holds_sampled_images_with_a_verdict_in_their_order(any_engine: Engine, fill: Callable):
    images = fill(any_engine, images=4)
    fill(any_engine, images=1, origin=Origin.evaluation)
    with writing(any_engine) as session:
        session.exec(update(Image).values(is_queued=True))
    rate(any_engine, "ann", {images[2]: REJECT, images[0]: KEEP, images[1]: REJECT, images[3]: Verdict.skip, 5: REJECT})
    rate(any_engine, "bob", {images[1]: KEEP})  # a tie
    assert [(item.image_id, item.role) for item in pool_of(any_engine)] == [
        (images[0], Role.keep),
        (images[2], Role.reject),
    ]


def test_only_the_newest_images_are_taken_when_there_are_too_many(engine: Engine, fill: Callable):
    images = fill(engine, images=5)
    rate(engine, "ann", dict.fromkeys(images, REJECT))
    with reading(engine) as session:
        assert [item.image_id for item in pool(session, most=2)] == images[-2:]


def test_a_weight_is_the_share_of_the_votes_that_agree(engine: Engine, fill: Callable):
    [alone, shared] = fill(engine, images=2)
    rate(engine, "ann", {alone: REJECT, shared: REJECT})
    rate(engine, "bob", {shared: REJECT})
    items = {item.image_id: (item.rejects, item.keeps, item.weight) for item in pool_of(engine)}
    assert items == {alone: (1, 0, 1.0), shared: (2, 0, 1.0)}


def test_weights_say_how_sure_a_verdict_is_and_dawid_skene_may_dispute_it(engine: Engine, fill: Callable):
    images = fill(engine, images=60)
    truth = {image: REJECT if image % 2 else KEEP for image in images}
    wrong = {image: KEEP if image % 2 else REJECT for image in images}
    for rater in ("ann", "bob", "cat"):
        rate(engine, rater, truth if rater != "cat" else truth | {images[0]: wrong[images[0]]})
    noise = {image: random.Random(f"{image}").choice([REJECT, KEEP]) for image in images}
    rate(engine, "dan", noise)
    items = {item.image_id: item for item in pool_of(engine)}
    assert all(0.5 < item.weight <= 1 for item in items.values())
    assert items[images[7]].weight > 0.95
    assert (items[images[1]].role, items[images[2]].role) == (Role.keep if images[1] % 2 == 0 else Role.reject,
                                                             Role.reject if images[2] % 2 else Role.keep)  # fmt: skip


def test_a_retrain_is_due_at_the_number_of_new_rejects(engine: Engine, fill: Callable):
    rate(engine, "ann", dict.fromkeys(fill(engine, images=3), REJECT))
    assert (how_due(engine, 3), how_due(engine, 3).is_due, how_due(engine, 4).is_due) == (Due(3, 3), True, False)
    assert how_due(engine, 4).sentence == "not due: 3 new rejects, 4 needed; 1 more to go"


def test_an_item_carries_what_a_retrain_needs(engine: Engine, fill: Callable):
    [image] = fill(engine, images=1)
    rate(engine, "ann", {image: REJECT})
    with reading(engine) as session:
        row = session.get_one(Image, image)
    [item] = pool_of(engine)
    assert (item.image_id, item.sha256, item.latent_sha256) == (image, row.sha256, row.latent_sha256)
    assert (item.prompt, item.seed, item.width, item.height) == ("a red star", row.seed, 64, 64)
    assert (item.role, item.split, item.weight) == (Role.reject, split_of("a red star", row.seed), 1.0)


def test_two_against_one_weighs_what_the_model_believes_and_two_raters_their_share(engine: Engine, fill: Callable):
    images = fill(engine, images=30)
    truth = {image: REJECT if image % 2 else KEEP for image in images}
    for rater in ("ann", "bob"):
        rate(engine, rater, truth)
    rate(engine, "cat", truth | {images[0]: KEEP})
    given = [(image, n, said is REJECT) for n in (1, 2) for image, said in truth.items()]
    given += [(image, 3, (said is REJECT) and image != images[0]) for image, said in truth.items()]
    believed = dawid_skene(given).reject
    items = {item.image_id: item for item in pool_of(engine)}
    for image in images:
        chance = believed[image] if truth[image] is REJECT else 1 - believed[image]
        assert items[image].weight == pytest.approx(chance, abs=1e-5)
    assert 0.5 < items[images[0]].weight < items[images[2]].weight


def test_the_sentence_says_when_a_retrain_is_due(engine: Engine):
    assert Due(1, 4).sentence == "not due: 1 new reject, 4 needed; 3 more to go"
    assert Due(50, 50).sentence == "a retrain is due: 50 new rejects, 50 needed"
    assert (Due(49, 50).is_due, Due(49, 50).sentence) == (
        False,
        "not due: 49 new rejects, 50 needed; 1 more to go",
    )
