"""Decisions about raters."""

from collections.abc import Callable

import pytest
from sqlalchemy import Engine
from sqlmodel import select

from feedback.figures.summary import version_rows
from feedback.people.decisions import Decision, decide, give_role, rater_events, role_of
from feedback.pool.pool import how_due
from feedback.rate.queue import next_images
from feedback.rate.terms import Terms
from feedback.versions import promote
from store.engine import reading, writing
from store.errors import BadRequest
from store.tables import Image, Origin, PersonRole, RaterAction
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


def test_pausing_and_resuming_leave_the_votes_alone(any_engine: Engine, fill: Callable):
    images = fill(any_engine, images=3)
    rate(any_engine, "ann", dict.fromkeys(images, REJECT))
    decide(any_engine, "ann", Decision(RaterAction.pause, "root", " a week off "))
    with pytest.raises(BadRequest, match="ann is included, paused already"):
        decide(any_engine, "ann", Decision(RaterAction.pause, "root", "again"))
    assert pool_ids(any_engine) == images
    decide(any_engine, "ann", Decision(RaterAction.resume, "root", "back"))
    with pytest.raises(BadRequest, match="ann is included already"):
        decide(any_engine, "ann", Decision(RaterAction.resume, "root", "again"))
    [(_, second), (_, first)] = rater_events(any_engine)
    assert [(e.action, e.by, e.reason) for e in (first, second)] == [
        (RaterAction.pause, "root", "a week off"),
        (RaterAction.resume, "root", "back"),
    ]
    assert [event.id for _, event in rater_events(any_engine, limit=1)] == [second.id]


@pytest.mark.parametrize(("characters", "is_taken"), [(0, False), (1, True), (200, True), (201, False)])
def test_a_reason_has_up_to_two_hundred_characters(characters: int, is_taken: bool, engine: Engine, fill: Callable):
    rate(engine, "ann", {fill(engine, images=1)[0]: KEEP})
    if is_taken:
        decide(engine, "ann", Decision(RaterAction.pause, "root", "x" * characters))
    else:
        with pytest.raises(BadRequest, match="say why, in 1 to 200 characters"):
            decide(engine, "ann", Decision(RaterAction.pause, "root", "x" * characters))
    assert len(rater_events(engine)) == is_taken


def test_what_an_excluded_rater_judged_waits_again_only_where_it_is_still_rated(
    any_engine: Engine, fill: Callable, publish_version: Callable
):
    old = fill(any_engine, images=2)
    publish_version(any_engine, 1)
    new = fill(any_engine, images=2, version=1)
    pair = fill(any_engine, images=1, origin=Origin.evaluation)
    with writing(any_engine) as session:
        session.get_one(Image, pair[0]).is_queued = True
    rate(any_engine, "ann", dict.fromkeys([*old, *new[:1], *pair], REJECT))
    promote(any_engine, 1)
    with writing(any_engine) as session:
        for image in session.exec(select(Image)):
            image.is_queued = False
    decide(any_engine, "ann", Decision(RaterAction.exclude, "root", "random votes"), 1)
    with reading(any_engine) as session:
        waiting = set(session.exec(select(Image.id).where(Image.is_queued)))
    assert waiting == {new[0], *pair}


def test_a_role_is_given_with_its_reason_and_keeps_the_person(engine: Engine):
    give_role(engine, "eve", PersonRole.admin, by="root", reason="she runs it")
    give_role(engine, "eve", PersonRole.rater, by="eve")
    [(name, second), (_, first)] = rater_events(engine)
    assert (name, first.action, first.by, first.reason) == ("eve", RaterAction.role, "root", "she runs it")
    assert (second.by, second.reason) == ("eve", "is rater now")
    assert role_of(engine, "eve") is PersonRole.rater
