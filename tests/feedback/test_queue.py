from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from sqlalchemy import Engine, func
from sqlmodel import select

from feedback.queue import next_images
from feedback.versions import promote
from feedback.votes import Press, record_votes
from store.engine import reading
from store.errors import BadRequest
from store.tables import Lease, Origin, Verdict

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
REQUEST = count()


def queue(
    engine: Engine, rater: str, images: int = 99, *, overlap: int = 1, now: datetime = NOON, lease_s: float = 600
) -> list[int]:
    shown = next_images(engine, rater, count=images, overlap=overlap, lease_s=lease_s, now=now)
    return [image.image_id for image in shown]


def vote(engine: Engine, rater: str, image: int, verdict: Verdict, *, overlap: int = 1, now: datetime = NOON) -> None:
    press = Press(f"request {next(REQUEST)}", image, verdict)
    [receipt] = record_votes(engine, rater, [press], overlap=overlap, lease_s=600, now=lambda: now)
    assert not receipt.refused


def test_a_rater_is_told_nothing_of_the_version(any_engine: Engine, fill: Callable) -> None:
    fill(any_engine, images=1)
    [shown] = next_images(any_engine, "ann", count=1, overlap=1, lease_s=600)
    assert shown._fields == ("image_id", "sha256", "prompt", "width", "height")
    assert (shown.image_id, shown.prompt, shown.width, shown.height) == (1, "a red star", 64, 64)


def test_asking_again_gives_the_same_images_first(any_engine: Engine, fill: Callable) -> None:
    fill(any_engine)
    assert queue(any_engine, "ann", 3) == queue(any_engine, "ann", 3) == [1, 2, 3]
    assert queue(any_engine, "ann") == [1, 2, 3, 4, 5, 6]
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
    assert seen == [1, 2, 3, 4, 5, 6]
    assert queue(any_engine, "ann", overlap=3, now=NOON + timedelta(days=400)) == []


def test_with_overlap_one_no_two_raters_get_the_same_image(any_engine: Engine, fill: Callable) -> None:
    fill(any_engine)
    assert queue(any_engine, "ann", 2) == [1, 2]
    assert queue(any_engine, "bob", 2) == [3, 4]
    vote(any_engine, "ann", 1, Verdict.keep)
    vote(any_engine, "bob", 3, Verdict.reject)
    assert queue(any_engine, "cat") == [5, 6]
    assert queue(any_engine, "dan") == []


def test_with_overlap_two_each_image_gets_two_raters(any_engine: Engine, fill: Callable) -> None:
    fill(any_engine, images=2)
    assert queue(any_engine, "ann", overlap=2) == queue(any_engine, "bob", overlap=2) == [1, 2]
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
    queue(any_engine, "ann", 3)
    for image in (1, 2, 3):
        vote(any_engine, "ann", image, Verdict.reject)
    vote(any_engine, "ann", 2, Verdict.undo)
    assert queue(any_engine, "bob", 2) == [4, 5]
    assert queue(any_engine, "ann", 2) == [2, 6]


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


def test_a_skip_taken_back_shows_the_image_again(any_engine: Engine, fill: Callable) -> None:
    fill(any_engine, images=1)
    queue(any_engine, "ann")
    vote(any_engine, "ann", 1, Verdict.skip)
    vote(any_engine, "ann", 1, Verdict.undo)
    assert queue(any_engine, "ann") == [1]


def test_evaluation_images_are_never_shown(any_engine: Engine, fill: Callable) -> None:
    fill(any_engine, images=3, origin=Origin.evaluation)
    assert queue(any_engine, "ann") == []


def test_after_a_promotion_only_images_of_the_champion_are_waiting(
    any_engine: Engine, fill: Callable, publish_version: Callable
) -> None:
    publish_version(any_engine, 1)
    promote(any_engine, 1)
    base, old = fill(any_engine, images=2), fill(any_engine, images=2, version=1)
    assert queue(any_engine, "ann", 3) == [*base, old[0]]
    publish_version(any_engine, 2)
    new = fill(any_engine, images=2, version=2)
    promote(any_engine, 2)
    assert queue(any_engine, "bob") == queue(any_engine, "ann", overlap=2) == new
    vote(any_engine, "ann", old[0], Verdict.reject)  # was on her screen


def test_a_name_that_cannot_be_one_reserves_nothing(any_engine: Engine, fill: Callable) -> None:
    fill(any_engine)
    with pytest.raises(BadRequest):
        queue(any_engine, "\n")
    assert queue(any_engine, "ann") == [1, 2, 3, 4, 5, 6]
