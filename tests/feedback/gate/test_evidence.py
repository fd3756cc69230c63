"""A challenger before the gate: drawn on the champion's pairs, rated blind, decided by the votes."""

from collections.abc import Callable
from itertools import pairwise

import pytest
from sqlalchemy import Engine
from sqlmodel import col, select

from feedback.figures.summary import version_rows
from feedback.gate.by_hand import list_objections, promote_by_hand, set_aside
from feedback.gate.comparison import compare_versions, current_pairs
from feedback.gate.evidence import (
    evidence_of,
    evidence_rows,
    list_unmeasured,
    look_after_promotion,
    record_measures,
    run_gate,
)
from feedback.gate.gate import Conclusion, Step
from feedback.gate.guardrails import Measures
from feedback.pool.pool import how_due, pool
from feedback.rate.queue import next_images
from feedback.rate.terms import Terms
from feedback.rate.votes import Press, record_votes
from feedback.sample.claims import record_images
from feedback.sample.evaluation import ensure_default
from feedback.sample.plan import next_work
from feedback.sample.release import AFTER_PROMOTION, release
from feedback.sample.work import Drawing, Wanted
from feedback.succession import AT_ONCE
from feedback.versions import champion, events, promote, roll_back, withdraw
from store.engine import reading
from store.errors import BadRequest
from store.files import sha256_of
from store.layout import Layout
from store.tables import Action, Image, Origin, Verdict

DRAWING = Drawing("plain", 0.0, 3.0, 10, 64, 64)
PAIRS = 30
PLAN = Wanted(target=12, batch=4, base_slice=0.0, pairs=PAIRS, evaluation_share=0.5)


@pytest.fixture
def layout(tmp_path) -> Layout:
    """A data folder with the files of v1 in place."""
    return Layout(tmp_path / "files")


@pytest.fixture
def challenged(any_engine: Engine, fill: Callable, publish_version: Callable, layout: Layout) -> Engine:
    """v0 is champion, v1 challenges it with real files behind it."""
    fill(any_engine, images=1)
    layout.versions.mkdir(parents=True)
    published(any_engine, publish_version, layout, 1)
    ensure_default(any_engine, PAIRS)
    return any_engine


def published(engine: Engine, publish_version: Callable, layout: Layout, number: int) -> None:
    files = {"sha256": f"diffusers {number}".encode(), "kohya_sha256": f"kohya {number}".encode()}
    names = {column: sha256_of(body) for column, body in files.items()}
    folder = layout.version_folder(names["sha256"])
    folder.mkdir()
    (folder / "pytorch_lora_weights.safetensors").write_bytes(files["sha256"])
    (folder / "naysayer_kohya.safetensors").write_bytes(files["kohya_sha256"])
    publish_version(engine, number, **names)


def draw_and_rate(engine: Engine, word: Callable[[Image], Verdict]) -> list[Image]:
    """One round without a model: what was rated."""
    works = next_work(engine, PLAN)
    record_images(engine, [(w, sha256_of(repr(w).encode()), "0" * 64) for w in works], DRAWING)
    release(engine, PLAN.target, PLAN.evaluation_share)
    with reading(engine) as session:
        shown = next_images(engine, "ann", Terms(1, 60), count=2)
        images = [session.get_one(Image, one.image_id) for one in shown]
    presses = [Press(f"p{image.id}", image.id or 0, word(image)) for image in images]
    assert not any(r.refused for r in record_votes(engine, "ann", presses, Terms(1, 60)))
    return images


def rate(engine: Engine, word: Callable[[Image], Verdict], rounds: int = 200) -> list[Image]:
    """The loop without a model: draw, release, rate; the images in the order they were rated."""
    rated = []
    for _ in range(rounds):
        images = draw_and_rate(engine, word)
        rated += images
        decision = run_gate(engine, Layout(layout_root(engine)))
        if decision is not None and decision.step is not Step.wait:
            break
    return rated


def layout_root(engine: Engine):
    return LAYOUTS[str(engine.url)]


LAYOUTS: dict = {}


@pytest.fixture(autouse=True)
def remember(any_engine: Engine, layout: Layout) -> None:
    LAYOUTS[str(any_engine.url)] = layout.root


def likes_v1(image: Image) -> Verdict:
    return Verdict.keep if image.version == 1 or image.origin is Origin.sampled else Verdict.reject


def likes_v0(image: Image) -> Verdict:
    return Verdict.keep if image.version == 0 else Verdict.reject


def likes_all(image: Image) -> Verdict:
    return Verdict.keep


def last_event(engine: Engine) -> tuple[Action, str]:
    return events(engine)[0].action, events(engine)[0].reason


def test_a_better_challenger_promotes_itself_on_blind_votes(challenged: Engine) -> None:
    rated = rate(challenged, likes_v1)
    assert champion(challenged).number == 1
    action, reason = last_event(challenged)
    assert action is Action.promote
    assert reason.startswith("better: of ")
    mixed = [image.origin for image in rated]
    assert {Origin.sampled, Origin.evaluation} == set(mixed)
    evaluated = [(image.prompt_id, image.seed) for image in rated if image.origin is Origin.evaluation]
    neighbours = sum(a == b for a, b in pairwise(evaluated))
    assert neighbours <= len(evaluated) // 4, "the pairs were not split across time"


