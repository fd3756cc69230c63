from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from sqlalchemy import Engine, func, update
from sqlmodel import select

from feedback.figures.summary import standing
from feedback.people.decisions import Decision, decide
from feedback.pool.damage import damaged_pictures, look_again, set_aside, still_bad
from feedback.rate.queue import PROTECTED, REPEAT_AFTER, TAKEN_OVER, Shown, next_images, settle_all
from feedback.rate.terms import Mix, Terms
from feedback.rate.votes import Press, recent_votes, record_votes
from feedback.versions import promote
from store.engine import reading, writing
from store.errors import BadRequest, NotAllowed
from store.files import sha256_of
from store.layout import layout_of
from store.settings import Settings
from store.tables import Control, Image, Lease, Origin, Rater, RaterAction, Repeat, Verdict, Vote

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
REQUEST = count()


def queue(
    engine: Engine, rater: str, images: int = 99, *, overlap: int = 1, now: datetime = NOON, lease_s: float = 600
) -> list[int]:
    shown = next_images(engine, rater, Terms(overlap, lease_s), count=images, now=now)
    return [image.image_id for image in shown]


def hand_of(engine: Engine, rater: str, images: int, mix: Mix) -> list[Shown]:
    return next_images(engine, rater, Terms(1, 600, mix), count=images, now=NOON)


def change(engine: Engine, images: list[int], **columns: object) -> None:
    with writing(engine) as session:
        session.exec(update(Image).where(Image.id.in_(images)).values(**columns))


def controls_of(engine: Engine, images: list[int]) -> set[int]:
    with writing(engine) as session:
        session.add_all(Control(image_id=image, answer=Verdict.reject, source="by hand") for image in images)
    return set(images)


def vote(engine: Engine, rater: str, image: int, verdict: Verdict, *, overlap: int = 1, now: datetime = NOON) -> None:
    press = Press(f"request {next(REQUEST)}", image, verdict)
    [receipt] = record_votes(engine, rater, [press], Terms(overlap, 600), now=lambda: now)
    assert not receipt.refused


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


def test_controls_and_repeats_are_mixed_in_at_their_share(engine: Engine, fill: Callable) -> None:
    images = set(fill(engine, images=600))
    controls = controls_of(engine, fill(engine, images=100, origin=Origin.control))
    seen: list[int] = []
    mix = Mix(controls=0.08, repeats=0.05)
    while hand := [shown.image_id for shown in hand_of(engine, "ann", 10, mix)]:
        seen += hand
        for image in hand:
            vote(engine, "ann", image, Verdict.reject)
    assert images <= set(seen)
    again = [image for image, times in Counter(seen).items() if times > 1]
    assert set(again) <= images
    assert max(Counter(seen).values()) == 2
    assert 0.05 < len(set(seen) & controls) / len(images) < 0.12
    assert 0.03 < len(again) / len(images) < 0.08
    gaps = [second - seen.index(image) for image in again for second in [len(seen) - 1 - seen[::-1].index(image)]]
    assert min(gaps) >= REPEAT_AFTER


def test_a_control_never_waits_alone_and_never_enters_the_queue(any_engine: Engine, fill: Callable) -> None:
    [control] = controls_of(any_engine, fill(any_engine, images=1, origin=Origin.control))
    assert hand_of(any_engine, "ann", 5, Mix(controls=0.5)) == []
    fill(any_engine, images=60)
    assert control in [shown.image_id for shown in hand_of(any_engine, "ann", 64, Mix(controls=0.5))]
    vote(any_engine, "ann", control, Verdict.keep, overlap=3)
    with reading(any_engine) as session:
        assert not session.get_one(Image, control).is_queued


def current(engine: Engine, rater: str) -> dict[int, datetime]:
    """The reservations of a rater: image to when it ends."""
    with reading(engine) as session:
        rows = session.exec(select(Lease).join(Rater).where(Rater.name == rater))
        return {row.image_id: row.expires_at.replace(tzinfo=UTC) for row in rows}


def rate_all(engine: Engine, rater: str, images: list[int], overlap: int = 1) -> None:
    for image in images:
        vote(engine, rater, image, Verdict.reject, overlap=overlap)


def repeat_of(engine: Engine, rater: str, image: int) -> int:
    """Gives an image that the rater judged to that rater again; its public number this time."""
    with writing(engine) as session:
        first = session.exec(select(Vote).join(Rater).where(Rater.name == rater, Vote.image_id == image)).one()
        again = Repeat(rater_id=first.rater_id, image_id=image, first_vote_id=first.id or 0)
        session.add(again)
        lease = session.exec(select(Lease).where(Lease.rater_id == first.rater_id, Lease.image_id == image)).one()
        lease.expires_at = NOON + timedelta(seconds=600)
        session.add(lease)
        session.flush()
        return again.number


