from datetime import timedelta

from feedback.rate.depth import votes_a_minute
from feedback.rate.queue import next_images
from feedback.rate.terms import Terms
from feedback.rate.votes import Press, record_votes
from store.tables import Verdict, utc_now

TERMS = Terms(1, 60)


def vote(engine, count: int, now, verdict: Verdict = Verdict.keep) -> None:
    images = next_images(engine, "ada", TERMS, count=count)
    presses = [Press(f"{verdict} {image.image_id}", image.image_id, verdict) for image in images]
    record_votes(engine, "ada", presses, TERMS, lambda: now)


def test_the_pace_is_that_of_the_last_minutes_and_of_nobody_none(engine, fill) -> None:
    fill(engine, 12)
    now = utc_now()
    assert votes_a_minute(engine, now) == 0
    vote(engine, 3, now - timedelta(hours=1))
    assert votes_a_minute(engine, now) == 0
    vote(engine, 6, now - timedelta(minutes=3))
    assert votes_a_minute(engine, now) == 2


def test_who_has_just_begun_has_the_pace_since_then_and_one_vote_is_no_rush(engine, fill) -> None:
    fill(engine, 4)
    now = utc_now()
    vote(engine, 1, now - timedelta(seconds=1))
    assert votes_a_minute(engine, now) == 1


def test_a_vote_that_was_undone_and_given_again_counts_as_two_presses_and_the_undo_as_none(engine, fill) -> None:
    fill(engine, 1)
    now = utc_now()
    [image] = next_images(engine, "ada", TERMS, count=1)
    for number, verdict in enumerate((Verdict.keep, Verdict.undo, Verdict.reject)):
        record_votes(engine, "ada", [Press(f"r{number}", image.image_id, verdict)], TERMS, lambda: now)
    assert votes_a_minute(engine, now) == 2
