"""How long a vote waits while a worker plans what to draw from a long list of prompts: naysayer bench plan"""

import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Engine, text

from feedback.rate.queue import next_images
from feedback.rate.terms import Terms
from feedback.rate.votes import Press, record_votes
from feedback.sample.claims import claim_work, record_images
from feedback.sample.work import Drawing, Wanted
from feedback.versions import begin
from store.engine import writing
from store.files import sha256_of
from store.migrate import open_store
from store.settings import Settings
from store.tables import Verdict

RATERS = 10
BATCH = 8
TERMS = Terms(1, 600)
DRAWING = Drawing("plain", 0.0, 3.0, 10, 64, 64)


class Row(NamedTuple):
    """Milliseconds of a plan of eight pictures, and of a vote beside a worker that does nothing but plan and record."""

    prompts: int
    plan_ms: float
    vote_p50_ms: float
    vote_p99_ms: float


def measure_planning(sizes: Sequence[int], votes: int) -> list[Row]:
    """A row for each length of the list of prompts, in SQLite, with the worker in another process."""
    return [_measure(prompts, votes) for prompts in sizes]


def table(rows: Sequence[Row]) -> str:
    """The figures for the terminal."""
    return "\n".join(
        f"{row.prompts:>9,} prompts   plan {row.plan_ms:8.2f} ms   vote p50 {row.vote_p50_ms:6.2f} ms   "
        f"p99 {row.vote_p99_ms:6.2f} ms"
        for row in rows
    )


def _measure(prompts: int, votes: int) -> Row:
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data_dir=Path(folder))
        engine = open_store(settings)
        _add_prompts(engine, prompts)
        plans = [_plan_and_record(engine) for _ in range(1 + votes // BATCH)]
        with _worker(settings):
            took = [_vote(engine, n) for n in range(votes)]
        engine.dispose()
    percentiles = statistics.quantiles(took, n=100)
    return Row(prompts, *(round(1000 * s, 2) for s in (statistics.median(plans[1:]), percentiles[49], percentiles[98])))


def _add_prompts(engine: Engine, prompts: int) -> None:
    begin(engine, "builtin", "0" * 64)
    with writing(engine) as session:
        session.execute(
            text(
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :prompts) INSERT INTO prompt "
                "(text, source, is_active, created_at) SELECT 'a prompt of about as many words as people write, '"
                " || i, '', TRUE, '2026-01-01' FROM n"
            ),
            {"prompts": prompts},
        )


def _plan_and_record(engine: Engine) -> float:
    """Seconds of a plan."""
    began = time.perf_counter()
    works = claim_work(engine, "worker", Wanted(target=10**6, batch=BATCH, base_slice=0.5, pairs=12))
    took = time.perf_counter() - began
    record_images(engine, [(work, sha256_of(repr(work).encode()), "0" * 64) for work in works], DRAWING)
    return took


def _vote(engine: Engine, n: int) -> float:
    """Seconds of a vote."""
    rater = f"rater {n % RATERS + 1}"
    [shown] = next_images(engine, rater, TERMS, count=1)
    press = Press(f"bench-{n}", shown.image_id, Verdict.keep)
    began = time.perf_counter()
    [receipt] = record_votes(engine, rater, [press], TERMS)
    assert not receipt.refused, receipt.refused
    return time.perf_counter() - began


@contextmanager
def _worker(settings: Settings) -> Iterator[None]:
    processes = multiprocessing.get_context("spawn")
    has_begun, is_over = processes.Event(), processes.Event()
    process = processes.Process(target=_work, args=(settings, has_begun, is_over), daemon=True)
    process.start()
    has_begun.wait(60)
    try:
        yield
    finally:
        is_over.set()
        process.join()


def _work(settings: Settings, has_begun: Event, is_over: Event) -> None:
    engine = open_store(settings)
    while not is_over.is_set():
        _plan_and_record(engine)
        has_begun.set()
