from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial

import pytest
from sqlalchemy import Engine, func
from sqlmodel import select

from feedback.people.decisions import Decision, decide
from feedback.rate.queue import PROTECTED, TAKEN_OVER, next_images, settle_all
from feedback.rate.terms import Terms
from feedback.versions import promote
from store.engine import reading, writing
from store.errors import BadRequest, NotAllowed
from store.tables import Image, Lease, Origin, RaterAction, Verdict
from tests.feedback.rate.queues import NOON, change, queue, vote
from tests.feedback.rate.test_queue_sql import current, rate_all
from tests.waiting import PATIENCE_S


def test_a_rater_is_told_nothing_of_the_version(any_engine: Engine, fill: Callable) -> None:
    fill(any_engine, images=1)
    [shown] = next_images(any_engine, "ann", Terms(1, 600), count=1)
    assert shown._fields == ("image_id", "number", "sha256", "prompt", "width", "height", "read_characters")
    assert (shown.image_id, shown.prompt, shown.width, shown.height) == (1, "a red star", 64, 64)


def test_asking_again_gives_the_same_images_first(any_engine: Engine, fill: Callable) -> None:
    fill(any_engine)
    first = queue(any_engine, "ann", 3)
    assert queue(any_engine, "ann", 3) == first
    everything = queue(any_engine, "ann")
    assert everything[:3] == first
    assert sorted(everything) == [1, 2, 3, 4, 5, 6]
    with reading(any_engine) as session:
        assert session.exec(select(func.count()).select_from(Lease)).one() == 6


@pytest.mark.parametrize("verdict", [Verdict.reject, Verdict.keep, Verdict.skip])
def test_no_image_comes_twice_to_one_rater(verdict: Verdict, any_engine: Engine, fill: Callable) -> None:
    fill(any_engine)
    seen: list[int] = []
    while images := queue(any_engine, "ann", 2, overlap=3):
        seen += images
        for image in images:
            vote(any_engine, "ann", image, verdict, overlap=3)
    assert sorted(seen) == [1, 2, 3, 4, 5, 6]
    assert queue(any_engine, "ann", overlap=3, now=NOON + timedelta(days=400)) == []


def test_with_overlap_one_no_two_raters_get_the_same_image(any_engine: Engine, fill: Callable) -> None:
    fill(any_engine)
    anns, bobs = queue(any_engine, "ann", 2), queue(any_engine, "bob", 2)
    vote(any_engine, "ann", anns[0], Verdict.keep)
    vote(any_engine, "bob", bobs[0], Verdict.reject)
    assert sorted(anns + bobs + queue(any_engine, "cat")) == [1, 2, 3, 4, 5, 6]
    assert queue(any_engine, "dan") == []


def test_with_overlap_two_each_image_gets_two_raters(any_engine: Engine, fill: Callable) -> None:
    fill(any_engine, images=2)
    assert set(queue(any_engine, "ann", overlap=2)) == set(queue(any_engine, "bob", overlap=2)) == {1, 2}
    assert queue(any_engine, "cat", overlap=2) == []
    vote(any_engine, "ann", 1, Verdict.keep, overlap=2)
    assert queue(any_engine, "cat", overlap=2) == []
    vote(any_engine, "bob", 1, Verdict.reject, overlap=2)
    later = NOON + timedelta(hours=1)
    assert queue(any_engine, "cat", overlap=2, now=later) == [2]


def test_a_lease_that_ran_out_frees_the_image(any_engine: Engine, fill: Callable) -> None:
    fill(any_engine, images=1)
    assert queue(any_engine, "ann", lease_s=60) == [1]
    assert queue(any_engine, "bob", now=NOON + timedelta(seconds=59)) == []
    assert queue(any_engine, "bob", now=NOON + timedelta(seconds=60)) == [1]
    assert queue(any_engine, "ann", now=NOON + timedelta(seconds=61)) == []


def test_a_late_vote_still_counts(any_engine: Engine, fill: Callable) -> None:
    fill(any_engine, images=1)
    queue(any_engine, "ann", lease_s=60)
    vote(any_engine, "ann", 1, Verdict.keep, now=NOON + timedelta(days=1))
    assert queue(any_engine, "bob", now=NOON + timedelta(days=1)) == []


