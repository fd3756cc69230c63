"""Every number that a page, `status` or the metrics show, over random histories, against SQL written another way."""

import random
import re
from collections.abc import Callable
from contextlib import suppress
from itertools import count

import pytest
from sqlalchemy import Engine, text

from feedback.figures.summary import rating_state, standing, version_rows
from feedback.figures.trend import windows
from feedback.people.decisions import Decision, decide
from feedback.people.reliability import agreement_and_figures
from feedback.pool.browse.gallery import Filter, View, Which, gallery
from feedback.pool.browse.opened import open_image
from feedback.pool.curation import curate
from feedback.pool.pool import how_due
from feedback.pool.tally import differences
from feedback.pool.verdicts import RULINGS
from feedback.rate.controls import control_rows, make_control
from feedback.rate.queue import next_images
from feedback.rate.terms import Mix, Terms
from feedback.rate.votes import Press, record_votes
from feedback.versions import withdraw
from store.errors import BadRequest, NotAllowed
from store.settings import Settings
from store.tables import Origin, PoolAction, RaterAction, Reason, Verdict
from ui.dashboard.overview import overview_html
from ui.dashboard.raters import based_on
from ui.web.metrics import metrics_text
from ui.words import standing_lines

RATERS = ("ann", "bob", "cat", "dan")
TERMS = Terms(3, 600, Mix(controls=0.2, repeats=0.3))
TABLES = """
WITH cur AS (
    SELECT v.id, v.image_id, v.rater_id, v.verdict, v.received_at, i.version, i.origin, r.name, r.is_excluded
    FROM vote v JOIN image i ON i.id = v.image_id JOIN rater r ON r.id = v.rater_id
    WHERE NOT EXISTS (SELECT 1 FROM vote w WHERE w.image_id = v.image_id AND w.rater_id = v.rater_id AND w.id > v.id)
), judging AS (
    SELECT * FROM cur WHERE verdict IN ('reject', 'keep')
), counted AS (
    SELECT * FROM judging WHERE origin <> 'control' AND NOT is_excluded
), ruling AS (
    SELECT image_id, CASE action WHEN 'reject' THEN 1 ELSE -1 END AS side FROM pool_event p
    WHERE action IN ('reject', 'keep') AND NOT EXISTS (SELECT 1 FROM pool_event q WHERE q.image_id = p.image_id
    AND q.id > p.id AND q.action IN ('reject', 'keep', 'follow'))
), balance AS (
    SELECT image.id AS image_id, image.version, image.origin,
    coalesce(side, sum(verdict = 'reject') - sum(verdict = 'keep')) AS lead
    FROM image LEFT JOIN counted ON counted.image_id = image.id LEFT JOIN ruling ON ruling.image_id = image.id
    GROUP BY image.id HAVING count(counted.id) > 0 OR side IS NOT NULL
), out AS (
    SELECT image_id FROM pool_event p WHERE action = 'exclude' AND NOT EXISTS (SELECT 1 FROM pool_event q
    WHERE q.image_id = p.image_id AND q.id > p.id AND q.action IN ('exclude', 'restore'))
), pooled AS (
    SELECT * FROM balance WHERE origin IN ('sampled', 'imported') AND image_id NOT IN (SELECT image_id FROM out)
) """
FIGURES = {
    "drawn": "SELECT count(*) FROM image WHERE origin NOT IN ('control', 'imported')",
    "imported": "SELECT count(*) FROM image WHERE origin = 'imported'",
    "judged": "SELECT count(*) FROM balance WHERE lead <> 0",
    "votes": "SELECT count(*) FROM counted",
    "today": "SELECT count(*) FROM counted WHERE date(received_at) >= date('now')",
    "raters": "SELECT count(DISTINCT rater_id) FROM counted",
    "rejects": "SELECT count(*) FROM pooled WHERE lead > 0",
    "keeps": "SELECT count(*) FROM pooled WHERE lead < 0",
    "disputed": "SELECT count(*) FROM pooled WHERE lead = 0",
    "out": "SELECT count(*) FROM balance JOIN out USING (image_id) WHERE origin IN ('sampled', 'imported')",
    "presses": "SELECT count(*) FROM vote",
    "waiting": "SELECT count(*) FROM image WHERE is_queued AND id NOT IN (SELECT image_id FROM vote)",
}


