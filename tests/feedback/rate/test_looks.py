"""Votes that look like slips go to a second rater, or back to their own; whose answer counts as any other vote."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import Engine
from sqlmodel import select

from feedback.check.looks import Looks, looks_by_rater
from feedback.figures.summary import standing, version_rows
from feedback.people.decisions import Decision, decide
from feedback.people.reliability import agreement_and_figures
from feedback.pool.counts import count_outcomes
from feedback.rate.queue import REPEAT_AFTER, next_images
from feedback.rate.repeats import repeat_answers
from feedback.rate.terms import Mix, Terms
from feedback.rate.votes import recent_votes
from store.engine import reading
from store.tables import Origin, RaterAction, Repeat, Verdict
from tests.feedback.doubts import doubt
from tests.feedback.rate.queues import NOON, change, queue, vote
from tests.feedback.rating import KEEP, REJECT

DOUBTED = 5
ALL = Terms(1, 600, Mix(looks=1.0))


def hand(engine: Engine, rater: str, count: int = 200, terms: Terms = ALL) -> set[int]:
    return {shown.image_id for shown in next_images(engine, rater, terms, count=count, now=NOON)}


@pytest.fixture
def doubted(any_engine: Engine, fill: Callable) -> Engine:
    """Ann kept the first half of a hundred pictures and rejected the others; v1's check doubts picture 5."""
    fill(any_engine, images=100)
    for image in (*[DOUBTED], *[image for image in queue(any_engine, "ann", 100) if image != DOUBTED]):
        vote(any_engine, "ann", image, KEEP if image <= 50 else REJECT)
    assert doubt(any_engine, 1, {n: 0.1 if n <= 50 else 0.9 for n in range(1, 101)} | {DOUBTED: 0.95}) == 1
    fill(any_engine, images=20)
    return any_engine


def active(engine: Engine, rater: str) -> None:
    [image] = queue(engine, rater, 1)
    vote(engine, rater, image, KEEP)


def looks(engine: Engine) -> dict[int, Looks]:
    with reading(engine) as session:
        return looks_by_rater(session)


def test_a_second_rater_is_asked_where_there_is_one_and_told_nothing(doubted: Engine) -> None:
    active(doubted, "bob")
    assert DOUBTED not in hand(doubted, "ann")
    shown = {one.image_id: one for one in next_images(doubted, "bob", ALL, count=200, now=NOON)}
    assert DOUBTED in shown
    assert DOUBTED in hand(doubted, "bob"), "it stays reserved"
    assert DOUBTED not in hand(doubted, "cat"), "one at a time"
    vote(doubted, "bob", DOUBTED, REJECT)
    assert DOUBTED not in hand(doubted, "bob") | hand(doubted, "cat")
    assert shown[DOUBTED].number not in [vote.picture.number for vote in recent_votes(doubted, "ann")][:1]


def test_a_second_raters_answer_counts_as_any_other_vote(doubted: Engine) -> None:
    with reading(doubted) as session:
        before = count_outcomes(session, Origin.sampled)
    assert DOUBTED in hand(doubted, "bob")
    assert (standing(doubted).look_again, looks(doubted)) == (1, {1: Looks(1, 0, 0)})
    vote(doubted, "bob", DOUBTED, REJECT)
    with reading(doubted) as session:
        after = count_outcomes(session, Origin.sampled)
    assert (after.keeps, after.disputed) == (before.keeps - 1, before.disputed + 1), "a tie is disputed"
    assert (standing(doubted).look_again, looks(doubted)) == (0, {1: Looks(0, 1, 1)})


def test_a_second_rater_who_agrees_changes_nothing(doubted: Engine) -> None:
    hand(doubted, "bob")
    vote(doubted, "bob", DOUBTED, KEEP)
    assert looks(doubted) == {1: Looks(0, 1, 0)}