def test_a_worse_challenger_is_refused_and_challenges_no_more(challenged: Engine) -> None:
    rate(challenged, likes_v0)
    assert champion(challenged).number == 0
    action, reason = last_event(challenged)
    assert (action, reason.split(":")[0]) == (Action.refuse, "worse")
    assert run_gate(challenged, Layout(layout_root(challenged))) is None
    assert not waiting(challenged, Origin.evaluation)


def test_a_set_that_is_used_up_finds_no_difference(challenged: Engine) -> None:
    rate(challenged, likes_all)
    action, reason = last_event(challenged)
    assert (action, reason.split(":")[0]) == (Action.no_difference, "no difference found")
    assert f"of {PAIRS} pairs" in reason
    assert champion(challenged).number == 0


def test_a_version_whose_files_changed_is_refused_however_good_its_votes(challenged: Engine, layout: Layout) -> None:
    version = champion(challenged)
    assert version.number == 0
    (next(layout.versions.glob("?" * 64)) / "naysayer_kohya.safetensors").write_bytes(b"something else")
    rate(challenged, likes_v1)
    action, reason = last_event(challenged)
    assert action is Action.refuse
    assert "naysayer_kohya.safetensors is not the file that was published" in reason


def test_evaluation_images_count_for_the_gate_and_nowhere_else(challenged: Engine) -> None:
    rate(challenged, likes_v1)
    rows = {row.number: row for row in version_rows(challenged)}
    with reading(challenged) as session:
        pooled = {session.get_one(Image, p.image_id).origin for p in pool(session)}
        sampled = len(session.exec(select(Image.id).where(Image.origin == Origin.sampled, ~col(Image.is_queued))).all())
    assert pooled == {Origin.sampled}
    assert sum(row.judged for row in rows.values()) <= sampled
    assert rows[0].rejected == 0
    assert how_due(challenged, 1).new_rejects == 0


def waiting(engine: Engine, origin: Origin) -> list[Image]:
    with reading(engine) as session:
        return list(session.exec(select(Image).where(col(Image.is_queued), Image.origin == origin)))


def test_the_queue_holds_its_share_of_evaluation_pictures_and_no_more(challenged: Engine) -> None:
    for _ in range(30):
        works = next_work(challenged, PLAN)
        record_images(challenged, [(w, sha256_of(repr(w).encode()), "0" * 64) for w in works], DRAWING)
        release(challenged, PLAN.target, PLAN.evaluation_share)
        assert len(waiting(challenged, Origin.evaluation)) <= 6
    assert len(waiting(challenged, Origin.evaluation)) == 6
    assert {image.version for image in waiting(challenged, Origin.evaluation)} == {0, 1}


def test_a_withdrawn_version_leaves_the_queue_and_cannot_be_promoted(challenged: Engine, layout: Layout) -> None:
    for _ in range(6):
        works = next_work(challenged, PLAN)
        record_images(challenged, [(w, sha256_of(repr(w).encode()), "0" * 64) for w in works], DRAWING)
        release(challenged, PLAN.target, PLAN.evaluation_share)
    assert withdraw(challenged, 1, "six fingers") == 0
    assert not [image for image in waiting(challenged, Origin.evaluation) if image.version == 1]
    with pytest.raises(BadRequest, match="was withdrawn"):
        promote(challenged, 1)
    with pytest.raises(BadRequest, match="withdrawn before"):
        withdraw(challenged, 1, "again")
    with pytest.raises(BadRequest, match="plain base"):
        withdraw(challenged, 0, "no")
    assert last_event(challenged) == (Action.withdraw, "six fingers")
    assert [row.is_withdrawn for row in version_rows(challenged)] == [True, False]


def test_withdrawing_the_champion_brings_the_one_before_back(
    challenged: Engine, publish_version: Callable, layout: Layout
) -> None:
    for number in (2, 3):
        published(challenged, publish_version, layout, number)
    for number in (1, 2, 1, 3):
        promote(challenged, number)
    assert withdraw(challenged, 3, "bad") == 1
    assert withdraw(challenged, 2, "bad too") == 1
    assert roll_back(challenged) == 0
    with pytest.raises(BadRequest, match="no earlier champion"):
        roll_back(challenged)


def test_pictures_measured_as_black_refuse_what_the_votes_like(challenged: Engine) -> None:
    def measure(engine: Engine) -> None:
        found = list_unmeasured(engine, 500)
        with reading(engine) as session:
            versions = {n: session.get_one(Image, n).version for n, _, _ in found}
        record_measures(
            engine,
            [(n, Measures(0.0 if versions[n] else 0.5, 0.3, 0.2, sha[:64].ljust(384, "5"))) for n, sha, _ in found],
        )
        assert list_unmeasured(engine, 500) == []

    def word(image: Image) -> Verdict:
        measure(challenged)
        return likes_v1(image)

    rate(challenged, word)
    action, reason = last_event(challenged)
    assert action is Action.refuse
    assert "black or blank pictures" in reason


