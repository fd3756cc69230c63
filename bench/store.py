"""The store at size: a million pictures and three million votes, and how long picks, pages and the pool take."""

import random
import shutil
import tempfile
import time
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from sqlalchemy import Engine, text
from sqlmodel import select
from tqdm import tqdm

from feedback.pool.pool import how_due, pool
from feedback.pool.tally import rebuild
from feedback.rate.queue import next_images
from feedback.rate.terms import Terms
from feedback.rate.votes import Press, record_votes
from feedback.sample.prompts import add_prompts
from feedback.versions import begin, publish
from store.engine import reading, writing
from store.migrate import open_store
from store.settings import Settings
from store.tables import Alias, AliasName, Manifest, Prompt, Verdict, Version

WORKED = 200
RATERS = 40
PROMPTS = 2000
CHUNK = 20_000
FIRST_DAY = date(2025, 1, 6)


def bench_store(settings: Settings, images: int, votes: int, versions: int, *, seed: int = 0) -> dict[str, Any]:
    """Fills an empty store (SQLite in a temporary folder, or the empty one the settings name) and measures it."""
    folder = Path(tempfile.mkdtemp(prefix="naysayer-bench-"))
    used = settings.model_copy(update={"data_dir": folder})
    engine = open_store(used)
    try:
        began = time.perf_counter()
        fill(engine, images, votes, versions, seed)
        filled = time.perf_counter() - began
        return {
            "images": images,
            "votes": votes,
            "versions": versions,
            "store": engine.dialect.name,
            "fill_s": round(filled, 1),
            **measure(engine, used),
        }
    finally:
        engine.dispose()
        shutil.rmtree(folder)


def measure(engine: Engine, settings: Settings) -> dict[str, Any]:
    """Times on a filled store: p95 of picks and votes, the slowest page warm, the pool for a retrain."""
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
        "pages_ms": {name: round(took, 1) for name, took in pages.items()},
        "pool_s": round(pool_s, 2),
        "pooled": pooled,
        "due_ms": round((time.perf_counter() - began) * 1000, 2),
    }


def pages_of(engine: Engine, settings: Settings) -> dict[str, Callable[[], object]]:
    """What each page computes, by its name."""
    from feedback.figures.summary import rating_state, same_seed_grid, version_rows
    from feedback.figures.trend import days, growth
    from feedback.gate.evidence import evidence_rows, guardrails
    from feedback.rate.votes import recent_votes
    from feedback.retrain.lineage import find_image, trained_on, uses_of
    from feedback.versions import champion, get_version
    from store.tables import Role
    from ui.dashboard.inside import uses_html
    from ui.dashboard.overview import overview_html
    from ui.dashboard.versions import table_html
    from ui.web.metrics import metrics_text

    with reading(engine) as session:
        newest = max(session.exec(select(Version.number)))
    live = champion(engine).number

    def versions_page() -> None:
        rows = version_rows(engine)
        table_html(rows, newest, evidence_rows(engine, [row.number for row in rows]))

    def version_page() -> None:
        same_seed_grid(engine, [0, live, newest])
        trained_on(engine, get_version(engine, newest), Role.reject, 96)
        guardrails(engine, newest, live)

    def look_up() -> None:
        uses_html(engine, "12345")
        uses_of(engine, 1)
        find_image(engine, f"{77:064x}")

    return {
        "rate": lambda: (rating_state(engine, "rater 1", 100), recent_votes(engine, "rater 1", 30)),
        "overview": lambda: (overview_html(engine, settings), growth(days(engine))),
        "versions": versions_page,
        "version": version_page,
        "look up a picture": look_up,
        "metrics": lambda: metrics_text(engine, settings),
    }


def fill(engine: Engine, images: int, votes: int, versions: int, seed: int = 0) -> None:
    """Rows that look like a long-lived store: most pictures judged by several raters, the newest waiting."""
    begin(engine, "builtin", "0" * 64)
    add_prompts(engine, [f"prompt number {n}" for n in range(PROMPTS)])
    _add_versions(engine, versions)
    with writing(engine) as session:
        prompts = list(session.exec(select(Prompt.id)))
        session.execute(
            text("INSERT INTO rater (id, name, created_at) VALUES (:id, :name, :at)"),
            [{"id": n, "name": f"rater {n}", "at": "2026-01-01 00:00:00"} for n in range(1, RATERS + 1)],
        )
    chance = random.Random(seed)
    judged = max(1, images - 2 * WORKED)
    with tqdm(total=images + votes, desc="filling", unit="row") as bar:
        for start in range(1, images + 1, CHUNK):
            stop = min(start + CHUNK, images + 1)
            _insert(engine, IMAGE, (_image(n, images, versions, judged, prompts, chance) for n in range(start, stop)))
            bar.update(stop - start)
        for start in range(0, votes, CHUNK):
            stop = min(start + CHUNK, votes)
            _insert(engine, VOTE, (_vote(n, judged, images, versions, chance) for n in range(start, stop)))
            bar.update(stop - start)
    _sync_sequences(engine)
    _add_manifests(engine, versions)
    with writing(engine) as session:
        rebuild(session)
    with engine.begin() as connection:
        connection.execute(text("ANALYZE"))


