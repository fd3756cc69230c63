"""Pairs count only when both pictures were drawn alike; else both are drawn again."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import Engine
from sqlmodel import select

from feedback.gate.advice import more_words
from feedback.gate.evidence import evidence_of, guardrails, list_unmeasured, record_measures
from feedback.gate.gate import evidence_words
from feedback.gate.guardrails import Measures
from feedback.rate.queue import next_images
from feedback.rate.terms import Terms
from feedback.rate.votes import Press, record_votes
from feedback.sample.claims import record_images
from feedback.sample.conditions import Conditions
from feedback.sample.evaluation import active_pairs, ensure_default
from feedback.sample.plan import next_work
from feedback.sample.release import release
from feedback.sample.work import Wanted, Work
from store.engine import reading
from store.tables import Image, Origin, Verdict
from tests.conftest import DRAWING

OLD, NEW = Conditions(num_inference_steps=20, width=64), Conditions(num_inference_steps=2, width=64)
PAIRS = 8


@pytest.fixture
def challenged(engine: Engine, fill: Callable, publish_version: Callable) -> Engine:
    """A champion v0 and a challenger v1, and an evaluation set of eight pairs."""
    fill(engine)
    publish_version(engine, 1)
    return engine


def wanted(conditions: Conditions) -> Wanted:
    return Wanted(1000, 1000, 0.5, PAIRS, 1.0, conditions=conditions)


def draw(engine: Engine, conditions: Conditions) -> list[tuple[int, int]]:
    """Draws what is lacking of the evaluation set; version and seed of each picture."""
    drawn: list[tuple[int, int]] = []
    while works := [work for work in next_work(engine, wanted(conditions)) if work.origin is Origin.evaluation]:
        drawn += record(engine, works, conditions)
    return drawn


def draw_all(engine: Engine, version: int, conditions: Conditions) -> None:
    """Draws the whole evaluation set with one version."""
    ensure_default(engine, PAIRS)
    with reading(engine) as session:
        pairs = [(pair.prompt_id, pair.seed) for pair in active_pairs(session)]
    record(engine, [Work(number, "", seed, version, Origin.evaluation) for number, seed in pairs], conditions)


def record(engine: Engine, works: list[Work], conditions: Conditions) -> list[tuple[int, int]]:
    record_images(engine, [named(work, conditions) for work in works], replace(DRAWING, conditions=conditions))
    return [(work.version, work.seed) for work in works]


def named(work: Work, conditions: Conditions) -> tuple[Work, str, str]:
    return work, f"{hash((work.version, work.seed, conditions)) % 2**256:064x}", "0" * 64


def vote(engine: Engine) -> None:
    """Everything of the challenger is rejected, the champion's is kept."""
    release(engine, 1000, 1.0)
    with reading(engine) as session:
        images = {image.id: image for image in session.exec(select(Image))}
    while shown := next_images(engine, "gia", Terms(1, 60), count=24):
        presses = [
            Press(f"r{one.image_id}", one.image_id, Verdict.reject if images[one.image_id].version else Verdict.keep)
            for one in shown
        ]
        record_votes(engine, "gia", presses, Terms(1, 60))


def test_pairs_drawn_under_other_settings_do_not_count_and_the_words_say_so(challenged):
    draw_all(challenged, 0, OLD)
    draw_all(challenged, 1, NEW)
    vote(challenged)
    evidence = evidence_of(challenged, 1)
    assert (evidence.judged, evidence.unlike) == (0, PAIRS)
    said = "8 pairs were drawn under different settings, do not count, and are drawn again"
    assert said in more_words(evidence)
    assert said in evidence_words(evidence)


def test_what_was_drawn_differently_is_drawn_again_by_whoever_lacks_it_and_then_counts(challenged):
    draw_all(challenged, 0, OLD)
    draw_all(challenged, 1, NEW)
    again = draw(challenged, NEW)
    assert sorted(again) == sorted({(0, seed) for _, seed in again})
    assert len(again) == PAIRS
    assert draw(challenged, NEW) == []
    vote(challenged)
    evidence = evidence_of(challenged, 1)
    assert (evidence.judged, evidence.spoilt, evidence.unlike) == (PAIRS, PAIRS, 0)


def test_pairs_that_both_drew_alike_stay_pairs_when_the_settings_change(challenged):
    draw(challenged, OLD)
    assert draw(challenged, NEW) == []
    vote(challenged)
    assert evidence_of(challenged, 1).judged == PAIRS


def test_pictures_whose_conditions_are_not_known_count_as_before(challenged):
    draw_all(challenged, 0, Conditions())
    draw_all(challenged, 1, NEW)
    vote(challenged)
    assert evidence_of(challenged, 1).judged == PAIRS


def test_guardrails_compare_only_what_was_drawn_alike(challenged):
    draw_all(challenged, 0, OLD)
    draw_all(challenged, 1, NEW)
    rows = list_unmeasured(challenged, 100)
    record_measures(challenged, [(row[0], Measures(0.5, 0.5, 0.5, "00" * 192)) for row in rows])
    assert guardrails(challenged, 1, 0) == []
    draw(challenged, NEW)
    rows = list_unmeasured(challenged, 100)
    record_measures(challenged, [(row[0], Measures(0.5, 0.5, 0.5, "00" * 192)) for row in rows])
    assert guardrails(challenged, 1, 0) != []


def test_a_version_whose_check_draws_again_is_compared_with_one_that_has_none_and_not_with_fewer_tries(challenged):
    draw_all(challenged, 0, OLD)
    draw_all(challenged, 1, replace(OLD, tries=3))
    assert draw(challenged, replace(OLD, tries=3)) == []
    vote(challenged)
    assert evidence_of(challenged, 1).judged == PAIRS


def test_pairs_drawn_with_another_number_of_tries_are_drawn_again(challenged):
    draw_all(challenged, 0, replace(OLD, tries=1))
    draw_all(challenged, 1, replace(OLD, tries=3))
    again = draw(challenged, replace(OLD, tries=3))
    assert sorted(again) == sorted({(0, seed) for _, seed in again})
    assert len(again) == PAIRS
