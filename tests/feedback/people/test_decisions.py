"""Decisions about raters."""

from collections.abc import Callable

import pytest
from sqlalchemy import Engine

from feedback.figures.summary import version_rows
from feedback.people.decisions import Decision, decide, give_role, rater_events, role_of
from feedback.pool.pool import how_due
from feedback.rate.queue import next_images
from feedback.rate.terms import Terms
from store.errors import BadRequest
from store.tables import PersonRole, RaterAction
from tests.feedback.rating import KEEP, REJECT, pool_ids, rate


def test_an_excluded_raters_votes_count_nowhere_until_included_again(any_engine: Engine, fill: Callable):
    images = fill(any_engine, images=3)
    rate(any_engine, "ann", dict.fromkeys(images, REJECT))
    before = (pool_ids(any_engine), how_due(any_engine, 1), version_rows(any_engine))
    decide(any_engine, "ann", Decision(RaterAction.exclude, "root", "random votes"), 1)
    assert pool_ids(any_engine) == []
    assert how_due(any_engine, 1).new_rejects == 0
    assert version_rows(any_engine)[0].judged == 0
    assert len(next_images(any_engine, "bob", Terms(1, 1), count=9)) == 3  # they need a vote again
    with pytest.raises(BadRequest, match="excluded already"):
        decide(any_engine, "ann", Decision(RaterAction.exclude, "root", "again"))
    decide(any_engine, "ann", Decision(RaterAction.include, "root", "a mix-up"), 1)
    assert (pool_ids(any_engine), how_due(any_engine, 1), version_rows(any_engine)) == before
    assert [(name, event.action) for name, event in rater_events(any_engine)] == [
        ("ann", RaterAction.include),
        ("ann", RaterAction.exclude),
    ]


def test_a_decision_needs_a_reason_and_a_rater(engine: Engine, fill: Callable):
    rate(engine, "ann", {fill(engine, images=1)[0]: KEEP})
    for rater, reason in (("ann", " "), ("nobody", "why not")):
        with pytest.raises(BadRequest):
            decide(engine, rater, Decision(RaterAction.pause, "root", reason))
    assert rater_events(engine) == []


def test_roles_are_given_and_recorded(engine: Engine):
    assert role_of(engine, "eve") is PersonRole.rater
    give_role(engine, "eve", PersonRole.curator, by="root")
    assert role_of(engine, "eve") is PersonRole.curator
    assert rater_events(engine)[0][1].reason == "is curator now"