def test_after_undo_the_image_comes_back_to_that_rater_first(any_engine: Engine, fill: Callable) -> None:
    fill(any_engine)
    images = queue(any_engine, "ann", 3)
    for image in images:
        vote(any_engine, "ann", image, Verdict.reject)
    vote(any_engine, "ann", images[1], Verdict.undo)
    bobs = queue(any_engine, "bob", 2)
    assert not set(bobs) & set(images)
    assert queue(any_engine, "ann", 1) == [images[1]]
    assert sorted(images + bobs + queue(any_engine, "ann")[1:]) == [1, 2, 3, 4, 5, 6]


def test_after_undo_and_a_long_absence_others_get_the_image(any_engine: Engine, fill: Callable) -> None:
    fill(any_engine, images=1)
    queue(any_engine, "ann")
    vote(any_engine, "ann", 1, Verdict.reject)
    vote(any_engine, "ann", 1, Verdict.undo)
    assert queue(any_engine, "bob", now=NOON + timedelta(seconds=601)) == [1]


def test_a_skipped_image_goes_to_others_at_once(any_engine: Engine, fill: Callable) -> None:
    fill(any_engine, images=2)
    queue(any_engine, "ann")
    vote(any_engine, "ann", 1, Verdict.skip)
    assert queue(any_engine, "bob") == [1]
    assert queue(any_engine, "ann") == [2]


def test_a_vote_changed_to_a_skip_gives_the_picture_to_others(any_engine: Engine, fill: Callable) -> None:
    fill(any_engine, images=1)
    queue(any_engine, "ann")
    vote(any_engine, "ann", 1, Verdict.reject)
    assert queue(any_engine, "bob") == []
    vote(any_engine, "ann", 1, Verdict.skip)
    assert queue(any_engine, "bob", now=NOON + timedelta(seconds=601)) == [1]


def test_a_skip_taken_back_shows_the_image_again(any_engine: Engine, fill: Callable) -> None:
    fill(any_engine, images=1)
    queue(any_engine, "ann")
    vote(any_engine, "ann", 1, Verdict.skip)
    vote(any_engine, "ann", 1, Verdict.undo)
    assert queue(any_engine, "ann") == [1]


def test_evaluation_images_are_shown_once_they_are_queued(any_engine: Engine, fill: Callable) -> None:
    pair = fill(any_engine, images=2, origin=Origin.evaluation)
    assert queue(any_engine, "ann") == []
    change(any_engine, pair, is_queued=True, overlap=3)
    for rater in ("ann", "bob", "cat"):
        assert set(queue(any_engine, rater)) == set(pair)
    assert queue(any_engine, "dan") == []


def test_after_a_promotion_only_images_of_the_champion_are_waiting(
    any_engine: Engine, fill: Callable, publish_version: Callable
) -> None:
    publish_version(any_engine, 1)
    promote(any_engine, 1)
    base, old = fill(any_engine, images=2), fill(any_engine, images=2, version=1)
    assert sorted(queue(any_engine, "ann")) == [*base, *old]
    publish_version(any_engine, 2)
    new = fill(any_engine, images=2, version=2)
    promote(any_engine, 2)
    assert set(queue(any_engine, "bob")) == set(queue(any_engine, "ann", overlap=2)) == set(new)
    vote(any_engine, "ann", old[0], Verdict.reject)  # was on her screen


def test_a_name_that_cannot_be_one_reserves_nothing(any_engine: Engine, fill: Callable) -> None:
    fill(any_engine)
    with pytest.raises(BadRequest):
        queue(any_engine, "\n")
    assert len(queue(any_engine, "ann")) == 6


def test_an_image_with_an_overlap_of_its_own_waits_for_that_many_raters(any_engine: Engine, fill: Callable) -> None:
    [image] = fill(any_engine, images=1)
    change(any_engine, [image], overlap=2)
    for rater in ("ann", "bob"):
        assert queue(any_engine, rater) == [image]
        vote(any_engine, rater, image, Verdict.reject)
    assert queue(any_engine, "cat") == []


def test_two_raters_do_not_march_in_step(any_engine: Engine, fill: Callable) -> None:
    fill(any_engine, images=60)
    orders = [queue(any_engine, rater, overlap=5) for rater in ("ann", "bob", "cat")]
    assert all(sorted(order) == list(range(1, 61)) for order in orders)
    for first, second in ((0, 1), (0, 2), (1, 2)):
        in_step = sum(a == b for a, b in zip(orders[first], orders[second], strict=True))
        assert in_step < 12
    assert orders[0] != sorted(orders[0])


