"""What is known of a rater, and what an admin decides."""

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from sqlalchemy import Engine
from sqlmodel import select

from feedback.figures.summary import standing, version_rows
from feedback.people.agreement import ac1, alpha
from feedback.people.decisions import Decision, decide
from feedback.people.reliability import Care, agreement_and_figures, flags_of, rater_figures
from feedback.pool.pool import how_due, pool
from feedback.rate.controls import control_rows, controls_from_agreed, make_control, retire_controls
from feedback.rate.queue import next_images
from feedback.rate.raters import rater_id
from feedback.rate.terms import Mix, Terms
from feedback.rate.votes import Press, record_votes
from feedback.statistics import Fraction
from store.engine import reading, writing
from store.errors import BadRequest
from store.tables import Image, Lease, Origin, Rater, RaterAction, Verdict

REQUEST = count()
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
REJECT, KEEP = Verdict.reject, Verdict.keep


def rate(engine: Engine, rater: str, verdicts: dict[int, Verdict], seconds: float = 2.0, mix: Mix = Mix()) -> None:
    next_images(engine, rater, Terms(9, 600, mix), count=500)
    presses = [
        Press(f"request {next(REQUEST)}", image, verdict, "one", NOON, NOON + timedelta(seconds=seconds))
        for image, verdict in verdicts.items()
    ]
    receipts = record_votes(engine, rater, presses, Terms(9, 600), now=lambda: NOON)
    assert not any(receipt.refused for receipt in receipts)


def figures_of(engine: Engine, rater: str):
    return next(row for row in rater_figures(engine, NOON) if row.name == rater)


@pytest.mark.parametrize(("slips", "most", "least"), [(0.5, 20, 19), (0.1, 1, 0)])
def test_random_votes_are_flagged_within_fifty_controls_and_honest_slips_are_not(slips, most, least):
    flagged = 0
    for seed in range(20):
        chance, right, raised = random.Random(seed), 0, False
        for seen in range(1, 51):
            right += chance.random() >= slips
            raised |= bool(flags_of(Care(controls=Fraction(right, seen))))
        flagged += raised
    assert least <= flagged <= most


def test_a_random_rater_is_flagged_through_the_real_queue_and_an_honest_one_is_not(engine: Engine, fill: Callable):
    images = fill(engine, images=160)
    for image in images[:50]:
        make_control(engine, image, REJECT if image % 2 else KEEP, by="root")
    chance = random.Random(5)
    with reading(engine) as session:
        answers = {row.image_id: row.answer for row in control_rows(engine)}
        assert set(session.exec(select(Image.origin).where(Image.id.in_(answers)))) == {Origin.control}
    for rater, slips in (("random", 0.5), ("honest", 0.1)):
        shown = next_images(engine, rater, Terms(9, 600, Mix(controls=0.5)), count=200)
        verdicts = {}
        for image in shown:
            truth = answers.get(image.image_id, REJECT if image.image_id % 2 else KEEP)
            verdicts[image.image_id] = truth if chance.random() >= slips else {REJECT: KEEP, KEEP: REJECT}[truth]
        rate(engine, rater, verdicts)
    wrong, fine = figures_of(engine, "random"), figures_of(engine, "honest")
    assert wrong.controls.whole >= 30 and fine.controls.whole >= 30
    assert "controls right" in wrong.flags[0]
    assert fine.flags == []


def test_controls_enter_no_pool_no_rate_and_no_count(engine: Engine, fill: Callable):
    images = fill(engine, images=80)
    control = make_control(engine, images[0], REJECT, by="root")
    shown = [image.image_id for image in next_images(engine, "ann", Terms(1, 9, Mix(0.5)), count=80)]
    assert control in shown
    assert images[0] not in shown
    rate(engine, "ann", {control: REJECT, images[1] if images[1] in shown else shown[0]: KEEP})
    now = standing(engine, NOON)
    assert (now.rejects, now.keeps) == (0, 1)
    assert [item.image_id == control for item in _pool(engine)] == [False]
    assert how_due(engine, 1).new_rejects == 0
    assert [(row.rejected, row.judged) for row in version_rows(engine)] == [(0, 1)]


def test_agreed_images_become_controls_half_of_each_kind(engine: Engine, fill: Callable):
    images = fill(engine, images=12)
    for rater in ("ann", "bob", "cat"):
        rate(engine, rater, {image: REJECT if image <= 6 else KEEP for image in images})
    rate(engine, "dan", {images[0]: KEEP})
    assert controls_from_agreed(engine, 4, by="root") == 4
    rows = control_rows(engine)
    assert sorted(row.answer for row in rows) == [KEEP, KEEP, REJECT, REJECT]
    with reading(engine) as session:
        disputed = session.get_one(Image, images[0]).sha256
    assert disputed not in {row.sha256 for row in rows}
    assert controls_from_agreed(engine, 100, by="root") == 7  # what is left; none twice
    assert len(pool_ids(engine)) == 12


