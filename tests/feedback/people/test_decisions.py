"""Decisions about raters."""

from collections.abc import Callable
from datetime import UTC, datetime
from itertools import count

import pytest
from sqlalchemy import Engine

from feedback.figures.summary import version_rows
from feedback.people.decisions import decide, give_role, rater_events, role_of
from feedback.pool.pool import PoolItem, how_due, pool
from feedback.rate.queue import next_images
from feedback.rate.terms import Terms
from feedback.rate.votes import Press, record_votes
from store.engine import reading
from store.errors import BadRequest
from store.tables import PersonRole, RaterAction, Verdict

REQUEST = count()
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
REJECT, KEEP = Verdict.reject, Verdict.keep


def rate(engine: Engine, rater: str, verdicts: dict[int, Verdict]) -> None:
    next_images(engine, rater, Terms(9, 600), count=500)
    presses = [Press(f"request {next(REQUEST)}", image, verdict) for image, verdict in verdicts.items()]
    receipts = record_votes(engine, rater, presses, Terms(9, 600), now=lambda: NOON)
    assert not any(receipt.refused for receipt in receipts)


def pool_of(engine: Engine) -> list[PoolItem]:
    with reading(engine) as session:
        return pool(session)


def pool_ids(engine: Engine) -> list[int]:
    return [item.image_id for item in pool_of(engine)]


def test_an_excluded_raters_votes_count_nowhere_until_included_again(any_engine: Engine, fill: Callable):
    images = fill(any_engine, images=3)
    rate(any_engine, "ann", dict.fromkeys(images, REJECT))
    before = (pool_ids(any_engine), how_due(any_engine, 1), version_rows(any_engine))
    decide(any_engine, "ann", RaterAction.exclude, by="root", reason="random votes", overlap=1)
    assert pool_ids(any_engine) == []
    assert how_due(any_engine, 1).new_rejects == 0
    assert version_rows(any_engine)[0].judged == 0
    assert len(next_images(any_engine, "bob", Terms(1, 1), count=9)) == 3  # they need a vote again
    with pytest.raises(BadRequest, match="excluded already"):
        decide(any_engine, "ann", RaterAction.exclude, by="root", reason="again")
    decide(any_engine, "ann", RaterAction.include, by="root", reason="a mix-up", overlap=1)
    assert (pool_ids(any_engine), how_due(any_engine, 1), version_rows(any_engine)) == before
    assert [(name, event.action) for name, event in rater_events(any_engine)] == [
        ("ann", RaterAction.include),
        ("ann", RaterAction.exclude),
    ]


def test_a_decision_needs_a_reason_and_a_rater(engine: Engine, fill: Callable):
    rate(engine, "ann", {fill(engine, images=1)[0]: KEEP})
    for rater, reason in (("ann", " "), ("nobody", "why not")):
        with pytest.raises(BadRequest):
            decide(engine, rater, RaterAction.pause, by="root", reason=reason)
    assert rater_events(engine) == []


def test_roles_are_given_and_recorded(engine: Engine):
    assert role_of(engine, "eve") is PersonRole.rater
    give_role(engine, "eve", PersonRole.curator, by="root")
    assert role_of(engine, "eve") is PersonRole.curator
    assert rater_events(engine)[0][1].reason == "is curator now"
