"""The pool by hand."""

from collections.abc import Callable

import pytest
from sqlalchemy import Engine
from sqlmodel import select

from feedback.figures.summary import version_rows
from feedback.people.decisions import Decision, decide
from feedback.pool.browse.opened import open_image
from feedback.pool.curation import Decided, curate, decisions, undo
from feedback.pool.pool import how_due
from feedback.pool.tally import differences
from feedback.rate.controls import controls_from_agreed, make_control
from feedback.rate.queue import next_images
from feedback.rate.terms import Terms
from feedback.retrain.manifest import freeze
from store.engine import reading, writing
from store.errors import BadRequest, UnknownImage
from store.tables import (
    ImageTally,
    Origin,
    PoolAction,
    PoolEvent,
    RaterAction,
    Role,
    Verdict,
)
from tests.feedback.rating import KEEP, REJECT, pool_ids, pool_of, rate


def test_what_a_person_takes_out_of_the_pool_stays_out_until_restored(any_engine: Engine, fill: Callable):
    images = fill(any_engine, images=3)
    rate(any_engine, "ann", dict.fromkeys(images, REJECT))
    curate(any_engine, [images[1]], PoolAction.exclude, by="root", reason="a duplicate")
    assert pool_ids(any_engine) == [images[0], images[2]]
    assert how_due(any_engine, 1).new_rejects == 2
    assert [item.image_id for item in freeze(any_engine, "0" * 64, 0).items] == [images[0], images[2]]
    assert version_rows(any_engine)[0].rejected == 3  # a rate is of all that was judged
    with pytest.raises(BadRequest):
        curate(any_engine, [images[1]], PoolAction.exclude, by="root", reason="again")
    curate(any_engine, [images[1]], PoolAction.restore, by="root", reason="it was none")
    assert pool_ids(any_engine) == images


@pytest.mark.parametrize(("characters", "is_taken"), [(0, False), (1, True), (200, True), (201, False)])
def test_a_decision_about_a_picture_needs_a_reason_of_up_to_two_hundred_characters(
    characters: int, is_taken: bool, engine: Engine, fill: Callable
):
    [image] = fill(engine, images=1)
    if is_taken:
        curate(engine, [image], PoolAction.exclude, by="root", reason=f" {'x' * characters} ")
    else:
        with pytest.raises(BadRequest, match="in 1 to 200 characters"):
            curate(engine, [image], PoolAction.exclude, by="root", reason="x" * characters)
    events = open_image(engine, image).events
    assert [(event.action, event.by, event.reason) for event in events] == (
        [(PoolAction.exclude, "root", "x" * characters)] if is_taken else []
    )


def test_a_picture_that_is_in_is_not_put_back_and_one_that_is_none_is_unknown(engine: Engine, fill: Callable):
    [image] = fill(engine, images=1)
    with pytest.raises(BadRequest, match=f"picture {image} is in the pool already"):
        curate(engine, [image], PoolAction.restore, by="root", reason="why not")
    curate(engine, [image], PoolAction.exclude, by="root", reason="blurred")
    with pytest.raises(BadRequest, match=f"picture {image} is out of the pool already"):
        curate(engine, [image], PoolAction.exclude, by="root", reason="again")
    with pytest.raises(UnknownImage, match="no picture 99"):
        curate(engine, [99], PoolAction.exclude, by="root", reason="blurred")
    for number in (0, -1, 2**31):
        with pytest.raises(UnknownImage, match=f"no picture {number}"):
            open_image(engine, number)


def ruling(engine: Engine, images: list[int], action: PoolAction) -> Decided:
    return curate(engine, images, action, by="root", reason="as I see it")


