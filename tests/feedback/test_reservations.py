"""A clock that was ahead, and was put right, leaves nothing reserved for years."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine

from feedback.rate.queue import next_images
from feedback.rate.terms import Mix, Terms
from feedback.rate.votes import Press, record_votes
from feedback.reservations import CLAIM_S
from feedback.sample.claims import claim_work
from feedback.sample.plan import next_work
from feedback.sample.prompts import add_prompts
from feedback.sample.work import Wanted
from feedback.versions import begin
from store.tables import Verdict, utc_now

TERMS = Terms(1, 600, Mix())


@pytest.fixture(params=[timedelta(minutes=30), timedelta(days=30), timedelta(days=3653)])
def ahead(request: pytest.FixtureRequest) -> datetime:
    return utc_now() + request.param


def test_pictures_reserved_by_a_clock_that_was_ahead_are_given_out(
    any_engine: Engine, fill: Callable, ahead: datetime
) -> None:
    fill(any_engine, 6)
    assert len(next_images(any_engine, "ann", TERMS, count=6, now=ahead)) == 6
    assert len(next_images(any_engine, "bob", TERMS, count=6)) == 6
    assert next_images(any_engine, "cid", TERMS, count=6) == []


def test_such_pictures_count_as_free_when_more_are_planned(any_engine: Engine, fill: Callable, ahead: datetime) -> None:
    fill(any_engine, 6)
    next_images(any_engine, "ann", TERMS, count=6, now=ahead)
    assert next_work(any_engine, Wanted(6, 8, 0.0, 0, lease_s=600)) == []
    next_images(any_engine, "ann", TERMS, count=6)
    assert len(next_work(any_engine, Wanted(6, 8, 0.0, 0, lease_s=600))) == 6


def test_a_rater_may_still_vote_on_what_was_given_then(any_engine: Engine, fill: Callable, ahead: datetime) -> None:
    fill(any_engine, 1)
    [shown] = next_images(any_engine, "ann", TERMS, count=1, now=ahead)
    assert record_votes(any_engine, "ann", [Press("r", shown.image_id, Verdict.keep)], TERMS)[0].refused == ""


def test_work_claimed_by_a_clock_that_was_ahead_is_drawn(any_engine: Engine, ahead: datetime) -> None:
    begin(any_engine, "builtin", "0" * 64)
    add_prompts(any_engine, ["a red star"])
    wanted = Wanted(4, 4, 0.0, 0)
    held = claim_work(any_engine, "dead", wanted, ahead)
    assert claim_work(any_engine, "ann", wanted) == held


def test_clocks_of_two_machines_may_differ_a_little(any_engine: Engine, fill: Callable) -> None:
    fill(any_engine, 6)
    soon = utc_now() + timedelta(seconds=60)
    next_images(any_engine, "ann", TERMS, count=6, now=soon)
    assert next_images(any_engine, "bob", TERMS, count=6) == []
    wanted = Wanted(8, 4, 0.0, 0)
    held = claim_work(any_engine, "one", wanted, utc_now() + timedelta(seconds=CLAIM_S / 2))
    assert not set(held) & set(claim_work(any_engine, "two", wanted))
