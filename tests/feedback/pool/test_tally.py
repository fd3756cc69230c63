"""The counters, after any history, against SQL that knows nothing of them."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from sqlalchemy import Engine, delete, text
from sqlmodel import select

from feedback.figures.summary import progress, standing, version_rows
from feedback.figures.trend import windows
from feedback.gate.evidence import evidence_rows
from feedback.gate.gate import Evidence
from feedback.pool.curation import Decided, curate, undo
from feedback.pool.pool import how_due
from feedback.pool.tally import COUNTED, count_new_among, differences, new_rejects, rebuild
from feedback.rate.queue import next_images
from feedback.rate.terms import Terms
from feedback.rate.votes import Press, record_votes
from feedback.retrain.manifest import freeze
from feedback.versions import promote, publish, roll_back
from store.engine import writing
from store.errors import BadRequest, TooFewRejects
from store.tables import (
    Alias,
    AliasEvent,
    AliasName,
    EvaluationPair,
    EvaluationSet,
    EvaluationUse,
    Image,
    Lease,
    Manifest,
    ManifestItem,
    Origin,
    PoolAction,
    PoolEvent,
    Verdict,
    Version,
    Vote,
)

RATERS = ("ann", "bob", "cat")
AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
VOTES = st.tuples(st.sampled_from(RATERS), st.integers(1, 10), st.sampled_from(Verdict))
RULINGS = st.tuples(st.integers(1, 10), st.sampled_from([*PoolAction, "undo"]))
STEPS = st.lists(
    st.one_of(VOTES, VOTES, VOTES, RULINGS, st.sampled_from(["publish", "promote", "roll back", "next day"])),
    max_size=50,
)

WORDS = """WITH word AS (
    SELECT v.image_id, v.rater_id, v.verdict, v.received_at, i.version, i.origin, i.prompt_id, i.seed
    FROM vote v JOIN image i ON i.id = v.image_id
    WHERE NOT EXISTS (SELECT 1 FROM vote w WHERE w.image_id = v.image_id AND w.rater_id = v.rater_id AND w.id > v.id)
), judged AS (
    SELECT image_id, version, origin, prompt_id, seed,
           sum(CASE WHEN verdict = 'reject' THEN 1 ELSE 0 END) AS r,
           sum(CASE WHEN verdict = 'keep' THEN 1 ELSE 0 END) AS k,
           (SELECT CASE p.action WHEN 'reject' THEN 1 WHEN 'keep' THEN -1 END FROM pool_event p
            WHERE p.image_id = word.image_id AND p.action IN ('reject', 'keep', 'follow') AND p.id = (
                SELECT max(q.id) FROM pool_event q
                WHERE q.image_id = p.image_id AND q.action IN ('reject', 'keep', 'follow'))) AS ruled
    FROM word GROUP BY image_id, version, origin, prompt_id, seed
)"""
ROWS = f"""{WORDS} SELECT n.number,
    (SELECT count(*) FROM judged j
     WHERE j.version = n.number AND j.origin = 'sampled' AND coalesce(j.ruled, j.r - j.k) > 0),
    (SELECT count(*) FROM judged j
     WHERE j.version = n.number AND j.origin = 'sampled' AND coalesce(j.ruled, j.r - j.k) <> 0),
    (SELECT count(*) FROM word w
     WHERE w.version = n.number AND w.origin = 'sampled' AND w.verdict IN ('reject', 'keep')),
    (SELECT count(DISTINCT rater_id) FROM word w
     WHERE w.version = n.number AND w.origin = 'sampled' AND w.verdict IN ('reject', 'keep')),
    (SELECT coalesce(sum((r + k) * (r + k - 1) / 2), 0) FROM judged j
     WHERE j.version = n.number AND j.origin = 'sampled'),
    (SELECT coalesce(sum((r * (r - 1) + k * (k - 1)) / 2), 0) FROM judged j
     WHERE j.version = n.number AND j.origin = 'sampled')
