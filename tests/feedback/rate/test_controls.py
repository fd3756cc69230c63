from collections.abc import Callable

import pytest
from sqlalchemy import Engine
from sqlmodel import select

from feedback.pool.curation import curate
from feedback.rate.controls import (
    DrawnControl,
    control_answers,
    control_candidates,
    control_rows,
    controls_from_agreed,
    make_control,
    make_controls,
    record_drawn_controls,
    retire_controls,
    reuse_controls,
)
from feedback.rate.queue import next_images
from feedback.rate.terms import Mix, Terms
from feedback.rate.votes import Press, record_votes
from feedback.sample.work import Drawing
from store.engine import reading, writing
from store.errors import BadRequest, UnknownImage
from store.tables import Control, Image, Origin, PoolAction, Verdict

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
    retire_controls(any_engine, [control])
    with reading(any_engine) as session:
        assert control_answers(session) == []
    with pytest.raises(BadRequest, match="not a control in use"):
        retire_controls(any_engine, [control])


def agree(engine: Engine, images: list[int], verdict: Verdict, raters: tuple[str, ...] = ("ann", "bob", "cat")) -> None:
    for rater in raters:
        next_images(engine, rater, TERMS, count=99)
        for image in images:
            vote(engine, rater, image, verdict)


def test_of_an_odd_number_the_larger_half_are_keeps_and_none_is_made_twice(any_engine: Engine, fill: Callable) -> None:
    images = fill(any_engine, images=8)
    agree(any_engine, images[:4], Verdict.reject)
    agree(any_engine, images[4:], Verdict.keep)
    assert controls_from_agreed(any_engine, 3, by="root") == 3
    rows = control_rows(any_engine)
    assert sorted(row.answer for row in rows) == [Verdict.keep, Verdict.keep, Verdict.reject]
    assert [row.image_id for row in rows] == sorted((row.image_id for row in rows), reverse=True)
    assert controls_from_agreed(any_engine, 100, by="root") == 5
    assert controls_from_agreed(any_engine, 100, by="root") == 0
    assert len({row.sha256 for row in control_rows(any_engine)}) == 8


def test_what_most_raters_agree_on_comes_first_and_what_one_doubts_or_a_person_took_out_never(
    any_engine: Engine, fill: Callable
) -> None:
    images = fill(any_engine, images=4)
    agree(any_engine, images, Verdict.keep)
    agree(any_engine, images[2:3], Verdict.keep, ("dan",))
    agree(any_engine, images[:1], Verdict.reject, ("dan",))
    curate(any_engine, [images[1]], PoolAction.exclude, by="root", reason="blurred")
    assert controls_from_agreed(any_engine, 1, by="root") == 1
    with reading(any_engine) as session:
        hashes = [session.get_one(Image, image).sha256 for image in images]
    assert [row.sha256 for row in control_rows(any_engine)] == [hashes[2]]
    assert controls_from_agreed(any_engine, 9, by="root") == 1
    assert {row.sha256 for row in control_rows(any_engine)} == {hashes[2], hashes[3]}


def test_evaluation_pictures_become_no_controls_by_themselves(any_engine: Engine, fill: Callable) -> None:
    images = fill(any_engine, images=1, origin=Origin.evaluation)
    with writing(any_engine) as session:
        session.get_one(Image, images[0]).is_queued = True
    agree(any_engine, images, Verdict.keep)
    assert controls_from_agreed(any_engine, 9, by="root") == 0


def test_a_row_says_how_often_a_control_was_seen_and_judged_right(any_engine: Engine, fill: Callable) -> None:
    images = fill(any_engine, images=40)
    one = make_control(any_engine, images[0], Verdict.reject, by="root")
    other = make_control(any_engine, images[1], Verdict.keep, by="ann", source="drawn")
    for rater, said in (("ann", Verdict.reject), ("bob", Verdict.keep), ("cat", Verdict.skip)):
        next_images(any_engine, rater, TERMS, count=99)
        vote(any_engine, rater, one, said)
        vote(any_engine, rater, other, Verdict.keep)
    rows = {row.image_id: row for row in control_rows(any_engine)}
    assert [(rows[n].seen, rows[n].right) for n in (one, other)] == [(2, 1), (3, 3)]
    assert (rows[one].answer, rows[one].source, rows[one].is_active) == (Verdict.reject, "by hand", True)
    assert (rows[other].answer, rows[other].source, rows[other].prompt) == (Verdict.keep, "drawn", "a blue hand")
    assert rows[other].width == 64
    retire_controls(any_engine, [one])
    rows = {row.image_id: row for row in control_rows(any_engine)}
    assert (rows[one].is_active, rows[one].seen, rows[other].seen) == (False, 0, 3)
    with reading(any_engine) as session:
        assert {(c.by, c.source) for c in session.exec(select(Control))} == {("root", "by hand"), ("ann", "drawn")}