def test_a_repeat_comes_under_another_number_and_stays_until_its_own_rater_answers(
    any_engine: Engine, fill: Callable
) -> None:
    [image] = fill(any_engine, images=1)
    [first] = next_images(any_engine, "ann", Terms(3, 600), count=1, now=NOON)
    assert queue(any_engine, "bob", overlap=3) == [image]
    vote(any_engine, "ann", image, Verdict.reject, overlap=3)
    number = repeat_of(any_engine, "ann", image)
    vote(any_engine, "bob", image, Verdict.keep, overlap=3)  # another's later vote answers nothing
    [again] = next_images(any_engine, "ann", Terms(3, 600), count=1, now=NOON)
    assert (again.image_id, again.number) == (image, number) != (image, first.number)
    assert again._replace(number=first.number) == first
    vote(any_engine, "ann", image, Verdict.reject, overlap=3)
    assert queue(any_engine, "ann", overlap=3) == []


def test_a_repeat_is_open_to_no_other_rater(any_engine: Engine, fill: Callable) -> None:
    [image] = fill(any_engine, images=1)
    for rater in ("bob", "ann"):  # bob's vote is older than the first vote of the repeat, so it is no answer
        assert queue(any_engine, rater, overlap=2) == [image]
        vote(any_engine, rater, image, Verdict.reject, overlap=2)
    with writing(any_engine) as session:
        session.exec(update(Lease).values(expires_at=NOON + timedelta(seconds=600)))
    repeat_of(any_engine, "ann", image)
    assert queue(any_engine, "bob", overlap=2) == []
    assert queue(any_engine, "ann", overlap=2) == [image]


def test_another_raters_later_vote_does_not_spoil_a_repeat(engine: Engine, fill: Callable) -> None:
    images = fill(engine, images=REPEAT_AFTER + 60)
    rate_all(engine, "ann", queue(engine, "ann", overlap=2), overlap=2)
    rate_all(engine, "bob", queue(engine, "bob", overlap=2), overlap=2)
    fresh = fill(engine, images=20)
    hand = next_images(engine, "ann", Terms(2, 600, Mix(repeats=1)), count=20, now=NOON)
    again = [shown.image_id for shown in hand if shown.image_id in images]
    assert again and set(again) | set(fresh) >= {shown.image_id for shown in hand}


def test_a_repeat_was_judged_so_many_pictures_ago_whatever_was_taken_back_since(engine: Engine, fill: Callable) -> None:
    fill(engine, images=20)
    for image in queue(engine, "ann"):
        for verdict in (Verdict.reject, Verdict.undo, Verdict.reject, Verdict.undo, Verdict.keep):
            vote(engine, "ann", image, verdict)
    fill(engine, images=20)
    judged = {image.image_id for image, _ in recent_votes(engine, "ann")}
    hand = next_images(engine, "ann", Terms(1, 600, Mix(repeats=1)), count=20, now=NOON)
    assert not judged & {shown.image_id for shown in hand}, "the rater still sees them in the history"


def test_asking_again_gives_controls_and_repeats_in_the_same_places(engine: Engine, fill: Callable) -> None:
    fill(engine, images=100)
    controls_of(engine, fill(engine, images=30, origin=Origin.control))
    mix = Mix(controls=0.3, repeats=0.3)
    repeats = 0
    while hand := hand_of(engine, "ann", 12, mix):
        assert hand_of(engine, "ann", 12, mix) == hand
        rate_all(engine, "ann", [shown.image_id for shown in hand])
    with reading(engine) as session:
        repeats = session.exec(select(func.count()).select_from(Repeat)).one()
    assert repeats > 5


def test_a_picture_whose_reservation_ran_out_comes_as_a_new_one_also_a_control(engine: Engine, fill: Callable) -> None:
    fill(engine, images=10)
    controls = controls_of(engine, fill(engine, images=3, origin=Origin.control))
    terms = Terms(1, 60, Mix(controls=0.5))
    first = next_images(engine, "ann", terms, count=20, now=NOON)
    assert len(controls & {shown.image_id for shown in first}) > 1
    later = NOON + timedelta(seconds=61)
    second = next_images(engine, "ann", terms, count=20, now=later)
    assert {shown.image_id for shown in second} == {shown.image_id for shown in first}
    assert next_images(engine, "ann", terms, count=20, now=later) == second


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


def test_a_damaged_picture_goes_to_nobody_until_its_file_is_mended(
    any_engine: Engine, settings: Settings, fill: Callable
) -> None:
    blobs = layout_of(settings).blobs
    blobs.root.parent.mkdir(exist_ok=True)
    images = fill(any_engine, images=3, put=blobs.put)
    assert set(queue(any_engine, "ann", overlap=2)) == set(images)
    path = blobs.path(damaged := sha256_of(b"picture 1"))
    sound = path.read_bytes()
    path.write_bytes(b"another picture")
    for _ in range(2):
        set_aside(any_engine, damaged)
    assert (
        set(queue(any_engine, "ann", overlap=2)) == set(queue(any_engine, "bob", overlap=2)) == {images[0], images[2]}
    )
    look_again(any_engine, blobs)
    assert [picture.image_id for picture in still_bad(any_engine, blobs)] == [images[1]]
    assert standing(any_engine).waiting == 2
    path.write_bytes(sound)
    look_again(any_engine, blobs)
    assert damaged_pictures(any_engine) == []
    assert set(queue(any_engine, "ann", overlap=2)) == set(images)