@pytest.fixture
def live(engine: Engine, fill: Callable, publish_version: Callable) -> Engine:
    """Two versions, forty sampled pictures, sixteen of evaluation, eight imported, six controls."""
    publish_version(engine, 1)
    publish_version(engine, 2)
    images = fill(engine, images=24) + fill(engine, images=16, version=1)
    fill(engine, images=8, origin=Origin.evaluation)
    fill(engine, images=8, version=1, origin=Origin.evaluation)
    fill(engine, images=8, origin=Origin.imported)
    for image in images[:6]:
        make_control(engine, image, Verdict.reject if image % 2 else Verdict.keep, by="root")
    return engine


def live_through(engine: Engine, chance: random.Random) -> None:
    """A few hundred presses by four raters, and what people decided meanwhile."""
    request, seen = count(), {name: [] for name in RATERS}
    for turn in range(60):
        rater = chance.choice(RATERS)
        with suppress(NotAllowed):  # a paused rater
            seen[rater] += [image.image_id for image in next_images(engine, rater, TERMS, count=4)]
        for _ in range(chance.randrange(1, 7)):
            if seen[rater]:
                _press(engine, rater, chance.choice(seen[rater][-8:]), next(request), chance)
        if turn == 20:
            decide(engine, "dan", Decision(RaterAction.exclude, "root", "careless"))
        if turn == 30:
            decide(engine, "cat", Decision(RaterAction.pause, "root", "away"))
        if turn % 10 == 5:
            image = chance.randrange(1, 41)
            is_out = open_image(engine, image).is_taken_out
            curate(engine, [image], PoolAction.restore if is_out else PoolAction.exclude, by="root", reason="to see")
        if turn % 3 == 2:
            with suppress(BadRequest):  # no votes yet, or ruled so already
                curate(engine, [chance.randrange(1, 65)], chance.choice(RULINGS), by="root", reason="to see")
        if turn == 50:
            withdraw(engine, 2, "it was bad")


def _press(engine: Engine, rater: str, image: int, request: int, chance: random.Random) -> None:
    verdict = chance.choices(list(Verdict), (4, 4, 1, 1))[0]
    reasons = frozenset(chance.sample(list(Reason), chance.randrange(3)) if verdict is Verdict.reject else ())
    [receipt] = record_votes(engine, rater, [Press(f"{rater} {request}", image, verdict, reasons=reasons)], TERMS)
    assert not receipt.refused


@pytest.mark.parametrize("seed", range(4))
def test_every_page_shows_what_an_independent_query_counts(live: Engine, seed: int) -> None:
    live_through(live, random.Random(seed))
    with live.connect() as connection:

        def rows_of(query: str) -> list[tuple]:
            return [tuple(row) for row in connection.execute(text(TABLES + query))]

        true = {name: rows_of(query)[0][0] for name, query in FIGURES.items()}
        compared = 0
        for shown, wanted in _compare(live, rows_of, true):
            assert shown == wanted
            compared += 1
    assert compared > 75
    assert differences(live) == []


def _compare(engine: Engine, rows_of: Callable, true: dict[str, int]):
    """Pairs of what is shown and what the query says."""
    now, due, settings = standing(engine), how_due(engine, 9), Settings(_env_file=None)
    for name in ("drawn", "imported", "judged", "votes", "raters", "rejects", "keeps", "disputed", "waiting"):
        yield (name, getattr(now, name)), (name, true[name])
    yield now.votes_today, true["today"]
    new_rejects = "SELECT count(*) FROM pooled WHERE lead > 0 AND image_id NOT IN (SELECT image_id FROM manifest_item)"
    yield due.new_rejects, rows_of(new_rejects)[0][0]

    lines = _numbers(standing_lines(now, due))
    pictures = true["drawn"] + true["imported"]
    of_which = [true["judged"], pictures, true["drawn"], now.prompts, true["imported"]]
    wanted = [true["waiting"], *of_which, true["votes"], true["raters"], true["today"]]
    yield lines[: len(wanted) + 3], [*wanted, true["rejects"], true["keeps"], true["disputed"]]
    page = _numbers(overview_html(engine, settings))
    yield page[:7], [true["votes"], true["raters"], *of_which]
    yield from _compare_metrics(metrics_text(engine, settings), true)

    for which in (Which.rejects, Which.keeps, Which.disputed, Which.taken_out):
        found = gallery(engine, Filter(which=which), View(size=100))
        name = "out" if which is Which.taken_out else which.value
        yield (which, found.total, len(found.thumbs)), (which, true[name], true[name])
        for thumb in found.thumbs:
            counts = rows_of(
                "SELECT total(verdict = 'reject'), total(verdict = 'keep') FROM counted "
                f"WHERE image_id = {thumb.image_id}"
            )
            yield (thumb.rejects, thumb.keeps), counts[0]
    yield from _compare_filters(engine, rows_of)
    opened = open_image(engine, 1)
    yield sum(vote.is_vote for vote in opened.votes), rows_of("SELECT count(*) FROM counted WHERE image_id = 1")[0][0]

    by_version = """SELECT version.number, (SELECT count(*) FROM balance WHERE version = number AND origin = 'sampled'
        AND lead > 0), (SELECT count(*) FROM balance WHERE version = number AND origin = 'sampled' AND lead <> 0),
        (SELECT count(*) FROM counted WHERE version = number AND origin = 'sampled'), (SELECT count(DISTINCT rater_id)
        FROM counted WHERE version = number AND origin = 'sampled') FROM version ORDER BY number DESC"""
    yield [(r.number, r.rejected, r.judged, r.votes, r.raters) for r in version_rows(engine)], rows_of(by_version)
    sampled = "SELECT count(*) FROM counted WHERE origin = 'sampled'"
    yield sum(window.rejects.whole for window in windows(engine)), rows_of(sampled)[0][0]
    yield from _compare_raters(engine, rows_of, true)


