"""The gate's figures, and that the store's queries use indexes."""

import json

import pytest
from sqlalchemy import event

from bench.filling import fill
from bench.gate import bench_gate
from bench.store import pages_of
from feedback.rate.queue import next_images
from feedback.rate.terms import Terms
from feedback.rate.votes import Press, record_votes
from store.tables import Verdict


def test_the_gate_keeps_its_promises() -> None:
    found = bench_gate(2000)
    json.dumps(found)
    assert found["false_promotion"] <= 0.05
    assert found["power_040_030_400"] >= 0.80
    assert found["power_040_015_60"] >= 0.80


@pytest.mark.slow
def test_pages_picks_and_votes_search_by_index(engine, settings) -> None:
    """No page walks through the votes, the pictures, the words or the manifests."""
    fill(engine, 3000, 9000, 6)
    asked: list[tuple[str, object]] = []

    @event.listens_for(engine, "before_cursor_execute")
    def note(_connection, _cursor, statement, parameters, _context, _many) -> None:
        if statement.lstrip().upper().startswith(("SELECT", "WITH")):
            asked.append((statement, parameters))

    for page in pages_of(engine, settings).values():
        page()
    [shown] = next_images(engine, "rater 1", Terms(1, 60), count=1)
    record_votes(engine, "rater 1", [Press("a vote of its own", shown.image_id, Verdict.reject)], Terms(1, 60))
    event.remove(engine, "before_cursor_execute", note)
    scans = set()
    with engine.connect() as connection:
        for statement, parameters in asked:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            for *_, detail in plan:
                is_walk = detail.startswith("SCAN ") and "USING" not in detail
                if is_walk and detail.split()[1] in {"vote", "image", "word", "manifest_item", "image_tally", "lease"}:
                    scans.add((detail, statement))
    assert scans == set()