def test_a_curators_verdict_counts_in_pool_retrain_and_rates_and_the_votes_stay(any_engine: Engine, fill: Callable):
    images = fill(any_engine, images=4)
    rate(any_engine, "ann", dict(zip(images, (REJECT, REJECT, KEEP, KEEP), strict=True)))
    ruling(any_engine, images[:1], PoolAction.keep)
    ruling(any_engine, images[2:3], PoolAction.reject)
    items = {item.image_id: (item.role, item.rejects, item.keeps, item.weight) for item in pool_of(any_engine)}
    assert items == {
        images[0]: (Role.keep, 1, 0, 1.0),
        images[1]: (Role.reject, 1, 0, 1.0),
        images[2]: (Role.reject, 0, 1, 1.0),
        images[3]: (Role.keep, 0, 1, 1.0),
    }
    [row] = version_rows(any_engine)
    assert (row.rejected, row.judged, row.votes, how_due(any_engine, 1).new_rejects) == (2, 4, 4, 2)
    roles = {item.image_id: item.role for item in freeze(any_engine, "0" * 64, 0).items}
    assert (roles[images[0]], roles[images[2]]) == (Role.keep, Role.reject)
    rate(any_engine, "bob", {images[0]: REJECT, images[2]: KEEP})
    assert {item.image_id: item.role for item in pool_of(any_engine)}[images[0]] is Role.keep
    ruling(any_engine, [images[0], images[2]], PoolAction.follow)
    assert [item.role for item in pool_of(any_engine)] == [Role.reject, Role.reject, Role.keep, Role.keep]
    assert differences(any_engine) == []


def test_a_curators_verdict_settles_a_tie_and_outweighs_three_raters(any_engine: Engine, fill: Callable):
    images = fill(any_engine, images=2)
    for rater, first in (("ann", REJECT), ("bob", KEEP), ("cat", Verdict.skip)):
        rate(any_engine, rater, {images[0]: first, images[1]: REJECT})
    assert pool_ids(any_engine) == images[1:]
    ruling(any_engine, images, PoolAction.keep)
    assert [(item.role, item.weight) for item in pool_of(any_engine)] == [(Role.keep, 1.0), (Role.keep, 1.0)]


def test_counters_made_anew_keep_a_verdict_whose_only_rater_was_excluded(any_engine: Engine, fill: Callable):
    images = fill(any_engine, images=2)
    rate(any_engine, "ann", dict.fromkeys(images, KEEP))
    ruling(any_engine, images[:1], PoolAction.reject)
    decide(any_engine, "ann", Decision(RaterAction.exclude, "root", "careless"))
    assert [(item.image_id, item.role) for item in pool_of(any_engine)] == [(images[0], Role.reject)]
    assert (version_rows(any_engine)[0].rejected, differences(any_engine)) == (1, [])


def test_a_verdict_that_the_counter_lost_is_found(any_engine: Engine, fill: Callable):
    [image] = fill(any_engine, images=1)
    rate(any_engine, "ann", {image: KEEP})
    ruling(any_engine, [image], PoolAction.keep)
    with writing(any_engine) as session:
        session.get_one(ImageTally, image).ruled = None
    assert differences(any_engine) == ["the counter of curators' verdicts differs from the votes in 1 row"]


@pytest.mark.parametrize("action", list(PoolAction))
def test_no_decision_touches_the_gates_pairs_or_a_control(engine: Engine, fill: Callable, action: PoolAction):
    [pair] = fill(engine, images=1, origin=Origin.evaluation)
    [sampled] = fill(engine, images=1)
    rate(engine, "ann", {sampled: REJECT})
    with pytest.raises(BadRequest, match=f"picture {pair} compares versions, so only raters judge it"):
        ruling(engine, [sampled, pair], action)
    control = make_control(engine, sampled, REJECT, by="root")
    with pytest.raises(BadRequest, match=f"picture {control} is a control"):
        ruling(engine, [control], action)
    with reading(engine) as session:
        assert session.exec(select(PoolEvent)).all() == []


def test_a_verdict_needs_a_vote_to_overrule(engine: Engine, fill: Callable):
    [image] = fill(engine, images=1)
    with pytest.raises(BadRequest, match="no votes yet"):
        ruling(engine, [image], PoolAction.reject)


