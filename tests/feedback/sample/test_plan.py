from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine, event, text
from sqlmodel import select

from feedback.rate.queue import next_images
from feedback.rate.terms import Terms
from feedback.rate.votes import Press, record_votes
from feedback.reservations import drop_claims, keep_claims
from feedback.sample.evaluation import new_set
from feedback.sample.plan import (
    CLAIM_S,
    FIRST_EVALUATION_SEED,
    Drawing,
    Wanted,
    Work,
    claim_key,
    claim_work,
    drop_work,
    next_work,
    record_images,
    work_key,
)
from feedback.sample.prompts import add_prompts
from feedback.versions import begin, promote
from store.engine import reading, writing
from store.tables import Claim, Image, Origin, Prompt, Verdict, utc_now

DRAWING = Drawing("plain", 0.0, 3.0, 10, 64, 64)


@pytest.fixture
def ready(any_engine: Engine, publish_version: Callable) -> Engine:
    """A store with three prompts and v1 as champion."""
    add_prompts(any_engine, ["a red star", "a blue hand", "a green word"])
    publish_version(any_engine, 1)
    promote(any_engine, 1)
    return any_engine


def plan(engine: Engine, *, target: int = 24, batch: int = 8, base_slice: float = 0.1, pairs: int = 0) -> list[Work]:
    return next_work(engine, Wanted(target, batch, base_slice, pairs))


def draw(engine: Engine, works: list[Work]) -> int:
    return record_images(engine, [(work, f"{work.seed:064x}", f"{work.seed:064x}") for work in works], DRAWING)


def images(engine: Engine, origin: Origin) -> list[Image]:
    with reading(engine) as session:
        return list(session.exec(select(Image).where(Image.origin == origin).order_by(Image.id)))


def test_the_plan_is_the_same_whenever_it_is_asked_for(ready: Engine) -> None:
    assert plan(ready) == plan(ready)
    assert plan(ready, batch=3) == plan(ready)[:3]


def test_a_batch_is_of_one_version_and_no_larger_than_asked(ready: Engine) -> None:
    for _ in range(10):
        works = plan(ready, target=1000, batch=5, base_slice=0.5)
        assert 1 <= len(works) <= 5
        assert len({work.version for work in works}) == 1
        assert draw(ready, works) == len(works)


@pytest.mark.parametrize("batch", [1, 8])
def test_every_plan_draws_something_new_until_the_queue_is_full(batch: int, ready: Engine) -> None:
    drawn = 0
    while works := plan(ready, target=60, batch=batch, base_slice=0.5):
        assert draw(ready, works) == len(works)
        drawn += len(works)
        assert drawn <= 60
    assert drawn == 60


