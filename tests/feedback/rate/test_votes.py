import itertools
import multiprocessing
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from multiprocessing.synchronize import Barrier

import pytest
from pydantic import ValidationError
from sqlalchemy import Engine, func
from sqlmodel import col, select

from feedback.rate.queue import next_images
from feedback.rate.terms import Terms
from feedback.rate.votes import (
    Point,
    Press,
    Receipt,
    has_voted,
    recent_votes,
    record_votes,
    sha256_of_number,
    take_votes,
)
from store.engine import reading, writing
from store.errors import BadRequest
from store.files import sha256_of
from store.migrate import open_store
from store.settings import Settings
from store.tables import (
    END_NUMBER,
    FIRST_NUMBER,
    Image,
    ImageTally,
    Lease,
    Rater,
    Reason,
    Repeat,
    Verdict,
    Vote,
    utc_now,
)
from tests.waiting import PATIENCE_S

REQUEST = count()


def show(engine: Engine, rater: str, images: int = 6) -> list[int]:
    return [image.image_id for image in next_images(engine, rater, Terms(2, 600), count=images)]


def vote(
    engine: Engine, rater: str, image: int, verdict: Verdict = Verdict.reject, request: str | None = None
) -> Receipt:
    press = Press(request or f"request {next(REQUEST)}", image, verdict)
    [receipt] = record_votes(engine, rater, [press], Terms(2, 600))
    return receipt


def rows(engine: Engine) -> list[tuple[int, Verdict]]:
    with reading(engine) as session:
        return [tuple(row) for row in session.exec(select(Vote.image_id, Vote.verdict).order_by(Vote.id))]


def words(engine: Engine, rater: str) -> list[tuple[int, Verdict]]:
    return [(vote.picture.image_id, vote.verdict) for vote in recent_votes(engine, rater)]


def test_a_vote_is_one_row_with_what_the_page_sent(any_engine: Engine, fill: Callable) -> None:
    fill(any_engine)
    show(any_engine, "ann")
    at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    press = Press("r1", 1, Verdict.keep, "sweep", at, at)
    assert record_votes(any_engine, "ann", [press], Terms(1, 9), now=lambda: at) == [Receipt("r1")]
    with reading(any_engine) as session:
        row = session.exec(select(Vote)).one()
    assert (row.request_id, row.image_id, row.verdict, row.page) == ("r1", 1, Verdict.keep, "sweep")
    assert (row.shown_at, row.decided_at, row.received_at) == (at, at, at)


def test_a_repeated_request_id_is_one_vote(any_engine: Engine, fill: Callable) -> None:
    fill(any_engine)
    show(any_engine, "ann")
    assert {vote(any_engine, "ann", 1, request="r1") for _ in range(10)} == {Receipt("r1")}
    twice = [Press("r2", 2, Verdict.keep)] * 2
    assert record_votes(any_engine, "ann", twice, Terms(1, 9)) == [Receipt("r2")] * 2
    assert rows(any_engine) == [(1, Verdict.reject), (2, Verdict.keep)]


def send_again_and_again(settings: Settings, start: Barrier) -> None:
    engine = open_store(settings)
    start.wait(PATIENCE_S)
    for _ in range(13):  # 104 in all
        assert not vote(engine, "ann", 1, request="r1").refused
    engine.dispose()


