"""Which pictures the queue's queries find: controls, repeats, sound ones."""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine, func, update
from sqlmodel import select

from feedback.figures.summary import standing
from feedback.pool.damage import damaged_pictures, look_again, set_aside, still_bad
from feedback.rate.queue import REPEAT_AFTER, next_images
from feedback.rate.terms import Mix, Terms
from feedback.rate.votes import recent_votes
from store.engine import reading, writing
from store.files import sha256_of
from store.layout import layout_of
from store.settings import Settings
from store.tables import Image, Lease, Origin, Rater, Repeat, Verdict, Vote
from tests.feedback.rate.queues import NOON, controls_of, hand_of, queue, vote


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
    judged = {vote.picture.image_id for vote in recent_votes(engine, "ann")}
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