def test_many_pictures_are_decided_at_once_without_those_of_which_it_holds(any_engine: Engine, fill: Callable):
    images = fill(any_engine, images=5)
    rate(any_engine, "ann", dict.fromkeys(images, REJECT))
    ruling(any_engine, images[:2], PoolAction.exclude)
    assert ruling(any_engine, images, PoolAction.exclude).pictures == 3
    with pytest.raises(BadRequest, match="all 5 pictures are out of the pool already"):
        ruling(any_engine, images, PoolAction.exclude)
    with pytest.raises(BadRequest, match="10,001 pictures are more than 10,000 at once"):
        ruling(any_engine, list(range(1, 10_002)), PoolAction.exclude)


def test_undo_gives_each_picture_what_held_before(any_engine: Engine, fill: Callable):
    images = fill(any_engine, images=4)
    rate(any_engine, "ann", dict.fromkeys(images, REJECT))
    ruling(any_engine, images[:1], PoolAction.keep)
    ruling(any_engine, images[1:2], PoolAction.exclude)
    roles = [(item.image_id, item.role) for item in pool_of(any_engine)]
    last = ruling(any_engine, images[:3], PoolAction.reject)
    undo(any_engine, last.first, last.last, by="eve")
    assert [(item.image_id, item.role) for item in pool_of(any_engine)] == roles
    last = ruling(any_engine, images, PoolAction.exclude)
    ruling(any_engine, images[3:], PoolAction.restore)  # decided again since: left as it is
    back = undo(any_engine, last.first, last.last, by="eve")
    assert ([(item.image_id, item.role) for item in pool_of(any_engine)], back.pictures) == (roles, 2)
    undo(any_engine, back.first, back.last, by="eve")
    assert pool_ids(any_engine) == images[3:]
    with pytest.raises(BadRequest, match="something else was decided"):
        undo(any_engine, last.first, last.last, by="eve")
    assert differences(any_engine) == []


def test_the_history_tells_who_decided_what_of_how_many_and_why(any_engine: Engine, fill: Callable):
    images = fill(any_engine, images=3)
    rate(any_engine, "ann", dict.fromkeys(images, REJECT))
    ruling(any_engine, images[:1], PoolAction.keep)
    last = ruling(any_engine, images, PoolAction.reject)
    undo(any_engine, last.first, last.last, by="eve")
    told = [(one.action, one.decided.pictures, one.by, one.reason) for one in decisions(any_engine)]
    assert told == [
        (PoolAction.keep, 1, "eve", "undone: as I see it"),
        (PoolAction.follow, 2, "eve", "undone: as I see it"),
        (PoolAction.reject, 3, "root", "as I see it"),
        (PoolAction.keep, 1, "root", "as I see it"),
    ]
    assert len(decisions(any_engine, 1)) == 1


def test_a_cap_on_one_rater_leaves_out_no_picture_that_a_curator_ruled(any_engine: Engine, fill: Callable):
    images = fill(any_engine, images=60)
    rate(any_engine, "ann", dict.fromkeys(images, REJECT))
    rate(any_engine, "bob", {images[0]: Verdict.skip, images[1]: KEEP})
    before = how_due(any_engine, 1).new_rejects
    ruling(any_engine, images[-2:], PoolAction.reject)
    assert how_due(any_engine, 1).new_rejects == before + 2


def test_raters_do_not_see_a_curators_verdict_and_are_asked_all_the_same(any_engine: Engine, fill: Callable):
    images = fill(any_engine, images=2)
    rate(any_engine, "ann", dict.fromkeys(images, REJECT))
    before = next_images(any_engine, "bob", Terms(9, 600), count=9)
    ruling(any_engine, images, PoolAction.keep)
    assert next_images(any_engine, "bob", Terms(9, 600), count=9) == before
    assert len(before) == 2


def test_a_picture_that_was_overruled_becomes_no_control_against_the_verdict(any_engine: Engine, fill: Callable):
    images = fill(any_engine, images=2)
    for rater in ("ann", "bob", "cat"):
        rate(any_engine, rater, dict.fromkeys(images, REJECT))
    ruling(any_engine, images[:1], PoolAction.keep)
    assert controls_from_agreed(any_engine, 4, by="root") == 1
