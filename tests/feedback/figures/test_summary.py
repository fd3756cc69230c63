"""The figures, against a brute-force reading of the same history and against SQL written another way."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from sqlalchemy import Engine, delete, text
from sqlmodel import col, select

from feedback.figures.summary import (
    Progress,
    newest_blobs,
    progress,
    rating_state,
    same_seed_grid,
    standing,
    version_rows,
)
from feedback.people.decisions import Decision, decide
from feedback.pool.pool import pool
from feedback.pool.tally import rebuild
from feedback.pool.verdicts import outcome, outcome_of_counts
from feedback.rate.queue import next_images
from feedback.rate.raters import rater_id
from feedback.rate.terms import Terms
from feedback.rate.votes import Press, record_votes
from feedback.retrain.manifest import freeze
from feedback.sample.claims import record_images
from feedback.sample.work import Drawing, Work
from feedback.statistics import confidence_sequence
from feedback.versions import promote, withdraw
from store.engine import reading, writing
from store.tables import (
    CurrentVote,
    EvaluationPair,
    EvaluationSet,
    EvaluationUse,
    Image,
    Origin,
    Prompt,
    Rater,
    RaterAction,
    Run,
    RunStatus,
    Verdict,
    Vote,
    utc_now,
)
from tests.feedback.oracle import counts_by_image

RATERS = ("ann", "bob", "cat")
History = list[tuple[int, int, Verdict]]
HISTORIES = st.lists(st.tuples(st.integers(1, 3), st.integers(1, 8), st.sampled_from(Verdict)), max_size=60)

BY_SQL = """
WITH word AS (
    SELECT image_id, rater_id, verdict,
           row_number() OVER (PARTITION BY image_id, rater_id ORDER BY id DESC) AS age FROM vote
), tally AS (
    SELECT image.version, image.id,
           count(CASE WHEN word.verdict = 'reject' THEN 1 END) AS rejects,
           count(CASE WHEN word.verdict = 'keep' THEN 1 END) AS keeps
    FROM image JOIN word ON word.image_id = image.id AND word.age = 1
    WHERE image.origin = 'sampled' GROUP BY image.version, image.id
)
SELECT version.number,
       coalesce(sum(CASE WHEN rejects > keeps THEN 1 END), 0),
       coalesce(sum(CASE WHEN rejects <> keeps THEN 1 END), 0),
       coalesce(sum(rejects + keeps), 0)