@pytest.mark.parametrize(("n", "error"), [(400, 0.04), pytest.param(2000, 0.02, marks=pytest.mark.slow)])
def test_the_plain_base_draws_its_slice_and_each_prompt_its_share(
    n: int, error: float, engine: Engine, publish_version: Callable
) -> None:
    add_prompts(engine, [f"prompt {n}" for n in range(20)])
    publish_version(engine, 1)
    promote(engine, 1)
    while works := plan(engine, target=n, batch=100):
        draw(engine, works)
    drawn = images(engine, Origin.sampled)
    assert len(drawn) == n
    assert sum(image.version == 0 for image in drawn) / n == pytest.approx(0.1, abs=error)
    assert {image.version for image in drawn} == {0, 1}
    assert set(Counter(image.prompt_id for image in drawn).values()) == {n // 20}
    assert len({image.seed for image in drawn}) > 0.99 * n


@pytest.mark.parametrize(("base_slice", "versions"), [(0.0, {1}), (1.0, {0})])
def test_the_slice_may_be_nothing_or_all(base_slice: float, versions: set[int], ready: Engine) -> None:
    assert {work.version for work in plan(ready, batch=50, base_slice=base_slice)} == versions


def test_only_what_is_missing_is_planned(ready: Engine) -> None:
    draw(ready, plan(ready, batch=20, base_slice=0))
    assert len(plan(ready, batch=8)) <= 4
    draw(ready, plan(ready, batch=4, base_slice=0))
    assert plan(ready) == []
    next_images(ready, "ann", Terms(1, 600), count=3)
    assert len(plan(ready, base_slice=0)) == 3


def test_images_of_an_old_champion_do_not_fill_the_queue(ready: Engine, publish_version: Callable) -> None:
    draw(ready, plan(ready, batch=24, base_slice=0))
    publish_version(ready, 2)
    promote(ready, 2)
    assert {work.version for work in plan(ready, base_slice=0)} == {2}


def test_nothing_is_planned_without_a_champion_or_a_prompt(any_engine: Engine) -> None:
    add_prompts(any_engine, ["a red star"])
    assert plan(any_engine, pairs=4) == []
    begin(any_engine, "builtin", "0" * 64)
    assert len(plan(any_engine)) > 0
    with writing(any_engine) as session:
        session.exec(select(Prompt)).one().is_active = False
    assert plan(any_engine, pairs=4) == []


def test_recording_the_same_pictures_again_adds_nothing(ready: Engine) -> None:
    works = plan(ready, base_slice=0)
    assert draw(ready, works) == len(works) == 8
    assert draw(ready, works) == 0
    assert draw(ready, [works[0], works[0]]) == 0
    twice = [replace(works[0], seed=5)] * 2
    assert draw(ready, twice) == 1
    assert len(images(ready, Origin.sampled)) == 9
    assert record_images(ready, [], DRAWING) == 0


def test_a_picture_is_named_by_all_that_made_it() -> None:
    work = Work(1, "a red star", 7, 0, Origin.sampled)
    others = [replace(work, seed=8), replace(work, version=1), replace(work, prompt_id=2)]
    drawings = [replace(DRAWING, **{field: value}) for field, value in CHANGES.items()]
    keys = [work_key(other, DRAWING) for other in [work, *others]] + [work_key(work, other) for other in drawings]
    assert len(set(keys)) == len(keys)
    assert all(len(key) == 64 for key in keys)
    assert work_key(work, DRAWING) == work_key(replace(work), replace(DRAWING))


CHANGES = {
    "rule": "same-prompt",
    "strength": 1.0,
    "guidance_scale": 5.0,
    "num_inference_steps": 11,
    "width": 32,
    "height": 32,
    "negative_prompt": "blurred",
}


def draw_grid(engine: Engine, pairs: int = 4) -> None:
    while works := plan(engine, target=0, batch=3, pairs=pairs):
        assert {work.origin for work in works} == {Origin.evaluation}
        assert draw(engine, works) == len(works)


def pairs_of(engine: Engine) -> dict[int, list[tuple[int, int]]]:
    found: dict[int, list[tuple[int, int]]] = {}
    for image in images(engine, Origin.evaluation):
        found.setdefault(image.version, []).append((image.prompt_id, image.seed))
    return {version: sorted(pairs) for version, pairs in found.items()}


def test_every_version_draws_the_same_pairs(ready: Engine) -> None:
    draw_grid(ready)
    assert len(pairs_of(ready)[0]) == 4
    assert pairs_of(ready)[0] == pairs_of(ready)[1]
    assert not any(image.is_queued for image in images(ready, Origin.evaluation))


def test_the_pairs_stay_when_prompts_are_added(ready: Engine, publish_version: Callable) -> None:
    draw_grid(ready)
    before = pairs_of(ready)[0]
    add_prompts(ready, [f"another prompt {n}" for n in range(20)])
    assert plan(ready, target=0, pairs=4) == []
    publish_version(ready, 2)
    draw_grid(ready)
    assert pairs_of(ready) == {0: before, 1: before, 2: before}


def test_more_pairs_are_added_to_those_drawn(ready: Engine) -> None:
    draw_grid(ready)
    before = set(pairs_of(ready)[0])
    draw_grid(ready, pairs=6)
    assert before < set(pairs_of(ready)[0]) == set(pairs_of(ready)[1])
    assert len(pairs_of(ready)[0]) == 6


def test_the_queue_comes_before_the_grid(ready: Engine) -> None:
    assert {work.origin for work in plan(ready, pairs=4)} == {Origin.sampled}


def test_evaluation_seeds_are_never_sampling_seeds(ready: Engine) -> None:
    while works := plan(ready, target=300, batch=100):
        draw(ready, works)
    draw_grid(ready, pairs=12)
    assert max(image.seed for image in images(ready, Origin.sampled)) < FIRST_EVALUATION_SEED
    assert min(image.seed for image in images(ready, Origin.evaluation)) >= FIRST_EVALUATION_SEED


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
    keep_claims(ready, "slow", 3, 20)
    assert {(row.step, row.steps) for row in claims(ready)} == {(3, 20)}
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
        works = claim(ready, "bob", batch=2)
        taken.extend(works)
        if is_drawn:
            draw(ready, works)

    after_each_read(ready, other, times=2)
    mine = claim(ready, "ann")
    assert mine
    assert len(taken) > 2
    assert set(mine).isdisjoint(taken)
    assert {row.key for row in claims(ready) if row.worker == "ann"} == set(map(claim_key, mine))


def many_prompts(engine: Engine, prompts: int) -> None:
    with writing(engine) as session:
        session.execute(
            text(
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :prompts) INSERT INTO prompt "
                "(text, source, is_active, created_at) SELECT 'prompt ' || i, '', TRUE, '2026-01-01' FROM n"
            ),
            {"prompts": prompts},
        )


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


