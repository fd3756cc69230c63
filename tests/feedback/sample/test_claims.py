from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, event
from sqlalchemy.exc import DBAPIError
from sqlmodel import select

from feedback.sample import claims as claims_module
from feedback.sample import plan as plan_module
from feedback.sample.claims import claim_planned, claim_work, drop_claims, drop_work, keep_claims, record_images
from feedback.sample.plan import CLAIM_S
from feedback.sample.tries import Tries
from feedback.sample.work import Drawing, Wanted, Work, claim_key, work_key
from feedback.versions import begin
from store.engine import is_server_gone, planning, reading
from store.tables import Claim, Image, Origin, PictureScore, PictureTry, utc_now
from tests.feedback.sample.planned import DRAWING, draw, images, many_prompts, plan
from tests.waiting import PATIENCE_S


def test_recording_the_same_pictures_again_adds_nothing(ready: Engine) -> None:
    works = plan(ready, base_slice=0)
    assert draw(ready, works) == len(works) == 8
    assert draw(ready, works) == 0
    assert draw(ready, [works[0], works[0]]) == 0
    twice = [replace(works[0], seed=5)] * 2
    assert draw(ready, twice) == 1
    assert len(images(ready, Origin.sampled)) == 9
    assert record_images(ready, [], DRAWING) == 0


def claim(
    engine: Engine, worker: str, *, batch: int = 4, target: int = 24, pairs: int = 0, now: datetime | None = None
) -> list[Work]:
    return claim_work(engine, worker, Wanted(target, batch, 0.5, pairs), now)


def claims(engine: Engine) -> list[Claim]:
    with reading(engine) as session:
        return list(session.exec(select(Claim)))


def test_what_one_worker_has_in_hand_is_given_to_no_other(ready: Engine) -> None:
    works = [work for worker in ("ann", "bob", "cid") * 8 for work in claim(ready, worker)]
    assert len(set(works)) == len(works) == 24
    assert claim(ready, "dan") == []


def test_whoever_ends_first_every_plan_draws_something_new(ready: Engine) -> None:
    in_hand: list[list[Work]] = []
    drawn: list[Work] = []
    for turn in range(40):
        if works := claim(ready, f"worker {turn % 3}", target=40):
            in_hand.append(works)
        if in_hand and turn % 2:
            done = in_hand.pop(-1 if turn % 4 == 1 else 0)  # out of turn as often as in turn
            assert draw(ready, done) == len(done)
            drawn += done
    for done in in_hand:
        assert draw(ready, done) == len(done)
        drawn += done
    assert len(set(drawn)) == len(drawn) == 40
    assert claims(ready) == []


def test_what_a_dead_worker_held_is_given_out_again_after_its_time(ready: Engine) -> None:
    held = claim(ready, "dead", batch=24, target=8)
    rest = claim(ready, "ann", target=8)
    assert set(held).isdisjoint(rest)
    later = utc_now() + timedelta(seconds=CLAIM_S + 1)
    again = claim(ready, "ann", target=8, now=later)
    assert again[0] == held[0]
    assert {row.worker for row in claims(ready)} == {"ann"}


def test_a_worker_that_says_it_is_still_at_it_keeps_what_it_holds(ready: Engine) -> None:
    held = claim(ready, "slow", target=8)
    keep_claims(ready, "slow")
    almost = utc_now() + timedelta(seconds=CLAIM_S - 5)
    assert set(held).isdisjoint(claim(ready, "ann", target=8, now=almost))


def test_a_worker_that_stops_gives_back_what_it_has_not_drawn(ready: Engine) -> None:
    held = claim(ready, "ann")
    drop_claims(ready, "ann")
    assert claim(ready, "bob") == held


def test_the_grid_is_shared_out_as_well(ready: Engine) -> None:
    works = [work for worker in ("ann", "bob") for work in claim(ready, worker, batch=3, target=0, pairs=6)]
    assert len(set(map(claim_key, works))) == len(works) == 6
    assert {work.origin for work in works} == {Origin.evaluation}


def after_each_read(engine: Engine, act: Callable[[], object], times: int) -> None:
    """Lets another worker act right after each of the next reads of this one."""
    left, is_acting = times, False

    @event.listens_for(engine, "commit")
    def act_now(_connection: object) -> None:
        nonlocal left, is_acting
        if left and not is_acting:
            left, is_acting = left - 1, True
            act()
            is_acting = False


@pytest.mark.parametrize("is_drawn", [False, True])
def test_what_another_worker_takes_while_this_one_plans_is_left_to_it(is_drawn: bool, ready: Engine) -> None:
    taken: list[Work] = []

    def other() -> None:
        works = claim_planned(ready, "bob", Wanted(24, 2, 0.5, 0), utc_now())
        taken.extend(works)
        if is_drawn:
            draw(ready, works)

    after_each_read(ready, other, times=2)
    mine = claim(ready, "ann")
    assert mine
    assert len(taken) > 2
    assert set(mine).isdisjoint(taken)
    assert {row.key for row in claims(ready) if row.worker == "ann"} == set(map(claim_key, mine))