def test_a_second_rater_who_skips_or_takes_it_back_leaves_it_waiting(doubted: Engine) -> None:
    hand(doubted, "bob")
    vote(doubted, "bob", DOUBTED, Verdict.skip)
    assert DOUBTED not in hand(doubted, "bob")
    assert DOUBTED in hand(doubted, "cat")
    vote(doubted, "cat", DOUBTED, KEEP)
    vote(doubted, "cat", DOUBTED, Verdict.undo)
    assert DOUBTED in hand(doubted, "cat")


def test_who_rates_alone_is_asked_again_as_a_repeat(doubted: Engine) -> None:
    shown = {one.image_id: one for one in next_images(doubted, "ann", ALL, count=200, now=NOON)}
    assert DOUBTED in shown
    with reading(doubted) as session:
        [again] = session.exec(select(Repeat))
    assert (again.image_id, again.number, again.is_look) == (DOUBTED, shown[DOUBTED].number, True)
    vote(doubted, "ann", DOUBTED, REJECT)
    assert looks(doubted) == {1: Looks(0, 1, 1)}
    with reading(doubted) as session:
        assert repeat_answers(session) == [], "it was not asked at random, so it says nothing of how steady ann is"
    assert DOUBTED not in hand(doubted, "ann")


def test_others_who_are_paused_excluded_or_gone_do_not_keep_the_own_rater_from_it(doubted: Engine) -> None:
    active(doubted, "bob")
    for action in (RaterAction.pause, RaterAction.exclude):
        decide(doubted, "bob", Decision(action, "root", "x"))
        assert DOUBTED in hand(doubted, "ann", 1) | hand(doubted, "ann")
        change_back = {RaterAction.pause: RaterAction.resume, RaterAction.exclude: RaterAction.include}[action]
        decide(doubted, "bob", Decision(change_back, "root", "x"))


def test_after_a_week_without_votes_another_rater_counts_as_gone(doubted: Engine) -> None:
    active(doubted, "bob")
    later = NOON + timedelta(days=8)
    found = next_images(doubted, "ann", ALL, count=200, now=later)
    assert DOUBTED in {one.image_id for one in found}


def test_an_excluded_rater_is_not_asked(doubted: Engine) -> None:
    active(doubted, "bob")
    decide(doubted, "bob", Decision(RaterAction.exclude, "root", "x"))
    assert DOUBTED not in hand(doubted, "bob")


def test_a_rater_is_not_asked_again_about_the_last_pictures(any_engine: Engine, fill: Callable) -> None:
    fill(any_engine, images=REPEAT_AFTER)
    half = REPEAT_AFTER // 2
    for image in queue(any_engine, "ann", 100):
        vote(any_engine, "ann", image, KEEP if image <= half else REJECT)
    chances = {n: 0.1 if n <= half else 0.9 for n in range(1, REPEAT_AFTER + 1)} | {DOUBTED: 0.95}
    assert doubt(any_engine, 1, chances) == 1
    fill(any_engine, images=20)
    assert DOUBTED not in hand(any_engine, "ann")


def test_looks_come_at_their_share_and_never_without_other_work(doubted: Engine) -> None:
    assert DOUBTED not in hand(doubted, "bob", terms=Terms(1, 600, Mix(controls=0.5, repeats=0.5)))
    change(doubted, list(range(1, 121)), is_queued=False)
    assert hand(doubted, "cat") == set()


def test_pairs_of_votes_that_a_check_chose_are_left_out_of_agreement(doubted: Engine) -> None:
    hand(doubted, "bob")
    vote(doubted, "bob", DOUBTED, REJECT)
    counts, rows = agreement_and_figures(doubted, NOON)
    assert max(sum(votes) for votes in counts) == 1
    assert {row.name: row.pairs for row in rows} == {"ann": 0, "bob": 0}
    assert [row.looks for row in rows if row.name == "ann"] == [Looks(0, 1, 1)]
    assert [row.agreement for row in version_rows(doubted) if row.number == 0] == [None]
