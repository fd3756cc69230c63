"""The bench of a large store: its keys, its rows, and that the store's queries use indexes."""

import json

import pytest
from sqlalchemy import event

from bench.filling import Size, fill
from bench.store import bench_store, pages_of
from feedback.rate.queue import next_images
from feedback.rate.terms import Terms
from feedback.rate.votes import Press, record_votes
from store.settings import Settings
from store.tables import Verdict

LARGE_TABLES = {"vote", "image", "word", "manifest_item", "image_tally", "lease"}


@pytest.mark.slow
def test_the_bench_measures_a_store_of_the_asked_size(settings: Settings) -> None:
    found = json.loads(json.dumps(bench_store(settings, Size(600, 900, 3))))
    assert (found["images"], found["votes"], found["versions"], found["store"]) == (600, 900, 3, "sqlite")
    assert 0 < found["pages"][found["page_slowest"]] == found["page_max_ms"]
    assert min(found["pick_p95_ms"], found["vote_p95_ms"], found["pooled"]) > 0


@pytest.mark.slow
def test_pages_picks_and_votes_search_by_index(engine, settings) -> None:
    """No page scans the votes, the pictures, the current votes or the manifests."""
    fill(engine, Size(3000, 9000, 6))
    asked: list[tuple[str, object]] = []

    @event.listens_for(engine, "before_cursor_execute")
    def note(_connection, _cursor, statement, parameters, _context, _many) -> None:
        if statement.lstrip().upper().startswith(("SELECT", "WITH")):
            asked.append((statement, parameters))

    for page in pages_of(engine, settings).values():
        page()
    [shown] = next_images(engine, "rater 1", Terms(1, 60), count=1)
    record_votes(engine, "rater 1", [Press("one vote", shown.image_id, Verdict.reject)], Terms(1, 60))
    event.remove(engine, "before_cursor_execute", note)
    with engine.connect() as connection:
        scans = {
            statement
            for statement, parameters in asked
            if reads_a_whole_table(
                [row[-1] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)],
                statement,
            )
        }
    assert scans == set()


def reads_a_whole_table(plan: list[str], statement: str) -> bool:
    """Whether SQLite walks through a large table to its end: without an index, and without a LIMIT to stop at."""
    is_walk = any(step.startswith("SCAN ") and "USING" not in step and step.split()[1] in LARGE_TABLES for step in plan)
    stops_early = "LIMIT" in statement and "USE TEMP B-TREE FOR ORDER BY" not in plan
    return is_walk and not stops_early


def test_a_walk_is_told_from_a_search_and_from_a_walk_that_stops(engine) -> None:
    statements = {
        "SELECT count(*) FROM vote WHERE page = ?": True,
        "SELECT * FROM image ORDER BY width DESC LIMIT ?": True,
        "SELECT * FROM image ORDER BY id DESC LIMIT ?": False,
        "SELECT * FROM vote WHERE image_id = ?": False,
    }
    with engine.connect() as connection:
        for statement, expected in statements.items():
            rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", (1,))
            assert reads_a_whole_table([row[-1] for row in rows], statement) is expected, statement