def test_a_rater_never_gets_a_control_made_from_a_picture_already_judged(engine: Engine, fill: Callable):
    images = fill(engine, images=40)
    rate(engine, "ann", {images[0]: REJECT})
    control = make_control(engine, images[0], REJECT, by="root")
    fill(engine, images=40)
    for rater, is_given in (("ann", False), ("bob", True)):
        shown = next_images(engine, rater, Terms(9, 9, Mix(controls=0.5)), count=100)
        assert (control in [image.image_id for image in shown]) is is_given


def test_a_retired_control_is_shown_and_counted_no_more(engine: Engine, fill: Callable):
    images = fill(engine, images=60)
    control = make_control(engine, images[0], REJECT, by="root")
    rate(engine, "ann", {control: KEEP}, mix=Mix(controls=0.5))
    assert figures_of(engine, "ann").controls == Fraction(0, 1)
    retire_controls(engine, [control])
    assert figures_of(engine, "ann").controls == Fraction(0, 0)
    with pytest.raises(BadRequest):
        retire_controls(engine, [control])


def test_consistency_is_the_share_of_repeats_judged_alike(engine: Engine, fill: Callable):
    fill(engine, images=400)
    mix, chance = Mix(repeats=0.4), random.Random(0)
    first: dict[int, Verdict] = {}
    same = again = 0
    while shown := next_images(engine, "ann", Terms(1, 600, mix), count=20):
        for image in shown:
            verdict = REJECT if chance.random() < 0.5 else KEEP
            if image.image_id in first:
                again += 1
                same += first[image.image_id] is verdict
            first.setdefault(image.image_id, verdict)
            rate_one(engine, image.image_id, verdict)
    assert again > 50
    assert figures_of(engine, "ann").repeats == Fraction(same, again)


def rate_one(engine: Engine, image: int, verdict: Verdict) -> None:
    record_votes(engine, "ann", [Press(f"request {next(REQUEST)}", image, verdict)], Terms(1, 600))


def test_pace_and_haste_come_from_what_the_page_sent(engine: Engine, fill: Callable):
    images = fill(engine, images=60)
    rate(engine, "ann", dict.fromkeys(images, KEEP), seconds=0.3)
    rate(engine, "bob", dict.fromkeys(images, KEEP), seconds=1.5)
    ann, bob = figures_of(engine, "ann"), figures_of(engine, "bob")
    assert (ann.seconds, ann.fast, ann.today, ann.a_day) == (0.3, Fraction(60, 60), 60, 60)
    assert "half a second" in ann.flags[0]
    assert (bob.seconds, bob.fast.part, bob.flags) == (1.5, 0, [])
    assert (ann.agreement, ann.pairs) == (1.0, 60)


def _pool(engine: Engine):
    with reading(engine) as session:
        return pool(session)


def pool_ids(engine: Engine) -> list[int]:
    return [item.image_id for item in _pool(engine)]


def test_a_flag_says_its_reason():
    flags = flags_of(Care(Fraction(5, 20), Fraction(0, 0), Fraction(40, 60), Fraction(0, 120), 80, -0.1))
    assert [flag.split(" ")[0] for flag in flags] == ["5", "40", "nearly", "agrees"]


NONE = Fraction(0, 0)


@pytest.mark.parametrize(
    ("care", "flags"),
    [
        (Care(controls=Fraction(2, 9)), 0),
        (Care(controls=Fraction(4, 10)), 1),
        (Care(controls=Fraction(8, 10)), 0),
        (Care(repeats=Fraction(2, 9)), 0),
        (Care(repeats=Fraction(2, 10)), 1),
        (Care(repeats=Fraction(7, 10)), 0),
        (Care(fast=Fraction(49, 49)), 0),
        (Care(fast=Fraction(16, 50)), 1),
        (Care(fast=Fraction(15, 50)), 0),
        (Care(rejects=Fraction(99, 99)), 0),
        (Care(rejects=Fraction(98, 100)), 1),
        (Care(rejects=Fraction(2, 100)), 1),
        (Care(rejects=Fraction(97, 100)), 0),
        (Care(pairs=49, ac1=-0.5), 0),
        (Care(pairs=50, ac1=0.0), 1),
        (Care(pairs=50, ac1=0.01), 0),
        (Care(pairs=500, ac1=None), 0),
    ],
)
def test_each_flag_needs_enough_answers_and_a_figure_beyond_its_limit(care: Care, flags: int):
    assert len(flags_of(care)) == flags


