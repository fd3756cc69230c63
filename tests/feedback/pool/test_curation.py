"""The pool by hand, and one picture opened."""

from collections.abc import Callable

import pytest
from sqlalchemy import Engine
from sqlmodel import select

from feedback.figures.summary import version_rows
from feedback.people.decisions import Decision, decide
from feedback.pool.curation import curate, open_image
from feedback.pool.pool import how_due
from feedback.retrain.manifest import freeze
from store.engine import writing
from store.errors import BadRequest, UnknownImage
from store.tables import Mark, PoolAction, RaterAction, Reason, Verdict, Vote, VoteReason
from tests.feedback.rating import KEEP, REJECT, pool_ids, rate


def test_what_a_person_takes_out_of_the_pool_stays_out_until_restored(any_engine: Engine, fill: Callable):
    images = fill(any_engine, images=3)
    rate(any_engine, "ann", dict.fromkeys(images, REJECT))
    curate(any_engine, images[1], PoolAction.exclude, by="root", reason="a duplicate")
    assert pool_ids(any_engine) == [images[0], images[2]]
    assert how_due(any_engine, 1).new_rejects == 2
    assert [item.image_id for item in freeze(any_engine, "0" * 64, 0).items] == [images[0], images[2]]
    assert version_rows(any_engine)[0].rejected == 3  # a rate is of all that was judged
    with pytest.raises(BadRequest):
        curate(any_engine, images[1], PoolAction.exclude, by="root", reason="again")
    curate(any_engine, images[1], PoolAction.restore, by="root", reason="it was none")
    assert pool_ids(any_engine) == images


def test_an_opened_image_tells_votes_reasons_marks_and_decisions(any_engine: Engine, fill: Callable):
    [image] = fill(any_engine, images=1)
    rate(any_engine, "ann", {image: REJECT})
    with writing(any_engine) as session:
        vote = session.exec(select(Vote)).one()
        session.add_all([VoteReason(vote_id=vote.id, reason=Reason.hands), Mark(vote_id=vote.id, x=0.25, y=0.5)])
    rate(any_engine, "ann", {image: KEEP})
    curate(any_engine, image, PoolAction.exclude, by="root", reason="unclear")
    opened = open_image(any_engine, image)
    assert [(v.rater, v.verdict, v.is_current) for v in opened.votes] == [("ann", KEEP, True), ("ann", REJECT, False)]
    assert (opened.votes[1].reasons, opened.votes[1].marks) == (("hands",), ((0.25, 0.5),))
    assert ([event.reason for event in opened.events], opened.is_taken_out) == (["unclear"], True)
    with pytest.raises(UnknownImage):
        open_image(any_engine, 10**12)


def test_an_opened_image_says_which_presses_are_votes(any_engine: Engine, fill: Callable):
    [image] = fill(any_engine, images=1)
    for rater, verdict in (("ann", REJECT), ("ann", KEEP), ("bob", Verdict.skip), ("cat", REJECT), ("dan", REJECT)):
        rate(any_engine, rater, {image: verdict})
    rate(any_engine, "cat", {image: Verdict.undo})
    decide(any_engine, "dan", Decision(RaterAction.exclude, "root", "random votes"))
    votes = [(vote.rater, vote.verdict) for vote in open_image(any_engine, image).votes if vote.is_vote]
    assert votes == [("ann", KEEP)]
