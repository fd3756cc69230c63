from collections.abc import Callable

import pytest
from sqlalchemy import Engine

from feedback.rate.controls import control_answers, control_rows, controls_from_agreed, make_control, retire_control
from feedback.rate.queue import next_images
from feedback.rate.terms import Mix, Terms
from feedback.rate.votes import Press, record_votes
from store.engine import reading
from store.errors import BadRequest, UnknownImage
from store.tables import Image, Origin, Verdict

TERMS = Terms(overlap=9, mix=Mix(controls=0.5))


def vote(engine: Engine, rater: str, image: int, verdict: Verdict) -> None:
    [receipt] = record_votes(engine, rater, [Press(f"{rater} {image} {verdict}", image, verdict)], TERMS)
    assert not receipt.refused


def test_a_control_is_a_copy_outside_the_queue_and_its_original_leaves_the_queue(
    any_engine: Engine, fill: Callable
) -> None:
    [original] = fill(any_engine, images=1)
    control = make_control(any_engine, original, Verdict.reject, by="root")
    with reading(any_engine) as session:
        copy, first = session.get_one(Image, control), session.get_one(Image, original)
    assert copy.sha256 == first.sha256
    assert (copy.origin, first.origin) == (Origin.control, Origin.sampled)
    assert (copy.is_queued, first.is_queued) == (False, False)


def test_a_picture_is_made_a_control_once_and_only_with_a_verdict(any_engine: Engine, fill: Callable) -> None:
    [image] = fill(any_engine, images=1)
    with pytest.raises(BadRequest, match="reject or keep; skip was given"):
        make_control(any_engine, image, Verdict.skip, by="root")
    with pytest.raises(UnknownImage, match="no picture 999"):
        make_control(any_engine, 999, Verdict.keep, by="root")
    make_control(any_engine, image, Verdict.keep, by="root")
    with pytest.raises(BadRequest, match="is a control already"):
        make_control(any_engine, image, Verdict.keep, by="root")


def test_two_who_agree_make_no_control_and_three_do(any_engine: Engine, fill: Callable) -> None:
    images = fill(any_engine, images=2)
    for rater in ("ann", "bob", "cat"):
        next_images(any_engine, rater, TERMS, count=9)
        vote(any_engine, rater, images[0], Verdict.keep)
        if rater != "cat":
            vote(any_engine, rater, images[1], Verdict.keep)
    assert controls_from_agreed(any_engine, 10, by="root") == 1
    assert [(row.answer, row.source) for row in control_rows(any_engine)] == [(Verdict.keep, "agreed")]


def test_the_newest_answer_counts_until_the_control_is_retired(any_engine: Engine, fill: Callable) -> None:
    images = fill(any_engine, images=40)
    control = make_control(any_engine, images[0], Verdict.reject, by="root")
    assert control in [shown.image_id for shown in next_images(any_engine, "ann", TERMS, count=60)]
    for verdict, answers in ((Verdict.keep, [False]), (Verdict.reject, [True]), (Verdict.skip, [])):
        vote(any_engine, "ann", control, verdict)
        with reading(any_engine) as session:
            assert [is_right for _, _, is_right in control_answers(session)] == answers
    retire_control(any_engine, control)
    with reading(any_engine) as session:
        assert control_answers(session) == []
    with pytest.raises(BadRequest, match="not a control in use"):
        retire_control(any_engine, control)