def test_workers_that_ask_at_once_plan_in_turn_and_none_of_them_in_vain(
    any_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(any_engine, "builtin", "0" * 64)
    many_prompts(any_engine, 30)
    planned: list[int] = []

    def plan_work(*asked: Any) -> list[Work]:
        planned.append(1)
        return plan_module.plan_work(*asked)

    monkeypatch.setattr(claims_module, "plan_work", plan_work)
    with ThreadPoolExecutor(12) as workers:
        given = list(workers.map(lambda n: claim(any_engine, f"worker {n}", target=200, batch=3), range(24)))
    works = [work for some in given for work in some]
    assert all(given)
    assert len(set(works)) == len(works)
    assert len(planned) == len(given)


def test_a_worker_that_was_stopped_while_it_planned_holds_up_no_other_for_long(
    postgres_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(postgres_engine, "builtin", "0" * 64)
    many_prompts(postgres_engine, 30)
    monkeypatch.setattr("store.engine.IDLE_MS", 500)
    with pytest.raises(DBAPIError) as ended, planning(postgres_engine), ThreadPoolExecutor(1) as other:
        assert other.submit(claim, postgres_engine, "ann").result(timeout=PATIENCE_S)
    assert is_server_gone(ended.value)  # so that the worker tries again


def test_a_plan_asks_little_however_much_workers_hold(ready: Engine) -> None:
    def statements() -> int:
        said: list[str] = []
        listener = lambda *call: said.append(call[2])  # noqa: E731
        event.listen(ready, "before_cursor_execute", listener)
        assert claim(ready, f"worker {len(claims(ready))}", target=1000, batch=16)
        event.remove(ready, "before_cursor_execute", listener)
        return len(said)

    first = statements()
    for n in range(20):
        claim(ready, f"holds {n}", target=1000, batch=16)
    assert len(claims(ready)) > 30
    assert statements() <= first + 10


def test_no_prompt_is_read_in_the_writers_turn(engine: Engine) -> None:
    begin(engine, "builtin", "0" * 64)
    many_prompts(engine, 300)
    said: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *call: said.append(call[2]))
    draw(engine, claim(engine, "ann", pairs=4))
    turns = "\n".join(said).split("BEGIN ")
    assert sum("INSERT INTO claim" in turn for turn in turns) == 1
    assert [turn for turn in turns if turn.startswith("IMMEDIATE")]
    assert not [turn for turn in turns if turn.startswith("IMMEDIATE") and "prompt.text" in turn]


def test_a_claim_says_whose_it_is_what_it_is_and_when_it_ends(ready: Engine) -> None:
    now = utc_now()
    works = claim(ready, "ann", now=now)
    assert {(row.worker, row.version, row.origin) for row in claims(ready)} == {
        ("ann", works[0].version, Origin.sampled)
    }
    assert {row.expires_at for row in claims(ready)} == {now + timedelta(seconds=CLAIM_S)}
    assert {row.key for row in claims(ready)} == {claim_key(work) for work in works}


def test_a_worker_renews_and_gives_back_only_its_own(ready: Engine) -> None:
    claim(ready, "ann", batch=2)
    anns = {row.key for row in claims(ready)}
    works = claim(ready, "bob", batch=2)
    ends = {row.key: row.expires_at for row in claims(ready)}
    keep_claims(ready, "ann")
    assert {row.worker for row in claims(ready) if row.expires_at != ends[row.key]} == {"ann"}
    drop_work(ready, works[:1])
    assert {row.key for row in claims(ready)} == anns | {claim_key(work) for work in works[1:]}
    drop_claims(ready, "bob")
    assert {row.worker for row in claims(ready)} == {"ann"}


def test_what_was_drawn_is_claimed_no_more_and_the_rest_still_is(ready: Engine) -> None:
    works = claim(ready, "ann", batch=24, target=24)
    draw(ready, works[:1])
    assert {row.key for row in claims(ready)} == {claim_key(work) for work in works[1:]}


def test_a_claim_ends_at_its_very_moment(ready: Engine) -> None:
    now = utc_now()
    held = claim(ready, "ann", now=now)
    end = now + timedelta(seconds=CLAIM_S)
    assert set(held).isdisjoint(claim(ready, "bob", now=end - timedelta(seconds=1)))
    drop_claims(ready, "bob")
    assert claim(ready, "bob", now=end)[0] == held[0]


def test_a_recorded_picture_says_how_it_was_drawn(ready: Engine) -> None:
    [work] = plan(ready, batch=1)
    drawing = Drawing("same-prompt", 2.0, 3.5, 11, 96, 64, "blurred")
    assert record_images(ready, [(work, "a" * 64, "b" * 64)], drawing) == 1
    [row] = images(ready, Origin.sampled)
    assert (row.sha256, row.latent_sha256, row.work_key) == ("a" * 64, "b" * 64, work_key(work, drawing))
    assert (row.prompt_id, row.seed, row.version, row.is_queued) == (work.prompt_id, work.seed, work.version, True)
    assert (row.rule, row.strength, row.guidance_scale, row.num_inference_steps) == ("same-prompt", 2.0, 3.5, 11)
    assert (row.width, row.height, row.negative_prompt) == (96, 64, "blurred")


def test_every_try_of_a_picture_is_recorded_once_with_its_score(ready: Engine) -> None:
    works = plan(ready, base_slice=0)[:3]
    drawn = [(work, f"{work.seed:064x}", f"{work.seed:064x}") for work in works]
    tries = [Tries(2, (0.5, 0.25)), Tries(), Tries(1, (-0.125,))]
    for _ in range(2):  # the second time nothing is new
        record_images(ready, drawn, DRAWING, tries)
    with reading(ready) as session:
        ids = {image.seed: image.id for image in session.exec(select(Image))}
        rows = session.exec(select(PictureTry).order_by(PictureTry.image_id, PictureTry.number)).all()
        scores = session.exec(select(PictureScore).order_by(PictureScore.image_id)).all()
    first, third = ids[works[0].seed], ids[works[2].seed]
    assert [(row.image_id, row.number, row.score, row.is_kept) for row in rows] == [
        (first, 1, 0.5, False),
        (first, 2, 0.25, True),
        (third, 1, -0.125, True),
    ]
    kept = [(row.image_id, row.version, row.score, row.is_out_of_sample) for row in scores]
    assert kept == [(first, works[0].version, 0.25, True), (third, works[2].version, -0.125, True)]