FROM version n ORDER BY n.number DESC"""
OUT = """coalesce((SELECT p.action = 'exclude' FROM pool_event p WHERE p.id = (
    SELECT max(q.id) FROM pool_event q WHERE q.image_id = judged.image_id
    AND q.action IN ('exclude', 'restore'))), false)"""
NEW = f"""{WORDS} SELECT count(*) FROM judged WHERE origin = 'sampled' AND coalesce(ruled, r - k) > 0
    AND NOT {OUT} AND image_id NOT IN (
    SELECT m.image_id FROM manifest_item m JOIN version v ON v.manifest_id = m.manifest_id
    WHERE v.number = (SELECT max(number) FROM version))"""
PAIRS = f"""{WORDS} SELECT
    sum(CASE WHEN a.r < a.k AND b.r > b.k THEN 1 ELSE 0 END), sum(CASE WHEN a.r > a.k AND b.r < b.k THEN 1 ELSE 0 END),
    sum(CASE WHEN (a.r > a.k AND b.r > b.k) OR (a.r < a.k AND b.r < b.k) THEN 1 ELSE 0 END)
FROM judged a JOIN judged b ON a.prompt_id = b.prompt_id AND a.seed = b.seed AND a.origin = 'evaluation'
    AND b.origin = 'evaluation' AND a.version = :version AND b.version = :champion
JOIN evaluation_pair e ON e.prompt_id = a.prompt_id AND e.seed = a.seed"""


@pytest.fixture
def begun(any_engine: Engine, fill: Callable, publish_version: Callable) -> Engine:
    """Images 1 to 3 of v0 and 4 to 6 of v1; 7, 8 of v0 and 9, 10 of v1 are two evaluation pairs."""
    publish_version(any_engine, 1)
    fill(any_engine, images=3)
    fill(any_engine, images=3, version=1)
    fill(any_engine, images=2, origin=Origin.evaluation)
    fill(any_engine, images=2, version=1, origin=Origin.evaluation)
    with writing(any_engine) as session:
        session.add(EvaluationSet(id=1, name="pairs", sha256="0" * 64))
        session.flush()
        session.add(EvaluationUse(set_id=1))
        for number, twin in ((7, 9), (8, 10)):
            image, other = session.get_one(Image, number), session.get_one(Image, twin)
            other.prompt_id, other.seed = image.prompt_id, image.seed
            pair = {"pair_hash": f"{number:064x}", "ordinal": number, "prompt_id": image.prompt_id, "seed": image.seed}
            session.add(EvaluationPair(set_id=1, **pair))
            session.add(other)
    return any_engine


def start_over(engine: Engine) -> None:
    with writing(engine) as session:
        for table in (*COUNTED, PoolEvent, Vote, Lease):
            session.exec(delete(table))
        session.get_one(Alias, AliasName.champion).version = 0
        session.flush()
        session.exec(delete(AliasEvent).where(AliasEvent.id > 2))
        session.exec(delete(Alias).where(Alias.name == AliasName.challenger))
        session.exec(delete(Version).where(Version.number > 1))
        session.exec(delete(ManifestItem))
        session.exec(delete(Manifest))
        for image in session.exec(select(Image)):
            image.is_queued = True
        rebuild(session)


def live(engine: Engine, steps: list) -> None:
    """Votes, undos, curators' decisions, publications, promotions, rollbacks, through the functions the pages use."""
    for rater in RATERS:
        next_images(engine, rater, Terms(9, 600), count=99)
    day, number, decided = 0, 1, Decided(0, 0, 0)
    for n, step in enumerate(steps):
        try:
            if step == "next day":
                day += 1
            elif step == "publish":
                manifest = freeze(engine, "0" * 64, min_rejects=0)
                number += 1
                with writing(engine) as session:
                    row = {"sha256": f"{number:064x}", "base_model": "builtin", "base_sha256": "0" * 64}
                    publish(session, Version(number=number, parent=0, manifest_id=manifest.id, **row), "")
            elif step == "promote":
                promote(engine, number)
            elif step == "roll back":
                roll_back(engine)
            elif step[1] == "undo":
                decided = undo(engine, decided.first, decided.last, by="root")
            elif len(step) == 2:
                decided = curate(engine, [step[0]], step[1], by="root", reason="because")
            else:
                rater, image, verdict = step
                press = Press(f"{n}", image, verdict)
                now = AT.replace(day=1 + day % 28)
                record_votes(engine, rater, [press], Terms(9, 600), now=lambda at=now: at)
        except (BadRequest, TooFewRejects):
            continue


def ask(engine: Engine, query: str, **values: int) -> list[tuple]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query), values)]