def test_a_list_of_a_hundred_thousand_prompts_is_drawn_in_random_order(engine: Engine) -> None:
    begin(engine, "builtin", "0" * 64)
    many_prompts(engine, 100_000)
    works = claim(engine, "ann", batch=64, target=1000) + claim(engine, "bob", batch=64, target=1000)
    places = [work.prompt_id for work in works]
    assert len(set(places)) == len(places)
    assert min(places) < 25_000 and max(places) > 75_000
    assert places != sorted(places)


@pytest.mark.slow
def test_evaluation_sets_of_more_prompts_than_a_statement_takes_values_are_drawn(engine: Engine) -> None:
    begin(engine, "builtin", "0" * 64)
    many_prompts(engine, 40_000)
    new_set(engine, "large", 40_000)
    assert len(claim(engine, "ann", batch=8, target=0)) == 8


def test_a_claim_says_whose_it_is_what_it_is_and_when_it_ends(ready: Engine) -> None:
    now = utc_now()
    works = claim(ready, "ann", now=now)
    assert {(row.worker, row.version, row.origin, row.step, row.steps) for row in claims(ready)} == {
        ("ann", works[0].version, Origin.sampled, 0, 0)
    }
    assert {row.expires_at for row in claims(ready)} == {now + timedelta(seconds=CLAIM_S)}
    assert {row.key for row in claims(ready)} == {claim_key(work) for work in works}


def test_a_worker_renews_and_gives_back_only_its_own(ready: Engine) -> None:
    claim(ready, "ann", batch=2)
    anns = {row.key for row in claims(ready)}
    works = claim(ready, "bob", batch=2)
    keep_claims(ready, "ann", 3, 20)
    assert {(row.worker, row.step, row.steps) for row in claims(ready)} == {("ann", 3, 20), ("bob", 0, 0)}
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


def test_pictures_that_wait_for_a_comparison_fill_the_queue_and_judged_ones_do_not(ready: Engine) -> None:
    draw(ready, plan(ready, batch=4, target=4, base_slice=0))
    draw_grid(ready)
    assert len(plan(ready, target=8, base_slice=0)) == 4
    with writing(ready) as session:
        pair = session.exec(select(Image).where(Image.origin == Origin.evaluation)).first()
        pair.is_queued = True
    assert len(plan(ready, target=8, base_slice=0)) == 3
    [shown] = next_images(ready, "ann", Terms(9, 600), count=1)
    assert len(plan(ready, target=8, base_slice=0)) == 4
    record_votes(ready, "ann", [Press("r", shown.image_id, Verdict.keep)], Terms(9, 600))
    later = utc_now() + timedelta(days=1)
    assert len(next_work(ready, Wanted(8, 8, 0.0, 0), later)) == 4


def test_older_versions_draw_only_the_first_pairs_and_newer_ones_come_first(
    ready: Engine, publish_version: Callable
) -> None:
    publish_version(ready, 2)
    publish_version(ready, 3)
    promote(ready, 2)
    order: list[int] = []
    while works := plan(ready, target=0, batch=5, pairs=20):
        order += [work.version for work in works]
        draw(ready, works)
    assert list(dict.fromkeys(order)) == [3, 2, 1, 0]
    assert {version: order.count(version) for version in (3, 2, 1, 0)} == {3: 20, 2: 20, 1: 12, 0: 20}


def test_seeds_and_prompts_are_those_of_earlier_programs(engine: Engine) -> None:
    add_prompts(engine, ["a red star", "a blue hand", "a green word"])
    begin(engine, "builtin", "0" * 64)
    assert [(work.prompt_id, work.seed) for work in plan(engine, batch=4, base_slice=1.0)] == KNOWN_WORK


KNOWN_WORK = [(2, 1101529512), (3, 190021244), (1, 1399808083), (1, 1165159815)]