def _compare_filters(engine: Engine, rows_of: Callable):
    rejects = "SELECT image_id FROM pooled WHERE lead > 0 AND image_id IN"
    voted = "(SELECT image_id FROM counted JOIN vote_reason ON vote_id = counted.id WHERE verdict = 'reject' AND reason"
    for reason in Reason:
        rows = rows_of(f"{rejects} {voted} = '{reason.value}')")
        yield _shown(engine, Filter(reason=reason)), (reason, sorted(rows))
    for rater in RATERS:
        rows = rows_of(f"{rejects} (SELECT image_id FROM judging WHERE name = '{rater}')")
        yield _shown(engine, Filter(rater=rater)), (rater, sorted(rows))


def _shown(engine: Engine, chosen: Filter):
    thumbs = gallery(engine, chosen, View(size=100)).thumbs
    return chosen.reason or chosen.rater, sorted((thumb.image_id,) for thumb in thumbs)


def _compare_raters(engine: Engine, rows_of: Callable, true: dict[str, int]):
    counts, figures = agreement_and_figures(engine)
    yield sum(map(sum, counts)), true["votes"]
    yield _numbers(based_on(figures)[0])[:2], [true["votes"], true["raters"]]
    for row in figures:
        own = f"FROM judging WHERE name = '{row.name}' AND origin <> 'control'"
        [(votes, rejects)] = rows_of(f"SELECT count(*), coalesce(sum(verdict = 'reject'), 0) {own}")
        yield (row.votes, row.today, tuple(row.rejects)), (votes, votes, (rejects, votes))
        answers = f"""SELECT (SELECT count(*) FROM judging WHERE name = '{row.name}') + (SELECT count(*) FROM repeat
            JOIN rater ON rater.id = repeat.rater_id WHERE name = '{row.name}' AND EXISTS (SELECT 1 FROM vote
            WHERE vote.rater_id = repeat.rater_id AND vote.image_id = repeat.image_id AND vote.id > first_vote_id))"""
        yield rating_state(engine, row.name).progress.answers, rows_of(answers)[0][0]
        controls = f"""SELECT coalesce(sum(verdict = answer), 0), count(*) FROM judging
            JOIN control ON control.image_id = judging.image_id WHERE name = '{row.name}'"""
        yield tuple(row.controls), rows_of(controls)[0]
    answered = "SELECT count(*) FROM judging WHERE origin = 'control'"
    yield sum(row.seen for row in control_rows(engine)), rows_of(answered)[0][0]


def _compare_metrics(metrics: str, true: dict[str, int]):
    values = dict(line.rsplit(" ", 1) for line in metrics.splitlines() if not line.startswith("#"))
    names = {"images": "drawn", "images_waiting": "waiting", "votes": "votes", "votes_today": "today"}
    names |= {"raters": "raters", "pool_rejects": "rejects", "pool_keeps": "keeps", "pool_disputed": "disputed"}
    for metric, name in names.items():
        yield (metric, float(values[f"naysayer_{metric}"])), (metric, true[name])


def _numbers(page: str) -> list[int]:
    """The whole numbers in the text of a page, without its tags."""
    words = re.sub(r"<[^>]*>", " ", page)
    return [int(number.replace(",", "")) for number in re.findall(r"\d[\d,]*", words)]
