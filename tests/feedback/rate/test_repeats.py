from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine
from sqlmodel import select

from feedback.rate.queue import next_images
from feedback.rate.repeats import answered_repeats, repeat_answers
from feedback.rate.terms import Terms
from feedback.rate.votes import Press, record_votes
from store.engine import reading, writing
from store.tables import Repeat, Verdict, Vote

NOON = datetime(2026, 6, 2, 12, tzinfo=UTC)


@pytest.fixture
def repeated(any_engine: Engine, fill: Callable) -> Engine:
    """ann rejected one picture yesterday, and it was given to her again."""
    [image] = fill(any_engine, images=1)
    next_images(any_engine, "ann", Terms(9), count=1, now=NOON)
    vote(any_engine, image, Verdict.reject, NOON - timedelta(days=1))
    with writing(any_engine) as session:
        first = session.exec(select(Vote)).one()
        session.add(Repeat(rater_id=first.rater_id, image_id=image, first_vote_id=first.id or 0))
    return any_engine


def vote(engine: Engine, image: int, verdict: Verdict, at: datetime) -> None:
    [receipt] = record_votes(engine, "ann", [Press(f"{verdict} {at}", image, verdict)], Terms(9), now=lambda: at)
    assert not receipt.refused


def answers(engine: Engine) -> list[tuple[Verdict, Verdict, bool]]:
    with reading(engine) as session:
        return [(answer.first, answer.second, answer.is_same) for answer in repeat_answers(session)]


def test_a_repeat_without_an_answer_counts_nowhere(repeated: Engine) -> None:
    assert answers(repeated) == []
    with reading(repeated) as session:
        assert answered_repeats(session, 1, NOON) == (0, 0)


def test_the_newest_vote_after_the_first_is_the_answer(repeated: Engine) -> None:
    vote(repeated, 1, Verdict.keep, NOON)
    assert answers(repeated) == [(Verdict.reject, Verdict.keep, False)]
    vote(repeated, 1, Verdict.reject, NOON + timedelta(seconds=1))
    assert answers(repeated) == [(Verdict.reject, Verdict.reject, True)]


@pytest.mark.parametrize("verdict", [Verdict.skip, Verdict.undo])
def test_a_skip_or_an_undo_is_no_answer(verdict: Verdict, repeated: Engine) -> None:
    vote(repeated, 1, verdict, NOON)
    assert answers(repeated) == []


def test_an_answered_repeat_counts_on_the_day_of_its_first_vote(repeated: Engine) -> None:
    vote(repeated, 1, Verdict.reject, NOON)
    with reading(repeated) as session:
        assert answered_repeats(session, 1, NOON) == (1, 0)
        assert answered_repeats(session, 1, NOON - timedelta(days=1)) == (1, 1)


def test_repeats_are_asked_for_by_rater_and_come_in_order(repeated: Engine, fill: Callable) -> None:
    [second] = fill(repeated, images=1)
    next_images(repeated, "bob", Terms(9), count=9, now=NOON)
    for verdict, at in ((Verdict.keep, NOON), (Verdict.keep, NOON + timedelta(seconds=9))):
        press = Press(f"bob {verdict} {at}", second, verdict)
        [receipt] = record_votes(repeated, "bob", [press], Terms(9), now=lambda at=at: at)
        assert not receipt.refused
        with writing(repeated) as session:
            first = session.exec(select(Vote).where(Vote.image_id == second).order_by(Vote.id)).first()
            if session.exec(select(Repeat).where(Repeat.image_id == second)).first() is None:
                session.add(Repeat(rater_id=first.rater_id, image_id=second, first_vote_id=first.id))
    vote(repeated, 1, Verdict.keep, NOON)
    with reading(repeated) as session:
        assert [(a.rater_id, a.image_id, a.is_same) for a in repeat_answers(session)] == [
            (1, 1, False),
            (2, second, True),
        ]
        assert [a.rater_id for a in repeat_answers(session, 2)] == [2]
        assert answered_repeats(session, 2, NOON) == (1, 1)
        assert answered_repeats(session, 1, NOON) == (1, 0)
