"""How long picks, votes, pages and the pool take in a store with a million pictures and three million votes."""

import shutil
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

from sqlalchemy import Engine

from bench.filling import FIRST_DAY, RATERS, WAITING, Size, fill
from feedback.figures.prompts import PromptFilter, PromptOrder, prompt_page
from feedback.figures.summary import rating_state, same_seed_grid, standing, version_rows
from feedback.gate.evidence import evidence_rows, guardrails
from feedback.people.decisions import rater_events
from feedback.people.reliability import agreement_and_figures
from feedback.policy import rejects_needed
from feedback.pool.browse.gallery import Accord, Filter, View, Which, gallery
from feedback.pool.browse.opened import open_image
from feedback.pool.pool import how_due, pool
from feedback.rate.controls import control_candidates, control_rows
from feedback.rate.queue import next_images
from feedback.rate.terms import Terms
from feedback.rate.votes import Press, recent_votes, record_votes
from feedback.retrain.lineage import trained_on
from feedback.versions import champion, get_version
from store.engine import reading
from store.migrate import open_store
from store.settings import Settings
from store.tables import Reason, Role, Verdict
from ui.dashboard.overview import counted_now, overview_html
from ui.dashboard.pool.answers import opened_answer, page_answer
from ui.dashboard.raters import agreement_html, events_html, raters_html
from ui.dashboard.versions.details import trained_html, uses_html
from ui.dashboard.versions.table import table_html
from ui.web.metrics import metrics_text
from ui.words import standing_lines


def bench_store(settings: Settings, size: Size, seed: int = 0) -> dict[str, Any]:
    """Fills an empty store (SQLite in a temporary folder, or the empty one that the settings name) and measures it."""
    folder = Path(tempfile.mkdtemp(prefix="naysayer-bench-"))
    used = settings.model_copy(update={"data_dir": folder})
    engine = open_store(used)
    try:
        began = time.perf_counter()
        fill(engine, size, seed)
        filled = time.perf_counter() - began
        return {
            "images": size.pictures,
            "votes": size.votes,
            "versions": size.versions,
            "store": engine.dialect.name,
            "fill_s": round(filled, 1),
            **measure(engine, used),
        }
    finally:
        engine.dispose()
        shutil.rmtree(folder)


def measure(engine: Engine, settings: Settings) -> dict[str, Any]:
    """Times in a filled store: p95 of picks and votes, the slowest page, the pool for a retrain."""
    pages = {name: _slowest(page) for name, page in pages_of(engine, settings).items()}
    picks, recorded = _rate(engine)
    began = time.perf_counter()
    with reading(engine) as session:
        pooled = len(pool(session))
    pool_s = time.perf_counter() - began
    began = time.perf_counter()
    how_due(engine, 100)
    return {
        "pick_p95_ms": round(_p95(picks), 2),
        "vote_p95_ms": round(_p95(recorded), 2),
        "page_max_ms": round(max(pages.values()), 1),
        "page_slowest": max(pages, key=lambda name: pages[name]),
        "pages": {name: round(took, 1) for name, took in pages.items()},
        "pool_s": round(pool_s, 2),
        "pooled": pooled,
        "due_ms": round((time.perf_counter() - began) * 1000, 2),
    }


def pages_of(engine: Engine, settings: Settings) -> dict[str, Callable[[], object]]:
    """What each page computes and renders, by its name."""
    return {
        **_pages_of_versions(engine, settings),
        **_pages_of_the_pool(engine),
        **_pages_of_raters(engine),
        "metrics": lambda: metrics_text(engine, settings),
        "status": lambda: standing_lines(standing(engine), how_due(engine, rejects_needed(settings))),
    }


