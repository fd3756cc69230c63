from collections import Counter
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import Engine
from sqlmodel import select

from feedback.rate.queue import next_images
from feedback.rate.terms import Terms
from feedback.rate.votes import Press, record_votes
from feedback.sample.evaluation import FIRST_EVALUATION_SEED, new_set
from feedback.sample.plan import next_work
from feedback.sample.prompts import add_prompts, list_prompts
from feedback.sample.setting_aside import Change, Which, change_prompts, weigh_prompts
from feedback.sample.work import Wanted
from feedback.versions import begin, promote
from store.engine import writing
from store.tables import Image, Origin, Prompt, Verdict, utc_now
from tests.feedback.sample.planned import draw, draw_grid, images, many_prompts, plan
from tests.feedback.sample.test_claims import claim


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


def test_a_prompt_that_weighs_three_times_as_much_is_drawn_three_times_in_each_round(ready: Engine) -> None:
    add_prompts(ready, ["a heavy stone", "a feather"])
    weigh_prompts(ready, Which(["a heavy stone"]), 3)
    turns = sum(prompt.weight for prompt in list_prompts(ready))
    while works := plan(ready, target=2 * turns, batch=5):
        draw(ready, works)
    drawn = Counter(image.prompt_id for image in images(ready, Origin.sampled))
    assert drawn == {prompt.id: 2 * prompt.weight for prompt in list_prompts(ready)}
    change_prompts(ready, Which(["a heavy stone"]), Change.pause)
    assert "a heavy stone" not in {work.prompt for work in plan(ready, target=200, batch=100)}