FROM version LEFT JOIN tally ON tally.version = version.number
GROUP BY version.number ORDER BY version.number DESC
"""


@pytest.fixture
def rated(any_engine: Engine, fill: Callable, publish_version: Callable) -> Engine:
    """Images 1 to 3 of the base, 4 to 6 of v1, 7 and 8 of the grid; three raters."""
    publish_version(any_engine, 1)
    fill(any_engine, images=3)
    fill(any_engine, images=3, version=1)
    fill(any_engine, images=2, origin=Origin.evaluation)
    with writing(any_engine) as session:
        assert [rater_id(session, name) for name in RATERS] == [1, 2, 3]
    return any_engine


def write_history(engine: Engine, history: History) -> None:
    with writing(engine) as session:
        session.exec(delete(CurrentVote))
        session.exec(delete(Vote))
        for n, (rater, image, verdict) in enumerate(history):
            session.add(Vote(request_id=f"{n}", rater_id=rater, image_id=image, verdict=verdict))
            session.flush()
        rebuild(session)


def last_words(history: History) -> dict[int, list[Verdict]]:
    """The newest word of each rater on each image, by replaying the history."""
    words: dict[tuple[int, int], Verdict] = {}
    for rater, image, verdict in history:
        words[image, rater] = verdict
    by_image: dict[int, list[Verdict]] = {}
    for (image, _), verdict in words.items():
        by_image.setdefault(image, []).append(verdict)
    return by_image


def by_hand(words: list[Verdict]) -> str:
    balance = sum({Verdict.reject: 1, Verdict.keep: -1}.get(word, 0) for word in words)
    if balance:
        return "reject" if balance > 0 else "keep"
    return "disputed" if Verdict.reject in words else "unrated"


@examples(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=HISTORIES)
def test_any_history_gives_the_verdicts_of_its_replay(rated: Engine, history: History) -> None:
    write_history(rated, history)
    words = last_words(history)
    with reading(rated) as session:
        found = {image: outcome_of_counts(r, k).value for image, r, k in session.exec(counts_by_image())}
        pooled = [(p.image_id, p.role.value) for p in pool(session)]
    assert found == {image: by_hand(votes) for image, votes in words.items()}
    assert found == {image: outcome(votes).value for image, votes in words.items()}
    assert pooled == [(image, found[image]) for image in range(1, 7) if found.get(image) in ("reject", "keep")]


@examples(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=HISTORIES)
def test_the_figures_are_the_sums_over_current_votes(rated: Engine, history: History) -> None:
    write_history(rated, history)
    words = last_words(history)
    with rated.connect() as connection:
        by_sql = [tuple(row) for row in connection.execute(text(BY_SQL))]
    shown = version_rows(rated)
    assert [(row.number, row.rejected, row.judged, row.votes) for row in shown] == by_sql
    now = standing(rated)
    counted = [by_hand(votes) for image, votes in words.items() if image <= 6]  # 7 and 8 are of the grid
    assert (now.rejects, now.keeps, now.disputed) == tuple(map(counted.count, ("reject", "keep", "disputed")))
    judging = {Verdict.reject, Verdict.keep}
    assert now.votes == now.votes_today == sum(word in judging for votes in words.values() for word in votes)
    assert now.votes == sum(progress(rated, rater).answers for rater in (1, 2, 3))


def test_a_version_shows_its_raters_its_aliases_and_its_interval(rated: Engine) -> None:
    keep, reject = Verdict.keep, Verdict.reject
    write_history(rated, [(1, 4, reject), (2, 5, keep), (2, 6, keep), (3, 6, reject), (3, 1, Verdict.skip)])
    v1, v0 = version_rows(rated)
    assert (v1.aliases, v1.rejected, v1.judged, v1.votes, v1.raters) == (("challenger",), 1, 2, 4, 3)
    assert v1.rate == 0.5
    assert [round(end, 4) for end in v1.interval] == [0.0945, 0.9055]
    assert (v0.aliases, v0.judged, v0.votes, v0.raters, v0.rate) == (("champion",), 0, 0, 0, None)
    promote(rated, 1)
    assert [row.aliases for row in version_rows(rated)] == [("champion",), ()]


def test_an_empty_store_shows_zeros(any_engine: Engine) -> None:
    now = standing(any_engine)
    assert (now.drawn, now.votes, now.votes_today, now.raters, now.rejects, now.waiting) == (0,) * 6
    assert (now.run, version_rows(any_engine), same_seed_grid(any_engine)) == (None, [], [])


def test_an_image_waits_until_somebody_touches_it(rated: Engine) -> None:
    assert standing(rated).waiting == 6
    write_history(rated, [(1, 1, Verdict.skip), (1, 2, Verdict.reject), (1, 2, Verdict.undo)])
    assert (standing(rated).waiting, standing(rated).drawn) == (4, 8)


def test_today_begins_at_midnight_utc(rated: Engine) -> None:
    midnight = datetime(2026, 3, 1, tzinfo=UTC)
    for n, at in enumerate([midnight - timedelta(microseconds=1), midnight, midnight + timedelta(hours=23)]):
        vote_at(rated, n, 1 + n, Verdict.keep, at)
    evening = midnight + timedelta(hours=23, minutes=59)
    assert (standing(rated, evening).votes, standing(rated, evening).votes_today) == (3, 2)
    assert (progress(rated, 1, evening).answers, progress(rated, 1, evening).today) == (3, 2)


def test_an_excluded_rater_sees_the_same_progress(rated: Engine) -> None:
    now = datetime(2026, 3, 1, 12, tzinfo=UTC)
    for n, verdict in enumerate([Verdict.keep, Verdict.reject, Verdict.skip]):
        vote_at(rated, n, 1 + n, verdict, now)
    before = rating_state(rated, "ann", now).progress
    decide(rated, "ann", Decision(RaterAction.exclude, "a test", "to see"))
    assert rating_state(rated, "ann", now).progress == before == Progress(2, 2)
    vote_at(rated, 3, 4, Verdict.keep, now)
    assert rating_state(rated, "ann", now).progress == Progress(3, 3)
    assert rating_state(rated, "nobody", now).progress == Progress(0, 0)


def vote_at(engine: Engine, n: int, image: int, verdict: Verdict, at: datetime, rater: str = "ann") -> None:
    next_images(engine, rater, Terms(9, 600), count=9)
    press = Press(f"{rater} {n}", image, verdict, shown_at=at, decided_at=at)
    [receipt] = record_votes(engine, rater, [press], Terms(9, 600), now=lambda: at)
    assert not receipt.refused


NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
CLOCKS = {
    "steady": lambda n: NOON + timedelta(seconds=n),
    "back an hour each vote": lambda n: NOON - timedelta(hours=n),
    "forward a year in between": lambda n: NOON + timedelta(days=365 * (n % 2)),
    "equal stamps": lambda n: NOON,
}


@pytest.mark.parametrize("clock", CLOCKS)
def test_a_clock_that_is_wrong_changes_no_figure(clock: str, rated: Engine) -> None:
    keep, reject, undo = Verdict.keep, Verdict.reject, Verdict.undo
    history = [("ann", 1, keep), ("ann", 1, reject), ("bob", 1, reject), ("ann", 2, reject), ("ann", 2, undo)]
    history += [("bob", 4, reject), ("bob", 4, keep), ("ann", 4, keep), ("ann", 5, undo), ("ann", 5, reject)]
    for n, (rater, image, verdict) in enumerate(history):
        vote_at(rated, n, image, verdict, CLOCKS[clock](n), rater)
    rows = [(row.number, row.rejected, row.judged, row.votes, row.raters) for row in version_rows(rated)]
    assert rows == [(1, 1, 2, 3, 2), (0, 1, 1, 2, 2)]
    with reading(rated) as session:
        pooled = [(p.image_id, p.role.value, p.rejects, p.keeps) for p in pool(session)]
        stamps = list(session.exec(select(Vote.received_at).order_by(col(Vote.id))))
    assert pooled == [(1, "reject", 2, 0), (4, "keep", 0, 2), (5, "reject", 1, 0)]
    assert stamps == [CLOCKS[clock](n) for n in range(len(history))]


def test_the_grid_has_one_row_a_pair_with_the_picture_of_each_version(rated: Engine) -> None:
    with reading(rated) as session:
        pictures = session.exec(select(Image).where(Image.origin == Origin.evaluation).order_by(Image.id)).all()
    first = pictures[0]
    work = Work(first.prompt_id, "a red star", first.seed, 1, Origin.evaluation)
    record_images(rated, [(work, "b" * 64, "c" * 64)], Drawing("same-prompt", 2.0, 3.0, 10, 64, 64))
    grid = same_seed_grid(rated)
    assert [(pair.seed, pair.pictures) for pair in grid] == [
        (first.seed, {0: first.sha256, 1: "b" * 64}),
        (pictures[1].seed, {0: pictures[1].sha256}),
    ]


def test_rows_carry_their_time_in_utc(rated: Engine) -> None:
    with reading(rated) as session:
        created = [row.created_at for row in session.exec(select(Rater))]
    assert all(at.utcoffset() == timedelta(0) and abs(utc_now() - at) < timedelta(minutes=5) for at in created)


def test_the_newest_pictures_tell_their_files(any_engine: Engine, fill: Callable) -> None:
    assert newest_blobs(any_engine, 5) == []
    fill(any_engine, images=3)
    with writing(any_engine) as session:
        session.get_one(Image, 2).latent_sha256 = None
        hashes = {n: (session.get_one(Image, n).sha256, session.get_one(Image, n).latent_sha256) for n in (1, 2, 3)}
    assert newest_blobs(any_engine, 2) == [*hashes[3], hashes[2][0]]


def test_the_grid_is_in_the_order_of_the_set_and_then_of_the_seeds_and_shows_the_newest_picture(rated: Engine) -> None:
    with writing(rated) as session:
        first, second = session.exec(select(Image).where(Image.origin == Origin.evaluation).order_by(Image.id)).all()
        session.add(EvaluationSet(id=1, name="pairs", sha256="0" * 64))
        session.flush()
        session.add(EvaluationUse(set_id=1))
        for place, image in enumerate((second,)):
            session.add(
                EvaluationPair(
                    set_id=1, pair_hash=f"{place:064x}", ordinal=place, prompt_id=image.prompt_id, seed=image.seed
                )
            )
    other = replace(Drawing("same-prompt", 2.0, 3.0, 10, 64, 64), num_inference_steps=11)
    works = [Work(first.prompt_id, "x", seed, 0, Origin.evaluation) for seed in (first.seed, first.seed - 1)]
    record_images(rated, [(work, f"{n + 1:x}" * 64, "c" * 64) for n, work in enumerate(works)], other)
    press = [(1, first.id, Verdict.reject), (1, second.id, Verdict.keep), (2, second.id, Verdict.reject)]
    write_history(rated, press)
    grid = same_seed_grid(rated)
    assert [(pair.seed, pair.pictures, pair.outcomes) for pair in grid] == [
        (second.seed, {0: second.sha256}, {0: "disputed"}),
        (first.seed - 1, {0: "2" * 64}, {0: "unrated"}),
        (first.seed, {0: "1" * 64}, {0: "unrated"}),
    ]
    with reading(rated) as session:
        texts = {prompt.id: prompt.text for prompt in session.exec(select(Prompt))}
    assert [pair.prompt for pair in grid] == [texts[second.prompt_id], texts[first.prompt_id], texts[first.prompt_id]]
    assert same_seed_grid(rated, [1]) == []
    assert same_seed_grid(rated, [0]) == grid


def test_a_version_shows_what_it_was_trained_on_and_how_its_raters_agree(
    any_engine: Engine, fill: Callable, publish_version: Callable
) -> None:
    images = fill(any_engine, images=3)
    for rater, verdicts in (("ann", "rrk"), ("bob", "rkk")):
        for image, letter in zip(images, verdicts, strict=True):
            vote_at(any_engine, image, image, Verdict.reject if letter == "r" else Verdict.keep, NOON, rater)
    publish_version(any_engine, 1, manifest_id=freeze(any_engine, "0" * 64, 0).id)
    vote_at(any_engine, 9, images[1], Verdict.reject, NOON, "bob")
    publish_version(any_engine, 2, manifest_id=freeze(any_engine, "0" * 64, 0).id, parent=1)
    withdraw(any_engine, 1, "six fingers")
    v2, v1, v0 = version_rows(any_engine)
    assert [(row.trained_on, row.trained_new) for row in (v2, v1, v0)] == [(2, 1), (1, 1), (0, 0)]
    assert [row.is_withdrawn for row in (v2, v1, v0)] == [False, True, False]
    assert [row.sha256 for row in (v2, v1, v0)] == [f"{2:064x}", f"{1:064x}", None]
    assert (v0.vote_pairs, v0.agreeing, v0.agreement, v2.agreement) == (3, 3, 1.0, None)
    assert v0.watched == confidence_sequence(2, 3)
    assert abs(utc_now() - v0.created_at) < timedelta(minutes=5)


def test_the_standing_counts_raters_prompts_and_the_newest_run(rated: Engine) -> None:
    write_history(rated, [(1, 1, Verdict.reject), (2, 1, Verdict.reject), (1, 7, Verdict.keep)])
    with writing(rated) as session:
        session.exec(select(Prompt)).first().is_active = False
        session.add_all([Run(status=RunStatus.done), Run(status=RunStatus.failed, message="newest")])
    now = standing(rated)
    assert (now.raters, now.prompts, now.judged, now.run.message) == (2, 2, 2, "newest")
    assert rating_state(rated, "ann").run.message == "newest"