def test_each_flag_says_its_figures():
    every = Care(Fraction(5, 20), Fraction(3, 20), Fraction(40, 60), Fraction(119, 120), 80, -0.1)
    assert flags_of(every) == [
        "5 of 20 controls right: below 80 % beyond chance",
        "3 of 20 repeats judged alike: below 70 % beyond chance",
        "40 of 60 votes within half a second of seeing the picture",
        "nearly all of 120 votes are alike: 119 rejects",
        "agrees with others no more than chance would, over 80 shared votes",
    ]


def test_a_raters_figures_are_of_own_votes_and_of_pairs_with_raters_who_count(engine: Engine, fill: Callable):
    images = fill(engine, images=6)
    rate(engine, "ann", {images[0]: REJECT, images[1]: REJECT, images[2]: KEEP}, seconds=2.0)
    rate(engine, "ann", {images[3]: KEEP}, seconds=0.5)
    rate(engine, "bob", {images[0]: REJECT, images[1]: KEEP}, seconds=0.4)
    rate(engine, "cat", {images[0]: KEEP}, seconds=1.0)
    decide(engine, "cat", Decision(RaterAction.exclude, "root", "random"), 9)
    decide(engine, "bob", Decision(RaterAction.pause, "root", "away"), 9)
    ann, bob, cat = (figures_of(engine, name) for name in ("ann", "bob", "cat"))
    assert (ann.votes, ann.rejects, ann.seconds, ann.fast) == (4, Fraction(2, 4), 2.0, Fraction(0, 4))
    assert (ann.pairs, ann.agreement, ann.last_at) == (2, 0.5, NOON)
    assert (bob.pairs, bob.agreement, bob.fast, bob.is_paused, bob.is_excluded) == (2, 0.5, Fraction(2, 2), True, False)
    assert (cat.pairs, cat.agreement, cat.is_paused, cat.is_excluded) == (2, 0.0, False, True)
    assert ann.alpha == pytest.approx(alpha([(2, 0), (1, 1)]))
    assert ann.ac1 == pytest.approx(ac1([(2, 0), (1, 1)]))
    counts, rows = agreement_and_figures(engine, NOON)
    assert sorted(counts) == [(0, 1), (0, 1), (1, 1), (2, 0)]
    assert [row.name for row in rows] == ["ann", "bob", "cat"]


def test_votes_of_another_day_are_not_of_today_and_a_rater_without_votes_has_no_figures(engine: Engine, fill: Callable):
    images = fill(engine, images=3)
    rate(engine, "ann", dict.fromkeys(images, KEEP))
    with writing(engine) as session:
        rater_id(session, "eve")
    rows = {row.name: row for row in rater_figures(engine, NOON + timedelta(days=1))}
    assert (rows["ann"].today, rows["ann"].votes, rows["ann"].a_day) == (0, 3, 3.0)
    eve = rows["eve"]
    assert (eve.votes, eve.today, eve.a_day, eve.seconds, eve.last_at, eve.pairs) == (0, 0, 0.0, None, None, 0)
    assert (eve.agreement, eve.alpha, eve.ac1, eve.flags) == (None, None, None, [])
    assert (eve.fast, eve.rejects, eve.controls, eve.repeats) == (NONE, NONE, NONE, NONE)


def test_flagged_raters_come_first_then_those_with_more_votes(engine: Engine, fill: Callable):
    images = fill(engine, images=60)
    rate(engine, "zoe", dict.fromkeys(images[:50], KEEP), seconds=0.1)
    rate(engine, "ann", dict.fromkeys(images[:2], KEEP))
    rate(engine, "bob", dict.fromkeys(images, KEEP))
    rate(engine, "abe", dict.fromkeys(images[:2], KEEP))
    assert [row.name for row in rater_figures(engine, NOON)] == ["zoe", "bob", "abe", "ann"]


def test_agreement_is_of_pictures_in_the_figures_and_not_of_controls(engine: Engine, fill: Callable) -> None:
    images = fill(engine, images=3)
    controls = fill(engine, images=4, origin=Origin.control)
    for rater in ("ann", "bob"):
        next_images(engine, rater, Terms(9, 600), count=9)
        with writing(engine) as session:
            me = session.exec(select(Rater.id).where(Rater.name == rater)).one()
            session.add_all(Lease(image_id=image, rater_id=me, expires_at=NOON) for image in controls)
        rate(engine, rater, dict.fromkeys(images[:2], REJECT) | dict.fromkeys(controls, KEEP))
    counts, rows = agreement_and_figures(engine, NOON)
    assert counts == [(2, 0), (2, 0)]
    assert [(row.votes, row.pairs, row.rejects.whole) for row in rows] == [(2, 2, 2), (2, 2, 2)]