def test_a_decision_that_comes_late_changes_nothing(
    challenged: Engine, publish_version: Callable, layout: Layout
) -> None:
    from feedback.versions import conclude

    published(challenged, publish_version, layout, 2)
    before = len(events(challenged))
    assert not conclude(challenged, Action.promote, 1, 0, "of a comparison with v1 that is over")
    assert len(events(challenged)) == before


def rate_after_promotion(engine: Engine, word: Callable[[Image], Verdict], rounds: int = 60) -> int:
    """The loop without a model while promotion is automatic; how many evaluation pictures were rated."""
    rated = 0
    for _ in range(rounds):
        rated += sum(image.origin is Origin.evaluation for image in draw_and_rate(engine, word))
        look_after_promotion(engine)
    return rated


def test_a_few_pairs_of_a_version_promoted_at_once_are_rated_and_it_stays_when_it_is_no_worse(challenged: Engine):
    promote(challenged, 1, AT_ONCE)
    assert rate_after_promotion(challenged, likes_v1) == 2 * AFTER_PROMOTION
    assert champion(challenged).number == 1
    found = compare_versions(challenged, 1, 0)
    assert (found.evidence.judged, found.is_live, found.is_challenge) == (AFTER_PROMOTION, True, False)
    assert found.evidence.conclusion is Conclusion.better
    assert len(found.better) == 3
    assert found.worse == ()
    assert len({pair.prompt for pair in found.better}) == 3


def test_a_version_promoted_at_once_goes_back_by_itself_when_its_pairs_are_worse_and_stays_back(challenged: Engine):
    promote(challenged, 1, AT_ONCE)
    rate_after_promotion(challenged, likes_v0)
    assert champion(challenged).number == 0
    action, reason = last_event(challenged)
    assert action is Action.roll_back
    assert reason.startswith("worse: of ")
    before = len(events(challenged))
    assert look_after_promotion(challenged) is None
    assert run_gate(challenged, Layout(layout_root(challenged))) is None
    assert len(events(challenged)) == before
    assert current_pairs(challenged) == [(1, 0)]
    found = compare_versions(challenged, 1, 0)
    assert found.decided is not None
    assert found.decided.action is Action.roll_back


def test_what_a_person_promoted_does_not_go_back_by_itself(challenged: Engine):
    promote(challenged, 1, "I want it")
    rate_after_promotion(challenged, likes_v0)
    assert champion(challenged).number == 1
    assert compare_versions(challenged, 1, 0).evidence.conclusion is Conclusion.worse


def test_the_card_stays_after_the_decision(challenged: Engine):
    assert current_pairs(challenged) == [(1, 0)]
    rate(challenged, likes_v0)
    assert current_pairs(challenged) == [(1, 0)]
    found = compare_versions(challenged, 1, 0)
    assert (found.is_challenge, found.is_live) == (False, False)
    assert found.decided is not None
    assert found.decided.action is Action.refuse
    assert found.evidence.rates == (1.0, 0.0)


def test_the_votes_that_call_the_base_worse_forbid_to_promote_it(challenged: Engine, layout: Layout):
    rate(challenged, likes_v1)
    with pytest.raises(BadRequest, match="v0 was not promoted: worse: of "):
        promote_by_hand(challenged, layout, 0, "back to the start")
    assert champion(challenged).number == 1


def test_a_challenger_that_a_person_sets_aside_challenges_no_more(challenged: Engine):
    set_aside(challenged, 1, "dull colours")
    assert last_event(challenged) == (Action.no_difference, "dull colours")
    with pytest.raises(BadRequest, match="v1 is not the challenger"):
        set_aside(challenged, 1, "again")


def test_the_rows_compare_every_version_with_the_champion(challenged: Engine) -> None:
    rate(challenged, likes_v1)
    rows = evidence_rows(challenged, [0, 1])
    assert set(rows) == {0}
    assert rows[0].conclusion is Conclusion.worse
    assert rows[0].difference > 0


def test_a_person_may_promote_what_is_not_yet_known_but_must_force_what_is_worse(
    challenged: Engine, layout: Layout
) -> None:
    assert list_objections(challenged, layout, 1) == []
    rate(challenged, likes_v0)
    assert evidence_of(challenged, 1).conclusion is Conclusion.worse
    with pytest.raises(BadRequest, match="worse: of "):
        promote_by_hand(challenged, layout, 1, "I like it")
    with pytest.raises(BadRequest, match="needs a reason"):
        promote_by_hand(challenged, layout, 1, "", force=True)
    assert champion(challenged).number == 0
    promote_by_hand(challenged, layout, 1, "a demonstration", force=True)
    assert champion(challenged).number == 1
    assert last_event(challenged)[1].startswith("a demonstration (forced: worse: of ")
