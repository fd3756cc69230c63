from collections.abc import Callable
from itertools import pairwise

import pytest
from sqlalchemy import Engine
from sqlmodel import select

from feedback.rate.queue import next_images
from feedback.rate.terms import Terms
from feedback.rate.votes import Press, record_votes
from feedback.sample.claims import record_images
from feedback.sample.evaluation import import_set
from feedback.sample.prompts import add_prompts
from feedback.sample.release import release
from feedback.sample.work import Drawing, Job, Work
from feedback.versions import promote
from store.engine import reading
from store.tables import Image, Origin, Prompt, Verdict

PAIRS = 6


@pytest.fixture
def compared(any_engine: Engine, publish_version: Callable) -> Engine:
    """v1 is champion, v2 challenger; v0, v1 and v2 have drawn six pairs, and v2 one that is in no set."""
    add_prompts(any_engine, ["a red star"])
    publish_version(any_engine, 1)
    promote(any_engine, 1)
    publish_version(any_engine, 2)
    import_set(any_engine, "mine", [Job("a red star", seed) for seed in range(PAIRS)])
    with reading(any_engine) as session:
        prompt = session.exec(select(Prompt.id)).one()
    for version, seeds in ((0, range(PAIRS)), (1, range(PAIRS)), (2, range(PAIRS + 1))):
        works = [Work(prompt, "a red star", seed, version, Origin.evaluation) for seed in seeds]
        drawn = [(work, f"{version}{work.seed:063x}", f"{version}{work.seed:063x}") for work in works]
        record_images(any_engine, drawn, Drawing("plain", 0.0, 3.0, 10, 64, 64))
    return any_engine


def waiting(engine: Engine) -> list[tuple[int, int]]:
    with reading(engine) as session:
        rows = session.exec(select(Image.version, Image.seed).where(Image.is_queued).order_by(Image.id))
        return [tuple(row) for row in rows]


def judge_all(engine: Engine) -> None:
    for shown in next_images(engine, "ann", Terms(1, 600), count=99):
        record_votes(engine, "ann", [Press(f"r{shown.image_id}", shown.image_id, Verdict.keep)], Terms(1, 600))


def test_a_share_of_the_queue_is_released_and_no_more(compared: Engine) -> None:
    assert release(compared, 20, 0.25) == 5
    assert len(waiting(compared)) == 5
    assert release(compared, 20, 0.25) == 0
    assert release(compared, 20, 0.3) == 1


def test_at_least_one_waits_but_none_where_no_share_is_asked_for(compared: Engine) -> None:
    assert release(compared, 20, 0.0) == 0
    assert release(compared, 2, 0.01) == 1
    assert release(compared, 2, 0.01) == 0


def test_only_pairs_of_the_set_by_champion_and_challenger_are_released_and_each_once(compared: Engine) -> None:
    total = 0
    while released := release(compared, 4, 1.0):
        total += released
        assert {version for version, _ in waiting(compared)} <= {1, 2}
        assert all(seed < PAIRS for _, seed in waiting(compared))
        judge_all(compared)
        assert waiting(compared) == []
    assert total == 2 * PAIRS


def test_the_pictures_of_a_pair_do_not_come_together(compared: Engine) -> None:
    order: list[tuple[int, int]] = []
    while release(compared, 1, 1.0):
        order += waiting(compared)
        judge_all(compared)
    assert len(order) == 2 * PAIRS
    assert order != sorted(order)
    assert sum(one[1] == other[1] for one, other in pairwise(order)) <= PAIRS // 2


def test_after_a_promotion_the_first_pairs_are_released(compared: Engine) -> None:
    promote(compared, 2)
    assert release(compared, 20, 1.0) == 2 * PAIRS
    assert {version for version, _ in waiting(compared)} == {1, 2}


def test_without_two_versions_to_compare_nothing_is_released(any_engine: Engine, publish_version: Callable) -> None:
    publish_version(any_engine, 1)
    assert release(any_engine, 20, 1.0) == 0
    assert waiting(any_engine) == []