IMAGE = """INSERT INTO image (id, work_key, sha256, prompt_id, negative_prompt, seed, rule, strength, guidance_scale,
num_inference_steps, width, height, version, origin, is_queued, created_at) VALUES (:id, :name, :name, :prompt_id, '',
:seed, 'plain', 0, 3, 10, 64, 64, :version, :origin, :is_queued, :at)"""
VOTE = """INSERT INTO vote (id, request_id, rater_id, image_id, verdict, page, received_at)
VALUES (:id, :request, :rater, :image, :verdict, '', :at)"""


def _image(
    n: int, images: int, versions: int, judged: int, prompts: list[int | None], chance: random.Random
) -> dict[str, Any]:
    is_evaluation = n % 500 < 2
    return {
        "id": n,
        "name": f"{n:064x}",
        "prompt_id": prompts[n % len(prompts)],
        "seed": chance.randrange(2**31),
        "version": _version(n, images, versions),
        "origin": "evaluation" if is_evaluation else "sampled",
        "is_queued": n > judged,
        "at": _at(_version(n, images, versions), n),
    }


def _vote(n: int, judged: int, images: int, versions: int, chance: random.Random) -> dict[str, Any]:
    image = 1 + n % judged
    return {
        "id": n + 1,
        "request": f"bench-{n}",
        "rater": 1 + (n // judged * 7 + image) % RATERS,
        "image": image,
        "verdict": chance.choices(("reject", "keep", "skip"), (30, 65, 5))[0],
        "at": _at(_version(image, images, versions), n),
    }


def _version(n: int, images: int, versions: int) -> int:
    """The version that drew the n-th picture: each is live for as many."""
    return min(versions - 1, n * versions // (images + 1))


def _at(version: int, n: int) -> str:
    """A moment in the week in which a version was live."""
    return f"{FIRST_DAY + timedelta(days=7 * version + n % 7)} 12:00:00.000000"


def _insert(engine: Engine, statement: str, rows: Any) -> None:
    with writing(engine) as session:
        session.connection().execute(text(statement), list(rows))


def _add_versions(engine: Engine, versions: int) -> None:
    for number in range(1, versions):
        row = Version(
            number=number,
            parent=number - 1,
            sha256=f"{number:064x}",
            base_model="builtin",
            base_sha256="0" * 64,
            rule="same-prompt",
            strength=4.0,
        )
        with writing(engine) as session:
            publish(session, row, "made by the bench")
    with writing(engine) as session:
        session.get_one(Alias, AliasName.champion).version = max(0, versions - 2)


def _add_manifests(engine: Engine, versions: int, most: int = 50_000) -> None:
    """The newest version was trained on up to `most` rejects, each earlier one on a share of them."""
    trained = """INSERT INTO manifest_item (manifest_id, image_id, role, split)
    SELECT :manifest, image_id, 'reject', 'train' FROM vote JOIN image ON image.id = vote.image_id
    WHERE verdict = 'reject' AND origin = 'sampled' GROUP BY image_id ORDER BY image_id LIMIT :most"""
    for number in tqdm(range(1, versions), desc="manifests"):
        manifest = f"{number:064x}"
        with writing(engine) as session:
            session.add(Manifest(id=manifest, body="{}"))
            session.flush()
            session.execute(text(trained), {"manifest": manifest, "most": most * number // versions})
            session.get_one(Version, number).manifest_id = manifest


def _sync_sequences(engine: Engine) -> None:
    if engine.dialect.name == "postgresql":  # rows with ids of our own leave the counters behind
        with engine.begin() as connection:
            for table in ("image", "vote", "rater"):
                connection.execute(text(f"SELECT setval('{table}_id_seq', (SELECT max(id) FROM {table}))"))


def _rate(engine: Engine) -> tuple[list[float], list[float]]:
    """Milliseconds of each pick of one picture and of each vote on it, by raters in turn."""
    picks, votes = [], []
    for n in range(WORKED):
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
    """Milliseconds of the slowest of five, after one to warm up."""
    page()
    times = []
    for _ in range(5):
        began = time.perf_counter()
        page()
        times.append((time.perf_counter() - began) * 1000)
    return max(times)


def _p95(values: list[float]) -> float:
    return sorted(values)[int(0.95 * len(values))]