@examples(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_every_figure_of_every_page_is_that_of_an_independent_query(begun: Engine, steps: list) -> None:
    start_over(begun)
    live(begun, steps)
    shown = version_rows(begun)
    by_sql = ask(begun, ROWS)
    assert [(r.number, r.rejected, r.judged, r.votes, r.raters, r.vote_pairs, r.agreeing) for r in shown] == by_sql
    assert [row.rate for row in shown] == [r / judged if judged else None for _, r, judged, *_ in by_sql]
    assert how_due(begun, 1).new_rejects == ask(begun, NEW)[0][0]
    now = standing(begun)
    words = "SELECT count(*), count(DISTINCT rater_id) FROM word WHERE verdict IN ('reject', 'keep')"
    assert (now.votes, now.raters) == ask(begun, f"{WORDS.replace('), judged', '), unused')} {words}")[0]
    lead = "coalesce(ruled, r - k)"
    counts = f"sum(CASE WHEN {lead} > 0 THEN 1 ELSE 0 END), sum(CASE WHEN {lead} < 0 THEN 1 ELSE 0 END)"
    pooled = ask(
        begun,
        f"{WORDS} SELECT coalesce({counts.replace(', sum', ', 0), coalesce(sum')}, 0) FROM judged "
        f"WHERE origin = 'sampled' AND NOT {OUT}",
    )[0]
    assert (now.rejects, now.keeps) == pooled
    assert now.votes == sum(progress(begun, rater).answers for rater in (1, 2, 3))
    champion = next(row.number for row in shown if "champion" in row.aliases)
    for number, evidence in evidence_rows(begun, [row.number for row in shown]).items():
        mended, spoilt, alike = ask(begun, PAIRS, version=number, champion=champion)[0]
        found = Evidence(evidence.mended, evidence.spoilt, evidence.alike)
        assert found == Evidence(mended or 0, spoilt or 0, alike or 0)
    assert sum(window.rejects.whole for window in windows(begun)) == sum(row.votes for row in shown)
    assert differences(begun) == []


@examples(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_counters_made_anew_are_those_that_were_kept(begun: Engine, steps: list) -> None:
    start_over(begun)
    live(begun, steps)

    def figures():
        return [(row.rejected, row.judged, row.votes, row.agreeing) for row in version_rows(begun)], windows(begun)

    kept = figures()
    with writing(begun) as session:
        rebuild(session)
    assert figures() == kept


def test_a_counter_that_is_wrong_is_found(begun: Engine) -> None:
    live(begun, [("ann", 1, Verdict.reject), ("bob", 2, Verdict.keep)])
    assert differences(begun) == []
    with begun.begin() as connection:
        connection.execute(text("UPDATE version_tally SET rejected = 9 WHERE version = 0"))
        connection.execute(text("UPDATE image_tally SET keeps = 5 WHERE image_id = 2"))
        connection.execute(text("DELETE FROM word WHERE image_id = 1"))
        connection.execute(text("UPDATE new_rejects SET count = 7"))
    found = differences(begun)
    assert len(found) == 4
    with writing(begun) as session:
        rebuild(session)
    assert differences(begun) == []


def test_the_differences_are_said_in_sentences(begun: Engine) -> None:
    live(begun, [("ann", 1, Verdict.reject), ("bob", 1, Verdict.reject), ("bob", 2, Verdict.keep)])
    with begun.begin() as connection:
        connection.execute(text("UPDATE version_tally SET rejected = 9 WHERE version = 0 AND origin = 'sampled'"))
        connection.execute(text("UPDATE new_rejects SET count = 7"))
    assert differences(begun) == [
        "the counter of new rejects says 7, the votes say 1",
        "the counter of v0 (sampled) says (9, 1, 0, 1, 1), the votes say (1, 1, 0, 1, 1)",
    ]
    with begun.begin() as connection:
        connection.execute(text("UPDATE image_tally SET keeps = 5 WHERE image_id = 2"))
    assert differences(begun)[0] == "the counter of votes by image differs from the votes in 2 rows"


def test_a_picture_that_was_taken_out_or_is_too_old_is_no_new_reject(begun: Engine) -> None:
    live(begun, [("ann", image, Verdict.reject) for image in (1, 2, 3, 4)])
    curate(begun, [2], PoolAction.exclude, by="root", reason="blurred")
    with writing(begun) as session:
        assert new_rejects(session) == 3
        assert count_new_among(session, select(Image.id).where(Image.id < 4)) == 2