def _pages_of_versions(engine: Engine, settings: Settings) -> dict[str, Callable[[], object]]:
    newest, live = version_rows(engine)[0].number, champion(engine).number

    def versions_page() -> None:
        rows = version_rows(engine)
        table_html(rows, newest, evidence_rows(engine, [row.number for row in rows]))

    def overview_page() -> None:
        counted_now.cache_clear()  # as if a vote had come
        overview_html(engine, settings)

    def version_page() -> None:
        same_seed_grid(engine, [0, live, newest])
        trained_html(trained_on(engine, get_version(engine, newest), Role.reject, 96))
        guardrails(engine, newest, live)

    def look_up() -> None:
        uses_html(engine, "12345")
        uses_html(engine, f"{77:064x}")

    return {
        "rate": lambda: (rating_state(engine, "rater 1"), recent_votes(engine, "rater 1", 30)),
        "overview": overview_page,
        "versions": versions_page,
        "version": version_page,
        "look up a picture": look_up,
        "playground": lambda: (version_rows(engine), get_version(engine, newest)),
    }


def _pages_of_the_pool(engine: Engine) -> dict[str, Callable[[], object]]:
    week = FIRST_DAY + timedelta(days=7)
    filters = {
        "": Filter(),
        ": keeps": Filter(which=Which.keeps),
        ": disputed": Filter(which=Which.disputed),
        ": look again": Filter(which=Which.look_again),
        ": taken out": Filter(which=Which.taken_out),
        ": prompt": Filter(prompt="number 77"),
        ": prompt of nothing": Filter(prompt="no such words"),
        ": version": Filter(version=1),
        ": reason": Filter(reason=Reason.unsafe),
        ": rater": Filter(rater="rater 7"),
        ": divided": Filter(accord=Accord.divided),
        ": first week": Filter(since=FIRST_DAY, until=week),
        ": rater in the first week": Filter(rater="rater 7", since=FIRST_DAY, until=week),
    }

    def pool_page(wanted: Filter) -> object:
        return page_answer(engine, wanted, View())

    pages: dict[str, Callable[[], object]] = {
        f"pool{name}": partial(pool_page, wanted) for name, wanted in filters.items()
    }
    one = gallery(engine, Filter()).thumbs[0].image_id
    return pages | {"pool: one picture": lambda: opened_answer(open_image(engine, one))}


def _pages_of_raters(engine: Engine) -> dict[str, Callable[[], object]]:
    def raters_page() -> None:
        counts, rows = agreement_and_figures(engine)
        agreement_html(counts)
        raters_html(rows)

    return {
        "raters": raters_page,
        "raters: events": lambda: events_html(rater_events(engine)),
        "setup: prompts": lambda: prompt_page(engine, PromptFilter(order=PromptOrder.rejected), 0, 50),
        "setup: controls": lambda: control_rows(engine),
        "setup: candidates": lambda: control_candidates(engine, Verdict.reject, 24),
    }


def _rate(engine: Engine) -> tuple[list[float], list[float]]:
    """Milliseconds of each pick of one picture and of each vote on it, by raters in turn."""
    picks, votes = [], []
    for n in range(WAITING // 2):
        rater = f"rater {1 + n % RATERS}"
        began = time.perf_counter()
        [shown] = next_images(engine, rater, Terms(1, 600), count=1)
        picks.append((time.perf_counter() - began) * 1000)
        press = Press(uuid4().hex, shown.image_id, Verdict.reject if n % 3 else Verdict.keep)
        began = time.perf_counter()
        [receipt] = record_votes(engine, rater, [press], Terms(1, 600))
        assert not receipt.refused, receipt.refused
        votes.append((time.perf_counter() - began) * 1000)
    return picks, votes


def _slowest(page: Callable[[], object]) -> float:
    """Milliseconds of the slowest of five runs, after one that does not count."""
    page()
    times = []
    for _ in range(5):
        began = time.perf_counter()
        page()
        times.append((time.perf_counter() - began) * 1000)
    return max(times)


def _p95(values: list[float]) -> float:
    return sorted(values)[int(0.95 * len(values))]