def test_the_same_request_from_eight_processes_is_one_vote(any_settings: Settings, fill: Callable) -> None:
    engine = open_store(any_settings)
    fill(engine)
    show(engine, "ann")
    engine.dispose()  # no connection may live across the fork
    context = multiprocessing.get_context("fork")
    start = context.Barrier(8)
    processes = [context.Process(target=send_again_and_again, args=(any_settings, start)) for _ in range(8)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(PATIENCE_S)
    assert [process.exitcode for process in processes] == [0] * 8
    assert rows(engine) == [(1, Verdict.reject)]
    engine.dispose()


@pytest.mark.parametrize(
    ("rater", "image", "verdict"), [("ann", 2, Verdict.reject), ("ann", 1, Verdict.keep), ("bob", 1, Verdict.reject)]
)
def test_a_request_id_used_for_something_else_is_refused(
    rater: str, image: int, verdict: Verdict, any_engine: Engine, fill: Callable
) -> None:
    fill(any_engine)
    show(any_engine, "ann")
    show(any_engine, "bob")
    vote(any_engine, "ann", 1, request="r1")
    assert "already used for another vote" in vote(any_engine, rater, image, verdict, "r1").refused
    assert rows(any_engine) == [(1, Verdict.reject)]


@pytest.mark.parametrize("image", [2, 999, 2**31, 2**63 - 1])
def test_an_image_the_rater_was_never_shown_is_refused(image: int, any_engine: Engine, fill: Callable) -> None:
    fill(any_engine)
    own = show(any_engine, "ann", images=1)
    show(any_engine, "bob", images=6)
    image = 6 if image == 2 and own == [2] else image
    assert "never shown to this rater" in vote(any_engine, "ann", image).refused
    assert rows(any_engine) == []


@pytest.mark.parametrize("request_id", ["", "x" * 65, "a\0b", "a\nb", "a\n", "\ud800", "ä"])
def test_a_malformed_request_id_makes_no_press(request_id: str) -> None:
    with pytest.raises(ValidationError, match="request_id"):
        Press(request_id=request_id, image_id=1, verdict=Verdict.keep)


@pytest.mark.parametrize(
    "wrong",
    [{"image_id": 0}, {"image_id": -1}, {"image_id": 2**63}, {"page": "x" * 41}, {"shown_at": datetime(2026, 1, 1)}],
)
def test_a_malformed_value_makes_no_press(wrong: dict) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        Press(**{"request_id": "r1", "image_id": 1, "verdict": Verdict.keep} | wrong)


def test_a_mark_is_on_the_picture() -> None:
    assert Press("r1", 1, Verdict.keep, marks=(Point(0, 1),)).marks == (Point(0.0, 1.0),)
    for x, y in ((-0.1, 0.5), (0.5, 1.1)):
        with pytest.raises(ValidationError):
            Point(x, y)


@pytest.mark.parametrize("verdict", [Verdict.keep, Verdict.skip])
def test_only_a_reject_has_reasons_and_marks_and_beside_another_verdict_the_vote_counts(
    verdict: Verdict, any_engine: Engine, fill: Callable
) -> None:
    fill(any_engine)
    first, second, *_ = show(any_engine, "ann")
    noted = {"reasons": frozenset({Reason.hands, Reason.text}), "marks": (Point(0.5, 0.25), Point(0, 1))}
    presses = [Press("a", first, verdict, **noted), Press("b", second, Verdict.reject, **noted)]
    assert record_votes(any_engine, "ann", presses, Terms(1, 9)) == [Receipt("a"), Receipt("b")]
    rejected, other = recent_votes(any_engine, "ann")
    assert (rejected.reasons, rejected.marks) == ((Reason.hands, Reason.text), ((0.5, 0.25), (0, 1)))
    assert (other.verdict, other.reasons, other.marks) == (verdict, (), ())


def test_a_reason_that_follows_is_a_vote_that_takes_the_place_of_the_first(any_engine: Engine, fill: Callable) -> None:
    fill(any_engine)
    image, *_ = show(any_engine, "ann")
    later = Press("b", image, Verdict.reject, "reason", reasons=frozenset({Reason.hands}))
    for _ in range(2):  # a repeated request is one vote
        record_votes(any_engine, "ann", [Press("a", image, Verdict.reject), later], Terms(2, 9))
    assert rows(any_engine) == [(image, Verdict.reject)] * 2
    [vote] = recent_votes(any_engine, "ann")
    assert vote.reasons == (Reason.hands,)
    with reading(any_engine) as session:
        [tally] = session.exec(select(ImageTally))
    assert (tally.rejects, tally.keeps) == (1, 0)


def test_a_refused_press_does_not_hold_up_the_others(any_engine: Engine, fill: Callable) -> None:
    fill(any_engine)
    first, second, third = show(any_engine, "ann", images=3)
    presses = [
        Press("a", first, Verdict.keep),
        Press("b", 999, Verdict.keep),
        Press("a", third, Verdict.keep),
        Press("a", second, Verdict.keep),
        Press("c", third, Verdict.reject),
    ]
    receipts = record_votes(any_engine, "ann", presses, Terms(1, 9))
    assert [bool(receipt.refused) for receipt in receipts] == [False, True, True, True, False]
    assert [receipt.request_id for receipt in receipts] == [press.request_id for press in presses]
    assert rows(any_engine) == [(first, Verdict.keep), (third, Verdict.reject)]


def test_undo_is_a_row_of_its_own_and_takes_the_last_word_back(any_engine: Engine, fill: Callable) -> None:
    fill(any_engine)
    show(any_engine, "ann")
    vote(any_engine, "ann", 1, Verdict.reject)
    vote(any_engine, "ann", 1, Verdict.undo)
    assert (rows(any_engine), words(any_engine, "ann")) == ([(1, Verdict.reject), (1, Verdict.undo)], [])
    vote(any_engine, "ann", 1, Verdict.keep)
    assert words(any_engine, "ann") == [(1, Verdict.keep)]
    assert len(rows(any_engine)) == 3


def test_a_changed_mind_is_a_new_row_and_the_newest_counts(any_engine: Engine, fill: Callable) -> None:
    fill(any_engine)
    show(any_engine, "ann")
    for verdict in (Verdict.keep, Verdict.reject, Verdict.skip):
        vote(any_engine, "ann", 1, verdict)
        assert words(any_engine, "ann") == [(1, verdict)]
    assert len(rows(any_engine)) == 3


def test_the_history_is_latest_first_and_of_this_rater_alone(any_engine: Engine, fill: Callable) -> None:
    fill(any_engine)
    show(any_engine, "ann")
    show(any_engine, "bob")
    for image in (1, 3, 2):
        vote(any_engine, "ann", image)
    vote(any_engine, "bob", 4, Verdict.keep)
    assert [image for image, _ in words(any_engine, "ann")] == [2, 3, 1]
    assert [vote.picture.image_id for vote in recent_votes(any_engine, "ann", limit=2)] == [2, 3]
    assert words(any_engine, "nobody") == []


def test_a_reload_finds_the_votes_and_the_place(any_settings: Settings, fill: Callable) -> None:
    engine = open_store(any_settings)
    fill(engine)
    first, *others = show(engine, "ann", images=3)
    vote(engine, "ann", first)
    engine.dispose()
    again = open_store(any_settings)
    assert words(again, "ann") == [(first, Verdict.reject)]
    assert show(again, "ann", images=2) == others
    again.dispose()


def test_a_bad_name_records_nothing(any_engine: Engine, fill: Callable) -> None:
    fill(any_engine)
    with pytest.raises(BadRequest):
        vote(any_engine, "  ", 1)
    with reading(any_engine) as session:
        assert session.exec(select(func.count()).select_from(Vote)).one() == 0


def numbers_of(engine: Engine, rater: str) -> dict[int, int]:
    return {image.image_id: image.number for image in next_images(engine, rater, Terms(2, 600), count=9)}


def taken(engine: Engine, rater: str, number: int, verdict: Verdict = Verdict.reject) -> str:
    [receipt] = take_votes(engine, rater, [Press(f"request {next(REQUEST)}", number, verdict)], Terms(2, 600))
    return receipt.refused


def test_a_page_names_pictures_by_their_public_numbers_and_never_by_rows(any_engine: Engine, fill: Callable) -> None:
    fill(any_engine)
    numbers = numbers_of(any_engine, "ann")
    assert all(FIRST_NUMBER <= number < END_NUMBER for number in numbers.values())
    assert len(set(numbers.values())) == 6
    assert taken(any_engine, "ann", numbers[3]) == ""
    for wrong in (1, 3, 999, numbers[3] + 1, 2**62):
        assert "never shown to this rater" in taken(any_engine, "ann", wrong)
    assert rows(any_engine) == [(3, Verdict.reject)]


def test_numbers_tell_nothing_of_the_order_of_the_pictures(engine: Engine, fill: Callable) -> None:
    ids = fill(engine, images=400)
    with reading(engine) as session:
        numbers = dict(session.exec(select(Image.id, Image.number)).all())
    rising = sum(numbers[one] < numbers[other] for one, other in itertools.pairwise(ids))
    assert 150 < rising < 250


def test_a_page_that_was_open_before_the_upgrade_votes_on_what_it_was_given_then(
    any_engine: Engine, fill: Callable
) -> None:
    first, second, third, *_ = fill(any_engine)
    numbers_of(any_engine, "ann")
    numbers_of(any_engine, "bob")
    with writing(any_engine) as session:  # as the migration does with the reservations it finds
        given = select(Lease).join(Rater).where(Rater.name == "ann", col(Lease.image_id).in_([first, second]))
        for lease in session.exec(given):
            lease.knows_row = True
            session.add(lease)
    assert taken(any_engine, "ann", first) == ""
    assert "never shown" in taken(any_engine, "ann", third), "or a rater could learn which row a picture is"
    assert "never shown" in taken(any_engine, "bob", first)
    next_images(any_engine, "ann", Terms(2, 600), count=9, now=utc_now() + timedelta(seconds=601))
    assert taken(any_engine, "ann", second, Verdict.keep) == "", "also when it was given again meanwhile"
    assert taken(any_engine, "ann", first, Verdict.undo) == ""
    assert rows(any_engine) == [(first, Verdict.reject), (second, Verdict.keep), (first, Verdict.undo)]


def test_both_numbers_of_a_repeat_reach_its_picture_and_only_for_its_rater(any_engine: Engine, fill: Callable) -> None:
    [image] = fill(any_engine, images=1)
    number = numbers_of(any_engine, "ann")[image]
    assert numbers_of(any_engine, "bob")[image] == number
    assert taken(any_engine, "ann", number) == ""
    with writing(any_engine) as session:
        first = session.exec(select(Vote)).one()
        again = Repeat(rater_id=first.rater_id, image_id=image, first_vote_id=first.id or 0)
        session.add(again)
    assert again.number != number
    assert "never shown" in taken(any_engine, "bob", again.number)
    assert taken(any_engine, "ann", again.number, Verdict.keep) == ""
    assert taken(any_engine, "ann", number, Verdict.undo) == ""
    assert {sha256_of_number(any_engine, one) for one in (number, again.number)} == {sha256_of(b"picture 0")}
    assert sha256_of_number(any_engine, image) == ""


def test_a_repeat_is_not_in_the_history_before_it_is_answered(any_engine: Engine, fill: Callable) -> None:
    first, second = fill(any_engine, images=2)
    numbers = numbers_of(any_engine, "ann")
    for image in (first, second):
        vote(any_engine, "ann", image)
    with writing(any_engine) as session:
        voted = session.exec(select(Vote).where(Vote.image_id == first)).one()
        session.add(again := Repeat(rater_id=voted.rater_id, image_id=first, first_vote_id=voted.id or 0))
    assert [vote.picture.number for vote in recent_votes(any_engine, "ann")] == [numbers[second]]
    vote(any_engine, "ann", first, Verdict.keep)
    assert [vote.picture.number for vote in recent_votes(any_engine, "ann")] == [again.number, numbers[second]]


def test_a_name_has_voted_from_its_first_vote_on(any_engine: Engine, fill: Callable) -> None:
    fill(any_engine)
    show(any_engine, "ann")
    assert not has_voted(any_engine, "ann")
    vote(any_engine, "ann", 1)
    assert has_voted(any_engine, " ann ")
    assert not has_voted(any_engine, "nobody")
