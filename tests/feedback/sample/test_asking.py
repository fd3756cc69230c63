"""Pictures to ask about: how many are drawn, of which prompts, and when they leave the queue."""

import random
from collections import Counter
from collections.abc import Callable
from itertools import count

from sqlalchemy import Engine, func
from sqlmodel import select

from feedback.check.calibration import Curve
from feedback.check.version_check import How, VersionCheck
from feedback.rate.queue import next_images
from feedback.rate.terms import Terms
from feedback.rate.votes import Press, record_votes
from feedback.sample.asking import CANDIDATES, FLOOR, Votes, draw_prompt, let_go, prompt_weights, rooms, weight
from feedback.sample.plan import next_work
from feedback.sample.prompts import add_prompts
from feedback.sample.setting_aside import Which, weigh_prompts
from feedback.sample.work import Wanted, Work
from feedback.versions import promote
from store.engine import reading, writing
from store.tables import Image, ImageTally, Origin, Verdict, Version
from tests.feedback.sample.planned import draw, images

TARGET = 12
REQUEST = count()


def plan_asking(engine: Engine, share: float, batch: int = 8) -> list[Work]:
    return next_work(engine, Wanted(TARGET, batch, 0.5, 0, ask_share=share))


def draw_all(engine: Engine, share: float) -> None:
    for _ in range(200):
        if not (works := plan_asking(engine, share)):
            return
        draw(engine, works)
    raise AssertionError("the plan never ends")


def judge_one(engine: Engine, share: float, verdict: Verdict) -> None:
    terms = Terms(1, 600, ask_share=share)
    [shown] = next_images(engine, "ann", terms, count=1)
    [receipt] = record_votes(engine, "ann", [Press(f"ask {next(REQUEST)}", shown.image_id, verdict)], terms)
    assert not receipt.refused


def judged(engine: Engine, origin: Origin) -> int:
    with reading(engine) as session:
        rows = select(func.count(Image.id)).join(ImageTally, ImageTally.image_id == Image.id)
        return session.exec(rows.where(Image.origin == origin)).one()


def test_without_a_share_nothing_is_drawn_to_ask_about(ready: Engine) -> None:
    draw_all(ready, 0.0)
    assert (len(images(ready, Origin.sampled)), images(ready, Origin.asked)) == (TARGET, [])


def turn_check_on(engine: Engine) -> None:
    with writing(engine) as session:
        session.get_one(Version, 1).check = VersionCheck(How((800,), 2, 4), off="", curve=Curve(slope=1.0)).as_json()


def test_several_candidates_are_drawn_for_each_picture_that_is_asked_about_where_a_check_can_choose(
    ready: Engine,
) -> None:
    draw_all(ready, 0.25)
    assert len(images(ready, Origin.sampled)) == rooms(TARGET, 0.25)[0] == 9
    assert len(images(ready, Origin.asked)) == 3
    turn_check_on(ready)
    draw_all(ready, 0.25)
    assert len(images(ready, Origin.sampled)) == 9
    assert len(images(ready, Origin.asked)) == CANDIDATES * 3
    assert all(image.is_queued for image in images(ready, Origin.asked))


def test_more_are_drawn_as_they_are_judged_and_the_leftovers_leave_the_queue(
    engine: Engine, publish_version: Callable
) -> None:
    add_prompts(engine, ["a red star", "a blue hand"])
    publish_version(engine, 1)
    promote(engine, 1)
    turn_check_on(engine)
    draw_all(engine, 0.5)
    for n in range(30):
        judge_one(engine, 0.5, Verdict.keep if n % 2 else Verdict.reject)
        draw_all(engine, 0.5)
        let_go(engine, TARGET, 0.5)
    asked = images(engine, Origin.asked)
    assert 8 < judged(engine, Origin.asked) < 24
    assert len(asked) >= CANDIDATES * (judged(engine, Origin.asked) - 6)
    assert sum(image.is_queued for image in asked) <= CANDIDATES * 6


def test_a_prompt_that_is_sometimes_right_comes_more_often_than_one_that_always_is_and_none_is_left_out(
    ready: Engine,
) -> None:
    draw_all(ready, 0.0)
    mixed, right, wrong = sorted({image.prompt_id for image in images(ready, Origin.sampled)})
    seen = Counter()
    for _ in range(TARGET):
        [shown] = next_images(ready, "ann", Terms(1, 600), count=1)
        with reading(ready) as session:
            prompt = session.get_one(Image, shown.image_id).prompt_id
        seen[prompt] += 1
        is_reject = prompt == wrong or (prompt == mixed and seen[prompt] % 2)
        press = Press(f"ask {next(REQUEST)}", shown.image_id, Verdict.reject if is_reject else Verdict.keep)
        record_votes(ready, "ann", [press], Terms(1, 600))
    with reading(ready) as session:
        weights = prompt_weights(session, 1)
        assert weights[mixed] > 1.4 * weights[right]
        assert weights[mixed] > 1.4 * weights[wrong]
        draws = Counter(map(draw_prompt(session, 1), [random.Random(n) for n in range(300)]))
    assert draws[mixed] > draws[right] > 30
    assert draws[wrong] > 30


def test_the_weight_never_falls_below_the_floor() -> None:
    always_right = weight(Votes(0, 1000), Votes(0, 1000))
    assert always_right == FLOOR * weight(Votes(0, 0), Votes(0, 0))


def test_the_plan_of_what_is_asked_about_is_the_same_whenever_it_is_asked_for(ready: Engine) -> None:
    while (works := plan_asking(ready, 0.5))[0].origin is Origin.sampled:
        draw(ready, works)
    assert works == plan_asking(ready, 0.5)
    assert plan_asking(ready, 0.5, batch=1) == works[:1]
    assert {work.origin for work in works} == {Origin.asked}


def test_a_prompt_that_weighs_more_is_asked_about_more_often(ready: Engine) -> None:
    with reading(ready) as session:
        before = prompt_weights(session, 0)
    heavy = min(before)
    weigh_prompts(ready, Which(ids=[heavy]), 4)
    with reading(ready) as session:
        assert prompt_weights(session, 0) == before | {heavy: 4 * before[heavy]}
