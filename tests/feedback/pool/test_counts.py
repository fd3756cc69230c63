"""The named definitions of the figures, one rule each."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from sqlalchemy import Engine, update

from feedback.people.decisions import Decision, decide
from feedback.pool.counts import (
    IN_FIGURES,
    Outcomes,
    RaterDay,
    VoteTotals,
    count_drawn,
    count_outcomes,
    count_pool,
    count_votes,
    votes_by_rater_and_day,
)
from feedback.pool.curation import curate
from feedback.rate.controls import make_control
from feedback.rate.queue import next_images
from feedback.rate.terms import Mix, Terms
from feedback.rate.votes import Press, record_votes
from store.engine import reading, writing
from store.tables import Image, Origin, PoolAction, RaterAction, Verdict

REQUEST = count()
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
REJECT, KEEP, SKIP, UNDO = Verdict.reject, Verdict.keep, Verdict.skip, Verdict.undo


def press(engine: Engine, rater: str, *presses: tuple[int, Verdict], at: datetime = NOON) -> None:
    next_images(engine, rater, Terms(9, 600, Mix(controls=1.0)), count=99)
    sent = [Press(f"{next(REQUEST)}", image, verdict) for image, verdict in presses]
    receipts = record_votes(engine, rater, sent, Terms(9, 600), now=lambda: at)
    assert not any(receipt.refused for receipt in receipts)


def totals(engine: Engine, day: datetime = NOON) -> VoteTotals:
    with reading(engine) as session:
        return count_votes(session, day.date())


@pytest.fixture
def live(any_engine: Engine, fill: Callable) -> Engine:
    """Pictures 1 to 4 are sampled, 5 and 6 of evaluation."""
    fill(any_engine, images=4)
    fill(any_engine, images=2, origin=Origin.evaluation)
    with writing(any_engine) as session:
        session.exec(update(Image).values(is_queued=True))
    return any_engine


def test_a_skip_an_undone_and_a_replaced_press_are_no_votes(live: Engine) -> None:
    press(live, "ann", (1, SKIP), (2, REJECT), (2, UNDO), (3, REJECT), (3, KEEP), (5, REJECT))
    assert totals(live) == VoteTotals(2, 2, 1)


def test_a_vote_on_a_control_is_none(live: Engine) -> None:
    control = make_control(live, 4, REJECT, by="root")
    press(live, "ann", (1, REJECT), (control, REJECT))
    assert totals(live) == VoteTotals(1, 1, 1)
    with reading(live) as session:
        assert count_drawn(session) == 6


def test_today_counts_the_votes_received_today(live: Engine) -> None:
    press(live, "ann", (1, REJECT), (2, REJECT))
    press(live, "bob", (1, KEEP), at=NOON + timedelta(days=1))
    assert totals(live, NOON + timedelta(days=1)) == VoteTotals(3, 1, 2)


def test_an_excluded_raters_votes_count_only_beside_the_name(live: Engine) -> None:
    press(live, "ann", (1, REJECT), (2, KEEP), (3, SKIP))
    press(live, "bob", (1, REJECT))
    decide(live, "ann", Decision(RaterAction.exclude, "root", "random votes"))
    assert totals(live) == VoteTotals(1, 1, 1)
    with reading(live) as session:
        assert votes_by_rater_and_day(session) == [RaterDay(1, NOON.date(), 1, 1), RaterDay(2, NOON.date(), 1, 0)]


def test_a_picture_is_judged_when_its_votes_give_a_verdict(live: Engine) -> None:
    press(live, "ann", (1, REJECT), (2, KEEP), (5, KEEP))
    press(live, "bob", (1, KEEP))
    with reading(live) as session:
        found = count_outcomes(session, *IN_FIGURES)
        assert (found, found.judged) == (Outcomes(0, 2, 1), 2)
        assert count_outcomes(session, Origin.sampled) == Outcomes(0, 1, 1)


def test_the_pool_holds_no_evaluation_picture_and_none_that_was_taken_out(live: Engine) -> None:
    press(live, "ann", (1, REJECT), (2, REJECT), (3, KEEP), (5, REJECT))
    curate(live, [1], PoolAction.exclude, by="root", reason="blurred")
    with reading(live) as session:
        assert count_pool(session) == Outcomes(1, 1, 0)
        assert count_pool(session, version=0) == Outcomes(1, 1, 0)
        assert count_pool(session, version=1) == Outcomes(0, 0, 0)


def test_a_tie_that_was_taken_out_is_no_longer_disputed(live: Engine) -> None:
    press(live, "ann", (1, REJECT), (2, KEEP), (3, REJECT))
    press(live, "bob", (1, KEEP))
    for image in (1, 2, 4):
        curate(live, [image], PoolAction.exclude, by="root", reason="blurred")
    with reading(live) as session:
        assert count_outcomes(session, Origin.sampled) == Outcomes(1, 1, 1)
        assert count_pool(session) == count_pool(session, version=0) == Outcomes(1, 0, 0)
        assert count_outcomes(session, *IN_FIGURES, version=1) == Outcomes(0, 0, 0)


def test_votes_of_each_day_are_counted_by_rater_and_add_up(live: Engine) -> None:
    press(live, "bob", (1, REJECT), (2, REJECT), (5, KEEP))
    press(live, "ann", (1, KEEP), at=NOON + timedelta(days=1))
    press(live, "ann", (3, REJECT), at=NOON - timedelta(days=1))
    with reading(live) as session:
        rows = votes_by_rater_and_day(session)
    before, after = NOON.date() - timedelta(days=1), NOON.date() + timedelta(days=1)
    assert rows == [RaterDay(1, NOON.date(), 2, 1), RaterDay(2, before, 1, 0), RaterDay(2, after, 0, 1)]
    assert [row.votes for row in rows] == [3, 1, 1]
    assert totals(live, NOON + timedelta(days=2)) == VoteTotals(5, 0, 2)


def test_an_excluded_raters_votes_are_counted_apart_by_day_and_verdict(live: Engine) -> None:
    control = make_control(live, 4, REJECT, by="root")
    press(live, "ann", (1, REJECT), (2, REJECT), (3, KEEP), (control, REJECT))
    press(live, "ann", (5, KEEP), at=NOON + timedelta(days=1))
    decide(live, "ann", Decision(RaterAction.exclude, "root", "random votes"))
    with reading(live) as session:
        assert votes_by_rater_and_day(session) == [
            RaterDay(1, NOON.date(), 2, 1),
            RaterDay(1, NOON.date() + timedelta(days=1), 0, 1),
        ]
    assert totals(live) == VoteTotals(0, 0, 0)