def test_a_control_copies_the_picture_but_not_its_place_in_the_queue(any_engine: Engine, fill: Callable) -> None:
    [original] = fill(any_engine, images=1)
    with writing(any_engine) as session:
        session.get_one(Image, original).overlap = 7
    control = make_control(any_engine, original, Verdict.keep, by="root")
    with reading(any_engine) as session:
        copy, first = session.get_one(Image, control), session.get_one(Image, original)
    same = ("sha256", "latent_sha256", "prompt_id", "seed", "version", "rule", "width", "num_inference_steps")
    assert [getattr(copy, name) for name in same] == [getattr(first, name) for name in same]
    assert (copy.overlap, copy.work_key != first.work_key, copy.number != first.number) == (None, True, True)


def test_drawn_pictures_become_controls_once(any_engine: Engine, fill: Callable) -> None:
    fill(any_engine, images=1)
    drawing = Drawing("plain", 0.0, 3.0, 10, 64, 64)
    drawn = [DrawnControl(1, seed, letter * 64, answer) for seed, letter, answer in (
        (1, "a", Verdict.reject), (2, "b", Verdict.keep), (3, "a", Verdict.keep))]  # fmt: skip
    assert record_drawn_controls(any_engine, drawn, drawing, by="root") == 2
    assert record_drawn_controls(any_engine, drawn, drawing, by="root") == 0
    rows = control_rows(any_engine)
    assert [(row.sha256, row.answer, row.source) for row in rows] == [
        ("b" * 64, Verdict.keep, "drawn"),
        ("a" * 64, Verdict.reject, "drawn"),
    ]
    with reading(any_engine) as session:
        image = session.get_one(Image, rows[0].image_id)
        assert session.get_one(Control, image.id).by == "root"
    assert (image.seed, image.version, image.origin, image.is_queued) == (2, 0, Origin.control, False)
    assert (image.rule, image.num_inference_steps, image.guidance_scale) == ("plain", 10, 3.0)


def test_several_pictures_become_controls_together_or_not_at_all(any_engine, fill):
    first, second, third = fill(any_engine, 3)
    make_controls(any_engine, [first], Verdict.keep, by="root")
    with pytest.raises(BadRequest, match=f"picture {first} is a control already"):
        make_controls(any_engine, [second, first], Verdict.keep, by="root")
    assert len(control_rows(any_engine)) == 1
    assert len(make_controls(any_engine, [second, third, second], Verdict.reject, by="root")) == 2


def test_candidates_have_only_votes_for_the_answer_and_those_with_most_come_first(any_engine, fill):
    first, second, third = fill(any_engine, 3)
    for rater, verdicts in (("ann", {first: "reject", second: "reject", third: "reject"}), ("bob", {first: "reject"})):
        next_images(any_engine, rater, TERMS, count=9)
        for image, verdict in verdicts.items():
            vote(any_engine, rater, image, Verdict(verdict))
    next_images(any_engine, "cat", TERMS, count=9)
    vote(any_engine, "cat", third, Verdict.keep)
    found = control_candidates(any_engine, Verdict.reject, 9)
    assert [(one.image_id, one.votes) for one in found] == [(first, 2), (second, 1)]
    assert control_candidates(any_engine, Verdict.keep, 9) == []
    make_controls(any_engine, [first], Verdict.reject, by="root")
    assert [one.image_id for one in control_candidates(any_engine, Verdict.reject, 9)] == [second]


def test_a_control_out_of_use_is_used_again_with_its_answers(any_engine, fill):
    [one] = make_controls(any_engine, fill(any_engine, 1), Verdict.reject, by="root")
    with pytest.raises(BadRequest, match="not a retired control"):
        reuse_controls(any_engine, [one])
    retire_controls(any_engine, [one])
    reuse_controls(any_engine, [one])
    assert [row.is_active for row in control_rows(any_engine)] == [True]