def test_the_versions_are_mixed(any_engine: Engine, fill: Callable, publish_version: Callable) -> None:
    publish_version(any_engine, 1)
    base, new = set(fill(any_engine, images=30)), set(fill(any_engine, images=30, version=1))
    order = queue(any_engine, "ann")
    for part in (order[:20], order[20:40], order[40:]):
        assert set(part) & base and set(part) & new


def test_a_paused_rater_gets_nothing_and_loses_no_vote(any_engine: Engine, fill: Callable) -> None:
    fill(any_engine)
    held = queue(any_engine, "ann")
    decide(any_engine, "ann", Decision(RaterAction.pause, "root", "away"))
    with pytest.raises(NotAllowed, match="ann is paused"):
        queue(any_engine, "ann")
    vote(any_engine, "ann", held[0], Verdict.reject)  # was on the screen
    decide(any_engine, "ann", Decision(RaterAction.resume, "root", "back"))
    assert set(queue(any_engine, "ann")) == set(held[1:])


def test_reserving_moves_no_other_raters_reservations(any_engine: Engine, fill: Callable) -> None:
    fill(any_engine, images=3)
    queue(any_engine, "ann", overlap=2, lease_s=60)
    before = current(any_engine, "ann")
    queue(any_engine, "bob", overlap=2, lease_s=600)
    queue(any_engine, "bob", overlap=2, now=NOON + timedelta(seconds=30))
    assert current(any_engine, "ann") == before
    assert set(before.values()) == {NOON + timedelta(seconds=60)}


def test_a_picture_with_all_its_votes_is_not_queued_again_when_votes_are_settled(
    any_engine: Engine, fill: Callable
) -> None:
    full, lacking, own = fill(any_engine, images=3)
    change(any_engine, [own], overlap=1)
    for rater in ("ann", "bob"):
        queue(any_engine, rater, overlap=2)
    rate_all(any_engine, "ann", [full, lacking, own], overlap=2)
    rate_all(any_engine, "bob", [full], overlap=2)
    with writing(any_engine) as session:
        settle_all(session, overlap=2)
    with reading(any_engine) as session:
        assert set(session.exec(select(Image.id).where(Image.is_queued))) == {lacking}


@pytest.mark.parametrize("count", [1, 24])
def test_two_hundred_invented_names_leave_an_honest_rater_work(count: int, engine: Engine, fill: Callable) -> None:
    fill(engine, images=292)
    for number in range(300 if count == 1 else 200):
        queue(engine, f"name {number}", count)
    judged = 0
    while (hand := queue(engine, "honest", 24)) and judged < 40:
        assert len(hand) <= TAKEN_OVER
        rate_all(engine, "honest", hand)
        judged += len(hand)
    assert judged >= 40


def test_a_few_raters_keep_what_they_hold(any_engine: Engine, fill: Callable) -> None:
    fill(any_engine, images=PROTECTED * 2)
    for rater in ("ann", "bob"):
        assert len(queue(any_engine, rater, PROTECTED)) == PROTECTED
    assert queue(any_engine, "cat") == []


def test_a_rater_without_pictures_waits_for_no_writer_to_hear_that_there_are_none(
    any_engine: Engine, fill: Callable
) -> None:
    fill(any_engine, images=2)
    asked = partial(next_images, any_engine, "ann", Terms(1, 600), count=5, has_none=True)
    assert {shown.image_id for shown in asked()} == {1, 2}
    assert {shown.image_id for shown in asked()} == {1, 2}  # reserved, after a reload
    for image in (1, 2):
        vote(any_engine, "ann", image, Verdict.keep)
    with writing(any_engine), ThreadPoolExecutor(1) as other:
        assert other.submit(asked).result(timeout=PATIENCE_S) == []


def test_one_who_is_paused_is_told_so_also_without_pictures(any_engine: Engine, fill: Callable) -> None:
    fill(any_engine, images=1)
    assert queue(any_engine, "ann") == [1]
    vote(any_engine, "ann", 1, Verdict.keep)
    decide(any_engine, "ann", Decision(RaterAction.pause, "root", "away"))
    with pytest.raises(NotAllowed, match="is paused"):
        next_images(any_engine, "ann", Terms(1, 600), count=1, has_none=True)
