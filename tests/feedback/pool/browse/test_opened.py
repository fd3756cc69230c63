"""One picture opened."""

from collections.abc import Callable
from math import exp

import pytest
from sqlalchemy import Engine
from sqlmodel import select

from feedback.check.calibration import Curve
from feedback.check.version_check import How, VersionCheck
from feedback.people.decisions import Decision, decide
from feedback.pool.browse.opened import Scored, open_image
from feedback.pool.curation import curate
from feedback.retrain.manifest import freeze
from store.engine import writing
from store.errors import UnknownImage
from store.tables import (
    Mark,
    Origin,
    PictureScore,
    PictureTry,
    PoolAction,
    RaterAction,
    Reason,
    Role,
    Verdict,
    Vote,
    VoteReason,
)
from tests.feedback.rating import KEEP, REJECT, rate


def test_an_opened_image_tells_votes_reasons_marks_and_decisions(any_engine: Engine, fill: Callable):
    [image] = fill(any_engine, images=1)
    rate(any_engine, "ann", {image: REJECT})
    with writing(any_engine) as session:
        vote = session.exec(select(Vote)).one()
        session.add_all([VoteReason(vote_id=vote.id, reason=Reason.hands), Mark(vote_id=vote.id, x=0.25, y=0.5)])
    rate(any_engine, "ann", {image: KEEP})
    curate(any_engine, [image], PoolAction.exclude, by="root", reason="unclear")
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


def test_an_opened_image_names_the_versions_it_trained_and_the_newest_decision_first(
    any_engine: Engine, fill: Callable, publish_version: Callable
):
    images = fill(any_engine, images=2)
    rate(any_engine, "ann", {images[0]: REJECT, images[1]: KEEP})
    publish_version(any_engine, 1, manifest_id=freeze(any_engine, "0" * 64, 0).id)
    rate(any_engine, "ann", {images[0]: KEEP, images[1]: REJECT})
    publish_version(any_engine, 2, manifest_id=freeze(any_engine, "0" * 64, 0).id, parent=1)
    for action, reason in ((PoolAction.exclude, "first"), (PoolAction.restore, "second")):
        curate(any_engine, [images[0]], action, by="root", reason=reason)
    opened = open_image(any_engine, images[0])
    assert opened.trained == [(1, Role.reject), (2, Role.keep)]
    assert [event.reason for event in opened.events] == ["second", "first"]
    assert (opened.prompt, opened.image.id, opened.is_taken_out) == ("a red star", images[0], False)
    other = open_image(any_engine, images[1])
    assert (other.prompt, other.events, [vote.verdict for vote in other.votes]) == ("a blue hand", [], [REJECT, KEEP])


def test_reasons_and_marks_stand_beside_their_own_vote(any_engine: Engine, fill: Callable):
    images = fill(any_engine, images=2)
    rate(any_engine, "ann", dict.fromkeys(images, REJECT))
    rate(any_engine, "bob", {images[0]: REJECT})
    with writing(any_engine) as session:
        votes = session.exec(select(Vote).order_by(Vote.id)).all()
        for vote, reason, x in zip(votes, (Reason.hands, Reason.text, Reason.colour), (0.1, 0.2, 0.3), strict=True):
            session.add_all([VoteReason(vote_id=vote.id, reason=reason), Mark(vote_id=vote.id, x=x, y=0.5)])
    seen = [(vote.rater, vote.reasons, vote.marks) for vote in open_image(any_engine, images[0]).votes]
    assert seen == [("bob", ("colour",), ((0.3, 0.5),)), ("ann", ("hands",), ((0.1, 0.5),))]


def test_an_opened_image_tells_its_tries(any_engine: Engine, fill: Callable):
    images = fill(any_engine, images=2)
    with writing(any_engine) as session:
        session.add(PictureTry(image_id=images[0], number=2, score=0.25, is_kept=True))
        session.add(PictureTry(image_id=images[0], number=1, score=0.5, is_kept=False))
    tries = [(one.number, one.score, one.is_kept) for one in open_image(any_engine, images[0]).tries]
    assert tries == [(1, 0.5, False), (2, 0.25, True)]
    assert (open_image(any_engine, images[1]).tries, open_image(any_engine, images[1]).scored) == ([], None)


def score(engine: Engine, version: int, scores: dict[int, float], *, is_out_of_sample: bool = True) -> None:
    with writing(engine) as session:
        for image, found in scores.items():
            row = {"image_id": image, "version": version, "score": found, "is_out_of_sample": is_out_of_sample}
            session.add(PictureScore(**row))


def test_an_opened_image_stands_among_those_that_its_version_drew_for_the_same_purpose(
    any_engine: Engine, fill: Callable, publish_version: Callable
):
    on = VersionCheck(How((800,), 2, 4), off="", curve=Curve(slope=2.0), cut=0.1)
    publish_version(any_engine, 1, check=on.as_json())
    publish_version(any_engine, 2)
    mine = fill(any_engine, images=3, version=1)
    others = [*fill(any_engine, images=1, version=1, origin=Origin.evaluation), *fill(any_engine, images=1, version=2)]
    score(any_engine, 1, dict(zip([*mine, *others], (0.1, 0.3, 0.2, 0.0, 0.0), strict=True)))
    score(any_engine, 2, dict.fromkeys(mine, 0.9))
    found = [open_image(any_engine, image).scored for image in mine]
    assert [(one.by, one.score, one.lower, one.others) for one in found if one] == [
        (1, 0.1, 0, 2),
        (1, 0.3, 2, 2),
        (1, 0.2, 1, 2),
    ]
    assert found[1].chance == pytest.approx(1 / (1 + exp(-0.6)))


def test_a_picture_whose_version_has_no_check_is_scored_by_the_newest_that_did_not_train_on_it(
    any_engine: Engine, fill: Callable, publish_version: Callable
):
    [image] = fill(any_engine, images=1)
    off = VersionCheck(How((800,), 2, 4), off="the check is off")
    for number in (1, 2, 3):
        publish_version(any_engine, number, check=off.as_json())
        score(any_engine, number, {image: number / 10}, is_out_of_sample=number < 3)
    assert open_image(any_engine, image).scored == Scored(by=2, score=0.2, chance=None, lower=0, others=0)
